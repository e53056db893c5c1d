"""Handlers, their log, and the time of day."""

from __future__ import annotations

import logging
import time

import pytest

from loghub.handlers.rotatingfile import RotatingFileHandler
from tests.handlers.rotating.lines import (
    NOON,
)


@pytest.fixture
def make(tmp_path):
    """Make handlers for ``logs/app.log`` that are closed at the end."""
    made = []

    def build(filename=None, **options):
        handler = RotatingFileHandler(filename or tmp_path / "logs" / "app.log", **options)
        handler.setFormatter(logging.Formatter("%(message)s"))
        made.append(handler)
        return handler

    yield build
    for handler in made:
        handler.close()


@pytest.fixture
def log(tmp_path):
    """Where `make` writes."""
    return tmp_path / "logs" / "app.log"


@pytest.fixture
def clock(monkeypatch):
    """The time of day, to be set; local time is UTC."""

    class Clock:
        now = NOON

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: Clock.now)
    yield Clock
    monkeypatch.undo()
    time.tzset()
