"""What every ledger can do, and the rows it speaks in. The same tests run against each implementation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from loghub.event import Event


@dataclass(frozen=True, slots=True)
class Group:
    """All events with one fingerprint, as the ledger remembers them. Times are epoch seconds.

    `releases`, `environments` and `servers` are in the order in which they were first seen.
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
    releases: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()


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
