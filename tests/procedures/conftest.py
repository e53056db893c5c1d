"""A shop's database and its backup, which has fewer orders."""

from __future__ import annotations

import pytest

from loghub.procedures import clock
from tests.clock import Clock
from tests.procedures import databases


@pytest.fixture
def folder(tmp_path):
    """A folder with ``app.db`` and nothing else but its backup."""
    databases.make(tmp_path / "app.db", 300)
    databases.make(tmp_path / "app.db.backup", 200)
    return tmp_path


@pytest.fixture
def time(monkeypatch):
    """A clock for procedures that passes when they sleep; what is drawn at random is the longest."""
    held = Clock()
    monkeypatch.setattr(clock, "monotonic", held)
    monkeypatch.setattr(clock, "sleep", held.sleep)
    monkeypatch.setattr(clock, "uniform", lambda _, most: most)
    return held
