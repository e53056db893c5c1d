"""backup_sqlite: what is sound is copied; a good backup is never given up for anything else."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
from contextlib import ExitStack, closing

import pytest

from loghub import procedures
from loghub.errors import ProcedureError
from tests import processes
from tests.procedures import databases


def back_up(folder, **options):
    """Make a backup of the folder's database; whoever holds it is hardly waited for."""
    return procedures.backup_sqlite({}, path=str(folder / "app.db"), **{"patience": 0.1} | options)


def add_order(path, number):
    """Add an order to a database."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO orders VALUES (?, 'new', '')", (number,))
        db.commit()


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_new(tmp_path, mode):
    """The backup is the database, in its journal mode, for the same people; nothing else is left."""
    path = tmp_path / "app.db"
    databases.make(path, 300, mode=mode)
    os.chmod(path, 0o640)
    assert back_up(tmp_path) is True
    assert set(databases.files(tmp_path)) == {"app.db", "app.db.backup"}
    assert databases.content(tmp_path / "app.db.backup") == databases.content(path)
    assert stat.S_IMODE(os.stat(tmp_path / "app.db.backup").st_mode) == 0o640
    with closing(sqlite3.connect(tmp_path / "app.db.backup")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == (mode,)


def test_in_use(tmp_path):
    """What is committed in the log is in the backup; what is not committed is not."""
    path = tmp_path / "app.db"
    databases.make(path, 300, mode="wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("INSERT INTO orders VALUES (1000, 'committed', '')")
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO orders VALUES (1001, 'not', '')")
        assert back_up(tmp_path)
        db.execute("ROLLBACK")
        assert databases.content(tmp_path / "app.db.backup") == databases.content(path)


@pytest.mark.parametrize("damage", [*databases.DAMAGES, os.unlink], ids=lambda damage: damage.__name__)
def test_damaged(folder, damage):
    """The last backup stays if the database is damaged, empty or missing."""
    damage(folder / "app.db")
    before = databases.files(folder)
    with pytest.raises(ProcedureError, match=r"app\.db was not backed up: .*app\.db (is|cannot)"):
        back_up(folder, keep=3)
    assert databases.files(folder) == before


def test_no_table(folder):
    """A database that was begun anew, without a table, is not taken for a state worth keeping."""
    os.unlink(folder / "app.db")
    with closing(sqlite3.connect(folder / "app.db")) as db:
        db.execute("PRAGMA user_version = 1")
    before = databases.files(folder)
    with pytest.raises(ProcedureError, match="holds no table"):
        back_up(folder)
    assert databases.files(folder) == before


def test_locked(folder):
    """A database that is locked throughout is said to be; the last backup stays."""
    before = databases.files(folder)
    with closing(sqlite3.connect(folder / "app.db", isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ProcedureError, match=r"is in use and was locked for 0\.1 s"):
            back_up(folder)
    assert databases.files(folder) == before


def test_generations(folder):
    """The newest `keep` backups are kept, the newest first."""
    path, backup = folder / "app.db", folder / "app.db.backup"
    made = [backup.read_bytes()]
    for number in range(5):
        add_order(path, 1000 + number)
        assert back_up(folder, keep=3)
        made.append(backup.read_bytes())
    assert set(os.listdir(folder)) == {"app.db", "app.db.backup", "app.db.backup.1", "app.db.backup.2"}
    names = ["app.db.backup", "app.db.backup.1", "app.db.backup.2"]
    assert [(folder / name).read_bytes() for name in names] == made[:-4:-1]


@pytest.mark.parametrize("keep", [1, 2])
def test_log_beside(folder, keep):
    """A log that stands beside the last backup stays with it, and is not applied to the new one."""
    backup = folder / "app.db.backup"
    script = """
    import os, signal, sqlite3, sys
    db = sqlite3.connect(sys.argv[1], isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("UPDATE orders SET customer = 'stale'")
    os.kill(os.getpid(), signal.SIGKILL)
    """
    processes.run(script, backup, code=-9)
    assert (folder / "app.db.backup-wal").stat().st_size > 0
    assert back_up(folder, keep=keep)
    assert databases.content(backup) == databases.content(folder / "app.db")
    if keep == 2:
        assert any("'stale'" in line for line in databases.content(folder / "app.db.backup.1"))


def test_restores(folder):
    """What one procedure made the other restores."""
    content = databases.content(folder / "app.db")
    assert back_up(folder)
    databases.garble_page(folder / "app.db")
    assert procedures.restore_sqlite({}, path=str(folder / "app.db"))
    assert databases.content(folder / "app.db") == content


def test_elsewhere(folder, tmp_path_factory):
    """The backup goes where it is said, through a link too; a folder that is not there is named."""
    other = tmp_path_factory.mktemp("other")
    os.symlink(other / "real", folder / "link")
    assert back_up(folder, backup=folder / "link")
    assert databases.content(other / "real") == databases.content(folder / "app.db")
    with pytest.raises(ProcedureError, match=f"written to the folder {re.escape(str(folder))}/gone: No such file"):
        back_up(folder, backup=folder / "gone" / "x")
    with pytest.raises(ProcedureError, match="cannot be its own backup"):
        back_up(folder, backup=folder / "app.db")


def test_no_links(folder, monkeypatch):
    """On a file system without links generations are kept all the same."""

    def none(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", none)
    before = (folder / "app.db.backup").read_bytes()
    assert back_up(folder, keep=2)
    assert (folder / "app.db.backup.1").read_bytes() == before


def test_at_once(folder):
    """Several processes that make backups at once do it one after the other; each backup is whole."""
    script = """
    import sys
    from loghub import procedures
    assert procedures.backup_sqlite({}, path=sys.argv[1], keep=4)
    """
    with ExitStack() as stack:
        running = [stack.enter_context(processes.python(script, folder / "app.db")) for _ in range(4)]
        assert [one.wait() for one in running] == [0] * 4
    names = {"app.db.backup", *(f"app.db.backup.{age}" for age in (1, 2, 3))}
    assert set(os.listdir(folder)) == {"app.db", *names}
    assert all(databases.content(folder / name) == databases.content(folder / "app.db") for name in names)
