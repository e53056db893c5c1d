"""Code paths: two errors share one if they came on one way, and none is kept alive or taken for another."""

from __future__ import annotations

import gc
import weakref

import pytest

from loghub import codepath
from tests.rendering.hostile import caught


def one_line_or_other(which):
    """Raise at one of two lines."""
    if which:
        raise ValueError("same")
    raise ValueError("same")


def deeper(n, act):
    """Call `act` from `n` frames down."""
    return deeper(n - 1, act) if n else act()


def path(act, *args):
    """Return the code path of what `act` raises."""
    error = caught(act, *args)
    return codepath.of(error, error.__traceback__)


def with_cause(which, cause):
    """Raise because of something that was raised at one of two lines."""
    try:
        one_line_or_other(which)
    except ValueError as error:
        if cause == "cause":
            raise KeyError("x") from error
        if cause == "none":
            raise KeyError("x") from None
        raise KeyError("x")  # noqa: B904 - the context is what this is about


def grouped(*which):
    """Raise a group of what was raised at one of two lines."""
    raise ExceptionGroup("g", [caught(one_line_or_other, one) for one in which])


SAME = [
    (one_line_or_other, True),
    (deeper, 30, lambda: one_line_or_other(True)),
    (with_cause, True, "context"),
    (with_cause, True, "cause"),
    (with_cause, True, "none"),
    (grouped, True, False),
    (deeper, 400, lambda: one_line_or_other(False)),
]


@pytest.mark.parametrize("way", SAME, ids=[way[0].__name__ + str(n) for n, way in enumerate(SAME)])
def test_same_way(way):
    """What comes again on one way has one code path, whatever its message and notes."""
    first, again = caught(*way), caught(*way)
    again.add_note("seen twice")
    assert codepath.of(first, first.__traceback__) is codepath.of(again, again.__traceback__)


def test_other_ways():
    """Another line, depth, class, cause, relation or member is another code path, though the frames are shared."""
    ways = [
        (one_line_or_other, True),
        (one_line_or_other, False),
        (deeper, 3, lambda: one_line_or_other(True)),
        (deeper, 4, lambda: one_line_or_other(True)),
        (with_cause, True, "cause"),
        (with_cause, False, "cause"),
        (with_cause, True, "none"),
        (with_cause, True, "context"),
        (grouped, True),
        (grouped, True, True),
        (grouped, True, False),
        (grouped, False, True),
    ]
    assert len({path(*way) for way in ways}) == len(ways)


def test_stack_alone():
    """The path of a traceback alone is none of an exception, and counts no causes."""
    one, other = caught(with_cause, True, "cause"), caught(with_cause, False, "cause")
    assert codepath.of_stack(one.__traceback__) is codepath.of_stack(other.__traceback__)
    assert codepath.of_stack(one.__traceback__) is not path(with_cause, True, "cause")


def generated(number):
    """Return a function of code of its own, and a class of its own that it raises."""
    scope = {"__name__": "shop", "Error": type(f"Error{number}", (Exception,), {})}
    exec(f"def f():\n    raise Error({number})\n", scope)
    return scope


@pytest.mark.parametrize("name", ["f", "Error"])
def test_goes_with_its_objects(name):
    """A code path is forgotten when code or class dies, and keeps neither alive."""
    scope = generated(1)
    before = set(codepath._known)
    path(scope["f"])
    (key,) = set(codepath._known) - before
    alive = weakref.ref(scope["f"].__code__ if name == "f" else scope["Error"])
    scope.clear()
    gc.collect()
    assert alive() is None
    assert key not in codepath._known


@pytest.mark.slow
def test_generator_of_code():
    """20,000 code objects and classes that come and go leave nothing behind, and no id is taken for another's."""
    before = len(codepath._known)
    seen = set()
    for number in range(20_000):
        scope = generated(number)
        seen.add(id(path(scope["f"])))
        scope["Error"] = None
    scope.clear()
    gc.collect()
    assert len(codepath._known) <= before + 1


def test_bounded():
    """Code that stays alive makes no more entries than there may be; the newest are there."""
    kept = [generated(number) for number in range(codepath.MAX_PATHS + 100)]
    newest = [path(scope["f"]) for scope in kept][-1]
    assert len(codepath._known) <= codepath.MAX_PATHS
    assert path(kept[-1]["f"]) is newest


def test_recursion_makes_short_keys():
    """A stack of hundreds of frames is known by a hash; a text must not be remembered for it."""
    before = set(codepath._known)
    assert not path(deeper, 700, lambda: one_line_or_other(True)).exact
    assert max(map(len, set(codepath._known) - before)) < 100
    assert path(deeper, 3, lambda: one_line_or_other(True)).exact


class BrokenCauseError(Exception):
    @property
    def __cause__(self):
        raise RuntimeError("not to be asked")


def test_exception_that_breaks():
    """What an exception raises when it is looked at goes to the caller, who knows what to do."""
    with pytest.raises(RuntimeError, match="not to be asked"):
        codepath.of(BrokenCauseError(), None)
