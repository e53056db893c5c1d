"""outbox, drain: what waits for delivery, what is dead, and delivering it now."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from loghub.actions import owed_mails
from loghub.cli.table import table
from loghub.cli.where import Where, homes_of, where
from loghub.delivery import leases
from loghub.event import dumps
from loghub.lives import watch
from loghub.lives.death import FOLDER

if TYPE_CHECKING:
    from logging import LogRecord

    from loghub.delivery.home import Home
    from loghub.handlers.base import ReportingHandler

SOON_SECONDS = 15.0
LEAST_SECONDS = 2.0
"""What may be delivered at all has so long, whatever the timeout."""


@click.group(invoke_without_command=True, short_help="What waits for delivery, and dead letters.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@where
def outbox(place: Where, as_json: bool) -> None:
    """Print what each destination is still to be told: waiting, or dead (given up until you look).

    \b
    Example:
      loghub outbox
      loghub outbox retry github:acme/shop
    """
    context = click.get_current_context()
    context.obj = place
    if context.invoked_subcommand is not None:
        return
    ledger = place.open().ledger()
    rows = ledger.outbox()
    if as_json:
        click.echo(dumps(rows, indent=2))
        return
    owed = owed_mails(ledger)
    if rows:
        keys = ("destination", "fingerprint", "waiting", "attempts", "state", "due_at")
        click.echo(table(list(keys), [[row[key] for key in keys] for row in rows]))
        # Below the table, where they are whole: a reason says what to do, and is mostly that of many rows.
        for destination, reason in dict.fromkeys((row["destination"], row["reason"]) for row in rows if row["reason"]):
            click.echo(f"\n{destination}: {_one_line(reason)}")
    elif not owed:
        click.echo("Nothing waits.")
    for line in owed:
        click.echo(line)


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


@outbox.command(short_help="Try dead and delayed deliveries again.")
@click.argument("destination", required=False)
@click.option("--fingerprint", help="Only this group.")
@where
def retry(place: Where, destination: str | None, fingerprint: str | None) -> None:
    """Make dead and delayed deliveries due now; the application's process or drain then delivers them.

    \b
    Example:
      loghub outbox retry
      loghub outbox retry smtp:mail.example.com:587 --fingerprint v1:0123456789abcdef
    """
    changed = place.open().ledger().retry(destination, fingerprint)
    click.echo(f"{changed} due now.")


@outbox.command(short_help="Give dead deliveries up.")
@click.argument("destination", required=False)
@click.option("--fingerprint", help="Only this group.")
@where
def discard(place: Where, destination: str | None, fingerprint: str | None) -> None:
    """Give dead deliveries up; the errors stay counted and kept, and new ones are delivered again.

    \b
    Example:
      loghub outbox discard github:acme/shop
    """
    changed = place.open().ledger().discard(destination, fingerprint)
    click.echo(f"{changed} given up.")


@click.command(short_help="Deliver what waits, now.")
@click.option("--timeout", default=30.0, show_default=True, type=click.FloatRange(min=0), help="Seconds.")
@where
def drain(place: Where, timeout: float) -> None:
    """Take in what dead processes left, report how they died, and deliver what waits, with the handlers of --config.

    Sits out pauses that end within the timeout, and stops there in the midst of a delivery. Prints a line for each
    thing that is left, and why; exit code 1 if there is any.

    \b
    Example:
      loghub drain --config logging.yaml
      GITHUB_REPO=acme/shop GITHUB_TOKEN=... loghub drain --timeout 120
    """
    handlers = place.handlers()
    homes = homes_of(handlers)
    deadline = time.monotonic() + timeout
    for home in homes:
        report_deaths(home, [handler for handler in handlers if handler.home is home], deadline)
    with leases.ending_at(max(deadline, time.monotonic() + LEAST_SECONDS)):
        left = [row for home in homes for row in drain_home(home, deadline)]
    for row in left:
        click.echo(f"{row['destination']} {row['fingerprint']}: {row['waiting']} {row['state']}: {row['reason']}")
    owed = [line for home in homes for line in owed_mails(home.ledger())]
    for line in owed:
        click.echo(line)
    if left or owed:
        click.get_current_context().exit(1)
    click.echo("Nothing waits.")


def report_deaths(home: Home, handlers: list[ReportingHandler], deadline: float) -> None:
    """Have `handlers` report, until `deadline` (monotonic), which processes of an application with this home died."""

    def handle(record: LogRecord) -> None:
        for handler in handlers:
            if record.levelno >= handler.level:
                handler.handle(record)

    folder = os.path.join(home.path or "", FOLDER)
    while home.path is not None and time.monotonic() < deadline and watch.report(folder, "", handle):
        pass


def drain_home(home: Home, deadline: float) -> list[dict[str, Any]]:
    """Deliver what waits in `home` until `deadline` (monotonic); return the rows of what is left."""
    while True:
        done = home.round(closing=True, everything=True)
        soon = home.wake_at - home.now() < SOON_SECONDS  # a handler wants to look once more at what it has done
        due_at = home.wake_at if done else min(home.look_at, home.wake_at)
        pause, left = due_at - home.now(), deadline - time.monotonic()
        if (done and not soon) or left <= 0 or pause > left:
            break
        time.sleep(max(0.05, pause))
    if home.trouble:
        raise click.ClickException(home.trouble)
    told = home.destinations()
    rows = home.ledger().outbox()
    for row in rows:
        if row["destination"] not in told:
            row["reason"] = "no handler for it here; give --config, or the token that it needs"
        row["reason"] = row["reason"] or f"not due before {row['due_at']}"
    return rows
