"""SQLite databases for tests: sound ones, and every way to damage them."""

from __future__ import annotations

import contextlib
import os
import sqlite3

SIDECARS = ("-wal", "-shm", "-journal")
_FIRST_PAGE = 0


def make(path, rows=300, *, mode="delete", page_size=4096, version=0):
    """Make a database of orders with an index; `rows` tells one from another."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA page_size = {page_size}")
        db.execute(f"PRAGMA journal_mode = {mode}")
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, note TEXT)")
        db.execute("CREATE INDEX by_customer ON orders (customer)")
        db.executemany(
            "INSERT INTO orders VALUES (?, ?, ?)", [(n, f"customer {n:05d}", "n" * (n % 200)) for n in range(rows)]
        )
        db.commit()


def content(path):
    """Return everything in a database, as SQL."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


def complaint(path):
    """Return what SQLite itself says of a database: ``ok``, or what is wrong."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            return db.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.Error as error:
        return str(error)


def files(folder):
    """Return the names and contents of the files in a folder, but for what SQLite makes anew for those who read."""
    found = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return {name: data for name, data in found.items() if not name.endswith("-shm") and (data or name[-4:] != "-wal")}


def overwrite(path, offset, data):
    """Put bytes into a file."""
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def _root_of(path, name):
    with contextlib.closing(sqlite3.connect(path)) as db:
        page_size = db.execute("PRAGMA page_size").fetchone()[0]
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (name,)).fetchone()[0]
    return (root - 1) * page_size, page_size


def truncate(path):
    """Cut off the second half."""
    os.truncate(path, os.path.getsize(path) // 2)


def behead(path):
    """Leave less than a header."""
    os.truncate(path, 60)


def empty(path):
    """Leave nothing."""
    os.truncate(path, 0)


def bad_header(path):
    """Overwrite what says that it is a database."""
    overwrite(path, _FIRST_PAGE, b"\x93" * 40)


def zero_page(path):
    """Overwrite the root of the table with zeros, as a disk does that forgot to write."""
    offset, size = _root_of(path, "orders")
    overwrite(path, offset, bytes(size))


def garble_page(path):
    """Overwrite the root of the table with what belongs elsewhere."""
    offset, size = _root_of(path, "orders")
    overwrite(path, offset, b"\x0d" + b"\xa5" * (size - 1))


def garble_schema(path):
    """Overwrite the text of the schema."""
    with open(path, "rb") as file:
        offset = file.read().index(b"CREATE TABLE orders")
    overwrite(path, offset, b"\xfe\x01" * 9)


def lie_in_index(path):
    """Change an entry of the index, which then says another thing than the table: no query fails."""
    offset, _ = _root_of(path, "by_customer")
    with open(path, "rb") as file:
        file.seek(offset)
        at = offset + file.read().index(b"customer 00")
    overwrite(path, at, b"kustomer")


def replace_by_text(path):
    """Put something there that is no database at all."""
    with open(path, "w") as file:
        file.write("<html>404 Not Found</html>\n" * 300)


DAMAGES = [
    truncate, behead, empty, bad_header, zero_page, garble_page, garble_schema, lie_in_index, replace_by_text,
]  # fmt: skip
