"""Texts of tracebacks are read back into what they were printed from."""

from __future__ import annotations

import sys
import time
import traceback

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loghub.traceback_text import parse_javascript, parse_traceback, qualify


class Outer:
    """A place for a class within a class and for methods."""

    class InnerError(Exception):
        """Its name has a dot in it."""

    def fail(self, error: BaseException) -> None:
        raise error


def fail(error: BaseException, depth: int) -> None:
    """Raise `error` from `depth` calls below."""
    if depth:
        fail(error, depth - 1)
    raise error


LINE_ENDS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
messages = st.one_of(
    st.sampled_from(["", "no such thing", "[Errno 2] No such file: '/x'", "a: b: c", "two\nlines", "  | odd"]),
    st.text(st.characters(codec="utf-8", exclude_characters=LINE_ENDS), max_size=20).map(str.strip),
)
plain = st.builds(
    lambda kind, message: kind(message) if message else kind(),
    st.sampled_from([ValueError, OSError, Outer.InnerError, RuntimeError]),
    messages,
)


def groups(inner: st.SearchStrategy[Exception]) -> st.SearchStrategy[ExceptionGroup]:
    """Groups of one to three."""
    return st.builds(ExceptionGroup, st.just("some failed"), st.lists(inner, min_size=1, max_size=3))


errors = st.recursive(plain, groups, max_leaves=6)
chains = st.lists(st.tuples(errors, st.integers(0, 2), st.booleans()), min_size=1, max_size=3)


def raised(chain: list[tuple[Exception, int, bool]]) -> Exception:
    """Raise each of `chain`, the later ones from or during the earlier; return the last."""
    last: Exception | None = None
    for error, depth, explicit in chain:
        try:
            if last is None:
                fail(error, depth)
            elif explicit:
                raise error from last
            else:
                try:
                    raise last
                except Exception:
                    fail(error, depth)
        except Exception as caught:
            last = caught
    assert last is not None
    return last


def described(error: BaseException) -> dict[str, object]:
    """What the parser should find in the text of `error`."""
    causes = []
    nearer = error
    while (following := nearer.__cause__ or (None if nearer.__suppress_context__ else nearer.__context__)) is not None:
        relation = "cause" if nearer.__cause__ is not None else "context"
        causes.append(own(following) | {"causes": [], "relation": relation})
        nearer = following
    return own(error) | {"causes": causes}


def own(error: BaseException) -> dict[str, object]:
    """`described` without what led to it."""
    kind = type(error)
    return {
        "error_type": kind.__qualname__,
        "error_module": "" if kind.__module__ == "builtins" else kind.__module__,
        "error_message": str(error),
        "frames": [
            {"file": frame.filename, "line": frame.lineno, "function": frame.name, "code": frame.line}
            for frame in traceback.extract_tb(error.__traceback__)
        ],
        "exceptions": [described(member) for member in getattr(error, "exceptions", ())],
        "notes": [],
    }


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(chains)
def test_what_was_printed_is_read_back(chain):
    """A text of Python's own printer gives classes, messages, frames, causes and members as they were."""
    error = raised(chain)
    assert parse_traceback("".join(traceback.format_exception(error))) == described(error)


@settings(deadline=None)
@given(st.text(max_size=400))
@example('Traceback (most recent call last):\n  File "x", line 1, in f')
@example("  + Exception Group Traceback (most recent call last):\n  +-+---------------- 1 ----------------\n")
def test_anything_is_read_without_an_error(text):
    """Neither parser raises, whatever the text is, and all keys are there."""
    keys = {"error_type", "error_module", "error_message", "frames", "causes", "exceptions", "notes"}
    assert parse_traceback(text).keys() == keys
    assert parse_javascript(text).keys() == keys


PIECES = [
    "Traceback (most recent call last):\n",
    "  + Exception Group Traceback (most recent call last):\n",
    '  File "x.py", line 3, in f\n    boom()\n    ^^^^^^\n',
    "ValueError: no\n",
    "  | ",
    "    | ",
    "  +-+---------------- 1 ----------------\n",
    "    +---------------- 2 ----------------\n",
    "    +------------------------------------\n",
    "\nDuring handling of the above exception, another exception occurred:\n\n",
    "Current thread 0x1 (most recent call first):\n",
    "    at f (x.js:1:2)\n",
    "f@x.js:1:2\n",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_torn_texts_are_read_without_an_error(text):
    """Pieces of tracebacks in any order do no harm."""
    parse_traceback(text)
    parse_javascript(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", [*PIECES, " ", "^ ", ":1", "(", '  File "', "a.", "@", "at (", "      +-+" + "-" * 16]
)
def test_time_grows_with_the_text_only(piece):
    """A quarter of a megabyte of any one piece is read in well under two seconds."""
    text = piece * (250_000 // len(piece))
    started = time.perf_counter()
    parse_traceback(text)
    parse_javascript(text)
    assert time.perf_counter() - started < 2


def test_a_log_line_before_the_traceback_is_left_out():
    """The text may begin with what the logger said."""
    read = parse_traceback(
        'ERROR:shop:charge failed\nTraceback (most recent call last):\n  File "x", line 1, in f\nE: m'
    )
    assert (read["error_type"], read["error_message"], len(read["frames"])) == ("E", "m", 1)


def test_an_indented_traceback_is_read():
    """A formatter that indents every line does not hide the stack."""
    text = 'Traceback (most recent call last):\n  File "x", line 1, in f\n    boom()\nValueError: m'
    indented = "\n".join("    " + line for line in text.split("\n"))
    assert parse_traceback(indented) == parse_traceback(text)


def test_a_syntax_error_says_its_file_as_str_does():
    """The block below a SyntaxError is a place in the message, not a frame."""
    with pytest.raises(SyntaxError) as caught:
        compile("x = = 1", "/srv/shop/broken.py", "exec")
    read = parse_traceback("".join(traceback.format_exception(caught.value)))
    assert read["error_message"] == str(caught.value) == "invalid syntax (broken.py, line 1)"
    assert all(frame["file"] != "/srv/shop/broken.py" for frame in read["frames"])


def test_folded_recursion_is_no_code_line():
    """``[Previous line repeated ...]`` stands for frames and is not one."""

    def again(depth: int) -> None:
        again(depth - 1) if depth else fail(ValueError("deep"), 0)

    with pytest.raises(ValueError, match="deep") as caught:
        again(20)
    text = "".join(traceback.format_exception(caught.value))
    assert "[Previous line repeated" in text
    read = parse_traceback(text)
    assert {frame["function"] for frame in read["frames"]} >= {"again", "fail"}
    assert not any(frame["code"].startswith("[Prev") for frame in read["frames"])


def test_members_beyond_the_printed_ones_do_no_harm():
    """Python prints fifteen members and a line about the others."""
    many = ExceptionGroup("many", [ValueError(str(number)) for number in range(20)])
    read = parse_traceback("".join(traceback.format_exception(many)))
    assert [member["error_message"] for member in read["exceptions"][:15]] == [str(number) for number in range(15)]


def test_a_fatal_error_is_read_from_the_crashed_thread():
    """The dump of faulthandler has the innermost frame first, and other threads too."""
    read = parse_traceback(
        "Fatal Python error: Segmentation fault\n\n"
        'Thread 0x00007f01 (most recent call first):\n  File "/usr/lib/python3.11/threading.py", line 320 in wait\n\n'
        "Current thread 0x00007f02 (most recent call first):\n"
        '  File "/srv/shop/native.py", line 12 in crash\n  File "/srv/shop/main.py", line 3 in main\n\n'
        "Extension modules: numpy.core (total: 1)\n"
    )
    assert [frame["function"] for frame in read["frames"]] == ["main", "crash"]
    assert read["error_message"] == "Segmentation fault"


def test_a_crash_of_the_garbage_collector():
    """The line that says so stands before the frames in which it ran."""
    read = parse_traceback(
        "Fatal Python error: Aborted\n\nCurrent thread 0x00007f02 (most recent call first):\n"
        '  Garbage-collecting\n  File "/srv/shop/main.py", line 3 in main\n'
    )
    assert [frame["function"] for frame in read["frames"]] == ["main"]


@pytest.mark.parametrize(
    ("name", "module", "kind"),
    [
        ("ValueError", "", "ValueError"),
        ("shop.errors.PaymentError", "shop.errors", "PaymentError"),
        ("shop.models.User.DoesNotExist", "shop.models", "User.DoesNotExist"),
        ("socket.gaierror", "socket", "gaierror"),
        ("test_x.test_a.<locals>.Boom", "test_x", "test_a.<locals>.Boom"),
        ("test_x.TestA.test_a.<locals>.Boom", "test_x", "TestA.test_a.<locals>.Boom"),
    ],
)
def test_the_class_is_told_from_its_module(name, module, kind):
    """A printed name is split where the class begins."""
    read = parse_traceback(f"Traceback (most recent call last):\n{name}: no")
    assert (read["error_module"], read["error_type"]) == (module, kind)


CHROME = """TypeError: Cannot read properties of undefined (reading 'total')
    at Cart.total (https://shop.example/static/app.3f2a1b9c.js?v=2:1:2345)
    at new Page (https://shop.example/static/app.3f2a1b9c.js:1:99)
    at Array.forEach (<anonymous>)
    at async load (https://shop.example/static/app.3f2a1b9c.js:1:12)
    at https://shop.example/static/app.3f2a1b9c.js:2:1"""
FIREFOX = """total@https://shop.example/static/app.3f2a1b9c.js:1:2345
load/<@https://shop.example/static/app.3f2a1b9c.js:1:99
@https://shop.example/static/app.3f2a1b9c.js:2:1
"""
SAFARI = """total@https://shop.example/static/app.3f2a1b9c.js:1:2345
forEach@[native code]
module code@https://shop.example/static/app.3f2a1b9c.js:2:1"""


def test_browsers_stacks_are_read():
    """Chrome, Firefox and Safari write the same thing in two ways; the outermost frame comes first."""
    chrome, firefox, safari = (parse_javascript(text) for text in (CHROME, FIREFOX, SAFARI))
    assert chrome["error_type"] == "TypeError"
    assert chrome["error_message"] == "Cannot read properties of undefined (reading 'total')"
    assert [frame["function"] for frame in chrome["frames"]] == [
        "",
        "async load",
        "Array.forEach",
        "new Page",
        "Cart.total",
    ]
    assert chrome["frames"][-1]["file"] == "https://shop.example/static/app.3f2a1b9c.js?v=2"
    assert (chrome["frames"][-1]["line"], chrome["frames"][-1]["column"]) == (1, 2345)
    assert [frame["function"] for frame in firefox["frames"]] == ["", "load/<", "total"]
    assert [frame["function"] for frame in safari["frames"]] == ["module code", "forEach", "total"]
    assert safari["frames"][1]["file"] == "[native code]"


def test_methods_get_their_class_from_the_source():
    """`qualify` finds the qualified name of a frame where the source is at hand."""
    with pytest.raises(ValueError, match="no") as caught:
        Outer().fail(ValueError("no"))
    read = parse_traceback("".join(traceback.format_exception(caught.value)))
    qualify(read["frames"])
    here = sys._getframe().f_code.co_name
    assert [frame["function"] for frame in read["frames"]] == [here, "Outer.fail"]


def test_qualify_leaves_alone_what_it_cannot_find():
    """A source that is gone, broken or another one changes nothing; nor do frames of wrong types."""
    frames = [{"file": "a.py", "function": "f", "line": 2}, {"file": None, "function": 3}, {}]
    for source in ([], ["def f(:\n"], ["def g():\n", "  pass\n"], ["\0"]):
        qualify(frames, lambda _file, source=source: source)
        assert frames == [{"file": "a.py", "function": "f", "line": 2}, {"file": None, "function": 3}, {}]
