"""Locks of ours and of logging's meet: nothing may wait for ever. faulthandler is the judge.

The matrix: two of `ACTIONS`, one after the other, at one of `PLACES`, when one of `WHEN` is so, with a sender that
hangs. Each of these is a few lines; `scenario` puts them together. A scenario has a process of its own, forked from
one that has everything imported, so that a thousand of them take no minute; they run side by side. Who does not finish
in `SECONDS` shows all stacks and has failed, and so has who waits longer for a sender than it was told.
"""

from __future__ import annotations

import itertools
import json
import math
from contextlib import contextmanager

import pytest

from tests import processes
from tests.fakes.github import FakeGitHub
from tests.fakes.smtp import FakeSMTP

TIMEOUT, MARGIN = 0.4, 4.0
"""What a sender is given in the matrix, and what a process that shares two cores with many may take more."""

SECONDS = 25
"""After that a process of the matrix hangs."""

ACTIONS = {
    "dictConfig": "configure()",
    "fork": "fork()",
    "multiprocessing": "multiprocess(fail)",
    "flush": "flush()",
    "shutdown": "logging.shutdown()",
}

LEFT_OUT = {"in a signal handler that comes while logging": ["file"]}
"""A log file is locked while it is written; who forks and waits in the midst of that has a test of its own."""

WHEN = {
    "before the first record": "",
    "right after the first record": "fail()",
    "while the sender hangs": """
fail()
until(sending)
""",
    "while another thread logs": """
fail()
threading.Thread(target=log_on, daemon=True).start()
until(sending)
""",
}

BUSY = [when for when in WHEN if when != "right after the first record"]

PLACES = {
    "in the main thread": """
act()
""",
    "in another thread": """
thread = threading.Thread(target=act)
thread.start()
thread.join()
""",
    "in a signal handler that comes while logging": """
signal.signal(signal.SIGALRM, lambda *_: act())
signal.setitimer(signal.ITIMER_REAL, 0.002)
while not acted: fail()
""",
    "in __del__ by the garbage collector while logging": """
gc.set_threshold(10)
Dying()
while not acted: fail()
""",
    "in a forked child": """
pid = os.fork()
if pid: wait(pid)
else: act()
""",
    "in a child of multiprocessing": """
multiprocess(act)
""",
    "in an atexit function": """
atexit.register(act)
""",
    "in __del__ when the interpreter goes": """
late = Dying()
""",
    "before os._exit": """
act()
os._exit(0)
""",
}

SCENARIO = """
acted = False

def act():
    global acted
    for step in (lambda: {first}, fail, lambda: {second}, fail):
        try:
            step()
        except Exception as error:  # at the end much is refused, by Python itself
            if not sys.is_finalizing() and "interpreter shutdown" not in str(error):
                give_up(traceback.format_exc())
    acted = True

class Dying:
    def __init__(self): self.me = self
    def __del__(self): act()

{when}
{place}
"""

HEAD = """
import atexit, faulthandler, gc, json, logging, logging.config, multiprocessing, os, signal, sys
import threading, time, traceback

patience = {seconds}
def watch(): faulthandler.dump_traceback_later(patience, exit=True)
def watch_child():
    global patience
    patience *= 0.8  # who hangs is to be seen before its parent, which waits for it
    watch()
# Before loghub's own, so that who hangs in these is seen, too. A watch does not outlive a fork, and cannot be ended
# in the child.
os.register_at_fork(before=faulthandler.cancel_dump_traceback_later, after_in_parent=watch, after_in_child=watch_child)
import loghub

def configure():
    with within("dictConfig", {limit}):
        logging.config.dictConfig(told)

def flush():
    for handler in list(logging.root.handlers):
        with within("flush", {limit}):
            handler.flush()

class within:
    def __init__(self, name, limit): self.name, self.limit = name, limit
    def __enter__(self): self.started = time.monotonic()
    def __exit__(self, *error):
        took = time.monotonic() - self.started
        if took > self.limit:
            give_up(f"{{self.name}} took {{took:.1f}} seconds")

def give_up(why):
    os.write(2, why.encode() + b"\\n")
    os._exit(9)

log = logging.getLogger("shop")
shutdown = logging.shutdown

def bounded_shutdown(*args):
    with within("shutdown", {limit}):
        shutdown(*args)

logging.shutdown = bounded_shutdown

def fail():
    try: 1 / 0
    except ZeroDivisionError: log.exception("order failed")

def log_on():
    while True:
        fail()
        time.sleep(0.005)

def until(come):
    while not come(): time.sleep(0.005)

def sending():
    return any(code_name == "deliver" for frame in sys._current_frames().values() for code_name in names(frame))

def names(frame):
    while frame is not None:
        yield frame.f_code.co_name
        frame = frame.f_back

def wait(pid):
    _, status = os.waitpid(pid, 0)
    if status:
        give_up(f"a child ended with {{os.waitstatus_to_exitcode(status)}}")

def fork():
    pid = os.fork()
    if pid == 0:
        try:
            fail()
            logging.shutdown()
        finally:
            os._exit(0)
    wait(pid)

def multiprocess(target):
    child = multiprocessing.get_context("fork").Process(target=target)
    child.start()
    child.join()
    if child.exitcode:
        give_up(f"a child of multiprocessing ended with {{child.exitcode}}")
"""

WARM = """
import sqlite3, requests, smtplib, pythonjsonlogger.json
import loghub.ledger.sqlite, loghub.handlers.github, loghub.handlers.smtp, loghub.github.client, loghub.github.issue
"""

FORK_EACH = """
def reap():
    pid, status = os.waitpid(-1, os.WNOHANG)
    if pid:
        results[running.pop(pid)[0]] = os.waitstatus_to_exitcode(status)
    for pid, (_, started) in list(running.items()):
        if time.monotonic() - started > {seconds} + 15:
            os.kill(pid, signal.SIGKILL)  # beyond faulthandler's own end
    time.sleep(0.002)

folder, servers, scenarios = json.load(sys.stdin)
running, results = {{}}, {{}}
gc.freeze()  # else each child would copy all pages
for number, (name, (code, dropped)) in enumerate(scenarios.items()):
    while len(running) >= {side_by_side}: reap()
    pid = os.fork()
    if pid == 0: break
    faulthandler.cancel_dump_traceback_later()
    running[pid] = name, time.monotonic()
else:
    while running: reap()
    print(json.dumps(results))
    os._exit(0)

# From here on this is the process of one scenario.
watch()
from tests.configurations import everything
os.dup2(os.open(f"{{folder}}/{{number}}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
os.dup2(2, 1)
told = everything(f"{{folder}}/{{number}}", shutdown_timeout={timeout}, **servers)
told["handlers"]["mail"]["flush_interval"] = 0  # at once
for name in dropped:
    del told["handlers"][name]
    told["root"]["handlers"].remove(name)
logging.config.dictConfig(told)  # with all that is imported
exec(code)
"""


@contextmanager
def hanging():
    """Yield options for `everything`: both servers take connections and never answer."""
    with FakeGitHub("acme/shop") as github, FakeSMTP() as smtp:
        github.fault("*", "hang", times=math.inf, seconds=60)
        smtp.faults["EHLO"] = "hang"
        yield {"github": github.url, "token": github.token, "smtp": smtp.port}


def scenario(number, when, place, first, second):
    """Return name of one scenario, and its code with the handlers to be left out.

    The delivery thread is with one destination at a time, so only one of them hangs: by turns.
    """
    code = SCENARIO.format(when=WHEN[when], place=PLACES[place], first=ACTIONS[first], second=ACTIONS[second])
    sender, other = [("GitHub", "mail"), ("the mail server", "github")][number % 2]
    return f"{sender} hangs, {when}, {place}: {first}, then {second}", (code, [other, *LEFT_OUT.get(place, [])])


def run_all(folder, scenarios, head, *, timeout=TIMEOUT, margin=MARGIN, side_by_side=24):
    """Run scenarios side by side; return what each that failed said at its end."""
    numbers = {"seconds": SECONDS, "limit": timeout + margin, "timeout": timeout, "side_by_side": side_by_side}
    with hanging() as servers, processes.python((head + FORK_EACH).format(**numbers), seconds=200) as parent:
        out, err = parent.communicate(json.dumps([str(folder), servers, scenarios]))
    assert parent.returncode == 0, err
    results = json.loads(out)
    assert results.keys() == scenarios.keys()
    said = {name: (folder / f"{number}.txt").read_text() for number, name in enumerate(scenarios)}
    return {name: said[name] for name, code in results.items() if code}


def report(failures):
    """Return what `failures` are called, and what the first of them said."""
    return "\n".join([f"{len(failures)} did not end well:", *failures, *list(failures.values())[:1]])


@pytest.mark.shows("github hangs", "application unharmed", "ends in time")
@pytest.mark.shows("forked", "application unharmed", "ends in time")
@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_matrix(tmp_path, place):
    """dictConfig, forks, flush and shutdown end in time in any order, wherever they come from, while a sender hangs."""
    turn = list(PLACES).index(place)
    combined = ((when, *pair) for when in BUSY for pair in itertools.permutations(ACTIONS, 2))
    scenarios = dict(scenario(n + turn, when, place, first, second) for n, (when, first, second) in enumerate(combined))
    failures = run_all(tmp_path, scenarios, HEAD + WARM)
    assert not failures, report(failures)


@pytest.mark.slow
def test_matrix_cold(tmp_path):
    """The same in a process whose delivery thread is just importing what it needs to deliver."""
    places = ["in the main thread", "in a forked child", "in an atexit function"]
    combined = itertools.product(["right after the first record"], places, ["fork", "multiprocessing"], ACTIONS)
    failures = run_all(tmp_path, dict(scenario(n, *one) for n, one in enumerate(combined)), HEAD)
    assert not failures, report(failures)


@pytest.mark.shows("github hangs", "ends in time")
@pytest.mark.slow
def test_waits_no_longer_than_told(tmp_path):
    """Flush, shutdown and dictConfig wait for a hanging sender for shutdown_timeout in all, not for each handler."""
    combined = itertools.product(["flush", "shutdown", "dictConfig"], ["flush"])
    once = [("while the sender hangs", "in the main thread", *pair) for pair in combined]
    scenarios = dict(scenario(n, *one) for n, one in enumerate([*once, *once[::-1]]))
    failures = run_all(tmp_path, scenarios, HEAD + WARM, timeout=1.0, margin=0.9, side_by_side=2)
    assert not failures, report(failures)


@pytest.mark.shows("forked", "application unharmed")
@pytest.mark.slow
def test_fork_while_the_log_is_locked(tmp_path):
    """A signal handler that forks and waits for a child that logs ends, also if it came while a line was written."""
    script = """
    import faulthandler, logging, os, signal, sys, loghub
    faulthandler.dump_traceback_later(15, exit=True)
    logging.getLogger().addHandler(loghub.RotatingFileHandler(sys.argv[1], maxBytes=100_000, backupCount=3))
    rung = 0

    def ring(*_):
        global rung
        pid = os.fork()
        if pid == 0:
            logging.error("from a child")
            os._exit(0)
        os.waitpid(pid, 0)
        rung += 1
        signal.setitimer(signal.ITIMER_REAL, 0.001)

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    while rung < 200: logging.error("order failed")
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    print("finished")
    """
    out, _ = processes.run(script, tmp_path / "app.log", seconds=60)
    assert out == "finished\n"


@pytest.mark.slow
def test_dictconfig_while_others_log(tmp_path):
    """Handlers that die in the garbage collector while others log and dictConfig runs again block nobody."""
    script = """
    import gc, logging, logging.config, sys, threading
    gc.set_threshold(20)

    def configure():
        handlers = {"detail": {"class": "loghub.JSONDetailHandler", "directory": "errors", "home": sys.argv[1]}}
        root = {"handlers": list(handlers)}
        logging.config.dictConfig({
            "version": 1, "disable_existing_loggers": False, "handlers": handlers, "root": root,
        })

    def die():
        handler = logging.NullHandler()
        handler.me = handler

    def work():
        for _ in range(200):
            die()
            try: 1 / 0
            except Exception: logging.exception("order failed")

    configure()
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads: thread.start()
    while any(thread.is_alive() for thread in threads): configure()
    print("finished")
    """
    for number in range(4):
        out, _ = processes.run(script, tmp_path / f"home{number}", seconds=60)
        assert out == "finished\n"


@pytest.mark.slow
@pytest.mark.shows("interpreter ends", "nothing lost", "application unharmed", "ends in time")
def test_del_at_the_end(tmp_path):
    """An object that logs while the interpreter ends neither hangs it nor is lost."""
    script = """
    import logging, sys, loghub
    logging.getLogger().addHandler(loghub.JSONDetailHandler(home=sys.argv[1], directory=sys.argv[1] + "/errors"))

    class Late:
        def __del__(self):
            logging.error("from the end")

    late = Late()
    late.cycle = late
    logging.error("first")
    """
    processes.run(script, tmp_path / "home")
    out, _ = processes.run("import sys; from loghub.cli import main; main(sys.argv[1:])", "stats", "--json",
                           "--home", tmp_path / "home")  # fmt: skip
    assert '"total_errors": 2' in out
