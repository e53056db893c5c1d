"""Hooks: what nobody caught becomes a record, and whoever was hooked in before is still called."""

from __future__ import annotations

import bdb
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
    assert record._loghub_mechanism == mechanism
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


class Interrupt(KeyboardInterrupt):
    """A KeyboardInterrupt of the application's own."""


class Quit(BaseExceptionGroup):
    """A group whose members cannot be looked at."""

    exceptions = property(lambda self: 1 / 0)


ENDS = {
    "subclass": Interrupt(),
    "exit code": SystemExit("no such file"),
    "group": BaseExceptionGroup("g", [KeyboardInterrupt(), SystemExit(1)]),
    "groups in groups": BaseExceptionGroup("g", [BaseExceptionGroup("h", [Interrupt()])]),
    "quit in pdb": bdb.BdbQuit(),
}
ERRORS = {
    "group": BaseExceptionGroup("g", [KeyboardInterrupt(), ValueError("v")]),
    "groups in groups": BaseExceptionGroup("g", [BaseExceptionGroup("h", [Interrupt(), ValueError("v")])]),
    "odd group": Quit("g", [KeyboardInterrupt()]),
    "another end": GeneratorExit(),
}


@pytest.mark.parametrize("mechanism", WAYS)
@pytest.mark.parametrize("end", ENDS)
def test_other_wanted_ends(hooks, records, before, mechanism, end):
    """Subclasses are left alone, too, and groups of nothing else, whatever the exit code."""
    way, called = WAYS[mechanism]
    way(ENDS[end])
    assert records == []
    assert before == [called]


@pytest.mark.parametrize("error", ERRORS)
def test_errors_among_ends(hooks, records, error):
    """A group that holds an error as well is reported."""
    sys.excepthook(*raised(ERRORS[error]))
    assert len(records) == 1


def test_exit_with_a_cause(hooks, records):
    """Whoever turned an error into an exit wanted the exit."""
    try:
        try:
            raise ValueError("v")
        except ValueError as error:
            raise SystemExit(2) from error
    except SystemExit:
        sys.excepthook(*sys.exc_info())
    assert records == []


@pytest.mark.parametrize("mechanism", WAYS)
def test_two_at_once(before, records, mechanism):
    """Of two handlers one reports, and what was there before is called once."""
    first, second = Hooks(), Hooks()
    way, called = WAYS[mechanism]
    way(ValueError("v"))
    assert len(records) == 1
    assert before == [called]
    way(ValueError("w"))
    assert len(records) == 2
    second.remove()
    first.remove()


def test_removed_in_any_order(before, records):
    """Whoever goes first takes only its own hooks away."""
    there = sys.excepthook, threading.excepthook, sys.unraisablehook
    first, second = Hooks(), Hooks()
    first.remove()
    sys.excepthook(*raised(ValueError("v")))
    assert len(records) == 1
    second.remove()
    sys.excepthook(*raised(ValueError("v")))
    assert len(records) == 1
    assert before == ["main", "main"]
    sys.excepthook, threading.excepthook, sys.unraisablehook = there


def test_report_fails_again_and_again(hooks, records):
    """What a report itself leaves uncaught is not reported: that would never end."""

    class Failing(logging.Handler):
        def emit(self, record):
            unraisable(ValueError("in a finalizer"))
            in_thread(ValueError("in a hook"))

    failing = Failing()
    log.addHandler(failing)
    try:
        sys.excepthook(*raised(ValueError("v")))
        unraisable(ValueError("later"))
    finally:
        log.removeHandler(failing)
    assert [record.getMessage() for record in records] == ["Uncaught exception", "Exception ignored"]


def test_previous_hook_fails(before, records, monkeypatch):
    """Where the hook that was there before raises, Python is told, and the next exception is reported as ever."""
    monkeypatch.setattr(sys, "excepthook", lambda *args: 1 / 0)
    installed = Hooks()
    error = raised(ValueError("v"))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            sys.excepthook(*error)
    assert len(records) == 2
    installed.remove()


def test_thread_with_an_odd_name(hooks, records, before, capsys):
    """A thread that cannot be named does not keep the hook before us from being called."""

    class Odd(threading.Thread):
        name = property(lambda self: 1 / 0, lambda self, value: None)

    threading.excepthook(threading.ExceptHookArgs((*raised(ValueError("v")), Odd())))
    assert before == ["thread"]
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_no_stderr(hooks, before, monkeypatch):
    """Without a standard error nothing is said about a report that failed."""
    monkeypatch.setattr(log, "critical", lambda *args, **options: 1 / 0)
    monkeypatch.setattr(sys, "stderr", None)
    sys.excepthook(*raised(ValueError("v")))
    assert before == ["main"]
