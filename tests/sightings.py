"""Records and sightings as the journal gets them, without a Capture: its tests need only what it looks at."""

from __future__ import annotations

import logging

from loghub.sighting import Kind, Sighting, make

T0 = 1_770_000_000.0 - 1_770_000_000.0 % 3600  # the beginning of an hour


class Described:
    """Stands for a Capture: its event says only what folding looks at."""

    def __init__(self, **said) -> None:
        self.said = said
        self.events = 0

    def keep(self, sighting, record):
        if sighting.event is None:
            self.events += 1
            sighting.event = {
                "fingerprint": sighting.kind.fingerprint,
                "error_type": "ValueError",
                "environment": "test",
                "server": "here",
                "release": "1.0",
            } | self.said
        return sighting.event


def kind(number: int = 1, logger: str = "app", level: int = logging.ERROR) -> Kind:
    """Return a kind; those with one number are of one group."""
    return Kind(f"v1:{number:016x}", logger, level, "app")


def seen(of: Kind, capture=None) -> Sighting:
    """Return the sighting of a new record of a kind."""
    return make(capture or Described(), of)


def record(at: float = T0) -> logging.LogRecord:
    """Return a record that was made at `at`."""
    made = logging.LogRecord("app", logging.ERROR, "app.py", 1, "failed", (), None)
    made.created = at
    return made


def note(journal, of: Kind, *destinations, at: float = T0, selective: bool = False) -> Sighting:
    """Write one record down, as one handler for each of `destinations` does; none of them: one without any."""
    sighting, one = seen(of), record(at)
    for destination in destinations or (None,):
        journal.note(one, sighting, destination, selective=selective)
    return sighting
