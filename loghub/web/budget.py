"""So many requests a minute, of each address and of all together: a moving window, in the memory of one process.

Nothing of it goes to the ledger: a refusal has to cost less than what it refuses, and one process's share of a flood is
all that this process has to bear.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

from loghub.web.addresses import network

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_SECONDS = 60.0

MOST_ADDRESSES = 4096
"""So many addresses are told apart in a minute; those beyond share what is one address's."""

_OTHERS = "others"
_NOTHING: deque[float] = deque(maxlen=1)


class Budget:
    """What may be spent in any minute.

    Args:
        each: Requests of one address; of IPv6 a network of 64 bits counts as one.
        total: Requests of all addresses together.
        now: The clock, in seconds; it never goes back.
    """

    def __init__(self, each: int, total: int, now: Callable[[], float] = time.monotonic) -> None:
        self.each = each
        self._now = now
        self._lock = threading.Lock()
        self._total: deque[float] = deque(maxlen=total)
        self._of: OrderedDict[str, deque[float]] = OrderedDict()  # the one that spent last stands last

    def spend(self, address: str) -> float:
        """Take one request of an address; return 0.0, or, with nothing taken, the seconds until there is room."""
        with self._lock:
            now = self._now()
            name = self._name(address, now)
            wait = max(_wait(self._of.get(name, _NOTHING), now), _wait(self._total, now))
            if not wait:  # who is refused takes no place among those that are told apart
                self._of.setdefault(name, deque(maxlen=self.each)).append(now)
                self._of.move_to_end(name)
                self._total.append(now)
            return wait

    def __len__(self) -> int:
        """Return how many addresses are remembered."""
        return len(self._of)

    def _name(self, address: str, now: float) -> str:
        while self._of:
            first = next(iter(self._of))
            if now - self._of[first][-1] < WINDOW_SECONDS:
                break
            del self._of[first]
        name = network(address)
        return name if name in self._of or len(self._of) < MOST_ADDRESSES else _OTHERS


def _wait(spent: deque[float], now: float) -> float:
    """Return the seconds until the oldest of a full window is out of it."""
    if len(spent) < (spent.maxlen or 0):
        return 0.0
    return max(0.0, spent[0] + WINDOW_SECONDS - now)
