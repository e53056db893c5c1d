"""Delivery in one process: leases, failures, dead letters, flushes, and ledgers that cannot be used."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sqlite3
import sys
import threading
import time
from collections import Counter

import pytest

from loghub import capture
from loghub.delivery import deliverer, destination, folding, leases, opening, rounds, waiting
from loghub.delivery.home import Home
from loghub.delivery.leases import LeaseLostError
from loghub.errors import DeliveryError, LedgerError, RefusedError
from loghub.journal import files
from loghub.journal.reading import Reader
from loghub.journal.writing import Journal
from loghub.ledger import schema
from loghub.ledger.connection import CorruptLedgerError
from loghub.ledger.sqlite import SQLiteLedger
from tests.channels import Told
from tests.clock import Clock
from tests.sightings import kind, note

LIST = "list:told"


@pytest.fixture
def clock():
    """Return a clock."""
    return Clock()


@pytest.fixture
def by_hand(monkeypatch):
    """Let nothing be delivered but by the rounds that the test makes."""
    monkeypatch.setattr(deliverer, "by_hand", True)


@pytest.fixture
def home(tmp_path):
    """Return the home's folder."""
    return str(tmp_path / "home")


@pytest.fixture
def make(home, clock):
    """Return a maker of handlers that live in the home, by the clock."""
    made = []

    def one(destination=LIST, *, cls=Told, **options):
        handler = cls(destination, **{"home": home} | options)
        handler.home.now = clock
        made.append(handler)
        return handler

    yield one
    for each in made:
        each.on_deliver = lambda batch: None
        each.close()


@pytest.fixture
def quick(monkeypatch):
    """Let the thread's rounds follow each other quickly."""
    monkeypatch.setattr(deliverer, "PACE_SECONDS", 0.01)


def logger(*handlers):
    """Return a logger that only these handlers hear."""
    log = logging.Logger("shop.cart")  # noqa: LOG001 - one that no other test sees
    for handler in handlers:
        log.addHandler(handler)
    return log


def fail(log, kind=ValueError, times=1):
    """Log an exception; each kind is one bug."""
    for _ in range(times):
        try:
            raise kind("bad price")
        except kind:
            log.exception("failed")


def another(handler, home, clock):
    """Return another process's view of a home, with `handler` in it."""
    other = Home(home, None, now=clock)
    other.attach(id(handler), handler)
    return other


def shut(*others):
    """Let go of such views."""
    for other in others:
        other.close(1)
        if other._ledger is not None:
            other._ledger.close()


def row(handler):
    """Return the one row of the outbox."""
    (only,) = handler.home.ledger().outbox()
    return only


# A round


def test_round(by_hand, make):
    """A round tells each destination each bug once, with its count."""
    one = make()
    log = logger(one)
    fail(log, times=50)
    fail(log, KeyError, times=3)
    assert one.home.round()
    assert Counter(dict(one.told)) == {"ValueError": 50, "KeyError": 3}
    assert one.home.round()
    assert len(one.batches) == 1
    fail(log, times=7)
    assert one.home.round()
    assert one.told[-1] == ("ValueError", 7)


def test_a_thread_that_runs_does_nothing_by_hand(by_hand, make):
    """Who goes the rounds himself is alone at it, though a thread was started before."""
    one = make()
    fail(logger(one))
    deliverer.Deliverer()._go_round()
    assert one.batches == []
    assert one.home.round()
    assert one.told == [("ValueError", 1)]


def test_two_destinations(by_hand, make):
    """Each destination is told everything; one that fails does not hold up the other."""
    one, other = make(), make("list:other")
    log = logger(one, other)
    one.on_deliver = raising(DeliveryError("down"))
    fail(log, times=30)
    assert not one.home.round()
    assert (one.count, other.count) == (0, 30)


def raising(error):
    """Return what raises an error when something is delivered."""

    def on_deliver(batch):
        raise error

    return on_deliver


def test_no_destination(by_hand, make):
    """Without a destination errors are counted and kept; nothing waits."""
    one = make(None)
    fail(logger(one), times=5)
    assert one.home.round()
    assert one.home.ledger().totals()["occurrences"] == 5
    assert one.home.ledger().outbox() == []


def test_new_while_delivering(by_hand, make):
    """What is logged while its bug is being delivered is told next time: nothing is lost or told twice."""
    one = make()
    log = logger(one)
    fail(log, times=10)
    more = iter(range(3))

    def failing(batch):
        if next(more, None) is not None:
            fail(log, times=5)
            one.home.fold()

    one.on_deliver = failing
    while not one.home.round():
        pass
    assert one.told == [("ValueError", 10), ("ValueError", 5), ("ValueError", 5), ("ValueError", 5)]


def test_what_was_told_before_a_death(by_hand, make):
    """What is marked as done item by item stays done when the rest fails."""
    one = make()
    log = logger(one)
    for cls in (ValueError, KeyError, TypeError):
        fail(log, cls)

    def dying(batch):
        batch.done(batch.items[0])
        raise DeliveryError("the network went away")

    one.on_deliver = dying
    assert not one.home.round()
    assert [each["attempts"] for each in one.home.ledger().outbox()] == [1, 1]


def test_a_removed_handler_gets_no_repeats(by_hand, make):
    """After a handler is closed, repeats of what it was told of are no longer for its destination."""
    one, other = make(), make("list:other")
    log = logger(one, other)
    fail(log, times=30)
    one.home.round()
    log.removeHandler(other)
    other.close()
    fail(log, times=5)
    one.home.round()
    assert (one.count, other.count) == (35, 30)
    assert one.home.ledger().outbox() == []


def test_more_than_one_batch(by_hand, make):
    """Where a handler takes a part, the rest is due at once."""
    one = make()
    log = logger(one)
    for cls in (ValueError, KeyError, TypeError):
        fail(log, cls)
    one.chooses = lambda due, closing: due[:1]
    assert not one.home.round()
    assert one.home.again_at <= one.home.now()
    assert not one.home.round()
    assert one.home.round()
    assert len(one.told) == 3


def test_interval(by_hand, make, clock):
    """What its handler does not choose yet is looked at soon, and is nothing that a flush waits for."""
    one = make()
    fail(logger(one))
    one.chooses = lambda due, closing: due if closing else []
    assert not one.home.round()
    assert one.home.look_at == clock.now + 1
    assert one.home.again_at == float("inf")
    assert one.home.round(everything=True)
    assert one.count == 1


def test_closing_with_others_alive(by_hand, make, home):
    """At the end of a process intervals hold as long as another process of the home is there to keep them."""
    one = make()
    fail(logger(one))
    one.chooses = lambda due, closing: due if closing else []
    living = Journal(os.path.join(home, "journal"), "other")
    assert not one.home.round(closing=True)
    living.forget()
    assert one.home.round(closing=True)
    assert one.count == 1


# Leases


@pytest.mark.shows("many processes", "nothing twice")
def test_one_at_a_time(by_hand, make, home, clock):
    """While one process delivers, another does not; when it is done, there is nothing left for the other."""
    one = make()
    second = Told(home=home)
    other = another(second, home, clock)
    fail(logger(one), times=3)
    seen = []
    one.on_deliver = lambda batch: seen.append(other.round())
    assert one.home.round()
    assert seen == [False]
    assert other.round()
    assert (one.count, second.count) == (3, 0)
    shut(other)


def test_taken_over(by_hand, make, home, clock):
    """A process that takes longer than its lease is taken over, and stops at its next step."""
    one = make()
    second = Told(home=home)
    other = another(second, home, clock)
    fail(logger(one), times=3)
    lost = []

    def sleeping(batch):
        clock.now += leases.LEASE_SECONDS + 1
        assert other.round()
        try:
            batch.renew()
        except LeaseLostError:
            lost.append(True)
            raise

    one.on_deliver = sleeping
    assert one.home.round()
    assert lost == [True]
    assert (one.count, second.count) == (0, 3)
    shut(other)


def test_renewed(by_hand, make, home, clock):
    """A process that renews its lease is not taken over, however long it takes."""
    one = make()
    second = Told(home=home)
    other = another(second, home, clock)
    fail(logger(one), times=3)

    def slow(batch):
        for _ in range(5):
            clock.now += leases.LEASE_SECONDS - 1
            batch.renew()
            assert not other.round()

    one.on_deliver = slow
    assert one.home.round()
    assert (one.count, second.count) == (3, 0)
    shut(other)


def dead_pid():
    """Return the pid of a process that is gone."""
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {})
    os.waitpid(pid, 0)
    return pid


@pytest.mark.parametrize(
    ("owner", "after"),
    [
        ("{place} {dead} x", leases.ORPHAN_SECONDS),
        ("{place} {living} x", leases.LEASE_SECONDS),
        ("another/place {dead} x", leases.LEASE_SECONDS),
        (" {dead} x", leases.LEASE_SECONDS),
        ("nonsense", leases.LEASE_SECONDS),
    ],
)
def test_lease_of_the_dead(by_hand, make, clock, owner, after):
    """The lease of a process that certainly is gone ends early, but not before its last request can be over."""
    one = make()
    fail(logger(one))
    name = owner.format(place=leases._place(), dead=dead_pid(), living=os.getpid())
    one.home.ledger().lease(LIST, name, clock.now, leases.LEASE_SECONDS)
    clock.now += after - 1
    assert not one.home.round()
    clock.now += 1
    assert one.home.round()
    assert one.count == 1


@pytest.mark.slow
def test_two_threads_of_one_process(by_hand, make, home):
    """drain's thread and the delivery thread do not deliver at the same time, though they share an owner."""
    one = make()
    fail(logger(one), times=3)
    inside, out = threading.Event(), threading.Event()

    def slow(batch):
        inside.set()
        out.wait(5)

    one.on_deliver = slow
    thread = threading.Thread(target=one.home.round)
    thread.start()
    inside.wait(5)
    assert not one.home.round()
    assert one.home.look_at <= one.home.now() + 1
    out.set()
    thread.join()
    assert one.home.round()
    assert one.told == [("ValueError", 3)]


# Failures


@pytest.mark.shows("github away", "bounded")
@pytest.mark.shows("mail away", "bounded")
def test_destination_rests(by_hand, make, clock):
    """A destination that could not be told is left alone, also with what is new, longer with each failure."""
    one = make()
    log = logger(one)
    one.on_deliver = raising(DeliveryError("no route"))
    fail(log)
    waits = []
    for n in range(1, 8):
        assert not one.home.round()
        assert len(one.batches) == n
        waits.append(one.home.again_at - clock.now)
        fail(log, KeyError)
        assert not one.home.round()
        assert len(one.batches) == n
        clock.now = one.home.again_at
    assert waits[-1] > 4 * waits[0]
    assert one.home.ledger().outbox()[0]["reason"] == "no route"
    one.on_deliver = lambda batch: None
    clock.now += 3600
    while not one.home.round():
        clock.now += 3600
    assert Counter(dict(one.told)) == {"ValueError": 1, "KeyError": 7}
    one.on_deliver = raising(DeliveryError("no route"))
    fail(log)
    one.home.round()
    assert one.home.again_at - clock.now <= 2  # failures are counted in a row


def test_retry_after(by_hand, make, clock):
    """What the destination asks for is kept to the second."""
    one = make()
    fail(logger(one))
    one.on_deliver = raising(DeliveryError("slow down", retry_after=600))
    one.home.round()
    clock.now += 599
    assert not one.home.round()
    assert len(one.batches) == 1
    clock.now += 2.1
    one.on_deliver = lambda batch: None
    assert one.home.round()
    assert one.count == 1


def test_refused(by_hand, make):
    """What a destination will never take is a dead letter with its reason; what comes later is told."""
    one = make()
    log = logger(one)
    one.on_deliver = raising(RefusedError("too odd"))
    fail(log, times=2)
    assert one.home.round()
    assert row(one)["state"] == "dead"
    assert row(one)["reason"] == "too odd"
    one.on_deliver = lambda batch: None
    fail(log, KeyError)
    assert one.home.round()
    assert one.told == [("KeyError", 1)]
    assert one.home.ledger().retry() == 1
    assert one.home.round()
    assert one.told[-1] == ("ValueError", 2)


@pytest.mark.shows("channel fails", "nothing lost", "bounded")
def test_one_bad_item(by_hand, make, clock):
    """An item that a channel's code fails on does not hold up the others, and dies after some attempts."""
    one = make()
    log = logger(one)
    for cls in (ValueError, KeyError, TypeError, OSError):
        fail(log, cls)

    def picky(batch):
        if any(item.event["error_type"] == "KeyError" for item in batch.items):
            raise ZeroDivisionError("in the channel")

    one.on_deliver = picky
    assert not one.home.round()
    assert Counter(dict(one.told)) == {"ValueError": 1, "TypeError": 1, "OSError": 1}
    for n in range(2, destination.UNEXPECTED_ATTEMPTS + 1):
        assert row(one)["state"] == "waiting"
        clock.now += 10_000
        assert one.home.round() == (n == destination.UNEXPECTED_ATTEMPTS)
    assert row(one)["state"] == "dead"
    assert row(one)["reason"] == "ZeroDivisionError: in the channel"
    assert row(one)["attempts"] == destination.UNEXPECTED_ATTEMPTS


def test_all_bad_items(by_hand, make, clock):
    """Where a channel fails on everything, and then its destination goes away too, it is not hammered."""
    one = make()
    log = logger(one)
    for cls in (ValueError, KeyError, TypeError):
        fail(log, cls)
    errors = iter([ZeroDivisionError(), DeliveryError("gone")])

    def on_deliver(batch):
        raise next(errors)

    one.on_deliver = on_deliver
    assert not one.home.round()
    assert len(one.batches) == 2
    assert not one.home.round()
    assert len(one.batches) == 2


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), DeliveryError("x"), RecursionError("x")])
def test_bad_choice(by_hand, make, clock, error):
    """A handler that fails when it is asked what is due holds up nobody else."""
    one, other = make(), make("list:other")

    def choosing(due, closing):
        raise error

    one.chooses = choosing
    fail(logger(one, other))
    assert not one.home.round()
    assert other.count == 1
    assert one.home.look_at == clock.now + rounds.TROUBLE_SECONDS
    one.chooses = None
    assert one.home.round()
    assert one.count == 1


def test_an_exception_that_cannot_be_printed(by_hand, make):
    """A channel's exception whose __str__ raises is a reason all the same."""

    class Odd(Exception):
        def __str__(self):
            raise ValueError("no text")

    one = make()
    fail(logger(one))
    one.on_deliver = raising(Odd())
    assert not one.home.round()
    assert "Odd" in row(one)["reason"]


@pytest.mark.shows("many processes", "bounded")
def test_later_and_budget(by_hand, make, home, clock):
    """A budget holds for all processes of a ledger; waiting for it is no failed attempt."""
    one = make()
    second = Told(home=home)
    other = another(second, home, clock)
    log = logger(one)

    def thrifty(batch):
        for item in batch.items:
            wait = batch.spend("calls", 2, 3600)
            if wait:
                batch.later(item, "budget", wait, failed=False)

    one.on_deliver = second.on_deliver = thrifty
    for cls in (ValueError, KeyError, TypeError):
        fail(log, cls)
    assert not one.home.round()
    assert len(one.told) == 2
    assert (row(one)["attempts"], row(one)["reason"]) == (0, "budget")
    assert one.home.again_at == clock.now + 3600
    clock.now += 3599
    assert not other.round()
    clock.now += 1
    assert other.round()
    assert len(second.told) == 1
    shut(other)


def test_memory_of_a_destination(by_hand, make, home, clock):
    """What a handler remembers is there for the next process, also when its delivery failed."""
    one = make()
    second = Told(home=home)
    other = another(second, home, clock)
    log = logger(one)

    def remembering(batch):
        batch.memory["calls"] = batch.memory.get("calls", 0) + 1
        batch.items[0].memory["number"] = 7
        if batch.memory["calls"] == 1:
            raise DeliveryError("after all")

    one.on_deliver = second.on_deliver = remembering
    fail(log)
    one.home.round()
    clock.now += 10
    assert other.round()
    assert one.home.ledger().memory(LIST) == {"calls": 2}
    fail(log)
    assert one.home.round()
    assert one.batches[-1].items[0].memory == {"number": 7}
    shut(other)


# Wakes


def waking(*times):
    """Return what asks for one batch after the other, at these times, beginning when something is told."""
    left = list(times)

    def on_deliver(batch):
        batch.memory.pop("wake_at", None)
        if left:
            batch.memory["wake_at"] = left.pop(0)

    return on_deliver


def test_wake(by_hand, make, clock):
    """A handler that asked for it gets a batch at that time, and not before, although nothing waits."""
    one = make()
    begun = clock.now
    one.on_deliver = waking(begun + 100, begun + 300)
    fail(logger(one))
    for seconds, batches in ((0, 1), (99, 1), (100, 2), (299, 2), (300, 3), (9000, 3)):
        clock.now = begun + seconds
        assert one.home.round()
        assert len(one.batches) == batches
    assert [len(batch.items) for batch in one.batches] == [1, 0, 0]
    assert one.home.wake_at == math.inf
    assert one.told == [("ValueError", 1)]


def test_wake_with_what_waits(by_hand, make, clock):
    """A batch that was asked for has what is due by then, and not what waits for an interval."""
    one = make()
    log = logger(one)
    one.on_deliver = waking(clock.now + 100)
    fail(log)
    one.home.round()
    one.chooses = lambda due, closing: [item for item in due if item.group.error_type == "KeyError"]
    fail(log)
    fail(log, KeyError)
    clock.now += 100
    one.home.round()
    assert one.told == [("ValueError", 1), ("KeyError", 1)]
    assert len(one.batches) == 2


def test_wake_is_shared(by_hand, make, home, clock):
    """Any process of the home answers a wake, also one that came later, and one alone."""
    one = make()
    second = Told(home=home)
    other = another(second, home, clock)
    one.on_deliver = second.on_deliver = waking(clock.now + 100)
    fail(logger(one))
    assert one.home.round()
    assert other.round()
    assert other.wake_at == clock.now + 100
    clock.now += 100
    assert other.round()
    assert one.home.round()
    assert [len(each.batches) for each in (one, second)] == [1, 1]
    shut(other)


def test_wake_ends_the_rest_of_the_thread(by_hand, make, clock):
    """The thread rests until the first time at which a handler wants a batch."""
    one, other = make(), make("list:other")
    one.on_deliver, other.on_deliver = waking(clock.now + 100), waking(clock.now + 60)
    assert deliverer.soonest() == math.inf
    fail(logger(one, other))
    one.home.round()
    assert deliverer.soonest() == clock.now + 60
    clock.now += 60
    one.home.round()
    assert deliverer.soonest() == clock.now + 40


@pytest.mark.parametrize("closing", [False, True])
def test_a_wake_in_the_future_is_not_waited_for(by_hand, make, clock, closing):
    """With nothing but a wake ahead all is delivered, also for a process that goes."""
    one = make()
    one.on_deliver = waking(clock.now + 1)
    fail(logger(one))
    assert one.home.round(closing=closing)
    assert one.home.look_at == one.home.again_at == math.inf
    assert len(one.batches) == 1


@pytest.mark.parametrize(
    "error",
    [DeliveryError("down"), DeliveryError("down", retry_after=60), RefusedError("no"), KeyError("a fault of its own")],
    ids=repr,
)
def test_a_woken_batch_that_fails(by_hand, make, clock, error):
    """A handler that fails in a batch without items rests as any other, longer each time, and is woken again."""
    one = make()
    one.on_deliver = waking(clock.now + 100)
    fail(logger(one))
    one.home.round()
    one.on_deliver = raising(error)
    waits = []
    clock.now += 100
    for n in range(2, 9):
        one.home.round()
        assert len(one.batches) == n
        waits.append(deliverer.soonest() - clock.now)
        one.home.round()
        assert len(one.batches) == n
        clock.now = deliverer.soonest()
    assert min(waits) > 0
    assert waits[-1] > 4 * waits[0] or waits[0] >= 60
    one.on_deliver = waking()
    assert one.home.round()
    assert one.batches[-1].items == []
    assert deliverer.soonest() == math.inf


def test_what_comes_while_a_woken_batch_rests(by_hand, make, clock):
    """What is new waits until the rest after a woken batch is over, as it would after any other."""
    one = make()
    log = logger(one)
    one.on_deliver = waking(clock.now + 100)
    fail(log)
    one.home.round()
    clock.now += 100
    one.on_deliver = raising(DeliveryError("no route", retry_after=60))
    one.home.round()
    one.on_deliver = waking()
    fail(log)
    clock.now += 59
    assert not one.home.round()
    assert one.count == 1
    clock.now += 3
    assert one.home.round()
    assert one.count == 2


# Muting


def mute(handler, until):
    """Mute the only group of a handler's home."""
    ledger = handler.home.ledger()
    (group,) = ledger.groups()
    assert ledger.mute(group.fingerprint, until)


def test_muted(by_hand, make):
    """What is muted is counted, and told to no destination; unmuted, it is told with all that was counted."""
    one, other = make(), make("list:other")
    log = logger(one, other)
    fail(log, times=2)
    one.home.round()
    mute(one, math.inf)
    fail(log, times=30)
    assert one.home.round()
    assert one.home.round(closing=True)
    assert one.home.ledger().outbox() == []
    assert [len(each.batches) for each in (one, other)] == [1, 1]
    mute(one, 0.0)
    assert one.home.round()
    assert len(one.batches) == 1  # it begins with the next occurrence
    fail(log)
    assert one.home.round()
    for each in (one, other):
        assert each.told == [("ValueError", 2), ("ValueError", 1)]
        (item,) = each.batches[-1].items
        assert (item.total, item.group.count) == (33, 33)


def test_muted_for_a_time(by_hand, make, clock):
    """A mute ends by itself, to the second."""
    one = make()
    log = logger(one)
    fail(log)
    one.home.round()
    mute(one, clock.now + 100)
    for seconds, told in ((0, 1), (99, 1), (1, 2)):
        clock.now += seconds
        fail(log, times=5)
        assert one.home.round()
        assert len(one.told) == told
    assert one.batches[-1].items[0].group.count == 16


def test_muted_before_it_was_told(by_hand, make, clock):
    """What waited when somebody muted it is not told, whatever it waited for; the other bugs are."""
    one = make()
    log = logger(one)
    one.on_deliver = raising(DeliveryError("no route"))
    fail(log, times=3)
    assert not one.home.round()
    mute(one, math.inf)
    one.on_deliver = lambda batch: None
    fail(log, KeyError)
    clock.now += 3600
    assert one.home.round()
    assert one.told == [("KeyError", 1)]
    assert one.home.ledger().outbox() == []


def test_muting_keeps_what_is_remembered(by_hand, make):
    """What a handler remembers of a bug, such as its issue, is there when it is unmuted."""
    one = make()
    log = logger(one)
    one.on_deliver = lambda batch: batch.items[0].memory.update(number=7)
    fail(log)
    one.home.round()
    mute(one, math.inf)
    fail(log)
    one.home.round()
    mute(one, 0.0)
    one.on_deliver = lambda batch: None
    fail(log)
    one.home.round()
    assert one.batches[-1].items[0].memory == {"number": 7}


# Homes


@pytest.mark.shows("home not writable", "nothing lost", "nothing twice", "said")
def test_unwritable_home(by_hand, make, tmp_path, caplog):
    """Where the home cannot be, errors are kept in memory and delivered, and that is said once."""
    (tmp_path / "file").write_text("")
    one = make(home=str(tmp_path / "file" / "home"))
    other = make("list:other", home=str(tmp_path / "file" / "home"))
    log = logger(one, other)
    fail(log, times=30)
    assert one.home.round()
    fail(log, times=30)
    assert one.home.round(closing=True)
    fail(log, times=30)
    assert one.home.round()
    assert one.count == other.count == 90
    (said,) = [each.getMessage() for each in caplog.records if each.name == "loghub"]
    assert said.startswith("Error reporter: the home ")
    assert "LOGHUB_HOME" in said


def test_home_deleted(by_hand, make, home, clock):
    """When somebody deletes the home, nothing that was not told is lost, and the home is made anew."""
    one = make()
    log = logger(one)
    fail(log, times=3)
    assert one.home.round()
    shutil.rmtree(home)
    fail(log, KeyError, times=4)
    for _ in range(3):
        clock.now += 10
        one.home.round()
    fail(log, KeyError, times=2)
    assert one.home.round()
    assert Counter(n for name, n in one.told if name == "KeyError").total() > 0
    assert sum(n for name, n in one.told if name == "KeyError") == 6
    assert os.path.exists(os.path.join(home, "ledger.db"))
    assert len(files.names(one.home.journals)) == 1


def test_keep_at_least(by_hand, make):
    """The home keeps as many occurrences in full as the handler asks that wants most."""
    one = make()
    one.home.keep_at_least(30)
    one.home.keep_at_least(25)
    log = logger(one)
    fail(log, times=50)
    one.home.round()
    assert len(one.home.ledger().events(100)) == 30


def test_keep_more_later(by_hand, make):
    """A handler that wants more kept gets it from then on, also of bugs whose repeats were only counted."""
    one = make()
    log = logger(one)
    fail(log, times=30)
    assert len(one.home.ledger().events(50)) in (0, 20)
    one.home.round()
    assert len(one.home.ledger().events(50)) == 20
    one.home.keep_at_least(25)
    fail(log, times=30)
    one.home.round()
    assert len(one.home.ledger().events(50)) == 25
    assert one.count == 60


class Standing(deliverer.Deliverer):
    """A delivering thread that was never started: the test goes its rounds."""

    def __init__(self, gentle):
        super().__init__()
        self.gentle = gentle

    def is_gentle(self):
        return self.gentle


@pytest.mark.slow
@pytest.mark.shows("storm", "application unharmed")
@pytest.mark.parametrize("case", [(True, 10**9, True), (False, 10**9, False), (True, 0, False)])
def test_rests_between_slices(by_hand, make, monkeypatch, case):
    """The thread folds in slices and rests between them, unless somebody waits or the journal is nearly full."""
    gentle, behind, slept = case
    one = make()
    rests = []
    monkeypatch.setattr(deliverer, "current", Standing(gentle))
    monkeypatch.setattr(deliverer, "stir", lambda: None)
    monkeypatch.setattr(folding, "HURRY_BYTES", behind)
    monkeypatch.setattr(time, "sleep", rests.append)
    fail(logger(one), times=3 * folding.SLICE_BYTES // 2)
    one.home.round()
    assert one.count == 3 * folding.SLICE_BYTES // 2
    assert (len(rests) >= 2) is slept
    assert all(0 < rest <= deliverer.PACE_SECONDS for rest in rests)


# A ledger that many hosts share


@pytest.fixture
def shared(make):
    """Return a handler whose ledger others may share; here it is one in memory."""
    one = make(ledger="postgresql://nobody@127.0.0.1:9/x")
    one.home._ledger = SQLiteLedger(None)
    yield one
    one.home._ledger.close()


def test_shared_ledger_hears_all_at_once(by_hand, shared, monkeypatch):
    """It gets one fold for many slices, up to what is read at once anyway; the application has its rests as ever."""
    folds, fold, rests = [], shared.home._ledger.fold, []
    monkeypatch.setattr(shared.home._ledger, "fold", lambda one: folds.append(one.end - one.start) or fold(one))
    monkeypatch.setattr(deliverer, "current", Standing(gentle=True))
    monkeypatch.setattr(deliverer, "stir", lambda: None)
    monkeypatch.setattr(folding, "SLICE_BYTES", 100)
    monkeypatch.setattr(time, "sleep", rests.append)
    fail(logger(shared), times=2000)
    shared.home.round()
    assert shared.count == 2000
    assert len(folds) == 1
    assert len(rests) > 20
    monkeypatch.setattr(Reader, "CHUNK", 1000)
    fail(logger(shared), times=2000)
    shared.home.round()
    assert shared.count == 4000
    assert len(folds) > 2
    assert all(size <= 1100 for size in folds[1:])


def test_shared_ledger_that_is_not_where_it_was(by_hand, shared, monkeypatch):
    """Where a server has forgotten its last moments, a dead process's journal is told again before it is removed."""
    dead = Journal(shared.home.journals, "dead")
    for _ in range(20):
        note(dead, kind(), LIST)
    dead.forget()
    fold, refused = shared.home._ledger.fold, []
    monkeypatch.setattr(shared.home._ledger, "fold", lambda one: fold(one) if refused else bool(refused.append(one)))
    shared.home.adopt(force=True)
    assert len(refused) == 1
    assert shared.home.ledger().totals()["occurrences"] == 20
    assert files.names(shared.home.journals) == []


def test_shared_ledger_is_asked_once_a_second(by_hand, shared, make):
    """The thread's rounds are a second apart as soon as one of its ledgers is shared."""
    assert shared.home.pace == deliverer.SHARED_PACE_SECONDS >= 1.0
    assert make().home.pace == deliverer.PACE_SECONDS < 1.0


def test_last_of_a_home_is_not_the_last_of_a_fleet(by_hand, shared):
    """Where a process ends, intervals hold although no other of its home is alive: others may share the ledger."""
    fail(logger(shared))
    shared.chooses = lambda due, closing: due if closing else []
    assert not shared.home.round(closing=True)
    assert shared.count == 0
    assert shared.home.round(everything=True)
    assert shared.count == 1


def test_shared_ledger_after_the_clock_was_set_back(by_hand, shared, clock):
    """A server that was away is asked again although the time at which that was to be lies far ahead."""
    shared.home.trouble, shared.home.look_at = "away", clock.now + 5
    fail(logger(shared))
    assert not shared.home.round()
    clock.now -= 7200
    assert shared.home.round()
    assert shared.count == 1


def test_a_journal_that_cannot_be_taken_in(by_hand, shared, monkeypatch, caplog):
    """Where the ledger can be used, a dead process's journal that it does not take keeps nobody from delivering."""
    dead = Journal(shared.home.journals, "dead")
    note(dead, kind(), LIST)
    dead.forget()
    fold = shared.home._ledger.fold

    def choosy(one):
        if one.journal == dead.name:
            raise LedgerError("It does not like that.")
        return fold(one)

    monkeypatch.setattr(shared.home._ledger, "fold", choosy)
    fail(logger(shared))
    assert shared.home.round()
    assert shared.count == 1
    assert "cannot be taken in: It does not like that." in caplog.text
    assert dead.name in files.names(shared.home.journals)


# Letting go of what is old


@pytest.fixture
def tidied(monkeypatch):
    """Return when the ledger was asked to tidy; it has three steps to do."""
    asked = []

    def tidy(self, now):
        asked.append(now)
        return len(asked) % 3 != 0

    monkeypatch.setattr(SQLiteLedger, "tidy", tidy)
    return asked


@pytest.mark.shows("many processes", "bounded")
def test_tidied_once_an_hour(by_hand, make, home, clock, tidied):
    """One of a ledger's processes tidies once an hour, a step a round while others want the processor."""
    one = make()
    other = another(one, home, clock)
    for _ in range(5):
        one.home.round()
        other.round()
    assert tidied == [clock.now] * 3
    clock.now += rounds.TIDY_SECONDS + 1
    other.round()
    one.home.round()
    assert len(tidied) == 4
    shut(other)


def test_tidied_at_leisure(by_hand, make, monkeypatch, tidied):
    """With nothing else to do the thread tidies until all is done, and rests between the steps."""
    one = make()
    rests = []
    monkeypatch.setattr(deliverer, "current", Standing(True))
    monkeypatch.setattr(time, "sleep", rests.append)
    one.home.round()
    assert len(tidied) == 3
    assert len(rests) == 2


def test_tidying_makes_way(by_hand, make, monkeypatch, tidied):
    """An error that comes in meanwhile is seen to first."""
    one = make()
    monkeypatch.setattr(deliverer, "current", Standing(True))
    monkeypatch.setattr(time, "sleep", lambda _: fail(logger(one)))
    one.home.round()
    assert len(tidied) == 2
    assert one.home.changed


def test_tidying_makes_way_for_what_is_due(by_hand, make, clock, monkeypatch, tidied):
    """What becomes due meanwhile is delivered first."""
    one = make()
    monkeypatch.setattr(deliverer, "current", Standing(True))
    monkeypatch.setattr(deliverer, "homes", lambda: [one.home])

    def rest(_):
        one.home.wake_at = clock.now

    monkeypatch.setattr(time, "sleep", rest)
    one.home.round()
    assert len(tidied) == 2


@pytest.mark.shows("clock wrong", "bounded")
def test_tidied_by_a_clock_that_was_set_back(by_hand, make, clock, tidied):
    """A clock that was far ahead does not keep the ledger from being tidied."""
    one = make()
    clock.now += 10 * 86400
    one.home.round()
    clock.now -= 10 * 86400
    one.home._rounds._tidying = False
    one.home.round()
    assert tidied[-1] == clock.now


def test_old_events_go(by_hand, make, clock):
    """What was kept is let go when it is too old, but for the newest of each bug."""
    one = make()
    log = logger(one)
    fail(log, times=3)
    fail(log, KeyError)
    one.home.round()
    assert len(one.home.ledger().events(10)) == 4
    clock.now = time.time() + 91 * 86400
    one.home.round()
    assert sorted(event["error_type"] for event in one.home.ledger().events(10)) == ["KeyError", "ValueError"]
    assert one.count == 4


def test_adopted(by_hand, make, home):
    """Journals that nobody holds are folded to their end, torn last lines and all, and removed."""
    left = Journal(os.path.join(home, "journal"), "other")
    left.keep = 1
    for _ in range(30):
        note(left, kind(), LIST)
    os.write(left.fd, b"1")
    left.forget()
    one = make()
    assert one.home.round(closing=True)
    assert one.count == 30
    assert one.home.ledger().totals() == {"groups": 1, "occurrences": 30, "dropped": 0, "torn": 1, "forgotten": 0}
    assert files.names(one.home.journals) == []
    assert one.home.ledger().offset(left.name) == 0  # forgotten


@pytest.mark.shows("journal damaged", "nothing twice")
def test_half_folded_and_adopted(by_hand, make, home):
    """What its process had folded before it died is not folded again."""
    left = Journal(os.path.join(home, "journal"), "other")
    left.keep = 1
    one = make()
    for n in range(5):
        for _ in range(7):
            note(left, kind(), LIST)
        if n == 3:
            reader = Reader(left.name, left.fd)
            reader.CHUNK = 500
            reader.resume(0)
            assert one.home.ledger().fold(reader.read())
    assert 0 < one.home.ledger().offset(left.name) < left.size
    left.forget()
    assert one.home.round(closing=True)
    assert one.count == 35


def test_a_journal_that_cannot_be_removed(by_hand, make, home, monkeypatch):
    """A journal that stays is not counted twice."""
    left = Journal(os.path.join(home, "journal"), "other")
    note(left, kind(), LIST)
    left.forget()
    one = make()

    def refusing(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", refusing)
    for _ in range(3):
        assert one.home.round(closing=True)
    monkeypatch.undo()
    assert one.home.round(closing=True)
    assert one.count == 1
    assert files.names(one.home.journals) == []


@pytest.mark.shows("journal damaged", "nothing lost", "said")
def test_a_journal_that_cannot_be_read(by_hand, make, home, monkeypatch, caplog):
    """A journal on a bad disk does not hold up the others, and is said once."""
    folder = os.path.join(home, "journal")
    bad, good = Journal(folder, "other"), Journal(folder, "other")
    for each in (bad, good):
        note(each, kind(), LIST)
        each.forget()
    one = make()
    real = Reader.resume

    def resume(self, offset):
        if self.name == bad.name:
            raise OSError(5, "Input/output error")
        real(self, offset)

    monkeypatch.setattr(Reader, "resume", resume)
    for _ in range(2):
        assert one.home.round(closing=True)
    assert one.count == 1
    assert len([each for each in caplog.records if bad.name in each.getMessage()]) == 1


def descriptors():
    """Return how many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.slow
def test_adopting_without_a_ledger(by_hand, make, home, clock):
    """While the ledger cannot be used, journals of the dead stay free for others, and no descriptor is lost."""
    left = Journal(os.path.join(home, "journal"), "other")
    note(left, kind(), LIST)
    left.forget()
    one = make()
    one.home.ledger()
    locked = sqlite3.connect(os.path.join(home, "ledger.db"), isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    one.home._ledger._db.execute("PRAGMA busy_timeout = 0")
    assert not one.home.round(closing=True)
    assert one.home._ledger is None
    before = descriptors()
    for _ in range(2):
        assert not one.home.round(closing=True)
    assert descriptors() == before
    ((_, fd),) = files.adopt(one.home.journals)
    os.close(fd)
    locked.execute("ROLLBACK")
    locked.close()
    assert one.home.round(closing=True)
    assert one.count == 1


# Ledgers


def said(caplog):
    """Return what loghub said of its own life; every line is marked."""
    lines = [each.getMessage() for each in caplog.records if each.name == "loghub"]
    assert all(line.startswith("Error reporter: ") for line in lines)
    return lines


@pytest.mark.slow
@pytest.mark.shows("ledger locked", "nothing lost", "nothing twice", "said")
def test_locked_ledger(by_hand, make, home, clock, caplog):
    """While the ledger is locked errors stay in the journal; that is said once, and all is told exactly once."""
    caplog.set_level("INFO", "loghub")
    one = make()
    log = logger(one)
    fail(log, times=30)
    assert one.home.round()
    locked = sqlite3.connect(os.path.join(home, "ledger.db"), isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        fail(log, times=30)
        assert not one.home.round()
        assert one.home.trouble
        assert one.home.again_at == clock.now + rounds.TROUBLE_SECONDS
    locked.execute("ROLLBACK")
    locked.close()
    assert one.home.round()
    assert one.count == 90
    lines = [line for line in said(caplog) if "ledger" in line]
    assert len(lines) == 2
    assert "kept in the journal" in lines[0]
    assert "can be used again" in lines[1]


def test_newer_ledger(by_hand, make, home, caplog):
    """A ledger of a newer loghub is left alone; errors are kept, and told when the ledger can be used."""
    one = make()
    log = logger(one)
    fail(log, times=30)
    assert one.home.round()
    with_newer = sqlite3.connect(os.path.join(home, "ledger.db"), isolation_level=None)
    with_newer.execute("PRAGMA user_version = 99")
    one.home._ledger.close()
    for _ in range(3):
        fail(log, times=10)
        assert not one.home.round()
    with_newer.execute(f"PRAGMA user_version = {schema.VERSION}")
    with_newer.close()
    assert one.home.round()
    assert one.count == 60
    assert len([line for line in said(caplog) if "newer loghub" in line]) == 1


@pytest.mark.shows("ledger damaged", "nothing lost", "said")
def test_damaged_ledger(by_hand, make, home, caplog):
    """A damaged ledger is set aside, and what the journals still hold is told by the new one."""
    one = make()
    log = logger(one)
    fail(log, times=30)
    os.makedirs(home, exist_ok=True)
    with open(os.path.join(home, "ledger.db"), "wb") as file:
        file.write(b"no database" * 1000)
    assert not one.home.round()
    assert one.home.again_at <= one.home.now()
    assert one.home.round()
    assert one.count == 30
    (aside,) = [name for name in os.listdir(home) if "damaged" in name]
    with open(os.path.join(home, aside), "rb") as file:
        assert file.read() == b"no database" * 1000
    assert len([line for line in said(caplog) if "moved to" in line]) == 1


@pytest.mark.shows("ledger damaged", "nothing lost")
def test_damaged_while_in_use(by_hand, make, home, clock, caplog):
    """A ledger that is ruined while it is open is set aside too; every bug is told again or for the first time."""
    one = make()
    log = logger(one)
    fail(log, times=30)
    assert one.home.round()
    path = os.path.join(home, "ledger.db")
    one.home._ledger._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    one.home._ledger.close()
    with open(path, "r+b") as file:
        file.write(b"\xff" * os.path.getsize(path))
    fail(log, KeyError, times=5)
    while not one.home.round():
        clock.now += 5
    assert ("KeyError", 5) in one.told
    assert any("damaged" in name for name in os.listdir(home))


@pytest.mark.shows("ledger damaged", "nothing lost", "bounded")
def test_damaged_for_two_processes(by_hand, make, home, clock):
    """Of two processes that find a damaged ledger one sets it aside; the other does not take the new one away."""
    one = make()
    second = Told(home=home)
    other = another(second, home, clock)
    fail(logger(one))
    one.home.round()
    other.round()
    path = os.path.join(home, "ledger.db")
    damaged = os.stat(path).st_ino
    error = CorruptLedgerError("damaged", damaged)
    one.home._rounds.give_up_ledger(error)
    fail(logger(one), KeyError)
    assert one.home.round()
    new = os.stat(path).st_ino
    assert new != damaged
    other._rounds.give_up_ledger(error)
    assert os.stat(path).st_ino == new
    assert len([name for name in os.listdir(home) if "damaged" in name and name[-4:] not in ("-wal", "-shm")]) == 1
    clock.now += 10
    assert other.round()
    assert one.home.ledger().id == other.ledger().id
    shut(other)


def test_set_aside_takes_the_log_along(home):
    """What belongs to a damaged ledger goes with it: a new one must not read the old one's log."""
    os.makedirs(home)
    for suffix in ("", "-wal", "-shm"):
        with open(os.path.join(home, "ledger.db" + suffix), "w", encoding="utf-8") as file:
            file.write(suffix)
    inode = os.stat(os.path.join(home, "ledger.db")).st_ino
    assert opening.set_aside(home, inode + 1) is None
    assert opening.set_aside(os.path.join(home, "nowhere"), inode) is None
    aside = opening.set_aside(home, inode)
    assert sorted(os.listdir(home)) == sorted(os.path.basename(aside) + suffix for suffix in ("", "-wal", "-shm"))


def test_folded_by_somebody_else(by_hand, make, home):
    """Where the ledger is further than we thought, we go on from there: nothing twice, nothing lost."""
    one = make()
    log = logger(one)
    fail(log, times=30)
    one.home.fold()
    fail(log, times=5)
    writer = one.home.journal
    other = Reader(writer.name, writer.fd, one.home.ledger().offset(writer.name))
    assert one.home.ledger().fold(other.read())
    fail(log, times=5)
    assert one.home.round()
    assert one.count == 40


def test_unexpected(by_hand, make, home, monkeypatch, caplog):
    """A fault of our own costs a round, not the thread."""
    one = make()
    fail(logger(one))
    monkeypatch.setattr(Reader, "read", lambda *_, **__: 1 / 0)
    assert not one.home.round()
    monkeypatch.undo()
    assert one.home.round()
    assert one.count == 1
    assert any("ZeroDivisionError" in line for line in said(caplog))


def test_own_lines_are_never_reported(by_hand, make, tmp_path):
    """What loghub says of itself goes to the application's handlers, but not back into loghub."""
    one = make(level="INFO")
    heard = []

    class Hearing(logging.Handler):
        def emit(self, record):
            heard.append((record.name, record.getMessage()))

    own = logging.getLogger("loghub")
    for handler in (one, Hearing()):
        own.addHandler(handler)
    try:
        fail(logger(one))
        one.on_deliver = raising(DeliveryError("down"))
        for _ in range(3):
            one.home.round()
    finally:
        for handler in list(own.handlers):
            own.removeHandler(handler)
    assert heard == [("loghub", f"Error reporter: {LIST} could not be told, trying again: down")]
    assert one.home.ledger().totals()["occurrences"] == 1


# The thread


@pytest.fixture
def real(home, quick):
    """Return a maker of handlers in real time, for the thread to deliver."""
    made = []

    def one(destination=LIST, **options):
        made.append(Told(destination, home=home, **options))
        return made[-1]

    yield one
    for each in made:
        each.on_deliver = lambda batch: None
    for each in made:
        each.close()


def wait_for(what, seconds=5.0):
    """Wait until something is so."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.005)


def test_the_thread_delivers(real):
    """A new bug is delivered soon, without a flush."""
    one = real()
    fail(logger(one))
    wait_for(lambda: one.count == 1)
    fail(logger(one), times=100)
    wait_for(lambda: one.count == 101)


def test_flush(real):
    """A flush delivers what waits, also what waits for an interval, and says so."""
    one = real()
    log = logger(one)
    one.chooses = lambda due, closing: due if closing else []
    for _ in range(3):
        fail(log, times=10)
        assert waiting.flush(5)
    assert one.count == 30
    assert waiting.flush(0)
    assert files.names(one.home.journals) == []


def test_flush_of_what_is_under_way(real):
    """A flush waits for a delivery that has begun."""
    one = real()
    inside, out = threading.Event(), threading.Event()

    def slow(batch):
        inside.set()
        out.wait(5)

    one.on_deliver = slow
    fail(logger(one))
    inside.wait(5)
    threading.Timer(0.1, out.set).start()
    assert waiting.flush(5)
    assert one.count == 1


@pytest.mark.shows("github hangs", "ends in time")
@pytest.mark.shows("channel fails", "ends in time")
def test_flush_is_bounded(real):
    """A flush of a delivery that hangs ends in time, and the next ones at once: handlers are flushed one by one."""
    one, other = real(), real("list:other")
    out = threading.Event()
    one.on_deliver = lambda batch: out.wait(10)
    fail(logger(one, other))
    started = time.monotonic()
    assert not waiting.flush(0.4)
    assert time.monotonic() - started < 1.5
    started = time.monotonic()
    for handler in (one, other, one, other):
        handler.flush()
    assert time.monotonic() - started < 0.3
    out.set()
    fail(logger(one, other))
    assert waiting.flush(5)
    assert one.count == other.count == 2


def test_vain_flushes_after_something_new(real):
    """What was written while a delivery hangs makes one flush wait, and not each of the next."""
    one = real()
    inside, out = threading.Event(), threading.Event()
    one.on_deliver = lambda batch: inside.set() or out.wait(10)
    log = logger(one)
    fail(log)
    assert inside.wait(10)
    fail(log, KeyError)
    assert one.home.changed
    assert not waiting.flush(0.3)
    started = time.monotonic()
    assert not any(waiting.flush(5.0) for _ in range(4))
    assert time.monotonic() - started < 2
    out.set()


def test_flush_stops_at_the_next_step(real):
    """When the time of a flush is over, a delivery stops at its next step and gives its lease back."""
    one = real()
    begun, stopped = threading.Event(), threading.Event()

    def steps(batch):
        begun.set()
        try:
            while True:
                batch.memory["steps"] = batch.memory.get("steps", 0) + 1
                batch.renew()
                time.sleep(0.01)
        except LeaseLostError:
            stopped.set()
            raise

    one.on_deliver = steps
    fail(logger(one))
    begun.wait(5)
    assert not waiting.flush(0.4)
    assert stopped.wait(1)
    one.on_deliver = lambda batch: None
    fail(logger(one))
    assert waiting.flush(5)
    assert one.count == 2
    assert one.home.ledger().memory(LIST)["steps"] > 0
    assert one.home.ledger().leaseholder(LIST) == ("", 0.0)


@pytest.mark.shows("github limits", "ends in time")
def test_flush_sits_out_a_short_rest(real, monkeypatch):
    """A pause that ends within the time of the flush is sat out; a longer one ends the flush at once."""
    one = real()
    answers = iter([DeliveryError("a moment", retry_after=0.2), None, DeliveryError("an hour", retry_after=3600)])

    def on_deliver(batch):
        if error := next(answers):
            raise error

    one.on_deliver = on_deliver
    log = logger(one)
    fail(log)
    assert waiting.flush(5)
    assert one.count == 1
    fail(log)
    started = time.monotonic()
    assert not waiting.flush(5)
    assert time.monotonic() - started < 2


def test_flush_does_not_wait_for_intervals(real, home):
    """What waits for an interval that another process will keep does not hold up the end of this one."""
    one = real()
    one.chooses = lambda due, closing: due if closing else []
    living = Journal(os.path.join(home, "journal"), "other")
    fail(logger(one))
    started = time.monotonic()
    assert not waiting.flush(5)
    assert time.monotonic() - started < 2
    living.forget()


def test_flush_does_not_wait_for_a_wake(real):
    """A wake that is ahead holds up no flush, and makes the next one no work."""
    one = real()
    one.on_deliver = waking(time.time() + 3600)
    fail(logger(one))
    started = time.monotonic()
    assert waiting.flush(60)
    assert waiting.flush(60)
    assert time.monotonic() - started < 30
    assert len(one.batches) == 1


def test_the_thread_wakes(real):
    """The thread gives a handler the batch that it asked for, without anything new."""
    one = real()
    one.on_deliver = waking(time.time() + 0.3)
    fail(logger(one))
    wait_for(lambda: len(one.batches) == 2)
    assert one.batches[-1].items == []


@pytest.mark.shows("ledger damaged", "nothing lost", "ends in time")
def test_flush_after_damage(real, home):
    """A flush that finds a damaged ledger begins a new one and delivers."""
    one = real()
    os.makedirs(home, exist_ok=True)
    with open(os.path.join(home, "ledger.db"), "wb") as file:
        file.write(b"no database" * 1000)
    fail(logger(one))
    assert waiting.flush(5)
    assert one.count == 1


def test_flush_from_the_thread(real):
    """A channel that flushes while it delivers does not wait for itself."""
    one = real()
    answers = []
    one.on_deliver = lambda batch: answers.append(waiting.flush(5))
    fail(logger(one))
    wait_for(lambda: one.count == 1)
    assert answers == [False]


def test_nothing_to_flush(home):
    """A handler that was never used costs nothing at the end: no home is made."""
    one = Told(home=home)
    started = time.monotonic()
    one.flush()
    one.close()
    assert time.monotonic() - started < 0.2
    assert not os.path.exists(home)


def test_thread_after_a_bad_handler(real):
    """The thread lives on, whatever a handler raises."""
    one = real()
    log = logger(one)
    one.on_deliver = raising(MemoryError())
    fail(log)
    wait_for(lambda: one.batches)
    one.on_deliver = lambda batch: None
    fail(log, KeyError)
    wait_for(lambda: ("KeyError", 1) in one.told)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_thread_that_died(real):
    """A thread that a channel ended is replaced at the next record, and its number is no longer muted."""
    one = real()
    log = logger(one)
    one.on_deliver = raising(SystemExit())
    before = deliverer.current
    fail(log)
    wait_for(lambda: deliverer.current is not None and one.batches and not deliverer.current.is_alive())
    assert deliverer.current.ident not in capture.muted_threads
    one.on_deliver = lambda batch: None
    fail(log, KeyError)
    wait_for(lambda: ("KeyError", 1) in one.told)
    assert deliverer.current is not before


def test_handler_that_comes_later(real):
    """What waits for a destination is told by a handler that comes later."""
    one = real()
    log = logger(one)
    one.on_deliver = raising(DeliveryError("wrong password", retry_after=0.1))
    fail(log)
    wait_for(lambda: one.batches)
    one.close()
    other = real()
    wait_for(lambda: other.count == 1)


def test_sender_that_logs(real):
    """What a channel's libraries log while they deliver is not reported."""
    one = real()
    log = logger(one)
    one.on_deliver = lambda batch: fail(log, KeyError)
    fail(log)
    assert waiting.flush(5)
    assert one.told == [("ValueError", 1)]


def test_closed_and_used_again(real):
    """A home whose handlers were closed takes new ones."""
    one = real()
    fail(logger(one))
    one.flush()
    one.close()
    assert files.names(one.home.journals) == []
    other = real()
    fail(logger(other))
    assert waiting.flush(5)
    assert (one.count, other.count) == (1, 1)


def test_closing_the_last_handler_folds(by_hand, make):
    """What was logged before the last handler was closed is in the ledger, though nobody delivered it."""
    one = make()
    fail(logger(one), times=30)
    one.close()
    assert files.names(one.home.journals) == []
    found = SQLiteLedger(os.path.join(one.home.path, "ledger.db"))
    assert found.totals()["occurrences"] == 30
    assert [each["waiting"] for each in found.outbox()] == [30]
    found.close()


@pytest.mark.slow
@pytest.mark.shows("ledger locked", "ends in time")
def test_close_is_bounded(by_hand, make, home):
    """Closing does not wait for a ledger that others keep locked."""
    one = make(shutdown_timeout=0.2)
    log = logger(one)
    fail(log)
    one.home.round()
    locked = sqlite3.connect(os.path.join(home, "ledger.db"), isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    fail(log)
    started = time.monotonic()
    one.close()
    assert time.monotonic() - started < 2
    locked.execute("ROLLBACK")
    locked.close()
    assert len(files.names(one.home.journals)) == 1


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:9/x"])
def test_ledger_that_is_not_there(by_hand, home, url):
    """Whatever opening a ledger raises, a round does not."""
    other = Home(home, url)
    handler = Told(home=home)
    other.attach(1, handler)
    assert other.round() in (True, False)


def test_open_ledger_in_an_impossible_place(tmp_path):
    """A home that cannot be made is one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"The home .* cannot be made"):
        opening.open_ledger(str(tmp_path / "file" / "home"), None)


# Where the home is


def test_default_home(monkeypatch, tmp_path):
    """LOGHUB_HOME comes first, then the user's state directory; a user without a home has none."""
    assert opening.default_home() == os.environ["LOGHUB_HOME"]
    monkeypatch.delenv("LOGHUB_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert opening.default_home() == str(tmp_path / "loghub")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert opening.default_home() == str(tmp_path / ".local" / "state" / "loghub")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert opening.default_home() is None
