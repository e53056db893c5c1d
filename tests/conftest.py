"""Every test has a home, a working directory and an environment of its own."""

from __future__ import annotations

import itertools
import logging
import os
import re
import signal

import pytest
from hypothesis import settings

from loghub.delivery import deliverer, waiting
from loghub.scrub import own

# Every run tries the same examples, so that what fails in one fails in all, and only a change makes it fail;
# `python -m pytest --hypothesis-profile=explore` tries others each time, and `make fuzz` goes on for as long as wished.
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile("same")

_SEEN_BY_LOGHUB = ("GITHUB_", "GH_TOKEN", "LOGHUB_", "ERROR_REPORTING_", "KUBERNETES_")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Return what mail servers and their clients need for TLS, from a CA that nobody trusts."""
    from tests.fakes.smtp import Certificate

    return Certificate(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def postgres():
    """Return a PostgreSQL server; who kills it has one of his own."""
    from tests.postgres import Server

    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="session")
def pgbouncer(postgres):
    """Return pgbouncer in transaction mode before that server."""
    from tests.postgres import Pooler

    pooler = Pooler(postgres)
    yield pooler
    pooler.close()


@pytest.fixture
def hearing():
    """Have programs start as from a terminal: nohup, and a shell for what runs behind, ignore some signals for them."""
    deaf = [one for one in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT) if signal.getsignal(one) is signal.SIG_IGN]
    for number in deaf:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in deaf:
        signal.signal(number, signal.SIG_IGN)


_numbers = itertools.count()


@pytest.fixture(scope="session")
def _folders(tmp_path_factory):
    return tmp_path_factory.mktemp("tests")


@pytest.fixture
def tmp_path(_folders, request):
    """Return a folder of the test's own; pytest's looks through those of all tests to find a number for the next."""
    folder = _folders / f"{re.sub(r'[^A-Za-z0-9]', '_', request.node.name)[:30]}{next(_numbers)}"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _isolated(_folders, monkeypatch):
    """Let no test see the user's settings, or what another test left behind."""
    folder = _folders / f"user{next(_numbers)}"
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith(_SEEN_BY_LOGHUB):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")  # tables are as wide as the terminal
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    monkeypatch.setenv("LOGHUB_HOME", str(folder / "home"))
    monkeypatch.setattr(own, "_held", ())
    monkeypatch.chdir(folder)
    yield
    _forget_homes()


def _forget_homes() -> None:
    """Close what handlers of the test left open, and let its delivery thread end: the next test has its own."""
    left = deliverer.homes()
    deliverer.known_homes.clear()
    waiting._failed_at = float("-inf")
    deliverer.by_hand = False
    thread, deliverer.current = deliverer.current, None
    tries = 300
    while thread is not None and thread.is_alive() and tries:  # else it would open again what is closed here
        thread._hurry = True  # it may just begin a round, and forget that
        thread.wake()
        thread.join(0.1)
        tries -= 1
    for home in left:
        home.close(5.0)
        if home._ledger is not None:
            home._ledger.close()
    for name in (None, "loghub", "loghub.uncaught"):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            if type(handler).__module__.startswith("loghub."):
                logger.removeHandler(handler)
