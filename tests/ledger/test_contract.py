"""What every ledger promises; the same tests run against each implementation."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub.errors import LedgerError
from loghub.event import iso
from loghub.journal.reading import Fold, Tally
from loghub.ledger.find import Find
from loghub.ledger.protocol import RECOVERIES_PER_GROUP, Outcome, Recovery
from tests.ledger.rows import GITHUB, ONE, SMTP, T0, TWO, _names, event, fold, tally

HOMES = ["sqlite file", "sqlite memory", "postgres", pytest.param("pgbouncer", marks=pytest.mark.slow)]
pytestmark = pytest.mark.parametrize("make", HOMES, indirect=True)


def told(item, state="done", **more):
    """Return what became of an item."""
    return Outcome(item.group.fingerprint, state, item.total if state == "done" else 0, **more)


def waiting(ledger, destination=GITHUB, now=T0, **how):
    """Return fingerprints and counts of what waits."""
    return [(one.group.fingerprint, one.count) for one in ledger.waiting(destination, now, **how)]


# Folding


def test_id(make):
    """Two ledgers never have one name."""
    assert make().id
    assert make().id != make().id


def test_offset_moves_with_the_fold(ledger):
    """A journal is at the end of what was folded; what does not begin there is refused and changes nothing."""
    assert ledger.offset("j") == 0
    assert ledger.fold(Fold("j", 0, 100, {ONE: tally(2)}))
    assert ledger.offset("j") == 100
    for start in (0, 99, 101):
        assert not ledger.fold(Fold("j", start, 200, {ONE: tally(5)}))
    assert ledger.fold(Fold("j", 100, 150))
    assert ledger.offset("j") == 150
    assert ledger.group(ONE).count == 2


def test_forget_journal(ledger):
    """A journal that is gone is forgotten, and no other."""
    ledger.fold(Fold("j", 0, 100))
    ledger.fold(Fold("k", 0, 50))
    ledger.forget_journal("j")
    assert (ledger.offset("j"), ledger.offset("k")) == (0, 50)


def test_group(ledger):
    """A group is described by the event that opened it, and counts all of its occurrences."""
    fold(ledger, tally(3, kept=[event()]), tally(4, T0 + 60, of=event(error_message="other")), tally(1, T0 - 60))
    one = ledger.group(ONE)
    assert (one.error_type, one.error_message, one.culprit) == ("ValueError", "bad price", "shop.cart in total")
    assert (one.count, one.first_seen_at, one.last_seen_at) == (8, T0 - 60, T0 + 60)
    assert (one.component, one.level, one.logger, one.status, one.issue_url) == (
        "shop",
        "ERROR",
        "shop.cart",
        "open",
        None,
    )


def test_recoveries_stay_with_the_group(ledger):
    """What procedures did is kept with the group, the newest first and no more than it may have, and goes with it."""
    fold(ledger, tally(github=1))
    assert not ledger.note_recovery(TWO, Recovery(T0, "shop.reopen", "recovered", 0.5))
    said = [
        Recovery(T0 + n, "shop.reopen", "failed" if n % 2 else "recovered", n / 2, f"try {n}", "web-1")
        for n in range(RECOVERIES_PER_GROUP + 3)
    ]
    assert all(ledger.note_recovery(ONE, one) for one in said)
    assert ledger.group(ONE).recoveries == said[: -RECOVERIES_PER_GROUP - 1 : -1]
    assert ledger.load(ledger.waiting(GITHUB, T0))[0].group.recoveries == ledger.group(ONE).recoveries
    ledger.purge([ONE])
    fold(ledger, tally())
    assert not ledger.group(ONE).recoveries


def test_facts_in_the_order_they_were_seen(ledger):
    """Releases, environments and servers of a group are in the order in which they were first seen."""
    second = tally(1, T0 + 60)
    second.releases = Counter({"0.9": 1, "": 5})
    fold(ledger, tally(), second, tally(1, T0 + 120))
    one = ledger.group(ONE)
    assert list(one.releases) == ["1.0", "0.9"]
    assert list(one.environments) == ["production"]
    assert list(one.servers) == ["web1"]


def test_facts_say_when(ledger):
    """Of each release, environment and server a group knows when the bug was first and last seen there."""
    newer = tally(1, T0 + 60)
    newer.releases = Counter({"1.1": 1})
    newer.environments = Counter({"production": 1, "staging": 1})
    fold(ledger, tally(1, T0 + 30), newer, tally(1, T0 - 30))
    fold(ledger, tally(1, T0 + 900), fingerprint=TWO)
    one = ledger.group(ONE)
    assert one.releases == {"1.0": (T0 - 30, T0 + 30), "1.1": (T0 + 60, T0 + 60)}
    assert one.environments == {"production": (T0 - 30, T0 + 60), "staging": (T0 + 60, T0 + 60)}
    assert one.servers == {"web1": (T0 - 30, T0 + 60)}
    assert ledger.groups()[-1].servers == {}  # a list of groups goes without


def test_routing_alone(ledger):
    """A record that another process counted adds to a destination, and not to the group."""
    fold(ledger, tally(2, github=2))
    only = Tally(level=40, routed=Counter({SMTP: 2}))
    fold(ledger, only)
    assert ledger.group(ONE).count == 2
    assert ledger.group(ONE).last_seen_at == T0
    assert waiting(ledger, SMTP) == [(ONE, 2)]


def test_routing_before_counting(ledger):
    """A group may be known by its routing first: the process that counted it is folded later."""
    fold(ledger, Tally(event=event(), routed=Counter({SMTP: 1}), level=40))
    assert waiting(ledger, SMTP) == [(ONE, 1)]
    fold(ledger, tally(1))
    assert ledger.group(ONE).count == 1


def test_dropped_and_torn(ledger):
    """What journals could not write or hold is added up."""
    fold(ledger, tally(5), torn=1, dropped=7)
    fold(ledger, tally(5), fingerprint=TWO, torn=2, dropped=3)
    assert ledger.totals() == {"groups": 2, "occurrences": 10, "dropped": 10, "torn": 3, "forgotten": 0}


def test_fold_is_all_or_nothing(ledger):
    """A fold that fails in the middle leaves neither counts nor an offset."""
    bad = tally(1)
    bad.hours = Counter({(1 << 100, "", ""): 1})
    with pytest.raises(Exception, match=r".+"):
        ledger.fold(Fold("j", 0, 10, {ONE: tally(3, kept=[event()]), TWO: bad}))
    assert ledger.offset("j") == 0
    assert ledger.groups() == []
    assert ledger.events(10) == []
    assert ledger.fold(Fold("j", 0, 10, {ONE: tally(3)}))


@pytest.mark.shows("hostile input", "nothing lost")
def test_hostile_texts(ledger):
    """Texts that no UTF-8 can hold, and values of any type, are folded and come back as text."""
    odd = event(
        error_message="lone \ud800 surrogate", component=5, level=None, logger="\x00", id=None, timestamp="yesterday"
    )
    mixed = tally(2, kept=[odd, odd], of=odd, github=2)
    mixed.servers = Counter({"\udfff": 2})
    fold(ledger, mixed)
    one = ledger.group(ONE)
    assert one.error_message == "lone \\ud800 surrogate"
    assert (one.component, one.level, one.logger) == ("5", "", "\\x00")
    assert list(one.servers) == ["\\udfff"]
    assert len(ledger.events(10)) == 2
    (item,) = ledger.load(ledger.waiting(GITHUB, T0))
    assert item.event["error_message"] == "lone \ud800 surrogate"
    ledger.settle(GITHUB, [told(item, "later", reason="\ud800" * 5000, memory={"issue_url": "\ud800"})], T0)
    assert len(ledger.outbox()[0]["reason"]) <= 2000


@pytest.mark.slow
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from([ONE, TWO]), st.integers(1, 50), st.integers(-9000, 9000), st.integers(0, 3), st.booleans()
        ),
        max_size=25,
    )
)
def test_sums(make, stretches):
    """Whatever is folded in whatever order: counts, hours, times and what waits add up."""
    ledger = make()
    counts, hours, due = Counter(), Counter(), Counter()
    for fingerprint, n, seconds, mailed, refold in stretches:
        name = f"journal-{next(_names)}"
        one = Fold(name, 0, 10, {fingerprint: tally(n, T0 + seconds, github=n, smtp=mailed)})
        assert ledger.fold(one)
        if refold:
            assert not ledger.fold(one)
        counts[fingerprint] += n
        hours[int((T0 + seconds) // 3600)] += n
        due[fingerprint] += mailed
    assert {one.fingerprint: one.count for one in ledger.groups()} == counts
    assert {one.fingerprint: one.first_seen_at for one in ledger.groups()} == {
        name: min(T0 + seconds for each, _, seconds, _, _ in stretches if each == name) for name in counts
    }
    assert ledger.hours() == hours
    assert dict(waiting(ledger, GITHUB)) == counts
    assert dict(waiting(ledger, SMTP)) == {name: n for name, n in due.items() if n}


@pytest.mark.slow
def test_threads(ledger):
    """8 threads that fold at once lose nothing."""

    def folding(number):
        for n in range(30):
            assert ledger.fold(Fold(f"j{number}", n * 10, n * 10 + 10, {ONE: tally(1), TWO: tally(2)}))

    threads = [threading.Thread(target=folding, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.group(ONE).count == 240
    assert ledger.group(TWO).count == 480


# Leases


def test_lease_is_exclusive(ledger):
    """One owner has a destination; another gets it when the time is over, and not a moment before."""
    assert ledger.lease(GITHUB, "a", T0, 60)
    assert not ledger.lease(GITHUB, "b", T0 + 59.9, 60)
    assert ledger.lease(SMTP, "b", T0, 60)
    assert ledger.leaseholder(GITHUB) == ("a", T0 + 60)
    assert ledger.lease(GITHUB, "b", T0 + 60, 60)
    assert not ledger.lease(GITHUB, "a", T0 + 61, 60)


def test_lease_is_renewed(ledger):
    """Its owner can renew a lease."""
    assert ledger.lease(GITHUB, "a", T0, 60)
    assert ledger.lease(GITHUB, "a", T0 + 50, 60)
    assert not ledger.lease(GITHUB, "b", T0 + 100, 60)


def test_release(ledger):
    """A lease that is given back is free at once; only its owner can give it back."""
    ledger.lease(GITHUB, "a", T0, 60)
    ledger.release(GITHUB, "b")
    assert not ledger.lease(GITHUB, "b", T0, 60)
    ledger.release(GITHUB, "a")
    assert ledger.leaseholder(GITHUB) == ("", 0.0)
    assert ledger.lease(GITHUB, "b", T0, 60)
    assert ledger.leaseholder("nobody") == ("", 0.0)


def test_one_of_many_gets_the_lease(ledger):
    """Of 8 threads that ask at once one gets it."""
    barrier = threading.Barrier(8)
    got = []

    def asking(number):
        barrier.wait()
        if ledger.lease(GITHUB, str(number), T0, 60):
            got.append(number)

    threads = [threading.Thread(target=asking, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


# What waits


def test_waiting(ledger):
    """A destination waits for what was meant for it, the highest level and the age of what waits with it."""
    before = time.time()
    fold(ledger, tally(2, github=2), tally(1, github=1, level=50), tally(5))
    (item,) = ledger.waiting(GITHUB, T0)
    assert (item.count, item.total, item.level, item.attempts, item.due_at) == (3, 3, 50, 0, 0.0)
    assert (item.group.fingerprint, item.group.count) == (ONE, 8)
    assert before <= item.since_at <= time.time()
    assert ledger.waiting(SMTP, T0) == []


def test_done(ledger):
    """What was told does not wait; what comes then waits anew, with its own level and age."""
    fold(ledger, tally(2, github=2, level=50))
    (item,) = ledger.waiting(GITHUB, T0)
    ledger.settle(GITHUB, [told(item, memory={"number": 7})], T0)
    assert ledger.waiting(GITHUB, T0) == []
    fold(ledger, tally(3, github=3))
    (item,) = ledger.waiting(GITHUB, T0)
    assert (item.count, item.total, item.level, item.memory) == (3, 5, 40, {"number": 7})


def test_new_while_delivering(ledger):
    """Occurrences that arrive between load and settle still wait afterwards."""
    fold(ledger, tally(2, github=2))
    (item,) = ledger.load(ledger.waiting(GITHUB, T0))
    fold(ledger, tally(4, github=4))
    ledger.settle(GITHUB, [told(item)], T0 + 5)
    (left,) = ledger.waiting(GITHUB, T0)
    assert (left.count, left.total, left.since_at) == (4, 6, T0 + 5)


def test_an_old_outcome_takes_nothing_back(ledger):
    """Who delivers late, after another has told more, does not make it wait again."""
    fold(ledger, tally(2, github=2))
    (old,) = ledger.waiting(GITHUB, T0)
    fold(ledger, tally(4, github=4))
    (new,) = ledger.waiting(GITHUB, T0)
    ledger.settle(GITHUB, [told(new)], T0)
    ledger.settle(GITHUB, [told(old)], T0)
    assert ledger.waiting(GITHUB, T0) == []


def test_later(ledger):
    """What failed waits with its time, number of attempts and reason, and keeps its age and memory."""
    fold(ledger, tally(2, github=2))
    (item,) = ledger.waiting(GITHUB, T0)
    ledger.settle(GITHUB, [told(item, "later", reason="502", due_at=T0 + 9, attempts=3, memory={"number": 1})], T0)
    (left,) = ledger.waiting(GITHUB, T0)
    assert (left.due_at, left.attempts, left.memory, left.since_at, left.count) == (
        T0 + 9,
        3,
        {"number": 1},
        item.since_at,
        2,
    )
    assert ledger.outbox() == [
        {
            "destination": GITHUB,
            "fingerprint": ONE,
            "waiting": 2,
            "attempts": 3,
            "since_at": iso(item.since_at),
            "due_at": iso(max(T0 + 9, item.since_at)),
            "state": "waiting",
            "reason": "502",
        }
    ]


def test_dead(ledger):
    """A dead letter does not wait, also when more comes; it is shown until it is retried or discarded."""
    fold(ledger, tally(2, github=2))
    (item,) = ledger.waiting(GITHUB, T0)
    ledger.settle(GITHUB, [told(item, "dead", reason="422", attempts=1)], T0)
    fold(ledger, tally(1, github=1))
    assert ledger.waiting(GITHUB, T0) == []
    (row,) = ledger.outbox()
    assert (row["state"], row["reason"], row["waiting"]) == ("dead", "422", 3)
    assert ledger.retry(SMTP) == 0
    assert ledger.retry(GITHUB, TWO) == 0
    assert ledger.retry(GITHUB, ONE) == 1
    (item,) = ledger.waiting(GITHUB, T0)
    assert (item.count, item.attempts) == (3, 0)


def test_figures(ledger):
    """What was sent, what waits and what is dead is counted by destination, beside what is kept and has an issue."""
    fold(ledger, tally(5, github=5, smtp=2))
    fold(ledger, tally(3, github=3), fingerprint=TWO)
    one, two = ledger.waiting(GITHUB, T0)
    url = {"issue_url": "https://github.com/acme/shop/issues/1"}
    ledger.settle(GITHUB, [told(one, memory=url), told(two, "dead")], T0)
    assert ledger.figures() == ledger.totals() | {
        "kept": len(ledger.events(100)),
        "issues": 1,
        "destinations": {
            GITHUB: {"sent": 5, "waiting": 0, "dead": 3},
            SMTP: {"sent": 0, "waiting": 2, "dead": 0},
        },
    }


def test_within(ledger):
    """Who asks for the ledger within a time gets it, or is told that another thread has it."""
    fold(ledger, tally(1))
    has_it, may_go = threading.Event(), threading.Event()

    def hold():
        with ledger.within(1):
            has_it.set()
            may_go.wait(20)

    other = threading.Thread(target=hold)
    other.start()
    assert has_it.wait(20)
    with pytest.raises(LedgerError, match="busy"), ledger.within(0.001):
        pass
    may_go.set()
    other.join()
    with ledger.within(0.001):
        assert ledger.group(ONE).count == 1


def test_discard(ledger):
    """What is discarded was dead, is gone, and what comes then waits anew; what is not dead stays."""
    fold(ledger, tally(2, github=2, smtp=2))
    (item,) = ledger.waiting(GITHUB, T0)
    ledger.settle(GITHUB, [told(item, "dead")], T0)
    assert ledger.discard() == 1
    assert [row["destination"] for row in ledger.outbox()] == [SMTP]
    fold(ledger, tally(1, github=1))
    assert waiting(ledger) == [(ONE, 1)]


def test_retry_ends_delays_and_rests(ledger):
    """Retry makes due what failed, and a destination that was to be left alone may be told."""
    fold(ledger, tally(2, github=2))
    (item,) = ledger.waiting(GITHUB, T0)
    ledger.settle(GITHUB, [told(item, "later", due_at=T0 + 3600, attempts=5)], T0)
    ledger.remember(GITHUB, {"rest_until": T0 + 3600, "labels_dropped": True})
    ledger.remember(SMTP, {"rest_until": T0 + 3600})
    assert ledger.retry(GITHUB) == 1
    assert ledger.waiting(GITHUB, T0)[0].due_at == 0
    assert ledger.memory(GITHUB) == {"labels_dropped": True}
    assert ledger.memory(SMTP) == {"rest_until": T0 + 3600}


def test_limit(ledger):
    """Where more waits than fits, what is due comes first, and new bugs and failures before mere repeats."""
    prints = [f"v1:{n:016x}" for n in range(30)]
    for name in prints:
        fold(ledger, tally(1, github=1), fingerprint=name)
    items = {one.group.fingerprint: one for one in ledger.waiting(GITHUB, T0)}
    ledger.settle(GITHUB, [told(items[name]) for name in prints[:10]], T0)
    for name in prints[:10]:
        fold(ledger, tally(1, github=1), fingerprint=name)  # repeats
    ledger.settle(GITHUB, [told(items[name], "later", due_at=T0 + 60) for name in prints[10:20]], T0)
    new = prints[20:]
    assert {name for name, _ in waiting(ledger, limit=10)} == set(new)
    assert {name for name, _ in waiting(ledger, limit=20)} == set(new + prints[:10])
    ledger.settle(GITHUB, [told(items[name], "later", due_at=T0 - 60, attempts=1) for name in prints[10:20]], T0)
    assert {name for name, _ in waiting(ledger, limit=20)} == set(new + prints[10:20])
    ages = [one.since_at for one in ledger.waiting(GITHUB, T0)]
    assert ages == sorted(ages)


def test_load(ledger):
    """What is delivered has the newest kept event, and all releases, environments and servers."""
    fold(ledger, tally(2, kept=[event(key="a"), event(key="c", at=T0 + 9), event(key="b", at=T0 + 5)], github=2))
    (item,) = ledger.waiting(GITHUB, T0)
    assert item.event == {}
    (item,) = ledger.load([item])
    assert item.event["id"] == "c" * 32
    facts = item.group.releases, item.group.environments, item.group.servers
    assert [list(names) for names in facts] == [["1.0"], ["production"], ["web1"]]


def test_load_without_an_event(ledger):
    """Where no event was kept, one is made of what the group says."""
    fold(ledger, tally(2, github=2))
    (item,) = ledger.load(ledger.waiting(GITHUB, T0))
    assert item.event["error_type"] == "ValueError"
    assert item.event["fingerprint"] == ONE
    assert item.event["frames"] == []


def test_load_what_is_gone(ledger, make):
    """What another ledger knew is left out."""
    fold(ledger, tally(2, github=2))
    assert make().load(ledger.waiting(GITHUB, T0)) == []


def test_status_and_address(ledger):
    """What a handler says of its issue shows in the group; where it says nothing, what was said stays."""
    fold(ledger, tally(2, github=2, smtp=2))
    (item,) = ledger.waiting(GITHUB, T0)
    ledger.settle(GITHUB, [told(item, memory={"issue_url": "https://x/1", "status": "resolved"})], T0)
    (item,) = ledger.waiting(SMTP, T0)
    ledger.settle(SMTP, [told(item)], T0)
    assert (ledger.group(ONE).issue_url, ledger.group(ONE).status) == ("https://x/1", "resolved")


def test_memory(ledger):
    """A destination remembers what it was given, and its lease does not touch that."""
    assert ledger.memory(GITHUB) == {}
    ledger.remember(GITHUB, {"next_write_at": T0, "deep": {"list": [1, None]}})
    ledger.lease(GITHUB, "a", T0, 60)
    ledger.remember(GITHUB, {"next_write_at": T0 + 1, "deep": {"list": [1, None]}})
    ledger.release(GITHUB, "a")
    assert ledger.memory(GITHUB) == {"next_write_at": T0 + 1, "deep": {"list": [1, None]}}
    assert ledger.memory(SMTP) == {}


# What was told


def tell(ledger, *fingerprints, memory=None):
    """Tell GITHUB all that waits of some groups."""
    items = [one for one in ledger.waiting(GITHUB, T0) if one.group.fingerprint in fingerprints]
    ledger.settle(GITHUB, [told(one, memory=dict(memory or one.memory)) for one in items], T0)


def test_told(ledger):
    """What was told, is open and was last seen before a time comes whole, the most silent first."""
    prints = [f"v1:{n:016x}" for n in range(6)]
    for n, name in enumerate(prints):
        fold(ledger, tally(2, T0 - n, kept=[event(name, key=str(n))], github=2), fingerprint=name)
    fold(ledger, tally(1, T0 - 99, smtp=1), fingerprint=TWO)  # not for this destination
    tell(ledger, *prints[:4], memory={"number": 7})
    tell(ledger, prints[4], memory={"status": "resolved"})  # and the last one waits
    fold(ledger, tally(1, T0 - 2, github=1), fingerprint=prints[2])  # this one waits again
    found = ledger.told(GITHUB, T0)
    assert [one.group.fingerprint for one in found] == [prints[3], prints[1]]  # the first was seen at that time
    assert [(one.count, one.total, one.memory) for one in found] == [(0, 2, {"number": 7})] * 2
    assert found[0].event["id"] == "3" * 32
    assert found[0].group.releases == {"1.0": (T0 - 3, T0 - 3)}
    assert [one.group.fingerprint for one in ledger.told(GITHUB, T0, limit=1)] == [prints[3]]
    assert ledger.told(SMTP, T0) == []


def test_remind(ledger):
    """A group of which less is shown than was said waits again; where as much is shown, nothing does."""
    for name in (ONE, TWO):
        fold(ledger, tally(5, github=5, smtp=5), fingerprint=name)
    tell(ledger, ONE, TWO, memory={"said": 5})
    ledger.remind(GITHUB, {ONE: 5, TWO: 9, "v1:none": 0})
    assert waiting(ledger) == []
    ledger.remind(GITHUB, {ONE: 4, TWO: 5})
    assert waiting(ledger) == [(ONE, 1)]
    assert ledger.waiting(GITHUB, T0)[0].memory == {"said": 5}
    ledger.remind(GITHUB, {ONE: 3})
    assert waiting(ledger) == [(ONE, 1)]  # as before: it is told as a whole
    assert waiting(ledger, SMTP) == [(ONE, 5), (TWO, 5)]
    tell(ledger, ONE)
    assert waiting(ledger) == []


def test_remind_takes_nothing_back(ledger):
    """What waits with more than was said goes on waiting with all of it, a dead letter stays dead."""
    fold(ledger, tally(5, github=5))
    tell(ledger, ONE, memory={"said": 5})
    fold(ledger, tally(3, github=3))
    ledger.remind(GITHUB, {ONE: 1})
    assert waiting(ledger) == [(ONE, 3)]
    (item,) = ledger.waiting(GITHUB, T0)
    ledger.settle(GITHUB, [told(item, "dead", memory={"said": 5})], T0)
    ledger.remind(GITHUB, {ONE: 1})
    assert waiting(ledger) == []
    assert ledger.outbox()[0]["waiting"] == 3


def test_remind_without_what_was_said(ledger):
    """Of a group of which nothing was said that counts, only one that is not shown at all waits again."""
    fold(ledger, tally(5, github=5))
    tell(ledger, ONE)
    ledger.remind(GITHUB, {ONE: 0})
    assert waiting(ledger) == []
    ledger.remind(GITHUB, {ONE: -1})
    assert waiting(ledger) == [(ONE, 1)]


def test_entrust(ledger):
    """A destination that was told is told once more, with what is added to its memory."""
    fold(ledger, tally(5, github=5, smtp=5))
    tell(ledger, ONE, memory={"number": 3, "said": 5})
    assert ledger.entrust(GITHUB, ONE, {"link_to": 7, "said": 4})
    (item,) = ledger.waiting(GITHUB, T0)
    assert (item.count, item.total) == (1, 5)
    assert item.memory == {"number": 3, "said": 4, "link_to": 7}
    assert waiting(ledger, SMTP) == [(ONE, 5)]
    tell(ledger, ONE)
    assert waiting(ledger) == []
    fold(ledger, tally(2, github=2))
    assert waiting(ledger) == [(ONE, 2)]


@pytest.mark.parametrize("state", ["later", "dead"])
def test_entrust_what_waits(ledger, state):
    """What waits goes on waiting with its whole count, and is due now even if it was delayed or dead."""
    fold(ledger, tally(5, github=5))
    (item,) = ledger.waiting(GITHUB, T0)
    ledger.settle(GITHUB, [told(item, state, due_at=T0 + 3600, attempts=4)], T0)
    assert ledger.entrust(GITHUB, ONE, {"link_to": 7})
    (item,) = ledger.waiting(GITHUB, T0)
    assert (item.count, item.due_at, item.attempts, item.memory) == (5, 0.0, 0, {"link_to": 7})


def test_entrust_a_destination_that_knows_nothing(ledger):
    """A destination that never heard of a group is told of it once, and then goes on from there."""
    fold(ledger, tally(5, smtp=5))
    assert ledger.entrust(GITHUB, ONE, {"link_to": 7})
    (item,) = ledger.load(ledger.waiting(GITHUB, T0))
    assert (item.count, item.group.count, item.memory) == (1, 5, {"link_to": 7})
    tell(ledger, ONE)
    fold(ledger, tally(2, github=2))
    assert waiting(ledger) == [(ONE, 2)]


def test_entrust_what_is_not_there(ledger):
    """Nobody is told of a group that does not exist."""
    assert not ledger.entrust(GITHUB, ONE, {"link_to": 7})
    assert ledger.outbox() == []


def test_mute(ledger):
    """A group that is muted says until when, wherever it is read, and goes on counting and waiting."""
    fold(ledger, tally(2, github=2))
    fold(ledger, tally(1, T0 + 9), fingerprint=TWO)
    assert ledger.mute(ONE, math.inf)
    fold(ledger, tally(3, T0 + 5, github=3))
    (item,) = ledger.waiting(GITHUB, T0)
    (loaded,) = ledger.load([item])
    for group in (ledger.group(ONE), ledger.groups()[1], item.group, loaded.group):
        assert (group.fingerprint, group.status, group.muted_until, group.count) == (ONE, "muted", math.inf, 5)
    other = ledger.group(TWO)
    assert (other.status, other.muted_until) == ("open", 0.0)


def test_unmute(ledger):
    """When a mute is over or taken back, the group stands as its issue does."""
    fold(ledger, tally(2, github=2))
    tell(ledger, ONE, memory={"status": "resolved"})
    ledger.mute(ONE, time.time() + 3600)
    assert ledger.group(ONE).status == "muted"
    ledger.mute(ONE, T0)  # which is in the past
    assert (ledger.group(ONE).status, ledger.group(ONE).muted_until) == ("resolved", T0)
    ledger.mute(ONE, math.inf)
    ledger.mute(ONE, 0.0)
    assert (ledger.group(ONE).status, ledger.group(ONE).muted_until) == ("resolved", 0.0)


def test_mute_what_is_not_there(ledger):
    """A group that does not exist is not muted, nor made by that."""
    assert not ledger.mute(ONE, math.inf)
    assert ledger.groups() == []


def test_budget(ledger):
    """A budget of 3 in any 10 seconds: the 4th waits until the 1st is 10 seconds old."""
    assert [ledger.spend("b", 3, 10, T0 + n) for n in range(3)] == [0.0, 0.0, 0.0]
    assert ledger.spend("b", 3, 10, T0 + 4) == 6.0
    assert ledger.spend("other", 3, 10, T0 + 4) == 0.0
    assert ledger.spend("b", 3, 10, T0 + 9.5) == 0.5
    assert ledger.spend("b", 3, 10, T0 + 10) == 0.0
    assert ledger.spend("b", 3, 10, T0 + 10) == 1.0


def test_load_some_whole(ledger):
    """Only the first items get their event, if so many are wanted; the others say what their groups say."""
    fold(ledger, tally(kept=[event()], github=1))
    fold(ledger, tally(kept=[event(TWO, "b", error_message="other")], github=1), fingerprint=TWO)
    items = ledger.waiting(GITHUB, T0)
    for whole, ids in ((None, [True, True]), (1, [True, False]), (0, [False, False])):
        loaded = ledger.load(items, whole)
        assert [bool(item.event.get("id")) for item in loaded] == ids
        assert all(item.event["error_message"] == item.group.error_message for item in loaded)


def test_memories(ledger):
    """What is kept under names with an ending is found by it."""
    ledger.remember("smtp:a owed", {"n": 1})
    ledger.remember("smtp:b owed", {"n": 2})
    ledger.remember("smtp:owed b", {"n": 3})
    assert ledger.memories(" owed") == {"smtp:a": {"n": 1}, "smtp:b": {"n": 2}}
    assert ledger.memories(" run") == {}


def test_refund(ledger):
    """What was not used goes back, of this budget and once."""
    assert [ledger.spend(name, 1, 10, T0) for name in ("b", "other")] == [0.0, 0.0]
    ledger.refund("b")
    assert ledger.spend("b", 1, 10, T0 + 1) == 0.0
    assert ledger.spend("b", 1, 10, T0 + 2) == 9.0
    assert ledger.spend("other", 1, 10, T0 + 2) == 8.0
    ledger.refund("none")


def test_no_budget(ledger):
    """A budget of nothing is never there; a smaller limit than before holds at once."""
    assert ledger.spend("none", 0, 10, T0) == 10
    for n in range(5):
        ledger.spend("b", 5, 100, T0 + n)
    assert ledger.spend("b", 2, 100, T0 + 5) == 98.0


@pytest.mark.slow
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 4), st.lists(st.floats(0, 8), max_size=30))
def test_no_window_holds_more(make, limit, steps):
    """No window of the budget's length ever holds more than its limit, and the wait that is told is enough."""
    ledger = make()
    now, taken = T0, []
    for step in steps:
        now += step
        wait = ledger.spend("b", limit, 10, now)
        if wait:
            now += wait
            assert ledger.spend("b", limit, 10, now) == 0.0
        taken.append(now)
    for index, first in enumerate(taken):
        assert sum(1 for one in taken[index:] if one < first + 10) <= limit


# Reading


def test_events(ledger):
    """Kept events come newest first, of all groups or of one."""
    fold(ledger, tally(1, kept=[event(key="a", at=T0 + 1), event(key="b", at=T0 + 3)]))
    fold(ledger, tally(1, kept=[event(TWO, key="c", at=T0 + 2)]), fingerprint=TWO)
    assert [one["id"][0] for one in ledger.events(10)] == ["b", "c", "a"]
    assert [one["id"][0] for one in ledger.events(2)] == ["b", "c"]
    assert [one["id"][0] for one in ledger.events(10, Find(fingerprint=ONE))] == ["b", "a"]
    assert ledger.events(10, Find(fingerprint="v1:none")) == []


def test_event_without_a_time(ledger):
    """An event that before_send took the time from counts as old as its stretch of the journal."""
    fold(ledger, tally(1, kept=[event(key="a", at=T0 - 60)]))
    fold(ledger, tally(1, T0, kept=[event(key="b", timestamp=None)]))
    assert [one["id"][0] for one in ledger.events(10)] == ["b", "a"]


def test_event_by_key(ledger):
    """An event is found by its id or the beginning of it."""
    fold(ledger, tally(1, kept=[event(key="a"), event(key="b")]))
    assert ledger.event("b" * 32)["id"] == "b" * 32
    assert ledger.event("aaaa")["id"] == "a" * 32
    assert ledger.event("c") is None
    assert ledger.event("%") is None


def test_groups(ledger):
    """Groups come last seen first; one is found by its fingerprint or the beginning, with or without version."""
    fold(ledger, tally(1, T0 + 5))
    fold(ledger, tally(1, T0 + 9), fingerprint=TWO)
    assert [one.fingerprint for one in ledger.groups()] == [TWO, ONE]
    assert [one.fingerprint for one in ledger.groups(1)] == [TWO]
    assert ledger.group(ONE).fingerprint == ledger.group("1111").fingerprint == ledger.group("v1:11").fingerprint
    assert ledger.group("3") is None


# Forks


def test_hold(ledger):
    """Between hold and resume no other thread gets in; after that all goes on."""
    fold(ledger, tally(2))
    assert ledger.hold(1)
    read = []
    thread = threading.Thread(target=lambda: read.append(ledger.groups()))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    assert read == []
    ledger.resume()
    thread.join(5)
    assert [one.count for one in read[0]] == [2]


def test_hold_does_not_wait_for_long(ledger):
    """Where another thread does not come out in time, nothing is held."""
    there, done = threading.Event(), threading.Event()

    def staying():
        assert ledger.hold(1)
        there.set()
        done.wait(5)
        ledger.resume()

    thread = threading.Thread(target=staying)
    thread.start()
    there.wait(5)
    assert not ledger.hold(0.01)
    done.set()
    thread.join()
    assert ledger.hold(1)
    ledger.resume()


def test_beside(ledger):
    """An event has the one after it and the one before it in its group; at either end there is none."""
    for number in range(3):
        fold(ledger, tally(1, github=1, kept=[event(key=str(number), at=T0 + number)]))
    ids = [one["id"] for one in ledger.events(9)][::-1]
    found = [tuple(one and one["id"] for one in ledger.beside(key)) for key in ids]
    assert found == [(ids[1], None), (ids[2], ids[0]), (None, ids[1])]
    assert ledger.beside("nothing") == (None, None)


def test_outbox_of_one(ledger):
    """Of one group alone the outbox can be asked, too."""
    fold(ledger, tally(2, github=2))
    assert ledger.outbox(ONE) == ledger.outbox()
    assert ledger.outbox(TWO) == []


def test_mark(make):
    """The mark is the same until something is changed."""
    ledger = make()
    before = ledger.mark()
    assert ledger.totals()["groups"] == 0
    assert ledger.mark() == before
    fold(ledger, tally())
    after = ledger.mark()
    assert after != before


def test_names_of_any_length(ledger):
    """A name that is too long for a key is told apart by its beginning; nothing that it stands beside is lost."""
    chance = random.Random(7)
    long = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz\u4e16\U0001f600", k=5000))
    said = tally(2, release=long, environment=long[::-1], kept=[event(id=long)], github=2)
    said.servers = Counter({long: 2})
    fold(ledger, said, said)
    fold(ledger, tally(1))
    group = ledger.group(ONE)
    assert group.count == 5
    assert len(group.servers) == len(group.environments) == 2
    (seen,) = [one for one in ledger.seen_by("server") if one.value != "web1"]
    assert seen.count == 4
    assert long.startswith(seen.value)
    assert ledger.totals_of(Find(release=f"{long[:100]}*")) == [("ValueError", "shop.cart", 4)]
    assert ledger.event(long[:300])["id"] == long
