"""Run by test_cpython.py in a process of its own: the interpreter's tests, with Renderers beside `traceback`.

``python cpython_suite.py (plain|compared) MODULE...`` prints, as JSON, how many tests ran and which failed; with
``compared`` also how often Renderers were compared with `traceback`, and each difference.

The functions of `traceback` remain the objects that they are, since a Renderer may go by that; only their code is
replaced.
"""

import ast
import difflib
import inspect
import io
import itertools
import json
import sys
import textwrap
import traceback
import types
import unittest
from unittest import case

from loghub.rendering import Renderer


def original(function):
    """Return a copy of `function`, which stays as it is when its code is replaced."""
    copy = types.FunctionType(function.__code__, vars(traceback), function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


describe = original(traceback.TracebackException.__init__)
format_exception = original(traceback.format_exception)
print_exception = original(traceback.print_exception)


def outcome(function, *args):
    """Return what a call gives, or the name of what it raises."""
    try:
        return function(*args)
    except BaseException as error:
        return f"raised {type(error).__name__}"


def right(*info):
    """Return the text that the interpreter makes."""
    return "".join(format_exception(*info))


class Comparison:
    """Has Renderers render what `traceback` is asked for, and keeps what differs."""

    def __init__(self):
        seconds = itertools.count()
        self.clock = lambda: float(next(seconds))  # each rendering looks at the files
        self.shared = Renderer(now=self.clock)
        self.busy = False
        self.fallbacks = 0
        self.counts = {"exceptions": 0, "renderings": 0, "cached": 0, "unsteady": 0}
        self.differences = []
        self.test = ""

    def compare(self, exc, tb):
        """Compare three renderings of `exc`: by the Renderer that has seen all others, by a new one, and again."""
        if self.busy or not isinstance(exc, BaseException):
            return
        self.busy = True
        try:
            self._compare((type(exc), exc, tb))
        finally:
            self.busy = False

    def _compare(self, info):
        wanted = outcome(right, *info)
        own = Renderer(now=self.clock)
        texts = {"shared": outcome(self.shared.render, info), "cold": outcome(own.render, info)}
        before = self.fallbacks
        texts["warm"] = outcome(own.render, info)
        if outcome(right, *info) != wanted:  # another text each time
            self.counts["unsteady"] += 1
            return
        self.counts["exceptions"] += 1
        self.counts["renderings"] += len(texts)
        self.counts["cached"] += self.fallbacks == before
        for how, text in texts.items():
            if text != wanted:
                lines = (one.splitlines(keepends=True) for one in (wanted, text))
                diff = "".join(difflib.unified_diff(*lines, "traceback", f"renderer, {how}"))
                self.differences.append(f"{self.test}\n{diff}")


comparison = Comparison()


class Result(unittest.TextTestResult):
    """Knows which test runs."""

    def startTest(self, test):
        comparison.test = test.id()
        super().startTest(test)


def instrument():
    """Compare wherever `traceback` is asked for an exception, and wherever a test expects one."""
    vars(traceback)["_beside"] = sys.modules[__name__]  # where the added lines find what they call
    begin_with(traceback.format_exception, "_beside.comparison.fallbacks += 1")
    begin_with(traceback.print_exception, "_beside.comparison.fallbacks += 1")
    begin_with(
        traceback.TracebackException.__init__,
        "if _seen is None: _beside.comparison.compare(exc_value, exc_traceback)",
    )
    compare_expected()


def begin_with(function, line):
    """Have `function` run `line` first, and then what it did before, under the signature that it had."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    tree.body[0].body[:0] = ast.parse(line).body
    names = {}
    exec(compile(tree, function.__code__.co_filename, "exec"), dict(vars(traceback)), names)
    function.__code__ = names[function.__name__].__code__


def compare_expected():
    """Compare what ``assertRaises`` catches, most of which no test prints."""
    leave = case._AssertRaisesContext.__exit__

    def compared(self, exc_type, exc_value, tb):
        comparison.compare(exc_value, tb)
        return leave(self, exc_type, exc_value, tb)

    case._AssertRaisesContext.__exit__ = compared


def main(how, *modules):
    """Run the tests, and print what came of it."""
    out, err = sys.stdout, io.StringIO()
    if how == "compared":
        instrument()
    suite = unittest.defaultTestLoader.loadTestsFromNames([f"test.{name}" for name in modules])
    result = unittest.TextTestRunner(err, resultclass=Result).run(suite)
    failed = sorted({test.id() for test, _ in (*result.failures, *result.errors)})
    said = {"ran": result.testsRun, "failed": failed, "log": err.getvalue()[-20000:]}
    json.dump({**said, **comparison.counts, "differences": comparison.differences}, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
