"""What delivers to one destination: what is due, under its lease, and what becomes of what could not be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loghub import own_log
from loghub.delivery import leases
from loghub.delivery.batch import Batch
from loghub.errors import DeliveryError, LedgerError, RefusedError
from loghub.ledger.protocol import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loghub.delivery.batch import Destination
    from loghub.delivery.home import Home
    from loghub.ledger.protocol import Item, Ledger

FARTHEST_SECONDS = 2 * 86_400.0
"""Nothing waits for longer; a time that is further ahead was set by a clock that was wrong."""

UNEXPECTED_ATTEMPTS = 8
"""Failures of a handler's own code after which an item becomes a dead letter."""


def times(home: Home, destination: str) -> tuple[float, float]:
    """Return when the handler of a destination wants a batch, whatever waits, and until when it rests.

    While it rests it gets none.
    """
    memory = home.ledger().memory(destination)
    rest_until = _kept(memory, "rest_until", 0.0, home.now())
    return max(_kept(memory, "wake_at", float("inf"), home.now()), rest_until), rest_until


def _kept(memory: Mapping[str, Any], name: str, default: float, now: float) -> float:
    """Return a time from a destination's memory; what is damaged, or set by a clock that was ahead, is over."""
    at = memory.get(name, default)
    good = isinstance(at, int | float) and (at == default or at <= now + FARTHEST_SECONDS)
    return float(at) if good else 0.0


class Delivery:
    """What one round does about one destination.

    Args:
        home: Whose round it is.
        handler: Who tells the destination.
        destination: Its name.
        closing: Nobody will come after this round for a while.
    """

    def __init__(self, home: Home, handler: Destination, destination: str, *, closing: bool) -> None:
        self.home = home
        self.handler = handler
        self.destination = destination
        self.closing = closing

    def go(self) -> tuple[float, float]:
        """Deliver what the handler says is due.

        Returns:
            When to look again, and when what failed is due again; infinity where nothing is left.
        """
        ledger = self.home.ledger()
        waiting = self._waiting(ledger)
        wake_at, rest_until = times(self.home, self.destination)
        woken = wake_at <= self.home.now()
        if not (waiting or woken):
            return float("inf"), float("inf")
        if rest_until > self.home.now():
            return rest_until, rest_until
        if woken or self._due(waiting):
            if not leases.take(ledger, self.destination, self.home.owner, self.home.now(), leases.LEASE_SECONDS):
                return self.home.now() + 1, self.home.now() + 0.2
            try:
                self._deliver_leased()
            finally:
                ledger.release(self.destination, self.home.owner)
            waiting = self._waiting(ledger)
        return self._prospect(waiting)

    def _waiting(self, ledger: Ledger) -> Sequence[Item]:
        """Return what waits; what somebody has muted counts as told to people."""
        now = self.home.now()
        waiting = ledger.waiting(self.destination, now)
        if not self.handler.tells_people:
            return waiting
        if muted := [item for item in waiting if item.group.muted_until > now]:
            told = [Outcome(item.group.fingerprint, "done", item.total, memory=item.memory) for item in muted]
            ledger.settle(self.destination, told, now)
        return [item for item in waiting if item.group.muted_until <= now]

    def _due(self, waiting: Sequence[Item]) -> Sequence[Item]:
        now = self.home.now()
        due = [item for item in waiting if not now < item.due_at <= now + FARTHEST_SECONDS]
        return self.handler.ready(due, now, closing=self.closing) if due else ()

    def _prospect(self, waiting: Sequence[Item]) -> tuple[float, float]:
        now = self.home.now()
        if self._due(waiting):
            return now, now  # more than one batch
        again = min((item.due_at for item in waiting if item.due_at > now), default=float("inf"))
        declined = any(item.due_at <= now for item in waiting)
        return min(again, now + 1) if declined else again, again

    def _deliver_leased(self) -> None:
        ledger = self.home.ledger()
        # Whoever had the lease before may have delivered meanwhile.
        chosen = self._due(self._waiting(ledger))
        if chosen or times(self.home, self.destination)[0] <= self.home.now():
            items = ledger.load(chosen, self.handler.most_events)
            self._attempt(
                Batch(ledger, self.home.owner, items, self.destination, now=self.home.now, closing=self.closing)
            )

    def _attempt(self, batch: Batch) -> bool:
        """Deliver one batch; True if the destination can be told more now."""
        try:
            self.handler.deliver(batch)
            for item in batch.unsettled:
                batch.done(item)
            batch.answered()
            self.home.over(batch.destination)
        except leases.LeaseLostError:
            if leases.ending.is_set():
                batch.save_memory()  # the lease is still ours
            return False
        except LedgerError:
            raise
        except RefusedError as error:
            for item in batch.unsettled:
                batch.dead(item, str(error))
            if batch.items:
                batch.answered()
            else:  # it was woken, and would be at once again
                batch.rest(str(error))
            self.home.say(batch.destination, f"{batch.destination} refused: {error}")
        except DeliveryError as error:
            batch.rest(str(error), error.retry_after)
            self.home.say(batch.destination, f"{batch.destination} could not be told, trying again: {error}")
        except Exception as error:  # a channel's own fault must stop neither the thread nor the others
            return self._stumbled(batch, own_log.named(error))
        batch.save_memory()
        return "rest_until" not in batch.memory

    def _stumbled(self, batch: Batch, reason: str) -> bool:
        """Find the one item that a channel's own code fails on, so that the others are told."""
        if not batch.items:  # it was woken, and would be at once again
            batch.rest(reason)
        batch.save_memory()
        left = batch.unsettled
        if len(left) > 1:
            return all(self._attempt(batch.alone(item)) for item in left)
        for item in left:
            if item.attempts + 1 >= UNEXPECTED_ATTEMPTS:
                batch.dead(item, reason)
            else:
                batch.later(item, reason)
        self.home.say(batch.destination, f"{batch.destination} failed: {reason}")
        return True
