"""/groups/<fingerprint>: one bug, what it does, and what can be done about it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, flash, redirect, request, url_for

from loghub import actions, history
from loghub.errors import ActionError, AmbiguousKeyError, BadCursorError
from loghub.ledger.find import Find
from loghub.recovery.wording import wording
from loghub.web.error import in_full
from loghub.web.shown import bars, day, filename, moment, name, text
from loghub.web.template import render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loghub.handlers.github import GitHubIssueHandler
    from loghub.ledger.protocol import Group
    from loghub.web.access import Access
    from loghub.web.site import Site

SAMPLES = 10
"""Events of the list on one page."""

PATIENCE_SECONDS = 3.0
"""So long a page waits for what GitHub says; then it says what will happen."""


def add(blueprint: Blueprint, site: Site, access: Access) -> None:
    """Add the routes."""

    @blueprint.get("/groups/<path:fingerprint>")
    @access.see
    def group(fingerprint: str) -> Any:
        found = _group(site, fingerprint)
        if found.fingerprint != fingerprint:
            return redirect(url_for("loghub.group", fingerprint=found.fingerprint))
        return render("loghub/group.html", **_page(site, found, request.args.get("after", "")))

    @blueprint.post("/groups/<path:fingerprint>")
    @access.change
    def change_group(fingerprint: str) -> Any:
        found = _group(site, fingerprint)
        act = _ACTIONS.get(request.form.get("action", ""))
        if act is None:
            abort(400, "That is nothing that can be done about a bug.")
        try:
            flash(act(site, found), "good")
        except ActionError as error:
            flash(str(error), "bad")
        return redirect(url_for("loghub.group", fingerprint=found.fingerprint), 303)


def _group(site: Site, fingerprint: str) -> Group:
    try:
        found = site.ledger().group(fingerprint)
    except AmbiguousKeyError as error:
        abort(404, str(error))
    if found is None:
        abort(404, "Nothing here has this fingerprint: it is another ledger's, or was too old to be kept.")
    return found


def _page(site: Site, group: Group, after: str) -> dict[str, Any]:
    ledger, now = site.ledger(), site.now()
    which = Find(fingerprint=group.fingerprint)
    try:
        samples = ledger.events(SAMPLES, which, after)
    except BadCursorError as error:
        abort(400, str(error))
    newest = samples[:1] if not after else ledger.events(1, which)
    outlook = history.outlooks(ledger, [group], site.now)[group.fingerprint]
    return {
        "group": group,
        "outlook": outlook,
        "days": _days(outlook.daily, now),
        "seen": _seen(group),
        "components": _components(group, samples),
        "recoveries": [(moment(one.at), name(one.server), text(wording(one)), one.outcome) for one in group.recoveries],
        "waiting": [(row, text(row["reason"] or "")) for row in ledger.outbox(group.fingerprint)],
        "destinations": actions.destinations(site.home, site.handlers()),
        "can_track": bool(_trackers(site)),
        "samples": [(filename(one), one) for one in samples],
        "paged": bool(after),
        "after": samples.after,
        "is_muted": group.muted_until > now,
        "infinite": math.inf,
    } | (in_full(newest[0], group) if newest else {"event": None})


def _days(daily: Sequence[int], now: float) -> list[dict[str, Any]]:
    """Return each of some days, the last of which is today, and its bar: 10 wide with what is around it, 100 high."""
    times = [max(now - ago * history.DAY_SECONDS, 0.0) for ago in reversed(range(len(daily)))]
    drawn = bars(daily, 10 * len(daily), 100)
    return [{"day": day(at), "count": count, **bar} for at, count, bar in zip(times, daily, drawn, strict=True)]


def _seen(group: Group) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return where the bug was seen: of each kind of place its names, and when first and last, the latest first."""
    kinds = (("Releases", group.releases), ("Environments", group.environments), ("Hosts", group.servers))
    return [
        (kind, [(name(one), moment(first), moment(last)) for one, (first, last) in reversed([*names.items()])])
        for kind, names in kinds
        if names
    ]


def _components(group: Group, samples: list[Any]) -> list[str]:
    """Return the components that the bug was seen in, as far as the events that are shown tell."""
    told = [group.component, *(one.get("component") for one in samples)]
    return list(dict.fromkeys(name(one) for one in told if one))


# What can be done -------------------------------------------------------------------------------------------------


def _mute(site: Site, group: Group) -> str:
    said = request.form.get("days", "").strip()
    try:
        days = float(said) if said else None
    except ValueError:
        raise ActionError(f"{text(said, 40)} is no number of days.") from None
    return actions.mute(site.ledger(), group, days, site.now())


def _unmute(site: Site, group: Group) -> str:
    return actions.unmute(site.ledger(), group)


def _link(site: Site, group: Group) -> str:
    number = actions.issue_number(request.form.get("number", "")[:40])
    tracker, why = _tell(site, group, {"link_to": number})
    if why is not None:
        return f"It will be linked to #{number} of {tracker.repo} as soon as GitHub is told: {why}."
    url = _issue_url(site, group)
    if url.endswith(f"/issues/{number}"):
        return f"It is {url} now."
    raise ActionError(f"There is no issue #{number} in {tracker.repo} that it can be linked to.")


def _open(site: Site, group: Group) -> str:
    tracker, why = _tell(site, group, {})
    if why is not None:
        return f"The issue will be opened in {tracker.repo} as soon as GitHub is told: {why}."
    return f"It is {_issue_url(site, group)} now."


def _resend(site: Site, group: Group) -> str:
    known = actions.destinations(site.home, site.handlers())
    wanted = request.form.get("destination", "")
    if wanted and wanted not in known:
        raise ActionError(f"There is no destination {text(wanted, 100)} here.")
    return actions.resend(site.home, group, [wanted] if wanted else known, site.now())


_ACTIONS: dict[str, Callable[[Site, Group], str]] = {
    "mute": _mute, "unmute": _unmute, "link": _link, "open": _open, "resend": _resend,
}  # fmt: skip


def _tell(site: Site, group: Group, memory: dict[str, Any]) -> tuple[GitHubIssueHandler, str | None]:
    """Entrust GitHub with the bug, and wait a little; return why it was not told by then, or None."""
    actions.refuse_muted(group, site.now())
    trackers = _trackers(site)
    if not trackers:
        raise ActionError("There is no repository or no token here: set GITHUB_REPO and GITHUB_TOKEN, or --config.")
    for one in trackers:
        actions.entrust(site.home, str(one.destination), group.fingerprint, memory)
    first = trackers[0]
    return first, actions.told_within(site.home, str(first.destination), group.fingerprint, PATIENCE_SECONDS)


def _trackers(site: Site) -> list[GitHubIssueHandler]:
    return [one for one in actions.trackers(site.handlers()) if one.home is site.home]


def _issue_url(site: Site, group: Group) -> str:
    found = site.group(group.fingerprint)
    return (found and found.issue_url) or ""
