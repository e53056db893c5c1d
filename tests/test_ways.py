"""The other ways in which logging is used: adapters, factories, warnings, and exceptions from anywhere."""

from __future__ import annotations

import logging
import sys
import warnings

import pytest

from loghub import fingerprint
from tests import shop
from tests.heard import Heard, attached, counted

NAME = "shop.orders"


@pytest.fixture
def home(tmp_path):
    """Return the folder of journal and ledger."""
    return str(tmp_path / "home")


@pytest.fixture
def heard(home):
    """Return a handler attached to the shop's logger."""
    one = Heard(home=home)
    with attached(NAME, one):
        yield one


# LoggerAdapter ------------------------------------------------------------------------------------------------


def test_adapter(heard):
    """What an adapter adds is context; the place is that of the call."""
    log = logging.LoggerAdapter(logging.getLogger(NAME), {"order": 7})
    log.error("charge failed")
    (event,) = heard.events
    assert event["additional_info"] == {"order": 7}
    assert (event["module"], event["function"]) == ("test_ways", "test_adapter")


def test_adapter_that_merges(heard):
    """Since Python 3.13 an adapter can merge both contexts; before, its own hides that of the call."""
    merges = {"merge_extra": True} if sys.version_info >= (3, 13) else {}
    log = logging.LoggerAdapter(logging.getLogger(NAME), {"order": 7}, **merges)
    log.error("charge failed", extra={"card": 3})
    assert heard.events[0]["additional_info"] == {"order": 7} | ({"card": 3} if merges else {})


class Tagged(logging.LoggerAdapter):
    """Rewrites the message, as the cookbook shows."""

    def process(self, msg, kwargs):
        """Put who it is about before the message."""
        return f"[{self.extra['who']}] {msg}", kwargs


class Behind(logging.LoggerAdapter):
    """Rewrites it the other way round."""

    def process(self, msg, kwargs):
        """Put who it is about behind the message."""
        return f"{msg} (of {self.extra['who']})", kwargs


@pytest.mark.parametrize("kind", [Tagged, Behind])
@pytest.mark.parametrize("form", ["plain", "arguments", "f-string"])
def test_adapter_that_rewrites(kind, form, heard):
    """Whatever an adapter writes around a message, the template of the call is what groups."""
    for who in ("ada", "bob and co"):
        log = kind(logging.getLogger(NAME), {"who": who})
        if form == "plain":
            log.error("charge failed")
        elif form == "arguments":
            log.error("charge of %s failed", f"{who} junior")
        else:
            log.error(f"charge of {who} failed")  # noqa: G004 - as people write it
    first, second = heard.events
    assert first["message"] != second["message"]
    assert first["template"] == second["template"]
    assert first["fingerprint"] == second["fingerprint"]


def test_codes_in_arguments(heard):
    """An adapter does not hide what tells errors apart."""
    for number in (2, 13):
        Tagged(logging.getLogger(NAME), {"who": "ada"}).error("cannot open: %s", f"[Errno {number}] of a file")
    assert len({event["fingerprint"] for event in heard.events}) == 2


# Records that are made in another way ---------------------------------------------------------------------------


class Said(logging.LogRecord):
    """Formats with braces."""

    def getMessage(self):
        """Put the arguments in."""
        return str(self.msg).format(*self.args)


def test_factory(heard):
    """Records of a factory keep their class, and what it puts on them is context."""
    before = logging.getLogRecordFactory()

    def factory(*args, **kwargs):
        made = Said(*args, **kwargs)
        made.region = "north"
        return made

    logging.setLogRecordFactory(factory)
    try:
        for number in (1, 2):
            logging.getLogger(NAME).error("charge {} failed", number)  # noqa: PLE1205
        logging.getLogger(NAME).error("charge {} failed", 3, stack_info=True, extra={"extra": {"order": 7}})  # noqa: PLE1205
    finally:
        logging.setLogRecordFactory(before)
    first, second, third = heard.events
    assert [event["message"] for event in heard.events] == [f"charge {number} failed" for number in (1, 2, 3)]
    assert first["additional_info"] == {"region": "north"}
    assert third["additional_info"].keys() == {"region", "order", "stack_info"}
    assert first["fingerprint"] == second["fingerprint"]


def test_make_record(home):
    """A logger that makes its records in its own way is heard as others are."""

    class Renaming(logging.Logger):
        def makeRecord(self, *args, **kwargs):
            made = super().makeRecord(*args, **kwargs)
            made.name = "shop.renamed"
            made.region = "north"
            return made

    log, one = Renaming(NAME), Heard(home=home)
    log.addHandler(one)
    shop.fail(shop.Plain(log), shop.Card().charge)
    (event,) = one.events
    assert (event["logger"], event["error_type"], event["function"]) == ("shop.renamed", "CardError", "Card.charge")
    assert event["additional_info"] == {"region": "north", "order": 7}
    one.close()


def test_names_that_collide(heard):
    """logging's own KeyError about a name in extra reaches the caller as ever; others are context."""
    log = logging.getLogger(NAME)
    with pytest.raises(KeyError, match="Attempt to overwrite"):
        log.error("charge failed", extra={"name": "ada"})  # noqa: G101 - the mistake that is tried
    log.error(
        "charge failed", extra={"level": 3, "event": "sale", "stack": "of cards", "time": 12.5, "exception": "no"}
    )
    (event,) = heard.events
    assert event["additional_info"] == {
        "level": 3,
        "event": "sale",
        "stack": "of cards",
        "time": 12.5,
        "exception": "no",
    }
    assert event["message"] == "charge failed"


@pytest.mark.parametrize(
    "message",
    ["{", "{}", "{'a': 1}", "event=", "event = 'x'", "a=1 event", "[error] charge failed", "[error    ]",
     "2026 is over", '{"event": 5}', "an event='x' of order=7", "[info] event", "{'event': <", "\x1b[0m"],
)  # fmt: skip
def test_what_only_looks_rendered(message, heard):
    """A message that is not all a renderer's stays as it is."""
    logging.getLogger(NAME).error(message)
    (event,) = heard.events
    assert event["error_message"] == event["message"].replace("\\x1b", "\x1b") or message == "\x1b[0m"
    assert event["additional_info"] == {}


# Exceptions from anywhere ---------------------------------------------------------------------------------------


def test_exception_outside_of_except(heard):
    """logger.exception with nothing to tell is a plain error, and so is exc_info=True."""
    log = logging.getLogger(NAME)
    log.exception("charge failed")  # noqa: LOG004 - the mistake that is tried
    log.error("charge failed", exc_info=True)  # noqa: LOG014 - the same
    assert [(event["error_type"], event["frames"], event["traceback"]) for event in heard.events] == [
        ("ERROR", [], "")
    ] * 2


def test_exception_of_elsewhere(heard):
    """An exception that was raised elsewhere has its own frames; one that was never raised the place of the call."""
    try:
        shop.Card().charge()
    except shop.CardError as error:
        kept = error
    log = logging.getLogger(NAME)
    log.error("charge failed", exc_info=kept)
    log.error("charge failed", exc_info=shop.CardError("never raised"))
    raised, never = heard.events
    assert (raised["error_type"], raised["function"]) == ("CardError", "Card.charge")
    assert (never["error_type"], never["function"]) == ("CardError", "test_exception_of_elsewhere")
    assert never["frames"] == []
    assert "never raised" in never["traceback"]


def test_stack_info(heard):
    """The stack that was asked for is kept, and is no part of what makes the bug."""
    for asked in (False, True):
        logging.getLogger(NAME).error("charge failed", stack_info=asked)
    without, event = heard.events
    assert event["fingerprint"] == without["fingerprint"]
    assert "test_stack_info" in event["additional_info"]["stack_info"]
    assert (event["function"], event["traceback"]) == ("test_stack_info", "")


# Warnings -------------------------------------------------------------------------------------------------------


@pytest.fixture
def warned(home):
    """Yield a handler of what captureWarnings logs."""
    one = Heard(home=home, level="WARNING")
    with attached("py.warnings", one), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        try:
            yield one
        finally:
            logging.captureWarnings(capture=False)


def deprecated(number):
    """Warn."""
    warnings.warn(f"argument {number} is old", DeprecationWarning, stacklevel=1)


class Old:
    """Warns in a method."""

    def act(self):
        """Warn."""
        warnings.warn("this is old", UserWarning, stacklevel=1)


def test_warnings(warned, home):
    """A warning says what, and where it was warned of; numbers in it make no other bug."""
    for number in (1, 2):
        deprecated(number)
    Old().act()
    first, second, other = warned.events
    assert (first["level"], first["logger"]) == ("WARNING", "py.warnings")
    assert first["error_message"] == "DeprecationWarning: argument 1 is old"
    assert (first["module"], first["function"]) == (__name__, "deprecated")
    assert (other["error_message"], other["function"]) == ("UserWarning: this is old", "Old.act")
    assert first["fingerprint"] == second["fingerprint"] != other["fingerprint"]
    assert counted(home) == 3


def test_warnings_of_a_library(warned):
    """Another line of a library, in another folder, is the same warning."""
    for folder, line in (("/a/lib/python3.11/site-packages", 10), ("/b/lib/python3.12/site-packages", 99)):
        warnings.warn_explicit("old", DeprecationWarning, f"{folder}/lib/old.py", line)
    first, second = warned.events
    assert first["fingerprint"] == second["fingerprint"]
    assert (first["module"], first["function"]) == ("old", "")


def test_warnings_are_their_event(warned):
    """The fingerprint of a warning can be found again from its event, as for a reindex."""
    deprecated(3)
    (event,) = warned.events
    assert fingerprint.of_event(event) == event["fingerprint"]
