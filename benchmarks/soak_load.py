"""One of the soak's processes: an application with bugs, which logs at a steady rate and keeps an account of it.

    python benchmarks/soak_load.py FOLDER NAME RATE

It has a main thread, a second one, a third with an event loop and its tasks, and threads that come and end. The account
is a file that survives the process: for each bug how often a call began, and how often one returned. Where both are
equal no call is under way, and whoever stops the process then knows exactly what it has logged.
"""

import asyncio
import itertools
import logging
import logging.config
import mmap
import os
import random
import string
import sys
import threading
import time
from pathlib import Path

BUGS = 100
THREADS = BUGS
"""Under this number stand the exceptions that end a thread."""
LINES = BUGS + 1
"""Under this number stand the main thread's lines below ERROR."""
ERRORS_PER_RECORD = 0.25
WARNINGS_PER_LINE = 0.15
SHAPES = 5
"""In so many ways errors are logged; a bug's number says which is its."""

_HEAD = '''"""A shop that sells nothing."""


def mend(event, path):
    """A procedure of recovery: note that it ran."""
    with open(path, "a") as file:
        file.write(event["error_type"] + "\\n")
    return True


class StaleBasket(Exception):
    """What that procedure is for."""


def enter(depth, bug, order):
    """Some frames between the one that catches and the one that fails."""
    return bug(order) if depth == 0 else enter(depth - 1, bug, order)


def end_thread(order):
    """Nobody catches what this raises."""
    raise RuntimeError(f"nobody waits for order {order}")
'''

_FAILS = (
    '    raise ValueError(f"order {order} cannot be charged: NAME")',
    '    try:\n        {}[order]\n    except KeyError as error:\n        raise LookupError("no price NAME") from error',
    '    try:\n        [].index(order)\n    except ValueError:\n        raise StaleBasket(f"basket {order} NAME")',
    '    raise ExceptionGroup(f"NAME: {order}", [OSError(f"no answer {order}"), ValueError("no price")])',
)


def name_of(bug):
    """Return a bug's name: letters, since digits in names may be taken for what changes from run to run."""
    return "".join(string.ascii_lowercase[bug // 26**place % 26] for place in (3, 2, 1, 0))


def write_application(folder):
    """Write the module with all bugs."""
    parts = [_HEAD]
    for bug in range(BUGS):
        name, shape = name_of(bug), bug % SHAPES
        if shape == len(_FAILS):  # an error without an exception
            body = f'    log.error("no stock for order %d: {name}", order, extra=extra)'
        else:
            fails = _FAILS[shape].replace("NAME", name)
            parts.append(f"\n\ndef fail_{name}(order):\n{fails}\n")
            body = (
                f"    try:\n        enter({bug % 7}, fail_{name}, order)\n"
                f'    except Exception:\n        log.exception("order %d failed", order, extra=extra)'
            )
        parts.append(f"\n\ndef bug_{name}(log, order, extra):\n{body}\n")
    Path(folder, "soak_shop.py").write_text("".join(parts), encoding="utf-8")


class Numbers:
    """Numbers in a file, which other processes see at once."""

    def __init__(self, path, size):
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(fd, 8 * size)
        self.map = mmap.mmap(fd, 8 * size)
        os.close(fd)
        self.numbers = memoryview(self.map).cast("Q")


class Account(Numbers):
    """What a process has logged, over all its lives."""

    def __init__(self, path):
        super().__init__(path, 2 * (BUGS + 2))
        self._lock = threading.Lock()

    def begin(self, what):
        """Note that a call begins."""
        with self._lock:
            self.numbers[2 * what] += 1
            return self.numbers[2 * what]

    def end(self, what):
        """Note that a call has returned."""
        with self._lock:
            self.numbers[2 * what + 1] += 1

    @property
    def is_settled(self):
        """Whether no call is under way."""
        return self.numbers[::2].tolist() == self.numbers[1::2].tolist()

    def counts(self):
        """Return how often each bug was logged; then threads that ended, then numbered lines."""
        return self.numbers[1::2].tolist()


class Control(Numbers):
    """What the soak tells its processes: how many bugs there are by now, and whether to end."""

    def __init__(self, path):
        super().__init__(path, 2)

    @property
    def bugs(self):
        """How many bugs there are by now."""
        return self.numbers[0]

    @bugs.setter
    def bugs(self, number):
        self.numbers[0] = number

    @property
    def is_over(self):
        """Whether the processes are to end."""
        return self.numbers[1] > 0

    def end(self):
        """Have the processes end."""
        self.numbers[1] = 1


class Load:
    """The application at work."""

    def __init__(self, folder, name, rate):
        import soak_shop

        self.shop = soak_shop
        self.name = name
        self.rate = rate
        self.account = Account(f"{folder}/account-{name}")
        self.control = Control(f"{folder}/control")
        self.orders = itertools.count()
        self.log = logging.getLogger("shop.orders")

    def record(self, chance, *, numbered=False):
        """Log one record: a line, or more seldom an error."""
        if chance.random() < ERRORS_PER_RECORD:
            # The newest bug comes as often as three others.
            self.fail(min(chance.randrange(self.control.bugs + 2), self.control.bugs - 1), chance)
        elif numbered:
            number = self.account.begin(LINES)
            self.log.log(self._level(chance), "process %s line %d", self.name, number, extra={"stock": number % 17})
            self.account.end(LINES)
        else:
            self.log.log(self._level(chance), "order %d is on its way", next(self.orders))

    def _level(self, chance):
        return logging.WARNING if chance.random() < WARNINGS_PER_LINE else logging.INFO

    def fail(self, bug, chance):
        """Log one occurrence of a bug."""
        order = next(self.orders)
        extra = {"customer": f"customer-{chance.randrange(500)}", "basket": {"items": chance.randrange(9)}}
        self.account.begin(bug)
        getattr(self.shop, f"bug_{name_of(bug)}")(self.log, order, extra)
        self.account.end(bug)

    def pace(self, rate):
        """Yield at a rate until the end; who was held up does not catch up."""
        due = time.monotonic()
        while not self.control.is_over:
            now = time.monotonic()
            due = max(due + 1 / rate, now)
            yield due - now

    def in_thread(self, rate, *, numbered=False):
        """Log from one thread."""
        chance = random.Random()
        for pause in self.pace(rate):
            time.sleep(pause)
            self.record(chance, numbered=numbered)

    def in_tasks(self, rate):
        """Log from tasks of an event loop, a new one for each record."""
        chance = random.Random()

        async def task():
            self.record(chance)

        async def run():
            for pause in self.pace(rate):
                await asyncio.sleep(pause)
                await asyncio.create_task(task())

        asyncio.run(run())

    def in_short_threads(self, rate):
        """Start threads that log and end, every fourth by an exception that nobody catches."""
        for number, pause in enumerate(self.pace(rate)):
            time.sleep(pause)
            dies = number % 4 == 0
            thread = threading.Thread(target=self._short, args=(dies,))
            if dies:
                self.account.begin(THREADS)
            thread.start()
            thread.join()
            if dies:
                self.account.end(THREADS)

    def _short(self, dies):
        chance = random.Random()
        for _ in range(4):
            self.record(chance)
        if dies:
            self.shop.end_thread(next(self.orders))

    def run(self):
        """Log until the soak is over."""
        threads = [
            threading.Thread(target=self.in_thread, args=(self.rate * 0.25,)),
            threading.Thread(target=self.in_tasks, args=(self.rate * 0.2,)),
            threading.Thread(target=self.in_short_threads, args=(self.rate * 0.05 / 4,)),
        ]
        for one in threads:
            one.start()
        self.in_thread(self.rate * 0.5, numbered=True)
        for one in threads:
            one.join()


def main():
    """Be one process of the soak."""
    import yaml

    folder, name, rate = sys.argv[1:]
    sys.path.insert(0, folder)
    with open(f"{folder}/logging.yaml", encoding="utf-8") as file:
        logging.config.dictConfig(yaml.safe_load(file))
    Load(folder, name, float(rate)).run()
    logging.shutdown()


if __name__ == "__main__":
    main()
