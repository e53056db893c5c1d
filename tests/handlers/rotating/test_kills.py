"""Writers that are killed."""

from __future__ import annotations

import glob
import os
import random
from pathlib import Path

import pytest

from loghub.rollover.state import PAGE, State, Write
from tests.handlers.rotating.lines import (
    everything,
    numbers_by_writer,
    say,
    start,
)


@pytest.mark.slow
@pytest.mark.parametrize("length", [40, 6_000])
def test_sigkill(log, length):
    """SIGKILL of writers loses, doubles and tears no line whose call returned, short or many pages long."""
    randomness = random.Random(length)
    options = {"maxBytes": 40 * length, "backupCount": 9999, "length": length}
    returned = {}
    survivor = start(log, "survivor", 10**6, **options)
    for number in range(12):
        writer = start(log, f"w{number}", 10**6, **options)
        calls = 0
        for _ in range(randomness.randrange(20, 60)):  # a byte for each call that returned
            calls += len(writer.stdout.read(1))
        writer.kill()
        returned[f"w{number}"] = calls + len(writer.communicate()[0])
        survivor.stdout.read(1 << 16)
    survivor.kill()
    survivor.communicate()
    start(log, "last", 1, **options).communicate()  # cuts off what the survivor may have left
    found = numbers_by_writer(everything(log))
    assert found.pop("last") == [0]
    assert len(found.pop("survivor")) > 100
    for name, calls in returned.items():
        assert len(found[name]) - calls in (0, 1)  # the call that was killed may have written
        assert found[name] == list(range(len(found[name])))
    assert max(map(os.path.getsize, glob.glob(f"{log}*"))) <= 40 * length


def announced(handler, data):
    """Have a writer announce `data` at the end of the handler's log, and return what of it is on the first page."""
    log = Path(handler.baseFilename)
    state = State(str(log.parent / f".{log.name}.state"), log.stat())
    state.announce(Write.of(log.stat().st_ino, log.stat().st_size, data))
    state.close()
    return data[: PAGE - log.stat().st_size % PAGE]


def append(log, data):
    """Write to the log past all handlers."""
    with log.open("ab") as file:
        file.write(data)


LONG = "".join(f"{number}," for number in range(3000)).encode() + b"\n"


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_line_cut_off_by_a_kill(make, log, pages):
    """What a dead writer announced and wrote a few pages of is cut off by the next one; nothing else is."""
    first, second = make(), make()
    say(first, "whole")
    written = len(announced(first, LONG)) + pages * PAGE
    append(log, LONG[:written])
    say(second, "next")
    assert log.read_text() == "whole\nnext\n"
    append(log, b"of somebody else\n")
    say(first, "last")
    assert log.read_text() == "whole\nnext\nof somebody else\nlast\n"


def test_line_of_a_writer_killed_after_it(make, log):
    """A line that is complete stays, though its writer died before it said so."""
    first, second = make(), make()
    say(first, "whole")
    announced(first, LONG)
    append(log, LONG)
    say(second, "next")
    assert log.read_bytes() == b"whole\n" + LONG + b"next\n"


@pytest.mark.parametrize("lengths", [[6, 6], [4084], [4085], [4086], [2000, 2084], [2000, 3000], [6, 20_000]])
def test_lines_after_a_writer_killed_before_its_own(make, log, lengths):
    """Where a writer died between its announcement and the first byte, the lines of others there are nobody's half."""
    first, second = make(), make()
    say(first, "head......")
    announced(first, LONG * 2)
    others = ["y" * length for length in lengths]
    say(first, *others)  # it wrote last: the size of the log tells it nothing
    say(second, "last")
    assert log.read_text().splitlines() == ["head......", *others, "last"]


def test_lines_of_somebody_else_after_an_announcement(make, log):
    """Nor are the lines of somebody who knows nothing of announcements, whole pages of them."""
    handler = make()
    say(handler, "head")
    announced(handler, LONG)
    foreign = b"z" * 60 + b"\n"
    append(log, foreign * 100)
    say(handler, "last")
    assert log.read_bytes() == b"head\n" + foreign * 100 + b"last\n"


def test_announced_for_another_file(make, log):
    """An unfinished write to a file that is gone harms no other."""
    handler = make()
    say(handler, "one")
    state = State(str(log.parent / ".app.log.state"), log.stat())
    state.announce(Write.of(log.stat().st_ino + 1, 0, LONG))
    append(log, LONG[:4096])
    other = make()
    say(other, "two")
    assert log.read_bytes() == b"one\n" + LONG[:4096] + b"two\n"
    assert state.unfinished() is None
    state.close()


def test_half_a_line_of_the_parent(make, log):
    """A child that was forked in the middle of its parent's write takes nothing from it."""
    handler = make()
    say(handler, "whole")
    with handler._held():
        append(log, announced(handler, LONG))  # the parent is so far
        child = os.fork()
        if not child:
            say(handler, "child")
            os._exit(handler.unwritten)
        assert os.waitpid(child, 0)[1] == 0
    assert log.read_bytes().startswith(b"whole\n" + LONG[:4000])
    assert log.read_bytes().endswith(b"child\n")


@pytest.mark.parametrize("rename", [1, 2, 3, 4])
def test_killed_in_a_rollover(make, log, monkeypatch, rename):
    """A process that dies before any one rename of a rollover leaves every line, once."""
    handler = make(maxBytes=20, backupCount=9)
    say(handler, "line number 1", "line number 2", "line number 3", "line number 4")

    class Killed(BaseException):
        pass

    real, calls = os.rename, []

    def dying(source, dest):
        calls.append(source)
        if len(calls) == rename:
            raise Killed
        real(source, dest)

    monkeypatch.setattr(os, "rename", dying)
    with pytest.raises(Killed):
        say(handler, "line number 5")
    monkeypatch.setattr(os, "rename", real)
    other = make(maxBytes=20, backupCount=9)
    say(other, "line number 6", "line number 7")
    assert sorted(everything(log)) == [f"line number {number}" for number in (1, 2, 3, 4, 6, 7)]
    assert other.unwritten == 0
