"""multiprocessing in its ways, bare forks and other programs: killed in mid-storm, they have counted."""

from __future__ import annotations

import random
import signal

import pytest

from tests.servers.shop import kill_group, send

pytestmark = pytest.mark.slow

METHODS = ["fork from a configured parent", "fork", "spawn", "forkserver"]
WAYS = [
    *[("process", method) for method in METHODS],
    *[("pool", method) for method in METHODS[::2]],
    *[("executor", method) for method in ("fork from a configured parent", "spawn")],
    ("fork", "while threads log"),
    ("spawn", "subprocess"),
    ("spawn", "posix_spawn"),
]


@pytest.mark.parametrize(("way", "method"), WAYS)
@pytest.mark.parametrize("end", ["TERM", "KILL"])
def test_killed_in_mid_storm(shop, way, method, end):
    """A child is killed where its parent can go on, and then all of it ends: what came in is what was counted."""
    rnd = random.Random(f"{way} {method}")
    with shop.start("-m", "tests.servers.forking", way, method) as parent:
        shop.wait_for_more(rnd.randint(60, 120))
        if end == "KILL" and way not in ("pool", "executor"):  # a pool waits for ever for a worker that is killed
            send(shop.worker(), signal.SIGKILL) if shop.worker() != parent.pid else None
            shop.wait_for_more(40)
        if end == "KILL":
            kill_group(parent.pid)
        else:
            send(parent.pid, signal.SIGTERM)
        parent.wait(30)
    shop.check(exact=end == "TERM")
