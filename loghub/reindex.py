"""Detail files back into the ledger: what they say is in it afterwards, and nothing is counted twice."""

from __future__ import annotations

import heapq
import itertools
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loghub.detail import detail_files, read_detail
from loghub.errors import DetailFileError
from loghub.event import epoch
from loghub.journal.reading import Tally
from loghub.ledger.folding import EVENTS_PER_GROUP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from loghub.delivery.home import Home
    from loghub.event import Event

_GROUPS_AT_ONCE = 200  # others who write wait meanwhile


@dataclass
class Reindexed:
    """What became of a folder of detail files.

    Attributes:
        files: How many were read.
        unreadable: Path and reason of the others.
        groups, events, occurrences: How many were not in the ledger before.
    """

    files: int = 0
    groups: int = 0
    events: int = 0
    occurrences: int = 0
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def reindex(home: Home, directories: Iterable[str], now: Callable[[], float] = time.time) -> Reindexed:
    """Take the detail files of some folders into the ledger of a home.

    A file stands for one occurrence. An hour of a group is counted up to the number of its files; where the ledger has
    counted more, as it does beyond `keep_per_group`, that stays. So the ledger may be new, old or whole. What living
    processes have in their journals is left to them.

    Raises:
        LedgerError: The ledger cannot be used.
    """
    done = Reindexed()
    paths = [path for directory in directories for path, _, _ in detail_files(directory)]
    # After that: an event stands in the journal before it has a file.
    seen = home.unfolded()
    told = _told(_read(paths, seen, done))
    ledger = home.ledger()
    for batch in _batched(told):
        restored = ledger.restore(dict(batch), now())
        done.groups += restored.groups
        done.events += restored.events
        done.occurrences += restored.occurrences
    return done


def _read(paths: Iterable[str], seen: set[str], done: Reindexed) -> Iterator[Event]:
    """Yield the event of each file, but for those that were seen."""
    for path in paths:
        try:
            event = read_detail(path)
        except DetailFileError as error:
            done.unreadable.append((path, str(error)))
            continue
        done.files += 1
        if event["id"] not in seen:
            seen.add(event["id"])
            yield event


def _told(events: Iterable[Event]) -> dict[str, Tally]:
    """Return what events say, by fingerprint; of each group no more events than a ledger keeps."""
    tallies: dict[str, Tally] = {}
    newest: dict[str, list[tuple[float, str, Event]]] = {}
    for event in events:
        _add(tallies.setdefault(event["fingerprint"], Tally()), event)
        kept = newest.setdefault(event["fingerprint"], [])
        put = heapq.heappush if len(kept) < EVENTS_PER_GROUP else heapq.heappushpop
        put(kept, (epoch(event["timestamp"]) or 0.0, event["id"], event))
    for fingerprint, kept in newest.items():
        tally = tallies[fingerprint]
        tally.kept = [event for *_, event in sorted(kept, key=lambda one: one[:2])]
        tally.event = tally.kept[-1]
    return tallies


def _add(tally: Tally, event: Event) -> None:
    at = epoch(event["timestamp"]) or 0.0
    release, environment, server = (str(event.get(name) or "") for name in ("release", "environment", "server"))
    tally.count += 1
    tally.first_at, tally.last_at = min(tally.first_at, at), max(tally.last_at, at)
    level = logging.getLevelNamesMapping().get(event.get("level", ""), logging.ERROR)
    tally.levels[id(event)] = level
    tally.level = max(tally.level, level)
    tally.hours[int(at // 3600), release, environment] += 1
    tally.releases[release] += 1
    tally.environments[environment] += 1
    tally.servers[server] += 1


def _batched(told: dict[str, Tally]) -> Iterator[list[tuple[str, Tally]]]:
    # itertools.batched is of 3.12.
    rest = iter(told.items())
    while batch := list(itertools.islice(rest, _GROUPS_AT_ONCE)):
        yield batch
