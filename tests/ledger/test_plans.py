"""How PostgreSQL answers what readers ask where a fleet has kept a million errors: by indexes."""

from __future__ import annotations

import pytest

from loghub.ledger.address import read_address
from loghub.ledger.find import Find
from loghub.ledger.postgres import PostgresLedger
from tests.ledger.rows import GITHUB, SMTP

pytestmark = pytest.mark.slow

GROUPS, EVENTS, NOW = 10_000, 1_000_000, 1_800_000_000.0
SMALL = {"meta", "destinations", "deployments", "journals"}
"""Tables with a row for each release, process or destination: to read them whole costs nothing."""

BY_BUGS = {
    "groups by type": {"groups"},  # nothing but reading finds what is like something
    "counts by type of a day": {"groups"},  # most of them have counts
    "what waits": {"groups"},
    "what a destination waits for": {"groups"},
    "silent issues": {"outbox"},  # most of its rows could be one
}
"""Questions for which tables with a row for each bug are read whole."""

FILL = f"""
INSERT INTO groups (id, fingerprint, error_type, error_module, error_message, component, module, culprit, level, logger,
                    count, first_seen_at, last_seen_at, words)
SELECT n, 'v1:' || lpad(to_hex(n), 16, '0'), 'Kind' || n % 200 || 'Error', 'shop.errors', 'order ' || n || ' lost',
       'part' || n % 20, 'shop.module' || n % 300, 'shop.module' || n % 300 || ' in total', 'ERROR', 'shop',
       100 + n, {NOW} - 86400 * (1 + n % 90), {NOW} - n * 60, 'kind' || n % 200 || 'error order ' || n || ' lost'
FROM generate_series(1, {GROUPS}) n;
INSERT INTO deployments (id, release, environment)
SELECT n, '1.' || n / 2, CASE n % 2 WHEN 0 THEN 'production' ELSE 'staging' END FROM generate_series(1, 20) n;
INSERT INTO facts
SELECT g, kind, kind || v, 50, {NOW} - 86400, {NOW} - g * 60
FROM generate_series(1, {GROUPS}) g, unnest(ARRAY['release', 'environment', 'server']) kind, generate_series(1, 5) v;
INSERT INTO events (id, group_id, at, error_type, error_module, module, component, level, release, environment,
                    severity, words, data)
SELECT md5(n::text), 1 + n % {GROUPS}, {NOW} - n * 7, 'Kind' || n % 200 || 'Error', 'shop.errors',
       'shop.module' || n % 300, 'part' || n % 20, 'ERROR', '1.' || n % 10, 'production', 40, 'order ' || n || ' lost',
       '{{"id": "' || n || '"}}'
FROM generate_series(1, {EVENTS}) n;
INSERT INTO hours SELECT g, {int(NOW) // 3600} - h * 7, 1 + h % 20, 5
FROM generate_series(1, {GROUPS}) g, generate_series(1, 60) h;
INSERT INTO days SELECT {int(NOW) // 86400} - d * 10, g, 1 + d % 20, 50
FROM generate_series(1, {GROUPS}) g, generate_series(1, 40) d;
INSERT INTO outbox (destination, group_id, total, told, level, since_at)
SELECT destination, g, 100, CASE WHEN g % 50 = 0 THEN 99 ELSE 100 END, 40, {NOW} - g
FROM generate_series(1, {GROUPS}) g, unnest(ARRAY['{GITHUB}', '{SMTP}']) destination;
INSERT INTO recoveries (group_id, at, procedure, outcome, seconds, reason, server)
SELECT 1 + n % {GROUPS}, {NOW} - n, 'restart', 'recovered', 1, '', 'web' FROM generate_series(1, 20000) n;
INSERT INTO spent SELECT 'budget' || n % 300, {NOW} - n FROM generate_series(1, 20000) n;
"""

FINGERPRINT = "v1:" + f"{77:016x}"
DAY = Find(since=NOW - 86_400, until=NOW)
QUESTIONS = {
    "the newest errors": lambda ledger: ledger.events(50),
    "a page of errors": lambda ledger: ledger.events(50, after=f"2026-12-30T00:00:00.000Z~{'0' * 32}"),
    "errors by type": lambda ledger: ledger.events(50, Find(error_type="Kind7*")),
    "errors of a day by release": lambda ledger: ledger.events(
        50, Find(release="1.3", since=DAY.since, until=DAY.until)
    ),
    "errors by text": lambda ledger: ledger.events(50, Find(text="lost")),
    "errors of a group": lambda ledger: ledger.events(50, Find(fingerprint=FINGERPRINT)),
    "an error": lambda ledger: ledger.event("a" * 32),
    "an error by its beginning": lambda ledger: ledger.event("abcdef01"),
    "the errors beside it": lambda ledger: ledger.beside("c4ca4238a0b923820dcc509a6f75849b"),
    "the newest groups": lambda ledger: ledger.groups(50),
    "groups by count": lambda ledger: ledger.groups(50, order="count"),
    "groups by first seen": lambda ledger: ledger.groups(50, order="first_seen_at"),
    "a page of groups": lambda ledger: ledger.groups(50, after=f"5000~{FINGERPRINT}", order="count"),
    "groups of a day": lambda ledger: ledger.groups(50, DAY),
    "groups by release": lambda ledger: ledger.groups(50, Find(release="release3")),
    "groups by type": lambda ledger: ledger.groups(50, Find(error_type="Kind7Error")),
    "a group": lambda ledger: ledger.group(FINGERPRINT),
    "counts by type of a day": lambda ledger: ledger.totals_of(DAY),
    "days of a month": lambda ledger: ledger.days(Find(since=NOW - 30 * 86_400)),
    "days of a group": lambda ledger: ledger.days(Find(fingerprint=FINGERPRINT)),
    "hours of a day": lambda ledger: ledger.hours(DAY),
    "hours of a group": lambda ledger: ledger.hours(Find(fingerprint=FINGERPRINT)),
    "hours of some groups": lambda ledger: ledger.hours_of([FINGERPRINT], NOW - 8 * 7 * 86_400),
    "when the first was seen": lambda ledger: ledger.first_seen_at(),
    "servers of a group": lambda ledger: ledger.seen_by("server", Find(fingerprint=FINGERPRINT)),
    "what waits": lambda ledger: ledger.outbox(),
    "what waits of a group": lambda ledger: ledger.outbox(FINGERPRINT),
    "what a destination waits for": lambda ledger: ledger.load(ledger.waiting(GITHUB, NOW, 20)),
    "silent issues": lambda ledger: ledger.told(GITHUB, NOW - 86_400, 20),
    "offset of a journal": lambda ledger: ledger.offset("a"),
    "memory": lambda ledger: (ledger.memory(GITHUB), ledger.leaseholder(GITHUB)),
}
READS_ALL = {
    "counts by type": lambda ledger: ledger.totals_of(),
    "days": lambda ledger: ledger.days(),
    "hours": lambda ledger: ledger.hours(),
    "figures": lambda ledger: ledger.figures(),
    "servers": lambda ledger: ledger.seen_by("server"),
    "counts by text": lambda ledger: ledger.totals_of(Find(text="lost")),
}


class Recording(PostgresLedger):
    """Notes what is asked."""

    asked: list

    def _rows(self, query, values=()):
        self.asked.append((query, values))
        return super()._rows(query, values)


@pytest.fixture(scope="module")
def million(postgres):
    """Return a ledger with a million errors of ten thousand groups."""
    schema = "million"
    ledger = Recording(read_address(postgres.url(schema)))
    ledger.asked = []
    assert ledger.groups(1) == []
    postgres.execute(f"SET search_path TO {schema}; SET synchronous_commit TO off; {FILL}")
    for table in ("groups", "facts", "events", "hours", "days", "outbox", "recoveries", "spent", "deployments"):
        postgres.execute(f"VACUUM ANALYZE {schema}.{table}")
    yield ledger
    ledger.close()
    postgres.execute(f"DROP SCHEMA {schema} CASCADE")


def plans(ledger, question):
    """Return the nodes of the plans for all that a question asks."""
    ledger.asked.clear()
    question(ledger)
    nodes = []
    for query, values in list(ledger.asked):
        ((said,),) = PostgresLedger._rows(ledger, f"EXPLAIN (FORMAT JSON) {query}", values)
        (top,) = said
        left = [top["Plan"]]
        while left:
            node = left.pop()
            nodes.append(node)
            left += node.get("Plans", ())
    assert nodes
    return nodes


def whole(nodes):
    """Return the tables that are read whole."""
    return {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}


@pytest.mark.parametrize("name", QUESTIONS)
def test_by_index(million, name):
    """What readers ask for comes by an index, without reading a table whole."""
    nodes = plans(million, QUESTIONS[name])
    assert whole(nodes) - SMALL <= BY_BUGS.get(name, set())
    assert name in {"offset of a journal", "memory", *BY_BUGS} or any("Index" in node["Node Type"] for node in nodes)


@pytest.mark.parametrize("name", READS_ALL)
def test_what_asks_about_all(million, name):
    """What asks about all that there is reads no kept error, but what is counted."""
    assert "events" not in whole(plans(million, READS_ALL[name]))
