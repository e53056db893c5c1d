"""A shop for each test, with and without a GitHub."""

from __future__ import annotations

import pytest

from tests.fakes.github import FakeGitHub
from tests.servers.shop import Shop


@pytest.fixture
def shop(tmp_path):
    """Return an application's folder; its errors are counted and kept."""
    return Shop(tmp_path)


@pytest.fixture
def told_shop(tmp_path):
    """Yield an application's folder, whose handlers tell a GitHub."""
    with FakeGitHub("acme/shop") as github:
        yield Shop(tmp_path, github)
