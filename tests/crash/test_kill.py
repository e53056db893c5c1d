"""SIGKILL as soon as a logging call has returned: what it was told is delivered, once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter

import pytest

from loghub.github.block import read_state
from tests.fakes.github import FakeGitHub
from tests.processes import environment, python

pytestmark = pytest.mark.slow

KILLS = 50
KINDS = ["ValueError", "KeyError", "TypeError", "OSError", "RuntimeError", "LookupError", "EOFError", "BufferError"]
VICTIM = """
import builtins, logging, logging.config, os, random, sys, threading, time
home, seed, *kinds = sys.argv[1:]
handlers = {
    "github": {"class": "loghub.GitHubIssueHandler", "home": home},
    "detail": {"class": "loghub.JSONDetailHandler", "home": home, "directory": home + "/errors"},
}
logging.config.dictConfig({
    "version": 1, "disable_existing_loggers": False, "handlers": handlers, "root": {"handlers": list(handlers)},
})
log = logging.getLogger("shop")

def fail(kind):
    raise getattr(builtins, kind)("out of tea")

def work(number):
    rnd = random.Random(f"{seed} {number}")
    while True:
        kind = rnd.choice(kinds)
        try: fail(kind)
        except Exception: log.exception("order failed")
        os.write(1, f"{kind}\\n".encode())
        time.sleep(rnd.random() / 100)

for number in range(3):
    threading.Thread(target=work, args=(number,)).start()
"""


def kill_one(home, seed, after, variables):
    """Start a victim, kill it when `after` calls have returned; return how often each kind had returned."""
    with python(VICTIM, home, seed, *KINDS, seconds=60, **variables) as victim:
        told = b""
        while told.count(b"\n") < after:
            told += os.read(victim.stdout.fileno(), 65536)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        while more := os.read(victim.stdout.fileno(), 65536):
            told += more
    return Counter(told.decode().split())


@pytest.mark.shows("killed", "nothing lost", "nothing twice")
def test_fifty_kills(tmp_path):
    """After drain each bug whose call had returned has one issue, and it counts at least those calls."""
    rnd = random.Random(7)
    returned = Counter()
    home = tmp_path / "home"
    with FakeGitHub("acme/shop") as github:
        told = {"GITHUB_REPO": "acme/shop", "GITHUB_TOKEN": github.token, "GITHUB_API_URL": github.url}
        drain = [sys.executable, "-m", "loghub", "drain", "--home", str(home), "--timeout", "60"]
        for number in range(KILLS):
            returned += kill_one(home, number, rnd.randint(1, 150), told)
            if number % 17 == 16 or number == KILLS - 1:
                done = subprocess.run(drain, env=environment(**told), capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stdout + done.stderr
        issues = github.issues("acme/shop")
        assert sorted(issue["title"] for issue in issues) == sorted(f"[Auto] {kind}: shop" for kind in returned)
        assert github.violations == []
    counted = {issue["title"].split()[1].rstrip(":"): read_state(issue["body"]).count for issue in issues}
    for kind, calls in returned.items():
        # A thread may be killed between the call's return and its word about it.
        assert calls <= counted[kind] <= calls + 3 * KILLS
    assert sum(counted.values()) - returned.total() <= 3 * KILLS
