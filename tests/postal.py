"""A home whose mails go to a real server, round by round, at a time that tests set."""

from __future__ import annotations

import logging

import pytest

from loghub.delivery import deliverer
from loghub.delivery.home import Home
from loghub.handlers.smtp import BatchingSMTPHandler
from loghub.journal.reading import Fold
from tests.clock import Clock
from tests.ledger.rows import event, tally


class Post:
    """Homes of one folder, as processes would use it, and the handlers in them.

    Args:
        path: The folder.
    """

    def __init__(self, path):
        self.clock = Clock()
        self.path = str(path)
        self.homes = []
        self.written = 0

    def handler(self, server, **options):
        """Return a handler in a home of its own, as a process has one."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(deliverer, "stir", lambda: None)  # only the test's own rounds deliver
            made = BatchingSMTPHandler(
                **{"mailhost": [server.host, server.port], "fromaddr": "loghub@shop.example"}
                | {"toaddrs": "ops@example.com", "timeout": 5.0, "flush_interval": 1, "home": self.path}
                | options
            )
        made.home.detach(id(made))
        made.home = Home(self.path, None, now=self.clock)
        made.home.attach(id(made), made)
        self.homes.append(made.home)
        return made

    def log(self, handler, name, level=logging.ERROR, count=1, **more):
        """Have occurrences of a bug in the ledger, for the handler; `more` is about its event."""
        mark = f"v1:{name:0>16}"
        said = tally(
            count, self.clock(), of=event(mark, name[0], self.clock(), **({"error_type": name} | more)), level=level
        )
        said.kept = [said.event | {"id": f"{self.written:032}"}]
        said.routed[handler.destination] = count
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("loghub.ledger.folding.time.time", self.clock)
            assert handler.home.ledger().fold(Fold(f"j{self.written}", 0, 9, {mark: said}))
        self.written += 1

    def round(self):
        """Have each process go one round."""
        for home in self.homes:
            home.round()

    def next(self):
        """Return when something is due (epoch seconds); infinity if nothing waits, now or later."""
        return min((min(home.look_at, home.wake_at) for home in self.homes), default=float("inf"))

    def live(self, seconds=14 * 86_400.0, rounds=2000):
        """Go rounds whenever something is due, until nothing is or the time is over."""
        until = self.clock() + seconds
        for _ in range(rounds):
            self.round()
            if self.next() > until:
                self.clock.now = until if self.next() != float("inf") else self.clock()
                return
            self.clock.now = max(self.clock() + 1, self.next())
        raise AssertionError("it does not come to rest")

    def die(self):
        """Let all processes vanish, without a word."""
        for home in self.homes:
            if home._ledger is not None:
                home._ledger.close()
        self.homes.clear()
