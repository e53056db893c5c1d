"""Break loghub on purpose, one small change at a time, and tell which changes the tests do not notice.

The changes are cosmic-ray's, and the leaving out of a statement. Each is made in a copy of the repository, and there
the tests that are about the changed module run in a fork: nothing is imported or collected again that need not be.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import gc
import importlib
import inspect
import itertools
import json
import math
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

import parso
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
NOT_COPIED = (".git", ".venv*", ".axe", ".*_cache", ".hypothesis", ".site*", "dist", "build")


@dataclass(frozen=True)
class Subject:
    """What is changed, and the quick tests that are about it."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...] = ()
    """Tests that do not run, by a part of their name."""


LEDGER = (
    *("conditions", "connection", "database", "find", "folding", "moving", "reading", "retention", "rows", "schema"),
    *("sql", "sqlite"),
)
SUBJECTS = {
    "backoff": Subject(("loghub/backoff.py",), ("tests/test_backoff.py",)),
    "fingerprint": Subject(
        ("loghub/fingerprint",),
        ("tests/test_fingerprint.py", "tests/test_foreign_text.py", "tests/grouping/test_grouping.py"),
        ("is_quick", "::test_time", "test_raised_again"),
    ),
    "journal": Subject(("loghub/journal",), ("tests/test_journal.py",)),
    "ledger": Subject(
        tuple(f"loghub/ledger/{name}.py" for name in LEDGER),
        tuple(f"tests/ledger/test_{name}.py" for name in ("contract", "reading", "bounds", "sqlite", "moving")),
        ("[postgres", "[pgbouncer", "[sqlite file"),
    ),
    "lifecycle": Subject(("loghub/github/lifecycle.py",), ("tests/github/test_lifecycle.py",)),
}


class LeaveOut(Operator):
    """Leave out a statement that is there for what it does: a call, a change of an object, ``raise``, ``del``."""

    def mutation_positions(self, node: Any) -> Iterator[tuple]:
        """Yield the place of such a statement."""
        if node.type == "simple_stmt" and self._acts(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Put ``pass`` there."""
        was = node.children[0]
        node.children[0] = parso.python.tree.Keyword("pass", was.start_pos, was.get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls) -> tuple:
        """Return none: the interface asks for them."""
        return ()

    @staticmethod
    def _acts(statement: Any) -> bool:
        if statement.type == "expr_stmt":  # x.y = 1, x[y] = 1, x += 1
            target, how = statement.children[:2]
            return target.type in ("atom_expr", "power") or (how.type == "operator" and how.value != "=")
        return statement.type in ("atom_expr", "power", "await_expr", "raise_stmt", "del_stmt")


SWAPS = {
    "Comparison": (
        *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
        *("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Lt_GtE", "GtE_Lt", "LtE_Gt", "Gt_LtE"),
    ),
    "Binary": (
        *("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "FloorDiv_Mul", "Mod_Mul", "Pow_Mul"),
        *("BitOr_BitAnd", "BitAnd_BitOr"),
    ),
    "Unary": ("Delete_Not", "USub_UAdd"),
}
"""Cosmic-ray can put any operator in the place of any other; most of those say nothing that these do not."""

COMPUTES = frozenset({"arith_expr", "term", "power", "expr", "xor_expr", "and_expr", "shift_expr"})
"""What parso calls expressions with an operator between two values."""

OPERATORS: dict[str, Operator] = {"LeaveOut": LeaveOut()} | {
    name: get_operator(f"core/{name}")()
    for name in (
        *(f"Replace{kind}Operator_{pair}" for kind, pairs in SWAPS.items() for pair in pairs),
        *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
        *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer", "NumberReplacer"),
        *("RemoveDecorator", "ZeroIterationForLoop"),
    )
}


@dataclass(frozen=True)
class Mutant:
    """One change."""

    path: str
    operator: str
    occurrence: int
    line: int = field(compare=False)

    @property
    def name(self) -> str:
        """What it is called, for as long as its file stays as it is."""
        return f"{self.path}:{self.operator}:{self.occurrence}"


def mutants_of(path: str) -> Iterator[Mutant]:
    """Yield every change of a file but of types that only a checker reads."""
    source = (ROOT / path).read_text()
    types = list(_types(ast.parse(source)))
    nodes = list(ast_nodes(get_ast(source)))
    for name, operator in OPERATORS.items():
        places = ((node, place) for node in nodes for place in operator.mutation_positions(node))
        for occurrence, (node, (begin, end)) in enumerate(places):
            if "Binary" in name and node.parent.type not in COMPUTES:
                continue  # the star of an argument
            if name == "AddNot" and any(child.type == "namedexpr_test" for child in node.children):
                continue  # would need brackets
            if not any(first <= begin and end <= last for first, last in types):
                yield Mutant(path, name, occurrence, begin[0])


def _types(tree: ast.AST) -> Iterator[tuple]:
    """Yield where the annotations are, and the imports for them."""
    for node in ast.walk(tree):
        found = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            found.append(node)
        for one in found:
            if one is not None:
                yield (one.lineno, one.col_offset), (one.end_lineno, one.end_col_offset)


def swapped(old: CodeType, new: CodeType) -> dict[CodeType, CodeType] | None:
    """Return which code of a function has to stand for which; None where what runs at the import has changed."""
    if len(old.co_consts) != len(new.co_consts) or _bare(old) != _bare(new):
        return None
    found: dict[CodeType, CodeType] = {}
    for one, other in zip(old.co_consts, new.co_consts, strict=True):
        if not isinstance(one, CodeType) or not isinstance(other, CodeType):
            if type(one) is not type(other) or one != other:
                return None
        elif not one.co_flags & inspect.CO_OPTIMIZED:  # the body of a class
            inner = swapped(one, other)
            if inner is None:
                return None
            found |= inner
        elif one != other:
            if one.co_freevars != other.co_freevars:
                return None
            found[one] = other
    return found


def _bare(code: CodeType) -> CodeType:
    return code.replace(co_consts=(), co_linetable=b"")


class Order:
    """A plugin of pytest: what has noticed a change lately goes first, then what is quick; who fails is told."""

    def __init__(self, runner: Runner, tell: int, mutants: Sequence[Mutant] = ()) -> None:
        self.tell = tell
        self._runner = runner
        self._mutants = mutants

    def pytest_collection_modifyitems(self, items: list) -> None:
        """Leave out what does not run, and sort the rest."""
        without = self._runner.subject.without
        items[:] = [one for one in items if not any(part in one.nodeid for part in without)]
        self._sort(items)

    def _sort(self, items: list) -> None:
        places = {name: number for number, name in enumerate(self._runner.first)}
        items.sort(key=lambda one: places.get(one.nodeid, len(places)))

    def pytest_collection_finish(self) -> None:
        """Tell what has been imported by now."""
        self.say(modules=[name for name in sys.modules if not name.startswith(("loghub", "tests", "conftest"))])

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Where there are mutants, run the tests on each, in a fork of its own in which code is swapped."""
        for mutant in self._mutants:
            killer = self._runner.swap(mutant, lambda tell, codes: self._run(session, tell, codes))
            self.say(mutant=mutant.name, killer=killer)
        return True if self._mutants else None

    def _run(self, session: pytest.Session, tell: int, codes: dict[CodeType, CodeType]) -> int:
        self.tell = tell
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and one.__code__ in codes:
                one.__code__ = codes[one.__code__]
        self._sort(session.items)
        for item, following in itertools.zip_longest(session.items, session.items[1:]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                return 1
        return 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell of a test that failed, and how long each took."""
        if report.failed:
            self.say(failed=report.nodeid)
        if report.when == "call" and not self._runner.first:
            self.say(took=[report.duration, report.nodeid])

    def say(self, **what: Any) -> None:
        """Tell the process before the fork."""
        os.write(self.tell, json.dumps(what).encode() + b"\n")


class Runner:
    """Runs the tests of a subject in a copy of the repository, again and again."""

    def __init__(self, subject: Subject, folder: str) -> None:
        self.subject = subject
        self.first: list[str] = []
        """The tests in the order in which they run."""
        self.seconds = 600.0
        self._copy = Path(folder, "copy")
        self._basetemp = str(Path(folder, "tests"))
        shutil.copytree(ROOT, self._copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
        os.environ["PYTHONPATH"] = str(self._copy)
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # importing them takes longer than many of the tests
        os.chdir(self._copy)
        sys.path[:0] = [str(self._copy)]

    def warm(self) -> str | None:
        """Run them on what is unchanged, and import what they import of others; return what failed."""
        failed, told = self._fork(self._pytest)
        for name in (name for what in told for name in what.get("modules", ())):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # what is compiled of a mutant must not be taken for another
        sys.dont_write_bytecode = True
        begun = time.monotonic()
        if failed is None:
            failed, told = self._fork(self._pytest)
        self.seconds = 10 + 3 * (time.monotonic() - begun)
        self.first = [name for _, name in sorted(what["took"] for what in told if "took" in what)]
        return failed

    def run(self, mutants: Sequence[Mutant], tell: Callable[[Mutant, str | None], None]) -> None:
        """Tell who noticed each mutant, if anybody did.

        First in forks of a process that has collected the tests. A change that the import would have to see, and one
        that was not noticed so, is tried once more in a process that imports loghub anew.
        """
        left = {one.name: one for one in mutants}

        def hear(what: dict[str, Any]) -> None:
            if what.get("killer"):
                self._was_killed_by(what["killer"])
                tell(left.pop(what["mutant"]), what["killer"])

        self._fork(lambda tell: self._pytest(tell, mutants), seconds=math.inf, hear=hear)
        for mutant in left.values():
            with self._made(mutant):
                killer, _ = self._fork(self._pytest)
            self._was_killed_by(killer)
            tell(mutant, killer)

    def swap(self, mutant: Mutant, run: Callable[[int, dict[CodeType, CodeType]], int]) -> str | None:
        """Return who notices a mutant where only code is swapped; None, too, where that cannot be."""
        with self._made(mutant) as (path, source, changed):
            before, after = (compile(text, path, "exec", dont_inherit=True) for text in (source, changed))
            codes = swapped(before, after)
            killer = self._fork(lambda tell: run(tell, codes))[0] if codes else None
        self._was_killed_by(killer)
        return killer

    def _was_killed_by(self, killer: str | None) -> None:
        if killer in self.first:
            self.first.remove(killer)
            self.first.insert(0, killer)

    @contextlib.contextmanager
    def _made(self, mutant: Mutant) -> Iterator[tuple[str, str, str]]:
        """Have it in the copy; give the file's path, and what it was and is."""
        path = self._copy / mutant.path
        source = path.read_text()
        changed = mutated(source, mutant)
        path.write_text(changed)
        try:
            yield str(path), source, changed
        finally:
            path.write_text(source)

    def _fork(
        self,
        run: Callable[[int], int],
        *,
        seconds: float | None = None,
        hear: Callable[[dict[str, Any]], None] | None = None,
    ) -> tuple[str | None, list[dict[str, Any]]]:
        """Run in a fork; return the test that failed first, and what `Order` has told."""
        told, tell = os.pipe()
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            _end(run, tell)
        os.close(tell)
        said: list[dict[str, Any]] = []
        for line in _lines(told, time.monotonic() + (self.seconds if seconds is None else seconds)):
            said.append(json.loads(line))
            if hear is not None:
                hear(said[-1])
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.close(told)
        os.waitpid(pid, 0)
        return next((what["failed"] for what in said if "failed" in what), None), said

    def _pytest(self, tell: int, mutants: Sequence[Mutant] = ()) -> int:
        options = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        options += ["--basetemp", self._basetemp]
        return pytest.main([*options, *self.subject.tests], [Order(self, tell, mutants)])


def _end(run: Callable[[int], int], tell: int) -> None:
    """Do it in a forked process, and end that."""
    os.setsid()
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(quiet, number)
    try:
        code = run(tell)
        if code:
            os.write(tell, json.dumps({"failed": f"pytest's exit code {code}"}).encode() + b"\n")
        os.write(tell, END)
    finally:
        os._exit(0)


END = b"{}\n"


def _lines(told: int, until: float) -> Iterator[bytes]:
    """Yield what is told, up to its end or the time limit."""
    text = b""
    while True:
        ready = select.select([told], [], [], min(60.0, max(0.0, until - time.monotonic())))[0]
        if not ready and time.monotonic() < until:
            continue
        data = os.read(told, 65536) if ready else b'{"failed": "the time limit"}\n'
        *lines, text = (text + (data or b'{"failed": "the process"}\n')).split(b"\n")
        for line in lines:
            if line + b"\n" == END:
                return
            yield line
        if not ready or not data:
            return


def mutated(source: str, mutant: Mutant) -> str:
    """Return the text of a file with the change."""
    changed = mutate_code(source, OPERATORS[mutant.operator], mutant.occurrence)
    assert changed is not None
    return str(changed)


def difference(mutant: Mutant) -> list[str]:
    """Return the lines that were changed, before and after."""
    source = (ROOT / mutant.path).read_text()
    lines = difflib.unified_diff(source.splitlines(), mutated(source, mutant).splitlines(), lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def chosen(names: Sequence[str], sample: int | None, seed: int) -> tuple[str, list[Mutant]]:
    """Return what was asked for: the subject, and the mutants; a file or a mutant's own name choose some of it."""
    first = names[0].partition(":")[0]
    for name, subject in SUBJECTS.items():
        if first == name or any(first == path or first.startswith(f"{path}/") for path in subject.files):
            break
    else:
        raise SystemExit(f"{first}: choose from {', '.join(SUBJECTS)}, their files, or mutants that were named")
    paths = [ROOT / path for path in subject.files]
    paths = [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    found = [one for path in paths for one in mutants_of(str(path.relative_to(ROOT)))]
    if first != name:
        found = [one for one in found if one.name in names or one.path in names]
    if sample is not None:  # a larger sample has the smaller one in it
        random.Random(seed).shuffle(found)
        found = found[:sample]
    return name, found


def main() -> int:
    """Tell of each mutant; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", metavar="NAME", help=f"one of {', '.join(SUBJECTS)}, a file, or mutants")
    parser.add_argument("--sample", type=int, help="how many mutants, drawn at random; otherwise all")
    parser.add_argument("--seed", type=int, default=1, help="draws others (%(default)s)")
    options = parser.parse_args()
    name, mutants = chosen(options.names, options.sample, options.seed)
    left = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        runner = Runner(SUBJECTS[name], folder)
        failed = runner.warm()
        if failed:
            print(f"{name}: fails unchanged: {failed}")
            return 1
        print(f"{name}: {len(mutants)} mutants; after {runner.seconds:.0f} s one counts as noticed", flush=True)

        def tell(mutant: Mutant, killer: str | None) -> None:
            print(f"{'killed' if killer else 'SURVIVED'} {mutant.name} (line {mutant.line}) {killer or ''}", flush=True)
            if not killer:
                left.append(mutant)
                print(*(f"    {line}" for line in difference(mutant)), sep="\n", flush=True)

        runner.run(mutants, tell)
        os.chdir("/")
    print(f"{name}: {len(mutants)} mutants, {len(mutants) - len(left)} killed, {len(left)} survived")
    print(*(one.name for one in left), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
