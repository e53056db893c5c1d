"""What every ledger can do, and the rows it speaks in. The same tests run against each implementation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from loghub.ledger.find import ALL, Find

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from loghub.event import Event
    from loghub.journal.reading import Fold, Tally
    from loghub.ledger.find import Page


RECOVERIES_PER_GROUP = 20
"""So many outcomes of recovery procedures stay with a group, the newest."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a recovery procedure did about a group, once.

    Attributes:
        at: When it ended (epoch seconds).
        procedure: Its dotted name.
        outcome: ``recovered``; ``failed``; ``gave up`` (failed, and is not tried again for a while).
        seconds: How long it took.
        reason: Why it failed, in one sentence; may be empty.
        server: On which host.
    """

    at: float
    procedure: str
    outcome: Literal["recovered", "failed", "gave up"]
    seconds: float
    reason: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """All events with one fingerprint, as the ledger remembers them. Times are epoch seconds.

    `releases`, `environments` and `servers` say of each name when the bug was first and last seen there, in the
    order in which they were first seen. `recoveries` are the newest `RECOVERIES_PER_GROUP` of them, newest first.
    `carried` says how many of its occurrences other ledgers have counted, by their ids, before they were moved here.
    """

    fingerprint: str
    error_type: str
    error_module: str
    error_message: str
    component: str
    culprit: str
    level: str
    logger: str
    count: int
    first_seen_at: float
    last_seen_at: float
    status: str = "open"  # open, resolved, muted
    issue_url: str | None = None
    muted_until: float = 0.0  # somebody wants to hear nothing of it before; infinity: for good
    releases: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    environments: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    servers: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    recoveries: Sequence[Recovery] = ()
    carried: Mapping[str, int] = field(default_factory=dict)

    @property
    def own(self) -> int:
        """Occurrences that this ledger has counted itself."""
        return self.count - sum(self.carried.values())


KINDS = ("server", "release", "environment")
"""Facts of a group: for each value how often it was seen there, first, and last."""

LEDGER = "ledger"
"""The same of occurrences that another ledger has counted, by its id."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen on one server, in one release or environment.

    Attributes:
        value: Its name.
        groups: How many groups were.
        count: Their occurrences there.
        first_seen_at, last_seen_at: Epoch seconds.
    """

    value: str
    groups: int
    count: int
    first_seen_at: float
    last_seen_at: float


@dataclass(slots=True)
class Item:
    """What one destination has still to be told about one group.

    Attributes:
        count: Occurrences of the group that this destination was not told of yet.
        total: Occurrences of the group that were ever meant for this destination.
        event: The newest kept event of the group.
        level: The highest level (a logging number) among what waits.
        since_at: When the oldest of what waits arrived (epoch seconds).
        due_at: Not before this time (backoff).
        attempts: How often it failed in a row.
        memory: What the destination's handler keeps about the group (an issue's number ...); JSON.
    """

    destination: str
    group: Group
    count: int
    total: int
    event: Event
    level: int
    since_at: float
    due_at: float = 0.0
    attempts: int = 0
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item: delivered, to be tried again, or a dead letter.

    Attributes:
        told: The item's total that the destination now knows.
        due_at: Not before this time; for state ``later``.
        memory: What the handler keeps about the group; ``issue_url`` and ``status`` in it show in the readers.
    """

    fingerprint: str
    state: Literal["done", "later", "dead"]
    told: int
    reason: str = ""
    due_at: float = 0.0
    attempts: int = 0
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restored:
    """How much was not in the ledger before."""

    groups: int
    events: int
    occurrences: int


class Ledger(Protocol):
    """One memory for all processes of a home. Every method is one transaction; all may raise LedgerError."""

    @property
    def id(self) -> str:
        """A name of this ledger that no other has, for counts that several ledgers add up."""

    @property
    def where(self) -> str:
        """Where it is, for a sentence; without any password."""

    def offset(self, journal: str) -> int:
        """Return up to which byte `journal` is folded."""

    def fold(self, fold: Fold) -> bool:
        """Take in a stretch of a journal; False where the ledger is not at its start (another was first)."""

    def forget_journal(self, journal: str) -> None:
        """Drop the offset of a journal that was folded to its end and removed."""

    def lease(self, destination: str, owner: str, now: float, seconds: float) -> bool:
        """Take or renew the right to deliver to `destination`; False while another owner has it."""

    def leaseholder(self, destination: str) -> tuple[str, float]:
        """Return who has the lease of `destination`, and until when; ("", 0.0) if nobody has."""

    def release(self, destination: str, owner: str) -> None:
        """Give the lease back."""

    def waiting(self, destination: str, now: float, limit: int = 500) -> list[Item]:
        """Return what `destination` is still to be told, without events and facts.

        Oldest first; where there is more than `limit`: what is due before what is not, and what was never told
        or failed before mere repeats.
        """

    def load(self, items: Sequence[Item], whole: int | None = None) -> list[Item]:
        """Return `items` as they stand now, with the newest kept event, releases, environments, servers.

        Args:
            items: Which.
            whole: So many of them get their event; of the others it says what the group says. None: all.
        """

    def settle(self, destination: str, outcomes: Sequence[Outcome], now: float) -> None:
        """Write down what became of delivered items."""

    def told(self, destination: str, before: float, limit: int = 500) -> list[Item]:
        """Return what `destination` was told of, is open and was last seen before a time; the most silent first."""

    def remind(self, destination: str, shown: Mapping[str, int]) -> None:
        """Have `destination` be told again of groups whose ``memory["said"]`` is more than it shows."""

    def entrust(self, destination: str, fingerprint: str, memory: dict[str, Any]) -> bool:
        """Have `destination` be told of a group again, with `memory` added; False if there is no such group."""

    def note_recovery(self, fingerprint: str, recovery: Recovery) -> bool:
        """Keep with a group what a procedure did about it; False if there is no such group."""

    def mute(self, fingerprint: str, until: float) -> bool:
        """Tell no destination of a group before `until` (0.0: tell them again); False if there is no such group."""

    def memory(self, destination: str) -> dict[str, Any]:
        """Return what the destination remembers over batches and processes."""

    def memories(self, ending: str) -> dict[str, dict[str, Any]]:
        """Return what is remembered under names with an ending, by the name without it."""

    def remember(self, destination: str, memory: dict[str, Any]) -> None:
        """Keep what the destination remembers."""

    def spend(self, name: str, limit: int, seconds: float, now: float) -> float:
        """Take one from a budget of `limit` in any `seconds`; return 0.0, or the seconds until there is room."""

    def refund(self, name: str) -> None:
        """Give back what was taken from a budget last: it was not used."""

    def restore(self, groups: Mapping[str, Tally], now: float) -> Restored:
        """See that no group has fewer occurrences in an hour, events or facts than is said here, by fingerprint."""

    def tidy(self, now: float) -> bool:
        """Let go of some of what is too old, within some hundredths of a second; True if there is more."""

    def purge(self, fingerprints: Sequence[str]) -> int:
        """Delete groups with all that is kept of them; return how many there were."""

    def events(self, limit: int, find: Find = ALL, after: str = "") -> Page[Event]:
        """Return kept events, newest first.

        Args:
            limit: How many.
            find: Which.
            after: Go on behind this one: ``TIMESTAMP~ID``, as the page before says.

        Raises:
            BadCursorError: There is no such place in the list.
        """

    def event(self, key: str) -> Event | None:
        """Return the kept event whose id is or begins with `key`.

        Raises:
            AmbiguousKeyError: It is the beginning of several.
        """

    def beside(self, key: str) -> tuple[Event | None, Event | None]:
        """Return the kept events of the same group right after and right before the one with the id `key`."""

    def groups(
        self, limit: int | None = None, find: Find = ALL, after: str = "", order: str = "last_seen_at"
    ) -> Page[Group]:
        """Return groups, the highest in `order` (one of `loghub.ledger.find.ORDERS`) first.

        Args:
            limit: How many; None: all.
            find: Which; `since` and `until` ask whether a group was first seen before the end, and last after the
                beginning.
            after: Go on behind this one: what the list is ordered by, ``~`` and the fingerprint, as the page before
                says.
            order: By what.

        Raises:
            BadCursorError: There is no such place in the list.
        """

    def group(self, key: str) -> Group | None:
        """Return the group whose fingerprint is or begins with `key` (with or without ``v1:``).

        Raises:
            AmbiguousKeyError: It is the beginning of several.
        """

    def seen_by(self, kind: str, find: Find = ALL) -> list[Seen]:
        """Return what was seen of the groups that are found, by one of `KINDS`; the most first.

        Counts are of all times: `since` and `until` only ask whether anything was seen there after and before them.
        """

    def totals_of(self, find: Find = ALL) -> list[tuple[str, str, int]]:
        """Return occurrences by (error_type, module), the most first; times by whole hours."""

    def days(self, find: Find = ALL) -> dict[int, int]:
        """Return occurrences by day (days since the epoch, UTC); times by whole hours."""

    def hours(self, find: Find = ALL) -> dict[int, int]:
        """Return occurrences by hour (hours since the epoch), as far back as hours are kept."""

    def first_seen_at(self, find: Find = ALL) -> float:
        """Return when the first of the groups that are found was seen; infinity where there is none."""

    def hours_of(self, fingerprints: Sequence[str], since: float) -> dict[str, dict[int, int]]:
        """Return occurrences of each of some groups by hour, since a time."""

    def outbox(self, fingerprint: str | None = None) -> list[dict[str, Any]]:
        """Return what waits or is dead, by destination and group (SPEC's keys), of all groups or of one."""

    def retry(self, destination: str | None = None, fingerprint: str | None = None) -> int:
        """Make dead and delayed deliveries due now, and end their destinations' rest; return how many."""

    def discard(self, destination: str | None = None, fingerprint: str | None = None) -> int:
        """Give up dead deliveries; return how many."""

    def figures(self) -> dict[str, Any]:
        """Return `totals`, and ``kept`` events, ``issues`` (groups that have one), and ``destinations``.

        Those are by name how many occurrences, of the groups that there are, are ``sent``, ``waiting`` and ``dead``.
        """

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Keep other threads of this process out meanwhile.

        Raises:
            LedgerError: One of them was in it for so long.
        """

    def totals(self) -> dict[str, int]:
        """Return ``groups``, ``occurrences``, ``dropped``, ``torn`` and ``forgotten`` (groups that had to go)."""

    def mark(self) -> str:
        """Return a mark that is another one whenever something was changed, by whomever; of this process alone."""

    def close(self) -> None:
        """Let go of files and connections; the next call opens them again."""

    def hold(self, seconds: float) -> bool:
        """Before a fork: close, and keep every thread out until `resume`; False if that took too long."""

    def resume(self) -> None:
        """After a fork, in the parent: let the others in again."""
