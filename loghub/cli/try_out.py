"""test: one real error through every handler of a logging.yaml."""

from __future__ import annotations

import logging

import click

from loghub.cli.where import Where, configure, read_config, where
from loghub.delivery import deliverer, waiting
from loghub.handlers.base import OutboxHandler, ReportingHandler
from loghub.handlers.fanout import parts_of

LOGGER = "loghub.test"


class LoghubTestError(Exception):
    """Raised by ``loghub test``; you can close its issue."""


@click.command(short_help="Send one error through every handler.")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(min=1), help="Seconds.")
@where
def test(place: Where, timeout: float) -> None:
    """Log one error with the handlers of --config, wait, and print what became of it.

    With a token this opens a real issue, and with a mailhost sends a real mail. Exit code 1 if one of them
    could not be told.

    \b
    Example:
      loghub test --config logging.yaml
    """
    deliverer.by_hand = False
    handlers = _configured(place)
    logger = logging.getLogger(LOGGER)
    try:
        raise LoghubTestError("This is a test of the error reporting; nothing is broken.")
    except LoghubTestError:
        logger.critical("loghub test", exc_info=True)
    delivered = waiting.flush(timeout)
    for home in {id(one.home): one.home for one in handlers}.values():
        click.echo(f"counted and kept   {home.path or 'in memory'}")
        for row in home.ledger().outbox():
            click.echo(f"not delivered      {row['destination']}: {row['reason'] or 'not yet due'}")
    for one in parts_of(handlers):
        _say(one)
    if not delivered:
        click.get_current_context().exit(1)


def _configured(place: Where) -> list[ReportingHandler]:
    """Attach the configuration's handlers to the test's logger, or a GitHubIssueHandler with its defaults."""
    if place.config is None:
        handlers = place.handlers()
        for one in handlers:
            logging.getLogger(LOGGER).addHandler(one)
        return handlers
    handlers = configure(place.config, read_config(place.config))
    attached = set(logging.getLogger().handlers)
    for one in handlers:
        if one not in attached:
            logging.getLogger(LOGGER).addHandler(one)
    return handlers


def _say(handler: ReportingHandler) -> None:
    if isinstance(handler, OutboxHandler):
        if handler.destination is None:
            click.echo(f"not sent           {type(handler).__name__}: {handler.needs}")
        else:
            click.echo(f"told               {handler.destination}")
    else:
        click.echo(f"written            {type(handler).__name__} {getattr(handler, 'directory', '')}")
