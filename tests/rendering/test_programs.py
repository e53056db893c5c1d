"""A Renderer and `traceback` side by side, over programs that fail in every way that there is."""

from __future__ import annotations

import itertools
import linecache
import sys
import traceback
import types
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub.rendering import Renderer
from tests.rendering import hostile
from tests.rendering.programs import programs

_seconds = itertools.count()


def clock():
    """Return a time that goes on a second with each look: each rendering looks at the files."""
    return float(next(_seconds))


SHARED = Renderer(now=clock)


def outcome(function, *args):
    """Return what a call gives, or the kind of what it raises."""
    try:
        return function(*args)
    except BaseException as error:
        return f"raised {type(error).__name__}"


def printed(exc, tb):
    """Return what the interpreter prints."""
    return "".join(traceback.format_exception(type(exc), exc, tb))


def compare(exc, tb):
    """Hold the renderings, cold, warm and by the Renderer that has seen all others, against the interpreter's."""
    info = type(exc), exc, tb
    wanted = outcome(printed, exc, tb)
    own = Renderer(now=clock)
    assert outcome(own.render, info) == wanted, "cold"
    assert outcome(own.render, info) == wanted, "warm"
    assert outcome(SHARED.render, info) == wanted, "shared"
    assert outcome(printed, exc, tb) == wanted, "the example is no good: it has another text each time"


def steps(tb):
    """Return the parts of a traceback."""
    found = []
    while tb is not None:
        found.append(tb)
        tb = tb.tb_next
    return found


def joined(parts):
    """Return a traceback of `parts`, which are (frame, instruction, line)."""
    tb = None
    for frame, instruction, line in reversed(parts):
        tb = types.TracebackType(tb, frame, instruction, line)
    return tb


def parts_of(tb):
    """Return what `joined` makes a traceback of."""
    return [(step.tb_frame, step.tb_lasti, step.tb_lineno) for step in steps(tb)]


def as_raised(exc, number):
    """Leave the exception as it is."""
    return exc.__traceback__


def without(exc, number):
    """Take the traceback away."""


def cut(exc, number):
    """Begin further down."""
    return hostile.one_of(steps(exc.__traceback__), number)


def reversed_parts(exc, number):
    """Turn it round."""
    return joined(parts_of(exc.__traceback__)[::-1])


def shuffled(exc, number):
    """Leave some parts out, and repeat others."""
    parts = parts_of(exc.__traceback__)
    return joined([part for index, part in enumerate(parts) for _ in range((number >> index % 5) % 3)])


def repeated(exc, number):
    """Repeat one part as a recursion would."""
    parts = parts_of(exc.__traceback__)
    return joined([*parts, *[hostile.one_of(parts, number)] * (number % 7), *parts])


def other_lines(exc, number):
    """Give other line numbers than the instructions have."""
    line = hostile.one_of([0, 1, -1, -5, 3, 10**6, 2**31 - 1], number)
    return joined([(frame, instruction, line) for frame, instruction, _ in parts_of(exc.__traceback__)])


def only_lines(exc, number):
    """Give lines and no instructions."""
    line = hostile.one_of([0, 1, -1, 3, 10**6], number)
    return joined([(frame, -1, line) for frame, _, _ in parts_of(exc.__traceback__)])


def other_instructions(exc, number):
    """Give other instructions."""
    change = hostile.one_of(
        [lambda i: 0, lambda i: 2, lambda i: i + 2, lambda i: -3, lambda i: 10**6, lambda i: i + 1], number
    )
    return joined([(frame, change(instruction), line) for frame, instruction, line in parts_of(exc.__traceback__)])


def hidden_link(exc, number):
    """Put another exception before it, or hide the one that is there."""
    exc.__suppress_context__ = bool(number & 1)
    if number & 2:
        exc.__cause__ = hostile.caught(hostile.fail, number)
    return exc.__traceback__


def noted(exc, number):
    """Add notes."""
    exc.__notes__ = hostile.one_of([["a", "b\nc"], "text", [1, hostile.Unprintable()], {}, None, 7], number)
    return exc.__traceback__


BENDS = [
    *[as_raised] * 6,
    without, cut, cut, reversed_parts, shuffled, repeated, other_lines, only_lines, other_instructions,
    hidden_link, noted,
]  # fmt: skip


def bent(bend, exc, number):
    """Return the traceback after `bend`; where the exception does not allow it, the one that it has."""
    if exc.__traceback__ is None:
        return None
    try:
        return bend(exc, number)
    except (AttributeError, OverflowError):
        return exc.__traceback__


NO_LIMIT = object()
LIMITS = st.sampled_from([NO_LIMIT] * 24 + [-1, 0, 1, 3, 1000, 2**70, -(2**70), None, "x", 2.5, True])


def limit_to(limit):
    """Set or unset sys.tracebacklimit."""
    if limit is NO_LIMIT:
        vars(sys).pop("tracebacklimit", None)
    else:
        sys.tracebacklimit = limit


def keep(program):
    """Leave the file."""


def move_down(program):
    """Add lines on top."""
    program.path.write_bytes(b"# one\n# two\n# three\n" + program.data())


def edit(program):
    """Write every line anew."""
    program.path.write_bytes(b"".join(line + b"  # \xc3\xa9\n" for line in program.data().splitlines()))


def shorten(program):
    """Leave half of it."""
    program.path.write_bytes(program.data()[: len(program.data()) // 2])


def spoil(program):
    """Write what is no text."""
    program.path.write_bytes(b"\xff\xfe\x00" * 100)


def vanish(program):
    """Delete it."""
    program.path.unlink()


def forget(program):
    """Let linecache forget all lines."""
    linecache.clearcache()


def put_back(program):
    """Write the file as it was."""
    program.path.write_bytes(program.loaded)


BETWEEN = st.sampled_from([*[keep] * 4, move_down, edit, shorten, spoil, vanish, vanish, forget])
BENT = st.tuples(st.sampled_from(BENDS), st.integers(0, 100))


def compare_forms(exc, bend, number, limit):
    """Compare an exception as it was raised, then bent in two ways that are near each other, with the limit."""
    compare(exc, exc.__traceback__)
    tracebacks = [bent(bend, exc, number), bent(bend, exc, number + 1)]
    try:
        limit_to(limit)
        for tb in tracebacks if bend is not as_raised else tracebacks[: limit is not NO_LIMIT]:
            compare(exc, tb)
    finally:
        limit_to(NO_LIMIT)


def failed(run, n):
    """Return how a program fails in its n-th way; it may go a few hundred calls deep, which is a recursion already."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(sum(1 for _ in traceback.walk_stack(sys._getframe())) + 250)
    try:
        return hostile.caught(run, n)
    finally:
        sys.setrecursionlimit(before)


@pytest.mark.slow
def test_programs(tmp_path):
    """However a program fails, and whatever was done to exception, file and settings, the text is the interpreter's."""
    counts = Counter()

    @given(programs(), st.lists(BENT, min_size=2), LIMITS, BETWEEN)
    @settings(max_examples=250, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck))
    def holds(program, bends, limit, between):
        run = program.load(tmp_path)
        for change in (keep, between, put_back):
            change(program)
            for n, (bend, number) in zip(range(program.ways), itertools.cycle(bends), strict=False):
                compare_forms(failed(run, n), bend, number, limit)
                counts["exceptions"] += 1
        program.path.unlink()

    holds()
    assert counts["exceptions"] >= 3000
