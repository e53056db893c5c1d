"""uvicorn with worker processes and logging.yaml, alone and under gunicorn: killed in mid-storm, it has counted."""

from __future__ import annotations

import signal

import pytest

from tests.servers.shop import kill_group, send
from tests.servers.storm import Storm

pytestmark = pytest.mark.slow


def uvicorn(shop):
    """Return the command of a uvicorn with two spawned workers."""
    where = ("--host", "127.0.0.1", "--port", shop.port)
    return ("-m", "uvicorn", "--workers", "2", "--log-config", shop.config, *where, "tests.servers.asgi:app")


@pytest.mark.parametrize("end", ["TERM", "KILL"])
@pytest.mark.parametrize("path", ["/{}", "/thread/{}", "/raw/{}"])
def test_killed_in_mid_storm(shop, path, end):
    """Workers are killed and replaced, and then all of it ends: what came in is what was counted."""
    number = getattr(signal, f"SIG{end}")
    with shop.start(*uvicorn(shop)) as parent, Storm(shop.port, path=path):
        for _ in range(2):
            shop.wait_for_more(60)
            send(shop.worker(), number)
        shop.wait_for_more(60)
        send(parent.pid, number)
        parent.wait(30)
        if end == "KILL":
            kill_group(parent.pid)
    shop.check(exact=end == "TERM", others=["ERROR"])
