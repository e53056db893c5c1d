"""/healthz and /metrics: for what watches this process, and the errors that it watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Response, request

from loghub.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flask import Blueprint

    from loghub.web.access import Access
    from loghub.web.site import Site

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# What goes when its group does is no counter: a count that falls would be taken for a restart.
_GAUGES = {
    "groups": ("groups", "Bugs that are known."),
    "seen": ("occurrences", "Occurrences of the groups that are known."),
    "kept": ("kept", "Occurrences that are kept in full."),
    "issues": ("issues", "Groups that have an issue."),
}
_COUNTERS = {
    "dropped": ("dropped", "Occurrences that could not be written."),
    "torn": ("torn", "Lines of journals that could not be read."),
    "forgotten": ("forgotten", "Groups that had to go, for the ledger was full."),
}
_OF_DESTINATIONS = {
    "sent": "Occurrences that a destination was told of, or that somebody discarded.",
    "waiting": "Occurrences that a destination is still to be told of.",
    "dead": "Occurrences that a destination will not be told of until somebody looks.",
}


def add(blueprint: Blueprint, site: Site, access: Access) -> None:
    """Add the routes."""

    @blueprint.get("/healthz")
    def healthz() -> Response:
        try:
            site.figures()
        except LedgerError:
            return Response("The ledger cannot be used.\n", 503, mimetype="text/plain")
        return Response("ok\n", mimetype="text/plain")

    def told() -> Response:
        lines = exposition(site.figures(), access.visitors.answered)
        return Response("".join(f"{line}\n" for line in lines), content_type=CONTENT_TYPE)

    seen = access.see(told)

    @blueprint.get("/metrics")
    def metrics() -> Any:
        if access.visitors.may_read_metrics(request):
            return told()
        if access.has_login and access.role() is None:
            said = "Log in, or bring the metrics' token (LOGHUB_METRICS_TOKEN) as Authorization: Bearer.\n"
            return Response(said, 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain")
        return seen()


def exposition(figures: Mapping[str, Any], answered: Mapping[int, int]) -> Iterator[str]:
    """Yield the lines of OpenMetrics 1.0.

    Args:
        figures: As `Ledger.figures` returns them.
        answered: Answers to pages' reports, by HTTP status.
    """
    for name, (key, says) in _GAUGES.items():
        yield from _head(name, "gauge", says)
        yield f"loghub_{name} {figures[key]}"
    for name, (key, says) in _COUNTERS.items():
        yield from _head(name, "counter", says)
        yield f"loghub_{name}_total {figures[key]}"
    for name, says in _OF_DESTINATIONS.items():
        yield from _head(name, "gauge", says)
        for destination, counts in sorted(figures["destinations"].items()):
            yield f'loghub_{name}{{destination="{_escaped(destination)}"}} {counts[name]}'
    yield from _head("reports", "counter", "Reports of pages that this process has answered.")
    for status, count in sorted(dict(answered).items()):
        yield f'loghub_reports_total{{status="{status}"}} {count}'
    yield "# EOF"


def _head(name: str, kind: str, says: str) -> Iterator[str]:
    yield f"# TYPE loghub_{name} {kind}"
    yield f"# HELP loghub_{name} {says}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
