"""What `loghub import` costs, and whether it counts exactly: mixed logs, made from a seed, into a new ledger.

    python benchmarks/importing.py [--megabytes 1000] [--errors 200000] [--bugs 400] [--seed 1] [--folder DIR]

Twelve files in as many formats, some of them packed; single lines of other processes fall between the lines of
tracebacks. Counted per bug: how often it was written, its first and last time. Then the same files once more, which
must change nothing.
"""

import argparse
import bz2
import gzip
import itertools
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START = 1_790_000_000
GOAL_MB = 300
WORDS = ["order", "card", "stock", "user", "mail", "cart", "page", "token", "price", "queue", "batch", "cache", "retry"]


class Bug:
    """One bug: the text of its traceback, but for a value in the message."""

    def __init__(self, number, rng):
        self.name = f"Bug{number}Error"
        depth = rng.randint(2, 12)
        frames = "".join(
            f'  File "/srv/shop/shop/{rng.choice(WORDS)}{number}.py", line {rng.randint(5, 900)}, in step_{at}\n'
            f"    {rng.choice(WORDS)} = handle({rng.choice(WORDS)}, {at})\n"
            for at in range(depth)
        )
        self.text = "Traceback (most recent call last):\n" + frames + f"shop.errors.{self.name}: {rng.choice(WORDS)} "
        if number % 7 == 0:
            cause = self.text.replace("/srv/shop/shop", "/srv/shop/db").replace(self.name, "CauseError") + "0 is gone\n"
            self.text = cause + "\nDuring handling of the above exception, another exception occurred:\n\n" + self.text

    def lines(self, value):
        """Return the lines of its traceback."""
        return f"{self.text}{value} failed".split("\n")


def stamp(at, form, tail=""):
    """Return a time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime(form) + tail


def millis(at):
    """Return a time's milliseconds."""
    return f"{int(at * 1000) % 1000:03d}"


class Plain:
    """Records of lines: a head, then a traceback."""

    def __init__(self, head):
        self.head = head

    def quiet(self, at, words):
        """Return a line that is no error."""
        return self.head(at, "INFO", words)

    def error(self, at, words, trace):
        """Return the lines of an error."""
        return [self.head(at, "ERROR", words), *trace]


class Json(Plain):
    """Records that are JSON objects."""

    def __init__(self, make):
        super().__init__(None)
        self.make = make

    def quiet(self, at, words):
        """Return a line that is no error."""
        return json.dumps(self.make(at, "INFO", words, None))

    def error(self, at, words, trace):
        """Return the one line of an error."""
        return [json.dumps(self.make(at, "ERROR", words, "\n".join(trace)))]


class Wrapped(Plain):
    """Records whose lines a collector wraps one by one."""

    def __init__(self, head, wrap):
        super().__init__(head)
        self.wrap = wrap

    def quiet(self, at, words):
        """Return a line that is no error."""
        return self.wrap(at, super().quiet(at, words))

    def error(self, at, words, trace):
        """Return the wrapped lines of an error."""
        return [self.wrap(at, line) for line in super().error(at, words, trace)]


def comma(at):
    """Return a time as logging's asctime."""
    return stamp(at, "%Y-%m-%d %H:%M:%S,", millis(at))


def iso(at):
    """Return a time with zone."""
    return stamp(at, "%Y-%m-%dT%H:%M:%S.", millis(at) + "Z")


def services(count):
    """Return what puts the names of that many services before lines, one after the other by time."""
    return lambda at, line: f"web-{int(at * 1000) % count}  | {line}"


def spaced(at):
    """Return a time as loguru writes it."""
    return stamp(at, "%Y-%m-%d %H:%M:%S.", millis(at))


def docker(at, line):
    """Return a line as Docker's json-file driver keeps it."""
    return json.dumps({"log": line + "\n", "stream": "stderr", "time": iso(at)})


def python_json(at, level, words, trace):
    """Return what python-json-logger writes."""
    said = {"asctime": comma(at), "levelname": level, "name": "shop", "message": words}
    return said | ({"exc_info": trace} if trace else {})


def structlog_json(at, level, words, trace):
    """Return what structlog's JSONRenderer writes."""
    said = {"event": words, "level": level.lower(), "timestamp": iso(at)}
    return said | ({"exception": trace} if trace else {})


FORMATS = {
    "dashes.log": Plain(lambda at, level, words: f"{comma(at)} - shop.orders - {level} - {words}"),
    "brackets.log": Plain(lambda at, level, words: f"[{comma(at)}] [{level}] [shop.orders] {words}"),
    "pipes.log": Plain(lambda at, level, words: f"{comma(at)} | {level:8} | shop.orders | {words}"),
    "gunicorn.log": Plain(lambda at, level, words: f"[{stamp(at, '%Y-%m-%d %H:%M:%S +0000')}] [17] [{level}] {words}"),
    "celery.log": Plain(lambda at, level, words: f"[{comma(at)}: {level}/ForkPoolWorker-1] {words}"),
    "loguru.log.gz": Plain(lambda at, level, words: f"{spaced(at)} | {level:8} | shop:f:7 - {words}"),
    "structlog.log": Plain(lambda at, level, words: f"{iso(at)} [{level.lower():9}] {words:30} [shop] shard=7"),
    "pythonjson.json": Json(python_json),
    "structlog.json.gz": Json(structlog_json),
    "compose.log": Wrapped(lambda at, level, words: f"{comma(at)} {level} shop.orders: {words}", services(3)),
    "docker.json": Wrapped(lambda _, level, words: f"{level}:shop.orders:{words}", docker),
    "worker.log.bz2": Plain(lambda at, level, words: f"{level} {comma(at)} shop.orders {words}"),
}


def opened(path):
    """Return the file, to be written, packed as its name says."""
    if path.endswith(".gz"):
        return gzip.open(path, "wt", compresslevel=1)
    return bz2.open(path, "wt", 1) if path.endswith(".bz2") else open(path, "w")


def write(folder, size, errors, bugs, seed):
    """Write the files; return their paths, their bytes and, by bug, how often, and its first and last time."""
    rng = random.Random(seed)
    known = [Bug(number, rng) for number in range(bugs)]
    written, spans, total, paths = Counter(), {}, 0, []
    shares = itertools.cycle(range(len(FORMATS)))
    counts = Counter(itertools.islice(shares, errors))
    for number, (name, form) in enumerate(FORMATS.items()):
        path = os.path.join(folder, name)
        paths.append(path)
        with opened(path) as file:
            for text, bug, at in records(form, size // len(FORMATS), counts[number], known, rng):
                file.write(text)
                total += len(text)
                if bug is not None:
                    said = int(at) if name == "gunicorn.log" else at
                    written[bug] += 1
                    first, last = spans.get(bug, (said, said))
                    spans[bug] = min(first, said), max(last, said)
    return paths, total, written, spans


def records(form, size, errors, known, rng):
    """Yield texts of about `size` bytes with so many errors among them, and which bug each is."""
    told, at = 0, START + rng.random() * 86_400
    each = max(size // max(errors, 1), 1)
    for number in range(errors):
        bug = rng.choice(known)
        at = int(at * 1000 + 2) / 1000
        lines = form.error(at, f"{rng.choice(WORDS)} failed", bug.lines(rng.randrange(10**6)))
        if type(form) is not Json and number % 3 == 0:  # another process writes between
            middle = rng.randrange(2, len(lines) - 1)
            lines[middle:middle] = [form.quiet(at + 0.001, "another worker is fine")]
        text = "\n".join(lines) + "\n"
        told += len(text)
        yield text, bug.name, at
        quiet = []
        while told < each * (number + 1):
            at += 0.1337
            line = form.quiet(
                at, f"{rng.choice(WORDS)} {int(at)} done in {told % 977} ms for customer {told} of shop 7"
            )
            told += len(line) + 1
            quiet.append(line)
        yield "".join(f"{line}\n" for line in quiet), None, at


def run(home, paths):
    """Import the files in a process of its own; return what it says, seconds, those of a core, and its peak in MB."""
    command = [sys.executable, "-m", "loghub", "import", "--utc", "--json", "--home", home, *paths]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    said = json.load(process.stdout)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the import ended with {process.returncode}: {said}")
    return said, time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def searched(paths):
    """Return the processor seconds that it takes to read the files line by line, and to look for one word in each."""
    started, found = time.process_time(), 0
    for path in paths:
        opener = {"gz": gzip.open, "z2": bz2.open}.get(path[-2:], open)
        with opener(path, "rb") as file:
            found += sum(b"Traceback" in line for line in file)
    return time.process_time() - started, found


def in_ledger(home):
    """Return, by class, what the ledger has: how often, first and last time; and all its rows."""
    db = sqlite3.connect(os.path.join(home, "ledger.db"))
    rows = db.execute(
        "SELECT error_type, sum(count), min(first_seen_at), max(last_seen_at) FROM groups GROUP BY 1"
    ).fetchall()
    tables = ("groups", "events", "hours", "days", "facts", "outbox", "journals")
    state = {table: db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables}
    db.close()
    return {name: (count, first, last) for name, count, first, last in rows}, state


def main():
    """Print a line for the logs, one for each run, and one for what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1000)
    parser.add_argument("--errors", type=int, default=200_000)
    parser.add_argument("--bugs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", help="Where to write the logs; they stay there.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or temporary
        home = os.path.join(temporary, "home")
        paths, size, written, spans = write(folder, int(args.megabytes * 1e6), args.errors, args.bugs, args.seed)
        print(
            f"logs    {size / 1e6:,.0f} MB, {written.total():,} errors of {len(written):,} bugs in {len(paths)} files"
        )
        said, seconds, cpu, peak = run(home, paths)
        print(
            f"first   {seconds:.1f} s, {cpu:.1f} s of one core: {size / 1e6 / seconds:.1f} MB/s, "
            f"{said['lines'] / seconds:,.0f} lines/s, peak {peak:.0f} MB"
        )
        least, hits = searched(paths)
        print(
            f"search  {least:.1f} s of one core to find a word in {hits:,} lines: the import takes {cpu / least:.1f} x"
        )
        found, before = in_ledger(home)
        counts = {bug: row[0] for bug, row in found.items()}
        times = {bug: (row[1], row[2]) for bug, row in found.items()}
        off = sum(abs(times.get(bug, (0, 0))[at] - spans[bug][at]) > 0.0015 for bug in spans for at in (0, 1))
        exact = counts == dict(written) and said["errors"] == written.total() and not off
        verdict = "exact" if exact else "WRONG"
        print(f"counts  {verdict}: {sum(counts.values()):,} of {said['groups']:,} groups, {off} times off")
        said, seconds, cpu, again = run(home, paths)
        same = in_ledger(home)[1] == before and not said["errors"]
        verdict = "nothing" if same else "SOMETHING"
        print(f"second  {seconds:.1f} s, {cpu:.1f} s of one core, peak {again:.0f} MB: changed {verdict}")
        if not (exact and same):
            raise SystemExit(1)
        if peak > GOAL_MB:
            raise SystemExit(f"more than {GOAL_MB} MB of memory")


if __name__ == "__main__":
    main()
