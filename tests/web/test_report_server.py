"""What pages report to `loghub serve` as it runs: real requests to waitress, over a socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from loghub import history
from loghub.web.report import MAX_BYTES

pytestmark = pytest.mark.slow

PATH = "/api/report-error"
SEED = json.dumps({"error_info": {"error_type": "TypeError", "error_message": "cart is undefined"}}).encode()
EACH, TOTAL = 300, 400


@pytest.fixture
def server(tmp_path, hearing):
    """Return a server whose home is the folder, with budgets of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "LOGHUB_"))}
    arguments = ["--no-login", "--port", "0", "--home", str(tmp_path), "--proxies", "1"]
    budgets = ["--reports-per-minute", str(EACH), "--all-reports-per-minute", str(TOTAL)]
    process = subprocess.Popen(
        [sys.executable, "-m", "loghub", "serve", *arguments, *budgets],
        env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield process
    end(process)


@pytest.fixture
def port(server):
    """Return where the server listens."""
    return int(re.search(r":(\d+)/", server.stdout.readline())[1])


def end(server):
    """Have a server end as by Ctrl-C."""
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)


def sent(port, data):
    """Send bytes as they are; return the status of the answer and its body."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(data)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read()


def chunked(body):
    """Return a request whose body does not say how long it is."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def padded(size):
    """Return a report of so many bytes."""
    return SEED[:-1] + b', "padding": "' + b"x" * (size - len(SEED) - 15) + b'"}'


def test_chunks(port):
    """A body in chunks is counted by the server: 64 KB are taken, one byte more is refused."""
    for size, expected in ((MAX_BYTES, 200), (MAX_BYTES + 1, 413)):
        body = padded(size)
        assert len(body) == size
        status, answer = sent(port, chunked(body))
        assert status == expected
        assert json.loads(answer)["success"] is (expected == 200)


def test_storm(server, port, tmp_path):
    """Of garbage and reports from many addresses nothing fails, budgets hold, and what is taken is counted."""

    def post(number):
        rng = random.Random(number)
        body = SEED if number % 2 else rng.randbytes(rng.randrange(2000))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", PATH, body, {"X-Forwarded-For": f"10.0.{number % 2}.1"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(pool.map(post, range(2 * TOTAL)))
    assert statuses.keys() == {200, 400, 429}
    assert statuses[200] <= EACH
    assert statuses[400] <= EACH
    assert statuses[200] + statuses[400] == TOTAL
    end(server)
    with contextlib.closing(history.open_home(str(tmp_path), None).ledger()) as ledger:
        assert ledger.totals()["occurrences"] == statuses[200]
