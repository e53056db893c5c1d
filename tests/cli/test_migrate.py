"""migrate: what a home's ledger knows comes to PostgreSQL."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from loghub.cli import main
from loghub.journal.writing import Journal
from loghub.ledger.sqlite import SQLiteLedger
from tests.cli.test_readers import read
from tests.ledger.rows import fold, tally
from tests.postgres import PASSWORD


def migrate(home, to, code=0):
    """Move; return what was printed, without any password."""
    done = CliRunner().invoke(main, ["migrate", "--home", str(home), "--to", to], catch_exceptions=False)
    assert done.exit_code == code, done.output
    assert PASSWORD not in done.output
    return done.output


@pytest.fixture
def url(postgres):
    """Return the address of a ledger that is not there yet."""
    schema = postgres.empty_schema()
    yield postgres.url(schema)
    postgres.give_back(schema)


@pytest.mark.slow
def test_moved(home, url):
    """All that readers print of the old ledger they print of the new one; a second time changes nothing."""
    said = migrate(home, url)
    assert "2 of 2 groups" in said
    assert next(line.split()[-2:] for line in said.splitlines() if line.startswith("occurrences ")) == ["12", "12"]
    assert "All has come" in said
    for verb in ("groups", "recent", "stats", "outbox"):
        assert read(verb, "--ledger", url, "--home", home) == read(verb, "--home", home)
    assert "All has come" in migrate(home, url)
    assert sum(group["count"] for group in read("groups", "--ledger", url, "--home", home)) == 12


def test_two_homes(home, url, tmp_path):
    """What several homes know adds up."""
    other = tmp_path / "other"
    other.mkdir()
    ledger = SQLiteLedger(str(other / "ledger.db"))
    fold(ledger, tally(3))
    ledger.close()
    migrate(home, url)
    assert "1 of 1 group" in migrate(other, url)
    assert sorted(group["count"] for group in read("groups", "--ledger", url, "--home", home)) == [3, 3, 9]


def test_somebody_lives(home, url):
    """While a process reports to the home nothing is moved: what it writes would be counted in both, or in neither."""
    living = Journal(str(home / "journal"), "x")
    assert "1 processes report to the home" in migrate(home, url, code=1)
    living.forget()


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("sqlite", "--to wants the URL"),
        ("mysql://db/x", "postgresql://"),
        ("postgresql://nobody@127.0.0.1:9/x", "cannot be used now"),
    ],
)
def test_nowhere_to_go(home, to, says):
    """Where it cannot be moved to, that is said."""
    done = CliRunner().invoke(main, ["migrate", "--home", str(home), "--to", to], catch_exceptions=False)
    assert done.exit_code != 0
    assert says in done.output


def test_to_itself(home, url):
    """A ledger is not moved to itself."""
    migrate(home, url)
    done = CliRunner().invoke(main, ["migrate", "--home", str(home), "--ledger", url, "--to", url])
    assert "nothing to move" in done.output
