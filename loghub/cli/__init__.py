"""The command line: ``loghub VERB``."""

from __future__ import annotations

import difflib
import importlib

import click

from loghub import __version__
from loghub.cli.where import OPTIONS, Where
from loghub.delivery import deliverer

VERBS = {
    "check": "loghub.cli.check",
    "demo": "loghub.cli.demo",
    "drain": "loghub.cli.outbox",
    "explain": "loghub.cli.explain",
    "groups": "loghub.cli.readers",
    "import": "loghub.cli.import_logs",
    "link": "loghub.cli.link",
    "migrate": "loghub.cli.migrate",
    "mute": "loghub.cli.mute",
    "outbox": "loghub.cli.outbox",
    "preview": "loghub.cli.preview",
    "purge": "loghub.cli.purge",
    "recent": "loghub.cli.readers",
    "reindex": "loghub.cli.reindex",
    "run": "loghub.cli.run",
    "schema": "loghub.cli.schema",
    "selftest": "loghub.cli.selftest",
    "serve": "loghub.cli.serve",
    "show": "loghub.cli.readers",
    "stats": "loghub.cli.readers",
    "test": "loghub.cli.try_out",
    "unmute": "loghub.cli.mute",
}


class _Verbs(click.Group):
    """Loads a verb's module when the verb is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = VERBS.get(cmd_name)
        if module is None:
            return None
        function = "import_logs" if cmd_name == "import" else cmd_name  # a word of the language
        command: click.Command = getattr(importlib.import_module(module), function)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            if not near:
                raise
            raise click.UsageError(f"No such command {args[0]!r}; did you mean {near[0]!r}?", ctx) from error


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="loghub")
@click.pass_context
def main(context: click.Context, home: str | None, ledger: str | None, config: str | None) -> None:
    """What your services' errors became: groups, issues, mails, and what still waits.

    \b
    Example:
      loghub demo
      loghub groups --home /var/lib/myapp
    """
    context.obj = Where(home, ledger, config)
    deliverer.by_hand = True  # a verb only looks, unless delivering is what it is for


for _option in reversed(OPTIONS):
    main = _option(main)
