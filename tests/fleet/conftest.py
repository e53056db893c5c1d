"""A database for a fleet: a server of its own, which is killed, reached directly or by way of pgbouncer."""

from __future__ import annotations

import pytest

from tests.postgres import Pooler, Server


@pytest.fixture(scope="module")
def server():
    """Return a server that may be killed."""
    one = Server()
    yield one
    one.close()


@pytest.fixture(params=["direct", "pgbouncer"])
def address(request, server):
    """Return the address of a ledger of its own."""
    if request.param == "direct":
        yield server.url(server.empty_schema())
        return
    pooler = Pooler(server)
    yield pooler.url(server.empty_schema())
    pooler.close()
