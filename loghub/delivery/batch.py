"""What a handler is given to deliver, and what delivery needs of a handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from loghub import backoff
from loghub.delivery import leases
from loghub.ledger.protocol import Outcome
from loghub.scrub.own import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loghub.ledger.protocol import Item, Ledger


class Destination(Protocol):
    """What delivery needs of a handler; `loghub.handlers.base.OutboxHandler` has it."""

    destination: str | None
    tells_people: ClassVar[bool]
    most_events: ClassVar[int | None]

    def ready(self, waiting: Sequence[Item], now: float, *, closing: bool) -> Sequence[Item]:
        """Return which of what waits is to be delivered now."""

    def deliver(self, batch: Batch) -> None:
        """Tell the destination."""


class Batch:
    """What one handler is to deliver now, and the means to say what became of it.

    Attributes:
        destination: Its name.
        items: What to tell; nothing, if the handler asked for this batch by ``wake_at``.
        memory: What the destination remembers over batches and processes; JSON, kept when deliver returns. With
            ``wake_at`` (epoch seconds) in it the handler gets a batch then, although nothing may wait.
        ledger: Where they are kept, for questions.
        ledger_id: Its name, which no other ledger has.
        owner: This process's name in leases.
        closing: Nobody will come after this batch for a while.
    """

    def __init__(
        self,
        ledger: Ledger,
        owner: str,
        items: Sequence[Item],
        destination: str,
        *,
        now: Callable[[], float],
        closing: bool = False,
    ) -> None:
        self.destination = destination
        self.items = list(items)
        self.memory = ledger.memory(destination)
        self.ledger_id = ledger.id
        self.closing = closing
        self.now = now
        self.ledger = ledger
        self.owner = owner
        self._leased_until = now() + leases.LEASE_SECONDS
        self._open = {item.group.fingerprint: item for item in self.items}
        self._remembered = repr(self.memory)

    def done(self, item: Item) -> None:
        """Write down that the destination knows all of `item`."""
        self._settle(item, "done", "", 0.0, 0)

    def later(self, item: Item, reason: str, after: float | None = None, *, failed: bool = True) -> None:
        """Try `item` again after `after` seconds (None: after the usual backoff).

        `failed` says whether this counts as an attempt; waiting for a budget does not.
        """
        attempts = item.attempts + failed
        wait = after if after is not None and not failed else backoff.delay(attempts, after)
        self._settle(item, "later", reason, self.now() + wait, attempts)

    def dead(self, item: Item, reason: str) -> None:
        """Give `item` up until a person looks: a dead letter."""
        self._settle(item, "dead", reason, 0.0, item.attempts + 1)

    def keep(self, item: Item) -> None:
        """Leave `item` waiting as it is; the handler's `ready` says when it is looked at again."""
        self._open.pop(item.group.fingerprint, None)

    def rest(self, reason: str, retry_after: float | None = None) -> None:
        """Leave the destination alone for a while: what is unsettled, and what comes meanwhile."""
        self.memory["failures"] = failures = int(self.memory.get("failures", 0)) + 1
        wait = backoff.delay(failures, retry_after)
        self.memory["rest_until"] = self.now() + wait
        for item in self.unsettled:
            self._settle(item, "later", reason, self.now() + wait, item.attempts + 1)

    def answered(self) -> None:
        """Forget earlier failures of the destination: it is there."""
        self.memory.pop("rest_until", None)
        self.memory.pop("failures", None)

    def renew(self) -> None:
        """Keep the right to deliver; call it before each slow step.

        Raises:
            LeaseLostError: It took too long, and another process has taken over; or this one ends.
        """
        leases.pause(0)
        now = self.now()
        # After its end another may have taken the lease, delivered, and given it back.
        lost = now >= self._leased_until and self.ledger.leaseholder(self.destination)[0] != self.owner
        if lost or not self.ledger.lease(self.destination, self.owner, now, leases.LEASE_SECONDS):
            raise leases.LeaseLostError("another process has taken over")
        self._leased_until = now + leases.LEASE_SECONDS

    def take(self, name: str, seconds: float) -> bool:
        """Take or renew a right of its own, which outlasts the batch; False while another process has it."""
        return leases.take(self.ledger, name, self.owner, self.now(), seconds)

    def spend(self, name: str, limit: int, seconds: float) -> float:
        """Take one from a budget that all processes of the ledger share.

        Returns:
            0.0, or the seconds until there is room for one more.
        """
        return self.ledger.spend(f"{self.destination} {name}", limit, seconds, self.now())

    def refund(self, name: str) -> None:
        """Give back what `spend` has taken, since it was not used."""
        self.ledger.refund(f"{self.destination} {name}")

    def shared(self, name: str) -> dict[str, Any]:
        """Return what destinations keep together under a name that is none of theirs."""
        return self.ledger.memory(name)

    def share(self, name: str, memory: dict[str, Any]) -> None:
        """Keep what destinations have together."""
        self.ledger.remember(name, memory)

    def waiting(self, limit: int = 5000) -> list[Item]:
        """Return all that waits for the destination, without events and facts."""
        return self.ledger.waiting(self.destination, self.now(), limit)

    def told(self, before: float) -> list[Item]:
        """Return what the destination was told of, is open and was last seen before a time, the most silent first."""
        return self.ledger.told(self.destination, before)

    def remind(self, shown: Mapping[str, int]) -> None:
        """Have the destination be told again of groups (by fingerprint) of which it shows less than was said to it.

        What was said is ``memory["said"]`` of an item.
        """
        self.ledger.remind(self.destination, shown)

    def save_memory(self) -> None:
        """Write down `memory` now, not only when deliver returns."""
        if repr(self.memory) != self._remembered:
            self.ledger.remember(self.destination, self.memory)
            self._remembered = repr(self.memory)

    @property
    def unsettled(self) -> list[Item]:
        """The items of which nothing was said yet."""
        return list(self._open.values())

    def alone(self, item: Item) -> Batch:
        """Return a batch with nothing but `item`."""
        return Batch(self.ledger, self.owner, [item], self.destination, now=self.now, closing=self.closing)

    def _settle(self, item: Item, state: Any, reason: str, due_at: float, attempts: int) -> None:
        self._open.pop(item.group.fingerprint, None)
        told = item.total if state == "done" else 0
        outcome = Outcome(item.group.fingerprint, state, told, clean(reason), due_at, attempts, item.memory)
        self.ledger.settle(self.destination, [outcome], self.now())
