"""The ledger's SQL, which is written as SQLite has it, as PostgreSQL has it."""

from __future__ import annotations

import functools
import re
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_OF_TWO = re.compile(r"\b(min|max)(?=\([^(),]+, [^(),]+\))")
_THEIRS = re.compile(r"/\*(.*?)\*/")
_ROW = re.compile(r"(?<=\bVALUES )\((?:\?, )*\?\)")


def filled(query: str, values: Sequence[Any], literal: Callable[[Any], bytes]) -> bytes:
    """Return a statement with its values in it, each as `literal` writes it."""
    pieces = _pieces(query)
    assert len(pieces) == len(values) + 1, query
    return b"".join(chain.from_iterable(zip_longest(pieces, map(literal, values), fillvalue=b"")))


def of_many(query: str, rows: Sequence[Sequence[Any]], literal: Callable[[Any], bytes]) -> bytes:
    """Return an INSERT of one row as one of many."""
    before, after = _around_row(query)
    return before + b", ".join(b"(" + b", ".join(map(literal, row)) + b")" for row in rows) + after


@functools.lru_cache(maxsize=512)
def _pieces(query: str) -> list[bytes]:
    """Return what stands before, between and behind the values of a statement."""
    query = _THEIRS.sub(r"\1", query).replace(" LIKE ", " ILIKE ").replace("rowid", "ctid")
    query = _OF_TWO.sub(lambda found: "least" if found[1] == "min" else "greatest", query)
    return query.encode().split(b"?")


@functools.lru_cache(maxsize=64)
def _around_row(query: str) -> tuple[bytes, bytes]:
    found = _ROW.search(query)
    assert found, query
    (before,), (after,) = _pieces(query[: found.start()]), _pieces(query[found.end() :])
    return before, after
