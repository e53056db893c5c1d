"""The right to deliver: one process has it, for a time that it renews; it ends early where that process is dead."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from typing import TYPE_CHECKING

from loghub.errors import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loghub.ledger.protocol import Ledger

LEASE_SECONDS = 60.0

ORPHAN_SECONDS = 12.0
"""How long the lease of a dead process of this host still holds after it was renewed: what it had sent may be
under way (GitHub ends a request after ten seconds)."""

ending = threading.Event()
"""Set while the process has no more time for deliveries that are under way."""


class LeaseLostError(DeliveryError):
    """Another process delivers to this destination now."""


def pause(seconds: float) -> None:
    """Wait, in the midst of a delivery.

    Raises:
        LeaseLostError: The process ends, or has no more time to deliver.
    """
    if ending.wait(seconds):
        raise LeaseLostError("the process ends")


@contextlib.contextmanager
def ending_at(deadline: float) -> Iterator[None]:
    """Have what this process delivers meanwhile stop at its next step once `deadline` (monotonic) is there."""
    timer = threading.Timer(max(0.0, deadline - time.monotonic()), ending.set)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        ending.clear()


def new_owner() -> str:
    """Return a name for this process in leases."""
    return f"{_place()} {os.getpid()} {uuid.uuid4().hex[:8]}"


def _place() -> str:
    """Name the processes among which a pid means something: one boot of a kernel, one pid namespace."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()}/{os.readlink('/proc/self/ns/pid')}"
    except (OSError, ValueError):
        return ""


def take(ledger: Ledger, name: str, owner: str, now: float, seconds: float) -> bool:
    """Take or renew a lease for so many seconds; that of a dead process of this host ends early."""
    if ledger.lease(name, owner, now, seconds):
        return True
    other, until = ledger.leaseholder(name)
    if now < until - seconds + ORPHAN_SECONDS or not _is_dead(other):
        return False
    ledger.release(name, other)
    return ledger.lease(name, owner, now, seconds)


def _is_dead(owner: str) -> bool:
    """Return whether the owner of a lease is certainly gone; where that cannot be known, its lease must end."""
    place, _, rest = owner.partition(" ")
    pid = rest.partition(" ")[0]
    if not place or place != _place() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def forked() -> None:
    """After a fork, in the child: begin anew, whatever the parent ends."""
    global ending  # noqa: PLW0603 - the child has its own
    ending = threading.Event()
