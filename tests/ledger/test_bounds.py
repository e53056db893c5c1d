"""A ledger grows no larger than it may: a file by its bytes, a database by the number of its rows."""

from __future__ import annotations

import pytest

from loghub.journal.reading import Fold
from loghub.ledger import retention
from tests.ledger.rows import ONE, SMTP, T0, TWO, event, fold, tally

in_sqlite = pytest.mark.parametrize("make", ["sqlite file", "sqlite memory"], indirect=True)
in_postgres = pytest.mark.parametrize("make", ["postgres"], indirect=True)
DAY = 86400.0


def full(ledger, monkeypatch, size):
    """Let the ledger be full at so many bytes."""
    monkeypatch.setattr(retention, "MAX_BYTES", size)
    ledger._full_at = size


@in_sqlite
def test_a_ledger_that_grows_too_large(make, monkeypatch):
    """The oldest events go where there is too much, but each group keeps its newest; nothing is counted less."""
    ledger = make()
    big = "x" * 10_000
    full(ledger, monkeypatch, 400_000)
    monkeypatch.setattr(retention, "CHUNK", 5)
    fold(ledger, tally(1, T0, kept=[event(TWO, key="z", at=T0, traceback=big)]), fingerprint=TWO)
    for n in range(80):
        fold(ledger, tally(1, T0 + n, kept=[event(at=T0 + n, traceback=big) | {"id": f"{n:02d}"}]))
    kept = [one["id"] for one in ledger.events(100)]
    assert 10 < len(kept) < 40
    assert kept[-1][0] == "z"
    assert kept[:-1] == [f"{n:02d}" for n in range(79, 80 - len(kept), -1)]
    assert ledger.group(ONE).count == 80


@in_sqlite
def test_a_ledger_full_of_groups(make, monkeypatch):
    """Where one event of each group is too much, those that were not seen for longest go, which is counted."""
    ledger = make()
    full(ledger, monkeypatch, 400_000)
    monkeypatch.setattr(retention, "CHUNK", 5)
    for n in range(80):
        kept = [event(at=T0 + n, traceback="x" * 10_000) | {"id": f"{n:02d}"}]
        fold(ledger, tally(1, T0 + n, kept=kept, smtp=n == 0), fingerprint=f"v1:{n:02d}")
    left = [one.fingerprint for one in ledger.groups()]
    assert 10 < len(left) < 40
    assert left == [f"v1:{n:02d}" for n in [*range(79, 80 - len(left), -1), 0]]
    assert ledger.totals()["forgotten"] == 80 - len(left)


@in_sqlite
def test_a_ledger_full_of_what_waits(make, monkeypatch):
    """What waits for delivery stays, and the ledger is not searched again at every fold for what could go."""
    ledger = make()
    full(ledger, monkeypatch, 300_000)
    tried = []
    delete = retention._delete_groups
    monkeypatch.setattr(retention, "_delete_groups", lambda *how: tried.append(1) or delete(*how))
    for n in range(80):
        kept = [event(at=T0 + n, traceback="x" * 10_000) | {"id": f"{n:02d}"}]
        fold(ledger, tally(1, T0 + n, kept=kept, smtp=1), fingerprint=f"v1:{n:02d}")
    assert len(ledger.groups()) == 80
    assert ledger.totals()["forgotten"] == 0
    assert len(tried) < 40


@pytest.mark.slow
@in_postgres
def test_more_events_than_a_database_may_have(ledger, monkeypatch):
    """The oldest events go, some at a time, but each group keeps its newest; nothing is counted less."""
    monkeypatch.setattr(retention, "MAX_EVENTS", 10)
    monkeypatch.setattr(retention, "CHUNK", 5)
    fold(ledger, tally(1, T0 - 9, kept=[event(TWO, key="z", at=T0 - 9)]), fingerprint=TWO)
    fold(ledger, tally(30, T0, kept=[event(at=T0 + n) | {"id": f"{n:02d}"} for n in range(30)]))
    steps = 0
    while ledger.tidy(T0):
        steps += 1
    assert steps == 5
    kept = [one["id"] for one in ledger.events(100)]
    assert kept[:-1] == [f"{n:02d}" for n in range(29, 30 - len(kept), -1)]
    assert 5 <= len(kept) <= 10
    assert kept[-1][0] == "z"
    assert ledger.group(ONE).count == 30


@in_postgres
def test_more_groups_than_a_database_may_have(ledger, monkeypatch):
    """The groups that were not seen for longest go, which is counted; of which somebody is to be told stays."""
    monkeypatch.setattr(retention, "MAX_GROUPS", 6)
    monkeypatch.setattr(retention, "CHUNK", 2)
    for n in range(11):
        fold(ledger, tally(1, T0 + n, smtp=n == 0), fingerprint=f"v1:{n:02d}")
    while ledger.tidy(T0):
        pass
    assert [one.fingerprint for one in ledger.groups()] == [f"v1:{n:02d}" for n in (10, 9, 8, 7, 0)]
    assert ledger.totals()["forgotten"] == 6
    assert [row["destination"] for row in ledger.outbox()] == [SMTP]


@in_postgres
def test_journals_that_nobody_goes_on_with(ledger):
    """Where a journal was folded to is forgotten after a year and a month without any move."""
    fold(ledger, tally(1))
    (moved_at,) = ledger._rows("SELECT moved_at FROM journals")[0]
    (name,) = ledger._rows("SELECT name FROM journals")[0]
    assert ledger.fold(Fold("import:0123", 0, 5))
    ledger.tidy(moved_at + (retention.JOURNAL_DAYS - 1) * DAY)
    assert ledger.offset(name) == 10
    ledger.tidy(moved_at + (retention.JOURNAL_DAYS + 1) * DAY)
    assert ledger.offset(name) == 0
    assert ledger.offset("import:0123") == 5  # a log file may be given once more
