"""Real processes that live and end, and what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

START = """
import faulthandler, json, logging, logging.config, os, resource, signal, subprocess, sys, threading, time
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

class Show(logging.Handler):
    def emit(self, record):
        told = getattr(record, "_loghub_told", {})
        print(json.dumps({"message": record.getMessage(), "type": told.get("error_type"), "pid": record.process}))
        sys.stdout.flush()

def configure(**options):
    logging.config.dictConfig({
        "version": 1,
        "handlers": {"uncaught": {"class": "loghub.UncaughtHandler", **options}, "show": {"()": Show}},
        "root": {"handlers": ["show", "uncaught"]},
    })

configure()
"""


BY_HAND = "from loghub.delivery import deliverer\ndeliverer.by_hand = True\n"
"""Stands before START where no thread is to look at the lives of others."""


class Ended:
    """A process that has ended: its pid, how, and what it printed."""

    def __init__(self, pid, code, out, err):
        self.pid, self.code, self.out, self.err = pid, code, out, err


class Home:
    """A home, and processes that live in it."""

    def __init__(self, path):
        self.path = path

    @property
    def lives(self):
        return self.path / "lives"

    def environment(self):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("LOGHUB_", "PYTHON"))}
        return env | {"LOGHUB_HOME": str(self.path), "PYTHONPATH": str(ROOT)}

    def start(self, script, start=START, **options):
        """Start an interpreter that is configured; a script that goes its rounds has no thread for it."""
        start = BY_HAND + start if "_round(" in script else start
        return subprocess.Popen(
            [sys.executable, "-c", start + textwrap.dedent(script)],
            cwd=self.path.parent,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, script, start=START, **options):
        """Run a script to its end."""
        with self.start(script, start, **options) as process:
            out, err = process.communicate(timeout=60)
            return Ended(process.pid, process.returncode, out, err)

    def left(self):
        """Return the names of the life files that are there."""
        return sorted(one.name for one in self.lives.glob("[!.]*.life"))


@pytest.fixture(autouse=True)
def _hearing(hearing):
    """Try signals as from a terminal."""


@pytest.fixture
def home(tmp_path):
    """Return a home of its own."""
    return Home(tmp_path / "home")
