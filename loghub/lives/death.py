"""What a process that is gone left behind, read: how it died, where, and what came before."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loghub.event import iso
from loghub.fingerprint.reading import with_stack
from loghub.journal.files import fcntl
from loghub.lives import process

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = "lives"
SUFFIX = ".life"
BESIDE = ".beside"
"""What a process said about itself lately lies in a file with this suffix instead: a JSON object."""

REPLACED = "loghub: replaced by another program\n"
"""Written before exec: what ends then is another program."""

ENDED = "loghub: ended\n"
"""Written when Python begins to end; what is not fatal from then on is no death."""

_FATAL = "Fatal Python error: "
_ASKED = "Stack (most recent call first):"
"""How faulthandler begins what it writes at a signal that asks the process to end."""

_MAX_HEAD = 4096
_MAX_DUMP = 1 << 20
_MAX_BESIDE = 1 << 20
_MAX_TOLD = 30_000
_MAX_CRUMBS = 200
_FORGOTTEN_SECONDS = 3600.0
"""After that, what a process has half made is swept away."""

_SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Illegal instruction": "SIGILL",
    "Floating-point exception": "SIGFPE",
    "Floating point exception": "SIGFPE",
}


@dataclass(frozen=True)
class Death:
    """How a process ended that did not say goodbye.

    Attributes:
        pid: Its number.
        program: What ran, as the hooks name it; empty if nobody knows.
        signal: The name of the signal that ended it, as far as its own dump tells; else empty.
        wanted: It was asked to end (SIGTERM and the like, at their default), or had become another program: nothing
            to report.
        dump: What faulthandler wrote at the end; empty if nothing.
        breadcrumbs: The last ones, oldest first.
        started_at: When it began to be watched, in epoch seconds.
        died_at: When it died, or was last known to live.
        restarted: Its host was restarted since.
        server: The name of its host.
        said: What it said of itself: ``component``, ``environment``, ``release``, as far as known.
    """

    pid: int
    program: str = ""
    signal: str = ""
    wanted: bool = False
    dump: str = ""
    breadcrumbs: list[dict[str, Any]] = field(default_factory=list)
    started_at: float = 0.0
    died_at: float = 0.0
    restarted: bool = False
    server: str = ""
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """What happened, as a sentence."""
        who = self.program or "A process"
        if self.signal:
            return f"{who} died by {self.signal}."
        if self.restarted:
            return f"{who} died without a goodbye: its host was restarted."
        return f"{who} died without a goodbye: killed, out of memory, or ended by code that is not Python."

    def told(self) -> dict[str, Any]:
        """Return the parts of the event that a record cannot hold; frames have no ``in_app``."""
        return {
            "error_type": self.signal or "ProcessDied",
            "error_module": "",
            "error_message": self.message,
            "frames": _frames(self.dump),
            "traceback": _shown(self.dump),
            "timestamp": iso(self.died_at),
            "process": {"id": self.pid, "name": self.program},
            "thread": {"id": None, "name": None},
            "task": None,
            "server": self.server,
            "breadcrumbs": self.breadcrumbs,
            **{key: self.said[key] for key in ("environment", "release") if self.said.get(key)},
        }


def claim(home: str, pid: int) -> Death | None:
    """Take the word that a dead process left in a home, so that nobody else reports it.

    Args:
        home: The folder of journal and ledger.
        pid: A process of this host and pid namespace which is certainly dead, such as a child that was waited for.

    Returns:
        How it died, as far as it could tell itself; None where it left no word: it said goodbye, has no
        UncaughtHandler, or another process was faster.
    """
    folder = os.path.join(home, FOLDER)
    here = process.place()
    for name in names(folder):
        if name.startswith(f"{pid}-") and (found := Claim.take(folder, name)) is not None:
            try:
                if found.head.get("place") in (here, None):
                    death = found.death()
                    found.remove()
                    return death
            finally:
                found.close()
    return None


def dead(folder: str, application: str) -> Iterator[Claim]:
    """Yield the words of processes that are gone, each claimed for the caller, who closes it.

    Args:
        folder: Of the life files.
        application: Those of other applications are left alone; see `Life`.
    """
    for name in names(folder):
        found = Claim.take(folder, name)
        if found is None:
            continue
        if found.is_of(application) and not found.is_cared_for():
            yield found
        else:
            found.close()


def names(folder: str) -> list[str]:
    """Return the names of the life files."""
    try:
        return [name for name in os.listdir(folder) if name.endswith(SUFFIX) and not name.startswith(".")]
    except OSError:
        return []


def sweep(folder: str) -> None:
    """Remove what processes that were killed in the midst of making or removing it have left."""
    with contextlib.suppress(OSError):
        there = set(os.listdir(folder))
        for name in there:
            kept = name.endswith(SUFFIX) or name.removesuffix(BESIDE) + SUFFIX in there
            path = os.path.join(folder, name)
            if (name.startswith(".") or not kept) and os.stat(path).st_mtime < time.time() - _FORGOTTEN_SECONDS:
                os.unlink(path)


claimed: set[int] = set()
"""Descriptors under a claim; a forked child closes them, since they would hold the locks."""


class Claim:
    """A life file that nobody else can report while this is open.

    Attributes:
        head: Its first line; empty if that is damaged.
    """

    def __init__(self, folder: str, name: str, fd: int) -> None:
        self._folder = folder
        self._name = name
        self._fd = fd
        first, self._rest = _read(fd)
        self.head = first

    @classmethod
    def take(cls, folder: str, name: str) -> Claim | None:
        """Return the claim on a file; None if its process lives, or somebody else has it."""
        assert fcntl is not None
        try:
            fd = os.open(os.path.join(folder, name), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        claimed.add(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink:
                return cls(folder, name, fd)
        except OSError:
            pass
        claimed.discard(fd)
        os.close(fd)
        return None

    @property
    def pid(self) -> int:
        """The process, by the file's name."""
        digits = self._name.partition("-")[0]
        return int(digits) if digits.isdecimal() and len(digits) < 10 else 0

    def is_of(self, application: str) -> bool:
        """Return whether it is a process of this application, or of one that nobody knows any more."""
        return bool(self.head.get("application", application) == application)

    def is_own(self) -> bool:
        """Return whether this very process has left it, before it became what it is now."""
        return self.pid == os.getpid() and self.is_here() and process.lives(self.pid, _number(self.head.get("ticks")))

    def is_here(self) -> bool:
        """Return whether its pids mean what they mean to us."""
        return self.head.get("place") == process.place()

    def is_cared_for(self) -> bool:
        """Return whether the process lives after all, without its lock, or the wrapper that started it does."""
        if not self.is_here():
            return False
        if process.lives(self.pid, _number(self.head.get("ticks"))):
            return True
        wrapper: Any = self.head.get("wrapper")
        return isinstance(wrapper, list) and len(wrapper) == 2 and process.lives(*map(_number, wrapper))

    def death(self) -> Death:
        """Return how it died."""
        dump = self._rest
        fatal = dump.find(_FATAL)
        reason = dump[fatal + len(_FATAL) :].partition("\n")[0] if fatal >= 0 else ""
        beside, seen_at = _read_beside(os.path.join(self._folder, self._name.removesuffix(SUFFIX) + BESIDE))
        stat = os.fstat(self._fd)
        crumbs: Any = beside.pop("breadcrumbs", None)
        server = str(self.head.get("server") or "")
        return Death(
            self.pid,
            str(self.head.get("program") or ""),
            _SIGNALS.get(reason, ""),
            wanted=fatal < 0 and any(mark in dump for mark in (_ASKED, REPLACED, ENDED)),
            dump=dump[fatal:] if fatal >= 0 else "",
            breadcrumbs=[one for one in crumbs[-_MAX_CRUMBS:] if isinstance(one, dict)] if type(crumbs) is list else [],
            started_at=_seconds(self.head.get("started_at"), stat.st_mtime),
            died_at=min(max(stat.st_mtime, seen_at), time.time()),
            restarted=server == process.server() and self._boot() not in ("", process.place()[0]),
            server=server,
            said=beside,
        )

    def _boot(self) -> str:
        place: Any = self.head.get("place")
        return str(place[0]) if isinstance(place, list) and place else ""

    def remove(self) -> None:
        """Remove it: its death is told; where it cannot be removed, it says so from now on."""
        path = os.path.join(self._folder, self._name)
        for gone in (path, path.removesuffix(SUFFIX) + BESIDE):
            with contextlib.suppress(OSError):
                os.unlink(gone)
        if os.fstat(self._fd).st_nlink:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, ENDED.encode(), 0)

    def close(self) -> None:
        """Let go of it; what was not removed is for whoever comes next."""
        claimed.discard(self._fd)
        os.close(self._fd)


def _read(fd: int) -> tuple[dict[str, Any], str]:
    """Return the first line and what follows, as much of its end as is bounded."""
    line, newline, rest = os.pread(fd, _MAX_HEAD, 0).partition(b"\n")
    rest = os.pread(fd, _MAX_DUMP, len(line) + 1) if newline else rest
    try:
        head = json.loads(line) if newline else None
    except (ValueError, RecursionError):
        head = None
    if not isinstance(head, dict):
        head, rest = {}, line + newline + rest
    return head, rest.decode("utf-8", "replace")


def _read_beside(path: str) -> tuple[dict[str, Any], float]:
    """Return what a process said of itself, and when."""
    try:
        with open(path, "rb") as file:
            said = json.loads(file.read(_MAX_BESIDE))
            return (said if isinstance(said, dict) else {}), os.fstat(file.fileno()).st_mtime
    except (OSError, ValueError, RecursionError):
        return {}, 0.0


def _frames(dump: str) -> list[dict[str, Any]]:
    """Return the stack of the thread that crashed, outermost first."""
    if "\nCurrent thread " not in dump:
        return []
    read = with_stack({"platform": "python", "traceback": _shown(dump)}).get("frames") or []
    return [{"module": "", **frame} for frame in read]


def _shown(dump: str) -> str:
    """Return so much of a dump as can be read: its reason and the thread that crashed, if it is long."""
    dump = dump.strip("\n")
    if len(dump) <= _MAX_TOLD:
        return dump
    at = dump.find("\nCurrent thread ")
    if at < 0:
        return dump[:_MAX_TOLD]
    return dump.partition("\n")[0] + "\n\n" + dump[at + 1 : at + _MAX_TOLD].partition("\n\n")[0]


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _seconds(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value <= time.time() + 86_400 else default
