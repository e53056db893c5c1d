"""A server under test with its folder: its logging configuration, what it was told and what came of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter

import yaml

from loghub.github.block import read_state
from tests.configurations import everything
from tests.processes import environment
from tests.servers.bugs import NAMES, found_in

SECONDS = 30
"""Longer takes nothing here."""


class Shop:
    """One application, started by `start`, killed in mid-storm, and looked at by `check`.

    Attributes:
        folder: Where all its files are.
        env: The environment of its processes.
        github: A GitHub that the handlers tell, which takes a second for each word; None: there is no token.
        config: ``logging.yaml``.
    """

    def __init__(self, folder, github=None, **root):
        self.folder = folder
        self.github = github
        told = {"token": None} if github is None else {"github": github.url, "token": github.token}
        said = everything(folder, file={"maxBytes": 0, "backupCount": 0}, **told)
        del said["handlers"]["mail"]
        said["root"]["handlers"].remove("mail")
        said["handlers"]["witness"] = {"class": "tests.servers.bugs.WitnessHandler", "level": "ERROR"}
        said["root"]["handlers"].append("witness")
        # At the logger itself, since uvicorn's workers under gunicorn take its handlers and not those of the root.
        said["loggers"] = {"gunicorn.error": said["root"] | {"propagate": False}}
        said["root"] |= root
        self.config = folder / "logging.yaml"
        self.config.write_text(yaml.safe_dump(said))
        (folder / "logging.json").write_text(json.dumps(said))
        self.witness = folder / "witness"
        self.witness.touch()
        self.output = folder / "output.txt"
        self.env = environment(
            WITNESS=str(self.witness), LOGGING_JSON=str(folder / "logging.json"), LOGHUB_COMPONENT="shop"
        )
        self.port = free_port()

    @contextlib.contextmanager
    def start(self, *command):
        """Yield the process of a command; in the end all of its session is killed."""
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *map(str, command)],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            kill_group(process.pid)
            process.wait()

    # The witness

    def said(self):
        """Return the witness's lines: what, which process, which bug."""
        return [line.split() for line in self.witness.read_text().splitlines()]

    def calls(self, word):
        """Return how often each bug was begun, or had returned from all of loghub's handlers."""
        return Counter(bug for what, _, bug in self.said() if what == word)

    def worker(self):
        """Return the process that worked last."""
        return int(self.said()[-1][1])

    def wait_for_more(self, calls=60, *, of=None):
        """Wait until so many calls more have begun: all in all, or by a process other than those in `of`."""
        start = len(self.said())

        def come():
            fresh = self.said()[start:]
            return sum(what == "begun" and (of is None or int(pid) not in of) for what, pid, _ in fresh) >= calls

        self.wait(come)

    def wait(self, come):
        """Wait until something is so."""
        until = time.monotonic() + SECONDS
        while not come():
            assert time.monotonic() < until, self.output.read_text()[-3000:]
            time.sleep(0.01)

    # What came of it

    def loghub(self, *arguments):
        """Run a verb; return what it printed."""
        command = [sys.executable, "-m", "loghub", *map(str, arguments)]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def check(self, *, exact, others=()):
        """See that count in is count out: in the ledger, on GitHub and in the log file.

        Args:
            exact: All calls have returned, since nobody was killed in one.
            others: Types of what the server itself reported, and nothing else may be there.
        """
        self.loghub("drain", "--config", self.config, "--timeout", SECONDS)
        groups = json.loads(self.loghub("groups", "--json", "--home", self.folder / "home"))
        counted = {one["error_type"]: one["count"] for one in groups if one["error_type"] in NAMES}
        assert len(counted) == sum(one["error_type"] in NAMES for one in groups), groups  # one group a bug
        found = sorted(one["error_type"] for one in groups if one["error_type"] not in NAMES)
        assert set(found) <= set(others), groups
        begun, returned = self.calls("begun"), self.calls("returned")
        assert set(NAMES) <= set(returned)
        written = self.written()
        told = self.told()
        for bug in NAMES:
            assert (begun[bug] if exact else returned[bug]) <= counted[bug] <= begun[bug]
            assert (begun[bug] if exact else returned[bug]) <= written[bug] <= begun[bug]
            assert told is None or told[bug] == counted[bug]
        assert self.github is None or self.github.violations == []
        output = self.output.read_text()
        assert "--- Logging error ---" not in output, output
        assert "Error reporter" not in output, output
        return {one["error_message"]: one["count"] for one in groups if one["error_type"] not in NAMES}

    def told(self):
        """Return what GitHub was told of each bug; None if nobody is told."""
        if self.github is None:
            return None
        issues = [issue for issue in self.github.issues("acme/shop") if issue["title"].split()[1].rstrip(":") in NAMES]
        return {issue["title"].split()[1].rstrip(":"): read_state(issue["body"]).count for issue in issues}

    def written(self):
        """Return how often each bug stands in the log file, in which every line is whole."""
        counts = Counter()
        for line in (self.folder / "logs" / "app.log").read_text(encoding="utf-8").splitlines():
            said = json.loads(line)
            counts[found_in(said.get("exc_info", said["message"]))] += 1
        return counts


def free_port():
    """Return a port of this machine that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def send(pid, number):
    """Send a signal to whoever is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_group(pid):
    """Kill a process with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
