"""What is typed after `loghub run`, and the queue between the streams and who looks at them."""

from __future__ import annotations

import datetime as dt
import logging
import signal
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub import runs
from loghub.supervise import intake, reporter
from loghub.supervise.child import Ended
from loghub.supervise.command import Misuse, parse
from loghub.supervise.reporter import Reporter, Subject
from tests.supervise.test_report_account import Shown

PY = sys.executable


@pytest.mark.parametrize(
    ("words", "argv", "program"),
    [
        (["app.py", "--help"], [PY, "app.py", "--help"], "app"),
        (["/srv/app.py", "-m", "x"], [PY, "/srv/app.py", "-m", "x"], "app"),
        (["-m", "mod", "-v"], [PY, "-m", "mod", "-v"], "mod"),
        (["-m", "shop.jobs.nightly"], [PY, "-m", "shop.jobs.nightly"], "nightly"),
        (["-m", "shop.__main__"], [PY, "-m", "shop.__main__"], "shop"),
        (["--", "ls", "-la"], ["ls", "-la"], "ls"),
        (["--", "-odd"], ["-odd"], "-odd"),
        (["--", "app.py"], ["app.py"], "app.py"),
        (["/bin/ls", "--", "-la"], ["/bin/ls", "--", "-la"], "ls"),
        (["--component", "shop", "gunicorn", "--config", "x"], ["gunicorn", "--config", "x"], "gunicorn"),
    ],
)
def test_command(words, argv, program):
    """Options end where the command begins."""
    said = parse(words)
    assert (said.argv, said.program) == (argv, program)


def test_options():
    """Options have their values behind them, or behind an equals sign."""
    said = parse(["--component=shop", "--home", "/h", "--ledger=sqlite", "--config", "c.yaml", "--timeout=0.5", "x"])
    assert (said.component, said.home, said.ledger, said.config, said.timeout) == (
        "shop", "/h", "sqlite", "c.yaml", 0.5,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "There is nothing to run: "),
        (["--"], "There is nothing to run: "),
        (["-m"], "-m needs the name of a module."),
        (["--component"], "--component needs a value."),
        (["--colour", "x"], "loghub run has no option --colour: "),
        (["--timeout", "soon", "x"], "--timeout must be a number of seconds, not 'soon'."),
        (["--timeout=-1", "x"], "--timeout must be a number of seconds, not '-1'."),
    ],
)
def test_misuse(words, sentence):
    """What makes no sense is refused in a sentence."""
    with pytest.raises(Misuse) as refused:
        parse(words)
    assert str(refused.value).startswith(sentence)


NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
HEAD = b"Traceback (most recent call last):\n"


def taken(intake):
    """Return all that waits."""
    found = []
    while not intake.is_empty():
        found += intake.take(0.0)
    return found


def test_flood(tmp_path, monkeypatch, capfd):
    """What is more than the queue holds is left out but for its end; what was left out with a head in it is counted."""
    monkeypatch.setattr(intake, "MAX_QUEUED", 100)
    monkeypatch.setattr(intake, "KEPT_BYTES", 100)
    log = logging.getLogger("loghub.uncaught")
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "propagate", log.propagate)
    made = Reporter(Subject("app", ["app"]), runs.Notes((str(tmp_path),)), list, 1.0)
    for chunk in (HEAD * 2, b"b" * 60, HEAD + b"c" * 60, b"d" * 60, b"e" * 60):
        made.watch(chunk)
    assert made._intake.take(0.0) == [HEAD * 2 + b"b" * 60]
    made.watch(b"f" * 60)
    assert taken(made._intake) == [b"", b"d" * 60 + b"e" * 60]
    made._intake.end()
    assert taken(made._intake) == [b"f" * 60]
    assert made._intake.skipped == len(HEAD) + 60
    made._start()
    made._finish(10.0)
    assert capfd.readouterr().err == (
        "Error reporter: 95 bytes of stderr were not searched for errors: too much came at once.\n"
    )


def test_end_of_a_flood(tmp_path, monkeypatch, capfd):
    """Where the end has no time for all that waits, the newest is looked at, and how the command ended is told."""
    monkeypatch.setattr(reporter, "SEARCH_SHARE", 0.0)
    log = logging.getLogger("loghub.uncaught")
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "propagate", log.propagate)
    handler = Shown(tmp_path / "home")
    made = Reporter(Subject("app", ["app"]), runs.Notes((str(tmp_path),)), lambda: [handler], 1.0)
    for _ in range(8):
        made.watch(HEAD + (b"x" * 79 + b"\n") * (1 << 14))
    made.watch(HEAD + b'  File "/app/a.py", line 1, in f\n    f()\nKeyError: 1\n')
    made._start()
    made.ended(Ended(1, signal.SIGSEGV, NOW, NOW), ())
    *_, last, end = handler.records
    assert last.exc_text.endswith("f()\nKeyError: 1")
    assert end.getMessage().startswith("app died by SIGSEGV")
    assert "bytes of stderr were not searched" in capfd.readouterr().err


def test_flood_without_a_traceback():
    """What is left out of a flood is no loss where no traceback began; the last words are there, and nobody hurries."""
    made = intake.Intake()
    for letter in (b"a", b"b", b"c"):
        for _ in range(8):
            made.put(letter * (1 << 18))
    made.end()
    found = taken(made)
    assert (made.skipped, made.has_head, found[-1][-1:]) == (0, False, b"c")
    assert b"" in found
    assert sum(map(len, found)) <= 4 * intake.KEPT_BYTES


@given(st.lists(st.integers(1, 80), min_size=1, max_size=20), st.integers(0, 100))
def test_head_in_pieces(sizes, before):
    """A head is noticed however the stream is cut, and comes with what stands before it."""
    made = intake.Intake()
    whole = b"x" * before + HEAD + b"y" * 10
    rest = whole
    for size in [*sizes, len(whole)]:
        if rest:
            made.put(rest[:size])
        rest = rest[size:]
    made.end()
    assert (made.has_head, made.urgent.is_set(), b"".join(taken(made))) == (True, True, whole)


def test_no_place_for_notes(tmp_path):
    """Where no file can be made, there are no notes, and nothing goes wrong."""
    notes = runs.Notes((str(tmp_path / "missing"),))
    assert (notes.path, list(notes.read({"x"}))) == ("", [])
    notes.close()
