"""Runs a command as if nothing stood between it and who started it.

What differs all the same, because nothing can be done about it:

- The command writes to a pipe or a terminal of ours: it cannot seek in its stderr, nor read from it (vim does when
  stdin is no terminal), and an interactive shell finds no job control there.
- The value of a signal that was sent by sigqueue(3) is lost, and so is who sent it. What is sent to the whole process
  group comes to the command twice (systemd: set ``KillMode=mixed``).
- The wait status has no core flag: that takes a core file of our own.
- SIGPIPE and SIGXFSZ have their default effect, even where both were ignored before Python began.
- A full disk behind stderr is not told to the command; what does not fit is lost.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import os
import signal
import sys
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from loghub.supervise import signals
from loghub.supervise.pump import Pump
from loghub.supervise.start import Given, StartError, start
from loghub.supervise.streams import ERR, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Ended", "StartError", "leave", "run"]

_PR_SET_DUMPABLE = 4  # prctl(2)
_WNOTHREAD = 0x20000000  # waitpid(2): not the children of other threads, who wait for what handlers have started


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        pid: As what it ran.
        status: The raw one of waitpid.
        started_at, ended_at: When, in UTC.
        sent: Signals that came here while it ran, and end who has made no arrangements.
    """

    pid: int
    status: int
    started_at: dt.datetime
    ended_at: dt.datetime
    sent: frozenset[int] = frozenset()


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
    """Run a command and return when it has ended, and what it wrote was passed on.

    Every signal waits from here on, until `leave`; ``signal.sigpending()`` tells who may be in a hurry. A signal that
    would end a process, and comes after the command's end while a slow reader still takes what it wrote, ends the wait.

    The command stops: so do we, by the same signal, for the shell to take its terminal back. By SIGSTOP only if we are
    in the foreground of a terminal, else nobody would have us go on.

    Other processes may hold the command's stderr when it has ended (a daemon that it started, a background job). A
    shell would not wait for them, and they could go on writing: so a copy of this process stays behind, passes on what
    they write until the last has gone, and does nothing else. As PID 1 it does not: they die with us.

    Args:
        argv: The command and its arguments, as execvp takes them.
        env: The environment; None is this process's own.
        watch: Gets each chunk of what the child wrote to stderr, or to the one stream that its stdout and stderr share,
            after it was passed on, in a thread of its own. What it raises is dropped; the next chunk waits for it.
        on_start: Is told the child's pid when the command runs.
        now: Tells the time in UTC.

    It has to be called in the main thread.

    Raises:
        StartError: The command could not be started; all is as it was before.
    """
    if not hasattr(signal, "sigwaitinfo"):
        raise StartError("loghub run cannot wait for signals on this system: it needs Linux.", 126)
    mask = signals.hold()
    chld = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the child's status away
    ignored = frozenset({signal.SIGCHLD} if chld == signal.SIG_IGN else ())
    pump, places = _opened(watch)
    started_at = now()
    try:
        try:
            pid = start(argv, env, Given(mask, ignored, pump.stream.child_end if pump else None, places))
        except OSError as error:
            if not pump:
                raise
            pump.close()  # a descriptor may have been what was wanting
            pump = None
            _say_unwatched(error)
            pid = start(argv, env, Given(mask, ignored, None, ()))
    except (StartError, OSError) as error:
        if pump:
            pump.close()
        signal.signal(signal.SIGCHLD, chld)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if isinstance(error, StartError):
            raise
        raise StartError(f"{argv[0]} cannot be started: {error.strerror}.", 126) from error
    signals.give_back(mask)
    vigil = _Vigil(pid, pump)
    status, ended_at = vigil.keep(on_start, now)
    return Ended(pid, status, started_at, ended_at, frozenset(vigil.sent))


def leave(ended: Ended) -> NoReturn:
    """End this process as the child ended: the same exit code, or the same signal, and no core file.

    PID 1 cannot be killed from within: it exits with 128 plus the signal's number. Nothing of atexit is run.
    """
    for file in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or nobody there
            file.flush()
    if os.WIFEXITED(ended.status):
        os._exit(os.WEXITSTATUS(ended.status))
    number = os.WTERMSIG(ended.status)
    _leave_no_core()
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    os._exit(128 + number)


class _Vigil:
    """Waits for a child: hands signals on, stops when it stops, and sees that all it wrote arrives."""

    def __init__(self, pid: int, pump: Pump | None) -> None:
        self._pid = pid
        self._pump = pump
        self._status: int | None = None
        self._stopped_by = 0
        self._went_on = False
        self.sent: set[int] = set()

    def keep(self, on_start: Callable[[int], None], now: Callable[[], dt.datetime]) -> tuple[int, dt.datetime]:
        """Return the child's status and when it ended."""
        if self._pump:
            self._pump.start()
        with contextlib.suppress(Exception):  # whoever watches must not break what is watched
            on_start(self._pid)
        self._look()  # it may have ended before anybody waited
        while self._status is None:
            self._take(signals.take())
        ended_at = now()
        self._drain()
        return self._status, ended_at

    def _take(self, info: signal.struct_siginfo) -> None:
        number = info.si_signo
        if number in (signal.SIGCHLD, signal.SIGCONT):
            self._look()
        if self._status is not None:
            return
        if signals.would_end(info):
            self.sent.add(number)
        resized = number in (signal.SIGWINCH, signal.SIGCONT) and self._resize()
        if number == signal.SIGCONT and self._went_on:
            self._went_on = False  # the shell has told the whole group
        elif signals.is_for(self._pid, info):
            os.kill(self._pid, number)
        elif resized:  # what the kernel told the child came before its terminal had the size
            os.kill(self._pid, signal.SIGWINCH)
        if self._stopped_by and (self._pump is None or self._pump.dry or self._pump.over):
            self._stop()

    def _look(self) -> None:
        """Take note of what became of the child, and of orphans that fell to PID 1."""
        while self._status is None:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED | _WNOTHREAD)
            if pid == 0:
                return
            if pid != self._pid:
                continue
            if os.WIFSTOPPED(status):
                self._stopped_by, self._went_on = os.WSTOPSIG(status), False
                if self._pump:
                    self._pump.ask()
            elif os.WIFCONTINUED(status):
                self._stopped_by, self._went_on = 0, True
            else:
                self._status = status

    def _resize(self) -> bool:
        """Give the child's terminal the size of the real one; return whether that is news."""
        return self._pump is not None and not self._pump.over and self._pump.stream.resize()

    def _stop(self) -> None:
        """Stop as the child has stopped, now that what it wrote before has arrived."""
        number, self._stopped_by = self._stopped_by, 0
        if number != signal.SIGSTOP or signals.in_foreground():
            signals.stop(number)

    def _drain(self) -> None:
        """Have the rest passed on; leave a copy of this process behind if others go on writing."""
        if not self._pump:
            return
        self._pump.ask(end=True)
        hurried = False
        while not (self._pump.over or hurried):
            hurried = signals.would_end(signals.take())
        self._pump.stream.restore()
        if self._pump.held and os.getpid() != 1:
            with contextlib.suppress(OSError):
                _leave_behind(self._pump)


def _opened(watch: Callable[[bytes], None]) -> tuple[Pump | None, tuple[int, ...]]:
    try:
        stream, places = opened()
        return (Pump(stream, watch, _wake) if stream else None), places
    except OSError as error:
        _say_unwatched(error)
        return None, ()


def _say_unwatched(error: OSError) -> None:
    with contextlib.suppress(OSError):
        os.write(ERR, f"loghub: stderr is not watched: {error.strerror}.\n".encode())


def _wake() -> None:
    os.kill(os.getpid(), signal.SIGCHLD)


def _leave_behind(pump: Pump) -> None:
    """Fork; the copy keeps nothing open but the stream and stderr, and passes on until the last writer has gone."""
    with warnings.catch_warnings():  # 3.12 counts the pump's thread, which is about to be gone
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        pump.close()
        return
    try:
        os.setsid()
        spared = sorted({ERR, pump.stream.source})
        lows = [-1, *spared]
        highs = [*spared, os.sysconf("SC_OPEN_MAX")]
        for low, high in zip(lows, highs, strict=True):
            os.closerange(low + 1, high)
        pump.keep()
    finally:
        os._exit(0)


def _leave_no_core() -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    with contextlib.suppress(OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
