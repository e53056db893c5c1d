"""RotatingFileHandler: the standard library's file names, many processes, and whatever befalls a file."""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import glob
import gzip
import io
import json
import logging
import logging.config
import logging.handlers
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub import filters
from loghub.errors import OptionValueError, UnknownOptionError
from loghub.formatters import JsonFormatter
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.handlers.rotatingfile import RotatingFileHandler
from loghub.rollover import backups as names
from loghub.rollover import compression, folder, lock
from loghub.rollover.schedule import Schedule
from loghub.rollover.state import PAGE, State, Write
from loghub.scrub.own import hide

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).with_name("rotating_writer.py")
LINE = re.compile(r"(\w+)-(\d+) (x+)\.")
NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC, a Thursday
DAY = 86_400


@pytest.fixture
def make(tmp_path):
    """Make handlers for ``logs/app.log`` that are closed at the end."""
    made = []

    def build(filename=None, **options):
        handler = RotatingFileHandler(filename or tmp_path / "logs" / "app.log", **options)
        handler.setFormatter(logging.Formatter("%(message)s"))
        made.append(handler)
        return handler

    yield build
    for handler in made:
        handler.close()


@pytest.fixture
def log(tmp_path):
    """Where `make` writes."""
    return tmp_path / "logs" / "app.log"


@pytest.fixture
def clock(monkeypatch):
    """The time of day, to be set; local time is UTC."""

    class Clock:
        now = NOON

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: Clock.now)
    yield Clock
    monkeypatch.undo()
    time.tzset()


def say(handler, *messages):
    """Log through `handler` alone."""
    for message in messages:
        handler.handle(logging.LogRecord("t", logging.INFO, __file__, 1, message, None, None))


def backups(log):
    """Return the names of all files of the log, without what starts with a dot."""
    return sorted(path.name for path in log.parent.iterdir() if not path.name.startswith("."))


def read(path):
    """Return a file's text, decompressed."""
    data = Path(path).read_bytes()
    return (gzip.decompress(data) if str(path).endswith(".gz") else data).decode()


def everything(log):
    """Return all lines in all files of the log."""
    return [line for path in glob.glob(f"{log}*") for line in read(path).splitlines()]


def start(log, name, count, **options):
    """Start a process that writes."""
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(log), name, str(count), json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def numbers_by_writer(lines):
    """Return {writer: sorted numbers}; fails for a line that is torn."""
    found = {}
    for line in lines:
        match = LINE.fullmatch(line)
        assert match, f"torn: {line[:200]!r}"
        found.setdefault(match[1], []).append(int(match[2]))
    return {name: sorted(numbers) for name, numbers in found.items()}


# Many writers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2, 4, 8])
def test_many_processes(log, processes):
    """Every line of 1, 2, 4, 8 processes is there once and whole, and no file is above maxBytes."""
    each = 6000 // processes
    log.parent.mkdir()
    writers = [start(log, f"w{index}", each, maxBytes=5_000, backupCount=999, wait=True) for index in range(processes)]
    for writer in writers:
        assert writer.stdout.read(1) == b"!"
    for writer in writers:
        writer.stdin.write(b"!")
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    found = numbers_by_writer(everything(log))
    assert found == {f"w{index}": list(range(each)) for index in range(processes)}
    files = glob.glob(f"{log}*")
    assert len(files) > 40
    assert max(map(os.path.getsize, files)) <= 5_000


def test_order_of_backups(log):
    """The lines of one writer are in order from the oldest backup to the log, beside another writer."""
    writers = [start(log, name, 1000, maxBytes=5_000, backupCount=999) for name in ("a", "b")]
    for writer in writers:
        writer.communicate()
    count = len(glob.glob(f"{log}.*"))
    oldest_first = [f"{log}.{number}" for number in range(count, 0, -1)] + [str(log)]
    lines = [line for path in oldest_first for line in read(path).splitlines()]
    for name in ("a", "b"):
        mine = [int(LINE.fullmatch(line)[2]) for line in lines if line.startswith(name)]
        assert mine == list(range(1000))


@pytest.mark.parametrize("length", [40, 6_000])
def test_sigkill(log, length):
    """SIGKILL of writers loses, doubles and tears no line whose call returned, short or many pages long."""
    randomness = random.Random(length)
    options = {"maxBytes": 40 * length, "backupCount": 9999, "length": length}
    returned = {}
    survivor = start(log, "survivor", 10**6, **options)
    for number in range(12):
        writer = start(log, f"w{number}", 10**6, **options)
        calls = 0
        for _ in range(randomness.randrange(20, 60)):  # a byte for each call that returned
            calls += len(writer.stdout.read(1))
        writer.kill()
        returned[f"w{number}"] = calls + len(writer.communicate()[0])
        survivor.stdout.read(1 << 16)
    survivor.kill()
    survivor.communicate()
    start(log, "last", 1, **options).communicate()  # cuts off what the survivor may have left
    found = numbers_by_writer(everything(log))
    assert found.pop("last") == [0]
    assert len(found.pop("survivor")) > 100
    for name, calls in returned.items():
        assert len(found[name]) - calls in (0, 1)  # the call that was killed may have written
        assert found[name] == list(range(len(found[name])))
    assert max(map(os.path.getsize, glob.glob(f"{log}*"))) <= 40 * length


def announced(handler, data):
    """Have a writer announce `data` at the end of the handler's log, and return what of it is on the first page."""
    log = Path(handler.baseFilename)
    state = State(str(log.parent / f".{log.name}.state"), log.stat())
    state.announce(Write.of(log.stat().st_ino, log.stat().st_size, data))
    state.close()
    return data[: PAGE - log.stat().st_size % PAGE]


def append(log, data):
    """Write to the log past all handlers."""
    with log.open("ab") as file:
        file.write(data)


LONG = "".join(f"{number}," for number in range(3000)).encode() + b"\n"


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_line_cut_off_by_a_kill(make, log, pages):
    """What a dead writer announced and wrote a few pages of is cut off by the next one; nothing else is."""
    first, second = make(), make()
    say(first, "whole")
    written = len(announced(first, LONG)) + pages * PAGE
    append(log, LONG[:written])
    say(second, "next")
    assert log.read_text() == "whole\nnext\n"
    append(log, b"of somebody else\n")
    say(first, "last")
    assert log.read_text() == "whole\nnext\nof somebody else\nlast\n"


def test_line_of_a_writer_killed_after_it(make, log):
    """A line that is complete stays, though its writer died before it said so."""
    first, second = make(), make()
    say(first, "whole")
    announced(first, LONG)
    append(log, LONG)
    say(second, "next")
    assert log.read_bytes() == b"whole\n" + LONG + b"next\n"


@pytest.mark.parametrize("lengths", [[6, 6], [4084], [4085], [4086], [2000, 2084], [2000, 3000], [6, 20_000]])
def test_lines_after_a_writer_killed_before_its_own(make, log, lengths):
    """Where a writer died between its announcement and the first byte, the lines of others there are nobody's half."""
    first, second = make(), make()
    say(first, "head......")
    announced(first, LONG * 2)
    others = ["y" * length for length in lengths]
    say(first, *others)  # it wrote last: the size of the log tells it nothing
    say(second, "last")
    assert log.read_text().splitlines() == ["head......", *others, "last"]


def test_lines_of_somebody_else_after_an_announcement(make, log):
    """Nor are the lines of somebody who knows nothing of announcements, whole pages of them."""
    handler = make()
    say(handler, "head")
    announced(handler, LONG)
    foreign = b"z" * 60 + b"\n"
    append(log, foreign * 100)
    say(handler, "last")
    assert log.read_bytes() == b"head\n" + foreign * 100 + b"last\n"


def test_announced_for_another_file(make, log):
    """An unfinished write to a file that is gone harms no other."""
    handler = make()
    say(handler, "one")
    state = State(str(log.parent / ".app.log.state"), log.stat())
    state.announce(Write.of(log.stat().st_ino + 1, 0, LONG))
    append(log, LONG[:4096])
    other = make()
    say(other, "two")
    assert log.read_bytes() == b"one\n" + LONG[:4096] + b"two\n"
    assert state.unfinished() is None
    state.close()


def test_half_a_line_of_the_parent(make, log):
    """A child that was forked in the middle of its parent's write takes nothing from it."""
    handler = make()
    say(handler, "whole")
    with handler._held():
        append(log, announced(handler, LONG))  # the parent is so far
        child = os.fork()
        if not child:
            say(handler, "child")
            os._exit(handler.unwritten)
        assert os.waitpid(child, 0)[1] == 0
    assert log.read_bytes().startswith(b"whole\n" + LONG[:4000])
    assert log.read_bytes().endswith(b"child\n")


@pytest.mark.parametrize("rename", [1, 2, 3, 4])
def test_killed_in_a_rollover(make, log, monkeypatch, rename):
    """A process that dies before any one rename of a rollover leaves every line, once."""
    handler = make(maxBytes=20, backupCount=9)
    say(handler, "line number 1", "line number 2", "line number 3", "line number 4")

    class Killed(BaseException):
        pass

    real, calls = os.rename, []

    def dying(source, dest):
        calls.append(source)
        if len(calls) == rename:
            raise Killed
        real(source, dest)

    monkeypatch.setattr(os, "rename", dying)
    with pytest.raises(Killed):
        say(handler, "line number 5")
    monkeypatch.setattr(os, "rename", real)
    other = make(maxBytes=20, backupCount=9)
    say(other, "line number 6", "line number 7")
    assert sorted(everything(log)) == [f"line number {number}" for number in (1, 2, 3, 4, 6, 7)]
    assert other.unwritten == 0


def test_many_threads(make, log):
    """Threads on one handler, and on two handlers for one file, neither lose nor tear."""
    handlers = [make(maxBytes=4000, backupCount=999) for _ in range(2)]

    def write(index):
        for number in range(300):
            say(handlers[index % 2], f"t{index}-{number} {'x' * (number % 50 + 1)}.")

    threads = [threading.Thread(target=write, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers_by_writer(everything(log)) == {f"t{index}": list(range(300)) for index in range(6)}
    assert max(map(os.path.getsize, glob.glob(f"{log}*"))) <= 4000


def test_fork_while_logging(tmp_path):
    """Children forked while threads log share neither lock nor fate with their parent."""
    script = textwrap.dedent(
        """
        import logging, os, sys, threading
        from loghub.handlers.rotatingfile import RotatingFileHandler
        handler = RotatingFileHandler(sys.argv[1], maxBytes=5000, backupCount=999)
        logging.basicConfig(handlers=[handler], format="%(message)s", level=20)
        def write(name, count=300):
            for number in range(count):
                logging.info("%s-%d %s.", name, number, "x" * (number % 60 + 1))
        threads = [threading.Thread(target=write, args=(f"t{i}",)) for i in range(2)]
        for thread in threads: thread.start()
        children = []
        for i in range(6):
            pid = os.fork()
            if not pid:
                write(f"c{i}", 100)
                os._exit(0)
            children.append(pid)
            write(f"p{i}", 50)
        for thread in threads: thread.join()
        assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
        """
    )
    log = tmp_path / "app.log"
    subprocess.run([sys.executable, "-W", "ignore", "-c", script, str(log)], cwd=ROOT, check=True, timeout=60)
    expected = {f"t{index}": list(range(300)) for index in range(2)}
    expected |= {f"c{index}": list(range(100)) for index in range(6)}
    expected |= {f"p{index}": list(range(50)) for index in range(6)}
    assert numbers_by_writer(everything(log)) == expected
    assert max(map(os.path.getsize, glob.glob(f"{log}*"))) <= 5000


def test_idle_child_holds_no_lock(make, log):
    """A forked child that never logs does not keep the lock that its parent held when it forked."""
    handler = make()
    read_end, write_end = os.pipe()
    ready, say_ready = os.pipe()
    with handler._held():
        child = os.fork()
        if not child:
            os.close(write_end)
            os.write(say_ready, b"!")
            os.read(read_end, 1)  # until the parent closes its end
            os._exit(0)
        os.read(ready, 1)
        # As when the parent dies here: its descriptor goes, and nobody unlocks.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, handler._fd)
        os.close(nothing)
    other = os.open(log, os.O_WRONLY)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        for fd in (other, read_end, write_end, ready, say_ready):
            os.close(fd)
        os.waitpid(child, 0)


# As the standard library ------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 60), max_size=60),
    limit=st.integers(20, 120),
    count=st.integers(0, 4),
)
def test_same_files_as_the_standard_library(tmp_path_factory, sizes, limit, count):
    """Names and content of log and backups equal the standard library's, if no line is too long for a file."""
    folder = tmp_path_factory.mktemp("same")
    classes = {"stdlib": logging.handlers.RotatingFileHandler, "ours": RotatingFileHandler}
    files = {}
    for name, cls in classes.items():
        handler = cls(folder / name, maxBytes=limit, backupCount=count, encoding="utf-8")
        for number, size in enumerate(sizes):
            say(handler, f"{number} " + "y" * min(size, limit - 10))
        handler.close()
        files[name] = {path.name[len(name) :]: path.read_text() for path in folder.glob(f"{name}*")}
    assert files["ours"] == files["stdlib"]
    shutil.rmtree(folder)


def test_positional_arguments(log):
    """The positional order is the standard library's."""
    handler = RotatingFileHandler(str(log), "a", 100, 3, "latin-1", True, "replace")
    assert (handler.mode, handler.maxBytes, handler.backupCount) == ("a", 100, 3)
    assert (handler.encoding, handler.delay, handler.errors) == ("latin-1", True, "replace")
    assert handler.stream is None
    assert not log.exists()
    say(handler, "é€")
    handler.close()
    assert log.read_bytes() == b"\xe9?" + b"\n"
    assert isinstance(handler, logging.handlers.RotatingFileHandler)
    assert handler.stream is None


def test_namer_and_rotator(make, log):
    """`namer` and `rotator` are asked as the standard library asks them."""
    handler = make(maxBytes=10, backupCount=3)
    handler.namer = lambda name: name + ".old"

    def rotator(source, dest):
        Path(dest).write_text(Path(source).read_text().upper())
        os.remove(source)

    handler.rotator = rotator
    say(handler, "first", "second", "third")
    assert {name: read(log.parent / name) for name in backups(log)} == {
        "app.log": "third\n",
        "app.log.1.old": "SECOND\n",
        "app.log.2.old": "FIRST\n",
    }


def test_rotator_that_copies_and_truncates(make, log):
    """A rotator may leave the file in its place."""
    handler = make(maxBytes=10, backupCount=2)

    def rotator(source, dest):
        shutil.copy(source, dest)
        os.truncate(source, 0)

    handler.rotator = rotator
    say(handler, "first", "second", "third")
    assert (read(log), read(f"{log}.1"), read(f"{log}.2")) == ("third\n", "second\n", "first\n")


def test_rotator_that_fails(make, log, capsys):
    """A rotator that raises costs no line, and complains once."""
    handler = make(maxBytes=10, backupCount=2)
    handler.rotator = lambda source, dest: 1 / 0
    say(handler, "first", "second", "third")
    assert read(log) == "first\nsecond\nthird\n"
    assert capsys.readouterr().err.count("ZeroDivisionError") == 1
    handler.rotator = None
    say(handler, "fourth")
    assert read(log) == "fourth\n"


def test_rotator_that_logs(make, log):
    """A rotator that logs through the handler that called it neither hangs nor recurses."""
    handler = make(maxBytes=10, backupCount=9)

    def rotator(source, dest):
        say(handler, "before")
        os.rename(source, dest)
        say(handler, "after")

    handler.rotator = rotator
    say(handler, "first", "second")
    assert sorted(everything(log)) == ["after", "before", "first", "second"]


def test_subclass_decides(log):
    """A subclass's shouldRollover and doRollover are used, and may write a head line."""

    class Odd(RotatingFileHandler):
        def shouldRollover(self, record):
            return record.getMessage() == "roll"

        def doRollover(self):
            super().doRollover()
            self.stream.write("head\n")

    handler = Odd(log, backupCount=5)
    say(handler, "one", "two", "roll", "three")
    handler.close()
    assert read(f"{log}.1") == "one\ntwo\n"
    assert read(log) == "head\nroll\nthree\n"


def test_subclass_rolls_over_its_own_way(log):
    """A subclass's doRollover is called even where this class would keep no backups."""

    class Own(RotatingFileHandler):
        def doRollover(self):
            self.rotate(self.baseFilename, self.baseFilename + ".kept")

    handler = Own(log, maxBytes=10)
    say(handler, "first", "second")
    handler.close()
    assert (read(log), read(f"{log}.kept")) == ("second\n", "first\n")


def test_rollover_by_hand(make, log):
    """doRollover and shouldRollover can be called from outside."""
    handler = make(maxBytes=20, backupCount=2)
    say(handler, "one")
    record = logging.LogRecord("t", 20, "", 1, "x" * 30, None, None)
    assert handler.shouldRollover(record) is True
    handler.doRollover()
    assert handler.shouldRollover(record) is False  # never an empty file
    assert (read(log), read(f"{log}.1")) == ("", "one\n")


def test_rollover_by_hand_without_a_log(make, log):
    """doRollover with `delay`, before there is a log, makes no empty backup."""
    make(delay=True, backupCount=2).doRollover()
    assert not log.parent.exists()


def test_line_longer_than_a_file(make, log):
    """A line longer than maxBytes is alone in its file."""
    handler = make(maxBytes=50, backupCount=9)
    say(handler, "short", "x" * 100, "after")
    assert [read(f"{log}{suffix}") for suffix in (".2", ".1", "")] == ["short\n", "x" * 100 + "\n", "after\n"]


def test_no_backups_no_rollover(make, log):
    """With backupCount 0 the log just grows, as in the standard library."""
    handler = make(maxBytes=10)
    say(handler, "first", "second", "third")
    assert backups(log) == ["app.log"]


def test_truncating_mode(make, log):
    """Mode `w` empties the log when it is opened first, and never again."""
    log.parent.mkdir()
    log.write_text("old\n")
    handler = make(mode="w")
    say(handler, "one")
    log.rename(f"{log}.moved")
    log.write_text("other\n")
    say(handler, "two")
    assert read(log) == "other\ntwo\n"


def test_stream(make, log):
    """`stream` is a text file of the log, None when closed, and comes back after close."""
    handler = make()
    handler.stream.write("by hand\n")
    handler.flush()
    say(handler, "logged")
    assert isinstance(handler.stream, io.TextIOWrapper)
    handler.close()
    assert handler.stream is None
    say(handler, "afterwards")
    assert read(log) == "by hand\nlogged\nafterwards\n"


def test_stream_closed_by_others(make, log):
    """When somebody closes the stream, the next record opens the log again."""
    handler = make()
    say(handler, "one")
    handler.stream.close()
    say(handler, "two")
    assert read(log) == "one\ntwo\n"


def test_nothing_is_remembered(make):
    """After emit the handler holds no record."""
    handler = make(maxBytes=5, backupCount=1)
    say(handler, "one", "two")
    assert not any(isinstance(value, logging.LogRecord) for value in vars(handler).values())
    assert handler._pending == (None, b"")


@given(text=st.text(st.characters(exclude_characters="\n\r", exclude_categories=())))
@settings(max_examples=60, deadline=None)
def test_any_text(tmp_path_factory, text):
    """Any text, lone surrogates too, is written and never an error."""
    folder = tmp_path_factory.mktemp("text")
    handler = RotatingFileHandler(folder / "app.log", encoding="utf-8")
    handler.handleError = lambda record: pytest.fail("handleError was called")
    say(handler, text.replace("%", "%%"))
    handler.close()
    expected = text.replace("%", "%%").encode("utf-8", "backslashreplace") + b"\n"
    assert (folder / "app.log").read_bytes() == expected
    shutil.rmtree(folder)


def test_byte_order_mark(make, log):
    """An encoding with a byte order mark has it once, at the beginning of each file."""
    handler = make(encoding="utf-16", maxBytes=40, backupCount=3)
    say(handler, "first", "second", "third")
    texts = [path.read_bytes() for path in sorted(log.parent.glob("app.log*"))]
    assert len(texts) > 1
    for text in texts:
        assert text.decode("utf-16").endswith("\n")
        assert text.count("\ufeff".encode("utf-16")[:2]) == 1


def test_bad_arguments_of_a_record(make, capsys):
    """A record that cannot be formatted goes to handleError, as in the standard library."""
    handler = make()
    handler.handle(logging.LogRecord("t", 20, "", 1, "%d", ("x",), None))
    assert "--- Logging error ---" in capsys.readouterr().err
    assert handler.unwritten == 0


def test_not_a_file():
    """A device is written to, and never rolled over."""
    handler = RotatingFileHandler("/dev/null", maxBytes=10, backupCount=3, when="S")
    say(handler, "one two three four", "five")
    assert handler.unwritten == 0
    handler.close()
    assert not glob.glob("/dev/.null*") + glob.glob("/dev/null?*")


def test_without_locks(make, log, monkeypatch):
    """A file system that knows no locks is written all the same."""

    def no_locks(fd, operation):
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(lock, "flock", no_locks)
    handler = make(maxBytes=10, backupCount=3, compress="gzip")
    say(handler, "first", "second")
    handler.close()
    assert sorted(everything(log)) == ["first", "second"]
    assert backups(log) == ["app.log", "app.log.1.gz"]


@pytest.mark.parametrize("held", [0, 3, 10**9])
def test_lock_that_is_held(make, log, monkeypatch, held):
    """A lock that another process has is asked for some times, then waited for."""
    handler = make()
    asked, real = [], lock.flock

    def flock(fd, operation):
        asked.append(operation)
        if operation == lock.AT_ONCE and len(asked) <= held:
            raise BlockingIOError
        real(fd, operation)

    monkeypatch.setattr(lock, "flock", flock)
    say(handler, "one")
    assert read(log) == "one\n"
    assert asked.count(lock.EXCLUSIVE) == (held > 1000)
    assert asked[-1] == lock.FREE


def test_windows(tmp_path):
    """Without fcntl the module imports, and one process writes and rolls over."""
    script = textwrap.dedent(
        """
        import contextlib, gzip, logging, logging.handlers, os, shutil, subprocess, sys, threading
        from loghub import options
        real, sys.platform, sys.modules["fcntl"] = sys.platform, "win32", None
        from loghub.handlers.rotatingfile import RotatingFileHandler
        del os.pread, os.pwrite, os.fchmod
        handler = RotatingFileHandler(sys.argv[1], maxBytes=10, backupCount=3, when="H", mode_bits="0640")
        for message in ("first", "second"):
            handler.handle(logging.LogRecord("t", 20, "", 1, message, None, None))
        handler.close()
        """
    )
    log = tmp_path / "app.log"
    subprocess.run([sys.executable, "-c", script, str(log)], cwd=ROOT, check=True, timeout=60)
    assert sorted(everything(log)) == ["first", "second"]
    assert len(list(tmp_path.iterdir())) == 2


# By time ----------------------------------------------------------------------------------------


def test_by_time(make, log, clock):
    """At midnight the log becomes the backup of the day that ended; backupCount are kept."""
    handler = make(when="midnight", backupCount=2)
    for day in range(4):
        clock.now = NOON + day * DAY
        say(handler, f"day {day}")
    assert {name: read(log.parent / name) for name in backups(log)} == {
        "app.log": "day 3\n",
        "app.log.2026-01-02": "day 1\n",
        "app.log.2026-01-03": "day 2\n",
    }
    assert handler.rolloverAt == NOON + 3.5 * DAY


def test_by_time_and_size(make, log, clock):
    """What size rolls over within one period is numbered from the second on, and nothing is overwritten."""
    handler = make(when="midnight", maxBytes=12)
    say(handler, "first day 1", "first day 2", "first day 3")
    clock.now += DAY
    say(handler, "second day")
    clock.now += 60
    say(handler, "second again")
    assert {name: read(log.parent / name) for name in backups(log)} == {
        "app.log": "second again\n",
        "app.log.2026-01-01": "first day 1\n",
        "app.log.2026-01-01.1": "first day 2\n",
        "app.log.2026-01-01.2": "first day 3\n",
        "app.log.2026-01-02": "second day\n",
    }


def test_size_does_not_put_off_time(make, log, clock):
    """Rollovers by size within an hour leave the end of the hour where it was, whoever does them."""
    handlers = [make(when="h", maxBytes=20) for _ in range(2)]
    due_at = handlers[0].rolloverAt
    for minute in range(1, 59):
        clock.now = NOON + minute * 60
        say(handlers[minute % 2], f"minute {minute} {'.' * 9}")
    assert {handler.rolloverAt for handler in handlers} == {due_at}
    clock.now = due_at
    say(handlers[0], "next hour")
    assert read(log) == "next hour\n"
    assert handlers[0].rolloverAt == due_at + 3600
    say(handlers[1], "too")
    assert read(log) == "next hour\ntoo\n"


def test_time_once_for_all_processes(make, log, clock):
    """Of many handlers for one file one rolls over, and all go by its next time."""
    first = make(when="S", interval=10, backupCount=9)
    clock.now += 4
    second = make(when="S", interval=10, backupCount=9)
    say(first, "a")
    say(second, "b")
    clock.now += 7
    say(second, "c")
    say(first, "d")
    assert read(log) == "c\nd\n"
    assert first.rolloverAt == second.rolloverAt == NOON + 21
    assert backups(log) == ["app.log", "app.log.2026-01-01_12-00-00"]


def test_time_over_a_restart(make, log, clock):
    """Restarts within an hour do not put off its end, and a process that begins after it rolls over at once."""
    for minutes in (0, 25, 50):
        clock.now = NOON + minutes * 60
        handler = make(when="h")
        say(handler, f"after {minutes}")
        os.utime(log, (clock.now, clock.now))
        handler.close()
    clock.now = NOON + 65 * 60
    handler = make(when="h")
    say(handler, "next hour")
    assert read(log) == "next hour\n"
    assert read(f"{log}.2026-01-01_12") == "after 0\nafter 25\nafter 50\n"


def test_old_file_at_the_start(make, log, clock):
    """A file whose last line is of an earlier period is rolled over at the first record, as in the stdlib."""
    make(when="midnight").close()
    log.write_text("yesterday\n")
    os.utime(log, (NOON - DAY, NOON - DAY))
    say(make(when="midnight"), "today")
    assert (read(log), read(f"{log}.2025-12-31")) == ("today\n", "yesterday\n")


def test_idle_period(make, log, clock):
    """A log that is still empty when its period ends is not rolled over; the next period begins with a line."""
    handler = make(when="midnight")
    clock.now += 3 * DAY
    say(handler, "one")
    assert backups(log) == ["app.log"]
    clock.now += DAY
    say(handler, "two")
    assert backups(log) == ["app.log", "app.log.2026-01-04"]


def test_when_was_changed(make, log, clock):
    """A time of rollover that another `when` left behind does not hold."""
    make(when="W0").close()
    handler = make(when="S")
    say(handler, "one")
    clock.now += 2
    say(handler, "two")
    assert read(log) == "two\n"


def test_namer_with_dates(make, log, clock):
    """Backups that a namer renames are found again, and limited."""
    handler = make(when="midnight", backupCount=2, maxBytes=20)
    handler.namer = lambda name: name.replace("app.log.", "app-") + ".log"
    for day in range(4):
        clock.now = NOON + day * DAY
        say(handler, f"day {day} {'.' * 9}", f"day {day} again")
    assert backups(log) == ["app-2026-01-03.1.log", "app-2026-01-04.log", "app.log"]


@pytest.mark.parametrize("when", ["S", "M", "H", "D", "midnight", *(f"w{day}" for day in range(7))])
@pytest.mark.parametrize("utc", [True, False])
@pytest.mark.parametrize("at", [None, dt.time(3, 30, 5)])
def test_times_of_the_standard_library(make, clock, when, utc, at):
    """The first rollover is when TimedRotatingFileHandler has it."""
    randomness = random.Random(when)
    for _ in range(20):
        clock.now = NOON + randomness.randrange(400 * DAY)
        theirs = logging.handlers.TimedRotatingFileHandler(
            os.devnull + "-none", when=when, delay=True, utc=utc, atTime=at
        )
        ours = make(when=when, delay=True, utc=utc, atTime=at)
        assert ours.rolloverAt == theirs.rolloverAt


@pytest.mark.parametrize(
    ("now", "due", "suffix"),
    [
        ("2026-03-28 12:00", "2026-03-29 00:00", "2026-03-28"),  # before a day of 23 hours
        ("2026-03-29 12:00", "2026-03-30 00:00", "2026-03-29"),  # in it
        ("2026-10-25 12:00", "2026-10-26 00:00", "2026-10-25"),  # in a day of 25 hours
    ],
)
def test_daylight_saving(monkeypatch, now, due, suffix):
    """Midnight is midnight on the days that have 23 and 25 hours, and so is the date of the backup."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        schedule = Schedule("MIDNIGHT", 1, False, None)
        due_at = schedule.next(dt.datetime.fromisoformat(now).timestamp())
        assert due_at == dt.datetime.fromisoformat(due).timestamp()
        assert time.strftime("%Y-%m-%d", schedule.begin(due_at)) == suffix
    finally:
        monkeypatch.undo()
        time.tzset()


def test_hour_that_the_clock_shows_twice(monkeypatch):
    """In the second 02:15 of a night the next 02:30 is still to come, and after it the one of the next day."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        schedule = Schedule("MIDNIGHT", 1, False, dt.time(2, 30))
        again = dt.datetime(2026, 10, 25, 2, 15, fold=1).timestamp()
        assert schedule.next(again) == again + 15 * 60
        assert schedule.next(again + 15 * 60) == again + 15 * 60 + DAY
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("form", ["%Y%m%d", "%d-%m-%Y", "%j.%y", "%d_%b_%Y"])
def test_suffix_of_ones_own(make, log, clock, form):
    """Backups are named by the `suffix` that was set, found again by it, and the oldest go first."""
    handler = make(when="midnight", backupCount=3)
    handler.suffix = form
    log.with_name("app.log.other").write_text("not mine\n")
    for day in (20, 21, 22, 23, 24, 25, 40, 41):
        clock.now = NOON + day * DAY
        say(handler, f"day {day}")
    kept = [time.strftime(form, time.gmtime(NOON + day * DAY)) for day in (24, 25, 40)]
    assert backups(log) == sorted(["app.log", "app.log.other", *(f"app.log.{date}" for date in kept)])


def test_subclass_decides_on_time_and_retention(log, clock):
    """A subclass's computeRollover and getFilesToDelete are used, as the standard library uses them."""

    class Own(RotatingFileHandler):
        def computeRollover(self, currentTime):
            return currentTime + 7

        def getFilesToDelete(self):
            return [path for path in super().getFilesToDelete() if not path.endswith("06")]

    handler = Own(log, when="S", backupCount=1)
    for _ in range(4):
        say(handler, "line")
        clock.now += 7
    handler.close()
    assert backups(log) == ["app.log", "app.log.2026-01-01_12-00-06", "app.log.2026-01-01_12-00-20"]


def test_every_second_day(make, clock):
    """`interval` counts days and weeks too."""
    assert make(when="midnight", interval=2, delay=True).rolloverAt == NOON + 1.5 * DAY
    assert make(when="W0", interval=2, delay=True).rolloverAt == NOON + 11.5 * DAY


# Compression and limits -------------------------------------------------------------------------


def test_gzip(make, log):
    """Backups are compressed in the background, keep their order and their age, and stay whole."""
    handler = make(maxBytes=1000, backupCount=50, compress="gzip")
    lines = [f"line {number:04} {'x' * 80}" for number in range(200)]
    say(handler, *lines)
    handler.close()
    names = backups(log)
    count = len(names) - 1
    assert names == sorted(["app.log", *(f"app.log.{number}.gz" for number in range(1, count + 1))])
    oldest_first = [f"{log}.{number}.gz" for number in range(count, 0, -1)] + [log]
    assert [line for path in oldest_first for line in read(path).splitlines()] == lines
    assert not list(log.parent.glob(".*part"))


def test_gzip_by_many_processes(log):
    """Processes that compress the same backups lose and double nothing."""
    options = {"maxBytes": 20_000, "backupCount": 999, "compress": "gzip"}
    writers = [start(log, f"w{index}", 800, **options) for index in range(3)]
    for writer in writers:
        writer.communicate()
    last = RotatingFileHandler(log, **options)
    last.close()
    assert numbers_by_writer(everything(log)) == {f"w{index}": list(range(800)) for index in range(3)}
    assert [path for path in glob.glob(f"{log}.*") if not path.endswith(".gz")] == []


def test_gzip_cut_off(make, log):
    """What a killed process left half compressed, or compressed and not removed, is put right."""
    log.parent.mkdir()
    log.with_name("app.log.1").write_text("one\n")
    log.with_name("app.log.2").write_text("two\n")
    log.with_name("app.log.2.gz").write_bytes(gzip.compress(b"two\n"))
    for path in log.parent.glob("app.log.2*"):
        os.utime(path, (NOON, NOON))
    log.with_name(".app.log.gz.part").write_bytes(b"half")
    make(maxBytes=10, backupCount=5, compress="gzip").close()
    assert backups(log) == ["app.log", "app.log.1.gz", "app.log.2.gz"]
    assert sorted(everything(log)) == ["one", "two"]
    assert not list(log.parent.glob(".*part"))


def test_gzip_of_somebody_else(make, log):
    """A compressed file in the place of a backup, of which it is not the compressed form, stays; so does the backup."""
    log.parent.mkdir()
    log.with_name("app.log.1").write_text("ours\n")
    log.with_name("app.log.1.gz").write_bytes(gzip.compress(b"theirs\n"))
    os.utime(log.with_name("app.log.1.gz"), (NOON, NOON))
    handler = make(maxBytes=10, backupCount=5, compress="gzip")
    say(handler, "line one", "line two", "line three")
    handler.close()
    assert sorted(everything(log)) == ["line one", "line three", "line two", "ours", "theirs"]


def test_thousands_of_backups_allowed(make, log, monkeypatch):
    """A backupCount without end costs no more than the backups that there are."""
    asked = []
    real = names.stat_at
    monkeypatch.setattr(names, "stat_at", lambda path: asked.append(path) or real(path))
    handler = make(maxBytes=10, backupCount=10**9, compress="gzip")
    say(handler, "line one", "line two", "line three")
    handler.close()
    assert sorted(everything(log)) == ["line one", "line three", "line two"]
    assert len(asked) < 5000


def test_gzip_with_dates(make, log, clock):
    """Dated backups are compressed, and their numbers go on after those that are."""
    handler = make(when="midnight", maxBytes=12, compress="gzip")
    for message in ("one.......", "two.......", "three.....", "four......"):
        say(handler, message)
        handler._background.wait(10)
    handler.close()
    assert {name: read(log.parent / name) for name in backups(log)} == {
        "app.log": "four......\n",
        "app.log.2026-01-01.1.gz": "two.......\n",
        "app.log.2026-01-01.2.gz": "three.....\n",
        "app.log.2026-01-01.gz": "one.......\n",
    }


def test_gzip_on_a_full_disk(make, log, monkeypatch, caplog):
    """A backup that cannot be compressed stays, and that is said."""

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(compression.shutil, "copyfileobj", full)
    handler = make(maxBytes=10, backupCount=3, compress="gzip")
    say(handler, "first", "second")
    handler.close()
    assert (read(log), read(f"{log}.1")) == ("second\n", "first\n")
    assert "Error reporter" in caplog.text
    assert "No space left" in caplog.text


def test_age_limit(make, log, clock):
    """Backups whose last line is older than max_age_days go at a rollover, whatever their number."""
    handler = make(maxBytes=10, max_age_days=7)
    for number in range(4):
        say(handler, f"line {number}")
    for number, days in ((1, 1), (2, 6), (3, 8)):
        os.utime(f"{log}.{number}", (NOON - days * DAY,) * 2)
    os.utime(log, (NOON, NOON))
    say(handler, "line 4")
    assert backups(log) == ["app.log", "app.log.1", "app.log.2", "app.log.3"]
    assert read(f"{log}.3") == "line 1\n"


def test_total_limit(make, log):
    """Log and backups together stay within max_total_bytes; the oldest go."""
    handler = make(maxBytes=100, max_total_bytes=450)
    for number in range(200):
        say(handler, f"line {number:03} {'x' * 20}")
        assert sum(path.stat().st_size for path in log.parent.glob("app.log*")) <= 450
    assert len(backups(log)) == 4
    assert "line 199" in read(log)


def test_limits_at_the_start(make, log, clock):
    """Limits hold when the log is opened, without a rollover."""
    log.parent.mkdir()
    for number in (1, 2, 3):
        path = log.with_name(f"app.log.{number}")
        path.write_text("old\n")
        os.utime(path, (NOON - number * DAY,) * 2)
    make(maxBytes=100, max_age_days="2.5")
    assert backups(log) == ["app.log", "app.log.1", "app.log.2"]


def test_permissions(make, log):
    """Every file has the permissions that were asked for, whatever the umask and however it came to be."""
    before = os.umask(0o077)
    try:
        handler = make(maxBytes=10, backupCount=3, compress="gzip", mode_bits="0640")
        say(handler, "first", "second", "third")
        handler.close()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in log.parent.iterdir()}
    assert set(modes.values()) == {0o640}
    assert {"app.log", "app.log.1.gz", "app.log.2.gz"} < set(modes)


def test_permissions_of_the_state(make, log):
    """Whoever may write the log may write what stands beside it, too."""
    log.parent.mkdir()
    log.touch()
    log.chmod(0o662)
    say(make(), "one")
    assert stat.S_IMODE((log.parent / ".app.log.state").stat().st_mode) == 0o662


# What befalls a file ----------------------------------------------------------------------------


def moved(log):
    """Move it away, as logrotate does."""
    log.rename(log.with_name("moved"))


def moved_and_made(log):
    """Move it away and make a new one, as logrotate with `create`."""
    log.rename(log.with_name("moved"))
    log.touch()


def deleted(log):
    """Delete it."""
    log.unlink()


def replaced(log):
    """Put another file in its place."""
    log.with_name("new").touch()
    log.with_name("new").rename(log)


def folder_deleted(log):
    """Delete its folder."""
    shutil.rmtree(log.parent)


def folder_moved(log):
    """Move its folder away."""
    log.parent.rename(log.parent.with_name("moved"))


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("befalls", [moved, moved_and_made, deleted, replaced, folder_deleted, folder_moved])
def test_outside_change(make, log, monkeypatch, befalls, settled):
    """The very next line after an outside change is in the file at the path, also when all was quiet before."""
    now = [0.0]
    monkeypatch.setattr(folder, "monotonic", lambda: now[0])
    handler = make(maxBytes=1000, backupCount=2)
    say(handler, "one")
    if settled:
        time.sleep(0.03)  # two ticks of the clock of the file system
        now[0] += 5
        say(handler, "two")
        assert handler._folder.quiet_until > now[0]
        monkeypatch.setattr(handler, "_find", pytest.fail)
        say(handler, "three")
        monkeypatch.undo()
        monkeypatch.setattr(folder, "monotonic", lambda: now[0])
    befalls(log)
    say(handler, "after")
    assert read(log) == "after\n"
    assert handler.unwritten == 0


def test_truncated_outside(make, log):
    """After ``copytruncate`` lines go on at the beginning of the file."""
    handler = make(maxBytes=1000, backupCount=2)
    say(handler, "one")
    os.truncate(log, 0)
    say(handler, "two")
    assert read(log) == "two\n"


def test_full_disk(tmp_path):
    """On a full disk nothing raises, no half line stays, and what is missing is said when there is room."""
    script = textwrap.dedent(
        """
        import logging, os, resource, signal, sys
        from loghub.handlers.rotatingfile import RotatingFileHandler
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        handler = RotatingFileHandler(sys.argv[1])
        logging.basicConfig(handlers=[handler], format="%(message)s", level=20)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        for number in range(30):
            logging.info("w-%d %s.", number, "x" * 60)
        print(handler.unwritten)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        logging.info("w-30 x.")
        print(handler.unwritten)
        """
    )
    log = tmp_path / "app.log"
    done = subprocess.run(
        [sys.executable, "-c", script, str(log)],
        cwd=ROOT,
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    )
    *lines, notice = log.read_text().splitlines()
    written = numbers_by_writer(lines)["w"]
    assert written == [*range(15), 30]
    assert done.stdout.split() == ["15", "0"]
    assert "Error reporter: 15 record" in notice
    assert "File too large" in notice
    assert done.stderr.count("--- Logging error ---") == 1


def test_full_disk_at_the_end(make, log, monkeypatch):
    """What is missing is said by close at the latest."""
    handler = make()
    real = os.write
    monkeypatch.setattr(handler, "handleError", lambda record: None)

    def full(fd, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    say(handler, "lost", "lost too")
    assert handler.unwritten == 2
    monkeypatch.setattr(os, "write", real)
    handler.close()
    assert read(log).startswith("Error reporter: 2 record(s) are missing here")


@given(limits=st.lists(st.integers(1, 7), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_short_writes(tmp_path_factory, limits):
    """A write that the system takes in pieces is still one whole line."""
    folder = tmp_path_factory.mktemp("short")
    handler = RotatingFileHandler(folder / "app.log")
    real, pieces = os.write, iter(limits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[: next(pieces, None)]))
        say(handler, "a line that is long enough", "another")
    handler.close()
    assert read(folder / "app.log") == "a line that is long enough\nanother\n"
    shutil.rmtree(folder)


def test_disk_full_in_the_middle_of_a_line(make, log, monkeypatch):
    """The half of a line that still fitted is taken back."""
    handler = make()
    monkeypatch.setattr(handler, "handleError", lambda record: None)
    say(handler, "whole")
    real, calls = os.write, []

    def full(fd, data):
        calls.append(data)
        if len(calls) % 2 == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data[:3])

    monkeypatch.setattr(os, "write", full)
    say(handler, "half of it")
    monkeypatch.setattr(os, "write", real)
    assert read(log) == "whole\n"
    assert handler.unwritten == 1


def test_directory_that_cannot_be_made(make, tmp_path, capsys):
    """A directory that cannot be made is one sentence at construction, with `delay` at the first record."""
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "app.log"
    with pytest.raises(OSError, match="RotatingFileHandler cannot open its log") as caught:
        make(path)
    assert str(path.parent) in str(caught.value)
    handler = make(path, delay=True)
    say(handler, "one", "two")
    assert capsys.readouterr().err.count("--- Logging error ---") == 1
    assert handler.unwritten == 2
    (tmp_path / "file").unlink()
    say(handler, "three")
    assert "three\nError reporter: 2 record" in read(path)


# Options ----------------------------------------------------------------------------------------


def test_dict_config(log):
    """dictConfig makes it with every option, as YAML gives them."""
    options = {
        "filename": str(log),
        "mode": "a",
        "maxBytes": "1000",
        "backupCount": 3,
        "encoding": "utf-8",
        "delay": "no",
        "errors": "backslashreplace",
        "when": "W6",
        "interval": 2,
        "utc": True,
        "atTime": "03:30",
        "compress": "gzip",
        "max_age_days": 30,
        "max_total_bytes": 10_000,
        "mode_bits": 0o600,
        "scrub": True,
    }
    handler = {"class": "loghub.handlers.rotatingfile.RotatingFileHandler", "formatter": "f", **options}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"f": {"format": "%(levelname)s %(message)s"}},
            "handlers": {"file": handler},
            "loggers": {"configured": {"handlers": ["file"], "level": "INFO", "propagate": False}},
        }
    )
    logger = logging.getLogger("configured")
    logger.info("login with password=hunter2hunter2")
    logger.handlers.pop().close()
    assert read(log).startswith("INFO login")
    assert "hunter2" not in read(log)


@pytest.mark.parametrize(
    ("options", "attributes"),
    [
        ({"maxBytes": 1000, "backupCount": 3, "mode": "a", "delay": True, "encoding": "utf8"}, {"maxBytes": 1000}),
        ({"when": "midnight", "interval": 1, "backupCount": 14, "utc": True}, {"when": "MIDNIGHT", "interval": DAY}),
        ({"when": "d", "backupCount": 0, "delay": False, "encoding": None, "errors": None}, {"when": "D"}),
        ({"when": "w0", "atTime": dt.time(3)}, {"when": "W0", "dayOfWeek": 0, "suffix": "%Y-%m-%d"}),
    ],
)
def test_dict_config_of_the_standard_library(log, options, attributes):
    """A configuration for the standard library's handlers works with the name of the class changed, nothing else."""
    theirs = "TimedRotatingFileHandler" if "when" in options else "RotatingFileHandler"
    for name in (f"logging.handlers.{theirs}", "loghub.RotatingFileHandler"):
        log.parent.mkdir(exist_ok=True)
        handler = {"class": name, "filename": str(log), "level": "DEBUG", **options}
        config = {"handlers": {"file": handler}, "loggers": {"configured": {"handlers": ["file"]}}}
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, **config})
        logger = logging.getLogger("configured")
        logger.error("by %s", name)
        (made,) = logger.handlers
        assert {key: getattr(made, key) for key in attributes} == attributes
        assert (made.backupCount, made.delay) == (options.get("backupCount", 0), options.get("delay", False))
        logger.removeHandler(made)
        made.close()
    assert read(log) == f"by logging.handlers.{theirs}\nby loghub.RotatingFileHandler\n"


def test_file_config_of_the_standard_library(log, tmp_path):
    """So does an INI file, with positional arguments."""
    ini = tmp_path / "logging.ini"
    ini.write_text(
        "[loggers]\nkeys=root,configured\n[handlers]\nkeys=file\n[formatters]\nkeys=\n"
        "[logger_root]\nhandlers=\n"
        "[logger_configured]\nqualname=configured\nhandlers=file\npropagate=0\n"
        f"[handler_file]\nclass=loghub.RotatingFileHandler\nargs=({str(log)!r}, 'a', 10, 3, 'utf-8', True)\n"
    )
    root = logging.getLogger()
    before = root.handlers[:]
    logging.config.fileConfig(ini, disable_existing_loggers=False)
    logger = logging.getLogger("configured")
    for message in ("first", "second"):
        logger.error(message)
    logger.handlers.pop().close()
    root.handlers[:] = before
    assert (read(log), read(f"{log}.1")) == ("second\n", "first\n")


def test_scrub_of_the_filter(log):
    """With scrub, what an EventFilter of the handler's names is hidden, too; and loghub's own token."""
    handler = RotatingFileHandler(log, scrub=True)
    logger = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    logger.addHandler(handler)
    hide("0123-a-token-without-any-shape")
    logger.error("acme_id=77-xy-88 and 0123-a-token-without-any-shape")
    handler.addFilter(filters.EventFilter(scrub=["acme_id"]))
    logger.error("acme_id=77-xy-88 again")
    handler.close()
    assert read(log) == "acme_id=77-xy-88 and [Filtered]\nacme_id=[Filtered] again\n"


def test_scrub_of_what_is_told(log):
    """With scrub, what stands under a secret name in a record's arguments or extra is gone from its line, too."""
    handler = RotatingFileHandler(log, scrub=True)
    lines = RotatingFileHandler(log.with_name("lines.log"), scrub=True)
    lines.setFormatter(JsonFormatter())
    logger = logging.Logger("shop")  # noqa: LOG001 - one that no other test sees
    logger.addHandler(handler)
    logger.addHandler(lines)
    secret = 'Zq7 pLm2"Vx9Kt'
    logger.error("login %(user)s with %(password)s", {"user": "bob", "password": secret})
    logger.error("login failed for %s with %s", "bob", secret, extra={"password": secret, "user": "bob"})
    logger.error("sent %s", secret, extra={"request": {"headers": {"X-Api-Key": secret.encode()}}})
    logger.error("login %(user)s", {"user": "bob"}, extra={"port": 25})
    handler.close()
    lines.close()
    for text in (read(log), read(lines.baseFilename)):
        assert "pLm2" not in text
        assert "login bob with [Filtered]" in text
        assert "login failed for bob with [Filtered]" in text
        assert "login bob" in text.splitlines()[-1]


def test_unknown_option(log):
    """An unknown option names the nearest one."""
    with pytest.raises(UnknownOptionError, match="'max_bytes'; did you mean 'maxBytes'"):
        RotatingFileHandler(log, max_bytes=3)
    assert not log.parent.exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("filename", ""),
        ("filename", 3),
        ("mode", "r"),
        ("maxBytes", "10MB"),
        ("maxBytes", -1),
        ("backupCount", 1.5),
        ("encoding", "utf-99"),
        ("errors", "shrug"),
        ("delay", "perhaps"),
        ("when", "fortnight"),
        ("when", "W7"),
        ("interval", 0),
        ("utc", "perhaps"),
        ("atTime", 12600),
        ("atTime", "25:00"),
        ("compress", "zip"),
        ("max_age_days", "week"),
        ("max_total_bytes", -5),
        ("mode_bits", 640),
        ("mode_bits", "rw-r-----"),
        ("mode_bits", "0040"),
        ("scrub", "perhaps"),
    ],
)
def test_malformed_value(log, option, value):
    """A malformed value is refused by name, with what is right, and leaves no file behind."""
    with pytest.raises(OptionValueError, match=f"RotatingFileHandler: option {option!r} cannot be") as caught:
        RotatingFileHandler(**{"filename": str(log), option: value})
    assert "it must be" in str(caught.value)
    assert not log.parent.exists()


@pytest.mark.parametrize("value", [None, "none"])
def test_no_compression(make, value):
    """`none` in YAML is a text."""
    assert make(compress=value)._background is None


# Beside reporting handlers ------------------------------------------------------------------------------------


def bug(depth, text="v"):
    """Fail some frames down."""
    if depth:
        bug(depth - 1, text)
    raise ValueError(text)


@pytest.fixture
def both(make, tmp_path):
    """Return a logger with a reporting handler and two logs, and the logs' handlers."""
    reporter = JSONDetailHandler(home=str(tmp_path / "home"), directory=str(tmp_path / "errors"))
    logger = logging.Logger("shop")  # noqa: LOG001 - alone, without a root
    logs = make(tmp_path / "one.log"), make(tmp_path / "other.log")
    for handler in (reporter, *logs):
        logger.addHandler(handler)
    yield logger, *logs
    reporter.close()


@pytest.mark.parametrize("depth", [0, 3])
def test_filter_that_takes_frames_away(both, depth):
    """What a handler's filter puts into the record is what its log shows, and no other log remembers it."""
    logger, one, other = both
    whole = []

    def inner(record):
        kind, error, tb = record.exc_info
        whole.append(record.exc_info)
        record.exc_info = (kind, error, tb.tb_next or tb)
        record.exc_text = None
        return True

    def restore(record):
        record.exc_info = whole[-1] if whole else record.exc_info
        record.exc_text = None
        return True

    for times in range(30):
        if times == 10:
            one.addFilter(inner)
            other.addFilter(restore)
        if times == 20:
            one.removeFilter(inner)
            other.removeFilter(restore)
        try:
            bug(depth)
        except ValueError:
            logger.exception("failed %d", times)
    frames = [read(handler.baseFilename).split("failed ")[1:] for handler in (one, other)]
    counts = [[entry.count("  File ") for entry in entries] for entries in frames]
    all_of_them = min(depth, 3) + 2
    assert counts[0] == [all_of_them] * 10 + [all_of_them - 1] * 10 + [all_of_them] * 10
    assert counts[1] == [all_of_them] * 30


def test_exc_text_is_taken_back(both, monkeypatch):
    """Where a record cannot be formatted, the next handler finds it as the standard library would have left it."""
    logger, one, _ = both
    monkeypatch.setattr(logging, "raiseExceptions", False)
    left = []
    logger.handlers.insert(logger.handlers.index(one) + 1, logging.NullHandler())
    logger.handlers[2].handle = lambda record: left.append(record.exc_text)
    for _ in range(2):
        try:
            bug(1)
        except ValueError:
            logger.exception("failed %d", "x")
    assert left == [None, None]
