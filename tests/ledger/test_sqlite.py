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
from loghub.journal.reading import Fold, Tally
from loghub.ledger import connection, schema
from loghub.ledger.connection import CorruptLedgerError
from loghub.ledger.sqlite import SQLiteLedger
from tests import processes
from tests.ledger import rows

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
    tally = Tally(count=n, first_at=1.0, last_at=2.0, hours=Counter({(0, "", ""): n}), routed=Counter({"smtp:x": n}))
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


@pytest.mark.shows("ledger damaged", "said")
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
    row = ("a", 1, 1.0, *[""] * 9, "{" + "[" * 100_000)
    one._db.execute(f"INSERT INTO events VALUES (NULL, {', '.join('?' * len(row))})", row)
    one._db.execute("UPDATE groups SET error_message = CAST(x'ff61' AS TEXT)")
    (item,) = one.load(one.waiting("smtp:x", 0.0))
    assert item.memory == {}
    assert item.event["error_message"] == item.group.error_message == "\ufffda"
    assert one.memory("smtp:x") == {}
    assert one.events(10) == [{}]
    assert one.event("a") == {}


def test_damaged_memory(opened):
    """A memory that cannot be read says nothing, and stops nobody from looking at the others."""
    one = opened()
    count(one, 2)
    one._db.execute("UPDATE outbox SET memory = '{broken', told = total")
    one.remind("smtp:x", {ONE: 0})
    assert one.waiting("smtp:x", 0.0) == []
    assert one.entrust("smtp:x", ONE, {"link_to": 7})
    assert one.waiting("smtp:x", 0.0)[0].memory == {"link_to": 7}


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


@pytest.mark.shows("ledger locked", "ends in time")
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


def test_locked_while_it_is_made(opened, path):
    """While another process has begun to make the ledger and does not go on, that is said in time."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match="locked"):
        opened(timeout=0.1)
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
from loghub.journal.reading import Fold, Tally
from loghub.ledger.sqlite import SQLiteLedger
print("ready", flush=True)
sys.stdin.readline()
ledger = SQLiteLedger(sys.argv[1], timeout=10)
for n in range(20):
    tally = Tally(count=1, first_at=1.0, last_at=2.0, hours=Counter({(0, "", ""): 1}))
    assert ledger.fold(Fold("j" + sys.argv[2], n, n + 1, {"v1:1111111111111111": tally}))
print(ledger.id)
ledger.close()
"""


def at_once(script, path):
    """Run a script as two processes that begin together; return what each printed and said on stderr."""
    with processes.python(script, path, 1) as one, processes.python(script, path, 2) as two:
        for process in (one, two):
            assert process.stdout.readline() == "ready\n"
        for process in (one, two):
            process.stdin.write("\n")
            process.stdin.flush()
        return [process.communicate() for process in (one, two)]


def test_made_by_two_processes_at_once(opened, path):
    """Processes that find no ledger and make one at the same time make one, and lose nothing."""
    said = at_once(MAKING, path)
    assert said[0] == said[1] == (opened().id + "\n", ""), said
    assert opened().group(ONE).count == 40


FORKING = """
import os, sys
from collections import Counter
from loghub.journal.reading import Fold, Tally
from loghub.ledger.sqlite import SQLiteLedger

def count(ledger, name):
    start = ledger.offset(name)
    tally = Tally(count=1, first_at=1.0, last_at=2.0, hours=Counter({(0, "", ""): 1}))
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


@pytest.mark.shows("forked", "nothing lost")
def test_fork(opened, path):
    """A child writes on when its parent closes the file: it does not take the parent's locks for its own."""
    processes.run(FORKING, path)
    assert opened().group(ONE).count == 53


@pytest.mark.shows("home not writable", "said")
def test_read_only_folder(opened, path, monkeypatch):
    """Where the folder cannot be written, that is said, and what to do."""
    opened().close()
    monkeypatch.setattr(connection.os, "access", lambda *_: False)
    monkeypatch.setattr(connection.sqlite3, "connect", lambda *_, **__: raising("unable to open database file"))
    with pytest.raises(LedgerError, match=r"unable to open.*folder cannot be written.*copy it"):
        SQLiteLedger(path)


def raising(text):
    """Raise what SQLite raises."""
    raise sqlite3.OperationalError(text)


def test_read_only_file(opened, path):
    """A file that may only be read cannot be written, and that is said."""
    one = opened()
    count(one)
    one.close()
    readonly = f"file:{path}?mode=ro&immutable=1"
    one._opened = sqlite3.connect(readonly, uri=True, isolation_level=None, check_same_thread=False)
    with pytest.raises(LedgerError, match="readonly"):
        count(one)


@pytest.mark.shows("disk full", "nothing twice")
def test_full_disk(opened, tmp_path):
    """On a full disk the fold is undone as a whole, and works when there is room."""
    one = opened()
    one._db.execute("PRAGMA max_page_count = 30")
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
    monkeypatch.setattr(schema, "TABLES", schema.TABLES + "; CREATE NONSENSE")
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


# Older schemas

SCHEMA_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE journals (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE groups (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    error_type TEXT NOT NULL, error_module TEXT NOT NULL, error_message TEXT NOT NULL,
    component TEXT NOT NULL, module TEXT NOT NULL, culprit TEXT NOT NULL,
    level TEXT NOT NULL, logger TEXT NOT NULL,
    count INTEGER NOT NULL, first_seen_at REAL NOT NULL, last_seen_at REAL NOT NULL,
    status TEXT NOT NULL DEFAULT 'open', issue_url TEXT
);
CREATE INDEX groups_by_time ON groups (last_seen_at);
CREATE TABLE facts (
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    kind TEXT NOT NULL, value TEXT NOT NULL,
    count INTEGER NOT NULL, first_seen_at REAL NOT NULL, last_seen_at REAL NOT NULL,
    PRIMARY KEY (group_id, kind, value)
) WITHOUT ROWID;
CREATE TABLE events (
    id TEXT NOT NULL PRIMARY KEY,
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    at REAL NOT NULL, data TEXT NOT NULL
);
CREATE INDEX events_by_time ON events (at);
CREATE INDEX events_by_group ON events (group_id, at);
CREATE TABLE hours (
    hour INTEGER NOT NULL,
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    count INTEGER NOT NULL,
    PRIMARY KEY (hour, group_id)
) WITHOUT ROWID;
CREATE TABLE outbox (
    destination TEXT NOT NULL,
    group_id INTEGER NOT NULL REFERENCES groups ON DELETE CASCADE,
    total INTEGER NOT NULL, told INTEGER NOT NULL DEFAULT 0,
    level INTEGER NOT NULL, since_at REAL NOT NULL, due_at REAL NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '', memory TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (destination, group_id)
) WITHOUT ROWID;
CREATE INDEX outbox_waiting ON outbox (destination, since_at) WHERE total > told;
CREATE TABLE destinations (
    name TEXT PRIMARY KEY, owner TEXT NOT NULL DEFAULT '', leased_until REAL NOT NULL DEFAULT 0,
    memory TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;
CREATE TABLE spent (name TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX spent_by_name ON spent (name, at);

INSERT INTO meta VALUES ('id', '0123456789ab'), ('dropped', '4');
INSERT INTO journals VALUES ('j1', 0), ('gone', 700);
INSERT INTO groups VALUES
    (1, 'v1:1111111111111111', 'ValueError', 'builtins', 'bad price', 'shop', 'shop.cart', 'shop.cart in total',
     'ERROR', 'shop', 7, 1.0, 9.5, 'open', NULL),
    (5, 'v1:2222222222222222', 'KeyError', 'builtins', 'sku', 'till', 'shop.till', 'shop.till in scan',
     'CRITICAL', 'shop.till', 2, 3.0, 4.0, 'resolved', 'https://github.com/acme/shop/issues/3');
INSERT INTO facts VALUES (1, 'release', '1.0', 7, 1.0, 9.5), (5, 'server', 'web1', 2, 3.0, 4.0);
INSERT INTO events VALUES ('aa', 1, 9.5, '{"id": "aa", "error_type": "ValueError"}');
INSERT INTO hours VALUES (0, 1, 7), (0, 5, 2);
INSERT INTO outbox VALUES
    ('smtp:x', 1, 7, 3, 40, 9.5, 12.0, 2, 0, '502', '{"number": 1}'),
    ('smtp:x', 5, 2, 2, 50, 4.0, 0, 0, 0, '', '{}'),
    ('github:acme/shop', 5, 2, 1, 50, 4.0, 0, 1, 1, '422', '{"number": 3}');
INSERT INTO destinations VALUES ('smtp:x', '', 0, '{"rest_until": 12.0}');
INSERT INTO spent VALUES ('smtp:x mails', 5.0);
PRAGMA user_version = 1;
"""
"""A ledger as the first schema had it, with something in each table."""

TABLES = ("meta", "journals", "groups", "facts", "events", "hours", "outbox", "destinations", "spent")


@pytest.fixture
def old(path):
    """Make a ledger of the first schema; return what is in it."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.executescript(SCHEMA_1)
    return contents(path)


def contents(path):
    """Return the rows of a ledger, by table, and its schema's version."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        rows = {table: sorted(file.execute(f"SELECT * FROM {table}")) for table in TABLES}
        return rows | {"version": file.execute("PRAGMA user_version").fetchone()}


def test_schema_1(opened, path, old):
    """A ledger of the first schema is made one of today's with all that is in it, and nothing in it is muted."""
    one = opened()
    assert one.id == "0123456789ab"
    assert {group.fingerprint: (group.count, group.status, group.muted_until) for group in one.groups()} == {
        ONE: (7, "open", 0.0),
        "v1:2222222222222222": (2, "resolved", 0.0),
    }
    assert one.mute(ONE, 5.0)
    assert one.group(ONE).muted_until == 5.0
    assert one.mute(ONE, 0.0)
    one.close()
    words = (
        "valueerror\nbad price\nshop.cart in total\nshop\nshop",
        "keyerror\nsku\nshop.till in scan\ntill\nshop.till",
    )
    assert contents(path) == old | {
        "groups": [
            (*row, 0.0, said, severity) for row, said, severity in zip(old["groups"], words, (40, 50), strict=True)
        ],
        "events": [
            (1, "aa", 1, 9.5, "ValueError", *[""] * 6, 40, "valueerror\nunknown place", old["events"][0][3]),
        ],
        "hours": [(1, 0, 1, 7), (5, 0, 1, 2)],
        "version": (schema.VERSION,),
    }
    with contextlib.closing(sqlite3.connect(path)) as file:
        assert sorted(file.execute("SELECT * FROM days")) == [(0, 1, 1, 7), (0, 5, 1, 2)]
    again = opened()
    assert count(again)
    assert again.group(ONE).count == 8


def test_an_old_schema_becomes_the_new_one(opened, path, old, tmp_path):
    """A ledger that was brought up to date has the tables, columns and indices of a new one."""

    def schema(path):
        with contextlib.closing(sqlite3.connect(path)) as file:
            names = file.execute("SELECT name, tbl_name FROM sqlite_master ORDER BY name").fetchall()
            tables = [name for name, table in names if name == table]
            return names, {table: file.execute(f"PRAGMA table_info({table})").fetchall() for table in tables}

    opened().close()
    SQLiteLedger(str(tmp_path / "new.db")).close()
    assert schema(path) == schema(tmp_path / "new.db")


def test_room_of_an_old_ledger_is_given_back(opened, path, old):
    """A file of an older version gives back what lies free in it, and does so in steps from then on."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.executemany("INSERT INTO events VALUES (?, 1, 1.0, ?)", [(str(n), "x" * 10_000) for n in range(900)])
        file.commit()
    one = opened()
    one._db.execute("DELETE FROM events")
    size = os.path.getsize(path)
    assert one.tidy(10.0) is False
    one.close()
    assert os.path.getsize(path) < size / 4
    assert one._db.execute("PRAGMA auto_vacuum").fetchone() == (2,)
    assert one.group(ONE).count == 7


def test_schema_1_and_two_processes(opened, path, old):
    """Processes that bring a ledger up to date at the same time do it once, and lose nothing of it or of their own."""
    said = at_once(MAKING, path)
    assert said == [("0123456789ab\n", "")] * 2
    assert opened().group(ONE).count == 47


DYING = """
import os, signal, sys
from loghub.ledger import schema, sqlite

class LastWords(str):
    def split(self, *args):
        os.kill(os.getpid(), signal.SIGKILL)

schema.TABLES = LastWords(schema.TABLES)  # is looked at when the old tables are changed
sqlite.SQLiteLedger(sys.argv[1])
"""


def test_killed_in_the_midst_of_schema_1(opened, path, old):
    """A process that dies within the change leaves the ledger as it was; the next one changes it."""
    processes.run(DYING, path, code=-9)
    assert contents(path) == old
    assert opened().group(ONE).count == 7
    assert contents(path)["version"] == (schema.VERSION,)


def test_descriptors_closed_under_us(tmp_path):
    """Where somebody closed all descriptors the file is opened anew, and nothing of the application's is closed."""
    script = """
    import os, sys
    from loghub.ledger.sqlite import SQLiteLedger
    folder = sys.argv[1]
    ledger = SQLiteLedger(folder + "/ledger.db")
    ledger.remember("smtp:x", {"a": 1})
    os.closerange(3, 100)
    theirs = [open(f"{folder}/{n}", "w+b", buffering=0) for n in range(10)]
    assert ledger.memory("smtp:x") == {"a": 1}
    ledger.remember("smtp:x", {"a": 2})
    ledger.close()
    assert ledger.memory("smtp:x") == {"a": 2}
    os.closerange(3, 100)
    more = [open(f"{folder}/{n}", "r+b", buffering=0) for n in range(10)]
    assert ledger.hold(1.0)  # before a fork
    ledger.resume()
    assert [os.fstat(one.fileno()).st_size for one in more] == [0] * 10
    os.closerange(3, 100)
    os._exit(0)
    """
    processes.run(script, tmp_path)


def test_mark_of_what_others_change(tmp_path):
    """The mark changes with what another process writes into the file, and not with what it reads."""
    one, other = (SQLiteLedger(str(tmp_path / "ledger.db")) for _ in range(2))
    rows.fold(one, rows.tally())
    marks = [one.mark()]
    assert other.groups()
    marks.append(one.mark())
    other.mute(rows.ONE, rows.T0)
    marks.append(one.mark())
    assert marks[0] == marks[1] != marks[2]
    one.close()
    other.close()
