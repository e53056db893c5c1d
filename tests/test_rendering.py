import gc
import linecache
import logging
import os
import sys
import textwrap
import traceback
import types
import weakref

import pytest

from loghub import rendering
from loghub.formatters import CachedTracebacks
from loghub.rendering import Renderer
from tests.rendering.hostile import caught


def info_of(exc):
    """Return what sys.exc_info() gave."""
    return type(exc), exc, exc.__traceback__


def printed(exc):
    """Return what the interpreter prints."""
    return "".join(traceback.format_exception(*info_of(exc)))


def odd(n, error):
    """Fail `n` frames down."""
    return even(n - 1, error) if n else fail(error)


def even(n, error):
    """Fail `n` frames down, through comprehensions."""
    if n:
        return [odd(n - 1, error) for _ in range(1)]
    return fail(error)


def fail(error):
    """Raise `error`."""
    raise error


def dive(n):
    """Fail in a recursion."""
    return dive(n - 1) + 1 if n else 1 // 0


def test_repeat_is_not_rendered(monkeypatch):
    """A repeat asks the standard library for nothing, also with another message."""
    renderer = Renderer()
    renderer.render(info_of(caught(odd, 5, ValueError("one"))))
    monkeypatch.setattr(traceback, "extract_tb", None)
    monkeypatch.setattr(traceback, "format_exception", None)
    monkeypatch.setattr(traceback, "TracebackException", None)
    assert renderer.render(info_of(caught(odd, 5, ValueError("two")))).endswith("ValueError: two\n")


def test_two_raises_in_one_function():
    """Two lines of one function are two texts."""

    def raiser(which):
        if which:
            raise ValueError("same")
        raise ValueError("same")

    renderer = Renderer()
    for which in (0, 1, 0, 1):
        error = caught(raiser, which)
        assert renderer.render(info_of(error)) == printed(error)


def module(path, text):
    """Write and load a module that can raise."""
    path.write_text(textwrap.dedent(text))
    loaded = types.ModuleType("changing")
    exec(compile(path.read_text(), str(path), "exec"), vars(loaded))
    return loaded


def test_source_changes(tmp_path):
    """A source file that changes while running shows its new lines, as the interpreter would."""
    path = tmp_path / "changing.py"
    loaded = module(path, "def f():\n    raise ValueError  # the old line\n")
    renderer = Renderer()
    first = renderer.render(info_of(caught(loaded.f)))
    assert "the old line" in first
    path.write_text("def f():\n    raise ValueError  # the new, longer line\n")
    error = caught(loaded.f)
    assert renderer.render(info_of(error)) == printed(error)
    assert "the new, longer line" in renderer.render(info_of(error))
    path.unlink()
    error = caught(loaded.f)
    assert renderer.render(info_of(error)) == printed(error)


def test_storm_looks_at_files_now_and_then(tmp_path, monkeypatch):
    """In a storm the files are looked at only now and then, and a change shows when it is time again."""
    path = tmp_path / "changing.py"
    loaded = module(path, "def f():\n    raise ValueError  # the old line\n")
    clock = [0.0]
    renderer = Renderer(now=lambda: clock[0])
    looks = []
    real = os.stat
    monkeypatch.setattr(rendering.os, "stat", lambda name: looks.append(name) or real(name))
    for _ in range(1000):
        renderer.render(info_of(caught(loaded.f)))
    assert len(looks) < 150
    path.write_text("def f():\n    raise ValueError  # the new, longer line\n")
    clock[0] += 1
    assert "the new, longer line" in renderer.render(info_of(caught(loaded.f)))


def test_source_that_appears_later(tmp_path):
    """A file that was missing is read once it is there."""
    path = tmp_path / "late.py"
    loaded = module(path, "def f():\n    raise ValueError  # here\n")
    path.unlink()
    renderer = Renderer()
    assert "# here" not in renderer.render(info_of(caught(loaded.f)))
    path.write_text("def f():\n    raise ValueError  # here\n")
    error = caught(loaded.f)
    assert renderer.render(info_of(error)) == printed(error)
    assert "# here" in renderer.render(info_of(error))


@pytest.mark.slow
def test_generated_code_with_one_name():
    """Code under one invented file name is not mixed up, though its objects die and ids return."""
    renderer = Renderer()
    for number in range(3000):
        names = {}
        exec(f"def f_{number % 7}():\n" + "\n" * (number % 5) + "    raise ValueError", names)
        error = caught(names[f"f_{number % 7}"])
        assert renderer.render(info_of(error)) == printed(error)
    assert len(renderer._stacks) <= rendering.MAX_STACKS
    assert len(renderer._frames) <= rendering.MAX_FRAMES


def test_lines_from_linecache():
    """Lines that a program puts into linecache (attrs, IPython) count, and so does their change."""
    name = "<generated 7>"
    names = {}
    exec(compile("def f():\n    raise ValueError", name, "exec"), names)
    renderer = Renderer()
    for line in ("raise ValueError  # one", "raise ValueError  # two"):
        linecache.cache[name] = (1, None, ["def f():\n", f"    {line}\n"], name)
        error = caught(names["f"])
        assert renderer.render(info_of(error)) == printed(error)
        assert line in renderer.render(info_of(error))


def test_cycle():
    """Exceptions that are each other's cause are printed as the interpreter does."""
    first, second = caught(fail, ValueError("a")), caught(fail, KeyError("b"))
    first.__cause__, second.__cause__ = second, first
    assert Renderer().render(info_of(first)) == printed(first)


def test_no_traceback():
    """An exception that was never raised has only its last line."""
    assert Renderer().render(info_of(ValueError("never"))) == "ValueError: never\n"


def test_tracebacklimit(monkeypatch):
    """sys.tracebacklimit counts."""
    error = caught(odd, 5, ValueError("x"))
    renderer = Renderer()
    renderer.render(info_of(error))
    monkeypatch.setattr(sys, "tracebacklimit", 2, raising=False)
    assert renderer.render(info_of(error)) == printed(error)


def test_line_numbers_set_by_hand():
    """A traceback that was made by hand shows the line it was given."""
    error = caught(fail, ValueError("x"))
    renderer = Renderer()
    renderer.render(info_of(error))
    tb = error.__traceback__
    error = error.with_traceback(types.TracebackType(None, tb.tb_frame, tb.tb_lasti, 1))
    assert renderer.render(info_of(error)) == printed(error)


def test_holds_no_error():
    """Neither exception nor frame is kept alive."""

    class Big:
        pass

    def holder(renderer):
        big = Big()
        alive.append(weakref.ref(big))
        error = caught(fail, ValueError("x"))
        try:
            raise error
        except ValueError as again:
            renderer.render(info_of(again))
            again.__traceback__ = None
        del error

    alive = []
    renderer = Renderer()
    holder(renderer)
    gc.collect()
    assert alive[0]() is None


@pytest.mark.parametrize("times", [2, 3, 4, 5, 30])
def test_folding(times):
    """Repeated lines are folded as the interpreter does."""
    error = caught(dive, times)
    assert Renderer().render(info_of(error)) == printed(error)


class OwnFormatter(logging.Formatter):
    def formatException(self, ei):
        return "mine"


class OwnFormat(logging.Formatter):
    def format(self, record):
        assert record.exc_text is None
        return super().format(record)


class Fast(CachedTracebacks, logging.Formatter):
    pass


def record_of(error):
    """Return a record as logger.exception makes it."""
    return logging.LogRecord("shop", logging.ERROR, __file__, 1, "failed", (), info_of(error))


@pytest.mark.parametrize("kind", [None, logging.Formatter, OwnFormatter, OwnFormat, Fast])
def test_fill_leaves_formatters_alone(kind):
    """The line and the record's exc_text are what they would be without us, whatever the formatter."""
    error = caught(odd, 4, ValueError("x"))
    ours, theirs = record_of(error), record_of(error)
    formatter = kind and kind("%(message)s")
    rendering.fill(ours, formatter)
    used = formatter or logging.Formatter("%(message)s")
    plain = logging.Formatter("%(message)s") if kind is Fast else used
    assert used.format(ours) == plain.format(theirs)
    assert ours.exc_text == theirs.exc_text


def test_fill_without_exception():
    """Records without an exception, or with a text that is there already, stay as they are."""
    record = record_of(ValueError("x"))
    record.exc_info = (None, None, None)
    rendering.fill(record, None)
    assert record.exc_text is None
    record = record_of(ValueError("x"))
    record.exc_text = "kept"
    rendering.fill(record, None)
    assert record.exc_text == "kept"


def test_mixin_without_exception():
    """The mixin prints what logging prints where there was no exception."""
    nothing = (None, None, None)
    assert Fast().formatException(nothing) == logging.Formatter().formatException(nothing)
