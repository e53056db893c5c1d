"""How fast processes that share one rotating log write it, and what becomes of their lines.

    python benchmarks/rotating.py [--rounds 7] [--only stdlib,loghub] [--quick] [--json FILE] [--markdown]

1, 2, 4 and 8 processes write to one log that rolls over by size; then all files are read and compared with what was
written. Then writers are killed in the middle of it (see README.md here).
"""

import collections
import glob
import gzip
import importlib.util
import json
import logging
import logging.handlers
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, NamedTuple

import rounds
import scene

PROCESSES = [1, 2, 4, 8]
LINES = 48_000  # by all processes together
MAX_BYTES = 1_000_000
KEPT = 500  # more than there will be
KILLS = 40
KILLED_PROCESSES = 4
LINE = re.compile(r"(w\d+)-(\d+) the quick brown fox x{20,79}\.")
SIZE = {"maxBytes": MAX_BYTES, "backupCount": KEPT}
COUNTS = ["lost", "doubled", "torn", "oversized"]


# Contenders ---------------------------------------------------------------------------------------------------


def handler_of(path, kind, **options):
    """Return what logs a line through a handler of logging, and what waits until all is written."""
    handler = kind(path, **options)
    log = logging.getLogger("shop")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
    return log.info, logging.shutdown


def stdlib(path):
    """Set up the standard library's."""
    return handler_of(path, logging.handlers.RotatingFileHandler, **SIZE)


def concurrent(path):
    """Set up concurrent-log-handler."""
    from concurrent_log_handler import ConcurrentRotatingFileHandler

    return handler_of(path, ConcurrentRotatingFileHandler, **SIZE)


def loguru(path):
    """Set up loguru as it tells for many processes: a queue, and the process that forked the others writes."""
    from loguru import logger

    logger.remove()
    logger.add(path, rotation=MAX_BYTES, retention=KEPT, enqueue=True, format="{message}")
    return (lambda message, *args: logger.info(message % args)), logger.complete


def loghub(path, **options):
    """Set up loghub's; by size alone without options."""
    from loghub.handlers.rotatingfile import RotatingFileHandler

    return handler_of(path, RotatingFileHandler, **(options or SIZE))


def by_time(path):
    """Set up loghub's, which rolls over every second, too, and compresses."""
    return loghub(path, when="S", compress="gzip", **SIZE)


def compressed(path):
    """Set up loghub's, which compresses."""
    return loghub(path, compress="gzip", **SIZE)


class Contender(NamedTuple):
    """A set-up, the package it needs, whether it is made before the processes are forked, and why none is killed."""

    set_up: Any
    needs: str = "logging"
    forked: bool = False
    not_killed: str = ""

    @property
    def installed(self):
        """Whether the package is there."""
        return importlib.util.find_spec(self.needs) is not None


CONTENDERS = {
    "stdlib": Contender(stdlib),
    "concurrent": Contender(concurrent, "concurrent_log_handler"),
    "loguru": Contender(loguru, "loguru", forked=True, not_killed="a killed writer keeps the queue's lock"),
    "loghub": Contender(loghub, "loghub"),
}
VARIANTS = {"gzip": Contender(compressed, "loghub"), "size and seconds, gzip": Contender(by_time, "loghub")}


# The contender's process, and the writers that it forks -------------------------------------------------------


def child(folder, task):
    """Run writers in processes of their own and print how long they took; or kill them."""
    contender = (CONTENDERS | VARIANTS)[task["contender"]]
    if task["kills"]:
        return kill(contender, folder, task)
    ready = contender.set_up(f"{folder}/app.log") if contender.forked else None
    begin, go = os.pipe()
    told, tell = os.pipe()
    pids = []
    for number in range(task["processes"]):
        pids.append(os.fork())
        if not pids[-1]:
            os.close(go)
            log, through = ready or contender.set_up(f"{folder}/app.log")
            write(log, f"w{number}", 20)
            os.write(tell, b"!")
            os.read(begin, 1)  # until the other end is closed
            begun = time.monotonic()
            write(log, f"w{number}", task["lines"], 20)
            through()
            os.write(tell, json.dumps([begun, time.monotonic()]).encode() + b"\n")
            os._exit(0)
    for _ in pids:
        os.read(told, 1)
    os.close(go)
    os.close(tell)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    with open(told) as file:
        begun, ended = zip(*map(json.loads, file), strict=True)
    return {"seconds": max(ended) - min(begun)}


def write(log, name, lines, begin=0, noted=None):
    """Write lines; the `number` of each says whether it is there."""
    for number in range(begin, lines):
        log("%s-%d the quick brown fox %s.", name, number, "x" * (20 + number % 60))
        if noted is not None:
            os.write(noted, b".")


def kill(contender, folder, task):
    """Kill writers, each at a time that chance decides, and begin new ones; return how many lines each noted."""
    chance = random.Random(task["kills"])
    alive = {}
    for killed in range(task["kills"]):
        while len(alive) < task["processes"]:
            name = f"w{killed + len(alive)}"
            alive[begin_writer(contender, folder, name)] = name
        time.sleep(0.02 + 0.06 * chance.random())
        pid = chance.choice(list(alive))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        del alive[pid]
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    log, through = contender.set_up(f"{folder}/app.log")  # somebody comes afterwards
    write(log, "w9999", 1)
    through()
    return {"kills": task["kills"] + len(alive)}


def begin_writer(contender, folder, name):
    """Start a process that writes until it is killed, and notes each call that returned; return its id."""
    pid = os.fork()
    if not pid:
        noted = os.open(f"{folder}/noted.{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        log, _ = contender.set_up(f"{folder}/app.log")
        write(log, name, 10**9, noted=noted)
    return pid


# The parent ---------------------------------------------------------------------------------------------------


def measure(processes, lines, kills=0):
    """Return a function that runs one contender and counts what became of its lines."""

    def run(name):
        with tempfile.TemporaryDirectory() as folder:
            task = {"contender": name, "processes": processes, "lines": lines // processes, "kills": kills}
            command = [sys.executable, __file__, "--child", json.dumps([folder, task])]
            env = scene.clean_environment(folder)
            done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{task} failed:\n{done.stderr}")
            got = json.loads(done.stdout.splitlines()[-1])
            if kills:
                paths = glob.glob(f"{folder}/noted.*")
                written = {path.rpartition(".")[2]: os.path.getsize(path) for path in paths}
            else:
                written = {f"w{number}": task["lines"] for number in range(processes)}
                got["rate"] = (task["lines"] - 20) * processes / got["seconds"]
            return got | {"written": sum(written.values())} | count(folder, written, spare=bool(kills))

    return run


def count(folder, written, *, spare):
    """Compare the files with what was written; with `spare` a writer may have written one line more than it noted."""
    there = {name: collections.Counter() for name in written}
    torn = oversized = 0
    for path in glob.glob(f"{folder}/app*log*"):
        with open(path, "rb") as file:
            data = file.read()
        data = gzip.decompress(data) if path.endswith(".gz") else data
        oversized += len(data) > MAX_BYTES
        for line in data.decode(errors="replace").splitlines():
            match = LINE.fullmatch(line)
            if match is None:
                torn += 1
            elif match[1] in there:
                there[match[1]][int(match[2])] += 1
    lost = sum(number not in there[name] for name, lines in written.items() for number in range(lines))
    doubled = sum(times - 1 for seen in there.values() for times in seen.values())
    strange = sum(number >= written[name] + spare for name, seen in there.items() for number in seen)
    return {"lost": lost, "doubled": doubled + strange, "torn": torn, "oversized": oversized}


def counts(found, name):
    """Return what went wrong in the worst round, one cell each."""
    if not found.get(name):
        return ["-"] * len(COUNTS)
    return [f"{max(rounds.figures(found, name, what)):,}" for what in COUNTS]


def speed_row(processes, name, found):
    """Return how fast a contender was, and what it lost."""
    if not CONTENDERS[name].installed:
        return [str(processes), name, "not installed", *["-"] * (2 + len(COUNTS))]
    rates = rounds.spread(rounds.figures(found, name, "rate"), "{:,.0f}")
    ratios = [rounds.spread(rounds.ratios(found, name, peer, "rate")) for peer in ("stdlib", "concurrent")]
    return [str(processes), name, rates, *ratios, *counts(found, name)]


def goals(speed, *others):
    """Return what is to hold."""
    least = {"form": "{:.2f}", "at_least": True}
    held = [rounds.Goal("1 process: lines a second, against stdlib",
                        rounds.ratios(speed[1], "loghub", "stdlib", "rate"), 1.2, **least)]  # fmt: skip
    for processes, found in speed.items():
        ratios = rounds.ratios(found, "loghub", "concurrent", "rate")
        text = f"{processes} {'process' if processes == 1 else 'processes'}: lines a second, against concurrent"
        held.append(rounds.Goal(text, ratios, 2, **least))
    all_rounds = [one for found in (*speed.values(), others[0]) for one in found.get("loghub", ())]
    all_rounds += [one for found in others[1:] for name in found for one in found[name]]
    text = "lines lost, doubled, torn, files oversized: all of loghub's rounds"
    wrong = [sum(one[what] for what in COUNTS) for one in all_rounds]
    return [*held, rounds.Goal(text, wrong, 0, "{:.0f}", "", of=max)]


def main():
    """Run all rounds and print the tables."""
    args = rounds.arguments(__doc__, rounds=7)
    names = rounds.chosen(args, CONTENDERS)
    here = [name for name in names if CONTENDERS[name].installed]
    lines, kills = (LINES // 6, 8) if args.quick else (LINES, KILLS)
    speed = {
        processes: rounds.interleaved(here, args.rounds, measure(processes, lines), f"{processes} processes")
        for processes in PROCESSES
    }
    mortal = [name for name in here if not CONTENDERS[name].not_killed]
    killed = rounds.interleaved(mortal, 1 if args.quick else 3, measure(KILLED_PROCESSES, 0, kills), "killed")
    others = list(VARIANTS) if "loghub" in here else []
    whole = rounds.interleaved(others, 1, measure(KILLED_PROCESSES, lines), "variants")
    ended = rounds.interleaved(others, 1, measure(KILLED_PROCESSES, 0, kills), "variants, killed")
    head = ["processes", "contender", "lines a second", "x stdlib", "x concurrent", *COUNTS]
    rows = [speed_row(processes, name, found) for processes, found in speed.items() for name in names]
    beyond = ["what else", "contender", "lines", *COUNTS]
    more = [
        [label, name, f"{max(rounds.figures(found, name, 'written')):,}", *counts(found, name)]
        for label, found in (("writers killed", killed), ("by 4 processes", whole), ("writers killed", ended))
        for name in found
    ]
    tables = [(head, rows), (beyond, more)]
    figures = {"speed": speed, "killed": killed, "variants": whole, "variants killed": ended}
    rounds.report(args, tables, goals(speed, killed, whole, ended), figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(*json.loads(sys.argv[2]))))
    else:
        main()
