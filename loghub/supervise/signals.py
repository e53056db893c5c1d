"""Which signals are held back, and which of those that come are handed to the child."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

EVERY = frozenset(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}
# What a terminal sends to its whole foreground group, the child included.
_TO_THE_GROUP = frozenset({
    signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH, signal.SIGCONT,
})  # fmt: skip
_OWN = frozenset({  # what the kernel says to a process about itself
    signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS, signal.SIGTRAP, signal.SIGPIPE,
    signal.SIGXCPU, signal.SIGXFSZ, signal.SIGIO, signal.SIGURG,
})  # fmt: skip
_HARMLESS = frozenset({
    signal.SIGCHLD, signal.SIGCONT, signal.SIGWINCH, signal.SIGURG, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU,
})  # fmt: skip


def hold() -> frozenset[int]:
    """Have every signal wait until it is taken; return those that waited anyway."""
    return frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, EVERY))


def give_back(mask: frozenset[int]) -> None:
    """Have the programs that other threads start from now on (git, a command that mends) block only what is in `mask`.

    A program inherits what is blocked, and hardly any takes it back: nobody could end it by a signal.
    """
    import subprocess

    class Popen(subprocess.Popen):  # type: ignore[type-arg]
        """As its base, with a mask of its own."""

        def __init__(  # noqa: PLR0917 - as its base has them
            self, args: Any, bufsize: Any = -1, executable: Any = None, stdin: Any = None, stdout: Any = None,
            stderr: Any = None, preexec_fn: Any = None, *rest: Any, **more: Any,
        ) -> None:  # fmt: skip
            def first() -> None:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                if preexec_fn is not None:
                    preexec_fn()

            super().__init__(args, bufsize, executable, stdin, stdout, stderr, first, *rest, **more)

    subprocess.Popen = Popen  # type: ignore[misc]


def take() -> signal.struct_siginfo:
    """Wait for the next signal."""
    return signal.sigwaitinfo(EVERY)


def is_for(child: int, info: signal.struct_siginfo) -> bool:
    """Return whether a signal that came here is to be handed to the child.

    Not if it has it already: because the terminal gave it to the whole foreground group (Ctrl-C, Ctrl-Z, a hang-up that
    does not go to us alone), or because it is the one who sent it, by ``kill(0, ...)``. What another process sends to
    our whole process group comes twice: nothing tells it from a signal to us.
    """
    number = info.si_signo
    if number == signal.SIGCHLD:
        return False
    if info.si_code <= 0:  # kill, sigqueue, tgkill (sigaction(2))
        return info.si_pid != child
    if number == signal.SIGHUP:
        return os.getsid(0) == os.getpid()
    return number not in _TO_THE_GROUP | _OWN


def would_end(info: signal.struct_siginfo) -> bool:
    """Return whether a process that has made no arrangements would die by this signal."""
    return info.si_signo not in _HARMLESS


def stop(number: int) -> None:
    """Stop this process by a signal, until it is told to go on; PID 1 and orphaned groups go on at once."""
    if number != signal.SIGSTOP and signal.getsignal(number) is not signal.SIG_DFL:
        number = signal.SIGSTOP
    os.kill(os.getpid(), number)  # one with the terminal's own, if that waits still; taken back by CONT
    if number != signal.SIGSTOP:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        signal.pthread_sigmask(signal.SIG_BLOCK, {number})


def in_foreground() -> bool:
    """Return whether the terminal's foreground group is ours."""
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
