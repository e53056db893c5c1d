"""The ledger in a file: damaged, newer, locked, replaced, read-only, or made by two processes at once."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections import Counter

import pytest

from loghub.errors import LedgerError
from loghub.journal import Fold, Tally
from loghub.ledger import sqlite
from loghub.ledger.sqlite import CorruptLedgerError, SQLiteLedger
from tests import processes

ONE = "v1:1111111111111111"


@pytest.fixture
def path(tmp_path):
    """Return where the ledger is."""
    return str(tmp_path / "ledger.db")


@pytest.fixture
def opened(path):
    """Return a maker of ledgers on one file, closed afterwards."""
    made = []

    def one(**options):
        made.append(SQLiteLedger(path, **options))
        return made[-1]

    yield one
    for each in made:
        each.close()


def count(ledger, n=1, journal="j"):
    """Fold n occurrences."""
    start = ledger.offset(journal)
    tally = Tally(count=n, first_at=1.0, last_at=2.0, hours=Counter({0: n}), routed=Counter({"smtp:x": n}))
    return ledger.fold(Fold(journal, start, start + 1, {ONE: tally}))


def test_it_stays(opened):
    """What was folded is there for the next who opens the file, under the same name."""
    one = opened()
    count(one, 3)
    one.close()
    other = opened()
    assert other.group(ONE).count == 3
    assert other.id == one.id
    assert other.offset("j") == 1


def test_closed_is_opened_again(opened):
    """After close the next call opens the file again."""
    one = opened()
    count(one, 3)
    one.close()
    one.close()
    assert one.group(ONE).count == 3


def test_private(opened, path):
    """The ledger is for its user alone."""
    count(opened())
    assert {os.stat(path + suffix).st_mode & 0o777 for suffix in ("", "-wal", "-shm")} == {0o600}


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_no_database(opened, path, content):
    """A file that is no database, or a ruined one, is said to be damaged, with its name and what to do."""
    with open(path, "wb") as file:
        file.write(content)
    with pytest.raises(CorruptLedgerError, match=r"damaged.*move it away") as caught:
        opened()
    assert path in str(caught.value)
    assert caught.value.inode == os.stat(path).st_ino
    with open(path, "rb") as file:
        assert file.read() == content


def test_damaged_in_the_middle(opened, path):
    """Damage behind an intact beginning is found when it is read."""
    one = opened()
    for n in range(200):
        count(one, 1, f"j{n:040}")
    one.close()
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(CorruptLedgerError, match="damaged"):
        count(opened(), 1, "j" + "0" * 39 + "7")


def test_truncated(opened, path):
    """A file that was cut off is damaged."""
    one = opened()
    for n in range(200):
        count(one, 1, f"j{n:040}")
    one.close()
    os.truncate(path, 5000)
    with pytest.raises(CorruptLedgerError, match="damaged"):
        opened().groups()


def test_damaged_rows(opened):
    """A row that cannot be read costs what is in it, and no more."""
    one = opened()
    count(one, 2)
    one._db.execute("UPDATE outbox SET memory = '{broken'")
    one._db.execute("INSERT INTO destinations (name, memory) VALUES ('smtp:x', '[1]')")
    one._db.execute("INSERT INTO events VALUES ('a', 1, 1.0, ?)", ("{" + "[" * 100_000,))
    one._db.execute("UPDATE groups SET error_message = CAST(x'ff61' AS TEXT)")
    (item,) = one.load(one.waiting("smtp:x", 0.0))
    assert item.memory == {}
    assert item.event["error_message"] == item.group.error_message == "\ufffda"
    assert one.memory("smtp:x") == {}
    assert one.events(10) == [{}]
    assert one.event("a") == {}


def test_newer(opened, path):
    """A ledger of a newer loghub is left alone, with a sentence that says what to do."""
    one = opened()
    count(one)
    one._db.execute("PRAGMA user_version = 99")
    one.close()
    with pytest.raises(LedgerError, match=r"newer loghub \(schema 99.*upgrade loghub-handlers"):
        opened()
    with pytest.raises(LedgerError, match="newer"):
        count(one)
    with contextlib.closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (99,)


def test_locked(opened, path):
    """While another process writes for long, a call gives up in time; afterwards all goes on."""
    one = opened(timeout=0.1)
    count(one)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    with pytest.raises(LedgerError, match=r"cannot be used now: database is locked"):
        count(one)
    assert time.monotonic() - started < 5
    assert one.group(ONE).count == 1  # readers go on
    other.execute("ROLLBACK")
    assert count(one)
    other.close()


def test_locked_from_the_beginning(opened, path):
    """A file that another process has locked as a whole cannot be opened now, and that is said in time."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    other.execute("CREATE TABLE x (y)")
    started = time.monotonic()
    with pytest.raises(LedgerError, match="locked"):
        opened(timeout=0.1)
    assert time.monotonic() - started < 5
    other.execute("ROLLBACK")
    other.close()
    assert opened().groups() == []


def test_a_folder_that_is_not_there(tmp_path):
    """A file that cannot be made is said at once."""
    started = time.monotonic()
    with pytest.raises(LedgerError, match=r"nowhere.*unable to open"):
        SQLiteLedger(str(tmp_path / "nowhere" / "ledger.db"), timeout=5)
    assert time.monotonic() - started < 4


def test_removed(opened, path):
    """When somebody removes the file, a new one is begun: nothing is written to where nobody reads."""
    one = opened()
    count(one, 3)
    before = one.id
    for name in (path, path + "-wal", path + "-shm"):
        os.unlink(name)
    assert one.offset("j") == 0
    assert count(one, 2)
    assert one.id != before
    assert opened().group(ONE).count == 2


def test_replaced(opened, path, tmp_path):
    """When another file is put in its place, that one is used; closing the old one does not harm it."""
    one = opened()
    count(one, 3)
    os.rename(path, path + ".aside")
    for suffix in ("-wal", "-shm"):
        os.rename(path + suffix, path + ".aside" + suffix)
    other = opened()
    count(other, 1)
    count(one, 1, "k")
    one.close()
    count(other, 1)
    other.close()
    assert opened().group(ONE).count == 3


MAKING = """
import sys
from collections import Counter
from loghub.journal import Fold, Tally
from loghub.ledger.sqlite import SQLiteLedger
print("ready", flush=True)
sys.stdin.readline()
ledger = SQLiteLedger(sys.argv[1], timeout=10)
for n in range(20):
    tally = Tally(count=1, first_at=1.0, last_at=2.0, hours=Counter({0: 1}))
    assert ledger.fold(Fold("j" + sys.argv[2], n, n + 1, {"v1:1111111111111111": tally}))
print(ledger.id)
ledger.close()
"""


def test_made_by_two_processes_at_once(opened, path):
    """Processes that find no ledger and make one at the same time make one, and lose nothing."""
    with processes.python(MAKING, path, 1) as one, processes.python(MAKING, path, 2) as two:
        for process in (one, two):
            assert process.stdout.readline() == "ready\n"
        for process in (one, two):
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate() for process in (one, two)]
    assert said[0] == said[1] == (opened().id + "\n", ""), said
    assert opened().group(ONE).count == 40


FORKING = """
import os, sys
from collections import Counter
from loghub.journal import Fold, Tally
from loghub.ledger.sqlite import SQLiteLedger

def count(ledger, name):
    start = ledger.offset(name)
    tally = Tally(count=1, first_at=1.0, last_at=2.0, hours=Counter({0: 1}))
    assert ledger.fold(Fold(name, start, start + 1, {"v1:1111111111111111": tally}))

ledger = SQLiteLedger(sys.argv[1])
count(ledger, "parent")
assert ledger.hold(1)
came, told = os.pipe()
child = os.fork()
if child == 0:
    mine = SQLiteLedger(sys.argv[1])
    count(mine, "child")
    assert os.read(came, 1) == b"x"  # the parent has closed its ledger
    for _ in range(50):
        count(mine, "child")
    mine.close()
    os._exit(0)
ledger.resume()
count(ledger, "parent")
while ledger.offset("child") == 0:
    pass
ledger.close()
os.write(told, b"x")
assert os.waitpid(child, 0)[1] == 0
"""


def test_fork(opened, path):
    """A child writes on when its parent closes the file: it does not take the parent's locks for its own."""
    processes.run(FORKING, path)
    assert opened().group(ONE).count == 53


def test_read_only_file(opened, path):
    """A file that may only be read cannot be written, and that is said."""
    one = opened()
    count(one)
    one.close()
    readonly = f"file:{path}?mode=ro&immutable=1"
    one._opened = sqlite3.connect(readonly, uri=True, isolation_level=None, check_same_thread=False)
    with pytest.raises(LedgerError, match="readonly"):
        count(one)


def test_full_disk(opened, tmp_path):
    """On a full disk the fold is undone as a whole, and works when there is room."""
    one = opened()
    one._db.execute("PRAGMA max_page_count = 25")
    names = [f"{n}" + "x" * 1000 for n in range(1000)]
    with pytest.raises(LedgerError, match="full"):
        all(count(one, 1, name) for name in names)
    one._db.execute("PRAGMA max_page_count = 100000")
    taken = one.group(ONE).count
    assert 0 < taken < 1000
    assert one.offset(names[taken]) == 0
    assert all(count(one, 1, name) for name in names[taken:])
    assert one.group(ONE).count == 1000


def test_schema_is_in_one_transaction(path, monkeypatch):
    """A process that dies while it makes the tables leaves none."""
    monkeypatch.setattr(sqlite, "_SCHEMA", sqlite._SCHEMA + "; CREATE NONSENSE")
    with pytest.raises(LedgerError, match="NONSENSE"):
        SQLiteLedger(path)
    monkeypatch.undo()
    one = SQLiteLedger(path)
    assert one.groups() == []
    one.close()
    shutil.copy(path, path + "2")
    two = SQLiteLedger(path + "2")
    assert two.id == one.id
    two.close()
