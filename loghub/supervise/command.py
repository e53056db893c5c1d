"""``loghub run``: its words, and the course of a run.

Little is imported here: what reports is loaded when the command runs already.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from loghub import runs
from loghub.supervise import child
from loghub.supervise.reporter import Reporter, Subject, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loghub.handlers.base import ReportingHandler

TIMEOUT = 5.0
"""The most seconds that the end of a run waits for delivery."""

OPTIONS = ("--component", "--home", "--ledger", "--config", "--timeout")


class Misuse(Exception):  # noqa: N818 - as click calls it
    """What was typed makes no sense; the message is a sentence."""


class Words(NamedTuple):
    """What was typed after ``loghub run``.

    Attributes:
        argv: The command and its arguments.
        program: What people call it.
        component, home, ledger, config: The options; None if not given.
        timeout: The most seconds that the end waits for delivery.
        help: Somebody asked what this is.
    """

    argv: list[str]
    program: str = ""
    component: str | None = None
    home: str | None = None
    ledger: str | None = None
    config: str | None = None
    timeout: float = TIMEOUT
    help: bool = False


def parse(words: Sequence[str]) -> Words:
    """Read what was typed: options up to the command, and nothing of what comes after.

    Raises:
        Misuse: There is no command, or an option that there is not.
    """
    given: dict[str, str] = {}
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--", "-m"):
        option, equals, value = rest.pop(0).partition("=")
        if option in ("-h", "--help"):
            return Words([], help=True)
        if option not in OPTIONS:
            raise Misuse(
                f"loghub run has no option {option}: its own are {', '.join(OPTIONS)}; those of the command come "
                "after it, and -- stands before a command that begins with a dash."
            )
        if not equals and not rest:
            raise Misuse(f"{option} needs a value.")
        given[option[2:]] = value if equals else rest.pop(0)
    argv, program = _command(rest)
    timeout = _seconds(given.pop("timeout", str(TIMEOUT)))
    return Words(argv, program, timeout=timeout, **given)  # type: ignore[arg-type]


def _command(rest: list[str]) -> tuple[list[str], str]:
    """Return the command, and what people call it: as a script or module calls itself."""
    if rest[:1] == ["-m"]:
        if len(rest) < 2:
            raise Misuse("-m needs the name of a module.")
        return [sys.executable, *rest], rest[1].removesuffix(".__main__").rpartition(".")[2]
    argv = rest[1:] if rest[:1] == ["--"] else rest
    if not argv:
        raise Misuse("There is nothing to run: give a script, -m and a module, or -- and a command.")
    name = os.path.basename(argv[0]) or argv[0]
    if argv is rest and name.endswith(".py"):
        return [sys.executable, *argv], name.removesuffix(".py")
    return argv, name


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise Misuse(f"--timeout must be a number of seconds, not {text!r}.")
    return seconds


def main(
    words: Sequence[str], *, handlers: Callable[[Words], list[ReportingHandler]], help_text: Callable[[], str]
) -> int:
    """Do what was typed after ``loghub run``: end as the command ends, or return what to exit with if it never began.

    Args:
        words: What was typed.
        handlers: Makes what reports, in a thread, when the command runs.
        help_text: Says what this is.
    """
    try:
        said = parse(words)
    except Misuse as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201 - this is a program
        return 2
    if said.help:
        print(help_text())  # noqa: T201
        return 0
    return run(said, lambda: handlers(said))


def run(words: Words, handlers: Callable[[], list[ReportingHandler]]) -> int:
    """Run the command; end as it ends, or return what to exit with if it never began."""
    # Whoever asks what runs here, its release for one, means the command.
    sys.modules["__main__"].__file__ = _script(words.argv)
    subject = Subject(words.program, words.argv, words.component)
    within = runs.is_within(os.environ)
    notes = None if within else runs.Notes()
    reporter = None if notes is None else Reporter(subject, notes, handlers, words.timeout)
    environment = _environment(words)
    if notes is not None and notes.path:
        environment[runs.VARIABLE] = notes.path
    try:
        if reporter is None:  # the outermost wrapper sees the same, and reports it
            ended = child.run(words.argv, env=environment, watch=lambda _chunk: None)
        else:
            ended = child.run(words.argv, env=environment, watch=reporter.watch, on_start=reporter.started)
    except child.StartError as error:
        say(str(error))
        if reporter is not None:
            reporter.not_started(str(error), error.code)
        return error.code
    if reporter is not None:
        reporter.ended(ended, ended.sent)
    return child.leave(ended)


def _script(argv: Sequence[str]) -> str | None:
    """Return the file of the script that is run, if it is one."""
    named = argv[1:2] if argv[0] == sys.executable else argv[:1]
    return next((os.path.abspath(one) for one in named if one.endswith(".py")), None)


def _environment(words: Words) -> dict[str, str]:
    """Return the command's environment: what reports in it does so in the same home, unless it is told otherwise."""
    environment = dict(os.environ)
    environment.setdefault("PYTHONFAULTHANDLER", "1")
    said = {"LOGHUB_HOME": words.home, "LOGHUB_LEDGER": words.ledger, "LOGHUB_COMPONENT": words.component}
    if words.home:
        said["LOGHUB_HOME"] = os.path.abspath(os.path.expanduser(words.home))
    return environment | {name: value for name, value in said.items() if value}
