"""restore_sqlite: what is damaged is restored from a backup that fits, and nothing else is."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import stat
from contextlib import closing

import pytest

from loghub import procedures
from loghub.errors import ProcedureError
from loghub.procedures import replacing, soundness
from tests.procedures import databases

KEPT = re.compile(r"app\.db\.damaged-\d{8}T\d{6}Z")


def restore(folder, **options):
    """Restore the folder's database; whoever holds it is not waited for."""
    return procedures.restore_sqlite({}, path=str(folder / "app.db"), **{"patience": 0.1} | options)


def refused(folder, **options):
    """Return the reason for which nothing is restored, and that no file has changed."""
    before = databases.files(folder)
    with pytest.raises(ProcedureError) as caught:
        restore(folder, **options)
    assert databases.files(folder) == before
    return str(caught.value)


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("damage", databases.DAMAGES, ids=lambda damage: damage.__name__)
def test_damaged(tmp_path, damage, mode, caplog):
    """The backup takes the place of a damaged database, which is kept byte for byte."""
    path, backup = tmp_path / "app.db", tmp_path / "app.db.backup"
    databases.make(path, 300, mode=mode)
    databases.make(backup, 200, mode=mode)
    damage(path)
    damaged, good = path.read_bytes(), backup.read_bytes()
    assert not damaged or databases.complaint(path) != "ok"
    assert path.read_bytes() == damaged
    before = {path.name, backup.name}

    assert restore(tmp_path) is True

    names = set(os.listdir(tmp_path)) - before
    kept = [name for name in names if KEPT.fullmatch(name)]
    assert len(kept) == 1
    assert all(name.startswith(kept[0]) for name in names), "nothing else is left, no lock and no copy"
    assert (tmp_path / kept[0]).read_bytes() == damaged
    assert backup.read_bytes() == good
    assert databases.complaint(path) == "ok"
    assert databases.content(path) == databases.content(backup)
    assert f"restored from {backup} of " in caplog.text
    assert str(tmp_path / kept[0]) in caplog.text


def test_missing(folder):
    """A missing database is restored, and a log of it that is left is kept, not applied."""
    os.rename(folder / "app.db", folder / "elsewhere")
    (folder / "app.db-wal").write_bytes(b"left")
    assert restore(folder)
    assert databases.content(folder / "app.db") == databases.content(folder / "app.db.backup")
    (kept,) = (name for name in os.listdir(folder) if "damaged" in name)
    assert kept.endswith("Z-wal")
    assert (folder / kept).read_bytes() == b"left"


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_sound(tmp_path, mode):
    """A sound database stays what it is, whatever its backup is."""
    path = tmp_path / "app.db"
    databases.make(path, 300, mode=mode)
    before = path.read_bytes(), os.stat(path).st_ino
    assert restore(tmp_path)
    assert (path.read_bytes(), os.stat(path).st_ino) == before


def test_breaks_a_rule(folder):
    """Content that breaks a rule of the schema is no damage: a backup would be a loss."""
    with closing(sqlite3.connect(folder / "app.db")) as db:
        db.execute("CREATE TABLE items (price INTEGER CHECK (price > 0), name TEXT)")
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("INSERT INTO items VALUES (-1, NULL)")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = replace(sql, 'name TEXT', 'name TEXT NOT NULL')")
        db.commit()
    before = databases.files(folder)
    assert restore(folder)
    assert databases.files(folder) == before
    with closing(soundness.connect(str(folder / "app.db"), 0.0, "rw")) as db:  # as with a hot journal: it tells more
        told = {said for (said,) in db.execute("PRAGMA integrity_check")}
        assert told == {"NULL value in items.name", "CHECK constraint failed in items"}
        assert not soundness.problem(db)


def test_functions_of_the_application(folder):
    """A database that cannot be checked without the application's collations is left alone, and that is said."""
    with closing(sqlite3.connect(folder / "app.db")) as db:
        db.create_collation("german", lambda one, other: (one > other) - (one < other))
        db.execute("CREATE TABLE names (name TEXT COLLATE german PRIMARY KEY)")
        db.execute("INSERT INTO names VALUES ('Ärger')")
        db.commit()
    assert "cannot be checked and was left alone: no such collation sequence: german" in refused(folder)


def test_newer_sqlite(folder):
    """A schema that only a newer SQLite may understand is no damage."""
    with closing(sqlite3.connect(folder / "app.db")) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = sql || ' SHARDED' WHERE name = 'orders'")
        db.commit()
    assert databases.complaint(folder / "app.db").startswith("malformed database schema")
    assert "does not understand the schema" in refused(folder)


def _rewritten(backup, *statements):
    os.unlink(backup)
    with closing(sqlite3.connect(backup)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


UNFIT = {
    "missing": (os.unlink, "is missing"),
    "empty": (databases.empty, "is empty"),
    "no database": (databases.replace_by_text, r"is damaged \(file is not a database\)"),
    "truncated": (databases.truncate, "is damaged"),
    "bad page": (databases.zero_page, "is damaged"),
    "bad index": (databases.lie_in_index, "missing from index by_customer"),
    "no table": (lambda path: _rewritten(path, "PRAGMA user_version = 3"), "holds no table"),
    "folder": (lambda path: (os.unlink(path), os.mkdir(path), os.rmdir(path)), "is missing"),
    "without a table": (lambda path: _rewritten(path, "CREATE TABLE x (y)"), r"lacks the column orders\.customer"),
    "without a column": (
        lambda path: _rewritten(path, "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT)"),
        r"lacks the column orders\.note",
    ),
    "of another application": (
        lambda path: _rewritten(path, "CREATE TABLE x (y)", "PRAGMA application_id = 7"),
        "has application_id 7, not 0",
    ),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_unfit_backup(folder, kind):
    """A backup that is unsound, or no backup of this database, is never used."""
    spoil, why = UNFIT[kind]
    databases.zero_page(folder / "app.db")
    spoil(folder / "app.db.backup")
    reason = refused(folder)
    assert re.search(r"app\.db is damaged \(.*\), and is left so: .*app\.db\.backup .*" + why, reason)


def test_older_schema(tmp_path):
    """A backup with a lower user_version is used only if that is asked for."""
    databases.make(tmp_path / "app.db", 300, version=5)
    databases.make(tmp_path / "app.db.backup", 200, version=4)
    databases.garble_page(tmp_path / "app.db")
    assert "has user_version 4, not 5; any_schema=True uses it all the same" in refused(tmp_path)
    assert restore(tmp_path, any_schema=True)
    assert databases.content(tmp_path / "app.db") == databases.content(tmp_path / "app.db.backup")


def test_nothing_to_compare(folder):
    """An empty database says nothing of its schema: no backup is of another one."""
    with closing(sqlite3.connect(folder / "app.db.backup")) as db:
        db.execute("PRAGMA application_id = 7")
    databases.empty(folder / "app.db")
    assert restore(folder)
    assert databases.content(folder / "app.db") == databases.content(folder / "app.db.backup")


def test_backup_with_log(folder):
    """What is committed in the log beside a backup is part of the backup."""
    backup = folder / "app.db.backup"
    with closing(sqlite3.connect(backup)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("INSERT INTO orders VALUES (1000, 'late', '')")
        db.commit()
        databases.zero_page(folder / "app.db")
        assert restore(folder)
    with closing(sqlite3.connect(folder / "app.db")) as db:
        assert db.execute("SELECT customer FROM orders WHERE id = 1000").fetchone() == ("late",)


def test_own_backup(folder):
    """A link to the database itself is no backup."""
    databases.zero_page(folder / "app.db")
    os.unlink(folder / "app.db.backup")
    os.symlink("app.db", folder / "app.db.backup")
    assert "cannot be its own backup" in refused(folder)


def test_link(folder, tmp_path_factory):
    """Of a symbolic link the target is restored; the link stays."""
    real = tmp_path_factory.mktemp("disk") / "shop.db"
    os.rename(folder / "app.db", real)
    os.symlink(real, folder / "app.db")
    databases.truncate(real)
    assert restore(folder)
    assert os.path.islink(folder / "app.db")
    assert not os.path.islink(real)
    assert databases.content(real) == databases.content(folder / "app.db.backup")
    assert any("damaged" in name for name in os.listdir(real.parent))


def test_any_name(tmp_path):
    """Names that mean something in an address are names."""
    path = tmp_path / "a %41?mode=memory#b é.db"
    databases.make(path, 300)
    databases.make(tmp_path / "other", 200)
    databases.truncate(path)
    assert procedures.restore_sqlite({}, path=path, backup=tmp_path / "other")
    assert databases.content(path) == databases.content(tmp_path / "other")


def test_owner_and_permissions(folder):
    """The restored file belongs to whom the damaged one belonged, with its permissions."""
    path = folder / "app.db"
    if os.geteuid() == 0:
        os.chown(path, 4321, 4322)
    os.chmod(path, 0o640)
    before = os.stat(path)
    databases.truncate(path)
    assert restore(folder)
    after = os.stat(path)
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (before.st_uid, before.st_gid, 0o640)


def test_owner_cannot_be_kept(folder, monkeypatch):
    """A copy that would belong to somebody else is not put in place."""
    other = folder / "other"
    other.touch()
    if os.geteuid() == 0:
        os.chown(other, 4321, 4321)

    def forbidden(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", forbidden)
    like = other if os.geteuid() == 0 else "/etc/passwd"
    place = str(folder / "app.db")
    with pytest.raises(PermissionError), replacing.sound_copy(f"{place}.backup", place, 0, like, at_rest=True):
        pass
    assert set(os.listdir(folder)) == {"app.db", "app.db.backup", "other"}


def test_names_are_free(folder, monkeypatch):
    """Of two restorations in one second, both damaged files are kept."""
    monkeypatch.setattr(replacing.clock, "time", lambda: 1_790_000_000.0)
    kept = []
    for _ in range(3):
        databases.truncate(folder / "app.db")
        kept.append((folder / "app.db").read_bytes())
        assert restore(folder)
    names = [f"app.db.damaged-20260921T141320Z{ending}" for ending in ("", "-2", "-3")]
    assert [(folder / name).read_bytes() for name in names] == kept


@pytest.mark.parametrize("failing", ["fsync", "replace", "link"])
def test_a_step_fails(folder, failing, monkeypatch):
    """Whatever cannot be done on the way, everything is as it was, or done in another way."""
    databases.truncate(folder / "app.db")
    (folder / "app.db-wal").write_bytes(b"no log")
    before = databases.files(folder)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    if failing == "link":
        assert restore(folder)
        monkeypatch.undo()
        assert databases.content(folder / "app.db") == databases.content(folder / "app.db.backup")
        after = databases.files(folder)
        del after["app.db"]
        assert sorted(after.values()) == sorted(before.values())
    else:
        assert "No space left on device" in refused(folder)


def test_never_absent(folder, monkeypatch):
    """There is a file at the path all the time: who connects in between does not begin a new database."""
    path = folder / "app.db"
    databases.truncate(path)
    seen = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *names: (seen.append(path.exists()), replace(*names)))
    assert restore(folder)
    assert seen == [True]


def test_changed_meanwhile(folder, monkeypatch):
    """A database that somebody else mended while the copy was made is left alone."""
    path = folder / "app.db"
    sound = path.read_bytes()
    databases.truncate(path)

    copy = replacing.sound_copy

    def slow(*args, **kwargs):
        path.write_bytes(sound)
        return copy(*args, **kwargs)

    monkeypatch.setattr(replacing, "sound_copy", slow)
    assert restore(folder)
    assert path.read_bytes() == sound
    assert set(os.listdir(folder)) == {"app.db", "app.db.backup"}


def test_no_file(tmp_path):
    """What is no file is said to be none."""
    os.mkdir(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe")
    for name, why in {"folder": "is a folder", "pipe": "is no regular file", "folder/../pipe/db": "Not a dir"}.items():
        with pytest.raises(ProcedureError, match=why):
            procedures.restore_sqlite({}, path=str(tmp_path / name))


@pytest.mark.parametrize("place", ["/sys/app.db", "{}/gone/app.db"])
def test_folder(folder, place):
    """A folder that cannot be written, or is not there, is named."""
    path = place.format(folder)
    with pytest.raises(ProcedureError, match=f"is missing.*written to the folder {os.path.dirname(path)}: "):
        procedures.restore_sqlite({}, path=path, backup=str(folder / "app.db.backup"))
