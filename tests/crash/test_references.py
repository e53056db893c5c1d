"""A call that logs an error leaves nothing behind in memory: no exception, no frame, no local, no record."""

from __future__ import annotations

import pytest

from tests import processes

pytestmark = pytest.mark.slow

HEAD = """
import asyncio, errno, gc, logging, logging.config, logging.handlers, os, queue, sys, threading, weakref
from tests.configurations import everything

BIG = 100 << 20
folder = sys.argv[1]
gone = []
peaks = []

class Note(logging.Filter):
    def filter(self, record):
        gone.append(weakref.ref(record))
        return True

class Precious(bytearray):
    pass

class OwnError(Exception):
    pass

class ManyError(ExceptionGroup):
    pass

def noted(error):
    gone.append(weakref.ref(error))
    return error

def hold(kind, size):
    big = Precious(size)
    gone.append(weakref.ref(big))
    peaks.append(resident())
    raise noted(kind("out of tea"))  # in no local: it would be a cycle

def act(size=BIG):
    try: hold(OwnError, size)
    except OwnError: log.exception("order failed")

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

log = logging.getLogger("shop")
log.addFilter(Note())

def configure():
    told = everything(folder)
    told["filters"]["note"] = {"()": Note}
    for handler in told["handlers"].values():
        handler["filters"] = [*handler.get("filters", []), "note"]
    logging.config.dictConfig(told)

configure()
"""

CHECK = """
act(1)  # imports what is needed
act(1)
gone.clear()
gc.collect()
gc.disable()
before = resident()
for _ in range(3): act()
left = [reference() for reference in gone if reference() is not None]
assert len(gone) >= 12, len(gone)
assert max(peaks) - before > BIG * 0.9
assert not left, [type(one).__name__ for one in left]
grown = (resident() - before) >> 20
assert grown < 30, f"{grown} MiB are still resident"
"""

HOW = {
    "in the main thread": "",
    "with a cause and a context": """
def act(size=BIG):
    try:
        try: hold(OwnError, size)
        except OwnError as error: raise noted(OwnError("order failed")) from error
    except OwnError:
        try: hold(OwnError, 1)
        except OwnError: log.exception("order failed")
""",
    "with an exception group": """
def member(size):
    try: hold(OwnError, size)
    except OwnError as error: return error

def act(size=BIG):
    try: raise noted(ManyError("all failed", [member(size), member(1)]))
    except ManyError: log.exception("order failed")
""",
    "with stack_info and extra": """
def act(size=BIG):
    try: hold(OwnError, size)
    except OwnError as error:
        log.error("order %s failed", error, exc_info=error, stack_info=True, extra={"order": error})
""",
    "in a thread": """
direct = act
def act(size=BIG):
    thread = threading.Thread(target=direct, args=(size,))
    thread.start()
    thread.join()
""",
    "in an asyncio task": """
direct = act
async def task(size): direct(size)
async def both(size): await asyncio.gather(task(size), task(1))
def act(size=BIG): asyncio.run(both(size))
""",
    "through a queue": """
from_queue = logging.root.handlers
waiting = queue.Queue()
logging.root.handlers = [logging.handlers.QueueHandler(waiting)]
listener = logging.handlers.QueueListener(waiting, *from_queue, respect_handler_level=True)
direct = act
def act(size=BIG):
    listener.start()
    direct(size)
    listener.stop()
""",
    "with a __str__ that fails": """
class OwnError(OwnError):
    def __str__(self): raise RuntimeError("no words for it")
logging.raiseExceptions = False
""",
    "with arguments that do not fit": """
def act(size=BIG):
    try: hold(OwnError, size)
    except OwnError as error: log.exception("order %s failed", error, error)
""",
    "with arguments that do not fit, and said so": """
def act(size=BIG):
    try: hold(OwnError, size)
    except OwnError as error: log.exception("order %s failed", error, error)
sys.stderr = open(os.devnull, "w")
""",
    "where no detail file can be written": """
import shutil
shutil.rmtree(folder + "/errors")
open(folder + "/errors", "w").close()
""",
    "while the disk is full": """
real = os.write
def write(fd, data):
    if fd > 2: raise OSError(errno.ENOSPC, "No space left on device")
    return real(fd, data)
os.write = write
import loghub.journal.writing
loghub.journal.writing.Journal.__init__.__kwdefaults__["write"] = write
logging.raiseExceptions = False
""",
    "with a handler behind ours that fails": """
class Failing(logging.Handler):
    def emit(self, record):
        try: 1 / 0
        except Exception: self.handleError(record)
logging.root.addHandler(Failing())
logging.raiseExceptions = False
""",
    "with locals and before_send": """
from loghub import EventFilter
for handler in logging.root.handlers:
    handler.addFilter(EventFilter(include_locals=True, before_send=lambda event: event))
""",
    "of many different bugs": """
direct = act
def act(size=BIG):
    global OwnError
    for number in range(30):
        OwnError = type(f"Own{number}Error", (Exception,), {})
        direct(size if not number else 1)
""",
}


@pytest.mark.parametrize("how", HOW)
def test_nothing_survives(tmp_path, how):
    """When the except block is over, exception, local and record are dead without the collector, their memory free."""
    script = HEAD + HOW[how] + CHECK
    processes.run(script, tmp_path, seconds=60)
