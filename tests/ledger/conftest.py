"""Ledgers to hold against the contract."""

from __future__ import annotations

import itertools

import pytest

from loghub.ledger.sqlite import SQLiteLedger


@pytest.fixture(params=["sqlite file", "sqlite memory"])
def make(request, tmp_path):
    """Return a maker of empty ledgers."""
    numbers = itertools.count()
    made = []

    def one():
        path = str(tmp_path / f"{next(numbers)}.db") if request.param == "sqlite file" else None
        made.append(SQLiteLedger(path))
        return made[-1]

    yield one
    for each in made:
        each.close()


@pytest.fixture
def ledger(make):
    """Return an empty ledger."""
    return make()
