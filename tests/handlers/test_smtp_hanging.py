"""A mail server that hangs costs the application nothing: neither where it logs nor where it ends."""

from __future__ import annotations

import threading
import time

import pytest

from tests import processes
from tests.fakes.smtp import FakeSMTP
from tests.postal import Post

HANG = 60
"""Seconds that the handler would wait for the server; what is asserted is far below."""

SCRIPT = f"""
import logging, sys, time
from loghub.handlers.smtp import BatchingSMTPHandler

port, home = sys.argv[1:]
handler = BatchingSMTPHandler(
    ["127.0.0.1", port], "loghub@shop.example", ["ops@example.com"], timeout={HANG}, flush_interval=0,
    shutdown_timeout=0.5, home=home,
)
log = logging.getLogger("shop")
log.addHandler(handler)

def fail(number):
    try:
        raise ValueError("bad price")
    except ValueError:
        log.exception("order %d failed", number)

fail(0)
sys.stdin.readline()  # the server hangs now
started = time.monotonic()
for number in range(100):
    fail(number)
print(time.monotonic() - started)
"""


@pytest.mark.shows("mail hangs", "nothing lost", "application unharmed", "ends in time")
@pytest.mark.slow
@pytest.mark.parametrize("point", ["greeting", "EHLO", "DATA"])
@pytest.mark.parametrize("fault", ["hang", "trickle"])
def test_application_goes_on(tmp_path, point, fault):
    """While the server hangs or trickles the application logs and ends; the next process sends what it left."""
    reached = threading.Event()
    with FakeSMTP() as server:
        server.faults[point] = lambda _: reached.set() or fault
        with processes.python(SCRIPT, server.port, tmp_path / "home", seconds=HANG / 2) as process:
            assert reached.wait(HANG / 3)
            out, err = process.communicate("\n")
            assert process.returncode == 0, err
        assert float(out) < HANG / 4
        assert server.mails == []
        server.faults.clear()
        post = Post(tmp_path / "home")
        post.clock.now = time.time() + HANG  # the lease of the dead process is over
        post.handler(server)
        post.live()
        post.die()
        (mail,) = server.mails
    assert "101 since the last mail" in mail.message.get_body(("plain",)).get_content()
