"""Half an hour of mixed load with faults that come and go: is everything counted, and does nothing grow?

    python benchmarks/soak.py [--minutes 30] [--plot docs/soak.svg] [--json FILE]
    python benchmarks/soak.py --draw FILE --plot docs/soak.svg     # the plot of figures that --json has kept

Four processes of one application (soak_load.py) share a home with a ledger in SQLite, one log file, one folder of
detail files, a repository and a mail server; GitHub and the mail server are the tests' stand-ins. What the processes
use is read from without, by /proc and by the files' sizes. Faults stand in FAULTS, in minutes of half an hour; a
shorter soak has them closer together. In the end what was logged is held against what ledger, issues and mails say.

Exits with 1 if a goal does not hold. What grows cannot be told from a soak below ten minutes.
"""

import argparse
import contextlib
import gzip
import itertools
import json
import os
import platform
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import NamedTuple

import rounds
import soak_load
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from loghub import history  # noqa: E402
from loghub.github.block import read_state  # noqa: E402
from loghub.journal import writing  # noqa: E402
from tests.configurations import everything  # noqa: E402
from tests.fakes.github import FakeGitHub  # noqa: E402
from tests.fakes.smtp import FakeSMTP  # noqa: E402
from tests.processes import environment  # noqa: E402

REPO = "acme/shop"
PROCESSES = ("a", "b", "c", "d")
FIRST_BUGS = 30
DETAILS = 400
LOG_BYTES, LOG_BACKUPS = 500_000, 5
LEAST_MINUTES = 10.0
"""A shorter soak says nothing about growth."""

LEAST_PAUSE = 6.0
"""Seconds between two verbs."""

WARM_UP = 1 / 10
"""The share of the soak after which a process has imported and cached what it does once."""


class Fault(NamedTuple):
    """Something that goes wrong: from when to when, in minutes of half an hour, and which methods of `Soak` do it."""

    name: str
    begin: float
    end: float
    how: str
    what: object = None


FAULTS = (
    Fault("GitHub answers 500", 2.0, 3.5, "github", "500"),
    Fault("a is killed", 4.0, 4.0, "kill", "a"),
    Fault("SMTP puts off", 4.5, 6.0, "smtp", {"MAIL": "451 later"}),
    Fault("GitHub hangs", 6.5, 8.0, "github", "hang"),
    Fault("ledger locked", 8.5, 9.5, "lock"),
    Fault("b is killed", 10.0, 10.0, "kill", "b"),
    Fault("SMTP hangs", 10.0, 11.5, "smtp", {"EHLO": "hang"}),
    Fault("GitHub is gone", 12.0, 14.0, "github_gone"),
    Fault("SMTP is gone", 14.5, 16.0, "smtp_gone"),
    Fault("GitHub: rate limit", 16.5, 18.0, "github", "primary"),
    Fault("a is killed", 18.5, 18.5, "kill", "a"),
    Fault("ledger locked", 19.0, 20.0, "lock"),
    Fault("GitHub answers 500", 20.5, 22.0, "github", "500"),
    Fault("SMTP puts off", 20.5, 22.0, "smtp", {"DATA": "452 no room"}),
    Fault("GitHub hangs", 22.5, 24.0, "github", "hang"),
    Fault("d is killed", 24.5, 24.5, "kill", "d"),
    Fault("SMTP is gone", 25.0, 26.5, "smtp_gone"),
)


class Soak:
    """One soak in a folder.

    Attributes:
        samples: What was read, every so many seconds.
        troubles: What went wrong that has no goal of its own.
        told_again: Kills in the midst of a mail, after which it may be sent once more.
    """

    def __init__(self, folder, github, smtp, options):
        self.folder = Path(folder)
        self.home = self.folder / "home"
        self.fake, self.mail = github, smtp
        # What is accepted inherits it; without it the port would not be free while the server is gone.
        smtp._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.seconds = options.minutes * 60
        self.rate = options.rate / len(PROCESSES)
        self.every = options.every
        self.samples, self.troubles, self.verbs = [], [], Counter()
        self.kills = self.told_again = 0
        self.running = {}
        self._lock = self._held = None
        self._settings = environment(HOME=folder)
        for name in [name for name in self._settings if name.startswith(("GITHUB_", "GH_", "LOGHUB_"))]:
            del self._settings[name]
        soak_load.write_application(folder)
        self.control = soak_load.Control(f"{folder}/control")
        self.control.bugs = min(FIRST_BUGS, options.bugs)
        self.bugs = options.bugs
        self.accounts = {name: soak_load.Account(f"{folder}/account-{name}") for name in PROCESSES}
        (self.folder / "logging.yaml").write_text(yaml.safe_dump(self._configuration()))

    def _configuration(self):
        """Everything that writes or delivers, with bounds that half an hour reaches."""
        said = everything(
            str(self.folder), github=self.fake.url, smtp=self.mail.port, token=self.fake.token,
            file={"maxBytes": LOG_BYTES, "backupCount": LOG_BACKUPS, "compress": "gzip"},
        )  # fmt: skip
        said["filters"]["event"]["project_root"] = str(self.folder)
        said["formatters"]["json"]["format"] = "%(asctime)s %(levelname)s %(threadName)s %(message)s"
        more = said["handlers"]
        more["github"]["issues_per_hour"] = 1000
        more["detail"]["backupCount"] = DETAILS
        more["mail"] |= {
            "subject": "{component}: {errors} errors, {occurrences} occurrences", "flush_interval": 20,
            "mails_per_hour": 1000,
        }  # fmt: skip
        mend = {"on": "StaleBasket", "run": "soak_shop.mend", "cooldown": 10, "with": {"path": f"{self.folder}/mended"}}
        given = {"home": str(self.home), "filters": ["event"], "level": "ERROR"}
        more["recovery"] = {"class": "loghub.RecoveryHandler", "procedures": [mend], **given}
        more["breadcrumbs"] = {"class": "loghub.BreadcrumbHandler", "level": "INFO"}
        more["uncaught"] = {"class": "loghub.UncaughtHandler", "home": str(self.home)}
        said["root"]["handlers"] = ["breadcrumbs", *(name for name in more if name != "breadcrumbs")]
        return said

    # The soak

    def run(self):
        """Start the processes, sample them while the faults come and go, end them, and deliver what is left."""
        for name in PROCESSES:
            self._start(name)
        while not all(sum(account.counts()) for account in self.accounts.values()):
            assert all(process.poll() is None for process in self.running.values()), "a process does not start"
            time.sleep(0.1)
        self.started = time.monotonic()
        stages = [threading.Thread(target=self._play), threading.Thread(target=self._beside)]
        for one in stages:
            one.start()
        for number in range(int(self.seconds / self.every) + 1):
            time.sleep(max(0.0, self.started + number * self.every - time.monotonic()))
            self.samples.append(self._sample())
        for one in stages:
            one.join()
        self.control.end()
        for name, process in self.running.items():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            if process.returncode != 0:
                said = (self.folder / f"stderr-{name}").read_text()[-2000:]
                self._trouble(f"process {name} ended with {process.returncode}: {said}")
        self.fake.heal()
        code = self.loghub("drain", "--timeout", "300", timeout=400)
        # What recovery gave up is left for a quarter of an hour, or longer; the errors go on whatever it does.
        left = [line for line in self.printed.splitlines() if line and not line.startswith("recovery:")]
        if code not in (0, 1) or (code and left):
            self._trouble(f"the drain at the end left {left}")

    def _start(self, name):
        command = [sys.executable, str(ROOT / "benchmarks" / "soak_load.py"), str(self.folder), name, str(self.rate)]
        with (self.folder / f"stderr-{name}").open("a") as said:
            self.running[name] = subprocess.Popen(command, env=self._settings, cwd=self.folder, stderr=said)

    def _play(self):
        """Do at its time whatever is due."""
        scale = self.seconds / 30
        due = []
        for fault in FAULTS:
            due.append((fault.begin * scale, getattr(self, fault.how), (fault.what,) if fault.what else ()))
            if fault.end > fault.begin:
                due.append((fault.end * scale, getattr(self, f"end_{fault.how}"), ()))
        new = self.bugs - self.control.bugs
        due += [(self.seconds * (number + 0.5) / new, self._new_bug, ()) for number in range(new)]
        for at, act, arguments in sorted(due, key=lambda one: one[0]):
            time.sleep(max(0.0, self.started + at - time.monotonic()))
            try:
                act(*arguments)
            except Exception as error:  # the samples go on, and the soak fails
                self._trouble(f"{act.__name__}{arguments}: {error!r}")

    def _trouble(self, what):
        print(f"{time.monotonic() - self.started:.0f} s: {what}", file=sys.stderr)
        self.troubles.append(what)

    def _new_bug(self):
        self.control.bugs += 1

    def _beside(self):
        """Run verbs beside the processes, one at a time: they must not be the load."""
        for number in itertools.count(1):
            pause = max(LEAST_PAUSE, self.seconds / 30) * (number - 0.3)
            if pause > self.seconds:
                return
            time.sleep(max(0.0, self.started + pause - time.monotonic()))
            verb = ("drain", "--timeout", "5") if number % 5 == 3 else ("groups", "--json")
            try:
                code = self.loghub(*verb, timeout=60)
            except subprocess.TimeoutExpired:
                code = "a timeout"
            self.verbs[verb[0]] += 1
            if code not in ((0, 1) if verb[0] == "drain" else (0,)):
                self._trouble(f"loghub {verb[0]} ended with {code}")

    def loghub(self, *verb, timeout):
        """Run a verb with the configuration of the processes; return its exit code."""
        command = [sys.executable, "-m", "loghub", *verb, "--config", str(self.folder / "logging.yaml")]
        done = subprocess.run(
            command, env=self._settings | {"PYTHONPATH": f"{ROOT}:{self.folder}"}, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip
        self.printed = done.stdout
        if done.returncode:
            print(f"loghub {verb[0]}: {(done.stdout + done.stderr).strip()[-300:]}", file=sys.stderr)
        return done.returncode

    # Faults

    def github(self, kind):
        """Have GitHub fail at every request."""
        seconds = {"hang": 20.0, "primary": max(2.0, self.seconds / 40)}.get(kind)
        self.fake.fault("*", kind, times=float("inf"), seconds=seconds)

    def end_github(self):
        """Have it answer again."""
        self.fake.heal()

    def github_gone(self):
        """Have nobody listen where GitHub was; the port stays taken."""
        port = int(self.fake.url.rpartition(":")[2])
        self.fake._port = port
        self.fake.stop()
        self._held = _bound(port)

    def end_github_gone(self):
        """Have it listen again."""
        self.fake.stopping.clear()
        self.fake.start()
        self._held.close()

    def smtp(self, faults):
        """Have the mail server fail at some commands."""
        self.mail.faults.update(faults)

    def end_smtp(self):
        """Have it take mails again."""
        self.mail.faults.clear()

    def smtp_gone(self):
        """Have nobody listen where the mail server was."""
        self.mail.loop.call_soon_threadsafe(self.mail.server.close)
        self._listening = _bound(self.mail.port, patience=5.0)

    def end_smtp_gone(self):
        """Have it listen again."""
        import asyncio

        async def listen():
            self.mail.server = await self.mail.loop.create_server(self.mail._factory_invoker, sock=self._listening)

        asyncio.run_coroutine_threadsafe(listen(), self.mail.loop).result(10)

    def lock(self):
        """Keep the ledger locked, as a program does that forgot to end its transaction."""
        self._lock = sqlite3.connect(self.home / "ledger.db", timeout=30, isolation_level=None)
        self._lock.execute("BEGIN IMMEDIATE")

    def end_lock(self):
        """Let go of the ledger."""
        self._lock.rollback()
        self._lock.close()

    def kill(self, name):
        """Kill a process (SIGKILL) between two calls, whatever its delivery thread is at; then start it anew."""
        process, account = self.running[name], self.accounts[name]
        while True:
            os.kill(process.pid, signal.SIGSTOP)
            _wait_for_state(process.pid, "T")
            if account.is_settled:
                break
            os.kill(process.pid, signal.SIGCONT)
            time.sleep(0.005)
        self.told_again += self._is_mailing(process.pid)
        process.kill()
        process.wait()
        self.kills += 1
        self._start(name)

    def _is_mailing(self, pid):
        found = self._ask("SELECT owner FROM destinations WHERE name LIKE 'smtp:%' AND leased_until > ?", time.time())
        return any(f" {pid} " in owner for (owner,) in found)

    # What is read from without

    def _ask(self, query, *values):
        with contextlib.closing(sqlite3.connect(f"file:{self.home}/ledger.db?mode=ro", uri=True, timeout=5)) as db:
            return db.execute(query, values).fetchall()

    def _sample(self):
        processes = {}
        for name, process in self.running.items():
            with contextlib.suppress(OSError, TypeError):  # it has just been killed
                processes[name] = {"pid": process.pid} | _usage(process.pid)
        offsets = {}
        with contextlib.suppress(sqlite3.Error):  # not made yet
            offsets = dict(self._ask("SELECT name, offset FROM journals"))
        journals = _sizes(self.home / "journal", "*.journal")
        details, logs = _sizes(self.folder / "errors", "*.json"), _sizes(self.folder / "logs", "*")
        return {
            "at": time.monotonic() - self.started,
            "processes": processes,
            "journals": sum(journals.values()),
            "waiting": sum(max(0, size - offsets.get(name, 0)) for name, size in journals.items()),
            "ledger": _sizes(self.home, "ledger.db").get("ledger.db", 0),
            "wal": _sizes(self.home, "ledger.db-wal").get("ledger.db-wal", 0),
            "details": len(details),
            "detail_bytes": sum(details.values()),
            "logs": sum(logs.values()),
            "lives": len(_sizes(self.home / "lives", "*.life")),
        }

    # What was counted

    def counts(self):
        """Return what was logged and what the ledger, the issues and the mails say of it."""
        logged = Counter()
        for account in self.accounts.values():
            assert account.is_settled
            logged.update(dict(enumerate(account.counts()[: soak_load.LINES])))
        expected = {soak_load.name_of(bug): number for bug, number in logged.items() if bug < soak_load.BUGS and number}
        expected |= {"threads": logged[soak_load.THREADS], "kills": self.kills}
        assert self.loghub("groups", "--json", "-n", "1000", timeout=60) == 0
        groups = json.loads(self.printed)
        counted, issues = Counter(), Counter()
        whose = {}
        for group in groups:
            found = re.search(r"(?:fail|bug)_([a-z]{4})", group["culprit"])
            name = found[1] if found else "threads" if "end_thread" in group["culprit"] else "kills"
            counted[name] += group["count"]
            whose[group["fingerprint"]] = name
        states = [read_state(issue["body"]) for issue in self.fake.issues(REPO)]
        for state in states:
            issues[whose.get(state.fingerprint, "?")] += state.count
        mails = {mail.message["Message-ID"]: str(mail.message["Subject"]) for mail in self.mail.mails}
        totals = history.open_home(str(self.home), None).ledger().totals()
        return {
            "expected": {name: number for name, number in expected.items() if number},
            "counted": dict(counted),
            "issues": dict(issues),
            "groups": len(groups),
            "open issues": sum(issue["state"] == "open" for issue in self.fake.issues(REPO)),
            "mails": len(self.mail.mails),
            "mailed": sum(int(re.search(r"(\d+) occurrences", subject)[1]) for subject in mails.values()),
            "dropped": totals["dropped"] + totals["torn"],
            "requests": len(self.fake.requests),
            "records": sum(logged.values()) + sum(account.counts()[-1] for account in self.accounts.values()),
            "lines": self._lines(),
            "mended": len((self.folder / "mended").read_text().splitlines()),
            "kept": self._ask("SELECT count(*), sum(length(CAST(data AS BLOB))) FROM events")[0],
            "violations": self.fake.violations,
        }

    def _lines(self):
        """Return how many numbered lines the log files still have, and how many are missing or doubled among them."""
        seen = {name: Counter() for name in PROCESSES}
        for path in (self.folder / "logs").glob("app.log*"):
            if path.name.endswith(".gz"):
                text = gzip.decompress(path.read_bytes()).decode()
            elif re.fullmatch(r"app\.log(\.\d+)?", path.name):
                text = path.read_text()
            else:
                continue
            for name, number in re.findall(r'"message": "process (\w) line (\d+)"', text):
                seen[name][int(number)] += 1
        wrong = 0
        for name, numbers in seen.items():
            last = self.accounts[name].counts()[soak_load.LINES]
            # The main thread's lines are in order: from the oldest that is left none may be missing.
            wrong += sum(numbers[number] != 1 for number in range(min(numbers, default=last), last + 1))
        return {"left": sum(map(len, seen.values())), "wrong": wrong}


def _bound(port, patience=1.0):
    """Return a socket that has the port and does not listen: who connects is refused."""
    until = time.monotonic() + patience
    while True:
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return held


def _wait_for_state(pid, state):
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != state:
        time.sleep(0.001)


def _usage(pid):
    """Return memory that is this process's own (MiB), descriptors and threads."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    status = Path(f"/proc/{pid}/status").read_text()
    return {
        "memory": int(re.search(r"^Anonymous: +(\d+)", rollup, re.MULTILINE)[1]) / 1024,
        "resident": int(re.search(r"^Rss: +(\d+)", rollup, re.MULTILINE)[1]) / 1024,
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(re.search(r"^Threads:\s+(\d+)", status, re.MULTILINE)[1]),
    }


def _sizes(folder, pattern):
    sizes = {}
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):  # gone meanwhile
            sizes[path.name] = path.stat().st_size
    return sizes


# --- judging


def slope(points):
    """Return the Theil-Sen slope an hour: the median of the slopes between all pairs."""
    return median((y2 - y1) / (x2 - x1) * 3600 for (x1, y1), (x2, y2) in itertools.combinations(points, 2) if x2 > x1)


def lives(samples, figure):
    """Return the points in the second half of each process that was warm before, and went on for a while."""
    whole = samples[-1]["at"]
    found, born = {}, {}
    for sample in samples:
        for name, usage in sample["processes"].items():
            key = f"{name} {usage['pid']}"
            birth = born.setdefault(key, sample["at"])
            if sample["at"] >= whole / 2 >= birth + whole * WARM_UP:
                found.setdefault(key, []).append((sample["at"], usage[figure]))
    return {key: points for key, points in found.items() if points[-1][0] - points[0][0] >= whole / 5}


def is_long(samples):
    """Return whether the soak was long enough to tell what grows, and what comes back after a fault."""
    return samples[-1]["at"] > LEAST_MINUTES * 60 * 0.99


def growth(samples, figure):
    """Return how much a figure grows in an hour, of each process; nothing where the soak was too short."""
    if not is_long(samples):
        return []
    return [slope(points) for points in lives(samples, figure).values()]


def after_faults(samples, figure):
    """Return how low a figure comes before the next fault begins, for each that ended; nothing if that is too soon."""
    if not is_long(samples):
        return []
    scale = samples[-1]["at"] / 30
    found = []
    begins = sorted(fault.begin * scale for fault in FAULTS)
    for fault in FAULTS:
        end = fault.end * scale
        upto = next((begin for begin in begins if begin > end), samples[-1]["at"])
        found += [min(values)] if (values := [one[figure] for one in samples if end < one["at"] <= upto]) else []
    return found


def goals(kept):
    """Return what is to hold."""
    samples, counts = kept["samples"], kept["counts"]
    expected = counts["expected"]
    total = sum(expected.values())
    off = [abs(expected.get(name, 0) - counts["counted"].get(name, 0)) for name in expected | counts["counted"]]
    told = [abs(expected.get(name, 0) - counts["issues"].get(name, 0)) for name in expected | counts["issues"]]
    mails = counts["mailed"] - total
    mails = 0 if mails >= 0 and kept["told again"] else abs(mails)
    number, size = counts["kept"]
    hours = len({int(hour) for hour in kept["hours"]})
    whole = {"form": "{:,.0f}", "unit": "", "of": max}
    mb = {"form": "{:.1f}", "unit": " MB", "of": max}
    per_hour = {"form": "{:.1f}", "of": max}

    half = [
        usage["memory"]
        for one in samples
        if abs(one["at"] / samples[-1]["at"] - 0.5) <= 0.05
        for usage in one["processes"].values()
    ]

    def most(figure):
        return max(one[figure] for one in samples)

    def most_of(figure):
        return max(usage[figure] for one in samples for usage in one["processes"].values())

    return [
        rounds.Goal("occurrences that the ledger counts wrong", [sum(off)], 0, **whole),
        rounds.Goal("occurrences that the issues count wrong", [sum(told)], 0, **whole),
        rounds.Goal("occurrences that the mails tell wrong", [mails], 0, **whole),
        rounds.Goal("groups and open issues that are not one to a bug",
                    [abs(counts["groups"] - len(expected)), abs(counts["open issues"] - len(expected))], 0, **whole),
        rounds.Goal("occurrences dropped", [counts["dropped"]], 0, **whole),
        rounds.Goal("lines missing or doubled in the log files that are left", [counts["lines"]["wrong"]], 0, **whole),
        rounds.Goal("requests against GitHub's rules", [len(counts["violations"])], 0, **whole),
        rounds.Goal("anything else that went wrong", [len(kept["troubles"])], 0, **whole),
        rounds.Goal("runs of the procedure", [counts["mended"]], 1, at_least=True, **whole),
        rounds.Goal("memory of a process: growth", growth(samples, "memory"), 4, unit=" MB/h", **per_hour),
        rounds.Goal("memory of any process: most, over the median half-way",
                    [most_of("memory") / median(half)] if is_long(samples) else [], 1.15, "{:.2f}"),
        rounds.Goal("descriptors of a process: growth", growth(samples, "descriptors"), 2, unit=" /h", **per_hour),
        rounds.Goal("threads of a process: growth", growth(samples, "threads"), 2, unit=" /h", **per_hour),
        rounds.Goal("descriptors of a process: most", [most_of("descriptors")], 40, **whole),
        rounds.Goal("threads of a process: most", [most_of("threads")], 12, **whole),
        rounds.Goal("journals, not folded yet: after each fault",
                    [one / 1e6 for one in after_faults(samples, "waiting")], 0.1, **mb),
        rounds.Goal("journals: most", [most("journals") / 1e6],
                    (len(PROCESSES) + 1) * writing.ROTATE_BYTES / 1e6, **mb),
        rounds.Goal("events kept in full", [number],
                    counts["groups"] * writing.KEEP_PER_GROUP * (len(PROCESSES) + kept["kills"]) * hours, **whole),
        rounds.Goal("ledger, over the bytes of the events in it", [samples[-1]["ledger"] / size], 1.5, "{:.2f}"),
        rounds.Goal("write-ahead log of the ledger: most", [most("wal") / 1e6], 8.0, **mb),
        rounds.Goal("detail files: most", [most("details")], DETAILS + len(PROCESSES) * DETAILS // 10, **whole),
        rounds.Goal("log files: most", [most("logs") / 1e6], 2.5 * LOG_BYTES / 1e6, **mb),
        rounds.Goal("traces of processes, of the living and the dead: in the end",
                    [samples[-1]["lives"]] if is_long(samples) else [], len(PROCESSES), **whole),
    ]  # fmt: skip


def tables(kept):
    """Return the table of what the processes used, early and in the end, and that of what was done."""
    samples, counts = kept["samples"], kept["counts"]

    def around(share, figure):
        near = [one for one in samples if abs(one["at"] / samples[-1]["at"] - share) <= 0.05]
        values = [usage[figure] for one in near for usage in one["processes"].values()]
        return f"{median(values):.1f} ({min(values):.1f}..{max(values):.1f})" if values else "-"

    used = [
        [text, *(around(share, figure) for share in (0.1, 0.5, 0.95))]
        for text, figure in (
            ("memory of its own, MiB", "memory"), ("resident set, MiB", "resident"), ("descriptors", "descriptors"),
            ("threads", "threads"),
        )
    ]  # fmt: skip

    def home(share, figure):
        return min(samples, key=lambda one: abs(one["at"] / samples[-1]["at"] - share))[figure]

    used += [
        [text, *(f"{home(share, figure) / 1e6:.2f}" for share in (0.1, 0.5, 0.95))]
        for text, figure in (
            ("journals, MB", "journals"), ("of it not folded yet, MB", "waiting"), ("ledger, MB", "ledger"),
            ("its write-ahead log, MB", "wal"), ("detail files, MB", "detail_bytes"), ("log files, MB", "logs"),
        )
    ]  # fmt: skip
    done = [
        ["errors", f"{sum(counts['expected'].values()):,}"],
        ["lines of the main threads", f"{counts['records'] - sum(counts['expected'].values()) + kept['kills']:,}"],
        ["bugs", f"{len(counts['expected']):,}"],
        ["processes killed", f"{kept['kills']}"],
        ["requests to GitHub", f"{counts['requests']:,}"],
        ["mails", f"{counts['mails']:,}"],
        ["kills in the midst of a mail", f"{kept['told again']}"],
        ["verbs beside", ", ".join(f"{number} {verb}" for verb, number in sorted(kept["verbs"].items()))],
        ["of the lines left in the log files", f"{counts['lines']['left']:,}"],
    ]
    head = ["median of the four (lowest..highest)", "after a tenth", "half-way", "in the end"]
    return [(head, used), (["what", "number"], done)]


def measure(options):
    """Run a soak; return all figures."""
    with tempfile.TemporaryDirectory() as folder, FakeGitHub(REPO) as github, FakeSMTP() as smtp:
        soak = Soak(folder, github, smtp, options)
        began = time.time()
        try:
            soak.run()
        finally:
            for process in soak.running.values():
                process.kill()
        return {
            "date": time.strftime("%d %B %Y"),
            "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}",
            "minutes": options.minutes,
            "rate": options.rate,
            "hours": sorted({began // 3600, time.time() // 3600}),
            "faults": [fault._asdict() for fault in FAULTS],
            "samples": soak.samples,
            "counts": soak.counts(),
            "kills": soak.kills,
            "told again": soak.told_again,
            "verbs": dict(soak.verbs),
            "troubles": soak.troubles,
        }


def main():
    """Run it, print the tables and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=100.0, help="records a second, of all processes together")
    parser.add_argument("--bugs", type=int, default=70, help=f"in the end; {FIRST_BUGS} are there from the beginning")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two samples")
    parser.add_argument("--plot", metavar="FILE", help="draw it, as SVG; wants the extra `bench`")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    parser.add_argument("--draw", metavar="FILE", help="judge and draw what --json has kept, instead of running")
    parser.add_argument("--markdown", action="store_true", help="print tables to paste into a text")
    options = parser.parse_args()
    if options.plot:
        import soak_plot  # without it the run would be for nothing
    if options.draw:
        kept = json.loads(Path(options.draw).read_text(encoding="utf-8"))
    else:
        kept = json.loads(json.dumps(measure(options)))
    if options.json:
        Path(options.json).write_text(json.dumps(kept), encoding="utf-8")
    if options.plot:
        soak_plot.draw(kept, options.plot)
    rows = [goal.row() for goal in goals(kept)]
    print(f"{kept['date']}, {kept['machine']}, {kept['minutes']:g} minutes, {kept['rate']:g} records a second")
    for head, lines in (*tables(kept), (["goal", "figure", "is to be", "holds"], rows)):
        print("\n" + rounds.table(head, lines, markdown=options.markdown))
    for trouble in (*kept["troubles"], *kept["counts"]["violations"]):
        print(trouble)
    sys.exit(any(row[-1] == "NO" for row in rows))


if __name__ == "__main__":
    main()
