"""Options, and the configurations that give them."""

from __future__ import annotations

import datetime as dt
import logging
import logging.config
import logging.handlers

import pytest

from loghub import filters
from loghub.errors import OptionValueError, UnknownOptionError
from loghub.formatters import JsonFormatter
from loghub.handlers.rotatingfile import RotatingFileHandler
from loghub.scrub.own import hide
from tests.handlers.rotating.lines import (
    DAY,
    read,
)


def test_dict_config(log):
    """dictConfig makes it with every option, as YAML gives them."""
    options = {
        "filename": str(log),
        "mode": "a",
        "maxBytes": "1000",
        "backupCount": 3,
        "encoding": "utf-8",
        "delay": "no",
        "errors": "backslashreplace",
        "when": "W6",
        "interval": 2,
        "utc": True,
        "atTime": "03:30",
        "compress": "gzip",
        "max_age_days": 30,
        "max_total_bytes": 10_000,
        "mode_bits": 0o600,
        "scrub": True,
    }
    handler = {"class": "loghub.handlers.rotatingfile.RotatingFileHandler", "formatter": "f", **options}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"f": {"format": "%(levelname)s %(message)s"}},
            "handlers": {"file": handler},
            "loggers": {"configured": {"handlers": ["file"], "level": "INFO", "propagate": False}},
        }
    )
    logger = logging.getLogger("configured")
    logger.info("login with password=hunter2hunter2")
    logger.handlers.pop().close()
    assert read(log).startswith("INFO login")
    assert "hunter2" not in read(log)


@pytest.mark.parametrize(
    ("options", "attributes"),
    [
        ({"maxBytes": 1000, "backupCount": 3, "mode": "a", "delay": True, "encoding": "utf8"}, {"maxBytes": 1000}),
        ({"when": "midnight", "interval": 1, "backupCount": 14, "utc": True}, {"when": "MIDNIGHT", "interval": DAY}),
        ({"when": "d", "backupCount": 0, "delay": False, "encoding": None, "errors": None}, {"when": "D"}),
        ({"when": "w0", "atTime": dt.time(3)}, {"when": "W0", "dayOfWeek": 0, "suffix": "%Y-%m-%d"}),
    ],
)
def test_dict_config_of_the_standard_library(log, options, attributes):
    """A configuration for the standard library's handlers works with the name of the class changed, nothing else."""
    theirs = "TimedRotatingFileHandler" if "when" in options else "RotatingFileHandler"
    for name in (f"logging.handlers.{theirs}", "loghub.RotatingFileHandler"):
        log.parent.mkdir(exist_ok=True)
        handler = {"class": name, "filename": str(log), "level": "DEBUG", **options}
        config = {"handlers": {"file": handler}, "loggers": {"configured": {"handlers": ["file"]}}}
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **config})
        logger = logging.getLogger("configured")
        logger.error("by %s", name)
        (made,) = logger.handlers
        assert {key: getattr(made, key) for key in attributes} == attributes
        assert (made.backupCount, made.delay) == (options.get("backupCount", 0), options.get("delay", False))
        logger.removeHandler(made)
        made.close()
    assert read(log) == f"by logging.handlers.{theirs}\nby loghub.RotatingFileHandler\n"


def test_file_config_of_the_standard_library(log, tmp_path):
    """So does an INI file, with positional arguments."""
    ini = tmp_path / "logging.ini"
    ini.write_text(
        "[loggers]\nkeys=root,configured\n[handlers]\nkeys=file\n[formatters]\nkeys=\n"
        "[logger_root]\nhandlers=\n"
        "[logger_configured]\nqualname=configured\nhandlers=file\npropagate=0\n"
        f"[handler_file]\nclass=loghub.RotatingFileHandler\nargs=({str(log)!r}, 'a', 10, 3, 'utf-8', True)\n"
    )
    root = logging.getLogger()
    before = root.handlers[:]
    logging.config.fileConfig(ini, disable_existing_loggers=False)
    logger = logging.getLogger("configured")
    for message in ("first", "second"):
        logger.error(message)
    logger.handlers.pop().close()
    root.handlers[:] = before
    assert (read(log), read(f"{log}.1")) == ("second\n", "first\n")


def test_scrub_of_the_filter(log):
    """With scrub, what an EventFilter of the handler's names is hidden, too; and loghub's own token."""
    handler = RotatingFileHandler(log, scrub=True)
    logger = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    logger.addHandler(handler)
    hide("0123-a-token-without-any-shape")
    logger.error("acme_id=77-xy-88 and 0123-a-token-without-any-shape")
    handler.addFilter(filters.EventFilter(scrub=["acme_id"]))
    logger.error("acme_id=77-xy-88 again")
    handler.close()
    assert read(log) == "acme_id=77-xy-88 and [Filtered]\nacme_id=[Filtered] again\n"


def test_scrub_of_what_is_told(log):
    """With scrub, what stands under a secret name in a record's arguments or extra is gone from its line, too."""
    handler = RotatingFileHandler(log, scrub=True)
    lines = RotatingFileHandler(log.with_name("lines.log"), scrub=True)
    lines.setFormatter(JsonFormatter())
    logger = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    logger.addHandler(handler)
    logger.addHandler(lines)
    secret = 'Zq7 pLm2"Vx9Kt'
    logger.error("login %(user)s with %(password)s", {"user": "bob", "password": secret})
    logger.error("login failed for %s with %s", "bob", secret, extra={"password": secret, "user": "bob"})
    logger.error("sent %s", secret, extra={"request": {"headers": {"X-Api-Key": secret.encode()}}})
    logger.error("login %(user)s", {"user": "bob"}, extra={"port": 25})
    handler.close()
    lines.close()
    for text in (read(log), read(lines.baseFilename)):
        assert "pLm2" not in text
        assert "login bob with [Filtered]" in text
        assert "login failed for bob with [Filtered]" in text
        assert "login bob" in text.splitlines()[-1]


def test_unknown_option(log):
    """An unknown option names the nearest one."""
    with pytest.raises(UnknownOptionError, match="'max_bytes'; did you mean 'maxBytes'"):
        RotatingFileHandler(log, max_bytes=3)
    assert not log.parent.exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("filename", ""),
        ("filename", 3),
        ("mode", "r"),
        ("maxBytes", "10MB"),
        ("maxBytes", -1),
        ("backupCount", 1.5),
        ("encoding", "utf-99"),
        ("errors", "shrug"),
        ("delay", "perhaps"),
        ("when", "fortnight"),
        ("when", "W7"),
        ("interval", 0),
        ("utc", "perhaps"),
        ("atTime", 12600),
        ("atTime", "25:00"),
        ("compress", "zip"),
        ("max_age_days", "week"),
        ("max_total_bytes", -5),
        ("mode_bits", 640),
        ("mode_bits", "rw-r-----"),
        ("mode_bits", "0040"),
        ("scrub", "perhaps"),
    ],
)
def test_malformed_value(log, option, value):
    """A malformed value is refused by name, with what is right, and leaves no file behind."""
    with pytest.raises(OptionValueError, match=f"RotatingFileHandler: option {option!r} cannot be") as caught:
        RotatingFileHandler(**{"filename": str(log), option: value})
    assert "it must be" in str(caught.value)
    assert not log.parent.exists()


@pytest.mark.parametrize("value", [None, "none"])
def test_no_compression(make, value):
    """`none` in YAML is a text."""
    assert make(compress=value)._background is None
