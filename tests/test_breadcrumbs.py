"""An error brings along the last records of its own thread or task, and nothing of the application is kept for it."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gc
import json
import logging
import logging.handlers
import os
import pickle
import queue
import subprocess
import sys
import threading
import types
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub import breadcrumbs
from loghub.capture import Capture
from loghub.delivery import deliverer
from loghub.errors import OptionValueError, UnknownOptionError
from loghub.handlers.breadcrumb import BreadcrumbHandler
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.scrub import Scrubber
from loghub.scrub.size import BEGINNING_CHARS, CUT_MARGIN_CHARS

ROOT = Path(__file__).parents[1]


class Keeper(logging.Handler):
    """Keeps the event of each error, as the handlers of loghub see it."""

    def __init__(self, capture=None) -> None:
        super().__init__(logging.ERROR)
        self.capture = capture or Capture()
        self.events = []

    def emit(self, record):
        if record.levelno < self.level:  # some handlers that pass records on do not look
            return
        self.events.append(self.capture.keep(self.capture.sight(record), record))


def messages(event):
    """Return what an event's breadcrumbs say."""
    return [one["message"] for one in event["breadcrumbs"]]


@pytest.fixture
def keeper():
    """Return the handler that sees errors."""
    return Keeper()


@pytest.fixture
def log(keeper):
    """Return a logger with breadcrumbs of five, and the keeper behind them."""
    logger = logging.Logger("shop.cart")  # noqa: LOG001 - one that no other test sees
    handler = BreadcrumbHandler(capacity=5)
    logger.addHandler(handler)
    logger.addHandler(keeper)
    yield logger
    handler.close()


# What an error brings along -----------------------------------------------------------------------------------


def test_last_ones(log, keeper):
    """An error has the last `capacity` records before it, oldest first, and not itself."""
    for number in range(9):
        log.info("step %d", number)
    log.error("failed")
    assert messages(keeper.events[0]) == [f"step {number}" for number in range(4, 9)]


def test_what_a_crumb_says(log, keeper):
    """A crumb has time, level, logger and message, and plain values of extra; of an exception its class."""
    try:
        raise KeyError("a")
    except KeyError:
        log.warning("order %d of %s", 7, "Ann", exc_info=True, extra={"user": 3, "body": ["a", object()]})
    log.error("failed")
    (crumb,) = keeper.events[0]["breadcrumbs"]
    assert crumb.pop("timestamp").endswith("Z")
    assert crumb == {
        "level": "WARNING",
        "logger": "shop.cart",
        "message": "order 7 of Ann",
        "error_type": "KeyError",
        "extra": {"user": 3},
    }


def test_errors_become_crumbs(log, keeper):
    """An error is a crumb of the next one, as in Sentry."""
    log.error("first")
    log.error("second")
    assert [messages(event) for event in keeper.events] == [[], ["first"]]


@pytest.mark.parametrize("order", [1, -1])
def test_order_of_handlers(order):
    """Whether the handler of breadcrumbs stands before or after the others, an error is no crumb of itself."""
    keeper, handler = Keeper(), BreadcrumbHandler()
    logger = logging.Logger("shop")  # noqa: LOG001
    logger.handlers = [handler, keeper][::order]
    logger.info("step")
    logger.error("failed")
    logger.error("failed")
    handler.close()
    assert [messages(event) for event in keeper.events] == [["step"], ["step", "failed"]]


def test_only_from_its_level(log, keeper):
    """What is below INFO is not kept, unless the handler's level says so."""
    log.debug("hidden")
    log.handlers[0].setLevel("DEBUG")
    log.debug("shown")
    log.error("failed")
    assert messages(keeper.events[0]) == ["shown"]


def test_own_life_is_left_out(log, keeper):
    """What loghub says of itself, or logs while it delivers, is no crumb."""
    from loghub.capture import muted_threads

    log.handlers[0].handle(logging.makeLogRecord({"name": "loghub", "msg": "told", "levelno": 20}))
    muted_threads.add(threading.get_ident())
    log.info("connecting")
    muted_threads.discard(threading.get_ident())
    log.error("failed")
    assert messages(keeper.events[0]) == []


def test_none_without_the_handler(keeper):
    """Without the handler, and when it is closed, an event has no breadcrumbs; a new one begins anew."""
    logger = logging.Logger("shop")  # noqa: LOG001
    handler = BreadcrumbHandler()
    logger.handlers = [handler, keeper]
    logger.info("old")
    handler.close()
    logger.handlers = [keeper]
    logger.error("failed")
    new = BreadcrumbHandler()
    logger.handlers = [new, keeper]
    logger.info("new")
    logger.error("failed")
    new.close()
    assert [messages(event) for event in keeper.events] == [[], ["new"]]
    assert breadcrumbs.recent() == []


def test_two_handlers_keep_once(keeper):
    """A record that passes two handlers of breadcrumbs is one crumb; one that was never closed is in nobody's way."""
    logger = logging.Logger("shop")  # noqa: LOG001
    logger.handlers = [BreadcrumbHandler(), BreadcrumbHandler(), keeper]
    logger.info("step")
    logger.error("failed")
    logger.handlers = [keeper]
    gc.collect()
    logger.handlers = [BreadcrumbHandler(), keeper]
    logger.info("other")
    logger.error("failed")
    logger.handlers.pop(0).close()
    assert [messages(event) for event in keeper.events] == [["step"], ["other"]]


def test_before_send_gets_them():
    """before_send sees breadcrumbs and may change them without changing those of the next event."""

    def take_out(event):
        event["breadcrumbs"][0]["message"] = "changed"
        return event

    keeper, handler = Keeper(Capture(before_send=take_out)), BreadcrumbHandler()
    logger = logging.Logger("shop")  # noqa: LOG001
    logger.handlers = [handler, keeper]
    logger.info("step", extra={"user": 1})
    logger.error("failed")
    logger.error("failed")
    handler.close()
    assert [messages(event) for event in keeper.events] == [["changed"], ["changed", "failed"]]
    assert breadcrumbs.before(logging.makeLogRecord({}), shares=True) == []


def test_repeats_copy_nothing(tmp_path, monkeypatch):
    """Only an occurrence that is kept in full has its crumbs copied: twenty an hour of one bug."""
    asked, before = [], breadcrumbs.before
    monkeypatch.setattr(deliverer, "by_hand", True)
    monkeypatch.setattr(breadcrumbs, "before", lambda record, shares: asked.append(1) or before(record, shares=shares))
    logger = logging.Logger("shop")  # noqa: LOG001
    logger.handlers = [BreadcrumbHandler(), JSONDetailHandler(str(tmp_path / "errors"), home=str(tmp_path / "home"))]
    for number in range(100):
        try:
            raise ValueError(number)
        except ValueError:
            logger.exception("failed")
    for handler in logger.handlers:
        handler.close()
    assert len(asked) == 20


# What is kept ---------------------------------------------------------------------------------------------------


class Thing:
    """An object of the application, whose state changes."""

    state = "early"

    def __str__(self):
        return self.state


def test_keeps_nothing_alive(log, keeper):
    """Objects in args, extra or an exception are not kept alive, nor is the record; they show what they were."""
    thing, gone = Thing(), []
    gone.append(weakref.ref(thing))

    class Refused(ValueError):
        """One that can be watched."""

    try:
        raise Refused(thing)
    except Refused as error:
        gone.append(weakref.ref(error))
        log.info("%s with %s", "done", thing, extra={"thing": thing}, exc_info=True)
    thing.state = "late"
    del thing
    gc.collect()
    assert [one() for one in gone] == [None, None]
    log.error("failed")
    assert messages(keeper.events[0]) == ["done with early"]
    assert "extra" not in keeper.events[0]["breadcrumbs"][0]


@pytest.mark.parametrize(
    ("message", "args", "shown"),
    [
        ("%d of %s", ("a", 1), "%d of %s ('a', 1)"),
        ("%(a)s", ({"a": 1},), "1"),
        ("%s", ([1, 2],), "[1, 2]"),
        ({"event": "paid", "order": 7, "deep": [1]}, (), "paid"),
        (["a"], (), "['a']"),
        ("%s", (10**30,), f"{10**30}"),
        ("100%", (), "100%"),
    ],
)
def test_odd_messages(log, keeper, message, args, shown):
    """Whatever a message and its arguments are, the crumb shows what other handlers would, or both."""
    log.info(message, *args)
    log.error("failed")
    assert messages(keeper.events[0]) == [shown]


def test_objects_that_fail(log, keeper):
    """An object whose text raises costs no more than its text."""

    class Broken:
        def __str__(self):
            raise RuntimeError("no")

    log.info("got %s", Broken())
    log.info(Broken())
    log.error("failed")
    assert messages(keeper.events[0]) == ["got %s", "<unprintable Broken object>"]


def test_what_structlog_bound(log, keeper):
    """structlog's dict is a message with plain values beside it."""
    log.info({"event": "paid", "order": 7, "_record": object()})
    log.error("failed")
    assert keeper.events[0]["breadcrumbs"][0]["extra"] == {"order": 7}


def test_bounded(log, keeper):
    """Neither long messages nor many values make a crumb large, in memory or in the event."""
    many = {f"key{number}": number for number in range(500)}
    log.info("x" * 5_000_000, extra=many | {"long": "y" * 5_000})
    kept = next(iter(breadcrumbs._thread.ring))
    assert len(kept.message) <= BEGINNING_CHARS + CUT_MARGIN_CHARS
    log.error("failed")
    (crumb,) = keeper.events[0]["breadcrumbs"]
    assert len(json.dumps(crumb)) < 2_000
    assert crumb["message"].startswith("xxx")


def test_many_long_arguments(log, keeper):
    """Arguments that are short enough to wait make no long text together."""
    log.info("%s " * 100, *["x" * 1_000] * 100)
    (kept,) = breadcrumbs._thread.ring
    assert len(kept.message) + sum(map(len, kept.args)) <= BEGINNING_CHARS + CUT_MARGIN_CHARS
    log.error("failed")
    assert len(keeper.events[0]["breadcrumbs"][0]["message"]) < 1_100


@pytest.mark.parametrize("at", [BEGINNING_CHARS - 20, BEGINNING_CHARS + CUT_MARGIN_CHARS - 20])
def test_no_half_of_a_secret(log, keeper, at):
    """A secret that stands where a long message is cut is not shown in part; the user's own patterns count."""
    keeper.capture = Capture(scrubber=Scrubber(["/acme-[0-9]{30}/"]))
    log.info("%s %s%s", "x" * at, "acme-123456789012345678901234567890", " y" * 9_000)
    log.error("failed")
    assert "1234" not in json.dumps(keeper.events[0])


@pytest.mark.slow
@given(st.lists(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.binary(), st.lists(st.text()))))
def test_any_arguments(args):
    """Any message with any arguments is kept and shown as text, and nothing is raised."""
    handler = BreadcrumbHandler()
    record = logging.makeLogRecord(
        {"msg": "%s %d %(a)s" if len(args) % 2 else "%s", "args": tuple(args), "levelno": 20}
    )
    handler.handle(record)
    (crumb,) = breadcrumbs.recent()
    handler.close()
    assert isinstance(crumb["message"], str)
    json.dumps(crumb, allow_nan=False)


# Whose they are -------------------------------------------------------------------------------------------------


def test_each_thread_its_own(log, keeper):
    """Errors of two threads have only the records of their own."""
    turns = threading.Barrier(2, timeout=10)

    def work(name):
        for number in range(3):
            turns.wait()
            log.info("%s %d", name, number)
        turns.wait()
        log.error("failed in %s", name)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, "ab"))
    for event in keeper.events:
        name = event["message"][-1]
        assert messages(event) == [f"{name} {number}" for number in range(3)]


def test_each_task_its_own(log, keeper):
    """A task begins with what its parent had, and from there on neither sees what the other does."""

    async def child(name):
        log.info("child %s", name)
        await asyncio.sleep(0)
        log.error("child %s failed", name)

    async def parent():
        log.info("parent")
        tasks = [asyncio.create_task(child(name)) for name in "ab"]
        await asyncio.gather(*tasks)
        log.error("parent failed")

    asyncio.run(parent())
    assert {event["message"]: messages(event) for event in keeper.events} == {
        "child a failed": ["parent", "child a"],
        "child b failed": ["parent", "child b"],
        "parent failed": ["parent"],
    }


def test_tasks_of_a_parent_that_said_nothing(log, keeper):
    """Tasks do not see each other's records either where their parent never logged, as in a server."""

    async def child(name):
        log.info("child %s", name)
        await asyncio.sleep(0)
        log.error("child %s failed", name)

    async def parent():
        await asyncio.gather(child("a"), child("b"))

    log.info("start")
    asyncio.run(parent())
    assert [messages(event) for event in keeper.events] == [["start", "child a"], ["start", "child b"]]


def test_after_the_loop(log, keeper):
    """What ends asyncio.run is logged outside of the task, and still has what led to it."""

    async def fail():
        log.info("inside")
        raise ValueError("no")

    try:
        asyncio.run(fail())
    except ValueError:
        log.exception("died")
    assert messages(keeper.events[0]) == ["inside"]


def test_threads_that_work_for_a_task(log, keeper):
    """What a task has done by a thread of a pool belongs to the task, whoever of the two fails."""

    def look_up():
        log.info("in the pool")
        log.error("pool failed")

    async def endpoint():
        log.info("in the task")
        await asyncio.to_thread(look_up)
        log.error("task failed")

    asyncio.run(endpoint())
    assert [messages(event) for event in keeper.events] == [
        ["in the task", "in the pool"],
        ["in the task", "in the pool", "pool failed"],
    ]


def test_greenlet_that_is_being_imported(log, keeper, monkeypatch):
    """A thread that logs while another imports greenlet is no trouble, and a request begins as ever."""
    monkeypatch.setitem(sys.modules, "greenlet", types.ModuleType("greenlet"))
    breadcrumbs.begin()
    log.info("before")
    log.error("failed")
    assert messages(keeper.events[0]) == ["before"]


def test_greenlets(log, keeper, monkeypatch):
    """A greenlet has crumbs of its own; the main one of a thread is the thread."""

    class Greenlet:
        def __init__(self, parent) -> None:
            self.parent = parent

    main = Greenlet(None)
    green = [Greenlet(main) for _ in range(2)]
    now = [main]
    monkeypatch.setitem(sys.modules, "greenlet", types.SimpleNamespace(getcurrent=lambda: now[0]))
    contexts = [breadcrumbs.contextvars.copy_context() for _ in green]
    for step in ("one", "two"):
        for number in (0, 1):
            now[0] = green[number]
            contexts[number].run(log.info, "%s of %d", step, number)
    for number in (0, 1):
        now[0] = green[number]
        contexts[number].run(log.error, "failed")
    assert [messages(event) for event in keeper.events] == [["one of 0", "two of 0"], ["one of 1", "two of 1"]]


def test_memory_of_many(log):
    """Rings end with their tasks and threads: thousands of them leave nothing behind."""
    rings, make = weakref.WeakSet(), breadcrumbs.Ring

    def begin(*args):
        rings.add(ring := make(*args))
        return ring

    async def many():
        for _ in range(20):
            await asyncio.gather(*(child(number) for number in range(100)))

    async def child(number):
        log.info("child %d", number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(breadcrumbs, "Ring", begin)
        asyncio.run(many())
        for _ in range(200):
            thread = threading.Thread(target=log.info, args=("thread",))
            thread.start()
            thread.join()
        gc.collect()
        assert len(rings) <= 3


def test_a_fork_begins_with_its_parents(log, keeper):
    """A forked child knows what led to it."""
    log.info("before the fork")
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            log.error("child failed")
            os.write(write, json.dumps(messages(keeper.events[0])).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(write)
    with os.fdopen(read) as said:
        assert json.load(said) == ["before the fork"]


# Queues ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def listening(*handlers):
    """Have handlers listen to a queue; yields the handler that fills it."""
    waiting = queue.Queue()
    listener = logging.handlers.QueueListener(waiting, *handlers)
    listener.start()
    try:
        yield logging.handlers.QueueHandler(waiting)
    finally:
        listener.stop()


def test_before_a_queue(keeper):
    """An error that is reported behind a queue has the crumbs of the task that logged it."""
    crumbs = BreadcrumbHandler()
    logger = logging.Logger("shop")  # noqa: LOG001

    async def child(name):
        logger.info("child %s", name)
        await asyncio.sleep(0)
        logger.error("failed %s", name)
        logger.info("later")

    async def parent():
        await asyncio.gather(child("a"), child("b"))

    with listening(keeper) as handler:
        logger.handlers = [crumbs, handler]
        asyncio.run(parent())
    crumbs.close()
    assert [messages(event) for event in keeper.events] == [["child a"], ["child b"]]


def test_behind_a_queue(keeper):
    """Behind a queue, crumbs are told apart by the thread that the record tells, and are bounded."""
    crumbs = BreadcrumbHandler()
    logger = logging.Logger("shop")  # noqa: LOG001
    alive = threading.Barrier(2, timeout=10)

    def work(name):
        logger.info("step of %s", name)
        alive.wait()
        logger.error("failed %s", name)

    with listening(crumbs, keeper) as handler:
        logger.handlers = [handler]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, "ab"))
    for number in range(2_000):
        crumbs.handle(logging.makeLogRecord({"thread": -number - 1, "levelno": 20, "msg": "x"}))
    assert len(breadcrumbs._afar) <= breadcrumbs.MAX_AFAR
    crumbs.close()
    assert {event["message"]: messages(event) for event in keeper.events} == {
        "failed a": ["step of a"],
        "failed b": ["step of b"],
    }


def test_number_of_a_thread_that_is_gone(keeper):
    """Behind a queue a thread has no crumbs of one that is gone, although the system gave it the same number."""
    crumbs = BreadcrumbHandler()
    for name in ("first", "second"):
        fields = {"thread": -1, "threadName": name, "name": "shop", "created": 1.0}
        crumbs.handle(logging.makeLogRecord(fields | {"levelno": 20, "msg": f"step of {name}"}))
        error = {"levelno": 40, "levelname": "ERROR", "msg": "failed", "created": 2.0}
        keeper.handle(logging.makeLogRecord(fields | error))
    crumbs.close()
    assert [messages(event) for event in keeper.events] == [["step of first"], ["step of second"]]


def test_buffered(log, keeper):
    """An error that a MemoryHandler held back has what came before it, and nothing later."""
    log.removeHandler(keeper)
    buffer = logging.handlers.MemoryHandler(10, flushLevel=100, target=keeper)
    log.addHandler(buffer)
    log.info("before")
    log.error("failed")
    log.info("after")
    buffer.close()
    assert messages(keeper.events[0]) == ["before"]


def test_what_stands_on_a_record_travels(log):
    """What leads from a record to its crumbs is an empty text to others, and pickles and copies as one."""
    seen = []
    log.addHandler(logging.Handler())
    log.handlers[-1].emit = seen.append
    log.error("failed")
    trail = seen[0].__dict__[breadcrumbs.FIELD]
    assert trail == ""
    assert type(pickle.loads(pickle.dumps(seen[0].__dict__))[breadcrumbs.FIELD]) is str
    assert type(copy.deepcopy(trail)) is str
    here = "import sys, pickle; print(pickle.loads(sys.stdin.buffer.read()), 'loghub' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", here], input=pickle.dumps({"a": trail}), capture_output=True, check=True, cwd="/"
    )
    assert done.stdout.decode().split() == ["{'a':", "''}", "False"]


# Of the whole process -------------------------------------------------------------------------------------------


def test_recent(log):
    """The last crumbs of all threads come in their order, clean, with their thread's name, as many as asked for."""
    log.info("first, password=%s", "hunter2-and-more")
    thread = threading.Thread(target=log.info, args=("second",), name="worker-1")
    thread.start()
    thread.join()
    log.info("third")
    found = breadcrumbs.recent()
    assert [one["message"] for one in found] == ["first, password=[Filtered]", "second", "third"]
    assert found[1]["thread"] == "worker-1"
    assert breadcrumbs.recent(1) == found[-1:]
    assert breadcrumbs.recent(0) == []
    for number in range(300):
        log.info("%d", number)
    assert len(breadcrumbs.recent(1_000)) == breadcrumbs.MAX_RECENT


def test_recent_hides_own_credentials(log):
    """A credential that a handler was given is gone from what a dying process leaves."""
    from loghub.scrub import own

    own.hide("own-Token4-Zk3mPq8sVx1cYb7")
    log.info("the token %s is fine", "own-Token4-Zk3mPq8sVx1cYb7")
    assert "Zk3mPq8" not in json.dumps(breadcrumbs.recent())


def test_mark(log):
    """The mark is another one after each crumb, and the same while nothing comes."""
    before = breadcrumbs.mark()
    assert before is None
    log.info("a")
    first = breadcrumbs.mark()
    assert first is breadcrumbs.mark()
    log.info("a")
    assert breadcrumbs.mark() is not first


# For people -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("crumb", "line"),
    [
        (
            {"timestamp": "2026-01-02T03:04:05.678Z", "level": "INFO", "logger": "shop", "message": "a\nb"},
            "03:04:05.678 INFO shop: a b",
        ),
        ({"message": "a", "error_type": "KeyError", "extra": {"user": 1}}, "a [KeyError] [{'user': 1}]"),
        ({"timestamp": 7, "level": None}, "7:"),
        ("just\na text", "just a text"),
        (None, "None"),
    ],
)
def test_line(crumb, line):
    """A crumb is one line, whatever a before_send has put there."""
    assert breadcrumbs.line(crumb) == line


# Options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [0, -1, "many", True, 1.5, 1_001, 10**30, float("inf")])
def test_bad_capacity(capacity):
    """A capacity that is no whole number from 1 to 1,000 is refused by name."""
    with pytest.raises(OptionValueError, match="BreadcrumbHandler: option 'capacity'"):
        BreadcrumbHandler(capacity=capacity)


def test_unknown_option():
    """An unknown option is refused with the nearest right one."""
    with pytest.raises(UnknownOptionError, match="did you mean 'capacity'"):
        BreadcrumbHandler(capacty=5)


def test_failure_is_told_once_without_secrets(log, capsys, monkeypatch):
    """What goes wrong in the handler is said once, and does not reach the application."""
    monkeypatch.setattr(breadcrumbs, "_crumb", lambda record: 1 / 0)
    for _ in range(3):
        log.info("password=%s", "hunter2-and-more")
    said = capsys.readouterr().err
    assert said.count("Logging error") == 1
    assert "hunter2" not in said
