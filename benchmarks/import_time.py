"""What `import loghub` costs beside `import logging.handlers`.

    python benchmarks/import_time.py [--rounds 21] [--only loghub,logging.handlers] [--quick] [--json FILE]

Each import is made in a fresh interpreter that has imported nothing but what every start imports. Measured is
the statement alone, from within, and the whole process, from without (see README.md here).
"""

import importlib.util
import subprocess
import sys
import tempfile
import time

import rounds
import scene

PEER = "logging.handlers"
STATEMENTS = {
    "nothing": "pass",
    PEER: "import logging.handlers",
    "loghub": "import loghub",
    "loghub's four handlers": (
        "from loghub import BatchingSMTPHandler, GitHubIssueHandler, JSONDetailHandler, RotatingFileHandler"
    ),
    **{name: f"import {name}" for name in ("loguru", "sentry_sdk", "rollbar", "bugsnag", "honeybadger")},
}
SCRIPT = """
from time import perf_counter_ns
before = perf_counter_ns()
{}
print(perf_counter_ns() - before)
"""
HEAD = ["import", "statement ms", "x logging.handlers", "whole process ms", "x logging.handlers"]


def run(name):
    """Make an import in a fresh interpreter; return the milliseconds of the statement and of the process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", SCRIPT.format(STATEMENTS[name])]
        env = scene.clean_environment(folder)
        started = time.perf_counter()
        done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=True)
        return {"process": (time.perf_counter() - started) * 1000, "statement": int(done.stdout) / 1e6}


def installed(name):
    """Return whether what is imported is there."""
    return not STATEMENTS[name].startswith("import ") or importlib.util.find_spec(name) is not None


def row(name, found):
    """Return a row of the table."""
    if name not in found:
        return [name, "not installed", "-", "-", "-"]
    cells = []
    for figure in ("statement", "process"):
        cells.append(rounds.spread(rounds.figures(found, name, figure)))
        cells.append(rounds.spread(rounds.ratios(found, name, PEER, figure)))
    return [name, *cells]


def main():
    """Run all rounds and print the table."""
    args = rounds.arguments(__doc__, rounds=21)
    names = rounds.chosen(args, STATEMENTS)
    here = [name for name in names if installed(name)]
    for name in here:
        run(name)  # writes the byte code, fills the disk cache
    found = rounds.interleaved(here, args.rounds, run, "import")
    goals = [rounds.Goal("import loghub", rounds.ratios(found, "loghub", PEER, "statement"), 1.3)]
    rounds.report(args, [(HEAD, [row(name, found) for name in names])], goals, found)


if __name__ == "__main__":
    main()
