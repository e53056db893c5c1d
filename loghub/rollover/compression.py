"""Backups compressed in the background."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import threading
from typing import TYPE_CHECKING, Any

from loghub.rollover import lock
from loghub.rollover.backups import GZIP
from loghub.rollover.files import beside, set_mode
from loghub.rollover.held import PURSUITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Background:
    """At most one thread that does `work`, and does it once more if it was asked for in the meantime."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._asked = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Have the work done, soon."""
        with self._lock:
            self._asked = True
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="loghub-gzip", daemon=True)
                with contextlib.suppress(RuntimeError):  # the interpreter is shutting down: the next one does it
                    thread.start()
                    self._thread = thread

    def wait(self, seconds: float) -> None:
        """Wait until it is done, for at most so many seconds."""
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._asked:
                    self._thread = None
                    return
                self._asked = False
            self._work()


class Compressor(Background):
    """Compresses the backups of a log. It takes the log's lock by itself, not the handler's.

    Args:
        path: The log.
        open_log: Opens or makes it for appending, and returns the descriptor.
        backups: Gives the backups that there are, the newest first; called with the log locked.
        retain: Deletes those beyond a limit; called with the log locked.
    """

    def __init__(
        self,
        path: str,
        open_log: Callable[[], int],
        backups: Callable[[], list[str]],
        retain: Callable[[], None],
    ) -> None:
        super().__init__(self._all)
        self._path, self._open_log, self._backups, self._retain = path, open_log, backups, retain
        self._part_path = beside(path, ".gz.part")
        self._fd = -1

    def forked(self) -> Compressor:
        """In a forked child: let go of the parent's lock, and return one for the child."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        return Compressor(self._path, self._open_log, self._backups, self._retain)

    def _all(self) -> None:
        """Compress every backup that is not, then keep within the limits; in the background."""
        try:
            with self._only_compressor():
                tried: set[int] = set()
                while (source := self._next_to_compress(tried)) is not None:
                    with source:
                        tried.add(os.fstat(source.fileno()).st_ino)
                        self._compress_one(source)
                with contextlib.suppress(FileNotFoundError):
                    os.remove(self._part_path)
                with self._locked_aside():
                    self._retain()
        except Exception as error:  # nobody above: the backup stays as it is
            from loghub.scrub.own import scrubber

            logging.getLogger("loghub").warning(
                "Error reporter: %s",
                scrubber().text(f"a backup of {self._path} could not be compressed and stays as it is: {error}"),
            )

    def _next_to_compress(self, tried: set[int]) -> Any:
        """Open the oldest backup that is not compressed and not `tried`; None if there is none."""
        with self._locked_aside():
            for path in reversed(self._backups()):
                if not path.endswith(GZIP) and os.stat(path).st_ino not in tried:
                    return open(path, "rb")  # the caller closes it
        return None

    def _compress_one(self, source: Any) -> None:
        import gzip

        like = os.fstat(source.fileno())
        fd = os.open(self._part_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IMODE(like.st_mode))
        with open(fd, "wb") as part, gzip.GzipFile("", "wb", 6, part, mtime=like.st_mtime) as packed:
            set_mode(fd, stat.S_IMODE(like.st_mode))
            shutil.copyfileobj(source, packed, 1 << 18)
        os.utime(self._part_path, ns=(like.st_atime_ns, like.st_mtime_ns))
        with self._locked_aside():
            for path in self._backups():
                if os.stat(path).st_ino == like.st_ino and not os.path.lexists(path + GZIP):
                    os.rename(self._part_path, path + GZIP)
                    os.remove(path)

    @contextlib.contextmanager
    def _only_compressor(self) -> Iterator[None]:
        """Wait until no other process compresses backups of this log."""
        self._fd = os.open(beside(self._path, ".state"), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            lock.attempt(self._fd)
            yield
        finally:
            fd, self._fd = self._fd, -1
            os.close(fd)

    @contextlib.contextmanager
    def _locked_aside(self) -> Iterator[None]:
        """Hold the log's lock, not the handler's: logging.shutdown keeps that while it waits in close()."""
        fd = self._lock_aside()
        try:
            yield
        finally:
            lock.attempt(fd, lock.FREE)  # said, not left to close(): a child that was forked just now has it too
            os.close(fd)

    def _lock_aside(self) -> int:
        for attempt in range(1, PURSUITS + 1):
            fd = self._open_log()
            lock.attempt(fd)
            with contextlib.suppress(FileNotFoundError):
                if attempt == PURSUITS or os.path.samestat(os.fstat(fd), os.stat(self._path)):
                    break
            os.close(fd)
        return fd
