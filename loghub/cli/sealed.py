"""A seal around a stretch of code: no byte of it leaves for the network, and no file outside one folder changes.

The interpreter asks audit hooks before it opens, removes, connects or starts anything (PEP 578), whatever library it
is that wants to. A hook cannot be taken out again, so there is one, which does nothing where nothing is sealed.
Standard output and standard error are open already: `silenced` leads them nowhere.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NETWORK = {
    "socket.connect": "connecting",
    "socket.getaddrinfo": "looking up",
    "socket.gethostbyaddr": "looking up",
    "socket.gethostbyname": "looking up",
    "socket.sendmsg": "sending",
    "socket.sendto": "sending",
    "syslog.openlog": "writing to syslog",
    "syslog.syslog": "writing to syslog",
}
_PATHS = {  # how many of the first arguments are paths
    "os.chmod": 1,
    "os.chown": 1,
    "os.link": 2,
    "os.mkdir": 1,
    "os.remove": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.utime": 1,
    "sqlite3.connect": 1,
}
_PROGRAMS = ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen")
_HARMLESS = ("git",)  # asked for the commit and the author of a line


class SealedError(PermissionError):
    """Raised in whoever wanted to reach out."""


class Seal:
    """What is sealed.

    Attributes:
        folder: Where files may be written.
        kept: What somebody was kept from, each once.
    """

    def __init__(self, folder: str) -> None:
        self.folder = os.path.join(os.path.realpath(folder), "")
        self.kept: dict[str, None] = {}

    def check(self, event: str, args: tuple[Any, ...]) -> None:
        """Raise SealedError if what is about to happen would be seen outside."""
        if event == "open":
            self._check_open(*args)
        elif event in _PATHS:
            for path in args[: _PATHS[event]]:
                self._check_path(path, "changing")
        elif event in _NETWORK:
            where = next((part for part in args if isinstance(part, str | bytes | tuple) and part), "")
            self._keep(f"{_NETWORK[event]} {_shown(where)}".strip())
        elif event in _PROGRAMS and not _is_harmless(args):
            self._keep(f"starting {_shown(args[0] if args else 'a process')}")

    def _check_open(self, path: Any, mode: Any, flags: Any) -> None:
        writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool((flags or 0) & _WRITES)
        if writes and not isinstance(path, int):
            self._check_path(path, "writing")

    def _check_path(self, path: Any, doing: str) -> None:
        if isinstance(path, int) or path in (":memory:", "", os.devnull):
            return
        real = os.path.realpath(os.fsdecode(path))
        if not os.path.join(real, "").startswith(self.folder):
            self._keep(f"{doing} {real}", tell=f"{os.sep}__pycache__{os.sep}" not in os.path.join(real, ""))

    def _keep(self, what: str, *, tell: bool = True) -> None:
        if tell:
            self.kept[what] = None
        raise SealedError(f"loghub selftest does not allow {what}")


def _is_harmless(args: tuple[Any, ...]) -> bool:
    program = args[0] if args else ""
    return isinstance(program, str | bytes) and os.path.basename(os.fsdecode(program)) in _HARMLESS


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ":".join(map(_shown, value[:2]))
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


_seal: Seal | None = None
_watching = False


_left: WeakKeyDictionary[threading.Thread, Seal] = WeakKeyDictionary()
"""Threads that began under a seal, and outlive it: they stay where they are."""


def _watch(event: str, args: tuple[Any, ...]) -> None:
    seal = _seal
    if seal is None and _left:
        known: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined]
        thread = known.get(threading.get_ident())
        seal = _left.get(thread) if thread is not None else None
    if seal is not None:
        seal.check(event, args)


@contextlib.contextmanager
def sealed(folder: str) -> Iterator[Seal]:
    """Let nothing out of this process, and nothing change on disk but below `folder`.

    A thread that begins meanwhile stays sealed for as long as it lives.
    """
    global _seal, _watching  # noqa: PLW0603 - one process, one seal
    if not _watching:
        sys.addaudithook(_watch)
        _watching = True
    before = tempfile.tempdir
    tempfile.tempdir = folder
    threads = set(threading.enumerate())
    _seal = seal = Seal(folder)
    try:
        yield seal
    finally:
        _left.update({thread: seal for thread in threading.enumerate() if thread not in threads})
        _seal = None
        tempfile.tempdir = before


class _Nowhere(io.TextIOWrapper):
    """A stream that keeps nothing, and stays open for whoever still has it later."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="backslashreplace")

    def write(self, text: str, /) -> int:
        return len(text)

    def close(self) -> None:
        """Stay open."""


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Let nothing be printed: through `sys`, through a stream that somebody kept, or by file descriptor."""
    names = ("stdout", "stderr", "__stdout__", "__stderr__")
    before = {name: getattr(sys, name) for name in names}
    nowhere = _Nowhere()
    _flush(before.values())
    kept = {fd: _diverted(fd) for fd in (1, 2)}
    for name in names:
        setattr(sys, name, nowhere)
    try:
        yield
    finally:
        _flush([before["__stdout__"], before["__stderr__"]])
        for fd, copy in kept.items():
            if copy is not None:
                os.dup2(copy, fd)
                os.close(copy)
        for name, stream in before.items():
            setattr(sys, name, stream)


def _flush(streams: Iterable[Any]) -> None:
    for stream in streams:
        with contextlib.suppress(Exception):  # closed, or nobody reads any more
            stream.flush()


def _diverted(fd: int) -> int | None:
    """Lead a file descriptor nowhere; return a copy of what it was, None if it was closed."""
    try:
        copy = os.dup(fd)
    except OSError:
        return None
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, fd)
    os.close(nowhere)
    return copy
