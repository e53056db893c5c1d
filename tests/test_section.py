"""Seed B's ``error_handling`` section: as it stands in the document, it configures logging."""

from __future__ import annotations

import contextlib
import json
import logging
import logging.config
import sqlite3

import pytest
from click.testing import CliRunner

import loghub
from loghub.cli import main
from loghub.delivery import deliverer, waiting
from loghub.errors import OptionValueError, UnknownOptionError
from tests.fakes.smtp import Certificate, FakeSMTP

SEED = """
{"error_handling": {
    "log_path": "logs/errors",
    "max_log_size": 10485760,
    "backup_count": 5,
    "email_notifications": false,
    "email_config": {
        "server": "smtp.example.com",
        "port": 587,
        "username": "user@example.com",
        "password": "password",
        "from_addr": "visigate@example.com",
        "to_addrs": ["admin@example.com"]
    }
}}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in a folder of its own, and leave logging as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGHUB_HOME", str(tmp_path / "home"))
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield tmp_path
    for handler in root.handlers[:]:
        if handler not in before[0]:
            root.removeHandler(handler)
            handler.close()
    root.handlers[:], root.level = before


def seed(**changes):
    """Return the document's configuration with changes to its section."""
    config = json.loads(SEED)
    config["error_handling"] |= changes
    return config


def test_as_it_stands(here):
    """The document's own example logs errors to a file and to one JSON file each, in the document's formats."""
    logging.config.dictConfig(loghub.from_error_handling_section(seed()))
    try:
        raise KeyError("plate")
    except KeyError:
        logging.getLogger("visigate.camera").exception("Error in camera.read: 'plate'")
    folder = here / "logs" / "errors"
    assert " - ERROR - Error in camera.read: 'plate'" in (folder / "error.log").read_text("utf-8")
    (detail,) = folder.glob("error_*_KeyError*.json")
    assert json.loads(detail.read_text("utf-8"))["error_message"] == "'plate'"


def test_values_are_taken():
    """Sizes, counts and folders are those of the section; without any, those of the document."""
    made = loghub.from_error_handling_section(seed(log_path="x/y/", max_log_size="1000", backup_count=2))
    log = made["handlers"]["error_log"]
    assert (log["filename"], log["maxBytes"], log["backupCount"]) == ("x/y/error.log", 1000, 2)
    assert made["handlers"]["error_details"]["directory"] == "x/y/"
    assert loghub.from_error_handling_section({}) == loghub.from_error_handling_section(seed())
    assert loghub.from_error_handling_section(seed()["error_handling"]) == loghub.from_error_handling_section(seed())
    assert "error_mail" not in made["handlers"]


def test_mails(here, monkeypatch):
    """With notifications an error is mailed by the section's server, encrypted and logged in."""
    certificate = Certificate(here)
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca_file)
    with FakeSMTP(users={"ops": "hunter2-hunter2"}, starttls=certificate.server()) as server:
        mail = {
            "server": server.host,
            "port": server.port,
            "username": "ops",
            "password": "hunter2-hunter2",
            "from_addr": "visigate@example.com",
            "to_addrs": ["admin@example.com", "two@example.com"],
        }
        made = loghub.from_error_handling_section(seed(email_notifications=True, email_config=mail))
        logging.config.dictConfig(made)
        logging.getLogger("visigate").error("gate is open")
        assert waiting.flush(10)
        (one,) = server.mails
    assert (one.encrypted, one.user, one.recipients) == (True, "ops", ("admin@example.com", "two@example.com"))


@pytest.mark.parametrize(("port", "secure"), [(587, "starttls"), (25, "starttls"), (465, "ssl")])
def test_encryption(port, secure):
    """Mails are never sent in the clear, as in the document; port 465 speaks TLS from the start."""
    config = seed(email_notifications=True)
    config["error_handling"]["email_config"]["port"] = port
    assert loghub.from_error_handling_section(config)["handlers"]["error_mail"]["secure"] == secure


def test_database(here, monkeypatch):
    """Where the configuration names a database, a damaged one is restored from the backup beside it."""
    path = here / "gate.db"
    with contextlib.closing(sqlite3.connect(f"{path}.backup")) as backup, backup:
        backup.execute("CREATE TABLE plates (plate TEXT)")
        backup.execute("INSERT INTO plates VALUES ('B-XY 12')")
    path.write_bytes(b"this is no database at all" * 200)
    logging.config.dictConfig(loghub.from_error_handling_section(seed() | {"database": {"path": str(path)}}))
    assert loghub.attempt_recovery("DatabaseError") is True
    with contextlib.closing(sqlite3.connect(path)) as restored:
        assert restored.execute("SELECT plate FROM plates").fetchall() == [("B-XY 12",)]


@pytest.mark.parametrize(
    ("config", "error", "said"),
    [
        ([], OptionValueError, "is a mapping with log_path, max_log_size"),
        ({"error_handling": []}, OptionValueError, "a mapping with log_path"),
        (seed(log_pth="x"), UnknownOptionError, "error_handling has no 'log_pth'; did you mean 'log_path'?"),
        (seed(max_log_size="big"), OptionValueError, "'max_log_size' cannot be 'big'"),
        (seed(backup_count=-1), OptionValueError, "'backup_count' cannot be -1"),
        (seed(log_path=""), OptionValueError, "'log_path' cannot be ''"),
        (seed(email_notifications="perhaps"), OptionValueError, "'email_notifications' cannot be 'perhaps'"),
        (seed(email_notifications=True, email_config={}), OptionValueError, "email_config needs 'server'"),
        (seed(email_notifications=True, email_config={"host": "x"}), UnknownOptionError, "email_config has no 'host'"),
        (seed(email_notifications=True, email_config="smtp"), OptionValueError, "a mapping with server, port"),
    ],
)
def test_malformed(config, error, said):
    """What is wrong with a section is one sentence that names the key."""
    with pytest.raises(error) as caught:
        loghub.from_error_handling_section(config)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_check_reads_it(here, monkeypatch):
    """``loghub check`` looks at a JSON configuration with the section as at a logging.yaml."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    (here / "config.json").write_text(SEED, encoding="utf-8")
    done = CliRunner().invoke(main, ["check", "config.json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "ok    config.json: 3 handlers can be made." in done.output
    (here / "config.json").write_text(SEED.replace("log_path", "logpath"), encoding="utf-8")
    done = CliRunner().invoke(main, ["check", "config.json"], catch_exceptions=False)
    assert done.exit_code == 1
    assert "FAIL  config.json: error_handling has no 'logpath'; did you mean 'log_path'?" in done.output
