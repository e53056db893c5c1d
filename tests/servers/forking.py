"""A program that has children in one way or another, which all log: ``python forking.py WAY METHOD``.

It goes on until it is killed, or told to end by SIGTERM.
"""

from __future__ import annotations

import concurrent.futures
import logging.config
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

from tests.servers.bugs import NAMES, config, log_one

CHILDREN, CALLS = 3, 20
ending = threading.Event()


def configure():
    """Apply the configuration."""
    logging.config.dictConfig(config())


def work(number, *, configured):
    """Log, in a child."""
    if not configured:
        configure()
    for call in range(number, number + CALLS):
        log_one(NAMES[call % len(NAMES)])


def process(context, configured):
    """Start processes one after the other."""
    children = [context.Process(target=work, args=(n,), kwargs={"configured": configured}) for n in range(CHILDREN)]
    for child in children:
        child.start()
    for child in children:
        child.join()


def pool(context, configured):
    """Have a pool whose workers are replaced after ten tasks."""
    given = {} if configured else {"initializer": configure}
    with context.Pool(CHILDREN, maxtasksperchild=10, **given) as workers:
        while not ending.is_set():
            workers.map(log_one, NAMES * 4)
        workers.close()
        workers.join()


def executor(context, configured):
    """Have a pool of concurrent.futures."""
    given = {} if configured else {"initializer": configure}
    with concurrent.futures.ProcessPoolExecutor(CHILDREN, mp_context=context, **given) as workers:
        while not ending.is_set():
            list(workers.map(log_one, NAMES * 4))


def fork(threads):
    """Fork in the midst of what other threads log; the child has threads of its own."""
    del threads

    def log_on():
        number = 0
        while not ending.is_set():
            log_one(NAMES[number % len(NAMES)])
            number += 1
            ending.wait(0.001)

    def fork_on():
        while not ending.is_set():
            children = [fork_one(number) for number in range(2)]
            for child in children:
                os.waitpid(child, 0)

    together(*[log_on] * 3, *[fork_on] * 2)


def fork_one(number):
    """Fork a child that logs in two threads and ends without a goodbye."""
    pid = os.fork()
    if pid == 0:
        together(*[lambda: work(number, configured=True)] * 2)
        os._exit(0)
    return pid


def spawn(how):
    """Start other programs that share the home, from several threads."""
    command = [sys.executable, __file__, "child"]

    def with_subprocess():
        while not ending.is_set():
            subprocess.run(command, check=False)

    def with_posix_spawn():
        while not ending.is_set():
            os.waitpid(os.posix_spawn(sys.executable, command, os.environ), 0)

    configure()
    together(*[{"subprocess": with_subprocess, "posix_spawn": with_posix_spawn}[how]] * 2)


def together(*functions):
    """Run functions in threads."""
    threads = [threading.Thread(target=one) for one in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def end(*_):
    """End when what is under way is over; children that inherit this go on to their own ends."""
    ending.set()


def main(way, method=""):
    """Do it."""
    signal.signal(signal.SIGTERM, end)
    if way == "child":
        work(os.getpid(), configured=False)
        return
    if way == "spawn":
        spawn(method)
        return
    configured = method.startswith("fork ") or way == "fork"
    if configured:
        configure()
    if way == "fork":
        fork(method)
        return
    context = multiprocessing.get_context(method.split()[0])
    if way == "process":
        while not ending.is_set():
            process(context, configured)
    else:
        {"pool": pool, "executor": executor}[way](context, configured)


if __name__ == "__main__":
    main(*sys.argv[1:])
