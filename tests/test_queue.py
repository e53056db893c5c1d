"""Records that travel by QueueHandler and QueueListener, in one process or to another, stay the same bug, once."""

from __future__ import annotations

import json
import logging
import logging.config
import logging.handlers
import multiprocessing
import queue
import sys

import pytest
import structlog
from structlog.stdlib import BoundLogger, LoggerFactory, ProcessorFormatter

import loghub.structlog
from loghub.filters import EventFilter
from tests import shop
from tests.heard import Heard, attached, counted
from tests.processes import run

NAME = "shop.orders"
TRAVELS = {"exception", "chained", "group", "no exception"} & shop.CASES.keys()

PLAIN = "plain"
STRUCTLOG = {
    "json": [structlog.stdlib.add_log_level, structlog.processors.JSONRenderer()],
    "json, exception": [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
    "pairs": [structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
    "wrapped": [structlog.stdlib.add_log_level, ProcessorFormatter.wrap_for_formatter],
    "wrapped, exception": [structlog.processors.format_exc_info, ProcessorFormatter.wrap_for_formatter],
    "kwargs": [structlog.stdlib.add_logger_name, structlog.stdlib.render_to_log_kwargs],
    "merge_context": [loghub.structlog.merge_context],
}


@pytest.fixture
def home(tmp_path):
    """Return the folder of journal and ledger."""
    return str(tmp_path / "home")


@pytest.fixture(autouse=True)
def unconfigured():
    """Have the shop's logger made by structlog; leave structlog and logging's class of loggers as they were."""
    kind = logging.getLoggerClass()
    logging.root.manager.loggerDict.pop(NAME, None)
    LoggerFactory()
    yield
    structlog.reset_defaults()
    logging.setLoggerClass(kind)
    logging.root.manager.loggerDict.pop(NAME, None)


def logger_by(way):
    """Return a logger that takes keywords: of structlog, or the plain one."""
    if way == PLAIN:
        return shop.Plain(logging.getLogger(NAME))
    structlog.configure(processors=STRUCTLOG[way], wrapper_class=BoundLogger, logger_factory=LoggerFactory())
    return structlog.get_logger(NAME)


def the_plain(case, home):
    """Return the event of the plain call that goes nowhere else."""
    act, *args = shop.CASES[case]
    heard = Heard(home=home)
    with attached(NAME, heard):
        act(shop.Plain(logging.getLogger(NAME)), *args)
    return heard.events[0]


@pytest.mark.slow
@pytest.mark.parametrize("filtered", [True, False])
@pytest.mark.parametrize("case", sorted(TRAVELS))
@pytest.mark.parametrize("way", [PLAIN, *STRUCTLOG])
def test_to_a_listener(way, case, filtered, home, tmp_path):
    """Behind a queue the event is that of the plain call, with an EventFilter on the queue's handler or without."""
    expected = shop.compared(the_plain(case, str(tmp_path / "other")))
    heard, records = Heard(home=home), queue.Queue()
    sender = logging.handlers.QueueHandler(records)
    if filtered:
        sender.addFilter(EventFilter())
    listener = logging.handlers.QueueListener(records, heard)
    listener.start()
    act, *args = shop.CASES[case]
    with attached(NAME, sender):
        for _ in range(3):
            act(logger_by(way), *args)
        listener.stop()
    assert [shop.compared(event) for event in heard.events] == [expected] * 3
    assert counted(home) == 3


@pytest.mark.parametrize("case", sorted(TRAVELS))
@pytest.mark.parametrize("way", [PLAIN, "wrapped", "wrapped, exception"])
def test_formatted_for_the_queue(way, case, home, tmp_path):
    """A QueueHandler whose ProcessorFormatter makes JSON of every record sends whole events."""
    expected = shop.compared(the_plain(case, str(tmp_path / "other")))
    heard, records = Heard(home=home), queue.Queue()
    sender = logging.handlers.QueueHandler(records)
    sender.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_log_level],
            processors=[
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    listener = logging.handlers.QueueListener(records, heard)
    act, *args = shop.CASES[case]
    with attached(NAME, sender):
        act(logger_by(way), *args)
        listener.start()
        listener.stop()
    assert [shop.compared(event) for event in heard.events] == [expected]
    assert counted(home) == 1


@pytest.mark.parametrize("first", ["handler", "queue"])
@pytest.mark.parametrize("way", [PLAIN, *STRUCTLOG])
def test_both_ways(way, first, home):
    """A record that comes directly and through a queue counts once."""
    heard, records = Heard(home=home), queue.Queue()
    sender = logging.handlers.QueueHandler(records)
    listener = logging.handlers.QueueListener(records, heard)
    with attached(NAME, *((heard, sender) if first == "handler" else (sender, heard))):
        log = logger_by(way)
        for _ in range(5):
            shop.fail(log, shop.Card().charge)
            shop.complain(log, None)
        listener.start()
        listener.stop()
        assert counted(home) == 10


def dict_config(home, *, form):
    """Return a dictConfig with a queue, in the form of 3.12 or with a listener of one's own."""
    handlers = {
        "heard": {"class": "tests.heard.Heard", "home": home, "filters": ["event"]},
        "queue": {"class": "logging.handlers.QueueHandler", "handlers": ["heard"], "respect_handler_level": True},
    }
    if form == "queue":
        handlers["queue"] = {"()": "logging.handlers.QueueHandler", "queue": "ext://tests.test_queue.shared"}
    handlers["queue"]["filters"] = ["event"]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"event": {"()": "loghub.EventFilter", "component": "billing"}},
        "handlers": handlers,
        "loggers": {NAME: {"handlers": ["queue"], "level": "INFO", "propagate": False}},
    }


shared: queue.Queue = queue.Queue()


FORMS = ["queue", "listener"] if sys.version_info >= (3, 12) else ["queue"]


@pytest.mark.parametrize("form", FORMS)
def test_dict_config(form, home):
    """dictConfig's own form (3.12) and a listener started by hand deliver the same, below the level nothing."""
    logger = logging.getLogger(NAME)
    try:
        logging.config.dictConfig(dict_config(home, form=form))
        heard, sender = logging._handlers["heard"], logging._handlers["queue"]
        listener = (
            sender.listener
            if form == "listener"
            else logging.handlers.QueueListener(shared, heard, respect_handler_level=True)
        )
        listener.start()
        log = shop.Plain(logger)
        logger.info("started")
        shop.fail(log, shop.Card().charge)
        shop.complain(log, None)
        listener.stop()
        failed, complained = heard.events
        assert (failed["error_type"], failed["function"], failed["component"]) == (
            "CardError",
            "Card.charge",
            "billing",
        )
        assert complained["additional_info"] == {"order": 7}
        assert counted(home) == 2
        heard.close()
    finally:
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)


def test_stack_info(home):
    """What stack_info asked for is no part of the message behind a queue, and does not make another bug."""
    heard, records = Heard(home=home), queue.Queue()
    listener = logging.handlers.QueueListener(records, heard)
    with attached(NAME, logging.handlers.QueueHandler(records)) as log:
        for asked in (False, True):
            log.error("charge of %s failed", "ada", stack_info=asked)
        try:
            shop.Card().charge()
        except shop.CardError:
            log.exception("charge failed", stack_info=True)
        listener.start()
        listener.stop()
    without, event, raised = heard.events
    assert event["fingerprint"] == without["fingerprint"]
    assert event["message"] == without["message"] == "charge of ada failed"
    assert event["additional_info"]["stack_info"].startswith("Stack (most recent call last):\n  File ")
    assert (event["traceback"], event["function"]) == ("", "test_stack_info")
    assert (raised["message"], raised["error_message"]) == ("charge failed", "declined: 51")
    assert "test_stack_info" in raised["additional_info"]["stack_info"]
    assert "Stack (most" not in raised["traceback"]


def test_dict_whose_objects_have_no_text(home):
    """A dict that a QueueHandler made a text of is read though objects stand in it."""
    heard, records = Heard(home=home), queue.Queue()
    listener = logging.handlers.QueueListener(records, heard)
    with attached(NAME, logging.handlers.QueueHandler(records)):
        log = logger_by("wrapped")
        log.error("charge failed", card=shop.Card(), error=shop.CardError("x"), rest=[{"a": "}"}])
        listener.start()
        listener.stop()
    (event,) = heard.events
    assert event["message"] == "charge failed"
    assert event["additional_info"].keys() == {"card", "error", "rest"}
    assert event["additional_info"]["rest"] == [{"a": "}"}]


def work(records, way, filtered):
    """Log from another process into a queue."""
    LoggerFactory()  # as structlog is configured before loggers are made
    sender = logging.handlers.QueueHandler(records)
    if filtered:
        sender.addFilter(EventFilter())
    with attached(NAME, sender):
        log = logger_by(way)
        for case in sorted(TRAVELS):
            act, *args = shop.CASES[case]
            for _ in range(2):
                act(log, *args)
    records.put(None)


@pytest.mark.slow
@pytest.mark.parametrize("way", [PLAIN, "json, exception", "wrapped"])
@pytest.mark.parametrize("filtered", [True, False])
def test_from_another_process(way, filtered, home, tmp_path):
    """What a spawned process sends is counted once by the one that listens, as the bugs that they are."""
    expected = {case: shop.compared(the_plain(case, str(tmp_path / "other")), without={"thread"}) for case in TRAVELS}
    context = multiprocessing.get_context("spawn")
    records = context.Queue()
    child = context.Process(target=work, args=(records, way, filtered))
    child.start()
    heard = Heard(home=home)
    while (record := records.get(timeout=60)) is not None:
        heard.handle(record)
    child.join(60)
    found = [shop.compared(event, without={"thread"}) for event in heard.events]
    assert found == [expected[case] for case in sorted(TRAVELS) for _ in range(2)]
    assert counted(home) == 2 * len(TRAVELS)
    heard.close()


@pytest.mark.slow
def test_marks_travel(tmp_path):
    """Where both processes report to one home, what the sender has counted the listener does not count again."""
    out, _ = run(
        """
        import json, logging, logging.handlers, multiprocessing, sys
        from tests.heard import Heard, attached, counted
        from tests import shop
        def work(records, home):
            heard = Heard(home=home)
            with attached("shop.orders", heard, logging.handlers.QueueHandler(records)):
                for _ in range(3):
                    shop.fail(shop.Plain(logging.getLogger("shop.orders")), shop.Card().charge)
            records.put(None)
        context = multiprocessing.get_context("fork")
        records = context.Queue()
        child = context.Process(target=work, args=(records, sys.argv[1]))
        child.start()
        child_records = []
        while (record := records.get(timeout=15)) is not None:
            child_records.append(record)
        child.join()
        heard = Heard(home=sys.argv[1])
        for record in child_records:
            heard.handle(record)
        print(json.dumps(counted(sys.argv[1])))
        """,
        tmp_path / "home",
    )
    assert json.loads(out) == 3
