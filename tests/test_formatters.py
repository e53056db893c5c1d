"""JsonFormatter: python-json-logger's lines, with what loghub knows of the record."""

from __future__ import annotations

import json
import logging
import logging.config
import sys

import pytest
from pythonjsonlogger.json import JsonFormatter as Theirs

from loghub import filters
from loghub.capture import Capture


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Keep the process's default filter out."""
    monkeypatch.setattr(filters, "_shared", None)
    monkeypatch.setenv("LOGHUB_RELEASE", "4711")


def configured(**options):
    """Return the formatter that dictConfig makes of these options."""
    configurator = logging.config.DictConfigurator(
        {"version": 1, "formatters": {"json": {"()": "loghub.JsonFormatter", **options}}}
    )
    return configurator.configure_formatter(configurator.config["formatters"]["json"])


def record_of(level=logging.ERROR, error=None, **extra):
    """Return a record, with the exception that was raised."""
    info = None
    if error is not None:
        try:
            raise error
        except Exception:
            info = sys.exc_info()
    record = logging.LogRecord("shop.cart", level, __file__, 1, "order %d", (7,), info, "record_of")
    record.__dict__.update(extra)
    return record


def line(record, **options):
    """Return the formatted record, read back."""
    return json.loads(configured(**options).format(record))


def test_added_fields():
    """component, environment and release are in every line, the fingerprint in those of errors."""
    said = line(record_of(error=ValueError("v")))
    assert (said["component"], said["environment"], said["release"]) == ("shop", "production", "4711")
    assert said["message"] == "order 7"
    assert said["exc_info"].endswith("ValueError: v")
    assert said["fingerprint"] == Capture().fingerprint_of(record_of(error=ValueError("v")))
    assert said["fingerprint"] != line(record_of(error=KeyError("k")))["fingerprint"]


def test_levels():
    """A fingerprint is for errors and for whatever has an exception."""
    assert "fingerprint" not in line(record_of(logging.INFO))
    assert "fingerprint" in line(record_of(logging.ERROR))
    assert "fingerprint" in line(record_of(logging.DEBUG, ValueError("v")))


def test_class_in_dictconfig():
    """It is also configured by ``class:`` and ``format:``, as python-json-logger's own."""
    config = {
        "version": 1,
        "formatters": {"json": {"class": "loghub.JsonFormatter", "format": "%(levelname)s %(message)s"}},
    }
    configurator = logging.config.DictConfigurator(config)
    formatter = configurator.configure_formatter(configurator.config["formatters"]["json"])
    said = json.loads(formatter.format(record_of()))
    assert list(said)[:2] == ["levelname", "message"]


def test_what_a_filter_said():
    """Where an EventFilter has looked, its words stand in the line."""
    record = record_of(error=ValueError("v"))
    sighting = Capture(component="pay", environment="staging", release="1.2").sight(record)
    said = line(record)
    assert (said["component"], said["environment"], said["release"]) == ("pay", "staging", "1.2")
    assert said["fingerprint"] == sighting.kind.fingerprint


def test_ignored_record():
    """A record that is not reported has no fingerprint, and is logged all the same."""
    said = line(record_of(loghub_skip=True))
    assert "fingerprint" not in said
    assert said["message"] == "order 7"


def test_callers_own_values():
    """extra's component, environment and release stand; its fingerprint is the one that it asked for."""
    said = line(record_of(component="checkout", environment="of the caller", release="9", fingerprint="mine"))
    assert (said["component"], said["environment"], said["release"]) == ("checkout", "of the caller", "9")
    assert said["fingerprint"] == Capture().fingerprint_of(record_of(fingerprint="mine"))
    assert said["fingerprint"].startswith("v1:")


OPTIONS = [
    {"format": "%(asctime)s %(levelname)s %(message)s", "datefmt": "%Y"},
    {"fmt": ["levelname", "message"]},
    {"fmt": "{levelname}{message}", "style": "{"},
    {"timestamp": True},
    {"timestamp": "at"},
    {"rename_fields": {"message": "text", "levelname": "level"}, "fmt": "%(levelname)s %(message)s"},
    {"static_fields": {"service": "shop"}},
    {"defaults": {"tenant": "none"}},
    {"reserved_attrs": ["order", "args", "exc_info", "msg"]},
    {"prefix": "  "},
    {"exc_info_as_array": True},
    {"json_indent": 2},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_their_options(options):
    """Each of python-json-logger's options does what it does there."""
    given = dict(options)
    if "format" in given:
        given["fmt"] = given.pop("format")
    theirs = json.loads(Theirs(**given).format(record_of(error=ValueError("v"), order=7)))
    ours = line(record_of(error=ValueError("v"), order=7), **given)
    added = {name: ours.pop(name) for name in ("fingerprint", "component", "environment", "release")}
    assert all(added.values())
    if "created" in theirs:  # the moment, where reserved_attrs lets it through
        moments = {"created", "msecs", "relativeCreated"}
        theirs, ours = ({key: one[key] for key in one if key not in moments} for one in (theirs, ours))
    theirs.pop("timestamp" if options.get("timestamp") is True else "at", None)
    ours.pop("timestamp" if options.get("timestamp") is True else "at", None)
    assert ours == theirs


def test_options_for_what_is_added():
    """rename_fields and reserved_attrs hold for the added fields, and fmt gives them their place."""
    options = {
        "fmt": "%(fingerprint)s %(message)s %(component)s",
        "rename_fields": {"fingerprint": "fp", "environment": "env"},
        "reserved_attrs": ["release", "args", "msg", "exc_info", "exc_text", "stack_info", "created", "msecs"],
    }
    said = line(record_of(), **options)
    assert list(said)[:3] == ["fp", "message", "component"]
    assert said["fp"].startswith("v1:")
    assert said["env"] == "production"
    assert "release" not in said
    assert "environment" not in said


def test_static_field_stands():
    """A static field of the same name is the user's word."""
    assert line(record_of(), static_fields={"environment": "blue"})["environment"] == "blue"


def test_dict_message():
    """A dict as message is the line's fields."""
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, {"event": "paid", "order": 7}, (), None)
    said = line(record)
    assert (said["event"], said["order"], said["component"]) == ("paid", 7, "shop")
    assert said["fingerprint"].startswith("v1:")


def test_nothing_of_ours_leaks():
    """The record's own cache is not printed, and the line is the same before and after others looked."""
    record = record_of(error=ValueError("v"))
    first, second = line(record), line(record)
    assert first == second
    assert "_loghub_event" not in first


def test_hostile_exception():
    """An exception that cannot be looked at has a line and a fingerprint."""

    class Hostile(Exception):
        __str__ = None

    assert line(record_of(error=Hostile("x")))["fingerprint"].startswith("v1:")
