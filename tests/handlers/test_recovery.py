"""RecoveryHandler: what runs, when, what becomes of it, and that nothing a procedure does gets out."""

from __future__ import annotations

import contextlib
import logging
import logging.config
import os
import socket
import sqlite3
import threading
import time

import pytest
import yaml

import loghub
from loghub.delivery import deliverer, opening
from loghub.delivery.home import Home
from loghub.errors import OptionValueError, UnknownOptionError
from loghub.event import dumps
from loghub.handlers.recovery import HEAD_START_SECONDS, RecoveryHandler
from loghub.recovery.run import Run
from tests.channels import Told
from tests.clock import Clock
from tests.processes import run

PATIENCE = 20.0  # for threads of ours that are about to end


class CameraError(Exception):
    """Of an application."""


class LensError(CameraError):
    """One of them."""


class Site:
    """An application in which something fails, its procedure, and a clock.

    `answers` are what the procedure returns, raises or does, one after the other; then it helps.
    """

    def __init__(self, path) -> None:
        self.path = str(path)
        self.clock = Clock(time.time())
        self.logger = logging.Logger("shop.camera")  # noqa: LOG001 - of this test alone
        self.logger.addFilter(self.date)
        self.answers = []
        self.calls = []
        self.handlers = []
        self.home = None

    def date(self, record):
        record.created = self.clock()
        return True

    def handler(self, *procedures, **options):
        """Attach a RecoveryHandler."""
        said = [{"on": "CameraError", "run": self.reopen, "cooldown": 60} | one for one in procedures or ({},)]
        made = RecoveryHandler(procedures=said, home=self.path, **options)
        self.add(made)
        return made

    def add(self, made):
        self.home = made.home
        self.home.now = self.clock
        self.handlers.append(made)
        self.logger.addHandler(made)

    def reopen(self, event, **arguments):
        self.calls.append((event, arguments))
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, BaseException) or (isinstance(answer, type) and issubclass(answer, BaseException)):
            raise answer
        return answer() if callable(answer) else answer

    def fail(self, error=None):
        """Have the application log an error."""
        try:
            raise error or CameraError("no picture")
        except Exception:
            self.logger.exception("camera failed")

    def look(self, seconds=0.0, **how):
        """Let time pass, have the delivery thread's work done, and wait for the procedure."""
        self.clock.now += seconds
        self.home.round(**how)
        for thread in threading.enumerate():
            if thread.name == "loghub-recovery":
                thread.join(PATIENCE)
        self.home.round(**how)

    @property
    def outcomes(self):
        """What is kept with the only group, the oldest first."""
        (group,) = self.home.ledger().groups()
        return [one.outcome for one in reversed(self.home.ledger().group(group.fingerprint).recoveries)]

    @property
    def waiting(self):
        """What the outbox shows."""
        return [(row["state"], row["reason"]) for row in self.home.ledger().outbox()]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Return an application whose delivery is done by hand."""
    monkeypatch.setattr(deliverer, "by_hand", True)
    made = Site(tmp_path / "home")
    monkeypatch.setattr("loghub.ledger.folding.time.time", made.clock)
    yield made
    for each in made.handlers:
        each.close()


def test_recovered(site, caplog):
    """The procedure gets the event and its arguments; that it helped is logged, counted and kept, and nothing waits."""
    site.handler({"with": {"device": 1}})
    site.fail()
    with caplog.at_level(logging.INFO, "loghub"):
        site.look()
    ((event, arguments),) = site.calls
    assert (event["error_type"], event["error_message"], arguments) == ("CameraError", "no picture", {"device": 1})
    assert site.outcomes == ["recovered"]
    assert site.waiting == []
    assert any("recovered by " in line and "Site.reopen in 0.0 s." in line for line in caplog.messages)


def test_only_its_kind(site):
    """Other errors are none of its business; subclasses are."""
    site.handler()
    site.fail(ValueError("x"))
    site.look()
    assert site.calls == []
    assert site.home.ledger().groups() == []
    site.fail(LensError("dark"))
    site.look()
    assert len(site.calls) == 1


@pytest.mark.parametrize("on", ["shop", "ERROR", ["nothing", "LensError"]])
def test_other_kinds(site, on):
    """A logger, a level, or one of a list is a kind, too."""
    site.handler({"on": on})
    site.fail(LensError("dark"))
    site.look()
    assert len(site.calls) == 1


def test_fingerprint_is_a_kind(site):
    """One bug can be meant by its fingerprint."""
    told = Told(home=site.path)
    site.add(told)
    site.fail()
    site.look()
    (group,) = site.home.ledger().groups()
    site.handler({"on": group.fingerprint})
    site.fail(ValueError("another"))
    site.fail()
    site.look()
    assert [event["error_type"] for event, _ in site.calls] == ["CameraError"]


def test_one_run_for_many_errors(site):
    """Errors of before the end of a run are covered by it."""
    site.handler()
    for _ in range(100):
        site.fail()
        site.fail(LensError("dark"))
    site.look()
    assert len(site.calls) == 1
    assert site.waiting == []


def test_a_failed_run_is_tried_again(site, caplog):
    """What fails is tried again after the cooldown without a new error, until it helps."""
    site.handler()
    site.answers = [False, OSError("busy"), loghub.errors.LoghubError("The device is not there."), True]
    site.fail()
    site.look()
    assert site.outcomes == ["failed"]
    assert site.waiting[0][0] == "waiting"
    site.look(59)
    assert len(site.calls) == 1
    site.look(2)
    site.look(61)
    assert site.outcomes == ["failed", "failed", "gave up"]
    (row,) = site.waiting
    assert "gave up: The device is not there." in row[1]
    assert any("OSError: busy" in line for line in caplog.messages)


def test_gave_up_and_a_person(site):
    """After it gave up nothing runs for a while; who retries by hand ends that."""
    site.handler({"attempts": 1, "cooldown": 0})
    site.answers = [False]
    site.fail()
    site.look()
    site.fail()
    site.look(5)
    assert (len(site.calls), site.outcomes) == (1, ["gave up"])
    ledger = site.home.ledger()
    assert ledger.retry(site.handlers[0].branches[0].destination) == 1
    site.look(1)
    assert (len(site.calls), site.outcomes[-1]) == (2, "recovered")


def test_an_error_that_comes_back(site):
    """An error that comes again soon is no recovery; at last it gives up instead of running every minute."""
    site.handler()
    for _ in range(60):
        site.fail()
        site.look(30)
    assert 3 <= len(site.calls) <= 6
    assert "gave up" in site.waiting[0][1]


def test_what_a_procedure_logs_is_no_error_to_recover_from(site):
    """A procedure that logs the very error does not cause the next run."""
    site.handler()
    site.answers = [lambda: site.fail() or True]
    site.fail()
    site.look()
    site.look(120)
    assert len(site.calls) == 1


def test_a_muted_bug_is_mended_all_the_same(site):
    """Muting a bug keeps people from hearing of it, not the machine from mending it."""
    site.handler()
    site.fail()
    site.look()
    (group,) = site.home.ledger().groups()
    site.home.ledger().mute(group.fingerprint, float("inf"))
    site.clock.now += 3600
    site.fail()
    site.look()
    assert len(site.calls) == 2


def test_its_issues_are_told(site):
    """A GitHub destination that knows the bug is told again, so that the issue shows the outcome."""
    told = Told("github:acme/shop", home=site.path)
    site.add(told)
    site.fail()
    site.look()
    assert told.count == 1
    site.handler()
    site.fail()
    site.look()
    assert told.batches[-1].items[0].group.recoveries[0].outcome == "recovered"


# Contained


@pytest.mark.parametrize("answer", [SystemExit(3), KeyboardInterrupt(), RecursionError("deep"), OSError("x")])
def test_raises(site, answer):
    """Whatever it raises is a failure, and nothing more."""
    site.handler()
    site.answers = [answer]
    site.fail()
    site.look()
    assert site.outcomes == ["failed"]
    (group,) = site.home.ledger().groups()
    assert type(answer).__name__ in site.home.ledger().group(group.fingerprint).recoveries[0].reason


def test_forks(site, tmp_path):
    """The child of a procedure that forks ends where it would come back, and delivers nothing."""
    pids = []

    def fork():
        pid = os.fork()
        if pid:
            pids.append(pid)
            os.waitpid(pid, 0)
        else:
            (tmp_path / "child").write_text(str(os.getpid()))
        return True

    site.handler()
    site.answers = [fork]
    site.fail()
    site.look()
    assert site.outcomes == ["recovered"]
    assert (tmp_path / "child").read_text() == str(pids[0])
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_hangs(site, caplog):
    """A run that takes too long has failed; no other begins while it goes on, and its end frees the way."""
    site.handler({"timeout": 30, "attempts": 5})
    goes_on = threading.Event()
    site.answers = [lambda: goes_on.wait(PATIENCE)]
    site.fail()
    site.home.round()
    site.clock.now += 31
    site.home.round()
    assert site.outcomes == ["failed"]
    assert any("still runs after 30 s" in line for line in caplog.messages)
    for _ in range(10):
        site.clock.now += 120
        site.fail()
        site.home.round()
    assert (len(site.calls), site.outcomes) == (1, ["failed"])
    goes_on.set()
    site.look()
    assert site.outcomes == ["failed", "recovered"]
    site.clock.now += 120
    site.fail()
    site.look()
    assert len(site.calls) == 2


def test_a_hanging_run_delays_no_other_destination(site):
    """While a procedure hangs, other destinations are told."""
    goes_on = threading.Event()
    site.handler()
    told = Told(home=site.path)
    site.add(told)
    site.answers = [lambda: goes_on.wait(PATIENCE)]
    site.fail()
    site.home.round()
    site.fail()
    site.home.round()
    assert told.count == 2
    goes_on.set()
    site.look()


def test_it_cannot_change_the_event(site):
    """What a procedure does to its arguments stays there."""
    site.handler({"with": {"names": ["a"]}})
    site.answers = [lambda: site.calls[-1][0].clear() or site.calls[-1][1]["names"].append("b") or False, True]
    site.fail()
    site.look()
    site.look(61)
    assert site.calls[1][1] == {"names": ["a"]}
    assert site.calls[1][0]["error_type"] == "CameraError"


# One at a time


def other_process(site):
    """Return what another process would use, with the same procedure."""
    branch = site.handlers[0].branches[0]
    home = Home(site.path, None, now=site.clock)
    twin = type(branch)(branch.procedure, home=site.path)
    twin.home.detach(id(twin))
    twin.home = home
    home.attach(id(twin), twin)
    return home, twin


def test_one_run_over_all_processes(site):
    """While one process runs a procedure, no other does; when it is over, nothing is left for them."""
    site.handler()
    home, twin = other_process(site)
    goes_on = threading.Event()
    site.answers = [lambda: goes_on.wait(PATIENCE)]
    site.fail()
    site.home.round()
    for _ in range(20):
        site.clock.now += 10
        site.fail()
        home.round()
        site.home.round()
    assert len(site.calls) == 1
    goes_on.set()
    site.look()
    home.round()
    assert len(site.calls) == 1
    home.close(1.0)
    twin.close()


def test_the_process_of_the_error_comes_first(site):
    """Another process leaves an error to the one in which it happened for a moment, and then takes it over."""
    site.handler()
    home, twin = other_process(site)
    site.fail()
    site.home.fold()
    site.home.detach(id(site.handlers[0].branches[0]))  # busy elsewhere
    home.round()
    assert site.calls == []
    site.clock.now += HEAD_START_SECONDS + 1
    home.round()
    for thread in threading.enumerate():
        if thread.name == "loghub-recovery":
            thread.join(PATIENCE)
    assert len(site.calls) == 1
    home.close(1.0)
    twin.close()


def test_a_process_that_dies_in_the_midst(site):
    """The right to run of a process that is gone ends, its run has failed, and another goes on."""
    site.handler()
    branch = site.handlers[0].branches[0]
    ledger = opening.open_ledger(site.path, None)
    gone = f"elsewhere 1 {'0' * 8}"
    ledger.lease(branch._slot, gone, site.clock(), 300.0)
    ledger.remember(branch._slot, {"runs": 1, "began_at": site.clock()})
    site.fail()
    site.look()
    assert site.calls == []
    site.look(301)
    assert site.calls == []  # the dead run counts: the cooldown holds
    site.look(61)
    assert len(site.calls) == 1
    assert ledger.memory(branch._slot)["runs"] == 2
    ledger.close()


def test_a_new_configuration_does_not_run_it_twice(site):
    """While a run is under way, a handler that replaces the first begins none."""
    site.handler()
    goes_on = threading.Event()
    site.answers = [lambda: goes_on.wait(PATIENCE)]
    site.fail()
    site.home.round()
    site.logger.removeHandler(site.handlers[0])
    site.handlers[0].close()
    site.handler()
    site.fail()
    site.home.round()
    assert len(site.calls) == 1
    goes_on.set()
    site.look()
    assert len(site.calls) == 1


def test_at_the_end_of_the_process_it_is_waited_for(site):
    """An error right before the end is mended, if that does not take too long."""
    site.handler()
    slow = threading.Event()
    threading.Timer(0.3, slow.set).start()
    site.answers = [lambda: slow.wait(PATIENCE)]
    site.fail()
    site.home.round(closing=True)
    assert site.outcomes == ["recovered"]
    assert site.waiting == []


# Options


@pytest.mark.parametrize(
    ("procedures", "error", "said"),
    [
        ("x", OptionValueError, "a list of mappings with on, run, with"),
        (["x"], OptionValueError, "a list of mappings"),
        ([{"on": "ValueError"}], OptionValueError, "procedure 1 needs 'run'"),
        ([{"run": "os.getcwd"}], OptionValueError, "procedure 1 needs 'on'"),
        ([{"on": "ValueError", "run": "os.getcwdd"}], OptionValueError, "'run' cannot be 'os.getcwdd'"),
        (
            [{"on": "ValueError", "run": "os.path.exists", "with": {"q": 1}}],
            UnknownOptionError,
            "procedure 1: exists has no option 'q'",
        ),
        (
            [{"on": "OSError", "run": "loghub.procedures.restore_sqlite", "with": {"path": 5}}],
            OptionValueError,
            "procedure 1: restore_sqlite: option 'path' cannot be 5",
        ),
        (
            [{"on": "OSError", "run": "loghub.procedures.wait_for_network"}],
            OptionValueError,
            "procedure 1: wait_for_network: option 'host' is missing",
        ),
        ([{"on": "ValueError", "run": "os.getcwd"}], OptionValueError, "a function that takes the event"),
        ([{"on": 5, "run": "os.path.exists"}], OptionValueError, "'on' cannot be 5"),
        ([{"on": "E", "run": "os.path.exists", "with": [1]}], OptionValueError, "a mapping of the procedure's"),
        ([{"on": "E", "run": "os.path.exists", "cooldown": -1}], OptionValueError, "'cooldown' cannot be -1"),
        ([{"on": "E", "run": "os.path.exists", "attempts": 0}], OptionValueError, "'attempts' cannot be 0"),
        ([{"on": "E", "run": "os.path.exists", "timeout": "x"}], OptionValueError, "'timeout' cannot be 'x'"),
        ([{"on": "E", "run": "os.path.exists", "colldown": 1}], UnknownOptionError, "did you mean 'cooldown'"),
    ],
)
def test_malformed(site, procedures, error, said):
    """A malformed procedure is refused in one sentence."""
    with pytest.raises(error, match="RecoveryHandler") as caught:
        RecoveryHandler(procedures=procedures, home=site.path)
    assert said in str(caught.value)


def test_on_in_yaml(site):
    """The word `on` without quotes, which YAML 1.1 reads as true, is the key that the documentation writes."""
    read = yaml.safe_load("- on: ValueError\n  run: os.path.exists\n")
    assert True in read[0]
    made = RecoveryHandler(procedures=read, home=site.path)
    made.close()
    assert set(made.branches[0].procedure.on) == {"ValueError"}


def test_from_a_configuration(site):
    """dictConfig's nested values are taken, and a logger's error runs the function that a dotted name means."""
    logging.config.dictConfig({
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "mend": {
                "class": "loghub.RecoveryHandler",
                "home": site.path,
                "procedures": [{"on": "ERROR", "run": "os.makedirs", "with": {}, "attempts": "2"}],
            }
        },
        "loggers": {"recovery.configured": {"handlers": ["mend"]}},
    })  # fmt: skip
    (handler,) = logging.getLogger("recovery.configured").handlers
    assert handler.branches[0].destination.startswith("recovery:os.makedirs/")
    logging.getLogger("recovery.configured").handlers.clear()
    handler.close()


def test_the_right_to_run_is_named_after_what_it_is(site):
    """The same procedure for the same errors is one destination; other arguments make another."""
    handler = site.handler({"with": {"a": 1}}, {"with": {"a": 2}}, {"with": {"a": 1}, "cooldown": 5})
    first, second, third = (one.destination for one in handler.branches)
    assert first == third != second
    assert "reopen" in first


# On demand


def test_attempt_recovery(site):
    """`attempt_recovery` runs what is configured for a name, and says whether it helped; within the cooldown, once."""
    site.handler()
    site.answers = [True]
    assert loghub.attempt_recovery("CameraError", {"device": 1}) is True
    assert loghub.attempt_recovery("CameraError") is True
    ((event, _),) = site.calls
    assert (event["error_type"], event["additional_info"]) == ("CameraError", {"device": 1})
    site.clock.now += 61
    site.answers = [False]
    assert loghub.attempt_recovery("CameraError") is False
    assert len(site.calls) == 2


def test_attempt_recovery_with_the_device_itself(site):
    """A procedure gets the device that it is to open again, not a copy, which many cannot be made of."""
    site.handler()
    device = threading.Lock()
    assert loghub.attempt_recovery("CameraError", {"device": device}) is True
    assert site.calls[0][0]["additional_info"]["device"] is device


def test_attempt_recovery_in_a_signal_handler(site, monkeypatch):
    """Who is interrupted while it begins a run, and asks for one again, does not wait for itself."""
    site.handler()
    answers = []
    start = Run.start

    def interrupted(run):
        answers.append(loghub.attempt_recovery("CameraError"))
        start(run)

    monkeypatch.setattr(Run, "start", interrupted)
    assert loghub.attempt_recovery("CameraError") is True
    assert answers == [False]


@pytest.mark.parametrize("name", ["NetworkError", "DatabaseError"])
def test_attempt_recovery_by_seed_names(site, name, tmp_path):
    """The names of the seed document run the ready-made procedures that are configured for them."""
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.closing(sqlite3.connect(tmp_path / "x")) as db:
        db.execute("CREATE TABLE plates (plate TEXT)")
        network = {"host": "127.0.0.1", "port": server.getsockname()[1]}
        site.handler(
            {"on": "NetworkError", "run": "loghub.procedures.wait_for_network", "with": network},
            {"on": "DatabaseError", "run": "loghub.procedures.restore_sqlite", "with": {"path": str(tmp_path / "x")}},
        )
        assert loghub.attempt_recovery(name) is True


def test_attempt_recovery_with_odd_arguments(site):
    """The class itself is taken for its name, and what is no mapping still reaches the procedure."""
    site.handler({"cooldown": 0})
    assert loghub.attempt_recovery(CameraError, "device 1") is True
    assert site.calls[0][0]["additional_info"] == {"context": "device 1"}


def test_attempt_recovery_without_a_procedure(site, caplog):
    """A name for which nothing is configured is said, and is False."""
    site.handler()
    assert loghub.attempt_recovery("NetworkError") is False
    assert any("NetworkError" in line and "procedures" in line for line in caplog.messages)


def test_attempt_recovery_waits_for_a_run_under_way(site):
    """Who asks while the procedure runs gets the outcome of that run."""
    site.handler()
    goes_on = threading.Event()
    site.answers = [lambda: goes_on.wait(PATIENCE)]
    site.fail()
    site.home.round()
    threading.Timer(0.2, goes_on.set).start()
    assert loghub.attempt_recovery("CameraError") is True
    assert len(site.calls) == 1


def test_attempt_recovery_does_not_wait_for_ever(site):
    """A procedure that hangs costs no more than its time limit."""
    site.handler({"timeout": 0.2})
    goes_on = threading.Event()
    site.answers = [lambda: goes_on.wait(PATIENCE)]
    assert loghub.attempt_recovery("CameraError") is False
    goes_on.set()
    site.look()


def test_attempt_recovery_within_a_procedure(site):
    """A procedure that asks for a recovery itself gets none, and waits for nothing."""
    site.handler()
    site.answers = [lambda: loghub.attempt_recovery("CameraError") is False]
    site.fail()
    site.look()
    assert (len(site.calls), site.outcomes) == (1, ["recovered"])


def test_events_are_json(site):
    """What a procedure gets is plain data."""
    site.handler()
    site.fail()
    site.look()
    assert dumps(site.calls[0][0])


SCRIPT = """
import logging, os, sys, time
import loghub

def fork():
    try:
        return os.fork()
    except RuntimeError:  # Python 3.12.1 does not, when it ends
        return 1

def reopen(event, how):
    if how == "hang":
        time.sleep(60)
    if how == "fork" and fork() == 0:
        raise SystemExit("a child that goes on by itself")
    with open(sys.argv[2], "a") as file:
        file.write("x")
    return True

procedures = [{"on": "ValueError", "run": reopen, "with": {"how": sys.argv[3]}}]
logging.getLogger("shop").addHandler(loghub.RecoveryHandler(procedures=procedures, home=sys.argv[1]))
try:
    raise ValueError("x")
except ValueError:
    logging.getLogger("shop").exception("failed")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "times"), [("work", 1), ("hang", 0), ("fork", 1)])
def test_real_process(tmp_path, how, times):
    """A process that ends right after an error waits for its procedure, but not for one that hangs."""
    run(SCRIPT, tmp_path / "home", tmp_path / "ran", how, seconds=20)
    assert ((tmp_path / "ran").read_text() if times else "") == "x" * times
    assert times or not (tmp_path / "ran").exists()
