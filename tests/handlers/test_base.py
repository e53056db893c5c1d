"""What all reporting handlers share: a record is in the journal when emit returns, and counted once."""

from __future__ import annotations

import gc
import io
import json
import logging
import logging.config
import logging.handlers
import os
import queue
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest

from loghub import filters, own_log
from loghub.delivery import deliverer
from loghub.errors import DeliveryError, OptionValueError, RefusedError, UnknownOptionError
from loghub.filters import EventFilter
from loghub.handlers.base import OutboxHandler, ReportingHandler
from loghub.ledger.sqlite import SQLiteLedger

ROOT = Path(__file__).parents[2]


class Told(OutboxHandler):
    """A channel that remembers what it was told."""

    def __init__(self, destination="told:here", **rest):
        self.destination = destination
        self.counts = {}
        self.fails = []
        super().__init__(**rest)

    def deliver(self, batch):
        """Take the batch, or fail as planned."""
        if self.fails:
            raise self.fails.pop(0)
        for item in batch.items:
            text = item.event["error_message"]
            self.counts[text] = self.counts.get(text, 0) + item.count


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Keep the process's default filter out."""
    monkeypatch.setattr(filters, "_shared", None)


@pytest.fixture
def home(tmp_path):
    """Return the folder of journal and ledger."""
    return str(tmp_path / "home")


@pytest.fixture
def attach():
    """Return a function that attaches handlers to a logger of its own, closed at the end."""
    handlers = []

    def attached(*some):
        logger = logging.Logger("shop.cart")  # noqa: LOG001 - alone, without a root
        for handler in some:
            logger.addHandler(handler)
        handlers.extend(some)
        return logger

    yield attached
    for handler in handlers:
        handler.close()


def fail(log, text="v"):
    """Log one bug, always the same."""
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("failed")


def journaled(home):
    """Return what the journals on disk hold."""
    folder = Path(home, "journal")
    return b"".join(file.read_bytes() for file in folder.iterdir()) if folder.is_dir() else b""


def counts(home):
    """Return the ledger's count of each group, by message."""
    ledger = SQLiteLedger(os.path.join(home, "ledger.db"))
    try:
        return {group.error_message: group.count for group in ledger.groups()}
    finally:
        ledger.close()


# The way of a record ------------------------------------------------------------------------------------------


def test_on_disk_when_emit_returns(attach, home, monkeypatch):
    """What the logging call returned from stands in the journal, nothing else having run."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    log = attach(ReportingHandler(home=home))
    fail(log, "the first words")
    assert b"the first words" in journaled(home)


def test_level(attach, home):
    """Errors are reported; what is below is not, unless the level says so."""
    assert ReportingHandler(home=home).level == logging.ERROR
    log = attach(ReportingHandler(home=home, level="CRITICAL"))
    fail(log)
    assert not journaled(home)


def test_counted_once(attach, home):
    """One record is counted once, however many handlers see it, and each destination gets its own."""
    one, other = Told("told:one", home=home), Told("told:other", home=home)
    log = attach(ReportingHandler(home=home), one, other)
    for _ in range(5):
        fail(log)
    one.flush()
    assert counts(home) == {"v": 5}
    assert one.counts == other.counts == {"v": 5}


def test_counted_once_by_two_ways(attach, home):
    """A record that comes directly and through a queue is counted once, in either order."""
    told = Told(home=home)
    records = queue.Queue()
    listener = logging.handlers.QueueListener(records, told)
    for handlers in ((told, logging.handlers.QueueHandler(records)), (logging.handlers.QueueHandler(records), told)):
        log = attach(*handlers)
        listener.start()
        for _ in range(10):
            fail(log)
        listener.stop()
    told.flush()
    assert counts(home) == {"v": 20}
    assert told.counts == {"v": 20}


def test_by_queue_alone(attach, home):
    """A record that comes through a queue only is the same bug as the direct one."""
    told = Told(home=home)
    records = queue.Queue()
    listener = logging.handlers.QueueListener(records, told)
    direct, queued = attach(told), attach(logging.handlers.QueueHandler(records))
    listener.start()
    for log in (direct, queued, queued):
        fail(log)
    listener.stop()
    told.flush()
    assert counts(home) == {"v": 3}


def test_filter_that_chooses(attach, home):
    """A filter of the application's own decides record by record what a destination hears of."""
    everything, some = Told("told:everything", home=home), Told("told:some", home=home)
    some.addFilter(lambda record: record.chosen)
    log = attach(everything, some)
    for chosen in (False, True, False, True, True):
        try:
            raise ValueError("v")
        except ValueError:
            log.exception("failed", extra={"chosen": chosen})
    everything.flush()
    assert everything.counts == {"v": 5}
    assert some.counts == {"v": 3}


def test_level_raised_later(attach, home):
    """A handler whose level is raised hears of no further repeats below it, though others do."""
    everything, grave = Told("told:everything", home=home), Told("told:grave", home=home)
    log = attach(everything, grave)
    for number in range(50):
        if number == 30:
            grave.setLevel("CRITICAL")
        fail(log)
    everything.flush()
    assert everything.counts == {"v": 50}
    assert grave.counts == {"v": 30}


def test_filters_in_turn(attach, home):
    """Handlers with two EventFilters, in any order, are each told every record once."""
    one, two = EventFilter(component="one"), EventFilter(component="two")
    told = [Told(f"told:{number}", home=home) for number in range(3)]
    for handler, chosen in zip(told, (one, two, one), strict=True):
        handler.addFilter(chosen)
    log = attach(*told)
    for _ in range(50):
        fail(log)
    told[0].flush()
    assert [handler.counts for handler in told] == [{"v": 50}] * 3


def test_own_life_is_not_fed_back(attach, home):
    """What logger loghub says is never reported, also when it fails itself."""
    told = Told(home=home)
    attach(told)
    own_log.log.addHandler(told)
    told.fails.append(RefusedError("never"))
    told.say(logging.ERROR, "something is wrong")
    own_log.log.error("Error reporter: more is wrong")
    assert not journaled(home)


def test_later_means_later(attach, home):
    """A delivery that failed is not lost: it waits in the ledger, with its count."""
    told = Told(home=home)
    told.fails.append(DeliveryError("not now", retry_after=3600))
    log = attach(told)
    fail(log)
    told.flush()
    assert told.counts == {}
    ledger = SQLiteLedger(os.path.join(home, "ledger.db"))
    (row,) = ledger.outbox()
    ledger.close()
    assert (row["destination"], row["waiting"], row["reason"]) == ("told:here", 1, "not now")


def test_without_a_destination(attach, home):
    """Without a destination nothing is delivered, and everything is counted and kept."""
    told = Told(None, home=home)
    log = attach(told)
    fail(log)
    told.flush()
    assert told.counts == {}
    assert counts(home) == {"v": 1}


def test_after_close(attach, home):
    """A handler that was closed still takes records; the next one of the home delivers them."""
    told = Told(home=home)
    log = attach(told)
    told.close()
    fail(log)
    again = Told(home=home)
    again.flush()
    assert counts(home) == {"v": 1}
    again.close()


# It never harms -----------------------------------------------------------------------------------------------


@pytest.mark.shows("hostile input", "application unharmed", "said")
def test_failure_is_said_once(attach, home, monkeypatch, capsys):
    """What goes wrong within never reaches the application, and each cause is shown once."""
    handler = ReportingHandler(home=home)
    log = attach(handler)
    monkeypatch.setattr(handler.home, "note", lambda *args, **options: 1 / 0)
    for _ in range(3):
        fail(log)
    assert capsys.readouterr().err.count("--- Logging error ---") == 1
    monkeypatch.setattr(handler.home, "note", lambda *args, **options: int("x"))
    fail(log)
    assert "invalid literal" in capsys.readouterr().err


def test_no_errors_wanted(attach, home, monkeypatch, capsys):
    """logging.raiseExceptions = False holds for us, too."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler = ReportingHandler(home=home)
    monkeypatch.setattr(handler.home, "note", lambda *args, **options: 1 / 0)
    fail(attach(handler))
    assert capsys.readouterr().err == ""


def test_no_lock(attach, home):
    """A record does not wait for a thread that holds the handler's lock, as flush and close do."""
    handler = ReportingHandler(home=home)
    log = attach(handler)
    with handler.lock:
        other = threading.Thread(target=fail, args=(log,))
        other.start()
        other.join(10)
        assert not other.is_alive()
    assert journaled(home)


@pytest.mark.shows("out of memory", "bounded")
def test_nothing_survives(attach, home, monkeypatch):
    """After the call nothing holds exception, frame, local or record, with no collector's help."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    log = attach(ReportingHandler(home=home), Told(home=home))
    gone = []

    class Precious(Exception):
        pass

    def act():
        local = Precious("v")
        gone.append(weakref.ref(local))
        try:
            raise local
        finally:
            del local

    log.addFilter(lambda record: gone.append(weakref.ref(record)) or True)
    gc.collect()
    gc.disable()
    try:
        for _ in range(30):
            try:
                act()
            except Precious:
                log.exception("failed")
        assert [reference() for reference in gone] == [None] * 60
    finally:
        gc.enable()


@pytest.mark.shows("hostile input", "application unharmed")
def test_at_the_end_of_the_stack(attach, home, monkeypatch):
    """With hardly any stack left emit raises nothing; only a call that finds no room at all fails."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    handler = ReportingHandler(home=home)
    attach(handler)
    record = logging.LogRecord("shop", logging.ERROR, __file__, 1, "deep", (), None)
    failures = []
    rounds = []

    def fall():
        try:  # noqa: SIM105 - suppress needs stack of its own
            fall()
        except RecursionError:
            pass
        if len(rounds) < 80:
            rounds.append(1)
            record.__dict__.pop("_loghub_event", None)
            try:
                handler.emit(record)
            except RecursionError:
                failures.append(len(rounds))

    fall()
    assert len(failures) <= 5
    assert b"deep" in journaled(home)


def test_hostile_filter_result(attach, home):
    """A filter may put another record in the place of the first (Python 3.12), and that one is reported."""
    handler = ReportingHandler(home=home)
    other = logging.LogRecord("shop", logging.ERROR, __file__, 1, "the other", (), None)
    handler.filter = lambda record: other
    attach(handler).error("the first")
    assert b"the other" in journaled(home)
    assert b"the first" not in journaled(home)


# Options ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["false", "0", "NO", "Off"])
def test_disabled(attach, home, monkeypatch, word):
    """ERROR_REPORTING_ENABLED turns everything off: no folder is made, no thread wakes."""
    monkeypatch.setenv("ERROR_REPORTING_ENABLED", word)
    handler = Told(home=home)
    fail(attach(handler))
    handler.flush()
    assert not os.path.exists(home)


@pytest.mark.parametrize("word", ["true", "1", "Yes", "ON"])
def test_enabled(attach, home, monkeypatch, word):
    """The variable may also say yes."""
    monkeypatch.setenv("ERROR_REPORTING_ENABLED", word)
    fail(attach(ReportingHandler(home=home)))
    assert journaled(home)


@pytest.mark.parametrize("name", ["ERROR_REPORTING_ENABLED", "ERROR_REPORTING_INCLUDE_SYSTEM_INFO"])
def test_malformed_variable(home, monkeypatch, name):
    """A malformed variable is refused when logging is configured, by its name, not at the first error."""
    monkeypatch.setenv(name, "perhaps")
    with pytest.raises(ValueError, match=f"{name}.*'perhaps'"):
        ReportingHandler(home=home)


WRONG = {
    "home": ["", 7, []],
    "ledger": ["mysql://host/x", 7, ""],
    "shutdown_timeout": [-1, "soon", None, float("inf")],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_values(name, value):
    """A malformed value is a ValueError that names handler, option, value and what is right."""
    with pytest.raises(ValueError, match=rf"^Told: option '{name}' cannot be .*; it must be .+\.$") as failure:
        Told(**{name: value})
    assert isinstance(failure.value, OptionValueError)


def test_wrong_ledger_keeps_its_password(monkeypatch):
    """A password in a malformed URL is not shown."""
    with pytest.raises(OptionValueError, match="ledger") as failure:
        Told(ledger="mysql://user:p@ssw0rd@host/x")
    assert "ssw0rd" not in str(failure.value)
    monkeypatch.setenv("LOGHUB_LEDGER", "oracle://u:hidden@h")
    with pytest.raises(OptionValueError, match="ledger"):
        Told()


def test_unknown_option(home):
    """An unknown option is a TypeError that names handler, option and the nearest, of all base classes."""
    with pytest.raises(
        TypeError, match=r"^Told has no option 'shutdowntimeout'; did you mean 'shutdown_timeout'\?$"
    ) as failure:
        Told(home=home, shutdowntimeout=1)
    assert isinstance(failure.value, UnknownOptionError)


def test_home_option(home, monkeypatch, tmp_path):
    """The home is the option, then LOGHUB_HOME, then the user's state directory."""
    assert ReportingHandler(home=home).home.path == home
    monkeypatch.setenv("LOGHUB_HOME", str(tmp_path / "of_env"))
    assert ReportingHandler().home.path == str(tmp_path / "of_env")
    monkeypatch.delenv("LOGHUB_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert ReportingHandler().home.path == str(tmp_path / "state" / "loghub")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ReportingHandler(home="~/errors").home.path == str(tmp_path / "errors")


def test_through_dictconfig(home):
    """Levels, filters and formatters of dictConfig are those of any handler; its errors say what is wrong."""
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"event": {"()": "loghub.EventFilter", "component": "pay"}},
        "handlers": {"report": {"()": "loghub.handlers.base.ReportingHandler", "level": "ERROR", "home": home,
                                "filters": ["event"], "shutdown_timeout": "soon"}},
        "loggers": {"test.dictconfig": {"handlers": ["report"]}},
    }  # fmt: skip
    with pytest.raises(ValueError, match="report") as failure:
        logging.config.dictConfig(config)
    assert "shutdown_timeout" in str(failure.value.__cause__)
    config["handlers"]["report"]["shutdown_timeout"] = 0.5
    logging.config.dictConfig(config)
    log = logging.getLogger("test.dictconfig")
    fail(log)
    (handler,) = log.handlers
    assert handler.shutdown_timeout == 0.5
    handler.flush()
    log.removeHandler(handler)
    handler.close()
    ledger = SQLiteLedger(os.path.join(home, "ledger.db"))
    assert ledger.events(1)[0]["component"] == "pay"
    ledger.close()


def test_refused_options_leave_nothing(tmp_path):
    """A process that ends because of a wrong option says so once: nothing half-made is flushed at exit."""
    script = (
        "import logging.config\n"
        "logging.config.dictConfig({'version': 1, 'handlers': {'one': {\n"
        "    'class': 'loghub.JSONDetailHandler', 'shutdown_timeout': 'soon'}}, 'root': {'handlers': ['one']}})\n"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT), "LOGHUB_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "option 'shutdown_timeout' cannot be 'soon'" in done.stderr
    assert done.stderr.rstrip().endswith("ValueError: Unable to configure handler 'one'")
    assert os.listdir(tmp_path) == []


def test_two_captures_and_one_event(attach, home, monkeypatch):
    """What before_send drops under one filter is counted under another, once."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    quiet, loud = Told("told:quiet", home=home), Told("told:loud", home=home)
    quiet.addFilter(filters.EventFilter(before_send=lambda event: None))
    loud.addFilter(filters.EventFilter())
    fail(attach(quiet, loud))
    lines = journaled(home).splitlines()
    events = [json.loads(line) for line in lines if line.startswith(b'{"no"')]
    assert [(line["n"], line["to"]) for line in events] == [(1, ["told:loud"])]


# The short way of a repeat ------------------------------------------------------------------------------------


def storm(log, times=30, **extra):
    """Log one bug often enough that its repeats are only counted."""
    for _ in range(times):
        try:
            raise ValueError("v")
        except ValueError:
            log.exception("failed", extra=extra)


def numbers(home):
    """Return the lines of the journals that only count."""
    return [line for line in journaled(home).split(b"\n") if line.isdigit()]


@pytest.fixture
def still(monkeypatch):
    """Let no thread fold what a test wants to see in the journal."""
    monkeypatch.setattr(deliverer, "by_hand", True)


def told(*handlers):
    """Fold and deliver; return what each channel was told."""
    handlers[0].home.round(everything=True)
    return [handler.counts.get("v", 0) for handler in handlers]


@pytest.mark.shows("storm", "application unharmed")
def test_one_write_for_all_handlers(attach, home, still, monkeypatch):
    """A repeat is one short write, whatever number of handlers see it."""
    one, other = Told("told:one", home=home), Told("told:other", home=home)
    log = attach(one, other, ReportingHandler(home=home))
    storm(log)
    writes = []
    honest = os.write
    monkeypatch.setattr(one.home.journal, "_write", lambda fd, data: writes.append(data) or honest(fd, data))
    fail(log)  # another place in the code: not known yet
    writes.clear()
    storm(log, 10)
    assert len(writes) == 10
    assert all(len(data) < 20 for data in writes)
    assert told(one, other) == [41, 41]


def test_handler_that_comes_in_a_storm(attach, home, still):
    """A handler that is added in a storm is told of what comes from then on, the others of all."""
    one, other = Told("told:one", home=home), Told("told:other", home=home)
    log = attach(one)
    storm(log)
    log.addHandler(other)
    storm(log)
    assert told(one, other) == [60, 30]
    assert counts(home) == {"v": 60}


def test_filter_that_chooses_in_a_storm(attach, home, still):
    """A filter of somebody else's is asked about every repeat, also if it comes in the midst of a storm."""
    one, other = Told("told:one", home=home), Told("told:other", home=home)
    log = attach(one, other)
    storm(log)
    asked = []
    other.addFilter(lambda record: asked.append(1) or len(asked) % 3 == 0)
    storm(log)
    assert len(asked) == 30
    other.filters.clear()
    other._note_filters()
    storm(log)
    assert told(one, other) == [90, 70]


def test_level_in_a_storm(attach, home, still):
    """A level that is raised in the midst of a storm counts from the next record on."""
    one, other = Told("told:one", home=home), Told("told:other", home=home)
    log = attach(one, other)
    storm(log)
    other.setLevel(logging.CRITICAL)
    storm(log)
    assert told(one, other) == [60, 30]


def test_own_emit(attach, home, still):
    """A subclass that has an emit of its own is asked about every repeat."""

    class Own(Told):
        asked = 0

        def emit(self, record):
            self.asked += 1
            super().emit(record)

    one, other = Told("told:one", home=home), Own("told:other", home=home)
    storm(attach(one, other))
    assert other.asked == 30
    assert told(one, other) == [30, 30]


def test_two_event_filters(attach, home, still):
    """Two EventFilters see one record: it is counted once, and each says what is true of its handler's event."""
    one, other = Told("told:one", home=home), Told("told:other", home=home)
    one.addFilter(EventFilter(component="one"))
    other.addFilter(EventFilter(component="other"))
    storm(attach(one, other))
    assert told(one, other) == [30, 30]
    assert counts(home) == {"v": 30}


def test_two_homes(attach, home, still):
    """Each home counts every repeat, once."""
    one, other = Told("told:one", home=home), Told("told:other", home=home + "-other")
    log = attach(one, other, ReportingHandler(home=home))
    storm(log)
    assert told(one) + told(other) == [30, 30]
    assert len(numbers(home)) == len(numbers(home + "-other")) == 10


@pytest.mark.parametrize("extra", [{"fingerprint": "mine"}, {"component": "pay"}, {"loghub_skip": True}])
def test_extra_in_a_storm(attach, home, still, extra):
    """What a record says about itself counts, also between repeats that say nothing."""
    one = Told("told:one", home=home)
    log = attach(one)
    for _ in range(15):
        storm(log, 2)
        storm(log, 2, **extra)
    one.home.round(everything=True)
    found = sorted(group.count for group in one.home.ledger().groups())
    assert found == {"fingerprint": [30, 30], "component": [60], "loghub_skip": [30]}[next(iter(extra))]


def test_message_that_decides_in_a_storm(attach, home, still):
    """Where only the message tells two bugs of one place apart, each repeat is looked at."""
    one = Told("told:one", home=home)
    log = attach(one)
    for number in range(60):
        try:
            raise OSError(28 if number % 2 else 13, "no")
        except OSError:
            log.exception("failed")
    one.home.round(everything=True)
    assert sorted(one.counts.values()) == [30, 30]


def test_next_hour(attach, home, still, monkeypatch):
    """In the next hour occurrences are kept in full again."""
    one = Told("told:one", home=home)
    log = attach(one)
    storm(log, 40)
    kept = len(one.home.journal._kept)
    later = time.time() + 3600
    monkeypatch.setattr(logging.time, "time", lambda: later)
    monkeypatch.setattr(logging.time, "time_ns", lambda: int(later * 1e9))
    storm(log, 40)
    monkeypatch.undo()
    assert kept == 1
    assert len(numbers(home)) == 2 * 20
    deliverer.by_hand = True
    assert told(one) == [80]


def test_forked_child_in_a_storm(attach, home, still):
    """A forked child begins a journal of its own: its repeats are counted beside its parent's."""
    log = attach(ReportingHandler(home=home))
    storm(log)
    pid = os.fork()
    if not pid:
        storm(log)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert len(list(Path(home, "journal").iterdir())) == 2
    assert len(numbers(home)) == 20


class Choosy(Told):
    """Takes only what its own filter lets through."""

    def filter(self, record):
        return "health" not in record.getMessage() and super().filter(record)


def say(log, text, times=30):
    """Log one bug of one place with a text of its own."""
    for _ in range(times):
        try:
            raise ValueError("v")
        except ValueError:
            log.exception(text)


def test_own_filter_method(attach, home, still):
    """A handler that has a filter method of its own has it called for every repeat, beside others that take all."""
    one, other = Choosy("told:one", home=home), Told("told:other", home=home)
    log = attach(one, other)
    for text in ("x", "health"):
        say(log, text)
    assert told(one, other) == [30, 60]


def test_emit_put_into_a_handler(attach, home, still, monkeypatch):
    """An emit that is put into a handler, before or in a storm, is called for every repeat while it is there."""
    one = Told("told:one", home=home)
    log = attach(one)
    storm(log)
    calls = []
    honest = one.emit
    with monkeypatch.context() as patch:
        patch.setattr(one, "emit", lambda record: calls.append(1) or honest(record))
        storm(log)
    storm(log)
    assert len(calls) == 30
    assert told(one) == [90]


@pytest.mark.parametrize("put", ["append", "replace"])
def test_filters_changed_by_hand(attach, home, still, put):
    """A filter that somebody puts into the list of filters itself is asked, too."""
    one = Told("told:one", home=home)
    log = attach(one)
    storm(log)
    if put == "append":
        one.filters.append(lambda record: False)
    else:
        one.filters = [lambda record: False]
    storm(log)
    assert told(one) == [30]


@pytest.mark.shows("clock wrong", "nothing twice", "bounded")
def test_clock_that_goes_back_and_forth(attach, home, still, monkeypatch):
    """A clock that jumps over the hour and back keeps 20 for each hour, not for each jump."""
    one = Told("told:one", home=home)
    log = attach(one)
    now = time.time() // 3600 * 3600 - 7000
    for hours in (0, 1, 0, 1, 0):
        at = now + 3600 * hours
        monkeypatch.setattr(logging.time, "time", lambda at=at: at)
        monkeypatch.setattr(logging.time, "time_ns", lambda at=at: int(at * 1e9))
        storm(log, 40)
    monkeypatch.undo()
    deliverer.by_hand = True
    assert told(one) == [200]
    assert len(one.home.ledger().events(500)) == 40
