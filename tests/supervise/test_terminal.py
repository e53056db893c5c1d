"""The terminal between a child and the real one gives back what was written to it, many packets at a time."""

from __future__ import annotations

import os
import select
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub.supervise.terminal import Terminal

PIECES = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"x", b"\xff" * 79 + b"\n", b"y" * 4095, b"z" * 4094]))


@pytest.fixture(scope="module")
def terminal():
    """A terminal that stands for another one, which nobody looks at."""
    master, slave = os.openpty()
    made = Terminal(slave)
    yield made
    made.close()
    os.close(slave)
    os.close(master)


def passed(terminal, text):
    """Return what is read, as it comes, while somebody writes it and a full stop: a terminal holds 12 KB."""
    found = [b""]
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(_write, terminal.child_end, text + b".")
        while not found[-1].endswith(b".") and select.select([terminal.source], [], [], 20)[0]:
            found.append(terminal.read())
            terminal.settle()
        written.result(20)
    return found


def _write(fd, text):
    while text:
        text = text[os.write(fd, text) :]


@settings(deadline=None)
@given(pieces=PIECES)
def test_returns_of_the_childs_own(terminal, pieces):
    """Whatever returns a child writes, and wherever a packet ends, each added one is taken off and no other."""
    text = b"".join(pieces)
    assert b"".join(passed(terminal, text)) == text + b"."


def test_many_packets_at_once(terminal):
    """What waits is read in fewer pieces than Linux hands out, but not in one of any length."""
    text = (b"x" * 79 + b"\n") * 120
    _write(terminal.child_end, text)
    assert select.select([terminal.source], [], [], 20)[0]
    assert len(terminal.read()) == len(text)
    assert max(map(len, passed(terminal, text * 20))) < len(text) * 3


def test_nothing_to_read(terminal):
    """A read does not wait when there is nothing."""
    assert terminal.read() == b""
