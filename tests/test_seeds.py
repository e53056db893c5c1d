"""The functions of the seed documents."""

from __future__ import annotations

import logging

import pytest

import loghub
from loghub import delivery
from loghub.handlers.detailfile import JSONDetailHandler


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """Keep homes of other tests out, and have a default home of one's own."""
    monkeypatch.setattr(delivery, "_homes", {})
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
    delivery._homes.clear()
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
