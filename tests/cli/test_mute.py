"""mute and unmute: what is heard of a bug, and until when."""

from __future__ import annotations

import json
import math
import time

import pytest

from loghub.event import iso
from loghub.ledger.sqlite import SQLiteLedger
from tests.cli.test_cli import run
from tests.fakes.github import FakeGitHub

DAY = 86_400


def rows(home):
    """Return what groups prints, by type of error."""
    return {row["error_type"]: row for row in json.loads(run("groups", "--home", home, "--json"))}


def muted_until(home, fingerprint):
    """Return what the ledger says."""
    ledger = SQLiteLedger(str(home / "ledger.db"))
    try:
        return ledger.group(fingerprint).muted_until
    finally:
        ledger.close()


def told(fake):
    """Return the variables that say where the stand-in is."""
    return {"GITHUB_REPO": "acme/shop", "GITHUB_TOKEN": fake.token, "GITHUB_API_URL": fake.url}


def test_mute(home):
    """A bug is muted for good by the beginning of its fingerprint, groups shows it, and unmute takes it back."""
    whole = rows(home)["KeyError"]["fingerprint"]
    assert run("mute", whole[3:10], "--home", home) == f"{whole} is muted until it is unmuted.\n"
    assert muted_until(home, whole) == math.inf
    assert {kind: row["status"] for kind, row in rows(home).items()} == {"KeyError": "muted", "ERROR": "open"}
    line = next(line for line in run("groups", "--home", home).splitlines() if "KeyError" in line)
    assert "muted" in line
    assert "status        muted" in run("show", whole, "--home", home)
    assert run("unmute", whole, "--home", home) == f"{whole} is not muted.\n"
    assert {row["status"] for row in rows(home).values()} == {"open"}


@pytest.mark.parametrize("days", [7, 0.5])
def test_mute_for_days(home, days):
    """With --days a bug is muted until then, and the end is printed."""
    whole = rows(home)["KeyError"]["fingerprint"]
    before = time.time() + days * DAY
    said = run("mute", whole, "--days", days, "--home", home)
    until = muted_until(home, whole)
    assert before <= until <= time.time() + days * DAY
    assert said == f"{whole} is muted until {iso(until)}.\n"
    assert rows(home)["KeyError"]["status"] == "muted"


@pytest.mark.parametrize("days", ["0", "-1", "soon"])
def test_mute_for_no_time(home, days):
    """A number of days that is none is misuse, and mutes nothing."""
    whole = rows(home)["KeyError"]["fingerprint"]
    assert "--days" in run("mute", whole, "--days", days, "--home", home, code=2)
    assert muted_until(home, whole) == 0.0


@pytest.mark.parametrize("verb", ["mute", "unmute"])
def test_nothing_to_mute(home, tmp_path, verb):
    """A fingerprint that is not there, or a home that is not, is one sentence."""
    said = run(verb, "v1:zz", "--home", home, code=1)
    assert said == "Error: Nothing here has the fingerprint v1:zz: see loghub groups.\n"
    assert "There is no home at" in run(verb, "v1:zz", "--home", tmp_path / "nowhere", code=1)


def test_muted_is_not_delivered(home):
    """drain opens no issue for a muted bug, and has nothing left."""
    run("mute", rows(home)["KeyError"]["fingerprint"], "--home", home)
    with FakeGitHub("acme/shop") as fake:
        assert run("drain", "--home", home, **told(fake)) == "Nothing waits.\n"
        assert [issue["title"] for issue in fake.issues("acme/shop")] == ["[Auto] ERROR: shop"]
        assert fake.violations == []
    assert rows(home)["KeyError"]["count"] == 3
