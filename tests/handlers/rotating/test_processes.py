"""Many processes and threads write one log."""

from __future__ import annotations

import fcntl
import glob
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from tests.handlers.rotating.lines import (
    LINE,
    ROOT,
    everything,
    numbers_by_writer,
    read,
    say,
    start,
)


@pytest.mark.slow
@pytest.mark.shows("many processes", "nothing lost", "nothing twice", "bounded")
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
