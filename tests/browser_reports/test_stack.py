"""Stacks of real engines become the same frames, and lines of strangers become nothing else.

``stacks.json`` was recorded with Chromium 150, Firefox 153 and JavaScriptCore 2.50.6, which loaded ``failing.js`` and
posted what it caught; the host was renamed, and long stacks cut.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loghub.browser import stack
from loghub.browser.report import MAX_BYTES

APP = "https://shop.example/static/app.3f2a1b.js"
ENGINES = ("chrome", "firefox", "jsc")


def frames(text, message="", own=("https://shop.example",)):
    """Return file, function, line, column and in_app of the frames, innermost first."""
    read = [line.frame for line in stack.read(text, message, own) if line.frame is not None]
    return [(one["file"], one["function"], one.get("line"), one.get("column"), one["in_app"]) for one in read]


def one(line, own=("https://a.io",)):
    """Return the only frame of a line."""
    (found,) = frames(line, own=own)
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_every_line_of_a_real_stack_is_a_frame(stacks, engine):
    """No line below the message is left over, and none of the message's is taken for a frame."""
    for name, error in stacks[engine].items():
        read = stack.read(error["stack"], error["message"], ())
        said = error["stack"].removeprefix(f"{error['type']}: {error['message']}").strip("\n")
        assert len(read) == len(said.split("\n") if said else []), name
        assert all(line.frame is not None for line in read), name


@pytest.mark.parametrize("engine", ENGINES)
def test_the_innermost_frame(stacks, engine):
    """Every engine names the accessor, its script without the query, and its line."""
    error = stacks[engine]["simple"]
    file, function, line, column, in_app = frames(error["stack"], error["message"])[0]
    assert (file, function, line, in_app) == (APP, "total", 3, True)
    assert column in (17, 34, 35)  # each engine points to another part of the expression


@pytest.mark.parametrize("engine", ENGINES)
def test_what_eval_made_stands_where_it_was_called(stacks, engine):
    """Code of eval has no file of its own; Safari does not say where it was made."""
    found = {function: (file, line) for file, function, line, *_ in frames(stacks[engine]["inEval"]["stack"])}
    assert found["made"] == (("<anonymous>", None) if engine == "jsc" else (APP, 10))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_module_of_webassembly(stacks, engine):
    """A function of a module has a number in place of a name, and no line."""
    (found,) = [frame for frame in frames(stacks[engine]["inWasm"]["stack"]) if frame[1].startswith("wasm")]
    assert found[1] == "wasm-function[1]"
    assert found[3] is None


def test_lines_of_a_message_are_no_frames(stacks):
    """A message may look like a stack; its lines are left out in every engine that prints it."""
    for engine in ENGINES:
        error = stacks[engine]["multi"]
        assert frames(error["stack"], error["message"])[0][1] == "multi"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("at Cart.total [as sum] (https://a.io/a.js:1:2)", ("https://a.io/a.js", "Cart.total", 1, 2, True)),
        ("at async Promise.all (index 0)", ("<anonymous>", "async Promise.all", None, None, False)),
        ("at async load (https://a.io/a.js:1:2)", ("https://a.io/a.js", "async load", 1, 2, True)),
        ("at Array.map (<anonymous>)", ("<anonymous>", "Array.map", None, None, False)),
        ("at Array.map (native)", ("[native code]", "Array.map", None, None, False)),
        ("at f (eval at g (eval at h (https://a.io/a.js:7:8), <anonymous>:1:1), <anonymous>:2:3)",
         ("https://a.io/a.js", "f", 7, 8, True)),
        ("f@https://a.io/a.js line 4 > eval line 2 > Function:3:4", ("https://a.io/a.js", "f", 4, None, True)),
        ("at add (wasm://wasm/add-7b3f1c2e:wasm-function[12]:0x1a3b)",
         ("wasm://wasm/add-7b3f1c2e", "add", None, None, True)),
        ("add@https://a.io/a.wasm:wasm-function[12]:0x1a3b", ("https://a.io/a.wasm", "add", None, None, True)),
        ("<?>.wasm-function[12]@[wasm code]", ("[wasm code]", "wasm-function[12]", None, None, False)),
        ("global code@https://a.io/:3:1", ("https://a.io/", "global code", 3, 1, True)),
        ("promise callback*load@https://a.io/a.js:1:2", ("https://a.io/a.js", "promise callback*load", 1, 2, True)),
        ("render@https://cdn.example/react@18.2/react.js:1:2",
         ("https://cdn.example/react@18.2/react.js", "render", 1, 2, False)),
        ("at f (webpack-internal:///(app-pages-browser)/./src/cart.ts:12:5)",
         ("webpack-internal:///(app-pages-browser)/./src/cart.ts", "f", 12, 5, True)),
        ("at f (webpack-internal:///./node_modules/a/b.js?12:1:5)",
         ("webpack-internal:///./node_modules/a/b.js", "f", 1, 5, False)),
        ("at f (blob:https://a.io/0a1b-2c:1:2)", ("blob:https://a.io", "f", 1, 2, True)),
        ("at f (data:text/javascript,x(y)?z=1:1:2)", ("data:script", "f", 1, 2, True)),
        ("at f (https://me:secret@a.io:443/a.js?token=1#x:1:2)", ("https://a.io:443/a.js", "f", 1, 2, True)),
        ("at f (chrome-extension://abc/content.js:1:2)", ("chrome-extension://abc/content.js", "f", 1, 2, False)),
        ("f@moz-extension://abc/content.js:1:2", ("moz-extension://abc/content.js", "f", 1, 2, False)),
        ("f@webkit-masked-url://hidden/:1:2", ("webkit-masked-url://hidden/", "f", 1, 2, False)),
        ("at f (https://a.io/js/vendor.3f2a1b.js:1:2)", ("https://a.io/js/vendor.3f2a1b.js", "f", 1, 2, False)),
        ("at f (https://[::1]:8000/a.js:1:2)", ("https://[::1]:8000/a.js", "f", 1, 2, False)),
        ("at f (/etc/passwd:1:2)", ("script:///etc/passwd", "f", 1, 2, True)),
        ("at f (https://a.io/../../../etc/x.js:1:2)", ("https://a.io////etc/x.js", "f", 1, 2, True)),
        ("at f (https://a.io/a.js:1234567890123:2)", ("https://a.io/a.js:1234567890123", "f", 2, None, True)),
    ],
)  # fmt: skip
def test_a_line(line, expected):
    """Each form that an engine prints says file, function, line, column, and whose it is."""
    assert one(line) == expected


@pytest.mark.parametrize("line", ["at noon", "me@home", "", "@", "at ", "hello", "at f (somewhere)"])
def test_other_words_are_no_frames(line):
    """A sentence is no frame, whatever it begins with."""
    assert frames(f"f@{APP}:1:2\n{line}")[1:] == []


def test_an_unknown_engines_words_are_kept():
    """A stack that nobody can read is better than none."""
    (line,) = stack.read("somewhere in the page?token=hunter2", "", ())
    assert line.frame is None
    assert stack.shown(line) == "    somewhere in the page"


def test_only_so_many_frames():
    """Of an endless stack the innermost and the outermost frames are kept."""
    text = "\n".join(f"f{number}@{APP}:{number + 1}:1" for number in range(2_000))
    names = [function for _, function, *_ in frames(text)]
    assert (len(names), names[0], names[-1]) == (250, "f0", "f1999")


def test_without_any_origin_all_scripts_are_the_applications():
    """Where nobody knows whose page it was, no script is somebody else's."""
    assert one("at f (https://cdn.example/a.js:1:2)", own=())[4]


PLACELESS = ("<anonymous>", "[native code]", "[wasm code]", "unknown location", "data:script", "blob:null")
PIECES = ["at f (", "@", ":1", "eval at ", " > ", " line 1", "https://", "a", "(", ")", " ", "data:", "blob:", "?", "#",
          ":wasm-function[", "/..", "at f (https://a/b.js:1:2)\n", "\n",
          ".get ", " [as ", "\u2028", "/vendors.a", "\\"]  # fmt: skip


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=60).map("".join)), st.text(max_size=9))
@example("at f (eval at", "")
def test_any_text_is_read(text, message):
    """Whatever a stranger calls a stack: no error, one indented line for each, and no path of this machine."""
    for line in stack.read(text, message, ("https://a",)):
        printed = stack.shown(line)
        assert printed.startswith("    ")
        assert len(printed.splitlines()) == 1
        if line.frame is not None:
            file = line.frame["file"]
            assert "://" in file or file in PLACELESS
            assert "/../" not in file


def cost(text):
    """Return the least CPU time of three readings."""
    taken = []
    for _ in range(3):
        started = time.process_time()
        for line in stack.read(text, "no", ("https://shop.example",)):
            stack.shown(line)
        taken.append(time.process_time() - started)
    return min(taken)


@pytest.mark.parametrize("piece", PIECES)
def test_work_grows_with_the_text_only(piece):
    """Sixteen times the text is far from 256 times the work, whatever it is made of."""
    short, long = (piece * (size // len(piece)) for size in (MAX_BYTES // 16, MAX_BYTES))
    assert cost(long) < 100 * max(cost(short), 1e-4)
