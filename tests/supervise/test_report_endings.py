"""How a command ended, in words: every signal, every exit code, whatever it wrote."""

from __future__ import annotations

import json
import signal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub.event import dumps
from loghub.supervise import endings
from loghub.supervise.endings import LAST_LINES, last_lines, of_end

SIGNALS = sorted(signal.valid_signals() - {signal.SIGINT})
DUMP = (
    "Fatal Python error: Segmentation fault\n\n"
    'Current thread 0x1 (most recent call first):\n  File "a.py", line 3 in f\n'
)
PIECES = [
    DUMP,
    "Fatal Python error: init_fs_encoding\n",
    "panic: no\n\ngoroutine 1 [running]:\nmain.f()\n\t/a.go:3\n",
    "TypeError: x\n    at f (/a.js:1:2)\n",
    '  File "a.py", line 1\n    def f(:\n          ^\nSyntaxError: invalid syntax\n',
    "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
    "thread 'main' panicked at a.rs:1:2:\nno\n",
    "Segmentation fault (core dumped)\n",
    "a: no such file\n",
    "\x1b[31mred\x1b[0m\r\n",
    "10%\r50%\r100%\n",
]
PARTS = {"error_module", "error_message", "frames", "causes", "exceptions", "notes", "traceback"}


@pytest.mark.parametrize("number", SIGNALS)
def test_every_signal(number):
    """A death by any signal has the signal's name, and says so in a sentence."""
    report = of_end("app", number, b"")
    assert report.told["error_type"] == endings.name_of(number)
    assert report.sentence.startswith(f"app died by {endings.name_of(number)}")
    assert of_end("app", number, b"", sent=(number,)) is None
    assert of_end("app", (128 + number) << 8, b"", sent=(number,)) is None
    assert of_end("app", 0, b"", sent=(number,)) is None


def test_core():
    """Whether there is a core file is said."""
    assert of_end("app", signal.SIGSEGV | 0x80, b"").context["core_dumped"]
    assert not of_end("app", signal.SIGSEGV, b"").context["core_dumped"]


def test_real_time_signals():
    """Signals without a name of their own have one, too."""
    assert endings.name_of(signal.SIGRTMIN + 5) == "SIGRTMIN+5"
    assert endings.name_of(signal.SIGRTMIN) == "SIGRTMIN"


@pytest.mark.parametrize("status", [0, signal.SIGINT, (128 + signal.SIGINT) << 8])
def test_no_error(status):
    """What ended well, or by a person's Control-C, is none."""
    assert of_end("app", status, b"said") is None


def test_another_signal_than_was_sent():
    """Who asks for TERM and gets a crash has a crash."""
    assert of_end("app", signal.SIGSEGV, b"", sent=(signal.SIGTERM,)).told["error_type"] == "SIGSEGV"
    assert of_end("app", 1 << 8, b"", sent=(signal.SIGTERM,)).told["error_type"] == "ExitCode 1"


@pytest.mark.shows("out of memory", "said")
@pytest.mark.parametrize("status", [signal.SIGKILL, 137 << 8])
def test_out_of_memory(status):
    """SIGKILL, and a shell's word for it, is want of memory where the kernel has killed somebody; else not."""
    report = of_end("app", status, b"", killed=1, memory={"limit": 64 << 20}, explained=True)
    assert report.sentence == "app was killed for want of memory; its limit is 64 MiB"
    assert report.context["memory"] == {"limit": 64 << 20}
    assert of_end("app", status, b"").told["error_type"] in ("SIGKILL", "ExitCode 137")
    assert of_end("app", 1 << 8, b"", killed=1).told["error_type"] == "ExitCode 1"


def test_explained():
    """An exit code beside a traceback that is told already is not told again; a death by signal is."""
    assert of_end("app", 1 << 8, b"", explained=True) is None
    assert of_end("app", signal.SIGKILL, b"", explained=True) is not None


def test_dump_from_elsewhere():
    """A stack that faulthandler wrote to a file is taken as well as one on stderr, and is the same error."""
    dump = DUMP
    here, there = (
        of_end("app", signal.SIGSEGV, text, dump=said) for text, said in ((dump.encode(), ""), (b"", dump.strip()))
    )
    assert here.told == there.told
    assert [frame["function"] for frame in here.told["frames"]] == ["f"]


def test_last_lines():
    """Of what was said last, as many lines and bytes are kept as are worth reading; of a progress bar the end."""
    text = "".join(f"line {number}\n" for number in range(1000)) + "\x1b[31mred\x1b[0m\r\n" + "10%\r50%\r100%\n\n\n"
    lines = last_lines(text.encode())
    assert (len(lines), lines[-3:]) == (LAST_LINES, ["line 999", "red", "100%"])
    long = last_lines(b"x" * 100_000 + b"\n" + b"y" * 5_000 + b"\nend")
    assert long == ["y" * 5_000, "end"]
    assert last_lines(b"x" * 100_000) == ["x" * endings.LAST_BYTES]
    assert last_lines(b"") == []


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(
    st.integers(0, 0xFFFF),
    st.lists(st.one_of(st.sampled_from(PIECES).map(str.encode), st.binary(max_size=60)), max_size=8),
    st.booleans(),
    st.integers(0, 2),
)
def test_anything(status, pieces, explained, killed):
    """Whatever a command wrote, and however it ended: nothing is raised, and an event's error part is told."""
    if status & 0x7F == 0x7F:
        return  # stopped, not ended
    report = of_end("app", status & 0xFFFF, b"".join(pieces), explained=explained, killed=killed)
    if report is None:
        return
    assert report.sentence
    assert report.told["error_type"]
    assert {
        "error_module",
        "error_message",
        "frames",
        "causes",
        "exceptions",
        "notes",
        "traceback",
    } <= report.told.keys()
    assert json.loads(dumps(report.told))["platform"] in ("python", "javascript", "native")
    assert len(report.context.get("stderr", ())) <= LAST_LINES
