"""`call` and `reopen`: the application's own functions, by name or by themselves."""

from __future__ import annotations

import functools
import sys
import types

import pytest

from loghub import procedures
from loghub.errors import OptionValueError, ProcedureError
from loghub.procedures import clock

TOKEN = "ghp_" + "a1B2c3D4e5" * 4


class Camera:
    """A device that opens at the n-th try, and says how it failed before."""

    def __init__(self, failures):
        self.failures = list(failures)
        self.opened_with = []

    def open(self, **arguments):
        self.opened_with.append(arguments)
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            return failure
        return None


@pytest.fixture
def shop(monkeypatch):
    """The application's module ``shop_camera``, with a camera of which the first tries fail."""
    module = types.ModuleType("shop_camera")
    module.camera = Camera([])
    monkeypatch.setitem(sys.modules, "shop_camera", module)
    return module


@pytest.mark.parametrize("name", ["shop_camera:camera.open", "shop_camera.camera.open"])
def test_by_name(shop, name):
    """Both ways to write a dotted name are understood; the arguments reach the function, the event does not."""
    assert procedures.call({"error_type": "X"}, function=name, index=1, event="mine") is True
    assert procedures.reopen({"error_type": "X"}, call=name, arguments={"index": 2}) is True
    assert shop.camera.opened_with == [{"index": 1, "event": "mine"}, {"index": 2}]


class NumpyBool:
    """What OpenCV may return: not a bool, but named so."""

    def __bool__(self):
        return False


NumpyBool.__name__ = "bool_"


@pytest.mark.parametrize(
    ("returned", "worked"),
    [(one, True) for one in (None, True, 0, "", [], object())] + [(False, False), (NumpyBool(), False)],
)
def test_what_counts(returned, worked):
    """Whatever a function returns, it did its work, unless it is False; the same for both procedures."""
    assert procedures.call({}, function=lambda: returned) is worked
    if worked:
        assert procedures.reopen({}, call=lambda: returned, tries=1) is True
    else:
        with pytest.raises(ProcedureError, match=r"called once without success; the last time it returned False\.$"):
            procedures.reopen({}, call=lambda: returned, tries=1)


def test_reopens_late(shop, time):
    """It is called again with growing waits until it succeeds."""
    shop.camera.failures = [OSError("busy"), False, OSError("busy"), False]
    assert procedures.reopen({}, call="shop_camera:camera.open", first_wait=2, longest_wait=5) is True
    assert time.slept == [2, 4, 5, 5]


def test_never_reopens(shop, time, monkeypatch):
    """After the last try the last failure is told, in one line and without secrets."""
    monkeypatch.setattr(clock, "uniform", lambda least, _: least)
    shop.camera.failures = [ValueError("first"), False, OSError(f"device\nis busy, token {TOKEN}" + "x" * 9999)]
    with pytest.raises(ProcedureError) as caught:
        procedures.reopen({}, call="shop_camera:camera.open", tries=3)
    reason = str(caught.value)
    assert reason.startswith(
        "shop_camera:camera.open was called 3 times without success; the last time it raised OSError: device is busy"
    )
    assert TOKEN not in reason
    assert "\n" not in reason
    assert len(reason) < 500
    assert time.slept == [0.125, 0.25]
    assert caught.value.__suppress_context__


def test_call_raises(shop):
    """What the function raised is the reason; it is called once."""
    shop.camera.failures = [KeyError("index"), None]
    with pytest.raises(ProcedureError, match=r"^shop_camera:camera\.open raised KeyError: 'index'\.$"):
        procedures.call({}, function="shop_camera:camera.open")
    assert len(shop.camera.opened_with) == 1


def test_unprintable():
    """An exception that cannot be printed is named by its class."""

    class Broken(Exception):
        def __str__(self):
            raise RuntimeError

    def fail():
        raise Broken

    with pytest.raises(ProcedureError, match="raised Broken: <unprintable>"):
        procedures.call({}, function=fail)


def test_wrong_arguments(shop):
    """Arguments that the function does not have are told as it tells them."""
    with pytest.raises(ProcedureError, match=r"raised TypeError: .*unexpected keyword argument 'indx'"):
        procedures.call({}, function=lambda index: None, indx=1)


@pytest.mark.parametrize("run", [lambda f: procedures.call({}, function=f), lambda f: procedures.reopen({}, call=f)])
def test_async(run, time):
    """A function that is async would never run: that is said, and not taken for success."""

    async def reopen():
        pass

    with pytest.raises(OptionValueError, match="a function that is not async"):
        run(reopen)
    with pytest.raises(ProcedureError, match="returned something to be awaited, which nothing does here"):
        run(functools.partial(lambda function: function(), reopen))
    assert not time.slept


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("shop_camera:camera.opn", "AttributeError: .*'opn'"),
        ("shop_camera.gone", "no attribute 'gone'"),
        ("no_such_shop.camera:open", "ModuleNotFoundError: No module named 'no_such_shop'"),
        ("shop_camera:number", "a function that is not async"),
    ],
)
def test_no_such_function(shop, name, why):
    """A name that leads nowhere is refused with what went wrong on the way."""
    shop.number = 3
    for procedure, option in ((procedures.call, "function"), (procedures.reopen, "call")):
        with pytest.raises(OptionValueError, match=f"option '{option}' cannot be '{name}'; it must be .*{why}"):
            procedure({}, **{option: name})
