"""No secret of any kind comes out: from every place of an event, in every sink."""

from __future__ import annotations

import ast
import logging
import logging.config
import shlex
import sys
import types

import pytest

from loghub.event import dumps
from tests.secrets.kinds import CURL, EACH, KINDS, MYSQL, PLANTED, SHELL, plant
from tests.secrets.places import COMMAND_PLACES, TEXT_PLACES, VALUE_PLACES

ORDINARY = "/srv/shop"


class Keeper(logging.Handler):
    """Keeps the event of each record as the handlers of loghub see it."""

    def __init__(self) -> None:
        super().__init__()
        self.events = []

    def emit(self, record):
        capture = self.filters[0].capture
        self.events.append(capture.keep(capture.sight(record), record))


@pytest.fixture(
    scope="module", params=[pytest.param(False, marks=pytest.mark.slow), True], ids=["without locals", "with locals"]
)
def keeper(request):
    """Return a handler that dictConfig attached, with and without local variables."""
    event = {"()": "loghub.EventFilter", "include_locals": request.param, "release": "1.0"}
    logging.config.dictConfig({
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"event": event},
        "handlers": {"keeper": {"()": Keeper, "filters": ["event"]}},
        "loggers": {"shop.secrets": {"handlers": ["keeper"], "propagate": False}},
    })  # fmt: skip
    logger = logging.getLogger("shop.secrets")
    yield logger.handlers[0]
    logger.handlers.clear()
    logger.propagate = True


def test_corpus():
    """There are enough secrets of enough kinds, all different, and the same in every run."""
    assert len(KINDS) >= 30
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert len({one.secret for one in PLANTED}) == len(PLANTED) == EACH * len(KINDS) >= 300
    assert [one.secret for one in plant()] == [one.secret for one in PLANTED]


def leaks(keeper, planted, act):
    """Return the texts of which a secret stands in the event of `act`."""
    found = []
    for one in planted:
        keeper.events.clear()
        act(one)
        assert keeper.events, "nothing was logged"
        said = "\n".join([dumps(event) + repr(event) for event in keeper.events])
        if left := one.left_in(said):
            found.append((one.kind.name, one.text, left))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("place", TEXT_PLACES)
def test_secret_in_a_text(keeper, place):
    """A secret in a text is gone from the event, wherever the text stands."""
    assert leaks(keeper, PLANTED, lambda one: TEXT_PLACES[place](one.text)) == []


@pytest.mark.slow
@pytest.mark.parametrize("place", VALUE_PLACES)
def test_secret_beside_its_name(keeper, place, monkeypatch):
    """The value alone is gone where the name beside it, or its own shape, tells what it is."""

    def act(one):
        holder = types.ModuleType("loghub_test_holder")
        holder.held = [one.secret]
        monkeypatch.setitem(sys.modules, "loghub_test_holder", holder)
        VALUE_PLACES[place](one.kind.known_as, one.secret)

    assert leaks(keeper, PLANTED, act) == []


@pytest.mark.parametrize("place", COMMAND_PLACES)
def test_secret_in_a_command(keeper, place):
    """A password among the arguments of a command is gone, although it stands there as an entry of its own."""
    commands = [one for one in PLANTED if one.kind.source in {SHELL, MYSQL, CURL} and one.text[0] != "C"]
    assert len(commands) >= 30
    assert leaks(keeper, commands, lambda one: COMMAND_PLACES[place](arguments(one.text))) == []


def arguments(text):
    """Return the arguments of a command that stands in a text as it was typed, or as a list."""
    return ast.literal_eval(text) if text.startswith("[") else shlex.split(text)
