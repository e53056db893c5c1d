"""The word that this process lives: made, kept true, taken back.

Nothing here takes a lock or logs: a fork, an exec or the end may come at any moment, in any thread.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import os
import signal
import time
import weakref
from typing import Any

from loghub.event import dumps
from loghub.journal.files import fcntl
from loghub.lives import process
from loghub.lives.death import BESIDE, ENDED, FOLDER, SUFFIX, Claim, names

ENDS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGPIPE")
             if hasattr(signal, name))  # fmt: skip
"""Signals by which somebody asks a process to end: where their default does it, no death is reported."""

_signals: Any = getattr(signal, "_signal", signal)
"""What `signal` itself calls; it makes no enumerations of what it returns."""

TELL_SECONDS = 0.2
"""For so long the end of the process waits for its thread, if that is telling something."""

_RUN = "LOGHUB_RUN"
"""In the environment of whatever a `loghub run` has started."""


class _Sink:
    """What faulthandler writes to; as long as faulthandler holds it, it is ours."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def flush(self) -> None:
        """Do nothing: there is no buffer."""


class Life:
    """The life file of this process in one home, and in every child that is forked from it.

    Args:
        home: The folder of journal and ledger.
        program: What runs.
        application: Which processes may report a death in this home: those that say the same. A home that was
            chosen for an application is its own (an empty text); one that is everybody's is not.
        dumps: Whether fatal signals dump their stacks into it; not where the application does that itself.

    Attributes:
        pid: Whose file it is.
        files: Its word, what it has said of itself lately, and where it writes that.

    Raises:
        OSError: The home cannot be written.
    """

    def __init__(self, home: str, program: str, *, application: str = "", dumps: bool = True) -> None:
        self.folder = os.path.join(home, FOLDER)
        self.application = application
        self._said = _json(life=1, program=program, application=application, server=process.server())
        self._fd = -1
        self._closed = False
        self._fatal: weakref.ref[_Sink] | None = None
        self._armed: dict[int, weakref.ref[_Sink]] = {}
        self._ending = self._telling = False
        self._size = 0
        self._begin()
        if dumps and not faulthandler.is_enabled():
            self._dump_faults()
        self.arm(*ENDS)

    @property
    def is_open(self) -> bool:
        """Whether this process has a life file now."""
        return self._fd >= 0

    # The file -----------------------------------------------------------------------------------------------

    def _begin(self, *, forked: bool = False) -> bool:
        """Make the file, locked before anybody can see it; False where it was closed meanwhile.

        A child makes one at every fork, and each page that it touches is copied: hence so few and so simple steps.
        """
        assert fcntl is not None
        pid = os.getpid()
        name = f"{pid}-{os.urandom(4).hex()}{SUFFIX}"
        hidden, path = os.path.join(self.folder, "." + name), os.path.join(self.folder, name)
        head = self._head(pid, forked=forked)
        fd = self._made(hidden)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(fd, head)
            if forked:  # faulthandler goes on with the number, before anybody looks; the parent's lock is let go of
                os.dup2(fd, self._fd, inheritable=False)
                os.close(fd)
                fd, self._fd = self._fd, -1
            os.rename(hidden, path)
        except OSError:
            os.close(fd)
            with contextlib.suppress(OSError):
                os.unlink(hidden)
            raise
        self.pid, self._inode, self._head_bytes = pid, _inode(fd), len(head)
        beside = name.removesuffix(SUFFIX) + BESIDE
        self.files = path, os.path.join(self.folder, beside), os.path.join(self.folder, "." + beside)
        self._fd = fd
        if self._closed:
            self.goodbye()
            os.close(fd)
        return not self._closed

    def _made(self, path: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.folder), mode=0o700, exist_ok=True)
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            return os.open(path, flags, 0o600)

    def _head(self, pid: int, *, forked: bool) -> bytes:
        place = '["{}","{}"]'.format(*process.place())
        now = f'"pid":{pid},"started_at":{time.time()},"ticks":{process.now()},"place":{place}'
        parent = 0 if forked else os.getppid()
        wrapper = f',"wrapper":[{parent},{process.now()}]' if parent and _is_wrapper(parent) else ""
        return f"{self._said[:-1]},{now}{wrapper}}}\n".encode()

    def forget_former(self) -> None:
        """Remove what this very process left before an exec made it the program that it is now."""
        for name in names(self.folder):
            if name.startswith(f"{os.getpid()}-") and (found := Claim.take(self.folder, name)) is not None:
                if found.is_own():
                    found.remove()
                found.close()

    def renew(self) -> None:
        """See that the file is there, held, and says what is true; to be called now and then."""
        if not self.is_open or self._ending:
            return
        if self._holds() and not self._is_gone():
            size = os.fstat(self._fd).st_size
            if size == self._size:  # else the process may be about to end this very moment
                self.went_on()
            self._size = size
            os.utime(self._fd)
        else:  # a daemon closes all that it has inherited; somebody tidies up
            self._begin_again()
            self.forget_former()
        self.arm(*ENDS)

    def went_on(self) -> None:
        """Forget what was written in view of an end that did not come."""
        if self._holds() and not self._ending and os.fstat(self._fd).st_size > self._head_bytes:
            os.ftruncate(self._fd, self._head_bytes)

    def expect(self, what: str) -> None:
        """Write down that an end that comes now is wanted: a line such as `REPLACED`."""
        if self._holds():
            with contextlib.suppress(OSError):
                os.write(self._fd, what.encode())

    def end(self) -> None:
        """Expect the end, now that Python has begun it; what is fatal until then is still a death."""
        self._ending = True
        until = time.monotonic() + TELL_SECONDS
        while self._telling and time.monotonic() < until:  # what it makes would be left behind
            time.sleep(0.001)
        self.expect(ENDED)

    def tell(self, said: dict[str, Any]) -> None:
        """Leave beside the file what others will want to know of this process."""
        self._telling = True
        try:
            if self.is_open and not self._ending:
                self._tell(dumps(said).encode())
        finally:
            self._telling = False

    def _tell(self, data: bytes) -> None:
        _, path, hidden = self.files
        fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write(fd, data)
        finally:
            os.close(fd)
        os.rename(hidden, path)
        if not self._holds():  # the goodbye came meanwhile
            os.unlink(path)

    def goodbye(self) -> None:
        """Take the word back: this process ends now."""
        fd, self._fd = self._fd, -1
        if fd < 0 or self.pid != os.getpid():
            return
        for gone in self.files:
            try:
                os.unlink(gone)
            except FileNotFoundError:
                pass
            except OSError:  # the process has given up the right to
                if gone is self.files[0] and _inode(fd) == self._inode:
                    with contextlib.suppress(OSError):
                        os.write(fd, ENDED.encode())
        # The descriptor stays: faulthandler may have it.

    def close(self) -> None:
        """Say goodbye, though the process goes on, and let faulthandler be as it was."""
        self._closed = True
        fd, ours = self._fd, self._holds()
        self._let_go()
        self.goodbye()
        if ours:
            os.close(fd)

    def forked(self) -> None:
        """In a forked child: have a file of its own, and leave its parent's alone."""
        self._telling = False  # that was a thread of its parent's
        if not self.is_open:
            return
        if not self._holds():
            self._begin_again()
            return
        try:
            begun = self._begin(forked=True)
        except OSError:
            begun = False
            if self.is_open:  # it would hold the parent's lock for as long as the child lives
                os.close(self._fd)
                self._fd = -1
        if not begun:
            self._let_go()

    def _begin_again(self) -> None:
        self._fd = -1
        try:
            begun = self._begin()
        except OSError:
            begun = False
        if not begun:
            self._let_go()
            return
        if self._fatal is not None and self._fatal() is not None:
            self._dump_faults()
        for number in self._still_armed():
            self._register(number)

    def _holds(self) -> bool:
        """Return whether the descriptor is still that of our file."""
        return self._fd >= 0 and _inode(self._fd) == self._inode

    def _is_gone(self) -> bool:
        """Return whether the file is no longer where it was, as far as this process may look."""
        try:
            return _inode_of(os.stat(self.files[0])) != self._inode
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False

    # Signals ------------------------------------------------------------------------------------------------

    # Another thread may close what is about to be lent to faulthandler: so look afterwards.

    def _dump_faults(self) -> None:
        sink = _Sink(self._fd)
        if sink.fileno() >= 0:
            faulthandler.enable(sink)
            self._fatal = weakref.ref(sink)
        if self._closed:
            self._let_go()

    def arm(self, *numbers: int) -> None:
        """Have signals that end this process by default leave a trace first; their effect stays the same."""
        ends = [one for one in numbers if one in ENDS and _is_default(one)]
        if not ends or not self.is_open:
            return
        caught = _caught()
        for number in ends:
            if caught >> (number - 1) & 1:
                continue  # by us, by code that is not Python, or by a faulthandler.register of the application
            faulthandler.unregister(number)
            self._register(number)

    def _register(self, number: int) -> None:
        sink = _Sink(self._fd)
        if sink.fileno() >= 0:
            faulthandler.register(number, sink, all_threads=False, chain=True)
            self._armed[number] = weakref.ref(sink)
        if self._closed:
            self._let_go()

    def _still_armed(self) -> list[int]:
        """Return the signals that are as we have left them: who registers one has it, and who handles one, too."""
        left = [number for number, sink in list(self._armed.items()) if sink() is not None]
        return [number for number in left if _is_default(number)]

    def _let_go(self) -> None:
        """Take back what faulthandler has of us."""
        if self._fatal is not None and self._fatal() is not None:  # else the application has enabled it otherwise
            faulthandler.disable()
        self._fatal = None
        for number in self._still_armed():  # others would be set to their default
            faulthandler.unregister(number)
        self._armed.clear()


def _json(**said: object) -> str:
    return dumps(said)


def _is_default(number: int) -> bool:
    return bool(_signals.getsignal(number) is _signals.SIG_DFL)


def _write(fd: int, data: bytes) -> None:
    if os.write(fd, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _inode(where: int) -> tuple[int, int]:
    try:
        return _inode_of(os.stat(where))
    except OSError:
        return -1, -1


def _inode_of(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


def _caught() -> int:
    """Return which signals have a handler, be it Python's or not, as the bits of a number."""
    try:
        with open("/proc/self/status", "rb") as file:
            mask = file.read().partition(b"\nSigCgt:")[2].split(b"\n", 1)[0]
        return int(mask, 16)
    except (OSError, ValueError):
        return 0


def _is_wrapper(pid: int) -> bool:
    """Return whether the parent is a `loghub run`: what it has put into our environment is not in its own."""
    run = os.environ.get(_RUN)
    if not run:
        return False
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"{_RUN}={run}".encode() not in file.read().split(b"\0")
    except OSError:
        return False
