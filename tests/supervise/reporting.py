"""Real runs of `loghub run`, and what was reported of them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

from loghub import history
from loghub.ledger.find import Find

ROOT = str(Path(__file__).parents[2])

CONFIGURED = """
import logging.config, os, sys
wrapper = sys.orig_argv[1:4] == ["-m", "loghub", "run"]
logging.config.dictConfig({"version": 1} if wrapper else {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {
        **({"console": {"class": "logging.StreamHandler", "formatter": "plain"}} if os.environ.get("CONSOLE") else {}),
        "github": {"class": "loghub.GitHubIssueHandler"},
        **({"uncaught": {"class": "loghub.UncaughtHandler"}} if os.environ.get("HOOKS") else {}),
    },
    "root": {"handlers": [*(["console"] if os.environ.get("CONSOLE") else []), "github"]},
})
"""
"""A sitecustomize.py that attaches loghub in the command itself, not in the wrapper."""


@dataclass(frozen=True)
class Told:
    """What was reported: one bug.

    Attributes:
        count: How often.
        event: The newest that is kept.
    """

    fingerprint: str
    count: int
    event: dict

    @property
    def kind(self):
        """Its class."""
        return self.event["error_type"]


def environment(home, **variables):
    """Return a clean environment with loghub in reach."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LOGHUB_", "PYTHON", "GITHUB_"))}
    return kept | {"LOGHUB_HOME": str(home), "PYTHONPATH": ROOT, "GITHUB_ACTIONS": ""} | variables


def command(*words):
    """Return the words that run a command under `loghub run`."""
    return [sys.executable, "-m", "loghub", "run", *map(str, words)]


def wrapped(home, *words, cwd=None, **variables):
    """Run a command under `loghub run` to its end."""
    env = environment(home, **variables)
    return subprocess.run(
        command(*words), cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip


def script(folder, text, name="app.py"):
    """Write a script; return its path."""
    path = Path(folder) / name
    path.write_text(textwrap.dedent(text))
    return path


def configured(folder):
    """Return a PYTHONPATH with which every Python attaches loghub by itself."""
    start = Path(folder) / "start"
    start.mkdir(exist_ok=True)
    (start / "sitecustomize.py").write_text(CONFIGURED)
    return f"{start}{os.pathsep}{ROOT}"


def told(home):
    """Return what was reported to a home, the first bug first."""
    if not os.path.isdir(home):
        return []
    opened = history.open_home(str(home), None)
    try:
        ledger = opened.ledger()
        groups = sorted(ledger.groups(), key=lambda group: group.first_seen_at)
        return [
            Told(group.fingerprint, group.count, ledger.events(1, Find(fingerprint=group.fingerprint))[0])
            for group in groups
        ]
    finally:
        opened.close(1.0)
