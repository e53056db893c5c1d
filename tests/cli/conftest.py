"""A home for the verbs to look at."""

from __future__ import annotations

import logging

import pytest

from loghub.delivery import deliverer
from loghub.handlers.github import GitHubIssueHandler


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a home in which 12 errors of two bugs were reported by a handler that is gone."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    folder = tmp_path / "home"
    handler = GitHubIssueHandler(home=str(folder), repo="acme/shop", token="t", api_url="http://127.0.0.1:9")
    log = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    log.addHandler(handler)
    for number in range(9):
        log.error("order %d lost", number, extra={"customer": "ada"})
    for _ in range(3):
        try:
            {}["key"]
        except KeyError:
            log.exception("no key")
    log.removeHandler(handler)
    handler.close()
    monkeypatch.undo()
    return folder
