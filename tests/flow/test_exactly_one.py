"""Exactly one open issue per bug, with the true count: 200 runs of racing homes, every fault at every step, SIGKILL.

In each run four processes of two homes, which share nothing but the repository, log the same bugs and deliver for real,
in quick time. Replies go wrong, a process dies, a person closes an issue meanwhile. Then all heals, and what is left is
drained. A seed decides what happens; how the processes race is their own affair, so a seed that failed may pass again::

    python -c "from tests.flow.test_exactly_one import replay; replay(17)"
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import os
import random
import signal
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from loghub.github.block import read_state
from tests.fakes.github import FakeGitHub, Token
from tests.flow import reporters
from tests.flow.reporters import BUGS, REPO, Setup, Tally
from tests.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.slow

RUNS, BLOCK, AT_ONCE = 200, 20, 4
HOMES = ("one", "two")
PROCESSES = 4
DRAINS = 30
LAG_SECONDS = 0.1
"""How long the list of issues does not show a new one, in some runs."""

KINDS = {
    "drop": {"kind": "drop"},
    "cut": {"kind": "cut"},
    "truncate": {"kind": "truncate"},
    "html": {"kind": "html"},
    "hang": {"kind": "hang", "seconds": 1.5 * reporters.ANSWER_SECONDS},
    "500": {"kind": 500},
    "502": {"kind": 502},
    "503": {"kind": 503},
    "429": {"kind": 429, "headers": {"Retry-After": "1"}},
    "secondary": {"kind": "secondary"},
    "secondary, 1 s": {"kind": "secondary", "seconds": 1},
    "primary": {"kind": "primary", "seconds": 1},
}
STEPS = {
    "list": "GET */issues",
    "create": "POST */issues",
    "get": "GET */issues/[0-9]",
    "edit": "PATCH */issues/[0-9]",
    "comment": "POST */issues/[0-9]/comments",
    "label": "POST */issues/[0-9]/labels",
}
TITLES = [f"[Auto] {bug.__name__}: shop" for bug in BUGS]
FAULTS = list(itertools.product(KINDS, ("before", "after"), STEPS))


@functools.cache
def forks():
    """Return the context of processes that are forked from one that has imported everything, and has no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "tests.flow.reporters"])
    with mock.patch.dict(os.environ, PYTHONPATH=ROOT):
        multiprocessing.forkserver.ensure_running()
    return context


_starting = threading.Lock()
"""multiprocessing looks after all processes at each start, in whichever thread."""


class Child:
    """A forked process and the pipe to it."""

    def __init__(self, target, setup: Setup) -> None:
        self.home = setup.home
        self.pipe, theirs = forks().Pipe()
        with _starting:
            self._process = forks().Process(target=target, args=(setup, theirs))
            self._process.start()
        theirs.close()
        self.pid = self._process.pid

    def tell(self, what) -> None:
        with contextlib.suppress(OSError):  # it was killed
            self.pipe.send(what)

    def is_alive(self) -> bool:
        return not multiprocessing.connection.wait([self._process.sentinel], 0)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def join(self, seconds: float) -> bool:
        """Wait for its end; True if it came in time."""
        ended = bool(multiprocessing.connection.wait([self._process.sentinel], seconds))
        if not ended:
            self.kill()
        with _starting:
            self._process.join()
        self.pipe.close()
        return ended


class Killer:
    """Sends SIGKILL to one process at one request, when it arrives or when it is answered.

    Half of the time it is the process that asked: then the request is lost, or its reply.
    """

    def __init__(self, rnd: random.Random, fake: FakeGitHub) -> None:
        self.when = rnd.choice(["arrived", "answered"])
        self.left = rnd.randint(1, 12)
        self.sender = rnd.random() < 0.5
        self.choice = rnd.random()
        self.fake = fake
        self.children: list[Child] = []
        self.killed: Child | None = None
        self._lock = threading.Lock()

    def __call__(self, when: str, call) -> bool:
        asks = next((one for one in self.children if str(one.pid) == call.headers.get(reporters.PID_HEADER)), None)
        with self._lock:
            self.left -= when == self.when and asks is not None
            if self.left == 0 and self.killed is None:
                others = [one for one in self.children if one.is_alive()] or [asks]
                self.killed = asks if self.sender else others[int(self.choice * len(others))]
                self.killed.kill()
                # What it was told in its last moments died with it.
                self.fake.wait_until.pop(self.killed.home, None)
        return asks is not None and asks is self.killed


class Run:
    """What happens for one seed."""

    def __init__(self, seed: int, folder: Path, fake: FakeGitHub) -> None:
        self.rnd = random.Random(seed)
        self.folder = folder
        self.fake = fake
        self.problems: list[str] = []
        self.completed: set[int] = set()  # what a person closed
        self.tally = Tally(folder / "tally", PROCESSES + len(HOMES))
        fake.tokens = {home: Token() for home in HOMES}
        fake.write_gap_seconds = reporters.WRITE_GAP_SECONDS
        fake.pause_seconds = reporters.PAUSE_SECONDS
        fake.tolerance_seconds = 0.002
        fake.list_lag_seconds = self.rnd.choice([0.0, 0.0, LAG_SECONDS])
        self.main = FAULTS[seed % len(FAULTS)]
        self.fault_all()
        self.killer = Killer(self.rnd, fake) if self.rnd.random() < 0.75 else None
        self.children = [self.start(reporters.report, number % len(HOMES), number) for number in range(PROCESSES)]
        if self.killer:
            self.killer.children = self.children
            fake.on_request = self.killer

    def fault_all(self) -> None:
        """Have the seed's own fault and some others in wait."""
        others = self.rnd.sample(FAULTS, self.rnd.choice([0, 0, 1, 2]))
        for kind, when, step in [self.main, *others]:
            self.fake.fault(STEPS[step], when=when, **KINDS[kind])

    def start(self, target, home: int, process: int) -> Child:
        return Child(target, Setup(self.folder, HOMES[home], self.fake.url, process))

    def play(self) -> None:
        """Let everything happen."""
        for child in self.children:
            child.tell(self.some(3))
        self.wait("each bug has an issue", lambda: all(self.open_issues(bug) for bug in self.known()))
        if not any(self.come_back(self.rnd.choice(self.known())) for _ in range(3)):
            self.problems.append(f"the fault {self.main} did not happen")
        self.end_all()
        self.fake.heal()
        self.drain_all()
        self.drain_all(more=range(len(BUGS)))

    def come_back(self, bug: int) -> bool:
        """Close a bug's issue as a person and have the bug come back; return whether the seed's fault has happened."""
        for issue in self.open_issues(bug):
            self.fake.close(REPO, issue["number"])
            # What is logged in the second of the closing counts as before it, and the run has no time to wait.
            self.fake.edit(REPO, issue["number"], closed_at=self.fake.clock() - 2)
            self.completed.add(issue["number"])
        for child in self.children:
            child.tell([*self.some(3), *[bug] * 4])
        self.wait("the closed issue is open again", lambda: self.open_issues(bug))
        fault = self.fake._faults[0]
        return self.within(2.0, lambda: fault.times == 0)

    def some(self, most: int) -> list[int]:
        """Return some bugs to log: the first one always, and each of the others now and then."""
        bugs = [0, *self.rnd.choices(range(len(BUGS)), k=self.rnd.randint(1, most))]
        self.rnd.shuffle(bugs)
        return bugs

    def known(self) -> list[int]:
        """Return the bugs of which a call has returned."""
        return [bug for bug in range(len(BUGS)) if self.tally.of(bug)[0]] or [0]

    def open_issues(self, bug: int) -> list[dict]:
        return [one for one in self.fake.issues(REPO) if one["title"] == TITLES[bug] and one["state"] == "open"]

    def wait(self, what: str, happened, seconds: float = 8.0) -> None:
        if not self.within(seconds, happened):
            self.problems.append(f"in {seconds:.0f} s it did not come to pass that {what}")

    def within(self, seconds: float, happened) -> bool:
        until = time.monotonic() + seconds
        while not (done := happened()) and time.monotonic() < until:
            time.sleep(0.005)
        return bool(done)

    def end_all(self) -> None:
        for child in self.children:
            child.tell(None)
        ended = [child.join(10.0) for child in self.children]
        if not all(ended):
            self.problems.append("a process did not end")

    def drain_all(self, more: Sequence[int] = ()) -> None:
        """Drain both homes at the same time until nothing is left in either; first each sees the bugs `more` once."""
        left: list = []
        for bugs in [more, *[()] * DRAINS]:
            children = [self.start(reporters.drain, home, PROCESSES + home) for home in range(len(HOMES))]
            for child in children:
                child.tell(list(bugs))
            left = [row for child in children for row in self.answer(child)]
            if not left:
                return
        self.problems.append(f"after {DRAINS} drains something is left: {left}")

    def answer(self, child: Child) -> list:
        """Return what a drain says is left."""
        try:
            return child.pipe.recv()
        except (EOFError, OSError):
            return ["the drain failed"]
        finally:
            child.join(10.0)

    def check(self) -> list[str]:
        """Return what is wrong in the end."""
        found = self.problems
        for bug, title in enumerate(TITLES):
            found += self.check_bug(bug, [one for one in self.fake.issues(REPO) if one["title"] == title])
        found += [f"violation: {one}" for one in self.fake.violations]
        found += [f"hasty: {one}" for one in self.fake.hasty]
        found += [f"impatient: {one}" for one in self.fake.impatient_reads]
        said = self.folder / "stderr"
        found += [f"stderr: {said.read_text()}"] if said.read_text() else []
        return found

    def check_bug(self, bug: int, issues: list[dict]) -> list[str]:
        returned, begun = self.tally.of(bug)
        is_open = [one for one in issues if one["state"] == "open"]
        rest = {one["number"]: one["state_reason"] for one in issues if one["state"] == "closed"}
        good = all(why == "duplicate" or number in self.completed for number, why in rest.items())
        if len(is_open) != 1 or not good:
            return [f"{TITLES[bug]}: open {[one['number'] for one in is_open]}, closed {rest}"]
        state = read_state(is_open[0]["body"])
        if state is None or not returned <= state.count <= begun:
            return [f"{TITLES[bug]}: {returned} to {begun} were logged, the issue says {state}"]
        return []


def play(seed: int, folder: Path) -> list[str]:
    """Return what is wrong after the run of a seed."""
    folder.mkdir(parents=True)
    with FakeGitHub(REPO) as fake:
        run = Run(seed, folder, fake)
        try:
            run.play()
        finally:
            run.end_all()
        return run.check()


def replay(*seeds: int) -> None:
    """Run some seeds, and print what is wrong and what loghub said."""
    for seed in seeds:
        with tempfile.TemporaryDirectory() as place:
            problems = play(seed, Path(place) / "run")
            print(seed, *(problems and [*problems, (Path(place) / "run" / "loghub.log").read_text()]), sep="\n  ")


@pytest.mark.shows("github fails", "nothing lost", "nothing twice")
@pytest.mark.shows("github limits", "nothing twice")
@pytest.mark.shows("github hangs", "nothing lost", "nothing twice")
@pytest.mark.shows("github cut off", "nothing lost", "nothing twice")
@pytest.mark.shows("killed", "nothing lost", "nothing twice")
@pytest.mark.shows("many processes", "nothing twice")
@pytest.mark.parametrize("first", range(0, RUNS, BLOCK))
def test_exactly_one(tmp_path, first):
    """Whatever is lost and whoever dies: one open issue per bug, its count is true, and GitHub is not pestered."""
    seeds = range(first, first + BLOCK)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = pool.map(lambda seed: play(seed, tmp_path / str(seed)), seeds)
        wrong = [f"{seed}: {one}" for seed, found in zip(seeds, results, strict=True) for one in found]
    assert not wrong, "\n".join(["seed: what is wrong", *wrong])


def test_every_fault_is_there():
    """The seeds go through every kind of fault, before and after the server acted, at every step."""
    assert {FAULTS[seed % len(FAULTS)] for seed in range(RUNS)} == set(FAULTS)
