"""A daemon: it leaves its terminal by two forks and closes all descriptors, in one order or another.

Files of its own get the numbers of those that it closed; at the end it says in ``files`` whether they are as they were.
"""

from __future__ import annotations

import logging.config
import os
import sys
import threading
import time

from loghub.delivery import deliverer
from tests.servers.bugs import NAMES, config, log_one

FILES = 20


def log_all():
    """Log each bug ten times, in two threads."""

    def log_half():
        for _ in range(5):
            for bug in NAMES:
                log_one(bug)

    threads = [threading.Thread(target=log_half) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def fork():
    """Go on in a child."""
    if os.fork():
        os._exit(0)


def wait():
    """Wait until the delivery thread rests: nobody can close what another thread is using, and not spoil it."""
    while not (thread := deliverer.current) or not thread.idle:
        time.sleep(0.01)


def close_all():
    """Close all descriptors but the standard ones, and open files of the daemon's own."""
    os.closerange(3, 256)
    for number in range(FILES):
        fd = os.open(f"theirs{number}", os.O_RDWR | os.O_CREAT)
        os.write(fd, b"theirs")
        theirs.append(fd)


theirs: list[int] = []
STEPS = {"f": fork, "s": os.setsid, "c": close_all, "l": log_all, "w": wait}


def main(steps):
    """Log, do the steps, log and end."""
    logging.config.dictConfig(config())
    log_all()
    for step in steps:
        STEPS[step]()
    log_all()
    logging.shutdown()
    same = [os.pread(fd, 100, 0) == b"theirs" for fd in theirs] == [True] * FILES
    with open("files", "w", encoding="utf-8") as file:
        file.write("as they were" if same else "spoiled")


if __name__ == "__main__":
    main(*sys.argv[1:])
