"""The pages of a fleet: what other hosts have told its ledger."""

from __future__ import annotations

import pytest

from loghub.delivery.home import home_of
from loghub.ledger.address import read_address
from loghub.ledger.postgres import PostgresLedger
from loghub.web import create_app
from tests.ledger.rows import GITHUB, ONE, TWO, event, fold, tally
from tests.postgres import PASSWORD


@pytest.fixture
def client(postgres, tmp_path):
    """Return a client of the pages of a host that has reported nothing itself."""
    schema = postgres.empty_schema()
    ledger = PostgresLedger(read_address(postgres.url(schema)))
    fold(ledger, tally(3, kept=[event(key="a")], github=3))
    fold(ledger, tally(4, kept=[event(TWO, key="b", error_type="KeyError")], github=4), fingerprint=TWO)
    ledger.close()
    home = str(tmp_path / "home")
    yield create_app(home, postgres.url(schema), no_login=True).test_client()
    home_of(home, postgres.url(schema)).close(1)
    postgres.give_back(schema)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/errors", "bad price"),
        ("/errors?type=KeyError&since=2026-01-01", "KeyError"),
        (f"/groups/{ONE}", "bad price"),
        ("/outbox", GITHUB),
        ("/metrics", "loghub_seen 7"),
        ("/api/groups", "KeyError"),
        ("/api/errors", "KeyError"),
        ("/api/stats", "total_errors"),
        ("/healthz", "ok"),
    ],
)
def test_pages(client, path, says):
    """Each page and each answer has what the fleet's ledger knows, and never its password."""
    answer = client.get(path)
    assert answer.status_code == 200
    assert says in answer.text
    assert PASSWORD not in answer.text
