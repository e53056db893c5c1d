"""Log files beside handlers that report."""

from __future__ import annotations

import logging

import pytest

from loghub.handlers.detailfile import JSONDetailHandler
from tests.handlers.rotating.lines import (
    read,
)


def bug(depth, text="v"):
    """Fail some frames down."""
    if depth:
        bug(depth - 1, text)
    raise ValueError(text)


@pytest.fixture
def both(make, tmp_path):
    """Return a logger with a reporting handler and two logs, and the logs' handlers."""
    reporter = JSONDetailHandler(home=str(tmp_path / "home"), directory=str(tmp_path / "errors"))
    logger = logging.Logger("shop")  # noqa: LOG001 - alone, without a root
    logs = make(tmp_path / "one.log"), make(tmp_path / "other.log")
    for handler in (reporter, *logs):
        logger.addHandler(handler)
    yield logger, *logs
    reporter.close()


@pytest.mark.parametrize("depth", [0, 3])
def test_filter_that_takes_frames_away(both, depth):
    """What a handler's filter puts into the record is what its log shows, and no other log remembers it."""
    logger, one, other = both
    whole = []

    def inner(record):
        kind, error, tb = record.exc_info
        whole.append(record.exc_info)
        record.exc_info = (kind, error, tb.tb_next or tb)
        record.exc_text = None
        return True

    def restore(record):
        record.exc_info = whole[-1] if whole else record.exc_info
        record.exc_text = None
        return True

    for times in range(30):
        if times == 10:
            one.addFilter(inner)
            other.addFilter(restore)
        if times == 20:
            one.removeFilter(inner)
            other.removeFilter(restore)
        try:
            bug(depth)
        except ValueError:
            logger.exception("failed %d", times)
    frames = [read(handler.baseFilename).split("failed ")[1:] for handler in (one, other)]
    counts = [[entry.count("  File ") for entry in entries] for entries in frames]
    all_of_them = min(depth, 3) + 2
    assert counts[0] == [all_of_them] * 10 + [all_of_them - 1] * 10 + [all_of_them] * 10
    assert counts[1] == [all_of_them] * 30


def test_exc_text_is_taken_back(both, monkeypatch):
    """Where a record cannot be formatted, the next handler finds it as the standard library would have left it."""
    logger, one, _ = both
    monkeypatch.setattr(logging, "raiseExceptions", False)
    left = []
    logger.handlers.insert(logger.handlers.index(one) + 1, logging.NullHandler())
    logger.handlers[2].handle = lambda record: left.append(record.exc_text)
    for _ in range(2):
        try:
            bug(1)
        except ValueError:
            logger.exception("failed %d", "x")
    assert left == [None, None]
