"""Runs a command as if nothing stood between it and who started it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from loghub.errors import LoghubError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class StartError(LoghubError):
    """A command could not be started.

    Args:
        reason: One sentence for a person.
        code: What a shell would exit with: 127 if there is no such command, 126 if it cannot be executed.
    """

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Ended:
    """How a child ended; ``status`` is the raw one of waitpid, times are UTC."""

    pid: int
    status: int
    started_at: dt.datetime
    ended_at: dt.datetime


def utcnow() -> dt.datetime:
    """Return the time in UTC."""
    return dt.datetime.now(dt.UTC)


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    watch: Callable[[bytes], None],
    on_start: Callable[[int], None] = lambda _pid: None,
    now: Callable[[], dt.datetime] = utcnow,
) -> Ended:
    """Run a command and return when it has ended.

    Args:
        argv: The command and its arguments, as execvp takes them.
        env: The environment; None is this process's own.
        watch: Gets each chunk of what the child wrote to stderr, or to the one stream that its stdout and stderr share,
            after it was passed on.
        on_start: Is told the child's pid before the command runs.
        now: Tells the time in UTC.

    Raises:
        StartError: The command could not be started.
    """
    raise NotImplementedError


def leave(ended: Ended) -> NoReturn:
    """End this process as the child ended: the same exit code, or the same signal."""
    raise NotImplementedError
