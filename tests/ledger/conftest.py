"""Ledgers to hold against the contract."""

from __future__ import annotations

import itertools

import pytest

from loghub.ledger.address import read_address
from loghub.ledger.postgres import PostgresLedger
from loghub.ledger.sqlite import SQLiteLedger

MOST = 3
"""So many ledgers at once a test has on one server."""


@pytest.fixture(params=["sqlite file", "sqlite memory", "postgres"])
def make(request, tmp_path):
    """Return a maker of empty ledgers; ``pgbouncer`` is PostgreSQL behind a pooler."""
    made, schemas = [], []
    if request.param.startswith("sqlite"):
        numbers = itertools.count()

        def one():
            return SQLiteLedger(str(tmp_path / f"{next(numbers)}.db") if request.param == "sqlite file" else None)
    else:
        server = request.getfixturevalue("postgres")
        via = request.getfixturevalue("pgbouncer") if request.param == "pgbouncer" else server

        def one():
            while len(made) >= MOST:
                made.pop(0).close()
                server.give_back(schemas.pop(0))
            schemas.append(server.empty_schema())
            return PostgresLedger(read_address(via.url(schemas[-1])))

    def keep():
        made.append(one())
        return made[-1]

    yield keep
    for each in made:
        each.close()
    for schema in schemas:
        server.give_back(schema)


@pytest.fixture
def ledger(make):
    """Return an empty ledger."""
    return make()
