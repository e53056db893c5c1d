"""mute, unmute: hear nothing of a bug, for good or for some days; it is counted all the same."""

from __future__ import annotations

import time

import click

from loghub import actions
from loghub.cli.where import Where, find_group, where


@click.command(short_help="Tell nobody of a bug, for good or for some days.")
@click.argument("fingerprint")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Only for so many days.")
@where
def mute(place: Where, fingerprint: str, days: float | None) -> None:
    """Count a bug, but tell no issue, mail or channel of it until it is unmuted.

    This is known to all processes of this ledger. The labels loghub:mute, loghub:mute-30d (any number of days)
    and wontfix on an issue do it for the issue, and for every ledger.

    \b
    Example:
      loghub mute v1:0123456789abcdef
      loghub mute 0123 --days 7
    """
    group, ledger = find_group(place, fingerprint)
    click.echo(actions.mute(ledger, group, days, time.time()))


@click.command(short_help="Tell of a muted bug again.")
@click.argument("fingerprint")
@where
def unmute(place: Where, fingerprint: str) -> None:
    """Tell of a bug again, from its next occurrence on and with all that was counted meanwhile.

    \b
    Example:
      loghub unmute v1:0123456789abcdef
    """
    group, ledger = find_group(place, fingerprint)
    click.echo(actions.unmute(ledger, group))
