"""purge: delete groups for good, with all that is kept of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from loghub import history
from loghub.cli.filters import filtered
from loghub.cli.readers import groups_table
from loghub.cli.table import count
from loghub.cli.where import Where, where
from loghub.ledger.find import ALL, Find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.ledger.protocol import Group, Ledger

_AT_ONCE = 200  # others who write wait meanwhile


@click.command(short_help="Delete groups with all that is kept of them.")
@click.argument("fingerprints", nargs=-1, metavar="[FINGERPRINT...]")
@filtered
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@where
def purge(place: Where, fingerprints: Sequence[str], *, find: Find, dry_run: bool, yes: bool) -> None:
    """Delete groups, by fingerprint or by what they are: counts, kept errors, and what still waits for delivery.

    With --until only groups that were last seen before. What is old goes by itself: kept errors after 90 days, groups
    after 400 days of silence. Issues, mails and the files of JSONDetailHandler stay. A bug that is seen again begins
    anew, and finds its issue by the fingerprint; a running application keeps it in full from the next hour on.

    \b
    Example:
      loghub purge v1:0123456789abcdef
      loghub purge --component sandbox --until 30d --dry-run
    """
    if not fingerprints and find == ALL:
        raise click.UsageError("Say which groups: fingerprints, or a filter such as --component or --until.")
    if fingerprints and find != ALL:
        raise click.UsageError("Say which groups by fingerprints or by filters, not by both.")
    ledger = place.open().ledger()
    found = _named(ledger, fingerprints) if fingerprints else list(ledger.groups(find=replace(find, until=None)))
    if find.until is not None:
        found = [one for one in found if one.last_seen_at < find.until]
    if not found:
        click.echo("No groups are like that.")
        return
    click.echo(groups_table(found, history.outlooks(ledger, found)))
    if dry_run:
        click.echo(f"\n{count(len(found), 'group')} would be deleted.")
        return
    if not yes:
        click.confirm(f"\nDelete {count(len(found), 'group')} for good?", abort=True)
    names = [one.fingerprint for one in found]
    deleted = sum(ledger.purge(names[start : start + _AT_ONCE]) for start in range(0, len(names), _AT_ONCE))
    click.echo(f"{count(deleted, 'group')} deleted.")


def _named(ledger: Ledger, fingerprints: Sequence[str]) -> list[Group]:
    found = []
    for name in fingerprints:
        group = ledger.group(name)
        if group is None:
            raise click.ClickException(f"Nothing here has the fingerprint {name}: see loghub groups.")
        found.append(group)
    return found
