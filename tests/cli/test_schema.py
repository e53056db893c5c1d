"""`loghub schema`: what it lets pass is what dictConfig and the classes take, and nothing else."""

from __future__ import annotations

import json
import logging.config
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

import loghub
from loghub.cli import main
from loghub.cli.schema import document
from loghub.declared import options_of
from loghub.errors import LoghubError
from tests.configurations import keyed

ROOT = Path(__file__).parents[2]
CHECK = jsonschema.Draft202012Validator(document())
CLASSES = [getattr(loghub, name) for name in loghub.__all__ if name.endswith(("Handler", "Filter"))]
OURS = {f"{one.__name__}.{name}": (one, name) for one in CLASSES for name in options_of(one)}


def errors(handlers):
    """Return the places of what the schema refuses in some handlers, and why."""
    config = {"version": 1, "handlers": handlers}
    return [(one.json_path, one.message) for one in CHECK.iter_errors(config)]


def test_printed():
    """The verb prints a schema that the metaschema of its draft takes."""
    printed = CliRunner().invoke(main, ["schema"], catch_exceptions=False).output
    jsonschema.Draft202012Validator.check_schema(json.loads(printed))
    assert json.loads(printed) == json.loads(json.dumps(document()))


@pytest.mark.parametrize("path", ["logging.yaml", "examples/fastapi_logging.yaml"])
def test_own_files(path):
    """The files of the repository hold."""
    CHECK.validate(keyed(yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))))


def test_wrong_option():
    """An option that does not exist is refused where it stands."""
    ((place, why),) = errors({"github": {"class": "loghub.GitHubIssueHandler", "issues_per_hours": 3}})
    assert place == "$.handlers.github"
    assert "issues_per_hours" in why


def test_wrong_type():
    """A value of a wrong type, out of range, or with a missing key is refused where it stands."""
    found = errors(
        {
            "mail": {"class": "loghub.BatchingSMTPHandler", "capacity": 0, "html": "perhaps"},
            "recovery": {"()": "loghub.RecoveryHandler", "procedures": [{"on": "ValueError"}]},
            "file": {"class": "loghub.RotatingFileHandler"},
        }
    )
    assert {place for place, _ in found} == {
        "$.handlers.mail.capacity",
        "$.handlers.mail.html",
        "$.handlers.recovery.procedures[0]",
        "$.handlers.file",
    }
    assert ("$.handlers.file", "'filename' is a required property") in found


def test_classes_of_others():
    """Classes of others may have any options; one that loghub does not have is refused."""
    assert errors({"a": {"class": "shop.Handler", "what": [1]}, "b": {"()": "shop.make", "ever": None}}) == []
    assert [place for place, _ in errors({"a": {"class": "loghub.GithubIssueHandler"}})] == ["$.handlers.a.class"]


def test_formatter_under_class():
    """dictConfig drops a formatter's own options under `class`: the schema says so; under `()` all are taken."""
    said = {"()": "loghub.JsonFormatter", "format": "%(message)s", "timestamp": True}
    CHECK.validate({"version": 1, "formatters": {"json": said}})
    wrong = {"class": "loghub.JsonFormatter", "format": "%(message)s", "timestamp": True}
    (error,) = CHECK.iter_errors({"version": 1, "formatters": {"json": wrong}})
    assert "timestamp" in error.message


# --- the classes themselves are asked

VALUES = [
    None, True, False, 0, 1, -1, 2, 0.5, 1.5, 1000, 1001, 420, "", " ", "x", "20", "0", "-3", "1.5", "yes", "OFF",
    "a/b", "https://github.example.com/api/v3", "https://u:p@h", "ftp://h", "midnight", "W7", "03:30", "25:00", "gzip",
    "zip", "v0", "v2", "0640", "0400", "ERROR", "ssl", "tls", "w", "q", "utf-8", "new", "new, 100", "ever",
    [], ["a"], ["a", "b"], ["a", "b", "c"], [1], [""], [None], ["new", 5], ["h", 25], ["h", "x"], {}, {"a": 1},
    [{"on": "ValueError", "run": "builtins.bool"}], [{"on": [], "run": "builtins.bool"}], [{"run": 1, "on": 2}],
]  # fmt: skip

BESIDE = {
    "app_id": {"private_key_file": "key.pem", "installation_id": 1},
    "private_key_file": {"app_id": 1, "installation_id": 1},
    "installation_id": {"app_id": 1, "private_key_file": "key.pem"},
    "mailhost": {"fromaddr": "a@example.com", "toaddrs": ["b@example.com"]},
}
"""What has to be given with an option."""

LOOKED_UP = {
    "ledger": "addresses of ledgers",
    "flushLevel": "names of levels, of which an application may have more",
    "template": "a file that has to be there",
    "html_template": "a file that has to be there",
    "ca_file": "a file that has to be there",
    "secure": "files that have to be there",
    "project_root": "a folder that has to be there",
    "before_send": "a function that has to be there",
    "encoding": "an encoding that Python has",
    "errors": "an error handler that Python has",
    "fromaddr": "what is a mail address",
    "toaddrs": "what is a mail address",
    "urls": "what apprise knows",
    "credentials": "two of them or none",
}
"""Texts of which no schema can say whether they are right, and what the class looks up; anything else has to agree."""

NEVER_MIND = {
    "EventFilter.name": "logging.Filter takes whatever has a length",
}


@pytest.fixture
def refusal(monkeypatch):
    """Return a function that says why dictConfig refuses an entry; None where it takes it."""
    monkeypatch.setenv("ERROR_REPORTING_ENABLED", "false")  # no home is opened

    def refuse(kind, said):
        configurator = logging.config.DictConfigurator({"version": 1})
        configure = configurator.configure_filter if kind == "filters" else configurator.configure_handler
        try:
            made = configure(dict(said))
        except (LoghubError, TypeError, ValueError, OSError) as error:
            return str(error.__cause__ or error)
        if kind == "handlers":
            made.close()
        return None

    return refuse


@pytest.mark.slow
@pytest.mark.parametrize("option", sorted(OURS.keys() - NEVER_MIND.keys()))
def test_agrees(option, refusal):
    """What the schema takes the class takes, and what it refuses the class refuses, for values of every kind."""
    cls, name = OURS[option]
    kind = "filters" if issubclass(cls, logging.Filter) else "handlers"
    needed = {"filename": "app.log"} if "filename" in options_of(cls) else {}
    differ = []
    for value in VALUES:
        said = {"()": f"loghub.{cls.__name__}", **needed, **BESIDE.get(name, {}), name: value}
        if value is None and name in BESIDE:
            continue  # the others want it
        why = refusal(kind, said)
        is_refused = not CHECK.is_valid({"version": 1, kind: {"one": said}})
        if is_refused != bool(why) and not (why and name in LOOKED_UP and isinstance(value, str | list)):
            differ.append((value, "the schema refuses it" if is_refused else why))
    assert differ == []
