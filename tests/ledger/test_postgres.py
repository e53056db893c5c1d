"""The ledger in a database: a server that goes away, versions, rights, clocks, forks, and many who fold at once."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from loghub.errors import LedgerError, MissingExtraError
from loghub.journal.reading import Fold
from loghub.ledger import postgres_schema, schema, server
from loghub.ledger.address import read_address
from loghub.ledger.postgres import PostgresLedger
from loghub.ledger.protocol import Outcome
from tests import processes
from tests.ledger.rows import GITHUB, ONE, T0, TWO, event, fold, tally
from tests.postgres import PASSWORD, Relay, Server, free_port


@pytest.fixture
def name(postgres):
    """Return the name of a schema that is not there."""
    one = postgres.empty_schema() + "x"
    yield one
    postgres.execute(f"DROP SCHEMA IF EXISTS {one} CASCADE")


@pytest.fixture
def opened(postgres, name):
    """Return a maker of ledgers in one schema, closed afterwards."""
    made = []

    def one(url=None, **options):
        made.append(PostgresLedger(read_address(url or postgres.url(name)), **options))
        return made[-1]

    yield one
    for each in made:
        each.close()


@pytest.fixture
def mortal():
    """Return a server that a test may kill."""
    one = Server()
    yield one
    one.close()


def count(ledger, n=1, journal="j"):
    """Fold n occurrences."""
    start = ledger.offset(journal)
    return ledger.fold(Fold(journal, start, start + 1, {ONE: tally(n, github=n)}))


# The server goes away


def test_sessions_are_cut_off(opened, postgres):
    """Where the connection was lost between two calls, the next one has another, and nobody notices."""
    one = opened()
    count(one, 3)
    postgres.end_sessions()
    assert one.group(ONE).count == 3
    postgres.end_sessions()
    assert count(one, 2)
    assert one.group(ONE).count == 5


@pytest.mark.slow
def test_killed_and_started(mortal):
    """While the server is dead a call fails with a sentence; what was folded before is there afterwards, once."""
    one = PostgresLedger(read_address(mortal.url()))
    for _ in range(5):
        assert count(one)
    mortal.kill()
    with pytest.raises(LedgerError, match=r"postgresql://postgres@127.0.0.1.* cannot be used now: .*refused"):
        one.fold(Fold("j", 5, 6, {ONE: tally(1)}))
    mortal.start()
    assert one.offset("j") == 5
    assert one.fold(Fold("j", 5, 6, {ONE: tally(1)}))
    assert one.group(ONE).count == 6
    one.close()


@pytest.mark.shows("database cut off", "nothing lost", "nothing twice")
def test_answer_to_commit_is_lost(opened, postgres, name):
    """Where the end of a fold was not heard of, the offset tells that it is in: it is not folded again."""
    relay = Relay(postgres.port)
    one = opened(postgres.url(name, port=relay.port))
    count(one, 3)
    relay.cut_at(b"COMMIT")
    assert one.fold(Fold("j", 1, 2, {ONE: tally(4)}))
    assert one.offset("j") == 2
    assert one.group(ONE).count == 7
    relay.close()


@pytest.mark.parametrize("word", [b"BEGIN", b"INTO groups", b"INTO facts"])
@pytest.mark.shows("database cut off", "nothing lost", "nothing twice")
def test_cut_off_in_the_midst_of_a_fold(opened, postgres, name, word):
    """Where the connection is lost before the end of a fold, it is folded over another, once."""
    relay = Relay(postgres.port)
    one = opened(postgres.url(name, port=relay.port))
    count(one, 3)
    relay.cut_at(word)
    assert one.fold(Fold("j", 1, 2, {ONE: tally(4, github=4)}))
    assert (one.group(ONE).count, one.waiting(GITHUB, T0)[0].count) == (7, 7)
    relay.close()


@pytest.mark.slow
@pytest.mark.shows("database hangs", "ends in time")
def test_no_answer(mortal, monkeypatch):
    """A server that answers nothing holds a call up for a bounded time."""
    monkeypatch.setattr(server, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(server, "_DEFAULTS", (("", "connect_timeout", 2), ("", "tcp_user_timeout", 1000)))
    one = PostgresLedger(read_address(mortal.url()))
    mortal.pause()
    try:
        with pytest.raises(LedgerError, match="cannot be used now"):
            one.groups()
    finally:
        mortal.go_on()
    assert one.groups() == []
    one.close()


def test_locked(opened, postgres, name, monkeypatch):
    """While another session has a lock for long, a call gives up in time; afterwards all goes on."""
    monkeypatch.setattr(server, "LOCK_SECONDS", 0.2)
    one = opened()
    count(one)
    other = opened()
    with other._transaction() as db:
        db.execute("SELECT 1 FROM groups FOR UPDATE")
        with pytest.raises(LedgerError, match="lock timeout"):
            count(one)
        assert one.group(ONE).count == 1  # readers go on
    assert count(one)
    assert one.offset("j") == 2


def test_read_only(opened, postgres, name):
    """A standby, or a database that may only be read, is read; to write there fails with what to do."""
    count(opened())
    one = opened(postgres.url(name, options="-c default_transaction_read_only=on"))
    assert one.group(ONE).count == 1
    with pytest.raises(LedgerError, match=r"read-only transaction.*target_session_attrs=read-write"):
        count(one)


# Who may come, and to what


def test_made_by_whoever_comes_first(opened):
    """Of many that come at once to a database without tables one makes them, and all have the same ledger."""
    ledgers = [opened() for _ in range(6)]
    threads = [threading.Thread(target=count, args=(one, 1, f"j{n}")) for n, one in enumerate(ledgers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.id for one in ledgers}) == 1
    assert ledgers[0].group(ONE).count == 6


def test_same_columns_in_both(opened, name, postgres, tmp_path):
    """The tables have the columns that they have in SQLite, and when a journal was moved last."""
    opened().groups()
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        schema.create(db)
        there = {
            (table, column[1])
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for column in db.execute(f"PRAGMA table_info({table})").fetchall()
        }
    db.close()
    found = postgres.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s", [name]
    )
    assert set(found) == there | {("journals", "moved_at")}


def test_newer(opened, postgres, name):
    """A ledger of a newer loghub is left alone, with a sentence that says what to do."""
    one = opened()
    count(one)
    postgres.execute(f"UPDATE {name}.meta SET value = '99' WHERE key = 'schema'")
    with pytest.raises(LedgerError, match=r"newer loghub \(schema 99.*upgrade loghub-handlers"):
        opened().groups()


def test_older(opened, postgres, name, monkeypatch):
    """A ledger of an older loghub is brought up to date by the first who comes, once, with all that is in it."""
    count(opened(), 3)
    changed = []
    monkeypatch.setattr(postgres_schema, "VERSION", 2)
    monkeypatch.setitem(postgres_schema.CHANGES, 1, lambda db: changed.append(db.execute("SELECT 1").fetchone()))
    assert [opened().group(ONE).count for _ in range(3)] == [3, 3, 3]
    assert changed == [(1,)]
    assert postgres.execute(f"SELECT value FROM {name}.meta WHERE key = 'schema'") == [("2",)]


@pytest.fixture
def clerk(postgres, name):
    """Return a user who may do nothing yet."""
    user = f"clerk_{name}"
    postgres.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")
    postgres.execute("REVOKE CREATE ON DATABASE postgres FROM PUBLIC")
    yield user
    postgres.execute(f"DROP OWNED BY {user} CASCADE; DROP ROLE {user}")


def test_least_rights(opened, postgres, name, clerk):
    """Where the tables are there, no right to make anything is needed; what is needed is said where it lacks."""
    url = postgres.url(name, user=clerk)
    with pytest.raises(LedgerError, match=r"permission denied.*needs USAGE on the schema.*CREATE on the database"):
        opened(url).groups()
    count(opened())
    with pytest.raises(LedgerError, match=r"permission denied for schema.*needs USAGE"):
        opened(url).groups()
    postgres.execute(
        f"GRANT USAGE ON SCHEMA {name} TO {clerk};"
        f" GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {clerk}"
    )
    one = opened(url)
    assert count(one, 2, "k")
    fold(one, tally(1, kept=[event()], github=1))
    (item,) = one.load(one.waiting(GITHUB, T0))
    one.settle(GITHUB, [Outcome(ONE, "done", item.total)], T0)
    assert one.lease(GITHUB, "a", T0, 60)
    assert one.spend("b", 1, 60, T0) == 0.0
    assert one.tidy(T0) is False
    assert one.purge([ONE]) == 1


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"database": "nowhere"}, r'database "nowhere" does not exist\. Create it'),
        ({"password": "wrong" + PASSWORD}, r"password authentication failed.* Correct user and password"),
        ({"sslmod": "disable"}, r"a parameter that libpq does not know.*sslmode"),
        ({"connect_timeout": "soon"}, r"cannot be used now: .*connect_timeout"),
    ],
)
@pytest.mark.shows("database away", "no secret", "said")
def test_what_is_wrong_is_said(opened, postgres, name, how, said):
    """A wrong address fails with a sentence that says what to do, and without the password."""
    with pytest.raises(LedgerError, match=said) as failed:
        opened(postgres.url(name, **how)).groups()
    assert PASSWORD not in str(failed.value)
    assert failed.value.__cause__ is None


def test_nobody_there(opened):
    """Where nobody listens, that is said."""
    with pytest.raises(LedgerError, match="refused"):
        opened(f"postgresql://u:{'secret123'}@127.0.0.1:{free_port()}/x").groups()


def test_wrong_encoding(opened, postgres, name):
    """A database that cannot hold all texts is refused, with what to do."""
    postgres.execute(f"CREATE DATABASE latin_{name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    with pytest.raises(LedgerError, match="encoding LATIN1: make one with ENCODING 'UTF8'"):
        opened(postgres.url(name, database=f"latin_{name}")).groups()
    postgres.execute(f"DROP DATABASE latin_{name} WITH (FORCE)")


def test_environment(opened, postgres, name, monkeypatch):
    """What the address leaves out comes from PG* variables."""
    for variable, value in {"PGHOST": "127.0.0.1", "PGPORT": str(postgres.port), "PGUSER": "postgres",
                            "PGPASSWORD": PASSWORD, "PGDATABASE": "postgres"}.items():  # fmt: skip
        monkeypatch.setenv(variable, value)
    assert count(opened(f"postgresql://?schema={name}"))


def test_without_psycopg():
    """Without psycopg the option is refused, with what to install."""
    script = """
    import sys
    sys.modules["psycopg"] = None
    from loghub.errors import MissingExtraError
    from loghub.handlers.base import ReportingHandler
    try:
        ReportingHandler(ledger="postgresql://db/errors")
    except MissingExtraError as error:
        print(error)
    """
    assert "pip install 'loghub-handlers[postgres]'" in processes.run(script)[0]
    assert issubclass(MissingExtraError, ImportError)


def test_schema_is_dropped(opened, postgres, name):
    """Where somebody drops the schema, a call fails and the next begins a new ledger, under a new name."""
    one = opened()
    count(one, 3)
    before = one.id
    postgres.execute(f"DROP SCHEMA {name} CASCADE")
    with pytest.raises(LedgerError, match="does not exist"):
        one.groups()
    assert count(one, 2)
    assert one.group(ONE).count == 2
    assert one.id != before


# Clocks


def ahead(seconds):
    """Return a clock that is wrong."""
    return lambda: time.time() + seconds


@pytest.mark.parametrize("wrong", [-7200.0, 7200.0])
def test_clocks(opened, wrong):
    """Leases, budgets and what is due hold among hosts whose clocks are hours apart, each by its own time."""
    clock = ahead(wrong)
    right, other = opened(), opened(now=clock)
    assert right.lease(GITHUB, "a", time.time(), 60)
    assert not other.lease(GITHUB, "b", clock(), 60)
    owner, until = other.leaseholder(GITHUB)
    assert owner == "a"
    assert abs(until - clock() - 60) < 30
    assert other.lease(GITHUB, "b", clock() + 61, 60)
    assert not right.lease(GITHUB, "a", time.time() + 61, 60)
    assert right.spend("b", 1, 60, time.time()) == 0.0
    assert 30 < other.spend("b", 1, 60, clock()) <= 62
    fold(other, tally(1, github=1))
    (item,) = right.waiting(GITHUB, time.time())
    assert abs(item.since_at - time.time()) < 30
    other.settle(GITHUB, [Outcome(ONE, "later", 0, due_at=clock() + 100)], clock())
    assert 70 < right.waiting(GITHUB, time.time())[0].due_at - time.time() <= 102
    assert 70 < other.waiting(GITHUB, clock())[0].due_at - clock() <= 102


@pytest.mark.parametrize("jump", [-300.0, 300.0])
def test_a_clock_is_set(opened, jump):
    """A host whose clock is set neither takes a lease that holds, nor gives back what the fleet has spent."""
    off = [0.0]
    right, other = opened(), opened(now=lambda: time.time() + off[0])
    assert not other.leaseholder(GITHUB)[0]
    assert right.lease(GITHUB, "a", time.time(), 60)
    assert right.spend("b", 1, 3600, time.time()) == 0.0
    off[0] = jump
    assert not other.lease(GITHUB, "b", time.time() + jump, 60)
    assert other.spend("b", 1, 3600, time.time() + jump) > 0


def test_takeover(opened):
    """What a host that died had the right to deliver, another may when the lease is over, and not before."""
    dead, other = opened(), opened()
    now = time.time()
    assert dead.lease(GITHUB, "dead", now, 60)
    dead.close()
    assert not other.lease(GITHUB, "other", now + 59, 60)
    assert other.lease(GITHUB, "other", now + 60, 60)


# Many at once


@pytest.mark.slow
def test_many_hosts(opened, postgres):
    """Hosts that fold the same bugs, settle and tidy at once lose nothing, and do not wait for each other in a ring."""
    prints = [f"v1:{n:016x}" for n in range(12)]
    failed = []

    def host(number):
        ledger, rng = opened(), random.Random(number)
        try:
            for n in range(25):
                some = rng.sample(prints, 6)
                tallies = {one: tally(1, kept=[event(one) | {"id": f"{number}-{n}-{one}"}], github=1) for one in some}
                assert ledger.fold(Fold(f"j{number}", n, n + 1, tallies))
                told = [Outcome(one.group.fingerprint, "done", 0, memory={"status": "open"})
                        for one in ledger.waiting(GITHUB, T0)]  # fmt: skip
                ledger.settle(GITHUB, rng.sample(told, len(told)), T0)
                ledger.tidy(T0)
        except LedgerError as error:
            failed.append(error)

    threads = [threading.Thread(target=host, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert "deadlock" not in (postgres.folder / "log").read_text(errors="replace")
    assert opened().totals()["occurrences"] == 4 * 25 * 6


def test_a_budget_of_many_hosts(opened):
    """However many spend at once, no more is spent than there is."""
    ledgers, taken = [opened() for _ in range(6)], []

    def spend(ledger):
        taken.extend(ledger.spend("b", 10, 3600, T0) == 0.0 for _ in range(5))

    threads = [threading.Thread(target=spend, args=(one,)) for one in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 10


def test_a_group_that_is_deleted_while_it_is_folded(opened):
    """Where a group is deleted while something is meant for it, the fold is done anew, with the group."""
    one, other = opened(), opened()
    fold(one, tally(3))
    for n in range(10):
        deleting = threading.Thread(target=other.purge, args=([ONE],))
        deleting.start()
        assert one.fold(Fold("k", n, n + 1, {ONE: tally(1, github=1), TWO: tally(1)}))
        deleting.join()
    assert one.group(TWO).count == 10


# Forks, and descriptors that are closed under us

FORKING = """
import os, sys
from loghub.ledger.address import read_address
from loghub.ledger.postgres import PostgresLedger
ledger = PostgresLedger(read_address(sys.argv[1]))
ledger.remember("parent", {"n": 1})
held = sys.argv[2] == "held"
if held:
    assert ledger.hold(1)
child = os.fork()
if child == 0:
    mine = PostgresLedger(read_address(sys.argv[1])) if held else ledger
    for n in range(20):
        mine.remember("child", {"n": n})
    mine.close()
    os._exit(0)
if held:
    ledger.resume()
for n in range(20):
    ledger.remember("parent", {"n": n})
assert os.waitpid(child, 0)[1] == 0
assert ledger.memory("parent") == ledger.memory("child") == {"n": 19}
ledger.close()
"""


@pytest.mark.parametrize("how", ["held", "not held"])
def test_fork(postgres, name, how):
    """Parent and child write at once, each over a connection of its own."""
    processes.run(FORKING, postgres.url(name), how)


def test_descriptors_closed_under_us(postgres, name, tmp_path):
    """Where somebody closed all descriptors another connection is made, and nothing of the application's is touched."""
    script = """
    import contextlib, os, sys
    from loghub.ledger.address import read_address
    from loghub.ledger.postgres import PostgresLedger
    from loghub.ledger.server import UndoneError
    ledger = PostgresLedger(read_address(sys.argv[1]))
    for again in (lambda: ledger.memory("smtp:x"), ledger.close):
        ledger.remember("smtp:x", {"a": 1})
        os.closerange(3, 100)
        theirs = [os.open(f"{sys.argv[2]}/{n}", os.O_CREAT | os.O_RDWR) for n in range(10)]
        again()
        assert [os.fstat(one).st_size for one in theirs] == [0] * 10
        assert ledger.memory("smtp:x") == {"a": 1}
        assert [os.fstat(one).st_size for one in theirs] == [0] * 10
    with contextlib.suppress(UndoneError), ledger._transaction() as db:
        db.execute("UPDATE destinations SET memory = '{}'")
        os.closerange(3, 100)
        db.execute("DELETE FROM destinations")
        print("went on")
    assert ledger.memory("smtp:x") == {"a": 1}
    os._exit(0)
    """
    assert processes.run(script, postgres.url(name), tmp_path)[0] == ""


def test_import_loads_no_driver():
    """Whoever has no ledger in PostgreSQL loads nothing for it."""
    script = "import sys, loghub.delivery.home, loghub.ledger.sqlite; print('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                          env=processes.environment()).stdout == "False\n"  # fmt: skip


def test_mark_of_what_others_change(opened):
    """The mark changes with what another process writes, and not with what it reads."""
    one, other = opened(), opened()
    fold(one, tally())
    marks = [one.mark()]
    assert other.groups()
    marks.append(one.mark())
    other.mute(ONE, T0)
    marks.append(one.mark())
    assert marks[0] == marks[1] != marks[2]
