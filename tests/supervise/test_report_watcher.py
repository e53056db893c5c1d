"""The watcher finds the tracebacks in a stream, however it is cut, and whatever is between."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub.supervise.intake import Tail
from loghub.supervise.watcher import Found, Watcher

PLAIN = (
    "Traceback (most recent call last):\n"
    '  File "/app/shop.py", line 12, in <module>\n'
    "    main()\n"
    '  File "/app/shop.py", line 7, in main\n'
    "    raise ValueError(amount)\n"
    "           ^^^^^^^^^^^^^^^^^\n"
    "ValueError: 17\n"
)
CHAINED = (
    "Traceback (most recent call last):\n"
    '  File "/app/shop.py", line 3, in read\n'
    "    int(text)\n"
    "ValueError: invalid literal\n"
    "\n"
    "The above exception was the direct cause of the following exception:\n"
    "\n" + PLAIN.replace("ValueError: 17", "RuntimeError: no amount")
)
GROUP = (
    "  + Exception Group Traceback (most recent call last):\n"
    '  |   File "/app/shop.py", line 12, in <module>\n'
    "  |     both()\n"
    "  | ExceptionGroup: both (2 sub-exceptions)\n"
    "  +-+---------------- 1 ----------------\n"
    "    | Traceback (most recent call last):\n"
    '    |   File "/app/shop.py", line 2, in one\n'
    "    |     raise ValueError\n"
    "    | ValueError\n"
    "    +---------------- 2 ----------------\n"
    "    | TypeError: two\n"
    "    +------------------------------------\n"
)
THREAD = "Exception in thread Thread-1 (work):\n" + PLAIN
IGNORED = "Exception ignored in: <function Held.__del__ at 0x7f00>\n" + PLAIN
PROCESS = "Process Worker-3:\n" + PLAIN
LOGGED = "2026-11-28 09:00:00,123 ERROR shop.pay: charge failed\n" + PLAIN
WARNED = "2026-11-28 09:00:00,123 WARNING shop.pay: slow\n" + PLAIN
JSON = '{"levelname": "ERROR", "name": "shop", "message": "failed", "exc_info": ' + '"' + PLAIN.strip().replace(
    '"', '\\"'
).replace("\n", "\\n") + '"}\n'  # fmt: skip
LINES = "GET /items/1 200\n" * 3
BEFORE = "2026-11-28 09:00:00,123 INFO shop.web: started\n"
SPOKEN = "just words\n\n  indented ones\n"
HALF = "Traceback (most recent call\n"
PIECES = [
    PLAIN,
    CHAINED,
    GROUP,
    THREAD,
    IGNORED,
    PROCESS,
    LOGGED,
    WARNED,
    JSON,
    LINES,
    BEFORE,
    SPOKEN,
    HALF,
    "x" * 90_000,
]


def found(*chunks):
    """Return what is found in a stream that comes in these chunks."""
    watcher = Watcher()
    told = [one for chunk in chunks for one in watcher.feed(chunk)]
    return told + list(watcher.end())


def cut(data, places):
    """Return `data` in pieces."""
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(ends)]


@pytest.mark.parametrize(
    ("text", "message", "level"),
    [
        (PLAIN, "", None),
        (CHAINED, "", None),
        (GROUP, "", None),
        (THREAD, "Exception in thread Thread-1 (work)", None),
        (IGNORED, "Exception ignored in: <function Held.__del__ at 0x7f00>", None),
        (PROCESS, "Process Worker-3", None),
        (LOGGED, "charge failed", 40),
        (WARNED, "slow", 30),
        (BEFORE + THREAD, "Exception in thread Thread-1 (work)", None),
        (BEFORE + "some print\n" + PLAIN, "", None),
        (LINES * 100 + LOGGED + BEFORE + LINES * 100, "charge failed", 40),
    ],
)
def test_one(text, message, level):
    """Each kind of traceback is found once, whole, with what stands before it."""
    [one] = found(text.encode())
    inner = next(piece for piece in (CHAINED, GROUP, PLAIN) if piece in text)
    assert (one.text, one.message, one.level) == (inner.rstrip("\n"), message, level)


def test_json():
    """A record that is one line of JSON is found, with its traceback."""
    [one] = found((LINES + JSON + LINES).encode())
    assert (one.text, one.message, one.level, one.logger) == (PLAIN.rstrip("\n"), "failed", 40, "shop")


def test_nothing():
    """Lines that only look like a head are none."""
    assert found((LINES + HALF + SPOKEN + BEFORE).encode() * 50) == []


def test_terminal():
    """Colours and a terminal's line ends are taken out."""
    coloured = re.sub(r'"(/app/shop.py)", line (\d+)', '\x1b[35m"\\1"\x1b[0m, line \x1b[35m\\2\x1b[0m', PLAIN)
    coloured = coloured.replace("ValueError: 17", "\x1b[1;35mValueError\x1b[0m: \x1b[35m17\x1b[0m")
    [one] = found(coloured.replace("\n", "\r\n").encode())
    assert one.text == PLAIN.rstrip("\n")


def test_others_between():
    """Lines of another process between those of a traceback do not tear it."""
    lines = PLAIN.splitlines(keepends=True)
    lines.insert(3, "2026-11-28 09:00:00,123 INFO shop.web: request\n")
    lines.insert(6, "2026-11-28 09:00:00,124 INFO shop.web: request\n")
    [one] = found("".join(lines).encode())
    assert one.text == PLAIN.rstrip("\n")


def test_words_after():
    """What others write after a blank line is none of the exception's message; what it says in more lines is."""
    [one] = found((PLAIN + "and more\n\nnext request\n" + LINES).encode())
    assert one.text == PLAIN + "and more"


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8), st.lists(st.integers(0, 1 << 20), max_size=12))
def test_any_cut(pieces, places):
    """The same stream gives the same tracebacks, however it is cut."""
    data = "".join(pieces).encode()
    assert found(*cut(data, places)) == found(data)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4))
def test_byte_by_byte(pieces):
    """A stream that comes a byte at a time gives the same, too."""
    data = "".join(piece for piece in pieces if len(piece) < 10_000).encode()
    assert found(*cut(data, range(len(data)))) == found(data)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.lists(st.one_of(st.sampled_from(PIECES[:-1]), st.text(max_size=200)), max_size=12), st.binary(max_size=400))
def test_anything(pieces, noise):
    """Whatever comes, nothing is raised, and places in the stream are true."""
    data = "".join(pieces).encode(errors="replace") + noise
    for one in found(data, noise, data):
        assert isinstance(one, Found)
        assert 0 < one.end <= len(data) * 2 + len(noise)


def test_many():
    """Each of many tracebacks in a row is found."""
    assert len(found((LOGGED * 500).encode())) == 500
    assert len(found((THREAD * 500).encode())) == 500


@pytest.mark.slow
def test_memory_is_bounded():
    """A line without an end, and a stack without an end, are held only in part."""
    watcher = Watcher()
    for _ in range(200):
        assert list(watcher.feed(b"x" * 100_000)) == []
    list(watcher.feed(("\n" + PLAIN.partition("ValueError: ")[0]).encode()))
    frame = b'  File "/app/shop.py", line 7, in main\n    main()\n'
    told = [one for _ in range(100) for one in watcher.feed(frame * 1000)] + list(watcher.end())
    assert max(len(one.text) for one in told) < 600_000


def test_a_gap():
    """What comes after a part that was left out does not go on with what came before it."""
    watcher = Watcher()
    first = list(watcher.feed(PLAIN[:120].encode())) + list(watcher.end())
    second = list(watcher.feed(b"ValueError: of another\n" + PLAIN.encode())) + list(watcher.end())
    assert [one.text for one in second] == [PLAIN.rstrip("\n")]
    assert all("another" not in one.text for one in first)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 60))
def test_tail(chunks, size):
    """The tail of a stream is its last bytes, however they came."""
    tail = Tail(size)
    for chunk in chunks:
        tail.add(chunk)
    whole = b"".join(chunks)
    assert (bytes(tail), tail.position) == (whole[-size:], len(whole))
