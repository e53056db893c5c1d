"""A record and the copy that a QueueHandler made of it share what stands for them, whichever comes first."""

from __future__ import annotations

import logging
import logging.handlers
import queue
import sys
import threading

import pytest

from loghub.copies import MAX_COPIES, Copies


@pytest.fixture
def handler():
    """Return a QueueHandler; that there is one is what makes the difference."""
    return logging.handlers.QueueHandler(queue.Queue())


def record_of(created=None, message="failed"):
    """Return a record with an exception."""
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, message, (), (ValueError, ValueError("v"), None))
    if created is not None:
        record.created = created
    return record


def test_original_first(handler):
    """The copy gets what the original was given, however often it is asked for."""
    shared = Copies()
    record = record_of()
    assert shared.share(record, "first") == "first"
    assert shared.share(handler.prepare(record), "second") == "first"
    assert shared.share(handler.prepare(record), "third") == "first"


def test_copy_first(handler):
    """The original gets what the copy was given."""
    shared = Copies()
    record = record_of()
    assert shared.share(handler.prepare(record), "first") == "first"
    assert shared.share(record, "second") == "first"


def test_others_share_nothing(handler):
    """Two records are two occurrences, though all but the moment is the same."""
    shared = Copies()
    for number in range(10):
        record = record_of(created=1000.0 + number)
        assert shared.share(record, number) == number
        assert shared.share(handler.prepare(record), "copy") == number


@pytest.mark.parametrize("copies_first", [True, False])
def test_where_time_stands_still(handler, copies_first):
    """With a frozen clock no two originals are taken for one."""
    shared = Copies()
    records = [record_of(created=1000.0) for _ in range(5)]
    if copies_first:
        shared.share(handler.prepare(records[0]), "copy")
    given = [shared.share(record, number) for number, record in enumerate(records)]
    assert len(set(given)) == 5


def test_without_queues(monkeypatch):
    """Where there is no QueueHandler, nothing is remembered, until one is made."""
    monkeypatch.setattr(logging, "_handlerList", [])
    shared = Copies()
    record = record_of()
    assert shared.share(record, "first") == "first"
    assert not shared._originals
    handler = logging.handlers.QueueHandler(queue.Queue())
    record = record_of()
    assert shared.share(record, "first") == "first"
    assert shared.share(handler.prepare(record), "second") == "first"


def test_bounded(handler):
    """Copies that never come (a queue to another process) do not grow the memory without end."""
    shared = Copies()
    for number in range(MAX_COPIES + 100):
        shared.share(record_of(created=float(number)), number)
        shared.share(handler.prepare(record_of(created=-1.0 - number)), number)
    assert len(shared._originals) <= MAX_COPIES
    assert len(shared._arrived) <= MAX_COPIES


@pytest.mark.slow
def test_at_the_same_time(handler, monkeypatch):
    """Two threads that ask at once for record and copy get the same, by whatever interleaving."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        shared = Copies()
        for number in range(2000):
            record = record_of(created=float(number))
            prepared = handler.prepare(record)
            answers = {}
            start = threading.Barrier(2)

            def ask(one, name, answers=answers, start=start):
                start.wait()
                answers[name] = shared.share(one, name)

            threads = [threading.Thread(target=ask, args=pair) for pair in ((record, "r"), (prepared, "c"))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert answers["r"] == answers["c"], number
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("moment", range(5))
def test_each_interleaving(handler, moment):
    """The original may come at any moment of the copy's asking."""
    shared = Copies()
    record = record_of()
    prepared = handler.prepare(record)
    answers = []
    steps = iter(range(100))

    def step():
        if next(steps) == moment:
            answers.append(shared.share(record, "original"))

    class Watched(dict):
        """Lets the original in before the access that is meant."""

        def get(self, *args):
            step()
            return super().get(*args)

        def pop(self, *args):
            step()
            return super().pop(*args)

    shared._originals, shared._arrived = Watched(), Watched()
    mine = shared.share(prepared, "copy")
    if not answers:
        answers.append(shared.share(record, "original"))
    assert answers[0] == mine
