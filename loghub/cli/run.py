"""run: a container's entry point. The words of the command are never read as options of loghub."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from loghub.cli.where import Where
from loghub.delivery import deliverer
from loghub.supervise import command

if TYPE_CHECKING:
    from loghub.handlers.base import ReportingHandler


class _Raw(click.Command):
    """Takes all words as they are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.params["words"] = tuple(args)
        return []

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[OPTIONS] [-m MODULE | SCRIPT | -- COMMAND] [ARGUMENTS]..."]


@click.command("run", cls=_Raw, add_help_option=False, short_help="Run a command, and report how it ends.")
@click.option("--component", metavar="NAME", help="Which part of the system it is (LOGHUB_COMPONENT).")
@click.option("--home", metavar="DIR", help="Folder of journal and ledger, also of the command (LOGHUB_HOME).")
@click.option("--ledger", metavar="URL", help="sqlite, in the home, or postgresql://... (LOGHUB_LEDGER).")
@click.option("--config", metavar="FILE", help="A logging.yaml, whose reporting handlers are told; else GitHub.")
@click.option("--timeout", default=command.TIMEOUT, show_default=True, help="Seconds that the end waits for delivery.")
@click.pass_obj
def run(place: Where | None, words: tuple[str, ...]) -> None:
    """Run a command as if nothing stood between, and report tracebacks, deaths by signal, kills for want of memory.

    A script whose name ends in .py, or a module after -m, runs with this Python; anything else is a command.
    Options of loghub come before it, all that comes after it is its own. The exit code is the command's: 127 if
    there is no such command, 126 if it cannot be executed; a death by signal is passed on.

    \b
    Example:
      loghub run --component shop -m shop.server --port 8000
      loghub run --config logging.yaml worker.py
      loghub run -- nginx -g 'daemon off;'
    """
    outer = place or Where()

    def make(said: command.Words) -> list[ReportingHandler]:
        named = {name: getattr(said, name) or getattr(outer, name) for name in ("home", "ledger", "config")}
        return handlers(said._replace(**named))

    sys.exit(command.main(words, handlers=make, help_text=help_text))


def help_text() -> str:
    """Return what ``loghub run --help`` says."""
    return run.get_help(click.Context(run, info_name="loghub run"))


def handlers(said: command.Words) -> list[ReportingHandler]:
    """Return what reports: the reporting handlers of --config, else a GitHubIssueHandler with its defaults."""
    deliverer.by_hand = False
    with click.Context(run).scope(cleanup=False):
        return Where(said.home, said.ledger, said.config).handlers()
