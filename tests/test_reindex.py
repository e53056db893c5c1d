"""Detail files back into a ledger."""

from __future__ import annotations

import json
import logging

import pytest

from loghub import reindex as module
from loghub.delivery import deliverer
from loghub.delivery.home import Home
from loghub.event import iso
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.reindex import Reindexed, reindex


@pytest.fixture
def folder(tmp_path):
    """Return the folder of the files."""
    return tmp_path / "errors"


@pytest.fixture
def shop(tmp_path, folder, monkeypatch):
    """Return a logger with a detail handler, and the handler's home; nothing is folded but by the test."""
    monkeypatch.setattr(deliverer, "stir", lambda: None)
    handler = JSONDetailHandler(str(folder), home=str(tmp_path / "home"), keep_per_group=5)
    log = logging.Logger("shop.cart")  # noqa: LOG001 - alone, without a root
    log.addHandler(handler)
    yield log, handler.home
    handler.close()


@pytest.fixture
def new(tmp_path):
    """Return an empty home."""
    one = Home(str(tmp_path / "new"), None)
    yield one
    one.close(1)


def fail(log, times=1, kind=ValueError, **extra):
    """Log a bug."""
    for _ in range(times):
        try:
            raise kind("bad price")
        except kind:
            log.exception("failed", extra=extra)


def test_ledger_that_was_lost(shop, folder, new):
    """A new ledger gets the groups, events and times of the old one, and counts up to the number of files."""
    log, home = shop
    fail(log, 9)
    fail(log, 2, KeyError)
    home.fold()
    old = home.ledger()
    done = reindex(new, [str(folder)])
    assert done == Reindexed(files=7, groups=2, events=7, occurrences=7)
    assert {one.fingerprint: one.count for one in new.ledger().groups()} == {
        one.fingerprint: min(one.count, 5) for one in old.groups()
    }
    assert {one["id"] for one in new.ledger().events(99)} <= {one["id"] for one in old.events(99)}
    for group in new.ledger().groups():
        whole, before = new.ledger().group(group.fingerprint), old.group(group.fingerprint)
        assert iso(whole.first_seen_at) == iso(before.first_seen_at)
        assert list(whole.servers) == list(before.servers)
        assert whole.culprit == before.culprit
    assert reindex(new, [str(folder)]) == Reindexed(files=7)


def state(home):
    """Return what a ledger counts."""
    ledger = home.ledger()
    return [one.count for one in ledger.groups()], ledger.hours(), ledger.days(), len(ledger.events(99))


def test_ledger_that_knows_them(shop, folder):
    """In the ledger that counted them nothing changes."""
    log, home = shop
    fail(log, 9)
    home.fold()
    before = state(home)
    assert reindex(home, [str(folder)]) == Reindexed(files=5)
    assert state(home) == before


@pytest.mark.parametrize("folded", [0, 2])
def test_beside_an_application(shop, folder, tmp_path, folded):
    """What living processes have in their journals is left to them: it is counted once, whoever comes first."""
    log, home = shop
    fail(log, folded)
    home.fold()
    fail(log, 9)
    other = Home(str(tmp_path / "home"), None)
    assert reindex(other, [str(folder)]).occurrences == 0
    home.fold()
    assert state(home)[0] == [9 + folded]
    assert reindex(other, [str(folder)]).occurrences == 0
    assert state(home)[0] == [9 + folded]
    other.close(1)


def test_what_cannot_be_read(shop, folder, new):
    """Damaged and foreign files are left out with their reason; the others count."""
    log, _ = shop
    fail(log, 3)
    one, two, _ = sorted(folder.iterdir())
    one.write_bytes(one.read_bytes()[:-40])
    two.write_text('{"no": "error"}')
    (folder / "notes.txt").write_text("mine")
    done = reindex(new, [str(folder)])
    assert (done.files, done.occurrences) == (1, 1)
    assert sorted(done.unreadable) == [
        (str(one), "no JSON, or cut off"),
        (str(two), "no error: there is no error_type in it"),
    ]


def test_one_event_in_two_folders(shop, folder, new, tmp_path):
    """A copy of a file is the same occurrence."""
    log, _ = shop
    fail(log)
    (tmp_path / "copy").mkdir()
    for file in folder.iterdir():
        (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
    assert reindex(new, [str(folder), str(tmp_path / "copy")]).occurrences == 1


def test_more_than_a_ledger_keeps(folder, new, monkeypatch):
    """Of many files of a group all are counted, and the newest events kept."""
    monkeypatch.setattr(module, "EVENTS_PER_GROUP", 4)
    folder.mkdir()
    for second in range(10):
        event = {"timestamp": f"2026-11-27T03:00:{second:02d}.000Z", "error_type": "X", "error_message": str(second)}
        (folder / f"error_20261127_0300{second:02d}_X.json").write_text(json.dumps(event | {"fingerprint": "v1:1"}))
    assert reindex(new, [str(folder)]) == Reindexed(files=10, groups=1, events=4, occurrences=10)
    assert [one["error_message"] for one in new.ledger().events(9)] == ["9", "8", "7", "6"]


def test_many_groups(folder, new, monkeypatch):
    """Many groups are taken in some at a time."""
    monkeypatch.setattr(module, "_GROUPS_AT_ONCE", 3)
    folder.mkdir()
    for number in range(10):
        event = {"timestamp": "2026-11-27T03:00:00.000Z", "error_type": "X", "fingerprint": f"v1:{number}"}
        (folder / f"error_20261127_030000_X{number}.json").write_text(json.dumps(event))
    assert reindex(new, [str(folder)]).groups == 10
