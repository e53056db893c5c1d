"""When a mail or a notice goes, and about what: the first of a new bug at once, everything else in digests.

What a person is sent has to stay worth reading. So a bug that its reader does not know goes out at once if nothing went
out lately, and else with the next digest. A bug that he knows never sends anything at once: its count joins the next
digest, and where there is none, its own comes after a wait that grows with each one that tells him nothing new.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar

from loghub import options
from loghub.errors import DeliveryError, OptionValueError
from loghub.handlers.base import OutboxHandler
from loghub.mail import MOST_BUGS, in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.delivery.batch import Batch
    from loghub.ledger.protocol import Item

GRACE_SECONDS = 1.0
"""A new bug waits so long for others: what breaks seldom breaks alone."""

PATIENCE_FACTOR = 4.0
LEAST_PATIENCE_SECONDS = 60.0
MOST_PATIENCE_SECONDS = 86_400.0
QUIET_SECONDS = 6 * 3600.0
"""A bug that was silent for so long, and for several times its own wait, is waited for no longer than at first."""

HOUR_SECONDS = 3600.0


class DigestHandler(OutboxHandler):
    """An `OutboxHandler` that tells people: it has `send` in place of `deliver`.

    Args:
        capacity: As soon as so many new bugs wait, a digest goes.
        flush_interval: Seconds between two digests, unless one of the other reasons is there.
        flushLevel: A new bug of this level is told at once, with all that waits.
        per_hour: The limit for all processes of a ledger.
        rest: As OutboxHandler.
    """

    most_events = MOST_BUGS

    what: ClassVar[str] = "digests"
    """What is sent, in the plural."""

    limit: ClassVar[str] = "per_hour"
    """Under which name `per_hour` is an option."""

    def __init__(
        self, capacity: int, flush_interval: float, flushLevel: int | str, per_hour: int, /, **rest: Any
    ) -> None:
        self.capacity = options.whole(self, "capacity", capacity, 1)
        self.flush_interval = options.number(self, "flush_interval", flush_interval)
        self.flushLevel = level_option(self, "flushLevel", flushLevel)
        self.per_hour = options.whole(self, self.limit, per_hour, 1)
        self._sent_at = 0.0  # as far as this process knows
        super().__init__(**rest)

    def ready(self, waiting: Sequence[Item], now: float, *, closing: bool) -> Sequence[Item]:
        """Return what one digest holds, once a reason to send one is there, in its order."""
        due = super().ready(waiting, now, closing=closing)
        if not self._has_reason(due, now, closing=closing):
            return []
        return in_order(due)

    def _has_reason(self, due: Sequence[Item], now: float, *, closing: bool) -> bool:
        news = [item for item in due if is_news(item)]
        repeats = [item for item in due if not is_news(item)]
        if closing and (news or self.home.draining or any(self._may_go_last(item) for item in repeats)):
            return True
        if len(news) >= self.capacity or any(item.level >= self.flushLevel for item in news):
            return True
        if 0 <= now - self._sent_at < self.flush_interval:
            return False
        grace = min(GRACE_SECONDS, self.flush_interval)
        return any(not 0 <= now - item.since_at < grace for item in news) or any(
            not 0 <= now - item.since_at < self._patience(item) for item in repeats
        )

    def _may_go_last(self, item: Item) -> bool:
        """Return whether a repeat may be told because the process ends: only while its digests are few."""
        return self._patience(item) <= self.flush_interval

    def _patience(self, item: Item) -> float:
        """Return how long a known bug's count waits for a digest that goes anyway (seconds)."""
        wait, told_at = (item.memory.get(name) for name in ("patience", "told_at"))
        if not isinstance(wait, int | float) or not isinstance(told_at, int | float):
            return self.flush_interval
        was_quiet = item.since_at - told_at > max(QUIET_SECONDS, PATIENCE_FACTOR * wait)
        return self.flush_interval if was_quiet else max(self.flush_interval, min(wait, MOST_PATIENCE_SECONDS))

    def deliver(self, batch: Batch) -> None:
        """Send one digest about the whole batch, if there is still a reason and room for it."""
        self._sent_at = float(batch.memory.get("sent_at", 0.0))  # another process may have sent one
        if not self._has_reason(batch.items, batch.now(), closing=batch.closing):
            for item in batch.items:
                batch.keep(item)
            return
        wait = batch.spend(self.what, self.per_hour, HOUR_SECONDS)
        if wait > 0:
            self._postpone(batch, wait)
            return
        try:
            self.send(batch)
        except DeliveryError:
            batch.refund(self.what)
            raise
        now = batch.now()
        batch.memory["sent_at"] = self._sent_at = now
        for item in batch.unsettled:
            known = self._patience(item)
            longer = max(LEAST_PATIENCE_SECONDS, PATIENCE_FACTOR * known)
            patience = self.flush_interval if is_news(item) else min(longer, MOST_PATIENCE_SECONDS)
            item.memory |= {"told_at": now, "patience": patience}

    def send(self, batch: Batch) -> None:
        """Send what tells of ``batch.unsettled``; what is not settled then is done.

        Raises:
            DeliveryError: Not now.
            RefusedError: Never.
        """
        raise NotImplementedError

    def _postpone(self, batch: Batch, wait: float) -> None:
        reason = (
            f"{self.per_hour} {self.what} went out within an hour ({self.limit}); the next one follows in "
            f"{wait:.0f} s with all that waits until then."
        )
        for item in batch.items:
            batch.later(item, reason, wait, failed=False)
        self.say(logging.WARNING, reason)


def is_news(item: Item) -> bool:
    """Return whether the destination was never told of the bug."""
    return item.count >= item.total


def level_option(owner: object, name: str, value: object) -> int:
    """Return a level, given as number or name."""
    names = logging.getLevelNamesMapping()
    level = names.get(str(value).strip().upper(), value)
    try:
        return options.whole(owner, name, level)
    except OptionValueError:
        options.refuse(owner, name, value, f"a level's number or one of {', '.join(names)}")
