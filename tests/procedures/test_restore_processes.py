"""restore_sqlite among processes: crashed writers, live ones, several that restore, and one that is killed."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
from contextlib import ExitStack, closing

import pytest

from loghub import procedures
from loghub.errors import ProcedureError
from loghub.procedures import replacing
from tests import processes
from tests.procedures import databases

RESTORE = """
import sys
from loghub import procedures
from loghub.errors import ProcedureError
path = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
try:
    print(procedures.restore_sqlite({}, path=path))
except ProcedureError as error:
    print(error)
"""

OPEN = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
for statement in sys.argv[2:]:
    db.execute(statement).fetchall()
print("ready", flush=True)
for line in iter(sys.stdin.readline, "close\\n"):
    try:
        print(db.execute(line).fetchall(), flush=True)
    except sqlite3.Error as error:
        print(error, flush=True)
db.close()
print("closed", flush=True)
"""


def restore(folder, **options):
    """Restore the folder's database; whoever holds it is hardly waited for."""
    return procedures.restore_sqlite({}, path=str(folder / "app.db"), **{"patience": 0.1} | options)


def said(process, line=""):
    """Send a line to a process, if any, and return its next one."""
    if line:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    return process.stdout.readline().strip()


def killed_writer(path, *statements):
    """Let a process do this to a database, and die of SIGKILL with the last statement done."""
    with processes.python(OPEN, path, *statements) as writer:
        assert said(writer) == "ready"
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()


def orders(path):
    """Return how many orders a database has."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM orders").fetchone()[0]


HOT_LOG = ("PRAGMA wal_autocheckpoint = 0", "INSERT INTO orders VALUES (1000, 'late', '')")
HOT_JOURNAL = (
    "PRAGMA cache_size = 2",
    "BEGIN IMMEDIATE",
    "UPDATE orders SET note = 'half done' || note, customer = 'nobody'",
)


def test_hot_log(tmp_path):
    """What a killed writer had committed is in the log: the database is sound, and stays whole."""
    path = tmp_path / "app.db"
    databases.make(path, 300, mode="wal")
    databases.make(tmp_path / "app.db.backup", 200)
    killed_writer(path, *HOT_LOG)
    before = databases.files(tmp_path)
    assert len(before["app.db-wal"]) > 0
    assert restore(tmp_path)
    assert databases.files(tmp_path) == before
    assert orders(path) == 301


def test_stale_log(tmp_path):
    """The log of a damaged database goes with it: it is never applied to the restored one."""
    path, backup = tmp_path / "app.db", tmp_path / "app.db.backup"
    databases.make(path, 300, mode="wal")
    databases.make(backup, 200, mode="wal")
    killed_writer(path, *HOT_LOG, "UPDATE orders SET customer = 'stale' WHERE id > 100")
    log = (tmp_path / "app.db-wal").read_bytes()
    with open(path, "rb") as file:  # every page but the first, which the log does not bring back
        size = len(file.read())
    databases.overwrite(path, 4096, b"\xa5" * (size - 4096))
    damaged = path.read_bytes()
    assert restore(tmp_path)
    (kept,) = (name for name in os.listdir(tmp_path) if "damaged" in name and not name.endswith(databases.SIDECARS))
    assert (tmp_path / kept).read_bytes() == damaged
    assert (tmp_path / f"{kept}-wal").read_bytes() == log
    assert not (tmp_path / "app.db-wal").exists()
    assert databases.content(path) == databases.content(backup)
    assert databases.complaint(path) == "ok"


def test_hot_journal(folder):
    """What a killed writer had not committed is rolled back: the database is sound, and stays."""
    path = folder / "app.db"
    content, inode = databases.content(path), os.stat(path).st_ino
    killed_writer(path, *HOT_JOURNAL)
    assert (folder / "app.db-journal").exists()
    assert b"half done" in path.read_bytes()
    assert restore(folder)
    assert databases.content(path) == content
    assert os.stat(path).st_ino == inode
    assert set(os.listdir(folder)) == {"app.db", "app.db.backup"}


def test_hot_journal_of_a_damaged_one(folder):
    """Of a database that is damaged in spite of its journal no journal stays beside the restored one."""
    path = folder / "app.db"
    killed_writer(path, *HOT_JOURNAL)
    databases.overwrite(path, 0, b"\x93" * 100)
    databases.overwrite(folder / "app.db-journal", 0, b"\x93" * 28)
    assert restore(folder)
    assert databases.content(path) == databases.content(folder / "app.db.backup")
    assert not (folder / "app.db-journal").exists()


def test_locked(folder):
    """A database that is locked cannot be judged: it is left alone, and sound as soon as it is free."""
    with processes.python(OPEN, folder / "app.db", "BEGIN EXCLUSIVE") as writer:
        assert said(writer) == "ready"
        before = databases.files(folder)
        with pytest.raises(ProcedureError, match=r"in use and was locked for 0\.1 s.*database is locked"):
            restore(folder)
        assert databases.files(folder) == before
        assert said(writer, "COMMIT") == "[]"
        assert restore(folder)
        assert databases.files(folder) == before


def test_locked_backup(folder):
    """A backup that somebody writes to is not used."""
    databases.truncate(folder / "app.db")
    statements = ("BEGIN EXCLUSIVE", "INSERT INTO orders VALUES (1000, 'x', '')")
    with processes.python(OPEN, folder / "app.db.backup", *statements) as writer:
        assert said(writer) == "ready"
        with pytest.raises(ProcedureError, match=r"left so: .*app\.db\.backup is in use"):
            restore(folder)
        assert said(writer, "ROLLBACK") == "[]"
    assert restore(folder)


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_writer(tmp_path, mode):
    """A damaged database is not moved away under somebody who writes to it."""
    path = tmp_path / "app.db"
    databases.make(path, 300, mode=mode)
    databases.make(tmp_path / "app.db.backup", 200)
    with processes.python(OPEN, path, "BEGIN IMMEDIATE", "SELECT * FROM orders WHERE id = 1") as writer:
        assert said(writer) == "ready"
        databases.zero_page(path)
        before = databases.files(tmp_path)
        with pytest.raises(ProcedureError, match=r"is damaged .* and is left so: Another process writes to it"):
            restore(tmp_path)
        assert databases.files(tmp_path) == before
        assert said(writer, "ROLLBACK") == "[]"
        assert restore(tmp_path)
    assert databases.content(path) == databases.content(tmp_path / "app.db.backup")


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_old_connection(tmp_path, mode):
    """Who has the damaged file open goes on with it, and does the restored one no harm, in whatever he does."""
    path, backup = tmp_path / "app.db", tmp_path / "app.db.backup"
    databases.make(path, 300, mode=mode)
    databases.make(backup, 200, mode=mode)
    with processes.python(OPEN, path, "PRAGMA cache_size = 100", "SELECT * FROM orders") as other:
        assert said(other) == "ready"
        databases.lie_in_index(path)
        assert restore(tmp_path)
        answer = said(other, "INSERT INTO orders VALUES (2000, 'to the old one', '')")
        assert answer == ("attempt to write a readonly database" if mode == "delete" else "[]")
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("INSERT INTO orders VALUES (3000, 'to the new one', '')")
            assert said(other, "close") == "closed"
            db.execute("INSERT INTO orders VALUES (3001, 'to the new one', '')")
    assert databases.complaint(path) == "ok"
    assert orders(path) == 202


@pytest.mark.slow
@pytest.mark.parametrize("damage", [databases.truncate, databases.bad_header, os.unlink])
def test_at_once(folder, damage):
    """Of several processes one restores; the others wait, and find it sound."""
    damage(folder / "app.db")
    with ExitStack() as stack:
        running = [stack.enter_context(processes.python(RESTORE, folder / "app.db")) for _ in range(5)]
        assert [said(one) for one in running] == ["ready"] * 5
        for one in running:
            one.stdin.write("go\n")
            one.stdin.flush()
        assert [said(one) for one in running] == ["True"] * 5
        assert "".join(one.stderr.read() for one in running).count("it was restored from") == 1
    kept = [name for name in os.listdir(folder) if "damaged" in name]
    assert len(kept) == (damage is not os.unlink)
    assert set(os.listdir(folder)) == {"app.db", "app.db.backup", *kept}
    assert databases.content(folder / "app.db") == databases.content(folder / "app.db.backup")


def test_another_restores(folder, time):
    """Who waits too long for another process that restores says so."""
    databases.truncate(folder / "app.db")
    before = databases.files(folder)
    with open(folder / ".app.db.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ProcedureError, match=r"Another process is at work .* not done within 3 s"):
            restore(folder, patience=3.0)
        assert 3.0 <= sum(time.slept) < 3.1
    os.unlink(folder / ".app.db.lock")
    assert databases.files(folder) == before


@pytest.mark.parametrize("at", ["_settle", "put_in_place", "sync_folder"])
def test_killed(folder, at):
    """A restoration that is killed leaves the database as it was, or restored; the next one cleans up."""
    databases.truncate(folder / "app.db")
    script = f"""
    import os, signal, sys
    from loghub import procedures
    from loghub.procedures import replacing
    setattr(replacing, {at!r}, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    procedures.restore_sqlite({{}}, path=sys.argv[1])
    """
    damaged = (folder / "app.db").read_bytes()
    processes.run(script, folder / "app.db", code=-signal.SIGKILL)
    if at != "sync_folder":
        assert (folder / "app.db").read_bytes() == damaged
    assert restore(folder)
    if at != "sync_folder":  # then there was nothing to do, and what only a restoration needs is not looked for
        assert not {".app.db.copy", ".app.db.lock"} & set(os.listdir(folder))
    assert databases.content(folder / "app.db") == databases.content(folder / "app.db.backup")
    assert damaged in databases.files(folder).values()


def test_full_disk(folder):
    """A disk that is full in the middle of it leaves everything as it was."""
    databases.truncate(folder / "app.db")
    before = databases.files(folder)
    script = """
    import resource, signal, sys
    from loghub import procedures
    from loghub.errors import ProcedureError
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))
    try:
        procedures.restore_sqlite({}, path=sys.argv[1])
    except ProcedureError as error:
        print(error)
    """
    assert len(before["app.db.backup"]) > 2 * 16_384
    out, _ = processes.run(script, folder / "app.db")
    assert f"app.db.backup could not be copied to {folder}" in out
    assert databases.files(folder) == before


def test_locks_of_the_application(folder):
    """The locks that the process itself has on the database are not lost by looking at it."""
    with closing(sqlite3.connect(folder / "app.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO orders VALUES (1000, 'mine', '')")
        assert restore(folder)
        assert procedures.backup_sqlite({}, path=str(folder / "app.db"), backup=str(folder / "other"))
        script = """
        import sqlite3, sys
        try:
            sqlite3.connect(sys.argv[1], timeout=0).execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            print(error)
        """
        assert processes.run(script, folder / "app.db")[0].strip() == "database is locked"
        db.execute("COMMIT")
    assert orders(folder / "app.db") == 301
    assert orders(folder / "other") == 300


def test_no_permission_to_write():
    """A sound database in WAL mode is found sound where nothing can be written; a damaged one is left alone."""
    script = """
    import os, shutil, sqlite3, sys, tempfile
    from contextlib import closing
    from loghub import procedures
    from loghub.errors import ProcedureError
    from loghub.procedures import sqlite
    from loghub.scrub import own
    from tests.procedures import databases
    own.clean("")
    folder = tempfile.mkdtemp()
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        os.setgid(65534)
        os.setuid(65534)
    path = os.path.join(folder, "app.db")
    try:
        databases.make(path, 300, mode="wal")
        databases.make(path + ".backup", 200, mode="wal")
        os.chmod(folder, 0o500)
        print(procedures.restore_sqlite({}, path=path))
        databases.truncate(path)
        for mode in 0o644, 0o000:
            os.chmod(path, mode)
            try:
                procedures.restore_sqlite({}, path=path)
            except ProcedureError as error:
                print(error)
    finally:
        os.chmod(folder, 0o700)
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
    print(folder)
    """
    sound, damaged, unreadable, folder = processes.run(script)[0].splitlines()
    os.rmdir(folder)
    assert sound == "True"
    assert f"Nothing can be written to the folder {folder}: Permission denied" in damaged
    assert "cannot be opened (unable to open database file): look at the permissions" in unreadable


def test_lock_that_is_gone(folder, monkeypatch):
    """Who gets the lock of a file that was removed meanwhile has nothing, and takes that of the new one."""
    path, taken = str(folder / "app.db"), []

    def late(fd, operation):
        fcntl.flock(fd, operation)
        if not taken:
            os.unlink(folder / ".app.db.lock")  # by who held it before
        taken.append(fd)

    monkeypatch.setattr(replacing, "flock", late)
    with replacing.alone(path, 5.0):
        assert len(taken) == 2
        with pytest.raises(ProcedureError), replacing.alone(path, 0.0):
            pass


def test_lock_is_free_after(folder):
    """The lock is held by one at a time, and leaves nothing behind."""
    path = str(folder / "app.db")
    with replacing.alone(path, 0.0):
        with pytest.raises(ProcedureError, match="Another process is at work"), replacing.alone(path, 0.0):
            pass
        assert (folder / ".app.db.lock").exists()
    with replacing.alone(path, 0.0):
        pass
    assert set(os.listdir(folder)) == {"app.db", "app.db.backup"}
