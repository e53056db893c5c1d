"""RQ's work-horses: killed in mid-storm, they have counted each job that failed."""

from __future__ import annotations

import itertools
import signal
import threading

import pytest
from fakeredis import TcpFakeServer
from redis import Redis
from rq import Queue

from tests.servers.bugs import NAMES
from tests.servers.shop import kill_group, send

pytestmark = pytest.mark.slow


@pytest.fixture
def jobs(shop):
    """Yield the port of a Redis to which a thread adds jobs."""
    server = TcpFakeServer(("127.0.0.1", shop.port), server_type="redis")
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    ended = threading.Event()

    def ask():
        connection = Redis(port=shop.port)
        queue = Queue("shop", connection=connection)
        for number in itertools.count():
            queue.enqueue("tests.servers.rq_worker.meet", NAMES[number % 4], result_ttl=0, failure_ttl=0)
            if ended.wait(0.02):
                break
        connection.close()

    asking = threading.Thread(target=ask)
    asking.start()
    yield shop.port
    ended.set()
    asking.join()
    server.shutdown()
    server.server_close()
    serving.join()


@pytest.mark.parametrize("end", ["TERM", "KILL"])
def test_killed_in_mid_storm(shop, jobs, end):
    """A work-horse is killed, and then the worker: what came in is what was counted."""
    with shop.start("-m", "tests.servers.rq_worker", jobs) as worker:
        for _ in range(3):
            shop.wait_for_more(4)
            if end == "KILL":
                send(shop.worker(), signal.SIGKILL)
        shop.wait_for_more(4)
        send(worker.pid, getattr(signal, f"SIG{end}"))
        worker.wait(30)
        kill_group(worker.pid)
    shop.check(exact=end == "TERM", others=["ERROR"])
