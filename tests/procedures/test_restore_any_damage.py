"""restore_sqlite and damage of any kind: in the end the database is sound, and nothing is lost."""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loghub import procedures
from loghub.errors import ProcedureError
from tests.procedures import databases

# Damage that SQLite reads as a newer program's work: there is no telling, and a backup would be a loss.
_LEFT_ALONE = re.compile("is of another schema: it |does not understand the schema")


@cache
def made(mode, rows):
    """Return the bytes of a database of some 40 small pages."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.db"
        databases.make(path, rows, mode=mode, page_size=512, version=3)
        return path.read_bytes()


_OVERWRITTEN = st.tuples(
    st.floats(0, 1, exclude_max=True),
    st.one_of(st.binary(min_size=1, max_size=64), st.integers(1, 2000).map(bytes), st.just(b"\xff" * 512)),
)


@pytest.mark.slow
@example(mode="delete", holes=[(0.0415667, b"\x00\x00\x00\x00\x80")], left=1.0, header=[])  # an error that is no text
@settings(max_examples=300, deadline=None)
@given(
    mode=st.sampled_from(["delete", "wal"]),
    holes=st.lists(_OVERWRITTEN, max_size=4),
    left=st.one_of(st.just(1.0), st.floats(0, 1)),
    header=st.lists(st.tuples(st.integers(0, 107), st.binary(min_size=1, max_size=4)), max_size=2),
)
def test_any_damage(mode, holes, left, header):
    """What is overwritten or cut off is sound afterwards, by its own bytes or the backup's, or left with a reason."""
    damaged = bytearray(made(mode, 90))
    size = len(damaged)
    for place, data in [(int(share * size), data) for share, data in holes] + header:
        damaged[place : place + len(data)] = data
    damaged = bytes(damaged[: int(size * left)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, backup = folder / "app.db", folder / "app.db.backup"
        path.write_bytes(damaged)
        backup.write_bytes(made(mode, 80))
        refusal = ""
        try:
            assert procedures.restore_sqlite({}, path=str(path), patience=0.0) is True
        except ProcedureError as error:
            refusal = str(error)
        assert backup.read_bytes() == made(mode, 80)
        assert not [one for one in os.listdir(folder) if one.startswith(".")]
        if refusal:
            assert _LEFT_ALONE.search(refusal), refusal
            assert path.read_bytes() == damaged
        else:
            kept = [one for one in os.listdir(folder) if "damaged" in one and not one.endswith(databases.SIDECARS)]
            if kept:
                assert [(folder / one).read_bytes() for one in kept] == [damaged]
                assert databases.content(path) == databases.content(backup)
            else:
                assert path.read_bytes() == damaged
            with closing(sqlite3.connect(path)) as db:
                assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
