"""loghub reindex."""

from __future__ import annotations

import json
import logging

import pytest
from click.testing import CliRunner

from loghub.cli import main
from loghub.delivery import deliverer
from loghub.handlers.detailfile import JSONDetailHandler


def run(*args, code=0):
    """Run a verb in this process; return what it printed."""
    done = CliRunner().invoke(main, list(map(str, args)), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def errors(tmp_path, monkeypatch):
    """Return a folder with three detail files of one bug."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    handler = JSONDetailHandler(str(tmp_path / "errors"), home=str(tmp_path / "old"))
    log = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    log.addHandler(handler)
    for number in range(3):
        log.error("order %d lost", number)
    handler.close()
    monkeypatch.undo()
    return tmp_path / "errors"


def test_into_a_home_that_is_not_there(errors, tmp_path):
    """A home is made, holds what the files tell, and the second run changes nothing."""
    home = tmp_path / "new"
    expected = "3 files read. Not in the ledger before: 1 group, 3 events, 3 occurrences.\n"
    assert run("reindex", errors, "--home", home) == expected
    (group,) = json.loads(run("groups", "--home", home, "--json"))
    assert group["count"] == 3
    assert run("reindex", errors, "--home", home).endswith("0 groups, 0 events, 0 occurrences.\n")


def test_folder_of_the_configuration(errors, tmp_path):
    """Without a folder those of --config are read."""
    config = tmp_path / "logging.yaml"
    config.write_text(json.dumps({
        "version": 1,
        "handlers": {
            "detail": {"class": "loghub.JSONDetailHandler", "directory": str(errors), "home": str(tmp_path / "new")}
        },
        "root": {"handlers": ["detail"]},
    }))  # fmt: skip
    assert run("reindex", "--config", config).startswith("3 files read. Not in the ledger before: 1 group")


def test_files_that_cannot_be_read(errors, tmp_path):
    """Damaged files are named with their reason, the first ten; the others count. Nothing readable is a failure."""
    files = sorted(errors.iterdir())
    files[0].write_text("{")
    text = run("reindex", errors, "--home", tmp_path / "new")
    assert f"Left out: {files[0]}: no JSON, or cut off." in text
    assert "2 files read." in text
    for number in range(12):
        (errors / f"error_20261127_030000_X{number}.json").write_text("")
    for file in files[1:]:
        file.write_text("{")
    text = run("reindex", errors, "--home", tmp_path / "new", code=1)
    assert text.count("Left out: ") == 11
    assert "Left out: 5 more files." in text


def test_a_damaged_ledger(errors, tmp_path):
    """A damaged ledger is moved aside, and a new one has what the files tell."""
    home = tmp_path / "new"
    home.mkdir()
    (home / "ledger.db").write_bytes(b"no database" * 1000)
    text = run("reindex", errors, "--home", home)
    assert "The ledger was damaged. It was moved to" in text
    assert "1 group, 3 events, 3 occurrences" in text
    assert len(list(home.glob("ledger.db.damaged-*"))) == 1


def test_no_folder(tmp_path, monkeypatch):
    """A folder that is not there is one sentence, also the default one."""
    monkeypatch.chdir(tmp_path)
    assert "There is no directory" in run("reindex", "--home", tmp_path / "new", code=1)
    assert "name the one that JSONDetailHandler writes to" in run("reindex", tmp_path / "x", code=1)
    assert not (tmp_path / "new").exists()


def test_configuration_without_files(tmp_path):
    """A configuration without a JSONDetailHandler says that a folder must be named."""
    config = tmp_path / "logging.yaml"
    config.write_text('{"version": 1, "handlers": {"mail": {"class": "loghub.BatchingSMTPHandler", "toaddrs": []}}}')
    assert "has no JSONDetailHandler" in run("reindex", "--config", config, "--home", tmp_path / "new", code=1)
