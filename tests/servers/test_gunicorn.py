"""gunicorn with its kinds of workers: killed in mid-storm, it has counted what came in."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from tests.servers.shop import kill_group, send
from tests.servers.storm import Storm

pytestmark = pytest.mark.slow

CONF = Path(__file__).with_name("gunicorn_conf.py")
KINDS = {
    "sync": (),
    "gthread": ("--worker-class", "gthread", "--threads", "3"),
    "preload": ("--preload",),
    "max requests": ("--max-requests", "25", "--max-requests-jitter", "10"),
    "without a framework": (),
    "uvicorn": ("--worker-class", "uvicorn_worker.UvicornWorker"),
    "gevent": ("--worker-class", "gevent"),
}


def gunicorn(shop, *options, app="wsgi"):
    """Return the command of a gunicorn with two workers."""
    bind = f"127.0.0.1:{shop.port}"
    return ("-m", "gunicorn", "-c", CONF, "-w", "2", "-b", bind, *options, f"tests.servers.{app}:app")


def storm_and_kill(shop, kind, number):
    """Have two workers end by a signal and be replaced, and then the master; with SIGKILL all that is left."""
    path = "/raw/{}" if kind == "without a framework" else "/{}"
    app = "asgi" if kind == "uvicorn" else "wsgi"
    with shop.start(*gunicorn(shop, *KINDS[kind], app=app)) as master, Storm(shop.port, path=path):
        for _ in range(2):
            shop.wait_for_more(random.Random(kind).randint(40, 80))
            send(shop.worker(), number)
        shop.wait_for_more(60)
        send(master.pid, number)
        master.wait(30)
        if number == signal.SIGKILL:
            kill_group(master.pid)
    return shop.check(exact=number != signal.SIGKILL, others=["ERROR"])


@pytest.mark.shows("killed", "nothing lost")
@pytest.mark.shows("storm", "nothing lost")
@pytest.mark.parametrize("end", ["TERM", "KILL"])
@pytest.mark.parametrize("kind", KINDS)
def test_killed_in_mid_storm(shop, kind, end):
    """Workers are killed and replaced, and then all of it ends: what came in is what was counted."""
    others = storm_and_kill(shop, kind, getattr(signal, f"SIG{end}"))
    # "Worker (pid:17) was sent SIGKILL!" is one bug of gunicorn's own.
    assert sum(others.values()) == (2 if end == "KILL" else 0), others


def test_told(told_shop):
    """With a token and a GitHub the issues say what the ledger says, although their teller was killed."""
    storm_and_kill(told_shop, "sync", signal.SIGKILL)


def test_reloaded_in_mid_storm(shop):
    """HUP replaces all workers, again and again; those that go are counted as those that come."""
    with shop.start(*gunicorn(shop)) as master:
        with Storm(shop.port):
            for _ in range(3):
                shop.wait_for_more(30)
                old = {int(pid) for _, pid, _ in shop.said()}
                send(master.pid, signal.SIGHUP)
                shop.wait_for_more(30, of=old)
        send(master.pid, signal.SIGTERM)
        master.wait(30)
    shop.check(exact=True)


def test_worker_that_hangs(shop):
    """A worker that takes too long is ended by SIGABRT; gunicorn says so, and what was logged before is kept."""
    with shop.start(*gunicorn(shop, "--timeout", "1")) as master:
        with Storm(shop.port):
            shop.wait_for_more(40)
            Storm(shop.port).ask("slow")
            shop.wait_for_more(40)
        send(master.pid, signal.SIGTERM)
        master.wait(30)
    others = shop.check(exact=True, others=["CRITICAL", "ERROR", "SystemExit"])
    assert any(text.startswith("WORKER TIMEOUT") for text in others), others
