"""/outbox: what waits for delivery and what is dead, why, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, flash, redirect, request, url_for

from loghub.actions import owed_mails
from loghub.event import epoch
from loghub.web.shown import moment, name, text
from loghub.web.template import render

if TYPE_CHECKING:
    from loghub.web.access import Access
    from loghub.web.site import Site

MAX_ROWS, MAX_ROWS_ALONE = 25, 500
"""So many rows of a destination are shown among others, and alone; the dead come first."""


@dataclass(slots=True)
class Row:
    """What a destination is still to be told of one group.

    Attributes:
        fingerprint: Of the group.
        title: Its type.
        message: What it says.
        waiting: Occurrences.
        attempts: That have failed in a row.
        since: When the oldest of what waits arrived.
        due: Not before then; empty: now.
        is_dead: Whether it is not tried again by itself.
        reason: Why it was not delivered.
    """

    fingerprint: str
    title: str
    message: str
    waiting: int
    attempts: int
    since: str
    due: str
    is_dead: bool
    reason: str


@dataclass(slots=True)
class Destination:
    """What one destination is still to be told.

    Attributes:
        name: As the ledger has it.
        waiting: Groups that wait.
        dead: Groups that were given up.
        is_here: Whether a handler of this process delivers to it.
        rests_until: It is left alone until then; empty: it is not.
        rows: Those that are shown.
        left: So many more there are.
    """

    name: str
    waiting: int
    dead: int
    is_here: bool
    rests_until: str
    rows: list[Row]
    left: int


def add(blueprint: Blueprint, site: Site, access: Access) -> None:
    """Add the routes."""

    @blueprint.get("/outbox")
    @access.see
    def outbox() -> Any:
        only = request.args.get("destination") or None
        found = _destinations(site, only)
        owed = [text(line) for line in owed_mails(site.ledger())]
        return render("loghub/outbox.html", destinations=found, owed=owed, only=only)

    @blueprint.post("/outbox")
    @access.change
    def change_outbox() -> Any:
        action, ledger = request.form.get("action"), site.ledger()
        destination, fingerprint = (request.form.get(key) or None for key in ("destination", "fingerprint"))
        if action == "retry":
            changed = ledger.retry(destination, fingerprint)
            site.home.look()
            said = f"{_deliveries(changed)} due now."
        elif action == "discard":
            said = f"{_deliveries(ledger.discard(destination, fingerprint))} given up; the errors stay counted."
        else:
            abort(400, "What waits can be retried, and what is dead discarded.")
        flash(said, "good")
        only = request.form.get("only") or None
        return redirect(url_for("loghub.outbox", destination=only), 303)


def _deliveries(count: int) -> str:
    return "1 delivery is" if count == 1 else f"{count:,} deliveries are"


def _destinations(site: Site, only: str | None) -> list[Destination]:
    ledger, mine = site.ledger(), site.home.destinations()
    found = []
    for destination, rows in groupby(ledger.outbox(), key=lambda row: str(row["destination"])):
        if only is not None and destination != only:
            continue
        listed = sorted(rows, key=lambda row: row["state"] != "dead")
        dead = sum(row["state"] == "dead" for row in listed)
        most = MAX_ROWS if only is None else MAX_ROWS_ALONE
        rest = ledger.memory(destination).get("rest_until")
        resting = isinstance(rest, int | float) and rest > site.now()
        found.append(
            Destination(
                name=destination,
                waiting=len(listed) - dead,
                dead=dead,
                is_here=destination in mine,
                rests_until=moment(rest) if resting else "",
                rows=[_row(site, row) for row in listed[:most]],
                left=max(0, len(listed) - most),
            )
        )
    return found


def _row(site: Site, row: dict[str, Any]) -> Row:
    group = site.group(row["fingerprint"])
    return Row(
        fingerprint=row["fingerprint"],
        title=name(group.error_type if group else row["fingerprint"]),
        message=name(group.error_message if group else ""),
        waiting=row["waiting"],
        attempts=row["attempts"],
        since=moment(row["since_at"]),
        due=moment(row["due_at"]) if (epoch(row["due_at"]) or 0.0) > site.now() else "",
        is_dead=row["state"] == "dead",
        reason=text(row["reason"]),
    )
