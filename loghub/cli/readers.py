"""recent, stats, groups, show: what failed lately, and how much of what."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from loghub import breadcrumbs, history
from loghub.asked import SORTS, STATUSES
from loghub.cli.filters import DAYS, LIMIT, filtered
from loghub.cli.table import bar, columns, table
from loghub.cli.where import Where, where
from loghub.event import dumps, iso
from loghub.ledger.find import ALL, Find
from loghub.ledger.protocol import KINDS
from loghub.recovery.wording import wording
from loghub.trend import sparkline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loghub.event import Event
    from loghub.history import Outlook
    from loghub.ledger.find import Page
    from loghub.ledger.protocol import Group, Seen

_RECOVERIES = 5  # are shown of a group
_CRUMB_CHARS = 500
_WIDE = 120  # columns of a terminal
_TREND = click.option("--trend", "with_trend", is_flag=True, help="With --json: trend, spike and days, too.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


@click.command(short_help="The newest errors.")
@click.option("-n", "--limit", default=10, show_default=True, type=LIMIT, help="How many.")
@click.option("--after", default="", metavar="TIMESTAMP~ID", help="Those behind this one, the last of the page before.")
@filtered
@_JSON
@where
def recent(place: Where, limit: int, after: str, find: Find, as_json: bool) -> None:
    """Print the newest errors that were kept in full.

    \b
    Example:
      loghub recent -n 50 --type 'Timeout*' --since 36h
      loghub recent --json | jq -r '.[].error_type'
      loghub recent --after "$(loghub recent --json | jq -r '.[-1] | .timestamp + "~" + .id')"
    """
    found = place.open().ledger().events(limit, find, after)
    if as_json:
        click.echo(dumps(found, indent=2))
    elif not found:
        click.echo(_nothing(find, after))
    else:
        rows = [
            (_minute(one.get("timestamp")), one.get("component"), one.get("error_type"),
             one.get("error_message"), _place(one), one.get("id", "")[:8])
            for one in found
        ]  # fmt: skip
        click.echo(table(["when (UTC)", "component", "type", "message", "where", "id"], rows))
        _more(found)


@click.command(short_help="Counts by type, module and day.")
@click.option("--days", default=7.0, show_default=True, type=DAYS, help="How far back; not with --since.")
@filtered
@_TREND
@_JSON
@where
def stats(place: Where, *, days: float, find: Find, with_trend: bool, as_json: bool) -> None:
    """Print how many errors there were, by type, module and day, and how many the next day will bring.

    \b
    Example:
      loghub stats --days 30
      loghub stats --release 2.4.0 --environment production
      loghub stats --json
    """
    ledger = place.open().ledger()
    found = history.statistics(ledger, days, find=find)
    if as_json:
        click.echo(dumps(found | (history.prospect_row(ledger, find) if with_trend else {}), indent=2))
        return
    totals = ledger.totals()
    click.echo(f"{found['total_errors']:,} errors{_span(find, days)}.")
    for key, head in (("error_types", "type"), ("modules", "module")):
        if found[key]:
            rows: list[Any] = [(name or "unknown", count) for name, count in found[key].items()]
            click.echo("\n" + table([head, "errors"], rows))
    if found["daily_counts"]:
        most = max(found["daily_counts"].values())
        rows = [(day, count, bar(count, most)) for day, count in found["daily_counts"].items()]
        click.echo("\n" + table(["day", "errors", ""], rows))
        outlook, ahead = history.prospect(ledger, find)
        click.echo("\n" + " ".join(one.why for one in (outlook.spike, outlook.trend, ahead) if one))
    if totals["dropped"] or totals["torn"]:
        click.echo(f"\nNot counted: {totals['dropped']:,} that could not be written, {totals['torn']:,} torn lines.")
    if totals["forgotten"]:
        click.echo(f"\nThe ledger was full: {totals['forgotten']:,} groups that were unseen for longest were let go.")


@click.command(short_help="The bugs: one line each.")
@click.option("-n", "--limit", default=50, show_default=True, type=LIMIT, help="How many.")
@click.option("--sort", "order", type=click.Choice(list(SORTS)), help="By what; last, with --by: count.")
@click.option("--by", type=click.Choice(KINDS), help="Not the bugs, but where they were seen: a line for each place.")
@click.option("--status", type=click.Choice(STATUSES), help="Only these.")
@click.option("--after", default="", metavar="VALUE~FINGERPRINT", help="Those behind this one, the last of a page.")
@filtered
@_TREND
@_JSON
@where
def groups(
    place: Where,
    *,
    limit: int,
    order: str | None,
    by: str | None,
    status: str | None,
    after: str,
    find: Find,
    with_trend: bool,
    as_json: bool,
) -> None:
    """Print the groups, the last seen first: all errors with one fingerprint are one group.

    \b
    Example:
      loghub groups --sort count --since 7d
      loghub groups --by server --type TimeoutError
      loghub groups --json | jq '.[] | select(.count > 100)'
      loghub groups --after "$(loghub groups --json | jq -r '.[-1] | .last_seen_at + "~" + .fingerprint')"
    """
    find = replace(find, status=status)
    ledger = place.open().ledger()
    if by is not None:
        if after or with_trend:
            raise click.UsageError("--by does not go with --after and --trend.")
        _print_places(by, sorted(ledger.seen_by(by, find), key=_BY[order or "count"])[:limit], find, as_json=as_json)
        return
    found = ledger.groups(limit, find, after, SORTS[order or "last"])
    outlooks = history.outlooks(ledger, found) if with_trend or not as_json else {}
    if as_json:
        rows = [history.group_row(one) for one in found]
        click.echo(dumps([row | outlooks[row["fingerprint"]].row() for row in rows] if with_trend else rows, indent=2))
    elif not found:
        click.echo(_nothing(find, after))
    else:
        click.echo(groups_table(found, outlooks))
        _more(found)


_BY: dict[str, Callable[[Seen], float]] = {
    "count": lambda one: -one.count,
    "last": lambda one: -one.last_seen_at,
    "first": lambda one: -one.first_seen_at,
}


def _print_places(kind: str, found: Sequence[Seen], find: Find, *, as_json: bool) -> None:
    if as_json:
        rows = [
            {kind: one.value, "groups": one.groups, "count": one.count,
             "first_seen_at": iso(one.first_seen_at), "last_seen_at": iso(one.last_seen_at)}
            for one in found
        ]  # fmt: skip
        click.echo(dumps(rows, indent=2))
    elif not found:
        click.echo(_nothing(find, "") if find != ALL else f"No error has said its {kind} yet.")
    else:
        lines = [
            (one.value, one.groups, one.count, _minute(iso(one.first_seen_at)), _minute(iso(one.last_seen_at)))
            for one in found
        ]
        click.echo(table([kind, "bugs", "errors", "first (UTC)", "last (UTC)"], lines))


def _more(page: Page[Any]) -> None:
    if page.after:
        click.echo(f"\nMore: --after {page.after}")


def _nothing(find: Find, after: str) -> str:
    return "No errors were reported here yet." if find == ALL and not after else "No errors are like that."


def _span(find: Find, days: float) -> str:
    since = f" in {days:g} days" if find.since is None else f" since {_minute(iso(find.since))}"
    return since if find.until is None else f"{since}, until {_minute(iso(find.until))}"


def groups_table(found: Sequence[Group], outlooks: Mapping[str, Outlook]) -> str:
    """Return groups as a table for people."""
    days = history.SHOWN_DAYS if columns() >= _WIDE else history.SHOWN_DAYS // 2
    rows = [
        (one.count, one.error_type, one.error_message, one.culprit, sparkline(outlooks[one.fingerprint].daily[-days:]),
         outlooks[one.fingerprint].word, _minute(iso(one.last_seen_at))[5:], _issue(one), one.fingerprint[:11])
        for one in found
    ]  # fmt: skip
    head = ["count", "type", "message", "where", f"{days} days", "trend", "last (UTC)", "issue", "fingerprint"]
    return table(head, rows)


def _issue(group: Group) -> str:
    number = (group.issue_url or "").rpartition("/issues/")[2]
    if number:
        return f"#{number} {group.status}"
    return "-" if group.status == "open" else group.status  # "open" alone would be read as an issue that is open


@click.command(short_help="One group, or one error, whole.")
@click.argument("key")
@_JSON
@where
def show(place: Where, key: str, as_json: bool) -> None:
    """Print a group by its fingerprint, or an error by its id; the beginning of either is enough.

    \b
    Example:
      loghub show v1:3f2a
      loghub show 9c1d4e7a --json
    """
    ledger = place.open().ledger()
    group = ledger.group(key)
    event = ledger.event(key) if group is None else None
    if group is None and event is None:
        raise click.ClickException(f"Nothing here has the fingerprint or id {key}: see loghub groups, recent.")
    newest = history.recent(ledger, 1, group.fingerprint) if group else [event]
    outlook = history.outlooks(ledger, [group])[group.fingerprint] if group else None
    if as_json:
        click.echo(dumps(_whole(group, outlook, newest[0] if newest else None), indent=2))
        return
    if group is not None and outlook is not None:
        click.echo(_about(group, outlook))
    for one in newest:
        if one is not None:
            click.echo(_error(one))


def _whole(group: Group | None, outlook: Outlook | None, event: Event | None) -> Any:
    if group is None or outlook is None:
        return event
    return history.group_row(group) | {
        "releases": list(group.releases),
        "environments": list(group.environments),
        "servers": list(group.servers),
        "recoveries": [asdict(one) | {"at": iso(one.at)} for one in group.recoveries],
        **outlook.row(),
        "event": event,
    }


def _about(group: Group, outlook: Outlook) -> str:
    lines = [
        f"{group.error_type} in {group.culprit}",
        f"  fingerprint   {group.fingerprint}",
        (
            f"  seen          {group.count:,} times, {_minute(iso(group.first_seen_at))}"
            f" to {_minute(iso(group.last_seen_at))} UTC"
        ),
        f"  {history.SHOWN_DAYS} days       {sparkline(outlook.daily)}  {outlook.word}",
        *(f"                {one.why}" for one in (outlook.spike, outlook.trend) if one),
        f"  component     {group.component}",
        f"  releases      {', '.join(group.releases) or '-'}",
        f"  environments  {', '.join(group.environments) or '-'}",
        f"  servers       {', '.join(group.servers) or '-'}",
        f"  status        {group.status}",
        f"  issue         {group.issue_url or '-'}",
        *(f"  recovery      {_minute(iso(one.at))} UTC  {wording(one)}" for one in group.recoveries[:_RECOVERIES]),
    ]
    return "\n".join(lines) + "\n"


def _error(event: Event) -> str:
    lines = [
        f"Newest, {event.get('timestamp', '')}  (id {event.get('id', '')})",
        f"  {event.get('message', '')}",
        "",
        event.get("traceback") or f"{event.get('error_type')}: {event.get('error_message')}",
    ]
    if context := event.get("additional_info"):
        lines += ["", "Context:", dumps(context, indent=2)]
    if crumbs := event.get("breadcrumbs"):
        lines += ["", "Breadcrumbs (UTC):", *(f"  {breadcrumbs.line(one)[:_CRUMB_CHARS]}" for one in crumbs)]
    return "\n".join(lines)


def _place(event: Event) -> str:
    return f"{event.get('module', '')}.{event.get('function', '')}".strip(".")


def _minute(timestamp: str | None) -> str:
    return (timestamp or "")[:16].replace("T", " ")
