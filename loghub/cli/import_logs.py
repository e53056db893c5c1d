"""import: errors from log files, counted once however often they are given."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from loghub import history
from loghub.asked import ago
from loghub.capture import Capture
from loghub.cli.table import count, table
from loghub.cli.where import Where, close_at_end, where
from loghub.event import dumps, epoch, iso
from loghub.filters import EventFilter
from loghub.handlers.base import ReportingHandler
from loghub.ledger.find import Find
from loghub.ledger.sqlite import SQLiteLedger
from loghub.logfiles.counting import Importer, Report
from loghub.logfiles.heads import LEVELS
from loghub.logfiles.identity import Window
from loghub.logfiles.layouts import Layout
from loghub.logfiles.source import STDIN, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo

    from loghub.ledger.protocol import Ledger

MAX_LOOKED_AT = 200
"""Groups that are looked at for errors which were counted live as well, those with the most occurrences."""


def _time(_: click.Context, __: click.Parameter, said: str | None) -> str | None:
    if said is not None and ago(said) is None and epoch(said) is None:
        raise click.BadParameter(f"{said!r} is no time: give 2026-11-27, 2026-11-27T03:00, 36h or 7d.")
    return said


def _layout(_: click.Context, __: click.Parameter, said: str | None) -> Layout | None:
    try:
        return None if said is None else Layout(said)
    except ValueError as error:
        raise click.BadParameter(f"{said!r} is no logging format: {error}.") from error


def _zone(_: click.Context, __: click.Parameter, said: str | None) -> ZoneInfo | None:
    try:
        return None if said is None else ZoneInfo(said)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.BadParameter(f"{said!r} is no time zone: give one like Europe/Berlin.") from error


@click.command("import", short_help="Errors from log files, each counted once.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--since", callback=_time, help="Take what is not older: 2026-11-27, or 7d, 36h ago.")
@click.option("--until", callback=_time, help="Take what is older.")
@click.option("--level", default="ERROR", show_default=True, type=click.Choice([*LEVELS], case_sensitive=False),
              help="From this level on; a traceback counts at any level.")  # fmt: skip
@click.option("--component", help="Which part of the system wrote what does not say so; else the logger's first name.")
@click.option("--environment", help="Where what does not say so was written: production, staging, ...")
@click.option("--release", help="What was deployed when what does not say so was written; never guessed.")
@click.option("--timezone", "zone", callback=_zone, help="What times without a zone are in; else this machine's.")
@click.option("--utc", is_flag=True, help="The same as --timezone UTC.")
@click.option("--format", "layout", callback=_layout, help="The logging format, if it is not recognised.")
@click.option("--dry-run", is_flag=True, help="Say what would be counted, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@where
def import_logs(
    place: Where,
    files: tuple[str, ...],
    *,
    since: str | None,
    until: str | None,
    level: str,
    component: str | None,
    environment: str | None,
    release: str | None,
    zone: ZoneInfo | None,
    utc: bool,
    layout: Layout | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Count the errors in log files: rotated, packed, plain or JSON. A file that was counted is not counted again.

    ``-`` is standard input. Nothing is sent: old errors open no issues.

    \b
    Example:
      loghub import app.log app.log.1 app.log.*.gz
      loghub import --until 2026-11-27 --environment staging worker.log
      journalctl -u shop -o short-iso | loghub import --dry-run -
    """
    now = time.time()
    local: tzinfo | None = UTC if utc else zone
    window = Window(*_span(since, until, local, now), LEVELS[level.upper()])
    importer = Importer(
        _ledger(place, dry=dry_run),
        _captures(place, component, environment, release),
        window=window,
        zone=local,
        layout=layout,
        dry=dry_run,
    )
    reports = _import(importer, files, silent=as_json)
    warning = "" if dry_run else _counted_live(importer)
    if as_json:
        click.echo(dumps(_summary(importer, reports, warning, dry=dry_run), indent=2))
    else:
        _print(importer, reports, warning, dry=dry_run)
    click.get_current_context().exit(1 if any(report.trouble for report in reports) else 0)


def _span(since: str | None, until: str | None, zone: tzinfo | None, now: float) -> tuple[float, float]:
    first, last = (None if said is None else _when(said, zone, now) for said in (since, until))
    if first is not None and last is not None and first >= last:
        raise click.UsageError("--since must be before --until.")
    whole = Window()
    return whole.since if first is None else first, whole.until if last is None else last


def _when(said: str, zone: tzinfo | None, now: float) -> float:
    """Read ``36h`` as a time ago, to the minute; a date without a zone is meant as the logs' are."""
    seconds = ago(said)
    if seconds is not None:
        return (now - seconds) // 60 * 60
    read = datetime.fromisoformat(said)
    return (read if read.tzinfo else read.replace(tzinfo=zone)).timestamp()


def _ledger(place: Where, *, dry: bool) -> Ledger:
    """Return the ledger of the home, which is made if there is none; a dry run makes nothing."""
    if place.config is not None and place.home is None:
        home = place.handlers()[0].home
    else:
        home = ReportingHandler(**place.named()).home
    if dry and (home.path is None or not os.path.isdir(home.path)):
        ledger = SQLiteLedger(None)
        click.get_current_context().call_on_close(ledger.close)
        return ledger
    return close_at_end(history.open_home(home.path, home.url)).ledger()


def _captures(
    place: Where, component: str | None, environment: str | None, release: str | None
) -> Callable[[str, str], Capture]:
    """Return what makes a Capture: by the EventFilter of --config, but for what is true of this machine and now."""
    handlers = place.handlers() if place.config is not None else []
    filters = [one for handler in handlers for one in handler.filters if isinstance(one, EventFilter)]
    said = (filters[0] if filters else EventFilter()).capture

    def make(its_environment: str, its_release: str) -> Capture:
        return Capture(
            component=component or said.describer.component,
            environment=its_environment or environment or said.describer.environment,
            release=its_release or release,
            is_in_app=said.describer.is_in_app,
            scrubber=said.scrubber,
            ignored=said.ignored,
            before_send=said.before_send,
            grouping=said.grouping,
        )

    return make


def _import(importer: Importer, files: tuple[str, ...], *, silent: bool) -> list[Report]:
    sizes = [os.path.getsize(name) if os.path.isfile(name) else 0 for name in files]
    hidden = silent or not sys.stderr.isatty()
    reports: list[Report] = []
    with click.progressbar(length=sum(sizes), label="Reading", file=sys.stderr, hidden=hidden) as bar:
        for name, size in zip(files, sizes, strict=True):
            before = bar.pos
            try:
                reports.append(importer.take(name, lambda read, before=before: _move(bar, before + read)))  # type: ignore[misc]
            except SourceError as error:
                reports.append(Report(name, trouble=str(error)))
            _move(bar, before + size)
    return reports


def _move(bar: Any, position: int) -> None:
    if position > bar.pos:
        bar.update(position - bar.pos)


def _counted_live(importer: Importer) -> str:
    """Return the warning where errors of the same hours and groups were counted when they happened; else nothing."""
    earliest: int | None = None
    for mark, _ in importer.counts.most_common(MAX_LOOKED_AT):
        hours = importer.hours.get(mark, ())
        for event in importer.ledger.events(100, Find(fingerprint=mark)):
            hour = int((epoch(event.get("timestamp")) or 0) // 3600)
            if hour in hours and "imported_from" not in (event.get("additional_info") or {}):
                earliest = hour if earliest is None else min(earliest, hour)
    if earliest is None:
        return ""
    since = iso(earliest * 3600)[:13] + ":00Z"
    return (
        f"Some of these errors were counted already when they happened, from {since} on: they are counted twice now. "
        f"Next time say --until {since}."
    )


def _summary(importer: Importer, reports: list[Report], warning: str, *, dry: bool) -> dict[str, Any]:
    counted = [report for report in reports if report.errors]
    return {
        "dry_run": dry,
        "files": [
            {
                "name": report.name,
                "lines": report.lines,
                "errors": report.errors,
                "first_at": iso(report.first_at) if report.errors else None,
                "last_at": iso(report.last_at) if report.errors else None,
                "without_time": report.timeless,
                "known_bytes": report.known,
                "unfinished": report.held,
                "trouble": report.trouble or None,
            }
            for report in reports
        ],
        "lines": sum(report.lines for report in reports),
        "errors": sum(report.errors for report in reports),
        "groups": len(importer.counts),
        "first_at": iso(min(report.first_at for report in counted)) if counted else None,
        "last_at": iso(max(report.last_at for report in counted)) if counted else None,
        "warning": warning or None,
    }


def _print(importer: Importer, reports: list[Report], warning: str, *, dry: bool) -> None:
    said = _summary(importer, reports, warning, dry=dry)
    rows = [
        (os.path.basename(_shown(report.name)), report.lines, report.errors, *_span_of(report)) for report in reports
    ]
    click.echo(table(["file", "lines", "errors", "first (UTC)", "last (UTC)"], rows))
    counted = "would be counted" if dry else "counted"
    parts = (count(said[key], key[:-1]) for key in ("errors", "groups", "lines"))
    errors, groups, lines = parts
    least = "at least " if importer.more else ""
    click.echo(f"\n{errors} of {least}{groups} {counted}, in {lines}, new to this ledger.")
    for line in _remarks(reports):
        click.echo(line)
    if warning:
        click.echo(warning)


def _remarks(reports: list[Report]) -> Iterator[str]:
    timeless = sum(report.timeless for report in reports)
    if timeless:
        yield f"{count(timeless, 'error')} without a time: that of the record before, or of the file, was taken."
    for report in reports:
        name = _shown(report.name)
        if report.trouble:
            yield f"{name} {report.trouble.rstrip('.')}."
        elif report.held:
            yield f"{name}: the last record is not complete, and is left for the next run."
        elif report.known and not report.lines:
            yield f"{name} was counted before: nothing is new in it."


def _shown(name: str) -> str:
    return "standard input" if name == STDIN else name


def _span_of(report: Report) -> tuple[str, str]:
    """Return the first and last time, to the second."""
    first, last = (iso(at)[:19].replace("T", " ") if report.errors else "" for at in (report.first_at, report.last_at))
    return first, last
