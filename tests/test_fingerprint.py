"""Which events are the same bug, tried on errors that are really raised."""

from __future__ import annotations

import copy
import errno
import linecache
import logging
import re
import socket
import sqlite3
import sys
import textwrap
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub import fingerprint
from loghub.filters import EventFilter
from loghub.fingerprint import (
    custom,
    explain,
    is_library_path,
    judge,
    may_have_code,
    message_key,
    normalize,
    of_event,
)
from loghub.fingerprint.messages import MAX_TEXT
from loghub.fingerprint.reading import name_program
from tests.normalize_cases import CASES

if TYPE_CHECKING:
    from types import TracebackType

APP = "/srv/app/shop/cart.py"
LIB = "/opt/venv/lib/python3.11/site-packages/flask/app.py"


# ------------------------------------------------------------------------- errors, raised and described


def caught(*files: tuple[str, str]) -> BaseException:
    """Run sources under the file names they pretend to have, in one namespace; return what the last raises."""
    names: dict[str, Any] = {"__name__": "shop.cart"}
    PROGRAM.append(files[-1][0])
    try:
        for file, source in files:
            text = textwrap.dedent(source).lstrip("\n")
            linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
            exec(compile(text, file, "exec"), names)
    except BaseException as error:
        error.__traceback__ = error.__traceback__.tb_next  # without this function
        if error.__context__ is not None and error.__context__.__traceback__ is None:
            error.__context__ = None
        return error
    raise AssertionError("nothing was raised")


def module_of(file: str, program: str) -> str:
    """The module of a file, where another was started: what lies beside that is in no package."""
    folder, _, name = file.replace("\\", "/").rpartition("/")
    beside = folder == program.replace("\\", "/").rpartition("/")[0]
    return "__main__" if file == program else name[:-3] if beside else f"{folder.rpartition('/')[2]}.{name[:-3]}"


def frames(tb: TracebackType | None) -> list[dict[str, Any]]:
    """Frames as capture describes them."""
    found = []
    while tb is not None:
        code = tb.tb_frame.f_code
        line = linecache.getline(code.co_filename, tb.tb_lineno).strip()
        found.append({
            "file": code.co_filename, "module": module_of(code.co_filename, PROGRAM[-1]), "function": code.co_qualname,
            "line": tb.tb_lineno, "code": line, "in_app": not is_library_path(code.co_filename),
        })  # fmt: skip
        tb = tb.tb_next
    return found


PROGRAM = [APP]
"""What was started last."""


def described(error: BaseException) -> dict[str, Any]:
    """An error part: class, message, frames, causes, members, notes."""
    kind = type(error)
    causes = []
    nearer: BaseException = error
    while (following := nearer.__cause__ or (None if nearer.__suppress_context__ else nearer.__context__)) is not None:
        relation = "cause" if nearer.__cause__ else "context"
        causes.append({
            "error_type": type(following).__qualname__, "error_module": type(following).__module__,
            "error_message": str(following), "frames": frames(following.__traceback__), "relation": relation,
        })  # fmt: skip
        nearer = following
    return {
        "error_type": kind.__qualname__, "error_module": kind.__module__, "error_message": str(error),
        "frames": frames(error.__traceback__), "causes": causes, "notes": getattr(error, "__notes__", []),
        "exceptions": [described(member) for member in getattr(error, "exceptions", ())],
    }  # fmt: skip


def live(source: str, file: str = APP) -> dict[str, Any]:
    """The event of what `source` raises."""
    return described(caught((file, source)))


def through(*files: tuple[str, str]) -> dict[str, Any]:
    """The event of what several files raise together."""
    return described(caught(*files))


def printed(*files: tuple[str, str]) -> dict[str, Any]:
    """The event that knows only what Python printed."""
    return {"traceback": "".join(traceback.format_exception(caught(*files)))}


def record(message: str, template: str | None = None, **more: Any) -> dict[str, Any]:
    """The event of a log record without an exception."""
    return {
        "error_type": "ERROR", "level": "ERROR", "error_message": message, "message": message, "logger": "shop",
        "template": message if template is None else template, "module": "cart", "function": "pay", "frames": [],
    } | more  # fmt: skip


# -------------------------------------------------------------------------------- the same, and apart

PAY = """
    def check(amount):
        if amount < 0:
            raise ValueError(f"bad amount {amount}")
        raise TypeError("no amount")

    def pay(amount):
        check(amount)
    """
METHODS = """
    class Card:
        def charge(self, amount):
            raise ValueError("declined")
    class Voucher:
        def charge(self, amount):
            raise ValueError("declined")
    def pay(kind):
        kind().charge(3)
    """
HELPER = """
    def refuse(why):
        raise ValueError(why)
    def pay():
        refuse("no money")
    def refund():
        refuse("no receipt")
    """
FRAMEWORK = """
    def dispatch(view):
        return view()
    """
WORKER = """
    def dispatch(task):
        def inner():
            return task()
        return inner()
    """
DEEP = """
    def walk(tree, depth):
        if depth:
            visit(tree, depth)
        raise LookupError("leaf")
    def visit(tree, depth):
        walk(tree, depth - 1)
    """
CHAIN = """
    def load(path):
        try:
            return {}[path]
        except KeyError as error:
            raise RuntimeError("no settings") from error
    def parse(text):
        try:
            return int(text)
        except ValueError as error:
            raise RuntimeError("no settings") from error
    """
WRAP = """
    def save(error):
        try:
            raise error
        except Exception as failed:
            raise RuntimeError("not saved") from failed
    """
GROUP = """
    class Boom(Exception): pass
    def one(): raise ValueError("a 1")
    def two(): raise Boom("b")
    def gather(*jobs):
        failed = []
        for job in jobs:
            try:
                job()
            except Exception as error:
                failed.append(error)
        raise ExceptionGroup("some failed", failed)
    """
RETRY = """
    def fetch(n):
        raise OSError("down")
    def again(n):
        try:
            fetch(n)
        except OSError:
            if n:
                again(n - 1)
            raise RuntimeError("gave up")
    """
MODULE_A = "class Busy(Exception): pass\nBusy.__module__ = 'shop.cart'\ndef f(): raise Busy('x')\n"
MODULE_B = "class Busy(Exception): pass\nBusy.__module__ = 'shop.stock'\ndef f(): raise Busy('x')\n"


def calling(source: str, call: str) -> str:
    """`source` and a call on the module's level."""
    return textwrap.dedent(source) + call


def raising(error: str) -> dict[str, Any]:
    """One line of the application that raises `error`, which is made elsewhere."""
    return through((LIB, f"def make(): return {error}\n"), (APP, "def save(): raise make()\nsave()\n"))


def called_by_library(error: str) -> dict[str, Any]:
    """`error`, raised where no frame is the application's."""
    return live(f"def dispatch():\n    raise {error}\ndispatch()\n", LIB)


def noted() -> dict[str, Any]:
    """An error with a note."""
    error = caught((APP, calling(PAY, "pay(-1)")))
    error.add_note("while paying order 42")
    return described(error)


def javascript(*frames: tuple[str, str], message: str = "x is not a function") -> dict[str, Any]:
    """A browser's event; frames are (file, function), outermost first."""
    listed = [{"file": file, "function": function, "line": 1, "column": 77} for file, function in frames]
    return {"platform": "javascript", "error_type": "TypeError", "error_message": message, "frames": listed}


JS_CHROME = """TypeError: Cannot read properties of undefined (reading 'total')
    at Cart.total (https://shop.example/static/app.3f2a1b9c.js?v=2:1:2345)
    at Array.forEach (<anonymous>)
    at new Page (https://shop.example/static/app.3f2a1b9c.js:1:99)
    at async load (https://shop.example/static/app.3f2a1b9c.js:1:12)
    at https://shop.example/static/app.3f2a1b9c.js:2:1"""
JS_FIREFOX = """total@https://cdn.example/app.99887766.js:1:21
Page@https://cdn.example/app.99887766.js:1:9
promise callback*load@https://cdn.example/app.99887766.js:1:12
@https://cdn.example/app.99887766.js:2:1
"""
JS_SAFARI = """total@https://cdn.example/app.99887766.js:1:21
forEach@[native code]
Page@https://cdn.example/app.99887766.js:1:9
module code@https://cdn.example/app.99887766.js:2:1"""


def browser(stack: str, message: str) -> dict[str, Any]:
    """What a browser posts: a message and a stack as text."""
    return {"platform": "javascript", "error_type": "TypeError", "error_message": message, "traceback": stack}


def program(file: str) -> dict[str, Any]:
    """The event of a program that fails, as its process describes it."""
    event = live("def f(): return [][1]\nf()", file)
    for frame in event["frames"]:
        frame["module"] = "__main__"
    return event


TASK_GROUP = """
def run(job):
    try:
        job()
    except Exception as error:
        raise ExceptionGroup("unhandled", [error])
"""

HELPERS = """
    def require(form, field):
        if field not in form:
            raise ValueError(f"missing {field}")

    def save_user(form):
        require(form, "name")
        require(form, "mail")

    def save_order(form):
        require(form, "name")

    def fail(text):
        raise PermissionError(text)

    def deny():
        fail("no")

    def open_door():
        deny()

    def open_safe():
        deny()

    def long(a):
        if a:
            raise ValueError(
                "a is there"
            )
        raise ValueError(
            "a is gone"
        )

    def name(one):
        return one.name.title()

    def helped(form):
        return form["name"]

    def view_one(form):
        return helped(form)

    def view_two(form):
        for _ in range(2):
            found = helped(form)

    def passing(act, *args, **options):
        return act(*args, **options)
    """

SAME = {
    "other values in the message": lambda: (live(calling(PAY, "pay(-1)")), live(calling(PAY, "pay(-77)"))),
    "moved lines": lambda: (
        live(calling(PAY, "pay(-1)")),
        live(calling("# one\n# two\n" + textwrap.dedent(PAY), "pay(-1)")),
    ),
    "another prefix": lambda: (live(calling(PAY, "pay(-1)")), live(calling(PAY, "pay(-1)"), "/home/al/x/shop/cart.py")),
    "a release folder": lambda: (
        live(calling(PAY, "pay(-1)")),
        live(calling(PAY, "pay(-1)"), "/srv/app/releases/20260101/cart.py"),
    ),
    "Windows": lambda: (live(calling(PAY, "pay(-1)")), live(calling(PAY, "pay(-1)"), "C:\\inetpub\\shop\\cart.py")),
    "an installed application": lambda: (
        live(calling(PAY, "pay(-1)")),
        in_app(live(calling(PAY, "pay(-1)"), "/opt/venv/lib/python3.12/site-packages/cart.py")),
    ),
    "another prefix of two files": lambda: tuple(
        through((f"{root}/shop/db/pay.py", PAY), (f"{root}/shop/main.py", "pay(-1)"))
        for root in ("/app", "/home/al/releases/v1.2/src")
    ),
    "recursion depth": lambda: tuple(live(calling(DEEP, f"walk(1, {depth})")) for depth in (1, 2, 9)),
    "endless recursion entered elsewhere": lambda: tuple(
        live(f"def a(n):\n    return b(n)\ndef b(n):\n    return a(n)\ndef c(n):\n    return a(n)\n{start}(1)\n")
        for start in "abc"
    ),
    "library frames around": lambda: (
        through((LIB, FRAMEWORK), (APP, PAY), (LIB, "dispatch(lambda: pay(-1))")),
        through(
            ("/usr/lib/python3/dist-packages/celery/app.py", WORKER),
            (APP, PAY),
            ("/usr/lib/python3.12/threading.py", "dispatch(lambda: pay(-1))"),
        ),
    ),
    "library frames between": lambda: (
        through((LIB, FRAMEWORK), (APP, calling(PAY, "def view(): pay(-1)\ndispatch(view)"))),
        through((LIB, WORKER), (APP, calling(PAY, "def view(): pay(-1)\ndispatch(view)"))),
    ),
    "notes": lambda: (live(calling(PAY, "pay(-1)")), noted()),
    "a comprehension": lambda: (
        with_functions("<module>", "prices", "prices.<locals>.<listcomp>"),
        with_functions("<module>", "prices"),
    ),
    "a comprehension on the module's level": lambda: (
        with_functions("<module>", "<dictcomp>"),
        with_functions("<module>"),
    ),
    "order and number of members": lambda: (
        live(calling(GROUP, "gather(one, two)")),
        live(calling(GROUP, "gather(two, one, two)")),
    ),
    "retries": lambda: (live(calling(RETRY, "again(1)")), live(calling(RETRY, "again(3)"))),
    "a framework's group around it": lambda: (
        through((APP, "def job(): raise ValueError('x')\n"), (LIB, "job()")),
        through((LIB, TASK_GROUP), (APP, "def job(): raise ValueError('x')\n"), (LIB, "run(job)")),
    ),
    "a key": lambda: (raising("KeyError('a')"), raising("KeyError(17)")),
    "errno that the class says": lambda: (
        raising("ConnectionRefusedError(111, 'refused')"),
        raising("ConnectionRefusedError(61, 'refused')"),
    ),
    "values beside the errno": lambda: (raising("OSError(28, 'full', '/a')"), raising("OSError(28, 'full', '/b')")),
    "values beside the code": lambda: (
        raising("RuntimeError('(1062, \"Duplicate entry 7 for key 8\")')"),
        raising("RuntimeError('(1062, \"Duplicate entry 9 for key 8\")')"),
    ),
    "a library's message with other values": lambda: (
        called_by_library("ValueError('bad id 7')"),
        called_by_library("ValueError('bad id 9')"),
    ),
    "no stack, other values": lambda: (
        without_stack(live(calling(PAY, "pay(-1)"))),
        without_stack(live(calling(PAY, "pay(-5)"))),
    ),
    "a syntax error seen from elsewhere": lambda: (
        live("compile('x = = 1', '/a/b.py', 'exec')"),
        live("def load():\n    compile('x = = 1', '/z/b.py', 'exec')\nload()"),
    ),
    "only the text": lambda: (live(calling(PAY, "pay(-1)")), printed((APP, calling(PAY, "pay(-1)")))),
    "only the text, of a chain": lambda: (
        live(calling(CHAIN, "load('a')")),
        printed((APP, calling(CHAIN, "load('b')"))),
    ),
    "only the text, of a group": lambda: (
        live(calling(GROUP, "gather(one, two)")),
        printed((APP, calling(GROUP, "gather(two, one)"))),
    ),
    "only the text, of two files": lambda: (
        through(("/app/shop/pay.py", PAY), ("/app/main.py", "pay(-1)")),
        printed(("/b/shop/pay.py", PAY), ("/b/main.py", "pay(-1)")),
    ),
    "only the text, of a syntax error": lambda: (
        live("compile('x = = 1', '/a/b.py', 'exec')"),
        printed((APP, "compile('x = = 1', '/a/b.py', 'exec')")),
    ),
    "only the text, from a library": lambda: (
        called_by_library("ValueError('bad id 7')"),
        printed((LIB, "def dispatch():\n    raise ValueError('bad id 9')\ndispatch()\n")),
    ),
    "only the text, with the method's name": lambda: (
        live(calling(METHODS, "pay(Card)")),
        printed((APP, calling(METHODS, "pay(Card)"))) | {"function": "Card.charge"},
    ),
    "an f-string instead of %s": lambda: (
        record("card 1234 of al@example.org refused after 3.5s", "card %d of %s refused after %.1fs"),
        record("card 99 of jo@example.org refused after 12.0s"),
    ),
    "other arguments": lambda: (
        record("user al is gone", "user %s is gone"),
        record("user b c is gone", "user %s is gone"),
    ),
    "named arguments and percent signs": lambda: (
        record("disk 95% full on /a", "disk %(used)d%% full on %(path)s"),
        record("disk 7% full on /b"),
    ),
    "a template without words": lambda: (record("bad id 7", "%s"), record("bad id 8", "%s")),
    "a warning elsewhere": lambda: (
        record("/a/shop/cart.py:12: DeprecationWarning: use pay2\n  pay(1)\n", "%s", logger="py.warnings"),
        record("C:\\b\\cart.py:99: DeprecationWarning: use pay2\n  pay(1)\n", "%s", logger="py.warnings"),
    ),
    "two browsers": lambda: (
        browser(JS_CHROME, "Cannot read properties of undefined (reading 'total')"),
        browser(JS_FIREFOX, 'can\'t access property "total", this.cart is undefined'),
    ),
    "a third browser": lambda: (
        browser(JS_CHROME, "Cannot read properties of undefined (reading 'total')"),
        browser(JS_SAFARI, "undefined is not an object (evaluating 'this.cart.total')"),
    ),
    "hashed bundles": lambda: (
        javascript(("https://a/js/main-4AXB2C9K.js", "render"), ("https://a/js/2.abcdef12.chunk.js", "total")),
        javascript(("http://b:8080/main-9ZZB2C0K.js?x=1", "render"), ("/js/7.0123abcd.chunk.js#q", "total")),
    ),
    "browsers' wording without names": lambda: (
        javascript(("https://a/app.js", "")),
        javascript(("https://a/app.js", "global code"), message="x is not a function. (In 'x()', 'x' is 1)"),
    ),
    "a foreign script": lambda: (
        javascript(message="Script error."),
        javascript(("https://a/", "x"), message="Script error."),
    ),
    "another caller of a function that fails by itself": lambda: (
        live(calling(HELPERS, "view_one({})")),
        live(calling(HELPERS, "view_two({})")),
    ),
    "a retry around it": lambda: (
        live(calling(HELPERS, "helped({})")),
        live(calling(HELPERS, "passing(helped, {})")),
    ),
    "a comment behind the line": lambda: (
        live("def f():\n    raise ValueError('a')\nf()"),
        live("def f():\n    raise ValueError('a')  # why not\nf()"),
    ),
    "frames, whatever a text says beside them": lambda: (
        live(calling(PAY, "pay(-1)")),
        live(calling(PAY, "pay(-1)")) | printed((APP, calling(PAY, "pay('no number')"))),
    ),
    "frames, whatever a traceback in the message says": lambda: tuple(
        live(calling(PAY, "pay(-1)")) | {"error_message": message}
        for message in ("bad amount -1", printed((APP, calling(PAY, "pay('no number')")))["traceback"])
    ),
    "the system's number of a condition": lambda: (
        raising("OSError('[Errno 111] Connect call failed')"),
        raising("OSError('[Errno 61] Connect call failed')"),
        raising("OSError('[WinError 10061] Connect call failed')"),
    ),
    "another name of the class": lambda: tuple(
        described(caught((APP, "raise ValueError('x')"))) | {"error_type": kind, "error_module": "re"}
        for kind in ("error", "PatternError")
    ),
    "never raised": lambda: (
        without_stack(raising("ValueError('a b')")),
        without_stack(raising("ValueError('a b')")) | {"traceback": "ValueError: a b\n", "platform": "python"},
    ),
    "control characters, scrubbed": lambda: (record("\x1b[1mgone\x1b[0m\a"), record(r"\x1b[1mgone\x1b[0m\x07")),
    "a code in the log message": lambda: (
        record("failed: no such table: bills", "failed: %s"),
        record("failed: no such table: bills"),
    ),
    "an installed application's folders": lambda: tuple(
        in_app(through((f"{root}/shop/db/pay.py", PAY), (f"{root}/shop/main.py", "pay(-1)")))
        for root in ("/srv/app", "/opt/venv/lib/python3.12/site-packages", "C:\\py\\Lib\\site-packages")
    ),
    "a cell that ran again": lambda: tuple(
        live(calling(PAY, "pay(-1)"), file) for file in ("<ipython-input-3-0a1b2c>", "/tmp/ipykernel_77/123.py")
    ),
    "the folder of a package, alone or among others": lambda: (
        {
            "error_type": "IndexError",
            "frames": [
                {
                    "file": "/x/shop/cart.py",
                    "module": "shop.cart",
                    "function": "pick",
                    "code": "x = [][1]",
                    "in_app": True,
                }
            ],
        },
        through(("/srv/app/shop/cart.py", "def pick():\n    x = [][1]"), ("/srv/app/main.py", "pick()")),
        printed(("/home/al/shop/cart.py", "def pick():\n    x = [][1]"), ("/home/al/main.py", "pick()")),
    ),
    "a program of one file, wherever it lies": lambda: (
        *(program(f"{folder}/load.py") for folder in ("/opt/etl", "/app", "/home/al/work-2")),
        printed(("/opt/etl/load.py", "def f(): return [][1]\nf()")),
        printed(("/app/load.py", "def f(): return [][1]\nf()")),
    ),
    "a text in colours": lambda: (
        printed((APP, calling(CHAIN, "load('a')"))),
        {
            "traceback": re.sub(
                "(line|in|Error)", "\x1b[35m\\1\x1b[0m", printed((APP, calling(CHAIN, "load('a')")))["traceback"]
            )
        },
    ),
    "a text with a prefix in each line": lambda: tuple(
        {"traceback": re.sub("(?m)^", prefix, printed((APP, calling(CHAIN, "load('a')")))["traceback"])}
        for prefix in ("", "web-1  | ", "2026-11-27T10:20:30.123Z ", "    ")
    ),
    "a group in a text with a prefix in each line": lambda: tuple(
        {"traceback": re.sub("(?m)^", prefix, printed((APP, calling(GROUP, "gather(one, two)")))["traceback"])}
        for prefix in ("", "web-1  | ")
    ),
    "a log line that was made JSON before": lambda: (
        record('{"event": "charge refused", "card": 7, "level": "error"}'),
        record('{"card": 99, "event": "charge refused", "level": "error"}'),
        record("charge refused"),
    ),
    "a log message that was made a dict before": lambda: (
        record("{'event': 'charge refused', 'card': 7}"),
        record("{'card': 8, 'event': 'charge refused', 'level': 'error'}"),
        record("charge refused"),
    ),
    "a logger for each worker": lambda: (
        record("gone", logger="shop.worker.1"),
        record("gone", logger="shop.worker.17"),
    ),
}

APART = {
    "one file name in two packages": lambda: (
        live("x = [][1]") | {"frames": [{"file": "/srv/app/shop/views.py", "module": "shop.views", "function": "f"}]},
        live("x = [][1]") | {"frames": [{"file": "/srv/app/mail/views.py", "module": "mail.views", "function": "f"}]},
    ),
    "a child's stack that came as a text": lambda: tuple(
        live("x = 1 / 0")
        | {
            "causes": [
                {
                    "error_type": "_RemoteTraceback",
                    "relation": "cause",
                    "frames": [],
                    "error_message": '\n"""\n'
                    + printed((APP, f"def {name}(): return int('')\n{name}()"))["traceback"]
                    + '"""',
                }
            ]
        }
        for name in ("shrink", "crop")
    ),
    "another caller of a guard in one line": lambda: tuple(
        live(
            calling(
                "def check(ok):\n    if not ok: raise ValueError(ok)\n" + f"def {name}():\n    check(0)\n", f"{name}()"
            )
        )
        for name in ("pay", "ship")
    ),
    "other dicts": lambda: (record("{'event': 'charge refused'}"), record("{'event': 'charge repeated'}")),
    "other JSON lines of one template": lambda: tuple(
        record(f'{{"event": "charge {how}"}}', '{"event": "%s"}') for how in ("refused", "repeated")
    ),
    "other JSON lines": lambda: (record('{"event": "charge refused"}'), record('{"event": "charge repeated"}')),
    "an object beside a database's code": lambda: tuple(
        raising(f'RuntimeError(\'ORA-00942: table or view "X"."{name}" does not exist\')') for name in ("LEAD", "DEAL")
    ),
    "another caller of a helper that only raises": lambda: (
        live(calling(HELPERS, "save_user({})")),
        live(calling(HELPERS, "save_order({})")),
    ),
    "another call of a helper in one function": lambda: (
        live(calling(HELPERS, "save_user({})")),
        live(calling(HELPERS, "save_user({'name': 1})")),
    ),
    "another caller of a helper of a helper": lambda: (
        live(calling(HELPERS, "open_door()")),
        live(calling(HELPERS, "open_safe()")),
    ),
    "another raise over several lines": lambda: (
        live(calling(HELPERS, "long(1)")),
        live(calling(HELPERS, "long(0)")),
    ),
    "another attribute in one line": lambda: (
        live(calling(HELPERS, "name(None)")),
        live(calling(HELPERS, "name(type('A', (), {'name': 1}))")),
    ),
    "another code in the log message": lambda: (
        record("failed: no such table: bills", "failed: %s"),
        record("failed: no such table: orders", "failed: %s"),
    ),
    "another property in one script function": lambda: (
        browser(JS_FIREFOX, "Cannot read properties of undefined (reading 'total')"),
        browser(JS_FIREFOX, "Cannot read properties of undefined (reading 'price')"),
    ),
    "another message thrown in one script function": lambda: (
        browser(JS_FIREFOX, "no cart") | {"error_type": "Error"},
        browser(JS_FIREFOX, "no price") | {"error_type": "Error"},
    ),
    "another class": lambda: (live(calling(PAY, "pay(-1)")), live(calling(PAY, "pay(1)"))),
    "another raise in one function": lambda: (
        live("def f(a):\n    if a:\n        raise ValueError('a')\n    raise ValueError('b')\nf(1)"),
        live("def f(a):\n    if a:\n        raise ValueError('a')\n    raise ValueError('b')\nf(0)"),
    ),
    "another function": lambda: (live("def f(): raise ValueError(1)\nf()"), live("def g(): raise ValueError(1)\ng()")),
    "another file": lambda: (
        live("def f(): raise ValueError(1)\nf()"),
        live("def f(): raise ValueError(1)\nf()", "/srv/app/shop/stock.py"),
    ),
    "another package": lambda: tuple(
        through((f"/app/{package}/views.py", "def f(): raise ValueError(1)\n"), ("/app/main.py", "f()"))
        for package in ("cart", "stock")
    ),
    "the method of another class": lambda: (
        live(calling(METHODS, "pay(Card)")),
        live(calling(METHODS, "pay(Voucher)")),
    ),
    "another caller of a helper": lambda: (live(calling(HELPER, "pay()")), live(calling(HELPER, "refund()"))),
    "the class of another module": lambda: (live(calling(MODULE_A, "f()")), live(calling(MODULE_B, "f()"))),
    "another cause": lambda: (live(calling(WRAP, "save(KeyError(1))")), live(calling(WRAP, "save(ValueError(1))"))),
    "no cause": lambda: (
        live(calling(WRAP, "save(KeyError(1))")),
        live(calling(WRAP, "save(KeyError(1))")) | {"causes": []},
    ),
    "context, not cause": lambda: tuple(
        live(calling(CHAIN.replace(" from error", since), "load(1)")) for since in (" from error", "")
    ),
    "another errno": lambda: (raising("OSError(28, 'x')"), raising("OSError(5, 'x')")),
    "another errno of the cause": lambda: (
        live(calling(WRAP, "save(OSError(28, 'x'))")),
        live(calling(WRAP, "save(OSError(5, 'x'))")),
    ),
    "another missing module": lambda: (live("import nowhere_a"), live("import nowhere_b")),
    "the same import of another module": lambda: (
        raising("ModuleNotFoundError(\"No module named 'a'\")"),
        raising("ModuleNotFoundError(\"No module named 'b'\")"),
    ),
    "another missing table": lambda: (
        raising("__import__('sqlite3').OperationalError('no such table: a')"),
        raising("__import__('sqlite3').OperationalError('no such table: b')"),
    ),
    "another missing relation": lambda: (
        raising("RuntimeError('relation \"a\" does not exist\\nLINE 1: x')"),
        raising("RuntimeError('relation \"b\" does not exist\\nLINE 1: x')"),
    ),
    "another SQL state": lambda: (
        raising("RuntimeError('SQLSTATE[42S02]: x')"),
        raising("RuntimeError('SQLSTATE[23000]: x')"),
    ),
    "another MySQL error": lambda: (
        raising("RuntimeError('(1146, \"no\")')"),
        raising("RuntimeError('(1062, \"no\")')"),
    ),
    "another ODBC state": lambda: (
        raising("Exception('42S02', '[42S02] no')"),
        raising("Exception('08001', '[08001] no')"),
    ),
    "another database failure": lambda: (
        raising("__import__('sqlite3').OperationalError('database is locked')"),
        raising("__import__('sqlite3').OperationalError('disk I/O error')"),
    ),
    "another member": lambda: (live(calling(GROUP, "gather(one)")), live(calling(GROUP, "gather(two)"))),
    "one member more, of another kind": lambda: (
        live(calling(GROUP, "gather(one)")),
        live(calling(GROUP, "gather(one, two)")),
    ),
    "a library's other message": lambda: (
        called_by_library("ValueError('bad id')"),
        called_by_library("ValueError('bad name')"),
    ),
    "a library's other function": lambda: (
        called_by_library("ValueError('x')"),
        live("def other():\n    raise ValueError('x')\nother()\n", LIB),
    ),
    "no stack, another message": lambda: (
        without_stack(raising("ValueError('bad id')")),
        without_stack(raising("ValueError('bad name')")),
    ),
    "no stack, another logger": lambda: (
        without_stack(raising("ValueError('x')")),
        without_stack(raising("ValueError('x')")) | {"logger": "stock"},
    ),
    "no stack, another attribute": lambda: (
        without_stack(raising("AttributeError(\"'NoneType' object has no attribute 'a'\")")),
        without_stack(raising("AttributeError(\"'NoneType' object has no attribute 'b'\")")),
    ),
    "another broken file": lambda: (
        live("compile('x = = 1', '/a/b.py', 'exec')"),
        live("compile('x = = 1', '/a/c.py', 'exec')"),
    ),
    "what was typed in, from another place": lambda: (
        live("def f(): compile('x = = 1', '<string>', 'exec')\nf()"),
        live("def g(): compile('x = = 1', '<string>', 'exec')\ng()"),
    ),
    "another template": lambda: (
        record("card 1 refused", "card %d refused"),
        record("card 1 expired", "card %d expired"),
    ),
    "another place of the same template": lambda: (
        record("a 1 b", "a %d b"),
        record("a 1 b", "a %d b", function="refund"),
    ),
    "another logger": lambda: (record("a b"), record("a b", logger="stock")),
    "another message for a template without words": lambda: (record("bad id", "%s"), record("bad name", "%s")),
    "another warning": lambda: (
        record("/a/cart.py:12: UserWarning: slow\n  pay(1)\n", "%s", logger="py.warnings"),
        record("/a/cart.py:12: UserWarning: late\n  pay(1)\n", "%s", logger="py.warnings"),
    ),
    "a warning of another file": lambda: (
        record("/a/cart.py:12: UserWarning: slow\n  pay(1)\n", "%s", logger="py.warnings"),
        record("/a/stock.py:12: UserWarning: slow\n  pay(1)\n", "%s", logger="py.warnings"),
    ),
    "another function of a script": lambda: (javascript(("a.js", "render")), javascript(("a.js", "remove"))),
    "another bundle": lambda: (javascript(("a.js", "render")), javascript(("b.js", "render"))),
    "another message without names": lambda: (
        javascript(("a.js", "")),
        javascript(("a.js", ""), message="x is not defined"),
    ),
}


def in_app(event: dict[str, Any]) -> dict[str, Any]:
    """`event`, with every frame declared the application's."""
    return event | {"frames": [frame | {"in_app": True} for frame in event["frames"]]}


def without_stack(event: dict[str, Any]) -> dict[str, Any]:
    """`event`, of which nobody kept the frames."""
    return event | {"frames": [], "traceback": "", "logger": "shop"}


def with_functions(*functions: str) -> dict[str, Any]:
    """An event with these frames of one file; the innermost line is always the same."""
    listed = [{"file": APP, "function": name, "line": 1, "code": "call()"} for name in functions]
    listed[-1]["code"] = "return [price(item) for item in items]"
    return {"error_type": "KeyError", "error_message": "'a'", "frames": listed}


def seen(event: dict[str, Any]) -> str:
    """What was hashed, for the message of a failed test."""
    return "\n".join(f"{row['what']:8} {row['value']}" for row in explain(event))


@pytest.mark.parametrize("name", SAME)
def test_same_bug(name):
    """What differs between these events is not the bug."""
    first, *others = SAME[name]()
    for other in others:
        assert seen(first) == seen(other)
        assert of_event(first) == of_event(other)


@pytest.mark.parametrize("name", APART)
def test_other_bug(name):
    """What differs between these events is the bug."""
    one, other = APART[name]()
    assert of_event(one) != of_event(other), seen(one)


def test_a_really_missing_table():
    """The database's own words tell the tables apart under one stack."""

    def query(table: str) -> dict[str, Any]:
        with pytest.raises(sqlite3.OperationalError) as failed, sqlite3.connect(":memory:") as connection:
            connection.execute(f"select * from {table}")
        connection.close()
        return described(failed.value)

    assert of_event(query("users")) == of_event(query("users")) != of_event(query("orders"))


def test_comprehensions_really_raised():
    """On every Python version a comprehension counts as the function that it stands in."""
    source = "def prices(items):\n    return [\n        int(item)\n        for item in items\n    ]\nprices('x')\n"
    rows = explain(live(source))
    assert [row["value"] for row in rows if row["what"] == "frame"] == ["cart in prices"]
    assert rows[-1]["value"] == "int(item)"


# ------------------------------------------------------------------------------------ golden hashes

GOLDEN = {
    "v1:b161185c50b4f23e": lambda: live(calling(PAY, "pay(-1)")),
    "v1:5ca107425e138642": lambda: live(calling(METHODS, "pay(Card)")),
    "v1:3525d85bb6216e29": lambda: live(calling(CHAIN, "load('a')")),
    "v1:d67b9353cb1d708d": lambda: live(calling(GROUP, "gather(one, two)")),
    "v1:afd0f701f72154c1": lambda: raising("OSError(28, 'full', '/a')"),
    "v1:1ba778e362074bde": lambda: called_by_library("ValueError('bad id 7')"),
    "v1:66b5d2314a6c2be6": lambda: record("card 1 refused", "card %d refused"),
    "v1:fcd4942511e03e90": lambda: browser(JS_CHROME, "x"),
    "v1:37f4d9d42a4a1ba5": dict,
}


@pytest.mark.parametrize("expected", GOLDEN)
def test_golden(expected):
    """A hash never changes within a version, on any Python; before a release, a change is at least noticed."""
    assert of_event(GOLDEN[expected]()) == expected


# ------------------------------------------------------------------------------------ what never counts


@pytest.mark.parametrize("key", ["fingerprint", "id", "timestamp", "component", "release", "server", "additional_info"])
def test_what_never_counts(key):
    """An event is the same bug whoever saw it, when, and in which release."""
    event = live(calling(PAY, "pay(-1)"))
    assert of_event(event | {key: "x"}) == of_event(event)


def test_lines_and_columns_never_count():
    """Numbers of lines change with every commit."""
    event = live(calling(PAY, "pay(-1)"))
    moved = copy.deepcopy(event)
    for frame in moved["frames"]:
        frame |= {"line": frame["line"] + 40, "column": 8}
    assert of_event(moved) == of_event(event)


# ----------------------------------------------------------------------------------- messages that count


@pytest.mark.parametrize(
    ("event", "depends"),
    [
        (live(calling(PAY, "pay(-1)")), False),
        (raising("KeyError(1)"), False),
        (raising("OSError(28, 'x')"), True),
        (raising("OSError('no errno yet')"), True),
        (raising("RuntimeError('SQLSTATE[42S02]')"), True),
        (live("import nowhere_a"), True),
        (live(calling(WRAP, "save(OSError('x'))")), True),
        (live(calling(WRAP, "save(KeyError(1))")), False),
        (live(calling(GROUP, "gather(one)")), False),
        (live("raise ExceptionGroup('x', [OSError('y')])"), True),
        (called_by_library("ValueError(1)"), True),
        (without_stack(raising("ValueError(1)")), True),
        (live("compile('x = = 1', '/a/b.py', 'exec')"), True),
        (record("card 1 gone", "card %d gone"), False),
        (record("a 1 b"), True),
        (record("a 1 b", "%s"), True),
        (None, True),
    ],
)
def test_judge(event, depends):
    """Capture may skip the message of a repeat only where no other message is another bug."""
    assert judge(event)[1] is depends


CODED = [
    "[Errno 28] full", "[WinError 32] in use", "[SSL: WRONG_VERSION_NUMBER] x", "SQLSTATE[42S02]: x", "('42P01', 'x')",
    "ERROR 42P01: x", '(1062, "x")', '(pymysql.err.DataError) (1406, "x")', "ORA-00942: x", "PLS-00201: x",
    "TNS-12541: x", "No module named 'a'", "liba.so.1: cannot open shared object file",
    "cannot import name 'a' from 'b'",
    "no such table: a", "Invalid object name 'a'", 'relation "a" does not exist', "Table 'a.b' doesn't exist",
    "Unknown column 'a' in 'b'", "table a has no column named b", "UNIQUE constraint failed: a.b",
    'x violates unique constraint "a"', "An error occurred (Denied) when calling the Put operation: x",
    "<_Rpc\n status = StatusCode.UNAVAILABLE>", "gone: <Task coro=<pay() running>>", "connect ECONNREFUSED 10.0.0.1",
    "ECONNREFUSED: refused", "x (EPIPE)", "x: status=StatusCode.NOT_FOUND", "coro=<pay()>",
    "Minified React error #31; x",
]  # fmt: skip


@pytest.mark.parametrize("indent", ["", "  ", "\n"])
@pytest.mark.parametrize("message", CODED)
def test_judge_of_codes(message, indent):
    """No message with a code is taken for a repeat unseen, whatever the code is, and wherever the message begins."""
    frames = [{"file": APP, "function": "f", "code": "x"}]
    event = {"error_type": "ValueError", "error_message": indent + message, "frames": frames}
    assert any(part.what == "code" for part in fingerprint.parts(event))
    assert judge(event)[1]
    assert may_have_code(indent + message)


def test_json_without_end():
    """A message that is nested deeper than anybody can read is a message like others."""
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    assert of_event(record(deep)) == of_event(record(deep))


NUMBERS = {
    "ECONNREFUSED": (111, 61, 10061), "ETIMEDOUT": (110, 60, 10060), "ECONNRESET": (104, 54, 10054),
    "ECONNABORTED": (103, 53, 10053), "EHOSTUNREACH": (113, 65, 10065), "ENETUNREACH": (101, 51, 10051),
    "EADDRINUSE": (98, 48, 10048), "EADDRNOTAVAIL": (99, 49, 10049), "EAI_NONAME": (-2, 8, 11001),
    "EAI_AGAIN": (-3, 11002),
}  # fmt: skip


@pytest.mark.parametrize(("condition", "numbers"), NUMBERS.items())
def test_number_of_a_condition(condition, numbers):
    """A condition of the network is one code, whatever its number is on Linux, macOS and Windows."""
    events = [raising(f"OSError('[Errno {number}] failed')") for number in numbers]
    assert {part.value for each in events for part in fingerprint.parts(each) if part.what == "code"} == {
        f"errno {condition}"
    }
    if sys.platform == "linux":
        assert numbers[0] == (getattr(errno, condition, None) or getattr(socket, condition))


MESSAGES = [
    "", "plain", "bad id 7", "bad id 8", "[Errno 28] full: '/a'", "[Errno 28] full: '/b'", "[Errno 5] full: '/a'",
    "No module named 'a'", "No module named 'b'", "no such table: a", "no such table: b", "SQLSTATE[42S02]: 1",
    "SQLSTATE[23000]: 1", "'X' object has no attribute 'a'", "'X' object has no attribute 'b'",
    "invalid syntax (a.py, line 3)", "invalid syntax (a.py, line 4)", "invalid syntax (b.py, line 3)",
    '(1146, "x")', '(1062, "x")', 'violates unique constraint "a"', 'violates unique constraint "b"',
]  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["OSError", "ModuleNotFoundError", "SyntaxError", "sqlite3.OperationalError", "ValueError"]
)
@pytest.mark.parametrize("stack", ["in app", "library", "none"])
def test_message_key_knows_all_that_counts(kind, stack):
    """Messages with one key are one bug, so that capture may remember fingerprints by it."""
    listed = {"in app": [{"file": APP, "function": "f", "code": "x"}], "library": [{"file": LIB, "function": "f"}]}
    marks: dict[str, set[str]] = {}
    for message in MESSAGES:
        event = {"error_type": kind, "error_message": message, "frames": listed.get(stack, [])}
        marks.setdefault(message_key(message), set()).add(of_event(event))
    assert all(len(found) == 1 for found in marks.values())
    assert message_key("bad id 7") == message_key("bad id 8")


# -------------------------------------------------------------------------------------------- normalize


@pytest.mark.parametrize(("message", "expected"), CASES)
def test_normalize(message, expected):
    """Values go, words stay."""
    assert normalize(message) == expected


@pytest.mark.parametrize(("message", "_"), CASES)
def test_normalize_is_idempotent_on_the_table(message, _):
    """What was normalised stays as it is."""
    assert normalize(normalize(message)) == normalize(message)


TORN = [
    *"abzZ019 _-./\\:'\"`{}[]<>()=,;@%+~\n#\x1b",
    "0x",
    "eyJ",
    "http://",
    "\x1b[31m",
    "<num>",
    "Jan ",
    "10:20",
    "::",
    "b'",
]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(TORN), max_size=60).map("".join)))
def test_normalize_is_idempotent(text):
    """Whatever the text is, a second pass finds nothing more."""
    once = normalize(text)
    assert normalize(once) == once


@pytest.mark.parametrize(
    "piece", [*TORN, "a.", "a-1", "1:", "a::", "[1", "{1", "<a ", "C:\\a ", "“", "ab1/", "[a,", "a@a."]
)
def test_normalize_is_quick(piece):
    """Of a megabyte of any one piece only the first characters are looked at; what runs away would hang here."""
    text = piece * (1_000_000 // len(piece))
    assert normalize(text) == normalize(text[:MAX_TEXT])


# ------------------------------------------------------------------------------------- hostile events

KEYS = [
    "error_type", "error_module", "error_message", "frames", "causes", "exceptions", "traceback", "platform", "logger",
    "level", "message", "template", "args", "module", "function", "notes", "relation", "file", "code", "in_app", "line",
]  # fmt: skip
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=9), st.text(max_size=30),
    st.sampled_from(["javascript", "SyntaxError", "(a.py, line 1)", APP, LIB, "<listcomp>", "a.<locals>.b"]),
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)),
    max_leaves=25,
)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.one_of(values, st.dictionaries(st.sampled_from(KEYS), values, max_size=10)))
def test_any_event_has_a_fingerprint(event):
    """Nothing in an event makes it raise, and the same event has the same fingerprint."""
    mark = of_event(event)
    assert mark == of_event(event)
    assert mark.startswith("v1:")
    assert len(mark) == 19
    assert all(isinstance(value, str) for row in explain(event) for value in row.values())
    assert judge(event)[1] in (True, False)


def test_an_event_that_contains_itself():
    """Groups and causes that never end are cut."""
    event: dict[str, Any] = {"error_type": "E", "frames": []}
    event["causes"] = event["exceptions"] = [event] * 200
    assert of_event(event).startswith("v1:")


def test_lone_surrogates():
    """Text that UTF-8 cannot hold is hashed all the same."""
    assert of_event({"error_type": "E\ud800", "error_message": "no\ud800"}).startswith("v1:")


# ------------------------------------------------------------------------------------ custom and explain


def test_custom_is_stable_and_its_own():
    """A text is its own group, and the same as a list of one."""
    assert custom("payments", "v1:1") == custom(["payments"], "v1:2")
    assert custom("payments", "v1:1") != custom("stock", "v1:1")
    assert custom("payments", "v1:1").startswith("v1:")
    assert len(custom("payments", "v1:1")) == 19


@pytest.mark.parametrize("default", ["{{ default }}", "{{default}}", " {{  default }} "])
def test_custom_refines_the_default(default):
    """The default may be named in a list: the group is split, not joined."""
    assert custom([default, "eu"], "v1:1") != custom([default, "eu"], "v1:2")
    assert custom([default, "eu"], "v1:1") != custom([default, "us"], "v1:1")
    assert custom([default], "v1:1") == custom(default, "v1:1") == "v1:1"


@pytest.mark.parametrize("nothing", [None, "", [], ()])
def test_custom_of_nothing_is_the_default(nothing):
    """Who says nothing gets the rule."""
    assert custom(nothing, "v1:1") == "v1:1"


def test_custom_takes_numbers_and_keeps_items_apart():
    """Items are texts; where one ends and the next begins counts."""
    assert custom(["a", 1], "v1:1") == custom(("a", "1"), "v1:1")
    assert custom(["a", "b"], "v1:1") != custom(["ab"], "v1:1")
    assert custom(["a", "b"], "v1:1") != custom(["a\0b"], "v1:1")


def test_explain_says_what_was_hashed():
    """The rows are the whole of the hash: type, the way through the application, the line."""
    rows = explain(live(calling(PAY, "pay(-1)")))
    assert [(row["what"], row["value"]) for row in rows] == [
        ("type", "ValueError"),
        ("caller", "cart in pay: check(amount)"),
        ("frame", "cart in check"),
        ("line", 'raiseValueError(f"badamount{amount}")'),
    ]
    assert all(row["why"] for row in rows)


def test_every_part_has_a_reason():
    """No rule can make a part that `explain` could not explain."""
    made = {
        part.what
        for pairs in (SAME, APART)
        for make in pairs.values()
        for event in make()
        for part in fingerprint.parts(event)
    }
    assert made - {"text"} <= set(fingerprint.v1.WHY)
    assert set(fingerprint.v1.WHY) - made <= {"text"}


# --------------------------------------------------------------------------------------- library paths


@pytest.mark.parametrize(
    ("path", "library"),
    [
        ("/opt/venv/lib/python3.11/site-packages/flask/app.py", True),
        ("/usr/lib/python3/dist-packages/apt/cache.py", True),
        ("/usr/lib/python3.12/json/decoder.py", True),
        ("/home/app/.pyenv/versions/3.13.0/lib/python3.13/asyncio/runners.py", True),
        ("C:\\Python311\\Lib\\json\\decoder.py", True),
        ("C:\\Users\\al\\AppData\\Local\\Programs\\Python\\Python311-32\\lib\\json\\decoder.py", True),
        ("C:\\Users\\al\\miniconda3\\envs\\shop\\lib\\json\\decoder.py", True),
        ("/usr/lib/python311.zip/json/decoder.py", True),
        ("/usr/local/bin/gunicorn", True),
        ("/srv/app/.venv/bin/celery", True),
        ("C:\\srv\\venv\\Scripts\\celery.exe\\__main__.py", True),
        ("<frozen importlib._bootstrap>", True),
        ("<attrs generated init shop.Cart>", True),
        ("/srv/app/shop/cart.py", False),
        ("/srv/app/lib/shop/cart.py", False),
        ("/srv/python/lib/cart.py", False),
        ("/srv/app/bin/nightly.py", False),
        ("C:\\inetpub\\shop\\cart.py", False),
        ("<stdin>", False),
        ("<string>", False),
        ("", False),
    ],
)
def test_library_paths(path, library):
    """Installed packages, the standard library and launchers are not the application."""
    assert is_library_path(path) is library


# -------------------------------------------------------------------------------------------------- cost


def test_a_first_occurrence_is_cheap():
    """Twelve frames take well under a millisecond even here; the goal of 300 us is the benchmark's."""
    event = with_functions(*(f"Shop.step_{number}" for number in range(12)))
    of_event(event)
    started = time.perf_counter()
    for _ in range(100):
        of_event(event)
    assert (time.perf_counter() - started) / 100 < 0.001


def test_of_record():
    """A record has the fingerprint of its event, by the EventFilter that has seen it or by the defaults."""
    try:
        {}["missing"]
    except KeyError:
        record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    mark = fingerprint.of_record(record)
    assert re.fullmatch("v1:[0-9a-f]{16}", mark)
    EventFilter().filter(record)
    assert fingerprint.of_record(record) == mark
    record.fingerprint = "mine"
    assert fingerprint.of_record(logging.makeLogRecord(record.__dict__ | {"_loghub_event": None})) != mark


def test_local_class_live_and_as_text():
    """An error whose class stands in a function has one fingerprint, live and as text."""

    class LocalError(Exception):
        pass

    try:
        raise LocalError("x")
    except LocalError as error:
        record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
        text = "".join(traceback.format_exception(error))
    assert fingerprint.of_event({"traceback": text}) == fingerprint.of_record(record)


# ------------------------------------------------------------------------------------------------- versions


def seed_rule(log, *orders):
    """Log an error for each order, at one place; return the fingerprints that a filter with ``v0`` finds."""
    capture = EventFilter(grouping="v0").capture
    found = []
    for order in orders:
        try:
            raise ValueError(f"order {order} is lost")
        except ValueError:
            record = log.makeRecord("shop", logging.ERROR, __file__, 1, "order %s", (order,), sys.exc_info())
        kind = capture.sight(record).kind
        assert capture.fingerprint_of(record) == kind.fingerprint
        found.append(kind.fingerprint)
    return found


def test_v0():
    """The seed's rule takes messages to the letter, in the process that has seen the place before, too."""
    one, same, other = seed_rule(logging.getLogger("shop"), 7, 7, 8)
    assert one == same != other
    assert re.fullmatch("v0:[0-9a-f]{16}", one)


def test_v0_plain_records():
    """By the seed's rule a record without an exception is its level and its message."""
    log, capture = logging.getLogger("shop"), EventFilter(grouping="v0").capture
    records = [log.makeRecord("shop", logging.ERROR, __file__, 1, "order %s", (n,), None) for n in (7, 7, 8)]
    one, same, other = [capture.sight(record).kind.fingerprint for record in records]
    assert one == same != other


def test_v0_frames():
    """By the seed's rule the first three frames count, each with its line."""
    event = {"error_type": "E", "frames": [{"file": f"{n}.py", "line": n, "function": "f"} for n in range(4)]}
    mark = of_event(event, "v0")
    for place, counts in enumerate([True, True, True, False]):
        moved = copy.deepcopy(event)
        moved["frames"][place]["line"] += 1
        assert (of_event(moved, "v0") != mark) == counts
    assert [part["what"] for part in explain(event, "v0")] == ["type", "message", "frame", "frame", "frame"]


def test_half_a_place():
    """Of a message without frames the module alone tells bugs apart, and so does the function alone."""
    event = {"message": "disk is full", "level": "ERROR"}
    places = [{}, {"module": "cart"}, {"module": "mail"}, {"function": "pay"}, {"function": "send"}]
    assert len({of_event(event | place) for place in places}) == len(places)


def test_the_program_of_a_thread():
    """The stack of a thread does not begin in the program; what lies beside the file of its name is the program's."""
    files = ("/usr/lib/python3.11/threading.py", "/srv/jobs/nightly.py", "/srv/jobs/mail.py", "/srv/shared/tools.py")
    frames = [{"file": file, "function": "run", "module": "?"} for file in files]
    name_program({"frames": frames, "causes": [], "exceptions": []}, "nightly")
    assert [frame["module"] for frame in frames] == ["?", "__main__", "__main__", "?"]


def test_carried_version():
    """A record that another process has judged by another version keeps that judgement."""
    record = logging.makeLogRecord({"name": "shop", "levelno": 40, "_loghub_event": "v0:0123456789abcdef"})
    assert EventFilter().capture.sight(record).kind.fingerprint == "v0:0123456789abcdef"
