"""Celery's prefork workers: killed in mid-storm, they have counted each task that failed."""

from __future__ import annotations

import itertools
import signal
import threading

import pytest
from celery import Celery

from tests.servers.bugs import NAMES
from tests.servers.shop import kill_group, send

pytestmark = pytest.mark.slow

WORKER = ("-m", "celery", "-A", "tests.servers.celery_app", "worker", "-c", "2", "--without-mingle", "--without-gossip")


class Tasks:
    """Who asks for tasks: one, or in a thread as many as it can until the ``with`` block is left."""

    def __init__(self, folder):
        broker = folder / "broker"
        for name in ("queue", "control"):
            (broker / name).mkdir(parents=True)
        self._celery = Celery(broker="filesystem://")
        self._celery.conf.broker_transport_options = {
            "data_folder_in": str(broker / "queue"),
            "data_folder_out": str(broker / "queue"),
            "control_folder": str(broker / "control"),
        }
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def ask(self, name, *args):
        """Ask for one."""
        self._celery.send_task(f"tests.servers.celery_app.{name}", args)

    def _work(self):
        for number in itertools.count():
            self.ask("meet", NAMES[number % 4])
            if self._ended.wait(0.002):
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._ended.set()
        self._thread.join()

    def close(self):
        """Let go of the broker."""
        self._celery.close()


@pytest.fixture
def tasks(shop):
    """Yield who asks for tasks."""
    tasks = Tasks(shop.folder)
    yield tasks
    tasks.close()


def start(shop, how="signal", max_tasks=0):
    """Start a worker with two children, which are replaced after so many tasks."""
    shop.env |= {"BROKER": str(shop.folder / "broker"), "HOW": how, "MAX_TASKS": str(max_tasks)}
    return shop.start(*WORKER)


@pytest.mark.parametrize(("how", "end"), [("signal", "TERM"), ("signal", "KILL"), ("not hijacked", "KILL")])
def test_killed_in_mid_storm(shop, tasks, how, end):
    """A child is killed, and then all of it; or all is told to end: what came in is what was counted.

    Celery itself may wait for ever for a child that was killed while it had the lock of the queue, so nobody waits
    for another one here. Where nobody is told to end in order, children are replaced all the time.
    """
    with tasks, start(shop, how, max_tasks=25 if end == "KILL" else 0) as worker:
        shop.wait_for_more(80)
        if end == "KILL":
            send(shop.worker(), signal.SIGKILL)
        send(worker.pid, getattr(signal, f"SIG{end}"))
        worker.wait(30)
        kill_group(worker.pid)
    shop.check(exact=end == "TERM")


def test_child_that_is_killed(shop, tasks):
    """A task whose child was killed is one bug, WorkerLostError; that the child ended goes to a logger by itself."""
    with start(shop) as worker:
        tasks.ask("hang")
        shop.wait(lambda: any(what == "hanging" for what, *_ in shop.said()))
        send(shop.worker(), signal.SIGKILL)
        shop.wait(lambda: shop.calls("returned")["WorkerLostError"])
        for bug in NAMES:
            tasks.ask("meet", bug)
        shop.wait(lambda: set(NAMES) <= set(shop.calls("returned")))
        send(worker.pid, signal.SIGTERM)
        worker.wait(30)
    others = shop.check(exact=True, others=["WorkerLostError"])
    assert others == {"Worker exited prematurely: signal 9 (SIGKILL) Job: 0.": 1}


def test_soft_time_limit(shop, tasks):
    """A task that takes too long is reported once, by the child that ran it."""
    with start(shop) as worker:
        for bug in NAMES:
            tasks.ask("meet", bug)
        tasks.ask("slow")
        shop.wait(lambda: shop.calls("returned")["SoftTimeLimitExceeded"])
        shop.wait(lambda: set(NAMES) <= set(shop.calls("returned")))
        send(worker.pid, signal.SIGTERM)
        worker.wait(30)
    others = shop.check(exact=True, others=["SoftTimeLimitExceeded"])
    assert others == {"SoftTimeLimitExceeded()": 1}
