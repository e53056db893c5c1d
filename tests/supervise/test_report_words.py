"""What is typed after `loghub run`, and the queue between the streams and who looks at them."""

from __future__ import annotations

import logging
import sys

import pytest

from loghub import runs
from loghub.supervise import reporter
from loghub.supervise.command import Misuse, parse
from loghub.supervise.reporter import Reporter, Subject

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


def test_flood(tmp_path, monkeypatch, capfd):
    """What is more than the queue holds is counted, not kept; what comes after does not go on with what came before."""
    monkeypatch.setattr(reporter, "MAX_QUEUED", 100)
    log = logging.getLogger("loghub.uncaught")
    monkeypatch.setattr(log, "handlers", [])
    monkeypatch.setattr(log, "propagate", log.propagate)
    notes = runs.Notes((str(tmp_path),))
    made = Reporter(Subject("app", ["app"]), notes, list, 1.0)
    for chunk in (b"a" * 60, b"b" * 60, b"c" * 60, b"d" * 60):
        made.watch(chunk)
    assert made._batch() == ([b"a" * 60 + b"b" * 60, b""], 120)
    made.watch(b"e" * 60)
    assert (made._batch(), made.skipped) == (([b"e" * 60], 60), 120)
    made.watch(b"f" * 30)
    made._start()
    made._finish(10.0)
    assert capfd.readouterr().err == (
        "Error reporter: 120 bytes of stderr were not searched for errors: too much came at once.\n"
    )


def test_no_place_for_notes(tmp_path):
    """Where no file can be made, there are no notes, and nothing goes wrong."""
    notes = runs.Notes((str(tmp_path / "missing"),))
    assert (notes.path, list(notes.read({"x"}))) == ("", [])
    notes.close()
