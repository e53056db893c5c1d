"""loguru's recipes: its records in logging are whole events, and logging's records in loguru are not counted twice."""

from __future__ import annotations

import inspect
import logging
import logging.handlers
import queue

import loguru
import pytest

from tests import shop
from tests.heard import Heard, attached, counted


class PropagateHandler(logging.Handler):
    """From loguru to logging, as loguru's documentation has it."""

    def emit(self, record):
        """Hand the record to the logger of its name."""
        logging.getLogger(record.name).handle(record)


class InterceptHandler(logging.Handler):
    """From logging to loguru, as loguru's documentation has it."""

    def emit(self, record):
        """Log it by loguru, at the place of the call."""
        frame, depth = inspect.currentframe(), 0
        while frame and (depth == 0 or frame.f_code.co_filename == logging.__file__):
            frame = frame.f_back
            depth += 1
        loguru.logger.opt(depth=depth, exception=record.exc_info).log(record.levelname, record.getMessage())


class ByLoguru:
    """Takes keywords as the other ways do; loguru has bind for it."""

    def error(self, message, exc_info=None, **said):
        """As of a logger."""
        loguru.logger.bind(**said).opt(depth=1, exception=exc_info).error(message)

    def exception(self, message, **said):
        """As of a logger."""
        loguru.logger.bind(**said).opt(depth=1, exception=True).error(message)


@pytest.fixture
def home(tmp_path):
    """Return the folder of journal and ledger."""
    return str(tmp_path / "home")


@pytest.fixture
def heard(home):
    """Return two handlers of one home, attached to the logger of the shop's module."""
    one, other = Heard(home=home), Heard(home=home)
    with attached("tests.shop", one, other), attached(__name__, one, other):
        yield one


@pytest.fixture
def propagating():
    """Have loguru do nothing but hand its records to logging."""
    loguru.logger.remove()
    yield loguru.logger.add
    loguru.logger.remove()


FORMATS = {
    "recipe": {"format": "{message}"},
    "lean": {"format": "{message}", "backtrace": False, "diagnose": False},
    "bare": {"format": "{message}", "backtrace": True, "diagnose": True, "colorize": False},
}


@pytest.mark.parametrize("case", shop.CASES)
@pytest.mark.parametrize("way", FORMATS)
def test_from_loguru(way, case, heard, home, propagating):
    """What loguru hands to logging is the event of the plain call: exception, place, context, once."""
    propagating(PropagateHandler(), **FORMATS[way])
    act, *args = shop.CASES[case]
    act(shop.Plain(logging.getLogger("tests.shop")), *args)
    expected = heard.events.pop()
    act(ByLoguru(), *args)
    assert [shop.compared(event) for event in heard.events] == [shop.compared(expected)]
    assert counted(home) == 2


@pytest.mark.parametrize("case", shop.CASES)
def test_from_loguru_through_a_queue(case, home, propagating):
    """loguru's dress of a traceback is taken off where only the text of it arrives."""
    propagating(PropagateHandler(), format="{message}")
    direct, heard, records = Heard(home=home), Heard(home=home), queue.Queue()
    listener = logging.handlers.QueueListener(records, heard)
    act, *args = shop.CASES[case]
    with attached("tests.shop", direct):
        act(shop.Plain(logging.getLogger("tests.shop")), *args)
    with attached("tests.shop", logging.handlers.QueueHandler(records)):
        act(ByLoguru(), *args)
        listener.start()
        listener.stop()
    assert [shop.compared(event) for event in heard.events] == [shop.compared(direct.events[0])]
    heard.close()


def test_templates(heard, propagating):
    """loguru's braces are a template: values make no other bugs."""
    propagating(PropagateHandler(), format="{message}")
    for name in ("ada", "bob"):
        loguru.logger.error("card of {} is lost", name)
    for name in ("ada", "bob"):
        loguru.logger.error("card of {name} is stolen", name=name)
    lost, again, stolen, stolen_again = (event["fingerprint"] for event in heard.events)
    assert lost == again != stolen == stolen_again


def test_what_is_said_to_loghub(heard, propagating):
    """fingerprint, component and loghub_skip may be bound, also where the place has logged without them before."""
    propagating(PropagateHandler(), format="{message}")
    for more in ({}, {}, {"component": "billing"}, {"fingerprint": "mine"}, {"loghub_skip": True}):
        try:
            shop.Card().charge()
        except shop.CardError:
            loguru.logger.bind(order=7, **more).exception("charge failed")
    assert [event["component"] for event in heard.events] == ["tests", "tests", "billing", "tests"]
    assert len({event["fingerprint"] for event in heard.events}) == 2
    assert [event["additional_info"] for event in heard.events] == [{"order": 7}] * 4


def test_catch(heard, propagating):
    """What logger.catch catches is an event with the place of the error."""
    propagating(PropagateHandler(), format="{message}")

    @loguru.logger.catch
    def act():
        shop.Card().charge()

    act()
    (event,) = heard.events
    assert (event["error_type"], event["function"]) == ("CardError", "Card.charge")
    assert "Traceback" not in event["message"]
    assert event["message"].startswith("An error has been caught in function 'test_catch'")


def test_interception_beside_ours(heard, home, propagating):
    """An InterceptHandler beside ours does not double the count, also where loguru hands back what it got."""
    sink = []
    propagating(lambda message: sink.append(message.record["message"]), format="{message}")
    logging.getLogger("tests.shop").addHandler(InterceptHandler())
    shop.fail(shop.Plain(logging.getLogger("tests.shop")), shop.Card().charge)
    assert sink == ["charge failed"]
    assert len(heard.events) == 1
    assert counted(home) == 1
