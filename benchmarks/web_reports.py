"""What 500 reports a second lead to, garbage and valid, at `loghub serve` as it is (waitress).

    python benchmarks/web_reports.py [--rate 500] [--seconds 10] [--json FILE]

Three storms of the same requests, each at a server of its own. *health* asks /healthz instead, for what waitress and
Flask cost by themselves. *budgets* has the defaults: 60 a minute of one address. *open* has budgets that nothing
exceeds, so that every valid report is counted; how fast it is says what the machine can bear. A request is due at its
time, whether or not the one before was answered: how late the answer is counts from there.
"""

import argparse
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from loghub import history  # noqa: E402

PATH = "/api/report-error"
CONNECTIONS = 16
DEFAULT_BUDGET = 60
MOST_GROWTH_MB = 30
MOST_P50_MS = 50


def bodies(seed):
    """Yield reports, every other one valid (of twenty bugs), and between them garbage of several kinds."""
    rng = random.Random(seed)
    garbage = (
        lambda: rng.randbytes(rng.randrange(4_000)),
        lambda: b'{"error_info": ' + b"[" * rng.randrange(20_000),
        lambda: json.dumps({"error_info": {"error_type": rng.random()}}).encode(),
        lambda: json.dumps({rng.random(): "x" * 200 for _ in range(50)}).encode(),
        lambda: b"x" * (70_000 if rng.random() < 0.1 else 100),
        lambda: b"",
    )
    while True:
        bug = rng.randrange(20)
        stack = "\n".join(
            f"    at step{n} (http://127.0.0.1/static/js/app{bug}.js:{n + 10}:{bug + 1})" for n in range(12)
        )
        info = {"error_type": "TypeError", "error_message": f"item {rng.random()} is undefined", "stack": stack}
        yield json.dumps({"error_info": info | {"source_component": "dashboard", "context": {"n": bug}}}).encode()
        yield rng.choice(garbage)()


class Server:
    """`loghub serve` in a home of its own."""

    def __init__(self, folder, *options):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "LOGHUB_"))}
        command = [sys.executable, "-m", "loghub", "serve", "--no-login", "--port", "0", "--home", folder, *options]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        self.port = int(re.search(r":(\d+)/", line)[1])

    def megabytes(self):
        """Return the resident set."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def end(self):
        """Stop it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


def storm(port, requests, rate):
    """Send requests at a rate; return the milliseconds from when each was due to its answer, and counts of statuses."""
    waiting, took, statuses, lock = iter(enumerate(requests)), [], Counter(), threading.Lock()
    start = time.perf_counter() + 0.2

    def send():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        while True:
            with lock:
                number, request = next(waiting, (0, None))
            if request is None:
                return
            due = start + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            try:
                connection.request(*request)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            with lock:
                took.append((time.perf_counter() - due) * 1000)
                statuses[status] += 1

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sorted(took), statuses


def contender(name, rate, seconds):
    """Run one storm; return its figures."""
    options = ["--reports-per-minute", "1000000", "--all-reports-per-minute", "1000000"] if name == "open" else []
    stream = bodies(7)
    bodied = [next(stream) for _ in range(rate * seconds)]
    requests = [("GET", "/healthz") if name == "health" else ("POST", PATH, body) for body in bodied]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder, *options)
        try:
            storm(server.port, requests[: rate // 2] if name == "open" else [("GET", "/healthz")] * rate, rate)
            before = server.megabytes()
            took, statuses = storm(server.port, requests, rate)
            after = server.megabytes()
        finally:
            server.end()
        counted = history.open_home(folder, None).ledger().totals()["occurrences"]
    return {
        "name": name,
        "p50": took[len(took) // 2],
        "p99": took[len(took) * 99 // 100],
        "statuses": {str(key): statuses[key] for key in sorted(statuses)},
        "growth": after - before,
        "counted": counted,
    }


def main():
    """Run the storms and judge them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--json", metavar="FILE")
    given = parser.parse_args()
    found = [contender(name, given.rate, given.seconds) for name in ("health", "budgets", "open")]
    print(f"{given.rate} requests a second for {given.seconds} s, {CONNECTIONS} connections\n")
    for one in found:
        print(
            f"{one['name']:8} p50 {one['p50']:8.1f} ms   p99 {one['p99']:8.1f} ms   memory {one['growth']:+6.1f} MB   "
            f"counted {one['counted']:6}   {one['statuses']}"
        )
    health, budgets, free = found
    minutes = 1 + given.seconds // 60
    told = free["statuses"].get("200", 0) + given.rate // 4  # the warm-up's, every other one
    goals = {
        "no 5xx, no lost connection": all(code[0] in "24" for one in found for code in one["statuses"]),
        "budgets hold": budgets["counted"] <= DEFAULT_BUDGET * minutes
        and budgets["statuses"].get("429", 0) >= given.rate * given.seconds - 2 * DEFAULT_BUDGET * minutes,
        f"every report that was taken is counted ({told})": free["counted"] == told,
        f"memory grows by less than {MOST_GROWTH_MB} MB": all(one["growth"] < MOST_GROWTH_MB for one in found),
        f"p50 with budgets under {MOST_P50_MS} ms": budgets["p50"] < MOST_P50_MS,
    }
    print(
        f"\np50 beside /healthz: budgets {budgets['p50'] / health['p50']:.2f}, open {free['p50'] / health['p50']:.2f}\n"
    )
    for goal, holds in goals.items():
        print(f"{'yes' if holds else 'NO ':3} {goal}")
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=2))
    sys.exit(not all(goals.values()))


if __name__ == "__main__":
    main()
