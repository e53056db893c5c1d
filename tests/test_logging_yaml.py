"""The repository's own logging.yaml tells everything there is, and nothing that is not."""

from __future__ import annotations

import inspect
import logging
import logging.config
import re
from pathlib import Path

import pytest
import yaml

import loghub
from loghub import delivery

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "logging.yaml").read_text(encoding="utf-8")
NOT_FOR_YAML = {"self", "unknown", "rest", "now", "name", "mode", "delay", "encoding", "errors", "log_path"}


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Configure logging by the file, as an application in `tmp_path` would; put everything back afterwards."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logging.config.dictConfig(yaml.safe_load(TEXT))
    yield tmp_path
    for handler in list(root.handlers):
        if handler not in handlers:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_works_as_it_stands(configured):
    """The file needs no change: an error is in the log, in a detail file and in the ledger, and nothing is sent."""
    logging.getLogger("shop").error("order %d lost", 7)
    assert delivery.flush(5.0)
    assert "order 7 lost" in (configured / "logs" / "error.log").read_text(encoding="utf-8")
    assert len(list((configured / "logs" / "errors").iterdir())) == 1
    (home,) = delivery.homes()
    assert [group.count for group in home.ledger().groups()] == [1]


def options(name):
    """Return the options of a public class, its bases' included, as a YAML file names them."""
    cls = getattr(loghub, name)
    return {
        parameter
        for one in cls.__mro__
        if one.__module__.startswith("loghub.") and "__init__" in vars(one)
        for parameter, how in inspect.signature(one.__init__).parameters.items()
        if how.kind is not how.POSITIONAL_ONLY
    } - NOT_FOR_YAML


@pytest.mark.parametrize(
    "name",
    sorted(name for name in loghub.__all__ if name[0].isupper() and name not in {"JsonFormatter", "ErrorReporter"}),
)
def test_every_option_is_shown(name):
    """Each option of each class stands in the file, as an entry, an example in a comment, or in words."""
    block = TEXT[TEXT.index(f"loghub.{name}") :]
    missing = {option for option in options(name) if not re.search(rf"\b{option}\b", block)}
    if name != "GitHubIssueHandler":  # the first reporting handler shows what all of them have
        missing -= {"home", "ledger", "shutdown_timeout", "level"}
    assert not missing


def test_defaults_are_true():
    """Each value in the file that is not only an example is the option's default."""
    said = yaml.safe_load(TEXT)["handlers"]
    for name in ("github", "detail", "mail", "notify"):
        cls = getattr(loghub, said[name]["class"].partition(".")[2])
        defaults = {
            parameter.name: parameter.default
            for one in reversed(cls.__mro__)
            if one.__module__.startswith("loghub.") and "__init__" in vars(one)
            for parameter in inspect.signature(one.__init__).parameters.values()
        }
        for option, value in said[name].items():
            if option in defaults and defaults[option] is not None:
                default = defaults[option]
                same = list(default) == value if isinstance(default, tuple) else default == value
                assert same or logging.getLevelName(default) == value, (name, option, default)
