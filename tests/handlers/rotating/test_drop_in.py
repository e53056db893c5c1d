"""What RotatingFileHandler does as the standard library's."""

from __future__ import annotations

import errno
import glob
import io
import logging
import logging.handlers
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub.handlers.rotatingfile import RotatingFileHandler
from loghub.rollover import lock
from tests.handlers.rotating.lines import (
    ROOT,
    backups,
    everything,
    read,
    say,
)


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
