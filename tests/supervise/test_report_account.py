"""What is held, told once, and left out, by what was seen when: in a time of the test's own."""

from __future__ import annotations

import json
import logging
import os

import pytest

from loghub import runs
from loghub.handlers.base import ReportingHandler
from loghub.supervise.account import HOLD_SECONDS, IDLE_SECONDS, MEMORY_SECONDS, SAME_SECONDS, Account
from loghub.supervise.oom import Memory
from loghub.supervise.reporter import Subject
from tests.supervise.test_report_oom import MOUNT_2, events, tree
from tests.supervise.test_report_watcher import BEFORE, LOGGED, PLAIN, THREAD, WARNED

NOW = 1_770_000_100.0
EXIT_1, EXIT_3 = 1 << 8, 3 << 8


class Shown(ReportingHandler):
    """Keeps the records."""

    def __init__(self, home) -> None:
        super().__init__(home=str(home))
        self.records = []

    def emit(self, record):
        self.records.append(record)


class Bench:
    """An account of a command that nobody runs.

    Attributes:
        shown: What was logged: classes, or first words of messages.
    """

    def __init__(self, folder, monkeypatch) -> None:
        self.folder = folder
        self.memory = Memory(root=tree(folder, MOUNT_2.format(root="/"), "0::/\n", events(0)))
        self.notes = runs.Notes((str(folder),))
        self.handler = Shown(folder / "home")
        monkeypatch.setenv(runs.VARIABLE, self.notes.path)
        self.account = Account(Subject("app", ["app.py"]), 4_000_000, self.notes, self.memory, [self.handler])

    def counted(self, text=PLAIN, at=NOW, token=None, **more):
        """Have a process of the command say that it has counted a traceback."""
        event = {"error_type": "ValueError", "frames": [{"file": "/app/shop.py", "line": 7, "function": "main"}]}
        line = json.dumps({"no": 1, "n": 1, "at": at, "event": event | more}).encode() + b"\n"
        runs.note(token or self.handler.home.token, line)

    def said(self, text, now=NOW):
        """Have the command write to stderr."""
        self.account.read(text.encode(), now)

    def kill(self, number):
        """Have the kernel kill so many in all."""
        tree(self.folder, MOUNT_2.format(root="/"), "0::/\n", events(number))

    @property
    def shown(self):
        """The messages that were logged, with their levels."""
        return [(record.levelno, record.getMessage()) for record in self.handler.records]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Return a bench; the logger is as before afterwards."""
    log = logging.getLogger("loghub.uncaught")
    before = log.handlers[:], log.propagate
    made = Bench(tmp_path, monkeypatch)
    yield made
    log.handlers[:], log.propagate = before
    made.notes.close()
    made.handler.close()


def test_waits(bench):
    """A traceback is told a while after it was seen, and once."""
    bench.said(THREAD + "\n" + BEFORE)
    bench.account.look(NOW + IDLE_SECONDS / 2)
    assert bench.shown == []
    for seconds in (IDLE_SECONDS + 0.1, IDLE_SECONDS + 0.1 + HOLD_SECONDS, 60):
        bench.account.look(NOW + seconds)
    assert bench.shown == [(logging.CRITICAL, "Exception in thread Thread-1 (work)")]


def test_counted_meanwhile(bench):
    """What the command's own process counts before the wait is over is not told."""
    bench.said(LOGGED)
    bench.account.look(NOW + IDLE_SECONDS + 0.1)
    bench.counted(at=NOW + 0.5)
    bench.account.look(NOW + 60)
    assert bench.shown == []


def test_counted_before(bench):
    """Nor is what was counted in the same hour; in another hour it is another occurrence."""
    bench.counted(at=NOW - 60)
    bench.said(THREAD)
    bench.account.look(NOW + 60)
    assert bench.shown == []
    bench.said(THREAD, NOW + 7200)
    bench.account.look(NOW + 7300)
    assert len(bench.shown) == 1


def test_counted_elsewhere(bench):
    """What was counted in another home counts here."""
    bench.counted(token="other")
    bench.said(THREAD)
    bench.account.look(NOW + 60)
    assert len(bench.shown) == 1


def test_other_line(bench):
    """The same class from another line is another exception."""
    bench.counted()
    bench.said(THREAD.replace("line 7", "line 9"))
    bench.account.look(NOW + 60)
    assert len(bench.shown) == 1


def test_logged_then_uncaught(bench):
    """An exception that is logged and soon after ends a thread is one; much later it is another."""
    bench.said(LOGGED + "\n" + BEFORE + THREAD)
    bench.account.end(EXIT_1, (), NOW + 1)
    assert [level for level, _ in bench.shown] == [logging.ERROR]
    bench.said("\n" + BEFORE + THREAD, NOW + 2 * SAME_SECONDS)
    bench.account.end(EXIT_1, (), NOW + 30)
    assert [level for level, _ in bench.shown] == [logging.ERROR, logging.CRITICAL]


def test_warning_with_a_traceback(bench):
    """A record that is no error keeps its level and is not told, unless its traceback ends the command."""
    bench.said(WARNED + "\n" + BEFORE)
    bench.account.end(0, (), NOW)
    assert bench.shown == []
    bench.said(WARNED)
    bench.account.end(EXIT_1, (), NOW)
    assert bench.shown == [(logging.CRITICAL, "Uncaught exception")]


def test_printed(bench):
    """A traceback that a command prints, and lives on, may have been caught: nobody says that it was not."""
    bench.said(PLAIN)
    bench.account.end(0, (), NOW)
    bench.said(PLAIN.replace("line 7", "line 8") + "\nthat was all\n")
    bench.account.end(EXIT_1, (), NOW)
    bench.said(PLAIN.replace("line 7", "line 9"))
    bench.account.end(EXIT_1, (), NOW)
    printed = (logging.ERROR, "Traceback on stderr")
    assert bench.shown == [printed, printed, (logging.CRITICAL, "Uncaught exception")]


@pytest.mark.parametrize("end", [" to be reported\n" * 2, " to be reported\n" * 2000])
def test_exit_code_beside_a_traceback(end, bench):
    """A traceback shortly before the end says why; one long before does not."""
    bench.said(THREAD + "\n" + BEFORE + end)
    bench.account.end(EXIT_3, (), NOW)
    kinds = [record.__dict__.get("_loghub_told", {}).get("error_type") for record in bench.handler.records]
    assert kinds == ([None] if len(end) < 100 else [None, "ExitCode 3"])


def test_exit_code_beside_a_counted_error(bench):
    """So does an error that the command counted itself, with or without a traceback."""
    bench.counted(at=NOW - 1, frames=[], error_type="ERROR", error_message="no database")
    bench.account.end(EXIT_3, (), NOW)
    assert bench.shown == []


def test_kill_of_a_process_below(bench):
    """A kill is told when the command has lived on for a while, once, and another one again."""
    bench.account.look(NOW)
    bench.kill(1)
    for second in range(1, 6):
        bench.account.look(NOW + second * MEMORY_SECONDS)
    bench.kill(3)
    for second in range(6, 10):
        bench.account.look(NOW + second * MEMORY_SECONDS)
    limit = 104857600 // 2**20
    assert bench.shown == [(50, f"a process of app was killed for want of memory; its limit is {limit} MiB")] * 2


def test_kill_of_the_command(bench):
    """A kill that the command itself dies by is told once, as that."""
    bench.account.look(NOW)
    bench.kill(1)
    bench.account.look(NOW + MEMORY_SECONDS)
    bench.account.end(9, (), NOW + 2)
    assert [text.partition(";")[0] for _, text in bench.shown] == ["app was killed for want of memory"]


def test_kill_of_both(bench):
    """A process below that was killed is told beside another end."""
    bench.kill(1)
    bench.account.end(EXIT_3, (), NOW)
    assert [text for _, text in bench.shown] == [
        "app ended with exit code 3: app said nothing on stderr",
        "a process of app was killed for want of memory; its limit is 100 MiB",
    ]


def test_gap(bench):
    """What could not be looked at is said beside how the command ended."""
    bench.account.read(b"", NOW)
    bench.account.skipped = 5_000_000
    bench.account.end(EXIT_3, (), NOW)
    assert bench.handler.records[0].__dict__["stderr_bytes_not_looked_at"] == 5_000_000


@pytest.mark.parametrize("at", range(len(PLAIN) - len("ValueError: 17") - 40, len(PLAIN) - 3, 7))
def test_gap_in_a_traceback(bench, at):
    """Of a traceback whose end was left out nobody knows what it was: it is not told. The next one is."""
    bench.said(LOGGED + PLAIN[:at])
    bench.account.read(b"", NOW)
    bench.said(PLAIN.replace("line 7", "line 8"))
    bench.account.end(EXIT_1, (), NOW)
    assert len(bench.shown) == 2


def test_words_about_tracebacks(bench):
    """Where no frame follows the head, somebody speaks of tracebacks, and had none."""
    bench.said("grep: looking for Traceback (most recent call last): in logs\nnothing found: none\n")
    bench.account.end(0, (), NOW)
    assert bench.shown == []


def test_traceback_in_a_message(bench):
    """The words of an exception may hold the traceback of another process: who counted the one, has told the other."""
    bench.said(PLAIN.replace("ValueError: 17", "RuntimeError: it failed:\n" + PLAIN.replace("line 7", "line 9")))
    bench.counted(error_type="RuntimeError", error_message="it failed:\n" + PLAIN.replace("line 7", "line 9"))
    bench.account.end(0, (), NOW)
    assert bench.shown == []


def test_many_at_once(bench, monkeypatch):
    """More tracebacks than are held are told early, none twice."""
    monkeypatch.setattr("loghub.supervise.account.MAX_HELD", 10 * len(PLAIN))
    for number in range(100):
        bench.said(LOGGED.replace("line 7", f"line {number}"))
    assert 50 < len(bench.shown) < 100
    bench.account.end(0, (), NOW)
    assert len(bench.shown) == 100


def test_notes_are_bounded(bench):
    """The file with what was counted is emptied when it was read, and nobody writes to a long one."""
    for _ in range(5):
        bench.counted(traceback="x" * 400_000)
    bench.said(THREAD)
    bench.account.look(NOW + 60)
    assert os.path.getsize(bench.notes.path) == 0
    bench.counted()
    assert os.path.getsize(bench.notes.path) < 1000


def test_notes_of_a_dead_wrapper(bench):
    """A wrapper knows that it is within another one as long as that lives."""
    within = {runs.VARIABLE: bench.notes.path}
    assert runs.is_within(within)
    copy = bench.notes.path + "-left"
    with open(copy, "w", encoding="utf-8"):
        assert not runs.is_within({runs.VARIABLE: copy})
    bench.notes.close()
    assert not runs.is_within(within)
    assert not runs.is_within({})


def test_damaged_notes(bench):
    """Lines that are none are left out."""
    runs.note(bench.handler.home.token, b"\xff{ not json\n")
    runs.note(bench.handler.home.token, b'{"event": 3}\n')
    bench.counted()
    bench.said(THREAD)
    bench.account.look(NOW + 60)
    assert bench.shown == []
