"""What a logging call costs while GitHub is away: p50, p99 and the longest call, beside a NullHandler.

    python benchmarks/outage.py [--seconds 60] [--errors 10000]

The stand-in for GitHub (tests/fakes/github.py) runs in a process of its own and answers nothing, 500 or 401
while the errors arrive, evenly over the time. Then it is mended, and `loghub drain` must deliver every count.
"""

import argparse
import json
import logging
import logging.config
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
KINDS = (ValueError, KeyError, TypeError, LookupError, RuntimeError)


def fail(depth, kind):
    """Raise `kind` from `depth` frames down."""
    if depth:
        fail(depth - 1, kind)
    raise kind("out of tea")


def calls(log, errors, seconds):
    """Log `errors` errors evenly over `seconds`; return the duration of each call in milliseconds."""
    took = []
    start = time.perf_counter()
    for number in range(errors):
        ahead = start + seconds * number / errors - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
        try:
            fail(10, KINDS[number % len(KINDS)])
        except Exception:
            before = time.perf_counter()
            log.exception("order %d", number)
            took.append((time.perf_counter() - before) * 1000)
    return sorted(took)


def contender(name, errors, seconds, folder):
    """Run one contender in this process and print its figures as JSON."""
    log = logging.getLogger("shop")
    log.propagate = False
    if name == "null":
        log.addHandler(logging.NullHandler())
    else:
        handlers = {
            "github": {"class": "loghub.GitHubIssueHandler", "home": f"{folder}/home"},
            "detail": {"class": "loghub.JSONDetailHandler", "home": f"{folder}/home", "directory": f"{folder}/errors"},
            "mail": {"class": "loghub.BatchingSMTPHandler", "home": f"{folder}/home"},
            "file": {"class": "loghub.RotatingFileHandler", "filename": f"{folder}/app.log", "maxBytes": 10_000_000},
        }
        loggers = {"shop": {"handlers": list(handlers), "propagate": False}}
        config = {"version": 1, "disable_existing_loggers": False, "handlers": handlers, "loggers": loggers}
        logging.config.dictConfig(config)
    took = calls(log, errors, seconds)
    figures = {"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)], "max": took[-1]}
    print(json.dumps(figures))


def measure(name, fault, args):
    """Run one contender against a GitHub with `fault`; return its figures and what was delivered."""
    from tests.fakes.github import FakeGitHub

    with tempfile.TemporaryDirectory() as folder, FakeGitHub("acme/shop") as fake:
        told = {"GITHUB_REPO": "acme/shop", "GITHUB_TOKEN": fake.token, "GITHUB_API_URL": fake.url}
        env = {**os.environ, **told, "PYTHONPATH": str(ROOT)}
        if fault == "401":
            fake.tokens.clear()
        elif fault:
            fake.fault("* *", fault, times=10**9, seconds=10**6)
        options = ["--contender", name, "--folder", folder, "--errors", args.errors, "--seconds", args.seconds]
        command = [sys.executable, __file__, *map(str, options)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        figures = json.loads(done.stdout.splitlines()[-1])
        if name == "null":
            return figures, None
        fake.heal()
        from tests.fakes.github import Token

        fake.tokens[fake.token] = Token()
        drain = [sys.executable, "-m", "loghub", "drain", "--home", f"{folder}/home", "--timeout", "180"]
        started = time.monotonic()
        drained = subprocess.run(drain, env=env, capture_output=True, text=True, check=False)
        from loghub.github.block import read_state

        counts = [read_state(issue["body"]).count for issue in fake.issues("acme/shop")]
        took = time.monotonic() - started
        said = f"{len(counts)} issues, {sum(counts):,} counted, drain {drained.returncode} in {took:.0f} s"
        return figures, said


def main():
    """Measure the contenders one after the other and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--errors", type=int, default=10_000)
    parser.add_argument("--contender")
    parser.add_argument("--folder")
    args = parser.parse_args()
    if args.contender:
        contender(args.contender, args.errors, args.seconds, args.folder)
        return
    print(f"{'GitHub':16} {'p50 ms':>8} {'p99 ms':>8} {'max ms':>8}  afterwards")
    for name, fault in (("null", ""), ("loghub", ""), ("loghub", "hang"), ("loghub", "500"), ("loghub", "401")):
        figures, said = measure(name, fault, args)
        label = "NullHandler" if name == "null" else fault or "answers"
        print(f"{label:16} {figures['p50']:8.3f} {figures['p99']:8.3f} {figures['max']:8.3f}  {said or ''}", flush=True)


if __name__ == "__main__":
    main()
