"""The tables of docs/ that say what the code says; `python -m tests.docs.tables` writes them into the pages.

A table stands between ``<!-- options: loghub.NAME -->`` or ``<!-- verbs -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import inspect
import logging
import re

import click

import loghub
from loghub import cli
from loghub.declared import options_of
from loghub.handlers.base import ReportingHandler
from tests.docs.pages import ROOT

SHARED = ("home", "ledger", "shutdown_timeout")
"""What every reporting handler has; one table for all."""

_PART = re.compile(r"(<!-- (?:verbs|options: loghub\.([\w.]+)) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def written(text: str) -> str:
    """Return a page with its tables as they have to be."""
    return _PART.sub(lambda found: f"{found[1]}\n{_table(found[2])}\n", text)


def named(text: str) -> list[str]:
    """Return the classes that a page has tables for."""
    return [found[2] for found in _PART.finditer(text) if found[2]]


def _table(name: str | None) -> str:
    if name is None:
        return "".join(_verb(path, one) for path, one in verbs())
    cls = ReportingHandler if name == "handlers.base.ReportingHandler" else getattr(loghub, name)
    rows = [
        f"| `{one.name}` | {default(one)} | {_cell(one.text)} |\n"
        for one in options_of(cls).values()
        if one.name not in SHARED or not issubclass(cls, ReportingHandler) or cls is ReportingHandler
    ]
    return "| option | default | means |\n| --- | --- | --- |\n" + "".join(rows)


def default(option) -> str:
    """Return an option's default as YAML has it; nothing for None."""
    value = option.default
    if value is inspect.Parameter.empty:
        return "(needed)"
    if value is None or value == "" or callable(value):
        return ""
    if option.name == "flushLevel":
        return f"`{logging.getLevelName(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _cell(text: str) -> str:
    return (text[:1].upper() + text[1:]).replace("|", "\\|").replace("<", "&lt;")


# --- the command line


def verbs() -> list[tuple[str, click.Command]]:
    """Return each verb, and each verb of a verb, by what is typed."""
    context = click.Context(cli.main)
    found = []
    for name in cli.main.list_commands(context):
        verb = cli.main.get_command(context, name)
        found.append((f"loghub {name}", verb))
        if isinstance(verb, click.Group):
            found += [(f"loghub {name} {one}", verb.commands[one]) for one in sorted(verb.commands)]
    return found


def _verb(path: str, verb: click.Command) -> str:
    text, _, example = inspect.cleandoc(verb.help or "").replace("``", "`").partition("\b\nExample:\n")
    usage = " ".join([path, *verb.collect_usage_pieces(click.Context(verb))])
    rows = [
        f"| `{', '.join(one.opts + one.secondary_opts)}` | {_cell(one.help or '')} |\n"
        for one in verb.params
        if isinstance(one, click.Option) and one.name not in ("home", "ledger", "config", "help")
    ]
    shown = f"\n```sh\n{inspect.cleandoc(example).strip()}\n```\n" if example else ""
    options = "\n| option | means |\n| --- | --- |\n" + "".join(rows) if rows else ""
    return f"\n## {path}\n\n`{usage}`\n\n{_paragraphs(text)}{shown}{options}"


def _paragraphs(text: str) -> str:
    paragraphs = [" ".join(one.split()) for one in text.replace("\b", "").strip().split("\n\n")]
    return "\n\n".join(_cell(one) for one in paragraphs) + "\n"


def main() -> None:
    """Write the tables."""
    for path in sorted((ROOT / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        path.write_text(written(text), encoding="utf-8")


if __name__ == "__main__":
    main()
