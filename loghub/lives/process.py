"""Which process is meant: a pid is given again, and means something only on one boot of a kernel, in one namespace."""

from __future__ import annotations

import functools
import os
import socket
import time


def place() -> list[str]:
    """Return the kernel's boot and the pid namespace that this process is in; empty texts where that is not told."""
    return [_boot(), _namespace()]


@functools.cache
def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def ticks(pid: int | str = "self") -> int:
    """Return when a process was started, in clock ticks since the boot; 0 if it is gone, or /proc does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return int(fields[19]) if fields[0] not in (b"Z", b"X") else 0
    except (OSError, ValueError, IndexError):
        return 0


def now() -> int:
    """Return this moment in the same ticks, from a clock that costs nothing; 0 where there is none."""
    return int(time.clock_gettime(_CLOCK) * _TICKS_A_SECOND) if _CLOCK is not None else 0


_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK") if _CLOCK is not None else 0


def lives(pid: int, seen: int) -> bool:
    """Return whether the process of this place lives that had `pid` at a moment: who has it now had it by then.

    Args:
        pid: Its number.
        seen: The moment, in clock ticks since the boot; 0 if nobody knows.
    """
    if seen:
        return 0 < ticks(pid) <= seen
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def server() -> str:
    """Return this host's name, or an empty text."""
    try:
        return socket.gethostname()
    except OSError:
        return ""
