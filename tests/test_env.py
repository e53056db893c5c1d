"""ext://loghub.env.NAME: from the environment, from .env, or a sentence that names what is missing."""

from __future__ import annotations

import logging
import logging.config
import os

import pytest

from loghub import env
from loghub.errors import UnsetVariableError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, without the variables that the tests use."""
    monkeypatch.chdir(tmp_path)
    for name in ("CHANNEL", "OTHER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class Taking(logging.Handler):
    """Keeps the option that it was given."""

    def __init__(self, option):
        super().__init__()
        self.option = option


def configured(option):
    """Return what a handler gets for `option` of a logging.yaml."""
    configurator = logging.config.DictConfigurator(
        {"version": 1, "handlers": {"one": {"()": "tests.test_env.Taking", "option": option}}}
    )
    return configurator.configure_handler(configurator.config["handlers"]["one"]).option


def test_set(monkeypatch):
    """A variable that is set is taken."""
    monkeypatch.setenv("CHANNEL", "#shop")
    assert configured("ext://loghub.env.CHANNEL") == "#shop"


@pytest.mark.parametrize("value", [None, ""])
def test_unset(monkeypatch, value):
    """A variable that is not set, or empty, is an error that names it and says what to do."""
    if value is not None:
        monkeypatch.setenv("CHANNEL", value)
    with pytest.raises(UnsetVariableError, match=r"CHANNEL is not set.*ext://loghub\.env\.CHANNEL.*\.env"):
        configured("ext://loghub.env.CHANNEL")


def test_unset_through_dictconfig():
    """dictConfig fails, and the name is in the chain of its errors."""
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"one": {"class": "logging.FileHandler", "filename": "ext://loghub.env.CHANNEL"}},
    }
    with pytest.raises(ValueError, match="one") as failure:
        logging.config.dictConfig(config)
    assert "CHANNEL" in str(failure.value.__cause__)


def test_dotenv(folder, monkeypatch):
    """What the environment lacks is read from .env, which never alters the environment."""
    (folder / ".env").write_text('CHANNEL="#shop"\nOTHER=of the file\n')
    monkeypatch.setenv("OTHER", "of the environment")
    assert env.read("CHANNEL") == configured("ext://loghub.env.CHANNEL") == "#shop"
    assert env.read("OTHER") == "of the environment"
    assert "CHANNEL" not in os.environ


def test_dotenv_changes(folder):
    """A .env that was changed is read again."""
    assert env.read("CHANNEL") is None
    (folder / ".env").write_text("CHANNEL=one\n")
    assert env.read("CHANNEL") == "one"
    (folder / ".env").write_text("CHANNEL=another\n")
    assert env.read("CHANNEL") == "another"
    (folder / ".env").unlink()
    assert env.read("CHANNEL") is None


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"= = =\n\n#\n", b""])
def test_dotenv_that_is_none(folder, content):
    """A file that is no text, or no .env, is as none at all."""
    (folder / ".env").write_bytes(content)
    assert env.read("CHANNEL") is None


def test_dotenv_is_a_folder(folder):
    """A folder of that name (a virtual environment, say) is left alone."""
    (folder / ".env").mkdir()
    assert env.read("CHANNEL") is None


def test_no_working_directory(tmp_path, monkeypatch):
    """A process whose working directory was removed reads the environment only."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert env.read("CHANNEL") is None


def test_first_of_several(monkeypatch):
    """Of several names the first that is set counts; the environment before .env."""
    monkeypatch.setenv("OTHER", "second")
    assert env.read("CHANNEL", "OTHER") == "second"
    monkeypatch.setenv("CHANNEL", "first")
    assert env.read("CHANNEL", "OTHER") == "first"


def test_nested(monkeypatch):
    """Variables within lists and mappings are resolved where options.plain reads them."""
    from loghub import options

    monkeypatch.setenv("CHANNEL", "#shop")
    given = configured({"to": ["ext://loghub.env.CHANNEL", {"also": "ext://loghub.env.CHANNEL"}]})
    read = options.plain(given)
    assert read == {"to": ["#shop", {"also": "#shop"}]}
    assert type(read["to"]) is list
    assert type(read["to"][1]) is dict


def test_no_dunder():
    """Names that Python itself looks for are no variables."""
    assert not hasattr(env, "__wrapped__")
