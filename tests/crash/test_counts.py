"""SIGKILL at any moment: what is counted is what was logged, to the last call.

The witness is a file that parent and victims share: each thread adds one to a number of its own before a call, and to
another after the call has returned. So after a kill ``returned <= counted <= begun`` holds, and the two differ by
one call a thread at most.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from loghub.journal import files
from tests.processes import environment, python

pytestmark = pytest.mark.slow

DESTINATIONS = 2  # of `everything`: GitHub and the mail server
MILLION = 1_000_000
VICTIM = """
import itertools, json, logging, logging.config, mmap, sys, threading
import loghub.delivery.deliverer, loghub.journal.writing
from tests.configurations import everything

folder, name, first, threads, seed = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
loghub.journal.writing.ROTATE_BYTES = 16 << 10
loghub.delivery.deliverer.PACE_SECONDS = 0.01
loghub.delivery.deliverer.IDLE_SECONDS = 0.1  # adopts soon
told = everything(folder, file={"filename": f"{folder}/logs/{name}.log", "maxBytes": 1_000_000, "backupCount": 50})
logging.config.dictConfig(told)
log = logging.getLogger("shop")
with open(folder + "/witness", "r+b") as file:
    numbers = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")

def fail(kind):
    raise kind("out of tea")

def cause():
    try: fail(KeyError)
    except KeyError as error: raise RuntimeError("order failed") from error

def call(number):
    # Mostly repeats; now and then a bug that this process has not seen.
    if number % 5 == 0: log.error("order %d late", number)
    elif number % 7 == 0:
        try: cause()
        except RuntimeError: log.exception("order %d failed", number)
    else:
        kind = ValueError if number % 199 else type(f"New{(seed + number) // 199 % 50}Error", (Exception,), {})
        try: fail(kind)
        except Exception: log.exception("order %d failed", number)

def work(slot, number):
    while True:
        numbers[slot] += 1
        call(number)
        numbers[slot + 1] += 1
        number += 1

for number in range(threads):
    threading.Thread(target=work, args=(2 * (first + number), <MILLION> * (first + number))).start()
""".replace("<MILLION>", str(MILLION))


class Witness:
    """The numbers of calls: two for each thread that there ever was."""

    def __init__(self, folder, threads):
        folder.mkdir(parents=True)
        path = folder / "witness"
        path.write_bytes(bytes(16 * threads))
        with path.open("r+b") as file:
            self._numbers = memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")
        self.used = 0

    def reserve(self, threads):
        """Return the first of so many new threads."""
        self.used += threads
        return self.used - threads

    def of(self, thread):
        """Return how many calls one thread has begun, and how many of them have returned."""
        return self._numbers[2 * thread], self._numbers[2 * thread + 1]

    def begun(self, first=0):
        """Return how many calls were begun by thread `first` and those after it."""
        return sum(self._numbers[2 * first : 2 * self.used : 2].tolist())

    def returned(self, first=0):
        """Return how many calls have returned."""
        return sum(self._numbers[2 * first + 1 : 2 * self.used : 2].tolist())


class Victims:
    """Processes of one home that log at full speed until they are killed."""

    def __init__(self, folder, threads, kills):
        self.folder = folder
        self.threads = threads
        self.witness = Witness(folder, threads * kills)
        self.journals = set()
        self.started = 0

    @contextlib.contextmanager
    def victim(self):
        """Yield a process, and the first of its threads."""
        first = self.witness.reserve(self.threads)
        self.started += 1
        given = self.folder, f"victim{self.started}", first, self.threads, 37 * self.started
        with python(VICTIM, *given, seconds=120) as process:
            yield process, first

    def wait(self, first, calls):
        """Wait until so many calls of thread `first` and later ones have returned; see which journals there are."""
        until = time.monotonic() + 60
        while self.witness.returned(first) < calls:
            self.look()
            assert time.monotonic() < until
            time.sleep(0.001)

    def look(self):
        """Note the journals that there are now."""
        self.journals.update(files.names(str(self.folder / "home" / "journal")))

    def loghub(self, *arguments):
        """Run a verb in this home; return what it printed."""
        given = [sys.executable, "-m", "loghub", *arguments, "--home", str(self.folder / "home")]
        done = subprocess.run(given, env=environment(), capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.stdout

    def check(self):
        """Drain, and compare all numbers that there are with the witness."""
        self.loghub("drain")  # ends with 1: nobody is here who could deliver
        returned, begun = self.witness.returned(), self.witness.begun()
        assert begun - returned <= self.witness.used
        total = json.loads(self.loghub("stats", "--json"))["total_errors"]
        assert returned <= total <= begun
        assert sum(one["count"] for one in json.loads(self.loghub("groups", "--json", "-n", "1000"))) == total
        waiting = json.loads(self.loghub("outbox", "--json"))
        for destination in {row["destination"] for row in waiting}:
            assert returned <= sum(row["waiting"] for row in waiting if row["destination"] == destination) <= total
        assert len({row["destination"] for row in waiting}) == DESTINATIONS

    def check_log(self, name, first):
        """Look for each call of one victim in its log: a line for each that returned, none twice; then remove it."""
        lines = Counter()
        for path in (self.folder / "logs").glob(f"{name}.log*"):
            text = path.read_text()
            lines.update(map(int, re.findall(r'^\{.*"order (\d+) (?:failed|late)".*\}$', text, re.MULTILINE)))
            path.unlink()
        assert not lines or max(lines.values()) == 1
        for thread in range(first, first + self.threads):
            begun, returned = self.witness.of(thread)
            start = MILLION * thread
            missing = set(range(start, start + returned)) - lines.keys()
            assert not missing, sorted(missing)[:10]
            for number in range(start, start + begun):
                del lines[number]
        assert not lines


def kill(process):
    """Kill a process, and wait until it is gone; it had nothing to complain about."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stderr.read() == ""


@pytest.mark.shows("killed", "nothing lost", "nothing twice")
@pytest.mark.parametrize(("threads", "kills"), [(1, 12), (8, 12)])
def test_kills_one_after_the_other(tmp_path, threads, kills):
    """Each process is killed at a random call; the ledger, groups, destinations and its log have the same calls."""
    rnd = random.Random(threads)
    victims = Victims(tmp_path / "shop", threads, kills)
    for number in range(kills):
        with victims.victim() as (process, first):
            victims.wait(first, rnd.choice([1, 50, 2000]) + rnd.randint(0, 1500))
            kill(process)
        victims.check()
        victims.check_log(f"victim{number + 1}", first)
    assert len(victims.journals) > victims.started  # some were full


@pytest.mark.shows("killed", "nothing lost", "application unharmed")
def test_kills_among_others(tmp_path):
    """Of three processes one is killed and replaced, again and again, while the others log on and adopt its journal."""
    rnd = random.Random(3)
    kills, threads = 12, 2
    victims = Victims(tmp_path / "shop", threads, kills + 3)
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(victims.victim()) for _ in range(3)]
        for _ in range(kills):
            process, first = running.pop(rnd.randrange(3))
            victims.wait(first, victims.witness.returned(first) + rnd.randint(1, 600))
            kill(process)
            running.append(stack.enter_context(victims.victim()))
        victims.wait(running[-1][1], 1)
        for process, _ in running:
            kill(process)
    victims.check()
    assert len(victims.journals) > victims.started
