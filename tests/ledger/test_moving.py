"""What one ledger knows comes to another."""

from __future__ import annotations

from collections import Counter

import pytest

from loghub.errors import LedgerError
from loghub.github.block import block, read_state, splice
from loghub.github.lifecycle import state_of
from loghub.ledger import moving
from loghub.ledger.find import Find
from loghub.ledger.moving import Compared, Move
from loghub.ledger.protocol import Outcome, Recovery
from loghub.ledger.sqlite import SQLiteLedger
from tests.ledger.rows import GITHUB, HOUR, ONE, SMTP, T0, TWO, event, fold, tally

DAY = 86400.0


@pytest.fixture
def old(tmp_path):
    """Return a ledger that has told some of what it knows of two groups."""
    ledger = SQLiteLedger(str(tmp_path / "old.db"))
    fold(ledger, tally(3, kept=[event(key="a")], github=3, smtp=3))
    fold(ledger, tally(4, T0 + DAY, kept=[event(key="b", at=T0 + DAY)], release="1.1", github=4, smtp=4))
    fold(ledger, tally(1, T0 + 60, of=event(TWO, key="c"), level=50, github=1), fingerprint=TWO, dropped=5)
    told = Outcome(ONE, "done", 3, memory={"issue": 7, "said": 3, "issue_url": "https://github.com/acme/shop/issues/7"})
    ledger.settle(GITHUB, [told], T0 + 5)
    ledger.settle(SMTP, [Outcome(ONE, "dead", 0, "550 no such user")], T0 + 5)
    ledger.remember(GITHUB, {"rest_until": 5})
    ledger.note_recovery(ONE, Recovery(T0, "restart", "recovered", 2.0))
    ledger.mute(TWO, T0 + 1e9)
    assert ledger.spend("issues", 1, 3600, T0) == 0.0
    yield ledger
    ledger.close()


def move(source, target):
    """Move to the end."""
    return list(Move(source, target, source.id).steps())


def known(ledger):
    """Return all that readers are told."""
    groups = [ledger.group(one.fingerprint) for one in ledger.groups(order="first_seen_at")]
    return (
        [one for group in groups for one in (group.fingerprint, group.count, group.issue_url, group.muted_until,
                                             group.releases, group.servers, group.recoveries, group.level)],
        ledger.events(100), ledger.totals_of(), ledger.days(), ledger.hours(), ledger.outbox(), ledger.totals(),
        ledger.totals_of(Find(release="1.1")), ledger.memory(GITHUB), ledger.seen_by("server"), ledger.figures(),
    )  # fmt: skip


def test_all_of_it(old, ledger):
    """Groups with all that belongs to them, what destinations remember and what budgets have spent: all comes."""
    before = known(old)
    assert move(old, ledger) == [2]
    assert known(ledger) == before == known(old)
    assert ledger.spend("issues", 1, 3600, T0 + 60) > 0
    (item,) = ledger.load(ledger.waiting(GITHUB, T0)[:1])
    assert (item.count, item.total, item.memory) == (4, 7, {"issue": 7, "issue_url": item.group.issue_url})


def test_again(old, ledger):
    """Another move brings nothing twice, and goes on with what is new."""
    move(old, ledger)
    before = known(ledger)
    assert move(old, ledger) == [2]
    assert known(ledger) == before


def test_broken_off(old, ledger, monkeypatch):
    """A move that was broken off, between two steps or in the midst of one, is gone on with; nothing comes twice."""
    monkeypatch.setattr(moving, "CHUNK", 1)
    assert next(Move(old, ledger, old.id).steps()) == 1
    assert len(ledger.groups()) == 1
    insert, tables = moving._insert, []

    def cut(db, table, *rest):
        tables.append(table)
        if table == "recoveries":
            raise LedgerError("cut")
        insert(db, table, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(moving, "_insert", cut)
        with pytest.raises(LedgerError, match="cut"):
            move(old, ledger)
    assert "events" in tables
    assert len(ledger.groups()) == 1
    assert move(old, ledger) == [1, 2]
    assert known(ledger) == known(old)


def test_compared(old, ledger):
    """What both have is counted; what the old one counted afterwards shows."""
    one = Move(old, ledger, old.id)
    assert Compared("groups", 2, 0) in one.compare()
    list(one.steps())
    assert one.compare() == [
        Compared("groups", 2, 2),
        Compared("occurrences", 8, 8),
        Compared("kept events", 2, 2),
        Compared("occurrences by hour", 8, 8),
        Compared("occurrences by day", 8, 8),
        Compared("deliveries, done or waiting", 15, 15),
        Compared("recoveries", 1, 1),
    ]
    fold(old, tally(2, github=2))
    list(one.steps())
    assert [(one.what, one.there - one.come) for one in one.compare() if one.there != one.come] == [
        ("occurrences", 2), ("occurrences by hour", 2), ("occurrences by day", 2), ("deliveries, done or waiting", 2),
    ]  # fmt: skip


def test_one_that_counts_already(old, ledger):
    """Where the new ledger has groups of its own, or of other ledgers, counts add up."""
    fold(ledger, tally(10, T0 - 3600, kept=[event(key="d")], github=10))
    ledger.settle(GITHUB, [Outcome(ONE, "done", 10, memory={"issue": 7, "said": 10})], T0)
    move(old, ledger)
    group = ledger.group(ONE)
    assert (group.count, group.own, group.carried) == (17, 10, {old.id: 7})
    assert (group.first_seen_at, group.last_seen_at) == (T0 - 3600, T0 + DAY)
    assert ledger.hours() == {HOUR - 1: 10, HOUR: 4, HOUR + 24: 4}
    assert group.servers == {"web1": (T0 - 3600, T0 + DAY)}
    assert len(ledger.events(10, Find(fingerprint=ONE))) == 3
    (item,) = [one for one in ledger.waiting(GITHUB, T0) if one.group.fingerprint == ONE]
    assert (item.total, item.count, item.memory) == (17, 4, {"issue": 7, "said": 10})


def test_an_issue_counts_once(old, ledger):
    """An issue that the old ledger has counted on says the sum, not the old count twice."""
    fold(ledger, tally(10, github=10))
    body = block(state_of(old.group(ONE), old.id, None))
    move(old, ledger)
    after = state_of(ledger.group(ONE), "new", body)
    assert after.counts == {old.id: 7, "new": 10}
    body = splice(body, after)
    assert read_state(body).count == state_of(ledger.group(ONE), "new", body).count == 17


def test_from_one_to_the_next(old, make, tmp_path):
    """What was moved twice still says who counted it."""
    middle, last = SQLiteLedger(str(tmp_path / "middle.db")), make()
    move(old, middle)
    fold(middle, tally(2))
    one = Move(middle, last, middle.id)
    list(one.steps())
    assert last.group(ONE).carried == {old.id: 7, middle.id: 2}
    assert all(each.there == each.come for each in one.compare())
    assert move(middle, last) == [2]
    assert last.group(ONE).count == 9
    middle.close()


def test_too_many(ledger, tmp_path, monkeypatch):
    """An issue tells the counts of so many ledgers: one more is refused, and changes nothing."""
    monkeypatch.setattr(moving, "MOST", 2)
    for number in range(3):
        one = SQLiteLedger(str(tmp_path / f"old-{number}.db"))
        fold(one, tally(1))
        if number < 2:
            move(one, ledger)
            move(one, ledger)
        else:
            with pytest.raises(LedgerError, match="taken in 2 ledgers"):
                move(one, ledger)
        one.close()
    assert ledger.group(ONE).count == 2
    assert Counter(ledger.group(ONE).carried).total() == 2


def test_two_at_once(old, ledger, monkeypatch):
    """Of two moves at once one goes on; the other is refused, for what it saw to be missing has come meanwhile."""
    one, other = (Move(old, ledger, old.id) for _ in range(2))
    monkeypatch.setattr(other, "_carried", lambda rows: {})
    assert list(one.steps()) == [2]
    with pytest.raises(LedgerError, match="Another loghub migrate is at it"):
        list(other.steps())
    assert ledger.group(ONE).count == 7
