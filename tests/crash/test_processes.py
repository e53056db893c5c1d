"""Four processes with eight threads and an event loop each, all handlers from one YAML file: everything adds up."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter

import pytest
import yaml

from loghub.github.block import read_state
from tests.configurations import everything
from tests.fakes.github import FakeGitHub
from tests.fakes.smtp import FakeSMTP
from tests.processes import environment, python

pytestmark = pytest.mark.slow

PROCESSES, THREADS, TASKS, ERRORS = 4, 8, 4, 150
SHARED, RARE = 5, 6
"""Bugs that all meet again and again, and bugs that each thread and task meets once, at its own time."""

MAX_BYTES = 500_000
WORKER = """
import asyncio, logging, logging.config, sys, threading, yaml
import loghub

path, process, threads, tasks, errors, again = sys.argv[1], *map(int, sys.argv[2:])

def price(number): raise ValueError(f"no price for item {number}")
def stock(number): return {}[f"item-{number}"]
def order(number):
    try: price(number)
    except ValueError as error: raise RuntimeError("order failed") from error
def queue(number): return [].pop()
def share(number): return number // 0
def tea(number): raise EOFError
def milk(number): raise BufferError
def cup(number): raise LookupError
def spoon(number): raise ArithmeticError
def sugar(number): raise ImportError
def lemon(number): raise NotImplementedError

SHARED = [price, stock, order, queue, share]
RARE = [tea, milk, cup, spoon, sugar, lemon]

def configure():
    with open(path) as file:
        logging.config.dictConfig(yaml.safe_load(file))

def fail(log, who, number):
    bug = SHARED[(who + number) % len(SHARED)]
    try: bug(number)
    except Exception: log.exception("order %d-%d-%d failed", process, who, number)

def rarely(log, who, number):
    if number % 25 == who % 25:  # errors / 25 times, at other times than the others
        try: RARE[number // 25](number)
        except Exception: log.exception("order %d-%d-%d failed", process, who, 1_000_000 + number)

def act(who, numbers, log=logging.getLogger("shop.orders")):
    for number in numbers:
        fail(log, who, number)
        rarely(log, who, number)

async def act_in_turn(who, numbers):
    for number in numbers:
        act(who, [number])
        await asyncio.sleep(0)

async def all_tasks(numbers):
    await asyncio.gather(*(act_in_turn(threads + n, numbers) for n in range(tasks)))

def together(numbers):
    running = [threading.Thread(target=act, args=(who, numbers)) for who in range(threads)]
    for thread in running: thread.start()
    asyncio.run(all_tasks(numbers))
    for thread in running: thread.join()

configure()
together(range(errors // 2))
if again:  # the others go on; here those wait that log to the handlers being replaced, and one logs to its own
    own = logging.getLogger("shop.own")
    own.propagate = False
    own.addHandler(loghub.JSONDetailHandler(home=sys.argv[1].replace("logging.yaml", "home"),
                                            directory=sys.argv[1].replace("logging.yaml", "own")))
    alone = threading.Thread(target=act, args=(threads + tasks, range(errors), own))
    alone.start()
    while alone.is_alive(): configure()
together(range(errors // 2, errors))
"""


def config(folder, github, smtp):
    """Write the logging.yaml with all handlers; return its path."""
    file = {"maxBytes": MAX_BYTES, "formatter": "line"}
    said = everything(folder, github=github.url, token=github.token, smtp=smtp.port, file=file)
    said["handlers"]["uncaught"] = {"class": "loghub.UncaughtHandler", "home": f"{folder}/home"}
    said["root"]["handlers"].append("uncaught")
    path = folder / "logging.yaml"
    path.write_text(yaml.safe_dump(said))
    return path


def log_records(folder):
    """Return how often each order stands in the log, and how many tracebacks do; every file is whole and in bounds."""
    orders, tracebacks = Counter(), 0
    for path in folder.glob("app.log*"):
        text = path.read_text(encoding="utf-8")
        assert path.stat().st_size <= MAX_BYTES
        assert text.endswith("\n")
        assert re.match(r"\d{4}-\d\d-\d\d ", text)
        orders.update(re.findall(r"^\d{4}-\d\d-\d\d [\d:,]{12} - ERROR - order ([\d-]+) failed$", text, re.MULTILINE))
        tracebacks += len(re.findall(r"^\w+Error(?:: .*)?$", text, re.MULTILINE))
    return orders, tracebacks


def run_workers(path):
    """Run the processes to their end; one of them configures logging again in the middle."""
    given = [(path, n, THREADS, TASKS, ERRORS, int(n == 1)) for n in range(PROCESSES)]
    started = [python(WORKER, *one, seconds=120) for one in given]
    workers = [one.__enter__() for one in started]
    for worker in workers:
        _, said = worker.communicate(timeout=120)
        assert worker.returncode == 0, said
    for one in started:
        one.__exit__(None, None, None)


def loghub(*arguments):
    """Run a verb; return what it printed."""
    command = [sys.executable, "-m", "loghub", *map(str, arguments)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.shows("many processes", "nothing lost", "nothing twice", "application unharmed")
def test_everything_adds_up(tmp_path):
    """7,644 errors of 11 bugs, one dictConfig after the other meanwhile: each is counted, told and written once."""
    loggers = PROCESSES * (THREADS + TASKS)
    shared, rare = loggers * ERRORS, loggers * RARE
    apart = ERRORS + RARE  # of the logger that has a handler of its own
    with FakeGitHub("acme/shop") as github, FakeSMTP() as smtp:
        path = config(tmp_path, github, smtp)
        run_workers(path)
        loghub("drain", "--config", path, "--timeout", "60")
        told = [read_state(issue["body"]).count for issue in github.issues("acme/shop")]
        assert github.violations == []
        subjects = [str(mail.message["Subject"]) for mail in smtp.mails]
    counted = json.loads(loghub("groups", "--json", "--home", tmp_path / "home"))
    counts = sorted(group["count"] for group in counted)
    assert counts == [loggers + 1] * RARE + [(shared + ERRORS) // SHARED] * SHARED
    assert sum(counts) == shared + rare + apart
    least = [loggers] * RARE + [shared // SHARED] * SHARED  # an issue counts its whole group when it is told
    assert all(a <= b <= c for a, b, c in zip(least, sorted(told), counts, strict=True))
    assert len(subjects) <= 3
    mailed = sum(int(re.search(r"\d+(?= occurrences)", subject)[0]) for subject in subjects)
    assert shared + rare <= mailed <= sum(counts)
    orders, tracebacks = log_records(tmp_path / "logs")
    assert len(orders) == orders.total() == shared + rare
    assert tracebacks == shared + rare + shared // SHARED  # one bug has a cause
    details = [json.loads(one.read_text()) for one in (tmp_path / "errors").iterdir()]
    assert len({one["id"] for one in details}) == len(details) >= PROCESSES * SHARED * 10
