"""Work done elsewhere: pools of a program, other processes, errors that were never raised, odd callables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.grouping.programs.table import Table, case

if TYPE_CHECKING:
    from tests.grouping.stage import Case

WORK = {
    "yard": "",
    "yard.jobs": """\
import concurrent.futures
import json
import logging
import multiprocessing
import re

log = logging.getLogger("yard.jobs")

def halve(value):
    return 1 / value

def first(value):
    return value[0]

def here(job, value):
    return JOBS[job](value)

def in_process(job, value):
    fork = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(1, fork) as pool:
        future = pool.submit(JOBS[job], value)
        concurrent.futures.wait([future])
        return future.result()

JOBS = {"halve": halve, "first": first}

def never_raised_row(number):
    log.error("import failed", exc_info=ValueError(f"row {number} is bad"))

def never_raised_column(number):
    log.error("import failed", exc_info=ValueError(f"column {number} is bad"))

def import_sheet(what, number):
    log.error("import failed", exc_info=ValueError(f"{what} {number} is bad"))

class Counter:
    def __call__(self, value):
        return 10 / value

    @classmethod
    def of(cls, text):
        return int(text)

    @staticmethod
    def at(values):
        return values[5]

    def __len__(self):
        return -1

    def __eq__(self, other):
        return self.missing == other

    def __enter__(self):
        return self

    def __exit__(self, *args):
        raise OSError(f"counter {args[1]} cannot be closed")

class Gauge:
    def __call__(self, value):
        return 10 / value

    @classmethod
    def of(cls, text):
        return int(text)

def counter(value):
    return Counter()(value)

def gauge(value):
    return Gauge()(value)

def counter_of(text):
    return Counter.of(text)

def gauge_of(text):
    return Gauge.of(text)

def counter_at(values):
    return Counter.at(values)

def counter_length():
    return len(Counter())

def counter_equal(value):
    return Counter() == value

def counter_closed(value):
    with Counter():
        raise ValueError(value)

class Checked(type):
    def __new__(cls, name, bases, fields):
        if "key" not in fields:
            raise TypeError(f"{name} has no key")
        return super().__new__(cls, name, bases, fields)

def declare(name):
    return Checked(name, (), {})

class Described:
    def __set_name__(self, owner, name):
        raise AttributeError(f"{name} cannot be described")

def describe(name):
    return type("Made", (), {name: Described()})

class Local(Exception):
    pass

def local_class(value):
    class Local(Exception):
        pass
    raise Local(f"value {value}")

def global_class(value):
    raise Local(f"value {value}")

def silent():
    raise Local

def assertive(value):
    assert value

def bare_assert(value):
    assert value > 5
    assert value < 50

def chosen(value):
    match value:
        case {"kind": "a"}:
            raise ValueError(f"a is closed, {value}")
        case {"kind": "b"}:
            raise ValueError(f"b is closed, {value}")

def in_finally(path):
    try:
        open(path)
    finally:
        {}["lock"]

def in_else(value):
    try:
        number = int(value)
    except ValueError:
        raise LookupError(f"{value} is no number") from None
    else:
        raise LookupError(f"{number} is a number")

def walrus(text):
    if (found := re.match("a", text)) is None or True:
        return found.group()

def chained(values):
    return values["a"]["b"]["c"]

def long_call(a, b):
    return json.dumps(
        {
            "share": a / b,
            "first": a,
        }
    )
""",
}


HERE = "    return JOBS[job](value)\n"
POOLED = """\
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(JOBS[job], value).result()
"""
MAPPED = """\
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return list(pool.map(JOBS[job], [value]))
"""
AGAIN = """\
    try:
        return JOBS[job](value)
    except Exception:
        log.debug("again")
        raise
"""


def cases() -> list[Case]:
    """Return the cases of jobs."""
    table = Table(WORK, 1)
    for job, bad, worse in (("halve", 0, 0.0), ("first", [], "")):
        table.bug(
            f"job {job} fails",
            "yard.jobs:here",
            case("called", job, bad),
            case("in a pool of the program", job, worse, edits=((HERE, POOLED),)),
            case("mapped by a pool", job, bad, edits=((HERE, MAPPED),), shift=2),
            case("raised again", job, bad, edits=((HERE, AGAIN),)),
            case("raised again, through a queue", job, worse, edits=((HERE, AGAIN),), style="queue"),
        )
        table.bug(
            f"job {job} fails in another process",
            "yard.jobs:in_process",
            case("1", job, bad),
            case("2", job, worse, shift=3),
            case("3", job, bad, python="3.13"),
        )
    table.bug("bad row, never raised", "yard.jobs:never_raised_row", case("1", 5), case("2", 17, shift=2))
    table.bug("bad column, never raised", "yard.jobs:never_raised_column", case("1", 5), case("2", 17, shift=2))
    table.bug("bad sheet, never raised", "yard.jobs:import_sheet", case("1", "sheet", 5), case("2", "sheet", 6))
    table.bug("bad formula, never raised", "yard.jobs:import_sheet", case("1", "formula", 5), case("2", "formula", 6))
    table.bug("counter of nought", "yard.jobs:counter", case("1", 0), case("2", 0.0, via="flask"))
    table.bug("gauge of nought", "yard.jobs:gauge", case("1", 0), case("2", 0.0, via="flask"))
    table.bug("counter of no number", "yard.jobs:counter_of", case("1", "x"), case("2", "y", style="queue"))
    table.bug("gauge of no number", "yard.jobs:gauge_of", case("1", "x"), case("2", "y", style="queue"))
    table.bug("counter at the end", "yard.jobs:counter_at", case("1", []), case("2", [1], style="queue"))
    table.bug("counter's length", "yard.jobs:counter_length", case("1"), case("2", shift=2))
    table.bug("counter's equal", "yard.jobs:counter_equal", case("1", 5), case("2", 6, shift=2))
    table.bug("counter cannot be closed", "yard.jobs:counter_closed", case("1", "a"), case("2", 5, shift=2))
    table.bug("class without key", "yard.jobs:declare", case("1", "Book"), case("2", "Page", shift=1))
    table.bug("field cannot be described", "yard.jobs:describe", case("1", "book"), case("2", "page", shift=1))
    table.bug("local class", "yard.jobs:local_class", case("1", 5), case("2", 6, style="stderr"))
    table.bug("global class", "yard.jobs:global_class", case("1", 5), case("2", 6, style="stderr"))
    table.bug("silent", "yard.jobs:silent", case("1"), case("2", style="stderr"), case("3", style="queue"))
    table.bug("assertion alone", "yard.jobs:assertive", case("1", 0), case("2", "", style="stderr"))
    table.bug("assertion: low", "yard.jobs:bare_assert", case("1", 0), case("2", 5, style="stderr"))
    table.bug("assertion: high", "yard.jobs:bare_assert", case("1", 50), case("2", 70, style="stderr"))
    table.bug("a is closed", "yard.jobs:chosen", case("1", {"kind": "a"}), case("2", {"kind": "a", "id": 5}, shift=2))
    table.bug("b is closed", "yard.jobs:chosen", case("1", {"kind": "b"}), case("2", {"kind": "b", "id": 5}, shift=2))
    table.bug("lock is lost in finally", "yard.jobs:in_finally", case("1", "/data/5"), case("2", "/data/6"))
    table.bug("no number in except", "yard.jobs:in_else", case("1", "x"), case("2", "y 17", shift=2))
    table.bug("a number in else", "yard.jobs:in_else", case("1", "5"), case("2", "6", shift=2))
    table.bug("nothing was matched", "yard.jobs:walrus", case("1", "b"), case("2", "c", style="in message"))
    table.bug("chain lacks a", "yard.jobs:chained", case("1", {}), case("2", {"x": 1}, shift=2))
    table.bug(
        "share divides by nought",
        "yard.jobs:long_call",
        case("several lines", 2, 0),
        case("several lines, text", 3, 0, style="stderr"),
    )  # fmt: skip
    return table.cases
