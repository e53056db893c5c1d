"""Logs that are moved, deleted, truncated, and disks that are full."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import textwrap
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub.handlers.rotatingfile import RotatingFileHandler
from loghub.rollover import folder
from tests import processes
from tests.handlers.rotating.lines import (
    ROOT,
    numbers_by_writer,
    read,
    say,
)


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


@pytest.mark.shows("disk full", "application unharmed", "said")
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


@pytest.mark.parametrize("way", ["", "fork", "daemon"])
@pytest.mark.parametrize("pause", [0, 0.3])
def test_descriptors_closed_under_us(tmp_path, way, pause):
    """Where a daemon closed all descriptors the log goes on, and no file of the application's is written or closed."""
    script = """
    import logging, os, sys, time, loghub
    folder, way, pause = sys.argv[1:]
    log = loghub.RotatingFileHandler(folder + "/app.log", maxBytes=100_000, backupCount=3)
    logging.getLogger().addHandler(log)
    logging.error("first")
    time.sleep(float(pause))  # the folder is quiet by then, and not asked
    logging.error("second")
    if way and os.fork():
        os.wait()
        os._exit(0)
    os.closerange(3, 100)
    theirs = [os.open(f"{folder}/{n}", os.O_RDWR | os.O_CREAT) for n in range(10)]
    if way == "daemon" and os.fork():
        os.wait()
        os._exit(0)
    logging.error("third")
    logging.error("fourth")
    assert [os.fstat(one).st_size for one in theirs] == [0] * 10
    os.closerange(3, 100)
    theirs = [os.open(f"{folder}/{n}", os.O_RDWR | os.O_CREAT) for n in range(10)]
    logging.shutdown()
    assert [os.fstat(one).st_size for one in theirs] == [0] * 10
    """
    _, err = processes.run(script, tmp_path, way, pause)
    assert err == ""
    assert (tmp_path / "app.log").read_text().split() == ["first", "second", "third", "fourth"]
