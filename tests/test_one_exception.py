"""One exception is one occurrence, however often it is logged on its way out."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import pickle
import subprocess
import sys
import textwrap
import threading
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from loghub.delivery import deliverer
from loghub.filters import EventFilter
from loghub.hooks import Hooks
from loghub.sighting import COUNTED
from tests.channels import Told


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    """Let nothing be delivered but by the rounds that the test makes."""
    monkeypatch.setattr(deliverer, "by_hand", True)


@pytest.fixture
def attach(tmp_path):
    """Return what attaches a handler of a home to loggers."""
    made = []

    def one(*loggers, home="home", destination="list:told", **options):
        handler = Told(destination, home=str(tmp_path / home), **options)
        for name in loggers:
            logging.getLogger(name).addHandler(handler)
            made.append((name, handler))
        return handler

    yield one
    for name, handler in made:
        logging.getLogger(name).removeHandler(handler)
        handler.close()


app, framework = logging.getLogger("app"), logging.getLogger("framework")


def told(handler):
    """Return what a handler's destination was told, by type."""
    handler.home.round()
    said = Counter()
    for kind, count in handler.told:
        said[kind] += count
    return dict(said)


def charge(error=None):
    """Fail, log it, and raise again."""
    try:
        raise error or ValueError("bad price")
    except Exception:
        app.exception("charge failed")
        raise


def request(error=None):
    """Do as a framework does: log what comes, and return it."""
    try:
        charge(error)
    except Exception as exc:
        framework.exception("GET /pay")
        return exc


@pytest.mark.parametrize("times", [1, 60])
def test_logged_raised_logged(attach, times):
    """What is logged inside and again outside counts once for each time it happened, and is one bug."""
    one = attach("app", "framework")
    for _ in range(times):
        request()
    assert told(one) == {"ValueError": times}
    assert len(one.home.ledger().groups()) == 1


def test_up_to_the_hook(attach):
    """What was logged and then ends the program, or a thread, is not counted again by the hooks."""
    one = attach("app", "framework", "loghub.uncaught")
    before = sys.excepthook, threading.excepthook
    sys.excepthook = threading.excepthook = lambda *_: None
    hooks = Hooks()
    try:
        exc = request()
        sys.excepthook(type(exc), exc, exc.__traceback__)
        with pytest.raises(ValueError):
            charge()
        thread = threading.Thread(target=charge)
        thread.start()
        thread.join()
    finally:
        hooks.remove()
        sys.excepthook, threading.excepthook = before
    assert told(one) == {"ValueError": 3}


def test_a_task_that_nobody_waits_for(attach):
    """What a task logged is not counted again when asyncio says that nobody retrieved its exception."""
    one = attach("app", "asyncio")

    async def fail():
        charge()

    async def main():
        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(main())
    assert told(one) == {"ValueError": 1}


def test_a_pool(attach):
    """What a worker logged and its caller gets from the future is one occurrence."""
    one = attach("app", "framework")
    with ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            try:
                pool.submit(charge).result()
            except ValueError:
                framework.exception("no result")
    assert told(one) == {"ValueError": 3}


def test_through_another_process(attach):
    """An exception that was counted, pickled and logged where it arrived is the same occurrence."""
    one = attach("app", "framework")
    arrived = pickle.loads(pickle.dumps(request()))
    framework.error("a worker failed", exc_info=arrived)
    assert told(one) == {"ValueError": 1}


@pytest.mark.slow
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_pool_of_processes(tmp_path, start):
    """With one home for all processes of a pool, parent and worker count one exception once."""
    script = tmp_path / "pool.py"
    script.write_text(
        textwrap.dedent(f"""
        import logging, logging.config, multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        logging.config.dictConfig({{"version": 1, "root": {{"handlers": ["detail"]}}, "handlers": {{"detail": {{
            "class": "loghub.JSONDetailHandler", "directory": {str(tmp_path / "errors")!r},
            "home": {str(tmp_path / "home")!r}}}}}}})

        def work(number):
            try:
                return 1 / 0
            except ZeroDivisionError:
                logging.getLogger("worker").exception("work %d", number)
                raise

        if __name__ == "__main__":
            with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context({start!r})) as pool:
                for future in [pool.submit(work, number) for number in range(6)]:
                    try:
                        future.result()
                    except ZeroDivisionError:
                        logging.getLogger("parent").exception("no result")
    """)
    )
    subprocess.run([sys.executable, script], check=True, cwd=tmp_path, timeout=60)
    shown = subprocess.run(
        [sys.executable, "-m", "loghub", "groups", "--json", "--home", str(tmp_path / "home")],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert [(each["error_type"], each["count"]) for each in json.loads(shown.stdout)] == [("ZeroDivisionError", 6)]


# What is more than one


def test_the_same_object_again(attach):
    """An exception that somebody keeps and raises again at the same place has happened again."""
    one, kept = attach("app", "framework"), KeyError("x")
    for _ in range(7):
        request(kept)
    assert told(one) == {"KeyError": 7}


def logging_its_errors(function):
    """Decorate a function of any kind so that it logs what leaves it, at one line for all of them."""
    if asyncio.iscoroutinefunction(function):

        async def logged(*args):
            try:
                return await function(*args)
            except ValueError:
                app.exception("failed")
                raise
    else:

        def logged(*args):
            try:
                return function(*args)
            except ValueError:
                app.exception("failed")
                raise

    return logged


def test_a_decorator_at_each_function(attach):
    """Who logs on the same line at each function that an exception leaves tells of one occurrence."""
    handler = attach("app")

    @logging_its_errors
    def countdown(n):
        if not n:
            raise ValueError("zero")
        countdown(n - 1)

    for _ in range(3):
        with pytest.raises(ValueError, match="zero"):
            countdown(20)
    assert sum(told(handler).values()) == 3


def test_a_decorator_at_each_coroutine(attach):
    """So it is with coroutines that await each other."""
    handler = attach("app")

    @logging_its_errors
    async def countdown(n):
        await asyncio.sleep(0)
        if not n:
            raise ValueError("zero")
        await countdown(n - 1)

    for _ in range(3):
        with pytest.raises(ValueError, match="zero"):
            asyncio.run(countdown(20))
    assert sum(told(handler).values()) == 3


def test_the_same_object_everywhere(attach):
    """One that turned out to be kept by somebody counts at each place, but where its callers log it on its way."""
    handler = attach("app", "framework")
    kept = ValueError("a constant")
    request(kept)
    request(kept)
    before = sum(told(handler).values())
    assert before == 2
    for number in range(1, 31):
        exec(compile("\n" * number + "try: raise kept\nexcept ValueError: app.exception('x')", "many.py", "exec"), {
            "kept": kept, "app": app,
        })  # fmt: skip
        request(kept)
    handler.told.clear()
    assert before + sum(told(handler).values()) == 2 + 30 + 30


def test_more_places_than_an_exception_passes(attach):
    """One that is logged at more and more places that do not lie on its way is one that somebody keeps."""
    handler = attach("app")
    kept = ValueError("a constant")
    for number in range(1, 31):
        exec(compile("\n" * number + "try: raise kept\nexcept ValueError: app.exception('x')", "many.py", "exec"), {
            "kept": kept, "app": app,
        })  # fmt: skip
    assert sum(told(handler).values()) == 1 + 30 - 16


def test_in_a_loop(attach):
    """One exception that is logged in a loop counts each time."""
    one = attach("app")
    try:
        raise ValueError("bad")
    except ValueError:
        for _ in range(5):
            app.exception("tried")
    assert told(one) == {"ValueError": 5}


def test_another_that_came_of_it(attach):
    """An exception that was made of one that is counted is another one."""
    one = attach("app", "framework")
    try:
        try:
            charge()
        except ValueError as cause:
            raise RuntimeError("no order") from cause
    except RuntimeError:
        framework.exception("GET /order")
    assert told(one) == {"ValueError": 1, "RuntimeError": 1}


def test_a_fingerprint_of_its_own(attach):
    """Who gives a record a fingerprint says that it is another bug."""
    one = attach("app", "framework")
    exc = request()
    framework.error("by hand", exc_info=exc, extra={"fingerprint": "mine"})
    assert told(one) == {"ValueError": 2}
    assert len(one.home.ledger().groups()) == 2


# Who is told


def test_who_has_not_heard_yet(attach):
    """A destination that only the second record reaches is told, of the same bug and without another count."""
    inner = attach("app", destination="list:inner")
    outer = attach("framework", destination="list:outer")
    request()
    request()
    assert told(inner) == {"ValueError": 2}
    assert told(outer) == {"ValueError": 2}
    (group,) = inner.home.ledger().groups()
    assert group.count == 2


def test_by_level(attach):
    """A destination for the gravest only is told when an exception ends the program, though it was counted before."""
    log = attach("app", destination="list:all")
    pager = attach("app", level="CRITICAL", destination="list:pager")
    exc = request()
    app.critical("it ends", exc_info=exc)
    assert (told(log), told(pager)) == ({"ValueError": 1}, {"ValueError": 1})


def test_two_homes(attach):
    """Each home counts an exception once."""
    one = attach("app", "framework", home="one")
    other = attach("app", "framework", home="other")
    request()
    assert (told(one), told(other)) == ({"ValueError": 1}, {"ValueError": 1})


def test_ignored_inside(attach):
    """What is ignored where it was logged first is counted where it is logged next."""
    one = attach("app", "framework")
    one.addFilter(EventFilter(ignore=["app"]))
    request()
    assert told(one) == {"ValueError": 1}


def test_sampled_once(attach):
    """The sample is drawn once for an exception, not for each time that it is logged."""
    one, draws = attach("app", "framework"), iter([False, True, False])
    taken = EventFilter(sample_rate=0.5)
    taken.capture.sample = lambda: next(draws)
    one.addFilter(taken)
    for _ in range(3):
        request()
    assert told(one) == {"ValueError": 1}


# No harm


class Locked(Exception):
    def __setattr__(self, name, value):
        raise AttributeError("frozen")


class Hidden(Exception):
    @property
    def __dict__(self):
        raise RuntimeError("no look inside")


@pytest.mark.parametrize("kind", [Locked, Hidden])
def test_exceptions_that_take_nothing(attach, kind):
    """A class that lets nobody set or see attributes is counted all the same."""
    one = attach("app")
    with pytest.raises(kind):
        charge(kind("x"))
    assert told(one) == {kind.__name__: 1}


@pytest.mark.parametrize("left", [None, 7, "", "v1:zz", "v1:0123456789abcdef\x00", ["v1"], b"v1"])
def test_what_others_left(attach, left):
    """Whatever stands under our name on an exception, it is counted."""
    one, error = attach("app"), ValueError("bad price")
    error.__dict__[COUNTED] = left
    with pytest.raises(ValueError):
        charge(error)
    assert told(one) == {"ValueError": 1}


def test_nothing_is_seen_of_it(attach):
    """What the exception carries is a plain text to others, and in no traceback."""
    attach("app", "framework")
    exc = request()
    assert json.loads(json.dumps(vars(exc)))
    assert COUNTED not in "".join(traceback.format_exception(exc))
    assert type(pickle.loads(pickle.dumps(exc)).__dict__[COUNTED]) is str
