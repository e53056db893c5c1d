"""Many writers of one rotating log, killed again and again: does any line go missing?

    python tests/handlers/rotating/kill_storm.py [--kills 500] [--seed 0] [--kind size|time|gzip|both] [--writers 4]

One in five is killed from outside, at any time. The others kill themselves right before, right after or
(a write of more than one page) in the middle of one of the system calls that change what others see, so that each
instant between two of them comes up. A writer notes each call that returned in a file of its own. At the end of
a round one last writer comes, and all files are read. Prints what was found as JSON; exit code 1 if anything is
lost, doubled, torn or too big. Lines of a writer may be one more than it noted: the one it was killed in.
"""

from __future__ import annotations

import argparse
import collections
import glob
import gzip
import json
import logging
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from loghub.handlers.rotatingfile import RotatingFileHandler
from loghub.rollover import lock

PAGE = 4096
KILLS_PER_ROUND = 16
LINE = re.compile(rb"(w\d+)-(\d+) (x*)\.\n")
MAX_BYTES = 30_000
KINDS = {
    "size": {"maxBytes": MAX_BYTES, "backupCount": 10**6},
    "time": {"when": "S"},
    "gzip": {"maxBytes": MAX_BYTES, "backupCount": 10**6, "compress": "gzip"},
    "both": {"maxBytes": MAX_BYTES, "when": "S", "compress": "gzip"},
}
# What a writer dies at, and at the latest at the how manyth of it.
CALLS = {"write": 200, "pwrite": 30, "rename": 30, "remove": 3, "ftruncate": 1, "open": 10, "close": 10, "flock": 400}
# The lengths of a writer's lines; none is so long that it would have a file of its own.
LENGTHS = [[60], [60], [1000], [5, 50, 200, 3000, 9000]]


# A writer, in a process of its own -----------------------------------------------------------------------------


def die_somewhere(randomness):
    """Have this process kill itself at a system call that others could see."""
    name = randomness.choice(list(CALLS))
    where = lock if name == "flock" else os
    left, call = randomness.randrange(CALLS[name]), getattr(where, name)

    def deadly(*args, **options):
        nonlocal left
        left -= 1
        if left >= 0:
            return call(*args, **options)
        how = randomness.choice(["before", "within", "after"])
        if how == "within" and name == "write":
            fd, data = args
            page_ends = range(PAGE - os.lseek(fd, 0, os.SEEK_END) % PAGE, len(data), PAGE)
            if page_ends:
                call(fd, data[: randomness.choice(page_ends)])
        elif how == "after":
            call(*args, **options)
        return os.kill(os.getpid(), signal.SIGKILL)

    setattr(where, name, deadly)


def log_for_ever(log, name, options, seed):
    """Write lines, and note each that is written; every second writer dies by itself."""
    randomness, write = random.Random(seed), os.write
    noted = os.open(f"{log.parent}/noted/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    handler = RotatingFileHandler(log, **options)
    handler.handleError = lambda record: os._exit(3)
    if randomness.random() < 0.8:
        die_somewhere(randomness)
    lengths = randomness.choice(LENGTHS)
    for number in range(10**9):
        message = f"{name}-{number} {'x' * randomness.randrange(randomness.choice(lengths))}."
        handler.handle(logging.LogRecord("storm", logging.INFO, __file__, 1, message, None, None))
        write(noted, b".")


def begin(log, name, options, seed):
    """Start a writer; return its process id."""
    pid = os.fork()
    if not pid:
        try:
            log_for_ever(log, name, options, seed)
        finally:
            os._exit(4)
    return pid


# What is left --------------------------------------------------------------------------------------------------


class Found(NamedTuple):
    """Lines that are missing, there twice, and torn; files that are too big."""

    lost: list[str]
    doubled: list[str]
    torn: list[str]
    oversized: list[str]


def look(log, max_bytes):
    """Compare what the files hold with what the writers noted."""
    numbers = collections.defaultdict(list)
    torn, oversized = [], []
    for path in glob.glob(f"{log}*"):
        data = Path(path).read_bytes()
        data = gzip.decompress(data) if path.endswith(".gz") else data
        if 0 < max_bytes < len(data):
            oversized.append(f"{path}: {len(data)}")
        for line in data.splitlines(keepends=True):
            if match := LINE.fullmatch(line):
                numbers[match[1].decode()].append(int(match[2]))
            else:
                torn.append(f"{path}: {line[:40]!r} of {len(line)}")
    lost, doubled = [], []
    for noted in Path(log.parent, "noted").iterdir():
        there = collections.Counter(numbers[noted.name])
        returned = noted.stat().st_size
        lost += [f"{noted.name}-{number} of {returned}" for number in range(returned) if number not in there]
        doubled += [f"{noted.name}-{number}" for number, count in there.items() if count > 1 or number > returned]
    return Found(lost, doubled, torn, oversized)


def storm(folder, kind, kills, writers, seed):
    """Kill so many writers, while others write; return what is found, and how many lines there were."""
    randomness = random.Random(seed)
    log, options = Path(folder, "app.log"), KINDS[kind]
    (log.parent / "noted").mkdir()
    alive = {}
    for number in range(kills):
        while len(alive) < writers:
            name = f"w{len(os.listdir(log.parent / 'noted'))}"
            (log.parent / "noted" / name).touch()
            alive[begin(log, name, options, randomness.random())] = name
        until = time.monotonic() + randomness.choice([0.05, 0.5]) * randomness.random()
        while not (dead := os.waitpid(-1, os.WNOHANG))[0] and time.monotonic() < until:
            time.sleep(0.001)
        pid, status = dead
        if not pid:
            pid = randomness.choice(list(alive))
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            raise SystemExit(f"{alive[pid]} ended by itself: {status} (round {seed}, kill {number})")
        del alive[pid]
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    last = RotatingFileHandler(log, **options)  # cuts off and compresses what the dead have left
    last.close()
    if last._background:
        last._background.wait(60)
    return look(log, options.get("maxBytes", 0)), sum(path.stat().st_size for path in (log.parent / "noted").iterdir())


def main():
    """Run the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS, default="size")
    parser.add_argument("--writers", type=int, default=4)
    args = parser.parse_args()
    total = dict.fromkeys(Found._fields, 0) | {"kills": 0, "lines": 0}
    while total["kills"] < args.kills:
        folder = tempfile.mkdtemp(prefix="storm-")
        seed = args.seed * 10**6 + total["kills"]
        found, lines = storm(folder, args.kind, KILLS_PER_ROUND, args.writers, seed)
        total["kills"] += KILLS_PER_ROUND + args.writers
        total["lines"] += lines
        for what, cases in found._asdict().items():
            total[what] += len(cases)
            for case in cases[:5]:
                print(f"round {seed}: {what}: {case}", file=sys.stderr)
        shutil.rmtree(folder)
    print(json.dumps(total))
    sys.exit(any(total[what] for what in Found._fields))


if __name__ == "__main__":
    main()
