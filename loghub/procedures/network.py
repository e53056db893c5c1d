"""A procedure that waits until the network is back."""

from __future__ import annotations

import itertools
import socket
from typing import Any

from loghub import options
from loghub.backoff import delay
from loghub.procedures import arguments as read
from loghub.procedures import clock, reasons

_SHORTEST_TRY_SECONDS = 0.2


@read.procedure(
    host=read.host,
    port=read.port,
    patience=options.number,
    timeout=read.at_least(options.number, _SHORTEST_TRY_SECONDS),
    first_wait=read.at_least(options.number, 0.01),
    longest_wait=read.at_least(options.number, 0.01),
)
def wait_for_network(
    _event: dict[str, Any],
    /,
    *,
    host: str,
    port: int = 443,
    patience: float = 60.0,
    timeout: float = 5.0,
    first_wait: float = 0.5,
    longest_wait: float = 10.0,
) -> bool:
    """Wait until a TCP connection to a host opens; it is closed at once.

    All addresses of the host are tried, IPv6 and IPv4. A name that cannot be resolved is "not yet". A resolution under
    way cannot be broken off: the operating system's own limit may add to `patience`.

    Args:
        host: Its name or address.
        port: The TCP port.
        patience: Seconds to go on trying.
        timeout: Seconds for one try at most, with all addresses.
        first_wait: Seconds to wait at most after the first failure; doubled with each, and drawn at random below that.
        longest_wait: Seconds to wait at most between two tries.

    Returns:
        True as soon as a connection opens.

    Raises:
        ProcedureError: None opened within `patience`.
    """
    end = clock.monotonic() + patience
    for failed in itertools.count(1):
        why = _refusal(host, port, max(min(timeout, end - clock.monotonic()), _SHORTEST_TRY_SECONDS))
        if not why:
            return True
        left = end - clock.monotonic()
        if left <= 0:
            break
        clock.sleep(min(left, delay(failed, uniform=clock.uniform, first=first_wait, longest=longest_wait)))
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return reasons.fail(f"{shown} could not be reached within {patience:g} s; the last try: {why}.")


def _refusal(host: str, port: int, seconds: float) -> str:
    """Return why no connection opens; empty if one did."""
    why = ""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, kind, protocol, _, address in found:
            try:
                with socket.socket(family, kind, protocol) as tried:
                    tried.settimeout(seconds / len(found))  # an address that swallows everything leaves time for others
                    tried.connect(address)
                    return ""
            except OSError as error:
                why = reasons.of(error)
    except OSError as error:  # the name
        why = reasons.of(error)
    return why or "the name has no address"
