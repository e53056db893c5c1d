"""Statements in SQLite's words become PostgreSQL's."""

from __future__ import annotations

import pytest

from loghub.ledger.dialect import filled, of_many


def literal(value):
    """Write a value down."""
    return repr(value).encode()


@pytest.mark.parametrize(
    ("query", "values", "said"),
    [
        ("SELECT min(a, ?), max(b.c, d.e), min(a)", [1], b"SELECT least(a, 1), greatest(b.c, d.e), min(a)"),
        ("UPDATE t SET a = min(t.a, t.b - 1)", [], b"UPDATE t SET a = least(t.a, t.b - 1)"),
        ("SELECT 1 WHERE a LIKE ? AND b = ?", ["x?", 2], b"SELECT 1 WHERE a ILIKE 'x?' AND b = 2"),
        ("SELECT a FROM t LIMIT ? /*FOR UPDATE*/", [3], b"SELECT a FROM t LIMIT 3 FOR UPDATE"),
    ],
)  # fmt: skip
def test_filled(query, values, said):
    """Values stand where their marks stood, whatever they hold; functions of two, LIKE and comments are translated."""
    assert filled(query, values, literal) == said


def test_of_many():
    """An INSERT of one row becomes one of many."""
    query = "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT (a) DO UPDATE SET b = max(t.b, excluded.b)"
    assert of_many(query, [(1, "(?)"), (2, "y")], literal) == (
        b"INSERT INTO t (a, b) VALUES (1, '(?)'), (2, 'y') ON CONFLICT (a) DO UPDATE SET b = greatest(t.b, excluded.b)"
    )
