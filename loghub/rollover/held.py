"""A log file that is open, locked, and the one at its path whenever this process writes."""

from __future__ import annotations

import contextlib
import logging.handlers
import os
import stat
import sys
import time
from typing import TYPE_CHECKING, Any

from loghub import descriptor
from loghub.rollover import folder, lock
from loghub.rollover.files import beside, set_mode
from loghub.rollover.folder import Folder
from loghub.rollover.state import PAGE, State, Write

if TYPE_CHECKING:
    from collections.abc import Iterator

_POSIX = sys.platform != "win32"
# How often a writer follows a file that is replaced under it before it takes the one that it has got: on a
# file system whose inode numbers change by themselves it would follow for ever.
PURSUITS = 100
# How long a child waits for the lock that its parent had when it was forked.
_FORKED_SECONDS = 0.05


class HeldLog(logging.handlers.RotatingFileHandler):
    """The half of RotatingFileHandler that opens, locks and writes; how, is told there."""

    # Here because a fork in another thread may ask for them before __init__ is through.
    stream: Any = None
    _fd = _device = _inode = _size = -1
    _identity: descriptor.Identity = (-1, -1)  # of what is open; after a fork that is not the log
    _depth = 0  # how often the lock was taken
    _lockable = _forked_in_write = False
    _first = True
    _mode_bits: int | None = None
    _byte_order_mark = b""
    _state: State | None = None
    _folder: Folder | None = None

    def _write(self, data: bytes) -> None:
        start = self._size
        if not start:
            data = self._byte_order_mark + data
        end = start + len(data)
        state = None
        if start // PAGE != end // PAGE and not self._forked_in_write:
            state = self._state
            if state is not None:
                state.announce(Write.of(self._inode, start, data))
        try:
            written = os.write(self._fd, data)
            if written != len(data):
                self._put_rest(data, written)
            self._size = end
        finally:
            if state is not None:
                state.finished()

    def _put_rest(self, data: bytes, written: int) -> None:
        """Write what a short write left, or take back its beginning: never half a line."""
        try:
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            with contextlib.suppress(OSError):
                if os.fstat(self._fd).st_size == self._size + written:
                    os.ftruncate(self._fd, self._size)
            raise

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        self.acquire()
        self._depth += 1
        try:
            self._take()
            yield
        finally:
            self._let_go()
            self.release()

    def _take(self) -> None:
        """Have the log open, locked, and the file that is at its path.

        Counting `_depth` before locking, and locking anew at each depth, keeps this right for a record that
        is logged while another is being written in the same thread: by a signal handler, or by a rotator.
        """
        names = self._folder
        if names is not None and folder.monotonic() < names.quiet_until and not self.stream.closed:
            try:
                try:
                    lock.flock(self._fd, lock.AT_ONCE)
                except BlockingIOError:
                    lock.take(self._fd)
                if os.fstat(names.fd).st_ctime_ns == names.ctime:
                    size = os.lseek(self._fd, 0, os.SEEK_END)
                    if size != self._size:
                        self._catch_up(size)
                    return
                names.look(anew=True)
            except OSError:  # closed under us, all of them; it comes again where it is something else
                pass
        self._find()

    def _find(self) -> None:
        """Do what `_take` says by asking the path itself."""
        for _ in range(PURSUITS):
            if self.stream is None or self.stream.closed or not descriptor.is_still(self._fd, self._identity):
                self._shut()
                self._reopen()
            if self._lockable:
                lock.take(self._fd)
            elif self._forked_in_write and self._inode >= 0:
                self._lockable = self._lock_after_fork()
            if self._folder is not None:
                self._folder.look()
            if self._is_at_path():
                return
            self._shut()
        self._reopen()
        self._size = os.fstat(self._fd).st_size

    def _is_at_path(self) -> bool:
        try:
            found = os.stat(self.baseFilename)
        except OSError:
            return False
        if found.st_ino != self._inode or found.st_dev != self._device:
            return False
        if found.st_size != self._size:
            self._catch_up(found.st_size)
        return True

    def _lock_after_fork(self) -> bool:
        """Lock the log in a child that was forked while its parent had it locked; False: it still has.

        A signal handler that forked may be waiting for this very child, so this one must not wait for ever. Without
        the lock it writes its lines, which are whole, and leaves rollovers to others.
        """
        until = folder.monotonic() + _FORKED_SECONDS
        while True:
            if lock.attempt(self._fd, lock.AT_ONCE):
                self._forked_in_write = False
                return True
            if folder.monotonic() >= until:
                return False
            time.sleep(0.001)

    def _let_go(self) -> None:
        self._depth -= 1
        if not self._depth and self._lockable:
            lock.flock(self._fd, lock.FREE)

    def _reopen(self) -> None:
        self.stream = self._open()
        self._fd = self.stream.fileno()
        opened = os.fstat(self._fd)
        self._device, self._inode, self._size = opened.st_dev, opened.st_ino, -1
        self._identity = opened.st_dev, opened.st_ino
        self._lockable = self._lock_after_fork() if self._forked_in_write else lock.attempt(self._fd)
        if _POSIX and stat.S_ISREG(opened.st_mode):
            self._state = State(beside(self.baseFilename, ".state"), opened)
            if self._lockable and not os.path.islink(self.baseFilename):
                self._folder = Folder(os.path.dirname(self.baseFilename))

    def _shut(self) -> None:
        """Close the log, which also lets go of its lock."""
        stream, self.stream = self.stream, None
        self._leave()
        if stream is not None and not self._is_lost(stream):
            with contextlib.suppress(OSError, ValueError):  # what somebody else left in its buffer
                stream.close()

    def _is_lost(self, stream: Any) -> bool:
        """Tell whether somebody closed the log's descriptor; then its number is left alone."""
        if stream.closed or descriptor.is_still(self._fd, self._identity):
            return False
        descriptor.abandon(stream)
        return True

    def _leave(self) -> None:
        """Forget what goes with an open log."""
        self._lockable = False
        self._folder = None
        if self._state is not None:
            self._state.close()
            self._state = None

    def _catch_up(self, size: int) -> None:
        """Learn what others did to the log since this process wrote."""
        fresh = self._size < 0
        self._size = size
        if self._state is not None and not self._forked_in_write:  # then the write may be the parent's, and alive
            unfinished = self._state.unfinished()
            if unfinished is not None:
                if unfinished.has_left_half(self.baseFilename, self._inode, size):
                    os.ftruncate(self._fd, unfinished.start)
                    self._size = unfinished.start
                self._state.finished()
        if fresh:
            self._opened()

    def _opened(self) -> None:
        """Do what is due when another file is open than before, with the log locked."""

    def _open(self) -> Any:
        """Open the log for appending, with its directory and its permissions."""
        try:
            os.makedirs(os.path.dirname(self.baseFilename), exist_ok=True)
            if self._first and self.mode[0] != "a":
                self._open_as(self.mode).close()
            self._first = False
            return self._open_as("a")
        except OSError as error:
            raise _explained(self, error) from error

    def _open_as(self, mode: str) -> Any:
        stream = self._builtin_open(  # type: ignore[attr-defined]
            self.baseFilename, mode, encoding=self.encoding, errors=self.errors, opener=self._open_file
        )
        set_mode(stream.fileno(), self._mode_bits)
        return stream

    def _open_file(self, path: str, flags: int) -> int:
        return os.open(path, flags, 0o666 if self._mode_bits is None else self._mode_bits)

    def _at_fork_reinit(self) -> None:
        """In a forked child: leave the parent's lock alone.

        A lock belongs to what `open` made, which parent and child share. So the child puts something else
        under the same descriptor, and finds at its next record that this is not the log.
        """
        super()._at_fork_reinit()  # type: ignore[misc]
        self._forked_in_write = self._depth > 0
        self._depth = 0
        with contextlib.suppress(OSError, ValueError):
            if self.stream is not None and not self._is_lost(self.stream):
                nothing = descriptor.nowhere()
                self._identity = descriptor.identity(nothing)
                os.dup2(nothing, self._fd, inheritable=False)
                os.close(nothing)
        self._inode = -1
        self._lockable, self._folder = False, None


def _explained(owner: object, error: OSError) -> OSError:
    """Return `error` as a sentence; the same class, number and file name."""
    return OSError(
        error.errno,
        f"{type(owner).__name__} cannot open its log ({error.strerror}); "
        "let this user write there, or give another 'filename'",
        error.filename,
    )
