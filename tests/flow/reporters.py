"""Processes that log and deliver in quick time: what test_exactly_one forks, from a server that has imported it all."""

from __future__ import annotations

import importlib
import logging
import logging.config
import mmap
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests.sessions
from requests.structures import CaseInsensitiveDict

import loghub.filters
import loghub.github.upkeep
import loghub.handlers.github
import loghub.ledger.sqlite
from loghub.cli.outbox import drain_home
from loghub.delivery import deliverer
from loghub.github.client import GitHubClient

if TYPE_CHECKING:
    from pathlib import Path

REPO = "example/app"
PID_HEADER = "X-Pid"

WRITE_GAP_SECONDS = 0.02
PAUSE_SECONDS = 1.0
ANSWER_SECONDS = 0.5

QUICK = {
    "loghub.backoff.FIRST_SECONDS": 0.02,
    "loghub.backoff.LONGEST_SECONDS": 0.5,
    "loghub.delivery.deliverer.PACE_SECONDS": 0.01,
    "loghub.delivery.deliverer.IDLE_SECONDS": 0.2,
    "loghub.delivery.waiting.HOPELESS_SECONDS": 0.05,
    "loghub.delivery.leases.LEASE_SECONDS": 4.0,
    "loghub.delivery.leases.ORPHAN_SECONDS": 0.3,
    "loghub.delivery.rounds.TROUBLE_SECONDS": 0.05,
    "loghub.github.client._WRITE_GAP_SECONDS": WRITE_GAP_SECONDS,
    "loghub.github.client._LIMIT_PAUSE_SECONDS": PAUSE_SECONDS,
    "loghub.github.lifecycle.EDIT_SECONDS": (0.02, 0.05, 0.1, 0.2),
    "loghub.github.lifecycle.EDIT_GAP_SECONDS": 0.02,
    "loghub.github.lookup.LAG_SECONDS": 1.0,
    "loghub.github.doubles.LAG_SECONDS": 0.5,
    "loghub.github.upkeep._RACE_SECONDS": 0.8,
}
"""Loghub's times, fifty times shorter or so. Their order stays: a write's gap < a lost process's lease < an answer that
does not come < a lease; what the stand-in counts in seconds (Retry-After) cannot be shorter than one."""


def hurry() -> None:
    """Let this process live in quick time, and say with each request who it is."""
    for name, value in QUICK.items():
        module, _, constant = name.rpartition(".")
        found = importlib.import_module(module)
        assert hasattr(found, constant), name
        setattr(found, constant, value)
    GitHubClient.__init__.__kwdefaults__["timeout"] = (ANSWER_SECONDS, ANSWER_SECONDS)
    plain = requests.sessions.default_headers
    requests.sessions.default_headers = lambda: CaseInsensitiveDict(plain(), **{PID_HEADER: str(os.getpid())})


BUGS = (ValueError, KeyError, IndexError)
"""Three bugs: the fingerprint knows an error's class."""


class Tally:
    """A file that tells, whoever dies: how many calls each process has begun for each bug, and how many returned."""

    def __init__(self, path: Path, processes: int = 0) -> None:
        if processes:
            path.write_bytes(bytes(16 * processes * len(BUGS)))
        with path.open("r+b") as file:
            self._numbers = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")

    def log(self, log: logging.Logger, process: int, bug: int) -> None:
        """Log one occurrence."""
        slot = 2 * (process * len(BUGS) + bug)
        self._numbers[slot] += 1
        try:
            raise BUGS[bug]("out of tea")
        except BUGS:
            log.exception("order failed")
        self._numbers[slot + 1] += 1

    def of(self, bug: int) -> tuple[int, int]:
        """Return how many calls have returned for a bug, and how many were begun."""
        step = 2 * len(BUGS)
        begun, returned = (self._numbers[2 * bug + part :: step].tolist() for part in (0, 1))
        return sum(returned), sum(begun)


# The processes


@dataclass(frozen=True)
class Setup:
    """Where a process of one home finds everything.

    Attributes:
        folder: Of the run: the tally, what the processes say, the homes.
        home: The home's name; its token is called the same.
        api_url: The stand-in.
        process: The process's place in the tally.
    """

    folder: Path
    home: str
    api_url: str
    process: int

    def attach(self) -> logging.Logger:
        """Configure logging; return the application's logger."""
        os.dup2(os.open(self.folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        hurry()
        loghub.filters.find_release = lambda *_: None  # whether a bug came back is told by time alone
        github = {
            "class": "loghub.GitHubIssueHandler", "repo": REPO, "token": self.home, "api_url": self.api_url,
            "home": str(self.folder / self.home), "shutdown_timeout": 0.2, "filters": ["event"],
        }  # fmt: skip
        own = {"class": "logging.FileHandler", "filename": str(self.folder / "loghub.log"), "formatter": "own"}
        logging.config.dictConfig({
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"event": {"()": "loghub.EventFilter", "component": "shop"}},
            "formatters": {"own": {"format": f"%(asctime)s {self.home} %(process)d %(message)s"}},
            "handlers": {"github": github, "own": own},
            "loggers": {
                "shop": {"handlers": ["github"], "propagate": False},
                "loghub": {"handlers": ["own"], "level": "INFO", "propagate": False},
            },
        })  # fmt: skip
        return logging.getLogger("shop")


def report(setup: Setup, asked) -> None:
    """Log each bug of the lists that come through the pipe `asked`; None is the end."""
    log, tally = setup.attach(), Tally(setup.folder / "tally")
    for bugs in iter(asked.recv, None):
        for bug in bugs:
            tally.log(log, setup.process, bug)


def drain(setup: Setup, pipe) -> None:
    """Log each bug of one list, do as ``loghub drain`` does, and send what is left."""
    deliverer.by_hand = True
    log, tally = setup.attach(), Tally(setup.folder / "tally")
    for bug in pipe.recv():
        tally.log(log, setup.process, bug)
    (home,) = deliverer.homes()
    pipe.send(drain_home(home, time.monotonic() + 10.0))
