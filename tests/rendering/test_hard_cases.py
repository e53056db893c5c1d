"""What an implementation with a cache gets wrong most easily, one by one."""

from __future__ import annotations

import doctest
import linecache
import logging
import sys
import traceback

import pytest

from loghub import rendering
from loghub.rendering import Renderer
from tests.rendering.hostile import (
    Empty,
    Falsy,
    FalsyGroup,
    Loud,
    TextError,
    caught,
    fail_plainly,
    raise_from,
    raise_it,
    raise_while,
)


def printed(exc):
    """Return what the interpreter prints."""
    return "".join(traceback.format_exception(type(exc), exc, exc.__traceback__))


def rendered(exc, renderer=None):
    """Return what a Renderer makes of it; what it lets through must not end the test run."""
    try:
        return (renderer or Renderer()).render((type(exc), exc, exc.__traceback__))
    except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
        raise AssertionError(f"let through a {type(error).__name__}") from None


@pytest.mark.parametrize("kind", [Falsy, Empty, lambda said: FalsyGroup(said, [KeyError(1)])])
@pytest.mark.parametrize("link", [raise_from, raise_while])
def test_untrue_exception(kind, link):
    """Of an exception that is not true, the interpreter (3.11 to 3.13) shows neither cause nor context."""
    exc = caught(link, kind("x"), caught(fail_plainly, "before"))
    assert rendered(exc) == printed(exc)
    outer = caught(link, KeyError("outer"), exc)
    assert rendered(outer) == printed(outer)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError])
def test_text_that_cannot_be_made(kind):
    """Whatever an exception's __str__ raises, its traceback is rendered."""
    exc = caught(raise_it, TextError(kind))
    assert rendered(exc) == printed(exc)
    outer = caught(raise_from, ValueError("x"), exc)
    assert rendered(outer) == printed(outer)


def test_class_that_is_renamed():
    """A class that gets another name is shown under the new one."""
    kind = type("Before", (Exception,), {"__module__": "here"})
    renderer = Renderer()
    for name, module in [("Before", "here"), ("After", "here"), ("After", "there"), ("After", None)]:
        kind.__qualname__, kind.__module__ = name, module
        exc = caught(raise_it, kind("x"))
        assert rendered(exc, renderer) == printed(exc)


@pytest.mark.parametrize(
    ("module", "name"), [(Loud("a"), "x"), ("a", Loud("x")), (Loud("a"), Loud("x")), ("builtins", Loud("x"))]
)
def test_names_that_are_formatted_otherwise(module, name):
    """A class's names are joined; one that stands alone is formatted."""
    kind = type("X", (Exception,), {"__module__": module})
    kind.__qualname__ = name
    exc = caught(raise_it, kind("x"))
    assert rendered(exc) == printed(exc)


class Counted(Exception):
    """Says how often it was asked for its text."""

    asked = 0

    def __str__(self):
        self.asked += 1
        return f"asked {self.asked} times"


class CountedName(NameError):
    """The same, of a kind that may have a suggestion."""

    asked = 0
    __str__ = Counted.__str__


SHAPES = {
    "alone": lambda: caught(raise_it, Counted()),
    "with a note": lambda: noted(caught(raise_it, Counted())),
    "name": lambda: caught(raise_it, CountedName()),
    "caused by a group": lambda: caught(raise_from, Counted(), caught(raise_it, ExceptionGroup("x", [KeyError(1)]))),
    "cause of a name": lambda: caught(raise_from, NameError("x"), caught(raise_it, Counted())),
    "cause of one with a note": lambda: noted(caught(raise_from, ValueError("x"), caught(raise_it, Counted()))),
    "member": lambda: caught(raise_it, ExceptionGroup("x", [caught(raise_it, Counted())])),
    "in a cycle": lambda: in_a_cycle(),  # noqa: PLW0108  it stands below
}


def noted(exc):
    """Return it with a note."""
    exc.add_note("note")
    return exc


def in_a_cycle():
    """Return two that are each other's cause."""
    first, second = caught(raise_it, Counted()), caught(raise_it, Counted())
    first.__cause__, second.__cause__ = second, first
    return first


@pytest.mark.parametrize("shape", SHAPES)
def test_text_is_asked_for_once(shape):
    """An exception is asked for its text once, as by the interpreter: the second text may be another."""
    wanted = printed(SHAPES[shape]())
    renderer = Renderer()
    assert [rendered(SHAPES[shape](), renderer) for _ in range(2)] == [wanted, wanted]


def test_lines_in_a_doctest():
    """The lines that doctest shows while it runs are shown then, and afterwards no more."""
    found = []

    def look():
        exc = sys.exc_info()[1]
        found.append((exc, rendered(exc, renderer), printed(exc)))

    renderer = Renderer()
    example = ">>> try:\n...     1 // 0  # here\n... except ArithmeticError:\n...     look()\n"
    test = doctest.DocTestParser().get_doctest(example, {"look": look}, "example", None, 0)
    doctest.DocTestRunner(verbose=False).run(test)
    ((exc, text, wanted),) = found
    assert text == wanted
    assert "# here" in text
    assert rendered(exc, renderer) == printed(exc)


class Loader:
    """Knows a source, once it can get at it."""

    there = False

    def get_source(self, name):
        """Return the source."""
        if not self.there:
            raise OSError("not now")
        return "def f():\n    raise ValueError  # here\n"


def test_loader_that_failed_for_a_moment():
    """Where a loader could not give the source, as from an archive that was being replaced, it is asked again."""
    loader = Loader()
    names = {"__name__": "lazy", "__loader__": loader}
    exec(compile("def f():\n    raise ValueError", "/nowhere/lazy.py", "exec"), names)
    renderer = Renderer()
    exc = caught(names["f"])
    assert "# here" not in rendered(exc, renderer)
    loader.there = True
    text = rendered(exc, renderer)
    assert text == printed(exc)
    assert "# here" in text


@pytest.mark.parametrize("name", ["getline", "getlines", "updatecache"])
def test_somebody_elses_lines(monkeypatch, name):
    """Where a tool has replaced a function of linecache, its lines are shown, and no others after it."""
    exc = caught(fail_plainly, "x")
    renderer = Renderer()
    rendered(exc, renderer)
    with monkeypatch.context() as patch:
        linecache.clearcache()
        answer = "of the tool\n" if name == "getline" else ["of the tool\n"] * 1000
        patch.setattr(linecache, name, lambda *_: answer)
        assert rendered(exc, renderer) == printed(exc)
    linecache.clearcache()
    assert rendered(exc, renderer) == printed(exc)


def own_print(exc, value=None, tb=None, limit=None, file=None):
    """Print as a tool does that has its own tracebacks."""
    print(f"a tool's traceback of {value!r}", file=file)


def test_somebody_elses_print_exception(monkeypatch):
    """Who has replaced traceback.print_exception finds his own tracebacks in the log, as without loghub."""
    exc = caught(fail_plainly, "x")
    info = type(exc), exc, exc.__traceback__
    rendering.formatted(info)
    monkeypatch.setattr(traceback, "print_exception", own_print)
    assert rendering.formatted(info) == logging.Formatter().formatException(info)


def test_raises_what_the_interpreter_raises(monkeypatch):
    """Where the interpreter cannot print an exception, a Renderer raises the same."""
    exc = caught(fail_plainly, "x")
    renderer = Renderer()
    rendered(exc, renderer)
    monkeypatch.setattr(sys, "tracebacklimit", "three", raising=False)
    with pytest.raises(TypeError) as wanted:
        printed(exc)
    with pytest.raises(TypeError) as raised:
        rendered(exc, renderer)
    assert str(raised.value) == str(wanted.value)


def test_str_of_a_reluctant_class():
    """An exception whose __str__ returns a str that fails whoever asks for its text is printed as by traceback."""

    class Reluctant(str):
        __slots__ = ()

        def __str__(self):
            raise RuntimeError("no text")

    class Odd(Exception):
        def __str__(self):
            return Reluctant("x")

    try:
        raise Odd
    except Odd as error:
        info = (Odd, error, error.__traceback__)
    assert rendering.formatted(info) == "".join(traceback.format_exception(*info)).removesuffix("\n")
