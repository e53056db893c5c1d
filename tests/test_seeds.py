"""The functions of the seed documents."""

from __future__ import annotations

import logging
import traceback

import pytest

import loghub
from loghub.delivery import deliverer
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.seeds import record


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """Keep homes of other tests out, and have a default home of one's own."""
    monkeypatch.setattr(deliverer, "known_homes", {})
    monkeypatch.setenv("LOGHUB_HOME", str(tmp_path / "default"))


@pytest.fixture
def attach(tmp_path):
    """Return a function that gives a logger with a handler in a home."""
    made = []

    def attached(home):
        handler = JSONDetailHandler(str(tmp_path / "errors"), home=str(tmp_path / home))
        made.append(handler)
        log = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
        log.addHandler(handler)
        return log, handler

    yield attached
    for handler in made:
        handler.close()


def test_what_was_logged_just_now(attach):
    """What was logged before the call is in the answer, in seed B's shape."""
    log, _ = attach("one")
    for number in range(25):
        log.error("order %d lost", number)
    try:
        {}["key"]
    except KeyError:
        log.exception("no key", extra={"order": 7})
    newest, second = loghub.get_recent_errors(2)
    assert (newest["error_type"], newest["additional_info"]) == ("KeyError", {"order": 7})
    assert second["error_message"] == "order 19 lost"
    assert list(newest)[:7] == [
        "timestamp", "error_type", "error_message", "module", "function", "traceback", "additional_info",
    ]  # fmt: skip
    assert len(loghub.get_recent_errors()) == 10
    assert len(loghub.get_recent_errors(limit=100)) == 21
    stats = loghub.get_error_statistics(days=7)
    assert list(stats) == ["total_errors", "error_types", "modules", "daily_counts"]
    assert (stats["total_errors"], stats["error_types"]) == (26, {"ERROR": 25, "KeyError": 1})
    assert sum(stats["modules"].values()) == sum(stats["daily_counts"].values()) == 26


@pytest.mark.parametrize("limit", [0, -1])
def test_no_errors_wanted(attach, limit):
    """Asked for none, there are none."""
    log, _ = attach("one")
    log.error("lost")
    assert loghub.get_recent_errors(limit) == []


def test_no_numbers(attach):
    """What is no number is refused with a sentence; what is far too much is as much as there is."""
    log, _ = attach("one")
    log.error("lost")
    assert len(loghub.get_recent_errors(2**70)) == 1
    assert loghub.get_error_statistics(10**30)["total_errors"] == 1
    assert loghub.get_error_statistics(float("inf"))["total_errors"] == 1
    assert loghub.get_error_statistics(-5)["total_errors"] in (0, 1)
    with pytest.raises(TypeError):
        loghub.get_recent_errors(2.5)
    with pytest.raises(ValueError, match="must be a number"):
        loghub.get_error_statistics(float("nan"))


def test_nothing_reported_yet(tmp_path):
    """Where nothing was ever reported there is nothing, and no home is made."""
    assert loghub.get_recent_errors() == []
    assert loghub.get_error_statistics() == {"total_errors": 0, "error_types": {}, "modules": {}, "daily_counts": {}}
    assert not (tmp_path / "default").exists()


def test_default_home(attach):
    """A process without handlers reads the default home."""
    log, handler = attach("default")
    log.error("lost")
    handler.close()
    deliverer.known_homes.clear()
    assert [one["error_message"] for one in loghub.get_recent_errors()] == ["lost"]


def test_handler_attached_last(attach):
    """Of several homes in a process the one counts whose handler was attached last; one without handlers does not."""
    first, _ = attach("one")
    second, handler = attach("two")
    first.error("first")
    second.error("second")
    assert [one["error_message"] for one in loghub.get_recent_errors()] == ["second"]
    handler.close()
    assert [one["error_message"] for one in loghub.get_recent_errors()] == ["first"]


def caught():
    """Return an exception that was raised."""
    try:
        return {}["camera"]
    except KeyError as error:
        return error


@pytest.fixture
def reported(attach):
    """Have what the functions tell reach a handler in a home."""
    _, handler = attach("one")
    record.log.addHandler(handler)
    yield
    record.log.removeHandler(handler)


@pytest.mark.usefixtures("reported")
def test_log_error():
    """An error that is logged by hand is returned in seed B's shape, and kept with the place that the caller names."""
    error = caught()
    details = loghub.log_error(error, "camera.front", "open", {"device": 2, "name": "left"})
    assert list(details) == [
        "timestamp", "error_type", "error_message", "module", "function", "traceback", "additional_info",
    ]  # fmt: skip
    assert details["error_type"] == "KeyError"
    assert details["traceback"] == "".join(traceback.format_exception(error)).rstrip("\n")
    [event] = loghub.get_recent_errors()
    assert {name: event[name] for name in details} == details
    assert (event["component"], event["message"]) == ("camera", "Error in camera.front.open: 'camera'")
    assert loghub.get_error_statistics()["modules"] == {"camera.front": 1}
    assert "additional_info" not in loghub.log_error(error, "camera.front", "open")


@pytest.mark.usefixtures("reported")
def test_log_error_never_raised():
    """Errors that were never raised have no traceback, whatever is being handled, and are told apart by their place."""
    for function in ("open", "close", "open"):
        try:
            raise KeyError
        except KeyError:
            assert loghub.log_error(OSError("gone"), "camera", function)["traceback"] == ""
    groups = {(event["function"], event["fingerprint"]) for event in loghub.get_recent_errors()}
    assert len(groups) == len({mark for _, mark in groups}) == 2


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("not even a text")


@pytest.mark.usefixtures("reported")
@pytest.mark.parametrize(
    "arguments",
    [
        ("it broke", "camera", "open"),
        (None, None, None),
        (Unprintable(), "camera", "open", {"key": object()}),
        (ValueError("x"), 7, object(), ["no", "mapping"]),
        (ValueError("x"), "", "", {"levelname": "DEBUG", "loghub_skip": True, 3: 4}),
    ],
)
def test_log_error_takes_anything(arguments):
    """Whatever is handed over is logged as well as it can be, and nothing is raised."""
    details = loghub.log_error(*arguments)
    [event] = loghub.get_recent_errors()
    assert event["error_type"] == details["error_type"] == type(arguments[0]).__name__
    assert event["error_message"] == details["error_message"]


def test_log_error_unconfigured(capsys):
    """Where logging is not configured, it does what it does with every error: it says it on standard error."""
    root = logging.getLogger()
    before, root.handlers[:] = list(root.handlers), []
    try:
        loghub.log_error(caught(), "camera", "open")
    finally:
        root.handlers[:] = before
    assert "Error in camera.open: 'camera'" in capsys.readouterr().err


def test_all_names_resolve():
    """Every public name is there, from the module that the list says."""
    for name in loghub.__all__:
        assert getattr(loghub, name)
