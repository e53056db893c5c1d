"""The ledger's SQL, which is written as SQLite has it, as PostgreSQL has it."""

from __future__ import annotations

import functools
import re

_OF_TWO = re.compile(r"\b(min|max)(?=\([^(),]+, [^(),]+\))")
_THEIRS = re.compile(r"/\*(.*?)\*/")
_ROW = re.compile(r"(?<=\bVALUES )\((?:\?, )*\?\)")


@functools.lru_cache(maxsize=512)
def translated(query: str) -> str:
    """Return a statement with ``%s`` for its values."""
    query = _THEIRS.sub(r"\1", query).replace("%", "%%").replace("?", "%s")
    query = _OF_TWO.sub(lambda found: "least" if found[1] == "min" else "greatest", query)
    return query.replace(" LIKE ", " ILIKE ").replace("rowid", "ctid")


@functools.lru_cache(maxsize=512)
def of_many(query: str, rows: int) -> str:
    """Return an INSERT of one row as one of so many."""
    found = _ROW.search(query)
    assert found, query
    return translated(query[: found.start()] + ", ".join([found[0]] * rows) + query[found.end() :])
