"""Hooks: what nobody caught becomes a record, and whoever was hooked in before is still called."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import types

import pytest

from loghub.hooks import Hooks, log


class Collector(logging.Handler):
    """Keeps the records."""

    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


@pytest.fixture
def records():
    """Return what is logged to loghub.uncaught."""
    collector = Collector()
    log.addHandler(collector)
    log.propagate = False
    yield collector.records
    log.removeHandler(collector)
    log.propagate = True


@pytest.fixture
def before(monkeypatch):
    """Return the calls of the hooks that were there before."""
    calls = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: calls.append("main"))
    monkeypatch.setattr(threading, "excepthook", lambda args: calls.append("thread"))
    monkeypatch.setattr(sys, "unraisablehook", lambda args: calls.append("unraisable"))
    return calls


@pytest.fixture
def hooks(before):
    """Return installed hooks."""
    installed = Hooks()
    yield installed
    installed.remove()


def raised(error):
    """Return the triple of an exception that was raised."""
    try:
        raise error
    except BaseException:
        return sys.exc_info()


def in_thread(error):
    """Call the hook of threads as threading does."""
    thread = threading.Thread(name="worker")
    threading.excepthook(threading.ExceptHookArgs((*raised(error), thread)))


def unraisable(error):
    """Call the hook for what cannot be raised as the interpreter does."""
    kind, value, tb = raised(error)
    sys.unraisablehook(
        types.SimpleNamespace(exc_type=kind, exc_value=value, exc_traceback=tb, err_msg=None, object=None)
    )


WAYS = {"uncaught": (lambda error: sys.excepthook(*raised(error)), "main"), "thread": (in_thread, "thread"),
        "unraisable": (unraisable, "unraisable")}  # fmt: skip


@pytest.mark.parametrize("mechanism", WAYS)
def test_report(hooks, records, before, mechanism):
    """An exception is logged with its traceback, and then the hook that was there before is called."""
    way, called = WAYS[mechanism]
    way(ValueError("v"))
    (record,) = records
    assert record.levelno == logging.CRITICAL
    assert record.loghub_mechanism == mechanism
    assert str(record.exc_info[1]) == "v"
    assert record.exc_info[2] is not None
    assert before == [called]


def test_messages(hooks, records):
    """The message says what happened, and in which thread."""
    in_thread(ValueError("100%"))
    unraisable(ValueError("v"))
    assert [record.getMessage() for record in records] == ["Uncaught exception in thread worker", "Exception ignored"]


@pytest.mark.parametrize("mechanism", WAYS)
@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(3)])
def test_wanted_ends(hooks, records, before, mechanism, end):
    """KeyboardInterrupt and SystemExit are left alone."""
    way, called = WAYS[mechanism]
    way(end)
    assert records == []
    assert before == [called]


def test_some_hooks_only(before, records):
    """threads and unraisable may be left out."""
    installed = Hooks(threads=False, unraisable=False)
    in_thread(ValueError("v"))
    unraisable(ValueError("v"))
    assert records == []
    sys.excepthook(*raised(ValueError("v")))
    assert len(records) == 1
    installed.remove()


def test_remove(before):
    """What was there before is put back."""
    there = sys.excepthook, threading.excepthook, sys.unraisablehook
    installed = Hooks()
    assert sys.excepthook is not there[0]
    installed.remove()
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == there
    installed.remove()


def test_remove_below_another(before, records, monkeypatch):
    """Who hooked in after us stays, and calls through us to what was before; nothing is reported any more."""
    installed = Hooks()
    ours = sys.excepthook

    def theirs(*args):
        before.append("theirs")
        ours(*args)

    monkeypatch.setattr(sys, "excepthook", theirs)
    installed.remove()
    assert sys.excepthook is theirs
    sys.excepthook(*raised(ValueError("v")))
    assert before == ["theirs", "main"]
    assert records == []


def test_thread_without_exception(hooks, records):
    """A hook that is called without an exception or a thread does no harm."""
    threading.excepthook(threading.ExceptHookArgs((ValueError, None, None, None)))
    assert records == []
    threading.excepthook(threading.ExceptHookArgs((*raised(ValueError("v")), None)))
    assert records[0].getMessage() == "Uncaught exception in thread a thread"


def test_disabled_by_dictconfig(hooks, records):
    """dictConfig disables loggers that it finds, this one too: it logs all the same."""
    log.disabled = True
    sys.excepthook(*raised(ValueError("v")))
    assert len(records) == 1


def test_logging_fails(hooks, before, monkeypatch, capsys):
    """Where logging itself raises, it is shown, and the hook that was there before is called."""
    monkeypatch.setattr(log, "critical", lambda *args, **options: 1 / 0)
    sys.excepthook(*raised(ValueError("v")))
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert before == ["main"]


def test_at_the_prompt(hooks, records, before, monkeypatch):
    """What a person types at Python's prompt is not reported."""
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    sys.excepthook(*raised(ValueError("v")))
    assert records == []
    assert before == ["main"]


def test_component_is_the_program(tmp_path):
    """What nobody caught belongs to the program that ran, unless the EventFilter names a component."""
    script = tmp_path / "nightly_report.py"
    script.write_text(
        "import logging, sys, loghub\n"
        "class Show(logging.Handler):\n"
        "    def emit(self, record):\n"
        "        print(loghub.EventFilter(component=sys.argv[1] or None).capture.describer.component_of(record))\n"
        "logging.getLogger().addHandler(Show())\n"
        "keep = loghub.UncaughtHandler(faulthandler=False)\n"
        "logging.getLogger().addHandler(keep)\n"
        "1 / 0\n"
    )
    for component, expected in (("", "nightly_report"), ("shop", "shop")):
        done = subprocess.run(
            [sys.executable, str(script), component], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.stdout.split() == [expected], done.stderr
