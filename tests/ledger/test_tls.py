"""The way to the database is encrypted, and the server is who it says: as the address asks."""

from __future__ import annotations

import ssl

import pytest
import trustme

from loghub.errors import LedgerError
from loghub.ledger.address import read_address
from loghub.ledger.postgres import PostgresLedger
from tests.postgres import PASSWORD, Relay


@pytest.fixture(scope="module")
def secure(postgres, tmp_path_factory):
    """Return a maker of ledgers on a server with a certificate for localhost, who trust what is in a file."""
    folder = tmp_path_factory.mktemp("authority")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(str(folder / "other.pem"))
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(shown)
    relay = Relay(postgres.port, shown)  # the server that the tests have is built without TLS
    schema = postgres.empty_schema()

    def opened(ca, host):
        how = {"sslmode": "verify-full", "sslrootcert": str(folder / ca)}
        return PostgresLedger(read_address(postgres.url(schema, host=host, port=relay.port, **how)))

    yield opened
    relay.close()
    postgres.give_back(schema)


def test_right(secure):
    """With its authority and its name the server is believed, and what is said to it is encrypted."""
    one = secure("ca.pem", "localhost")
    assert one.totals()["groups"] == 0
    assert one.connection.pgconn.ssl_in_use
    one.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ca", "host", "said"),
    [("other.pem", "localhost", "certificate verify failed"), ("ca.pem", "127.0.0.1", "does not match host name"),
     ("none.pem", "localhost", "does not exist")],
)  # fmt: skip
def test_wrong(secure, ca, host, said):
    """A server of another authority, or of another name, is told nothing."""
    with pytest.raises(LedgerError, match=said) as failed:
        secure(ca, host).totals()
    assert PASSWORD not in str(failed.value)
