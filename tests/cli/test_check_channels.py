"""``loghub check`` on channels and procedures; ``loghub test`` and ``loghub show`` with them."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from loghub.cli import main
from loghub.delivery import deliverer
from tests.fakes.hooks import FakeHooks


@pytest.fixture
def loghub(tmp_path, monkeypatch):
    """Return what runs a verb with some handlers, and returns what it printed."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    path = tmp_path / "logging.yaml"

    def run(verb, *args, code=0, **handlers):
        for handler in handlers.values():
            handler["home"] = str(tmp_path / "home")
        if handlers:
            said = {"version": 1, "handlers": handlers, "root": {"handlers": list(handlers)}}
            path.write_text(yaml.safe_dump(said))
        done = CliRunner().invoke(main, [verb, *args, "--config", str(path)], catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done.output

    return run


@pytest.mark.slow
def test_check_channels(loghub):
    """Each address is named by its service, never shown; none at all is noted."""
    said = loghub("check", tell={"class": "loghub.NotifyHandler", "urls": ["json://127.0.0.1/T0ken-of-a-hook-7f3a"]})
    assert "is an address of JSON." in said
    assert "T0ken" not in said
    assert "note  tell: NotifyHandler needs urls" in loghub("check", tell={"class": "loghub.NotifyHandler"})


def test_check_procedures(loghub):
    """Each procedure is named with its errors; a name that nothing has is noted, a function that is not there fails."""
    procedures = [
        {"on": ["sqlite3.DatabaseError", "OSError", "CRITICAL"], "run": "os.path.exists"},
        {"on": "shop.errors.CamraError", "run": "os.path.exists"},
    ]
    said = loghub("check", mend={"class": "loghub.RecoveryHandler", "procedures": procedures})
    assert "os.path.exists can be run for sqlite3.DatabaseError, OSError, CRITICAL." in said
    assert said.count("note  mend") == 1
    assert "shop.errors.CamraError is no exception class" in said
    procedures[0]["run"] = "os.path.exist"
    assert "os.path.exist" in loghub(
        "check", code=1, mend={"class": "loghub.RecoveryHandler", "procedures": procedures}
    )


@pytest.mark.parametrize(
    ("run", "arguments", "said"),
    [
        ("call", {"function": "no.such:thing"}, "function no.such:thing is not there"),
        ("reopen", {"call": "os.path.exsts"}, "call os.path.exsts is not there"),
        ("restart_service", {"command": ["no-such-program"]}, "there is no program no-such-program"),
    ],
)
def test_check_what_procedures_call(loghub, run, arguments, said):
    """What a ready-made procedure would call at night is looked for now."""
    procedure = {"on": "OSError", "run": f"loghub.procedures.{run}", "with": arguments}
    found = loghub("check", code=1, mend={"class": "loghub.RecoveryHandler", "procedures": [procedure]})
    assert f"loghub.procedures.{run} cannot work: {said}" in found


def test_test_tells_each_channel(loghub):
    """The test error goes to each channel and to a procedure for it."""
    with FakeHooks() as hooks:
        handlers = {
            "tell": {"class": "loghub.NotifyHandler", "urls": [hooks.url("a"), hooks.url("b")]},
            "mend": {"class": "loghub.RecoveryHandler", "procedures": [{"on": "CRITICAL", "run": "builtins.bool"}]},
        }
        said = loghub("test", **handlers)
        assert len(hooks.told) == 2
    assert said.count("told               notify:json/") == 2
    assert "told               recovery:builtins.bool/" in said
    key = json.loads(loghub("groups", "--json"))[0]["fingerprint"]
    shown = loghub("show", key)
    assert "recovered by builtins.bool in " in shown
    (one,) = json.loads(loghub("show", key, "--json"))["recoveries"]
    assert (one["procedure"], one["outcome"]) == ("builtins.bool", "recovered")
