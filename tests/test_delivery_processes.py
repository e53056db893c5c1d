"""Delivery and the ends of processes: exits, forks, kills, full disks, dictConfig in the midst of it all.

A script that takes too long prints all of its stacks and dies: a deadlock is a failed test.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from unittest import mock

import pytest

from loghub.delivery import deliverer, leases
from loghub.delivery.home import Home
from loghub.journal import files
from loghub.ledger.sqlite import SQLiteLedger
from tests import processes
from tests.channels import FileHandler, tellers, told

SETUP = """
import atexit, logging, logging.config, multiprocessing, os, resource, signal, sys, threading, time

log = logging.getLogger("shop")

def configure(**options):
    told = [name for name in options.pop("files", "told").split()]
    handlers = {
        name: {"class": "tests.channels.FileHandler", "filename": os.path.abspath(name)} | options for name in told
    }
    logging.config.dictConfig({
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": handlers,
        "root": {"level": "INFO", "handlers": told},
    })

def fail(times=1, kind=ValueError):
    for _ in range(times):
        try:
            raise kind("bad price")
        except kind:
            log.exception("failed")

def say(what):
    print(what, flush=True)
"""


@pytest.fixture
def home():
    """Return the home of the scripts."""
    return os.environ["LOGHUB_HOME"]


def script(text):
    """Return a script that can configure and fail."""
    return SETUP + text


def finish(home, name="told"):
    """Let the next process deliver what was left; return how many occurrences were told in all."""
    deliverer.by_hand = True
    handler = FileHandler(os.path.abspath(name))
    left = Home(home, None)
    left.attach(1, handler)
    handler.close()
    until = time.monotonic() + 10
    with mock.patch.object(leases, "ORPHAN_SECONDS", 0.0):  # no request of a dead process can be under way
        while not left.round(closing=True, everything=True):
            assert time.monotonic() < until, left.ledger().outbox()
            time.sleep(0.1)
    left.close(1)
    assert files.names(left.journals) == []
    return sum(told(name).values())


def counted(home):
    """Return how many occurrences the ledger has counted, once all is delivered.

    What was being told when a process was killed is told again, so what was told can be more.
    """
    delivered = finish(home)
    ledger = SQLiteLedger(os.path.join(home, "ledger.db"))
    totals = ledger.totals()
    ledger.close()
    assert delivered >= totals["occurrences"]
    assert totals["dropped"] == 0
    return totals["occurrences"]


# The end of a process


@pytest.mark.shows("interpreter ends", "nothing lost", "nothing twice")
def test_end():
    """What was logged until the end is delivered at the end, without a flush."""
    processes.run(
        script("""
configure()
fail(1000)
fail(500, KeyError)
""")
    )
    assert sorted(told("told").values()) == [500, 1000]


@pytest.mark.slow
@pytest.mark.shows("interpreter ends", "ends in time")
@pytest.mark.shows("github hangs", "ends in time")
@pytest.mark.parametrize("noise", [False, True])
def test_end_while_delivery_hangs(home, noise):
    """The end of a process waits for a hanging delivery no longer than shutdown_timeout, however many handlers."""
    with open("hang", "w", encoding="utf-8"):
        pass
    text = script(f"""
configure(files="told other third", hang=os.path.abspath("hang"), shutdown_timeout=1.0)
fail(50)

def noisy():
    while True:
        fail(1, KeyError)
        time.sleep(0.005)

if {noise}:
    threading.Thread(target=noisy, daemon=True).start()
time.sleep(0.3)
say("end")
""")
    with processes.python(text) as process:
        assert process.stdout.readline() == "end\n"
        started = time.monotonic()
        process.wait(10)
        assert time.monotonic() - started < 2.0
        assert process.returncode == 0
        assert process.stderr.read() == ""
    os.unlink("hang")
    assert finish(home) >= 50


def test_end_without_anything():
    """A process that reported nothing ends at once, and makes no home."""
    _, err = processes.run(script("configure()"))
    assert err == ""
    assert not os.path.exists(os.environ["LOGHUB_HOME"])


def test_end_before_a_wake(home):
    """A process does not stay for the time at which its handler wants to look again; that is left to the next one."""
    processes.run(
        script("""
from tests.channels import Told
handler = Told(shutdown_timeout=600)
handler.on_deliver = lambda batch: batch.memory.update(wake_at=time.time() + 300)
log.addHandler(handler)
fail()
""")
    )
    left = Home(home, None)
    assert left.ledger().outbox() == []
    assert left.ledger().memory("list:told")["wake_at"] > time.time()
    left.ledger().close()


@pytest.mark.shows("interpreter ends", "nothing lost", "application unharmed")
def test_logged_at_the_very_end(home):
    """What is logged by atexit functions and finalizers, when no thread can be started any more, is kept."""
    _, err = processes.run(
        script("""
configure()

class Last:
    def __del__(self):
        fail(1, KeyError)

last = Last()
atexit.register(fail)
""")
    )
    assert err == ""
    assert finish(home) >= 1


@pytest.mark.shows("interpreter ends", "nothing lost")
def test_os_exit(home):
    """What was logged before os._exit is delivered by the next process."""
    processes.run(
        script("""
configure(hang=sys.executable)
fail(1234)
os._exit(3)
"""),
        code=3,
    )
    assert told("told") == {}
    assert finish(home) == 1234


@pytest.mark.shows("killed", "nothing lost")
@pytest.mark.shows("out of memory", "nothing lost")
def test_killed(home):
    """What was logged before SIGKILL is delivered by the next process, counted exactly."""
    with processes.python(
        script("""
configure()
fail(777)
say("logged")
time.sleep(60)
""")
    ) as process:
        assert process.stdout.readline() == "logged\n"
        time.sleep(0.2)
        process.kill()
        process.wait()
    assert counted(home) == 777


def test_killed_in_the_middle(home):
    """What was logged before SIGKILL in the midst of logging and delivering is counted exactly."""
    with processes.python(
        script("""
configure()
n = 0
while True:
    fail()
    n += 1
    os.write(1, b"%d\\n" % n)
""")
    ) as process:
        for _ in range(500):
            last = process.stdout.readline()
        process.kill()
        process.wait()
        *_, last = [last, *process.stdout.readlines()]
    assert int(last) <= counted(home) <= int(last) + 1


@pytest.mark.shows("killed", "ends in time")
@pytest.mark.slow
def test_killed_while_delivering(home):
    """A process that is killed with the lease in its hand is taken over soon after its last request is over."""
    with open("hang", "w", encoding="utf-8"):
        pass
    with processes.python(
        script("""
configure(hang=os.path.abspath("hang"))
fail(10)
time.sleep(60)
""")
    ) as process:
        probe = Home(home, None)
        until = time.monotonic() + 10
        while not (
            os.path.exists(home + "/ledger.db")
            and probe.ledger().leaseholder(path := f"file:{os.path.abspath('told')}")[0]
        ):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.kill()
        process.wait()
    os.unlink("hang")
    handler = FileHandler(path.removeprefix("file:"))
    probe.attach(1, handler)
    handler.close()
    started = time.monotonic()
    while not probe.round(closing=True):
        assert time.monotonic() - started < leases.ORPHAN_SECONDS + 3
        time.sleep(0.1)
    assert sum(told("told").values()) == 10
    probe.close(1)


@pytest.mark.slow
def test_many_generations(home):
    """Ten processes one after the other, half of them without an end: every occurrence is counted once."""
    for n in range(10):
        processes.run(
            script(f"""
configure()
fail(100)
if {n} % 2:
    os._exit(0)
""")
        )
    assert counted(home) == 1000


# Children


@pytest.mark.shows("forked", "nothing lost", "nothing twice")
def test_fork(home):
    """A forked child reports too; its parent's journal is its parent's."""
    processes.run(
        script("""
configure()
fail(10)
for _ in range(3):
    if os.fork() == 0:
        fail(20)
        sys.exit(0)
fail(30)
for _ in range(3):
    assert os.wait()[1] == 0
fail(5)
""")
    )
    assert finish(home) == 10 + 3 * 20 + 30 + 5


@pytest.mark.shows("forked", "nothing lost", "nothing twice", "application unharmed")
def test_fork_in_the_middle_of_everything(home):
    """Forks while threads log, fold and deliver: no child hangs, nothing is lost or told twice."""
    _, err = processes.run(
        script("""
configure()
stop = False

def noisy():
    global logged
    while not stop:
        fail()
        logged += 1
        time.sleep(0.001)

logged = 0
thread = threading.Thread(target=noisy)
thread.start()
delivered = threading.Thread(target=lambda: [logging.root.handlers[0].flush() for _ in range(20)])
delivered.start()
children = []
for n in range(30):
    pid = os.fork()
    if pid == 0:
        fail(3)
        logging.shutdown()
        os._exit(0)
    children.append(pid)
    time.sleep(0.01)
for pid in children:
    assert os.waitpid(pid, 0)[1] == 0, pid
stop = True
thread.join()
delivered.join()
say(logged)
"""),
        seconds=40,
    )
    assert "Traceback" not in err
    assert finish(home) == int(_) + 90


def test_parent_ends_first(home):
    """A daemon's parent exits at once; the child reports on, although its parent closed the ledger."""
    processes.run(
        script("""
configure()
fail(10)
logging.root.handlers[0].flush()
come, told = os.pipe()
if os.fork() == 0:
    fail(1)
    logging.root.handlers[0].flush()
    os.close(told)
    os.read(come, 1)  # the parent is gone
    for _ in range(5):
        fail(20)
        logging.root.handlers[0].flush()
    say("done")
    sys.exit(0)
""")
    )
    assert finish(home) == 111
    assert len(tellers("told")) == 2


@pytest.mark.slow
@pytest.mark.shows("forked", "nothing lost", "ends in time")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(home, method, tmp_path, monkeypatch):
    """Children of multiprocessing report, and deliver at their end, though they run no atexit functions."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work.py").write_text(
        script("""
def work(n):
    if not log.hasHandlers():
        configure()
    fail(n)

if __name__ == "__main__":
    configure()
    context = multiprocessing.get_context(sys.argv[1])
    fail(1)
    children = [context.Process(target=work, args=(100,)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    pool = context.Pool(2)
    pool.map(work, [50] * 4)
    pool.close()  # terminate would kill them in the midst of telling
    pool.join()
""")
    )
    processes.run(
        "import runpy, sys; runpy.run_path('work.py', run_name='__main__')"
        if method == "fork"
        else "import os, sys; os.execv(sys.executable, [sys.executable, 'work.py', *sys.argv[1:]])",
        method,
    )
    assert finish(home) == 501


# dictConfig


@pytest.mark.parametrize("chat", [False, True])
def test_dictconfig_while_delivery_hangs(home, chat):
    """dictConfig replaces handlers in bounded time while their delivery hangs, or logs under logging's lock."""
    with open("hang", "w", encoding="utf-8"):
        pass
    out, err = processes.run(
        script(f"""
configure(hang=os.path.abspath("hang"), chat={chat}, shutdown_timeout=0.5, files="told other")
fail(10)
time.sleep(0.3)
longest = 0
for _ in range(4):
    started = time.monotonic()
    configure(hang=os.path.abspath("hang"), chat={chat}, shutdown_timeout=0.5, files="told other")
    longest = max(longest, time.monotonic() - started)
    fail(10)
os.unlink("hang")
for handler in logging.root.handlers:
    handler.flush()
print(longest)
"""),
        seconds=30,
    )
    assert "Traceback" not in err
    assert float(out) < 3.0
    assert finish(home) == 50
    assert finish(home, "other") == 50


@pytest.mark.slow
def test_dictconfig_again_and_again(home):
    """dictConfig runs 60 times while three threads log and the sender logs too: nothing is lost or told twice."""
    out, err = processes.run(
        script("""
configure(chat=True)
stop = False
logged = []

def noisy(kind):
    n = 0
    while not stop:
        fail(1, kind)
        n += 1
        time.sleep(0.001)
    logged.append(n)

threads = [threading.Thread(target=noisy, args=(kind,)) for kind in (ValueError, KeyError, TypeError)]
for thread in threads:
    thread.start()
for _ in range(60):
    configure(chat=True)
    time.sleep(0.01)
stop = True
for thread in threads:
    thread.join()
print(sum(logged))
"""),
        seconds=40,
    )
    assert "Traceback" not in err
    reported = finish(home)
    # While dictConfig has taken the old handlers off and not yet put the new ones on, logging reports to nobody.
    assert int(out) * 0.8 < reported <= int(out)


def test_dictconfig_and_forks(home):
    """Forks and dictConfig in two threads do not wait for each other."""
    out, err = processes.run(
        script("""
configure()
fail()

def forking():
    for _ in range(40):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)

thread = threading.Thread(target=forking)
thread.start()
while thread.is_alive():
    fail()
    configure()
say("done")
"""),
        seconds=30,
    )
    assert out == "done\n"
    assert "Traceback" not in err


# Signals


@pytest.mark.slow
def test_signal_handlers_that_log(home):
    """A signal handler that logs at any moment, also in the midst of logging, never waits for its own thread."""
    out, err = processes.run(
        script("""
configure()
fail()
fail(1, KeyError)
rung = ringing = 0

def ring(*_):
    global rung, ringing
    if not ringing:  # else the stack ends before the alarms do
        ringing = 1
        fail(1, KeyError)
        rung += 1
        ringing = 0

signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
n = 0
until = time.monotonic() + 2
while time.monotonic() < until:
    fail()
    n += 1
signal.setitimer(signal.ITIMER_REAL, 0)
print(n + rung + 2)
""")
    )
    assert "Traceback" not in err
    assert finish(home) == int(out)


# Disks


FULL = """
def disk(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
own = logging.getLogger("loghub")
own.addHandler(logging.StreamHandler(sys.stderr))
own.propagate = False
"""


@pytest.mark.slow
@pytest.mark.shows("disk full", "nothing lost", "nothing twice", "said")
def test_full_disk(home):
    """While nothing can be written, errors are held in memory; that is said once, and all is told afterwards."""
    _, err = processes.run(
        script(
            FULL
            + """
from loghub.delivery import rounds
rounds.TROUBLE_SECONDS = 0.3
configure()
fail(100)
logging.root.handlers[0].flush()
disk(1)
fail(5000)
fail(5000, KeyError)
logging.root.handlers[0].flush()
fail(10, TypeError)
disk(resource.RLIM_INFINITY)
time.sleep(1.5)
fail(1)
"""
        )
    )
    assert finish(home) == 100 + 5000 + 5000 + 10 + 1
    assert "Traceback" not in err
    assert err.count("held in memory") == 1
    assert err.count("can be written again") == 1
    assert err.count("Error reporter") == 2


@pytest.mark.slow
@pytest.mark.shows("disk full", "nothing lost", "nothing twice", "said")
def test_full_disk_from_the_beginning(home):
    """Where the home cannot be made for want of room, errors are reported from memory, and that is said once."""
    _, err = processes.run(
        script(
            FULL
            + """
configure(home="/dev/full/home", files="told other")
fail(5000)
for handler in logging.root.handlers:
    handler.flush()
fail(5000)
"""
        )
    )
    assert sum(told("told").values()) == sum(told("other").values()) == 10_000
    assert err.count("Error reporter") == 1


@pytest.mark.slow
def test_stopped_for_good():
    """A process whose delivery never works leaves its errors for the one that is set right."""
    processes.run(
        script("""
configure(files="nowhere/told", shutdown_timeout=0.2)
fail(40)
""")
    )
    os.mkdir("nowhere")
    processes.run(
        script("""
configure(files="nowhere/told", shutdown_timeout=8)
time.sleep(1)
fail(2)
""")
    )
    assert sum(told("nowhere/told").values()) == 42


def test_all_interpreters_agree():
    """The tests run under the interpreter that runs their children."""
    out, _ = processes.run("import sys; print(sys.version_info[:2])")
    assert out.strip() == str(sys.version_info[:2])
    assert signal.SIGKILL
