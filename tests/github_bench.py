"""The real GitHub handler at the stand-in, in a time of its own: what most of its tests stand on."""

from __future__ import annotations

import logging
import sys

import pytest

from loghub import filters
from loghub.delivery import deliverer
from loghub.github.block import read_state
from loghub.github.client import GitHubClient
from loghub.handlers.github import GitHubIssueHandler
from tests.clock import Clock
from tests.fakes.github import FakeGitHub

REPO = "acme/shop"


class Bench:
    """One handler, one home, one stand-in; rounds are made by the test, not by the thread."""

    def __init__(self, fake, folder, **options) -> None:
        self.clock = Clock(1_770_000_000.0)
        self.fake = fake
        self.folder = folder
        self.handler = self.make(**options)
        self.log = logging.Logger("shop.cart")  # noqa: LOG001 - one that no other test sees
        self.log.addHandler(self.handler)

    def make(self, **options):
        given = {"repo": REPO, "token": self.fake.token, "api_url": self.fake.url, "home": str(self.folder)}
        handler = GitHubIssueHandler(**given | options)
        handler._client = GitHubClient(
            handler.repo or "", handler.token, handler.api_url, timeout=(2, 1), clock=self.clock, sleep=self.clock.sleep
        )
        handler.home.now = self.clock
        return handler

    def deploy(self, release):
        """From now on, what is logged is of this release."""
        self.handler.filters[:] = [filters.EventFilter(release=release)]

    def fail(self, kind=ValueError, times=1, text="bad price"):
        for _ in range(times):
            try:
                raise kind(text)
            except kind:
                record = self.log.makeRecord(
                    "shop.cart", logging.ERROR, __file__, 1, "failed", (), sys.exc_info(), "fail"
                )
                record.created = self.clock.now
                self.log.handle(record)

    def round(self, **how):
        return self.handler.home.round(**how)

    def outbox(self):
        return self.handler.home.ledger().outbox()

    def issues(self):
        """Return the issues of bugs."""
        return [issue for issue in self.fake.issues(REPO) if "Storm" not in issue["title"]]

    def count(self, number=1):
        return read_state(self.fake.issue(REPO, number)["body"]).count


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Return a maker of benches; the stand-in must have seen nothing that GitHub would not take."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    monkeypatch.setattr(filters, "find_release", lambda *_: None)  # that of this checkout
    monkeypatch.setattr(filters, "_shared", None)
    made = []
    with FakeGitHub(REPO) as fake:

        def make(folder="home", **options):
            made.append(Bench(fake, tmp_path / folder, **options))
            return made[-1]

        make.fake = fake
        yield make
        for one in made:
            one.handler.close()
        assert fake.violations == []


def writes(fake):
    """Return the requests that change something."""
    return [(one.method, one.path) for one in fake.requests if one.method != "GET"]
