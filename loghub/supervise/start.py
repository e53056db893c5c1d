"""Starts a command with everything as this process itself was given it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from loghub.errors import LoghubError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PR_SET_PDEATHSIG = 1  # prctl(2)
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
_COERCED = b"LC_CTYPE"  # what Python sets in the C locale (PEP 538)
_SHELL = "/bin/sh"
_ABROAD = 0  # what getppid says of a parent in another PID namespace


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
class Given:
    """What a command is given that this process has otherwise.

    Attributes:
        mask: The signals that are blocked for it.
        ignored: Signals that are ignored for it, though not here.
        end: The descriptor to write to, or None.
        places: The descriptors of the command that shall lead there.
    """

    mask: frozenset[int]
    ignored: frozenset[int]
    end: int | None
    places: tuple[int, ...]


def start(argv: Sequence[str], env: Mapping[str, str] | None, given: Given) -> int:
    """Start a command and return its pid.

    What this process inherited, the command inherits: descriptors, working directory, limits, process group, ignored
    signals. SIGPIPE and SIGXFSZ have their default effect: Python ignores both, and does not know what they were. The
    command is killed (SIGKILL) when this process dies before it: whoever kills what they started means the command.

    Args:
        argv: The command and its arguments; the command is looked for as execvp(3) does.
        env: The environment; None is this process's own.
        given: What it is given besides; all signals must be blocked here.

    Raises:
        StartError: The command could not be started.
        OSError: There can be no further process.
    """
    prctl = _prctl()
    variables = _environment(env)
    reads, writes = os.pipe()
    parent = os.getpid()
    try:
        pid = os.fork()
        if pid == 0:
            _become(argv, variables, given, (writes, parent, prctl))
        os.close(writes)
        writes = -1
        told = os.read(reads, 16)
    finally:
        os.close(reads)
        if writes >= 0:
            os.close(writes)
    if told:
        os.waitpid(pid, 0)
        raise _why_not(argv[0], int(told))
    return pid


def _become(
    argv: Sequence[str],
    variables: Mapping[bytes, bytes] | None,
    given: Given,
    ties: tuple[int, int, object],
) -> NoReturn:
    """Be the command, or tell the parent the error's number.

    Signals wait until nothing of Python is left that could swallow them.
    """
    writes, parent, prctl = ties
    number: int = errno.EINVAL
    try:
        if callable(prctl):
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() not in (parent, _ABROAD):
                os._exit(1)
        if given.end is not None:
            if writes in given.places:
                writes = _above(writes)
            for place in given.places:
                os.dup2(given.end, place)
        for known in signal.valid_signals():
            if callable(signal.getsignal(known)) or known in _IGNORED_BY_PYTHON:
                signal.signal(known, signal.SIG_DFL)
        for ignored in given.ignored:
            signal.signal(ignored, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, given.mask)
        _execute(argv, variables)
    except OSError as error:
        number = error.errno or errno.EINVAL
    finally:
        with contextlib.suppress(OSError):
            os.write(writes, b"%d" % number)
        os._exit(1)


def _above(fd: int) -> int:
    """Return a copy of a descriptor that is none of the three standard ones."""
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)


def _execute(argv: Sequence[str], variables: Mapping[bytes, bytes] | None) -> None:
    """Do as execvp(3): walk through PATH, give a file that is no program to the shell.

    Raises:
        OSError: There is no such command, or not one that can be executed.
    """
    name = os.fsencode(argv[0])
    paths = [name] if b"/" in name else [os.path.join(place, name) for place in _path(variables)]
    found = OSError(errno.ENOENT, "")
    for path in paths:
        try:
            _exec(path, argv, variables)
        except (FileNotFoundError, NotADirectoryError) as error:
            if len(paths) == 1:
                raise
            found = found if found.errno == errno.EACCES else OSError(errno.ENOENT, str(error))
        except PermissionError as error:
            found = error
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            _exec(os.fsencode(_SHELL), [_SHELL, os.fsdecode(path), *argv[1:]], variables)
    raise found


def _exec(path: bytes, argv: Sequence[str], variables: Mapping[bytes, bytes] | None) -> None:
    if variables is None:  # the C library's own list, with whatever is no variable for Python
        os.execv(path, list(argv))  # noqa: S606 - that is what it is for
    else:
        os.execve(path, list(argv), variables)  # noqa: S606 - the same


def _path(variables: Mapping[bytes, bytes] | None) -> list[bytes]:
    path = (os.environb if variables is None else variables).get(b"PATH")
    return (os.fsencode(os.defpath) if path is None else path).split(b":")


def _environment(env: Mapping[str, str] | None) -> dict[bytes, bytes] | None:
    """Return what the command gets as its environment, without what Python has put into this process's."""
    coerced, given = os.environb.get(_COERCED), _given(_COERCED)
    if env is None and coerced == given:
        return None
    variables = dict(os.environb) if env is None else {os.fsencode(name): os.fsencode(env[name]) for name in env}
    if coerced != given and variables.get(_COERCED) == coerced:
        del variables[_COERCED]
        if given is not None:
            variables[_COERCED] = given
    return variables


def _given(name: bytes) -> bytes | None:
    """Return a variable's value when this process began."""
    try:
        with open("/proc/self/environ", "rb") as file:
            lines = [line.partition(b"=") for line in file.read().split(b"\0")]
    except OSError:
        return os.environb.get(name)
    return next((value for found, _, value in lines if found == name), None)


def _prctl() -> object:
    """Return prctl(2) where there is one."""
    try:
        return ctypes.CDLL(None).prctl
    except (OSError, AttributeError):
        return None


def _why_not(name: str, number: int) -> StartError:
    if number == errno.ENOENT and "/" in name and os.path.exists(name):
        return StartError(f"{name} cannot be started: what its first line says is to run it does not exist.", 127)
    if number == errno.ENOENT and "/" in name:
        return StartError(f"{name} cannot be started: there is no such file.", 127)
    if number == errno.ENOENT:
        return StartError(f"{name} cannot be started: no folder in PATH has it; give its path, or mend PATH.", 127)
    if number == errno.EACCES:
        return StartError(f"{name} cannot be started: it is not executable; chmod +x makes it so.", 126)
    return StartError(f"{name} cannot be started: {os.strerror(number)}.", 126)
