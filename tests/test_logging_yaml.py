"""The repository's own logging.yaml tells everything there is, and nothing that is not."""

from __future__ import annotations

import inspect
import logging
import logging.config
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

import loghub
from loghub import declared
from loghub.cli.schema import document
from loghub.delivery import deliverer, waiting

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "logging.yaml").read_text(encoding="utf-8")


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
    assert waiting.flush(5.0)
    assert "order 7 lost" in (configured / "logs" / "error.log").read_text(encoding="utf-8")
    assert len(list((configured / "logs" / "errors").iterdir())) == 1
    (home,) = deliverer.homes()
    assert [group.count for group in home.ledger().groups()] == [1]


CLASSES = [name for name in loghub.__all__ if name.endswith(("Handler", "Filter"))]
SHARED = {"home", "ledger", "shutdown_timeout"}
"""What every reporting handler has, and the first one shows."""


def entry(name):
    """Return what the file says of a class, up to the next one."""
    return TEXT.partition(f": loghub.{name}\n")[2].partition("\n\n")[0]


@pytest.mark.parametrize("name", CLASSES)
def test_every_option_is_shown(name):
    """Each option of each class has a line, as an entry or an example, with a comment; and no other has one."""
    shown = set(re.findall(r"^    (?:# )?(\w+): .*#.+$", entry(name), re.MULTILINE))
    had = set(declared.options_of(getattr(loghub, name)))
    assert shown - {"class", "level", "filters", "formatter"} == had - (
        SHARED if name != "GitHubIssueHandler" else set()
    )


def test_examples_hold():
    """What stands in comments as an example is taken by the schema, which takes what the classes take."""
    text = re.sub(r"^(    )# (?=\w+: \S)", r"\1", TEXT, flags=re.MULTILINE)
    text = re.sub(
        r"^    # (?=- on:|  \w+: )", "      ", text.replace("procedures: []", "procedures:"), flags=re.MULTILINE
    )
    config = yaml.safe_load(text.replace("- on:", '- "on":'))
    assert len(config["handlers"]["recovery"]["procedures"][0]) == 6
    assert config["handlers"]["file"]["when"] == "midnight"
    jsonschema.Draft202012Validator(document()).validate(config)


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
