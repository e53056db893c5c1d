"""loghub purge."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from loghub.cli import main


def run(*args, code=0, answer=None):
    """Run a verb in this process; return what it printed."""
    done = CliRunner().invoke(main, list(map(str, args)), input=answer, catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def groups(home):
    """Return the types of the groups that there are."""
    return [row["error_type"] for row in json.loads(run("groups", "--home", home, "--json"))]


def test_asks_first(home):
    """Groups are shown and deleted when that is confirmed, and only then."""
    text = run("purge", "--type", "KeyError", "--home", home, answer="n\n", code=1)
    assert "KeyError" in text
    assert "Delete 1 group for good?" in text
    assert groups(home) == ["KeyError", "ERROR"]
    assert "1 group deleted." in run("purge", "--type", "KeyError", "--home", home, answer="y\n")
    assert groups(home) == ["ERROR"]


def test_by_fingerprint(home):
    """A group is named by the beginning of its fingerprint; one that is not there ends it before anything is done."""
    row = json.loads(run("groups", "--home", home, "--json"))[0]
    assert "v1:zz" in run("purge", row["fingerprint"], "v1:zz", "--home", home, "--yes", code=1)
    assert len(groups(home)) == 2
    run("purge", row["fingerprint"][:9], "--home", home, "--yes")
    assert groups(home) == ["ERROR"]


@pytest.mark.parametrize("options", [("--text", ""), ("--component", "")])
def test_an_unset_variable(home, options):
    """A filter that is empty does not mean everything."""
    assert "It is empty" in run("purge", "--home", home, "--yes", *options, code=2)
    assert len(groups(home)) == 2


def test_dry_run(home):
    """--dry-run deletes nothing."""
    assert "2 groups would be deleted." in run("purge", "--text", "o", "--home", home, "--dry-run")
    assert len(groups(home)) == 2


def test_until(home):
    """--until takes only what was last seen before."""
    assert run("purge", "--until", "1h", "--home", home, "--yes") == "No groups are like that.\n"
    run("purge", "--until", "2100-01-01", "--home", home, "--yes")
    assert groups(home) == []


@pytest.mark.parametrize("options", [(), ("--yes",), ("v1:1", "--component", "shop"), ("v1:1", "--until", "1d")])
def test_everything_is_not_meant(home, options):
    """Without saying which nothing is deleted, nor where it is said twice: that is misuse."""
    assert "Say which groups" in run("purge", "--home", home, *options, code=2)
    assert len(groups(home)) == 2
