"""Reports as pages post them, and the event that a home would keep of them."""

from __future__ import annotations

import json
import pathlib

import pytest

from loghub import browser
from loghub.filters import EventFilter

HERE = pathlib.Path(__file__).parent
ORIGIN = "https://shop.example"
NOW = 1_790_000_000.25


@pytest.fixture(scope="session")
def stacks():
    """What Chromium, Firefox and JavaScriptCore said of ``failing.js``, by engine and by function."""
    return {engine: said["errors"] for engine, said in json.loads((HERE / "stacks.json").read_text("utf-8")).items()}


@pytest.fixture
def post():
    """Return a function that makes the body of a report."""

    def made(error_type="TypeError", error_message="no", stack="", beside=None, **more):
        info = {"error_type": error_type, "error_message": error_message, "stack": stack, **more}
        return json.dumps({"error_info": info, **(beside or {})}).encode()

    return made


@pytest.fixture
def capture():
    """Return what makes events, as every handler has it."""
    return EventFilter(component="server", release="server-7").capture


@pytest.fixture
def event_of(capture):
    """Return a function that makes the event of a body."""

    def made(body, **options):
        record = browser.record_of(body, **{"now": NOW, "origin": ORIGIN, **options})
        return capture.keep(capture.sight(record), record)

    return made
