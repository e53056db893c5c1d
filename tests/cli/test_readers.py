"""recent, stats, groups: what is looked for, page by page."""

from __future__ import annotations

import json
import time

import click
import pytest
from click.testing import CliRunner

from loghub.cli import main
from loghub.cli.filters import MOMENT
from loghub.event import iso
from loghub.journal.reading import Fold, Tally
from loghub.ledger.sqlite import SQLiteLedger

HOUR = 3600
RELEASES = ("1.0", "1.1")


def run(*args, code=0):
    """Run a verb in this process; return what it printed."""
    done = CliRunner().invoke(main, list(map(str, args)), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def read(*args):
    """Run a verb with --json; return what it printed."""
    return json.loads(run(*args, "--json"))


@pytest.fixture
def full(tmp_path):
    """Return a home with five groups, the first the newest, each an hour and a day older; group n has n + 1 errors."""
    home = tmp_path / "full"
    home.mkdir()
    ledger, now = SQLiteLedger(str(home / "ledger.db")), time.time()
    for number in range(5):
        at, fingerprint = now - number * 25 * HOUR - 60, f"v1:{number:016x}"
        event = {
            "timestamp": iso(at), "error_type": f"Kind{number}Error", "error_message": f"order {number} lost",
            "module": "shop.cart" if number % 2 else "shop.till", "function": "total", "id": f"{number}" * 32,
            "fingerprint": fingerprint, "level": "ERROR" if number else "CRITICAL", "logger": "shop",
            "component": "web" if number < 3 else "batch", "environment": "production", "release": RELEASES[number % 2],
            "additional_info": {"customer": f"c{number}"},
        }  # fmt: skip
        tally = Tally(event=event, count=number + 1, first_at=at, last_at=at, level=40 if number else 50, kept=[event])
        tally.hours[int(at // HOUR), RELEASES[number % 2], "production"] += number + 1
        tally.releases[RELEASES[number % 2]] += number + 1
        tally.environments["production"] += number + 1
        ledger.fold(Fold(f"j{number}", 0, 1, {fingerprint: tally}))
    ledger.close()
    return home


FILTERS = [
    (("--type", "Kind1Error"), "1"),
    (("--type", "kind*"), "01234"),
    (("--module", "shop.cart"), "13"),
    (("--module", "shop"), "01234"),
    (("--component", "batch"), "34"),
    (("--level", "critical"), "0"),
    (("--level", "ERROR"), "01234"),
    (("--release", "1.1"), "13"),
    (("--environment", "staging"), ""),
    (("--text", "ORDER 2"), "2"),
    (("--text", "c3"), "3"),
    (("--since", "26h"), "01"),
    (("--until", "2d"), "234"),
    (("--since", "3d", "--until", "1d", "--component", "web"), "12"),
]


@pytest.mark.parametrize(("options", "expected"), FILTERS, ids=[" ".join(options) for options, _ in FILTERS])
def test_filters(full, options, expected):
    """recent, groups and stats take the same filters and find the same errors."""
    assert "".join(one["id"][0] for one in read("recent", "--home", full, *options)) == expected
    assert "".join(one["fingerprint"][-1] for one in read("groups", "--home", full, *options)) == expected
    stats = read("stats", "--days", 30, "--home", full, *options)
    assert stats["error_types"] == {f"Kind{number}Error": int(number) + 1 for number in sorted(expected, reverse=True)}
    assert stats["total_errors"] == sum(stats["daily_counts"].values()) == sum(int(number) + 1 for number in expected)


def test_nothing_is_like_that(full):
    """Where nothing is found, that is said, in a word for an empty home and another for a filter."""
    assert run("groups", "--home", full, "--type", "X") == "No errors are like that.\n"
    assert run("recent", "--home", full, "--type", "X") == "No errors are like that.\n"
    assert run("stats", "--home", full, "--type", "X").startswith("0 errors in 7 days.")


def test_pages_for_people(full):
    """A table ends with how to ask for the next page, and the last page does not."""
    for verb, column in (("recent", "id"), ("groups", "fingerprint")):
        text, seen = run(verb, "-n", 2, "--home", full), []
        while "More: --after " in text:
            seen.append(text)
            text = run(verb, "-n", 2, "--home", full, "--after", text.rsplit("--after ", 1)[1].strip())
        assert len(seen) == 2, column
        assert "Kind4" in text


def test_pages_for_programs(full):
    """What --after takes is made of the last row's JSON."""
    first = read("recent", "-n", 2, "--home", full)
    after = f"{first[-1]['timestamp']}~{first[-1]['id']}"
    assert [one["id"][0] for one in read("recent", "-n", 2, "--home", full, "--after", after)] == ["2", "3"]
    first = read("groups", "-n", 3, "--home", full, "--sort", "count")
    after = f"{first[-1]['count']}~{first[-1]['fingerprint']}"
    rest = read("groups", "--home", full, "--sort", "count", "--after", after)
    assert [one["count"] for one in first + rest] == [5, 4, 3, 2, 1]


def test_no_such_page(full):
    """A wrong --after is one sentence that says what it looks like."""
    text = run("groups", "--home", full, "--after", "xyz", code=1)
    assert "LAST_SEEN_AT~FINGERPRINT" in text
    assert "Traceback" not in text


def test_sort_and_status(full):
    """Groups are sorted by last or first seen or by count, and chosen by status."""
    assert [one["count"] for one in read("groups", "--home", full, "--sort", "first")] == [1, 2, 3, 4, 5]
    run("mute", "v1:0000000000000002", "--home", full)
    assert [one["count"] for one in read("groups", "--home", full, "--status", "muted")] == [3]
    assert len(read("groups", "--home", full, "--status", "open")) == 4


def test_where_they_were_seen(full):
    """groups --by has a line for each place, the one with the most errors first, for people and for programs."""
    rows = read("groups", "--by", "release", "--home", full)
    assert [(row["release"], row["groups"], row["count"]) for row in rows] == [("1.0", 3, 9), ("1.1", 2, 6)]
    assert rows[1]["last_seen_at"] < rows[0]["last_seen_at"]
    lines = run("groups", "--by", "release", "--sort", "first", "-n", 1, "--home", full).splitlines()
    assert lines[0].split()[:3] == ["release", "bugs", "errors"]
    assert [line.split()[:3] for line in lines[1:] if "-" not in line.split()[0]] == [["1.1", "2", "6"]]
    assert run("groups", "--by", "server", "--home", full) == "No error has said its server yet.\n"
    assert "No errors are like that" in run("groups", "--by", "release", "--type", "Other", "--home", full)
    assert "does not go with" in run("groups", "--by", "release", "--trend", "--home", full, code=2)


def test_stats_says_the_span(full):
    """stats says in words what it has counted."""
    assert run("stats", "--home", full, "--days", 30).startswith("15 errors in 30 days.")
    text = run("stats", "--home", full, "--since", "2026-01-01", "--until", "2026-01-02T12:30")
    assert text.startswith("0 errors since 2026-01-01 00:00, until 2026-01-02 12:30.")


def test_times(monkeypatch):
    """A time is a date, a date with a time and an offset, or how long ago."""
    monkeypatch.setattr(time, "time", lambda: 1_770_000_000.0)
    for text, expected in {
        "2026-02-02": 1_769_990_400.0,
        "2026-02-02T03:00": 1_770_001_200.0,
        "2026-02-02T04:00+01:00": 1_770_001_200.0,
        "2026-02-02 03:00:00Z": 1_770_001_200.0,
        "36h": 1_770_000_000.0 - 36 * HOUR,
        "1.5d": 1_770_000_000.0 - 36 * HOUR,
        "90 m": 1_770_000_000.0 - 5400,
        " 2w": 1_770_000_000.0 - 14 * 24 * HOUR,
        "30s": 1_770_000_000.0 - 30,
    }.items():
        assert MOMENT.convert(text, None, None) == expected, text
    assert MOMENT.convert("999999w", None, None) == MOMENT.convert("1900-01-01", None, None) == 0.0
    for text in ("yesterday", "7", "-7d", "7 days", "", "9999999d", "2026-13-01", "9999-12-31T23:59:59.9-14:00"):
        with pytest.raises(click.BadParameter, match="is no time"):
            MOMENT.convert(text, None, None)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("groups", "--since", "tuesday"), "write 2026-11-27"),
        (("groups", "--text", ""), "It is empty"),
        (("recent", "--component", " "), "It is empty"),
        (("recent", "--type", "x" * 5000), "longer than 1000 characters"),
        (("recent", "--level", "blah"), "is no level: write CRITICAL"),
        (("recent", "-n", 2**63), "is not in the range"),
        (("stats", "--days", "nan"), "no number of days"),
        (("stats", "--days", "inf"), "no number of days"),
        (("stats", "--days", "1e300"), "no number of days"),
        (("groups", "--since", "1d", "--until", "2d"), "--since must be before --until"),
    ],
    ids=str,
)
def test_misuse(full, options, says):
    """A value that is none is misuse, and the sentence says what is one."""
    text = run(*options, "--home", full, code=2)
    assert says in text
    assert "Traceback" not in text


def test_levels_by_number(full):
    """A level that only the application has a name for is given by its number."""
    assert [one["count"] for one in read("groups", "--home", full, "--level", 45)] == [1]
    assert len(read("groups", "--home", full, "--level", "warning")) == 5


def test_bytes_that_are_no_text(full):
    """What a shell hands over that is no UTF-8 is looked for, and not found."""
    assert run("groups", "--home", full, "--text", "a\udcff") == "No errors are like that.\n"
    assert "Nothing here" in run("show", "a\udcff", "--home", full, code=1)


def test_several_begin_so(full):
    """The beginning of several fingerprints is refused by all verbs, with some of them; so is nothing."""
    for verb in (("show",), ("mute",), ("purge", "--yes"), ("explain",), ("preview",)):
        text = run(*verb, "v1:0", "--home", full, code=1)
        assert "is the beginning of several, such as v1:0000000000000000" in text
    assert run("show", "", "--home", full, code=1)
    assert run("mute", "", "--home", full, code=1)
    assert len(read("groups", "--home", full)) == 5


def test_days_before_until(full):
    """With --until the days are those before it."""
    stats = read("stats", "--home", full, "--until", "30h", "--days", 2)
    assert stats["error_types"] == {"Kind2Error": 3, "Kind3Error": 4}


def test_trends_for_people(full):
    """groups has a line of days and a word for each group, show the sentences, stats bars and what is to come."""
    lines = run("groups", "--home", full).splitlines()
    assert "7 days" in lines[0]
    assert all(" new " in line or " steady " in line for line in lines[2:7])
    assert "▁" in lines[2] or "█" in lines[2]
    assert "14 days" in run("show", "v1:0000000000000002", "--home", full)
    text = run("stats", "--home", full)
    assert "█" in text
    assert "A forecast needs 28 days of history" in text


def test_trends_for_programs(full):
    """With --trend JSON has trend, reason, spike and days; without it the keys are the usual ones."""
    plain, told = read("groups", "--home", full)[0], read("groups", "--home", full, "--trend")[0]
    assert set(told) - set(plain) == {"trend", "why", "spike", "daily"}
    assert (told["trend"], told["spike"], len(told["daily"])) == ("new", None, 14)
    assert set(read("stats", "--home", full)) == {"total_errors", "error_types", "modules", "daily_counts"}
    stats = read("stats", "--home", full, "--trend")
    assert "28 days of history" in stats["forecast"]["why"]
    assert sum(stats["daily"]) == 15
    assert {"trend", "why", "spike", "daily"} < set(read("show", "v1:0000000000000002", "--home", full))


def test_show_breadcrumbs(full):
    """show prints what led to an error, one line a record, hostile ones as well."""
    ledger = SQLiteLedger(str(full / "ledger.db"))
    event = {
        "id": "f" * 32, "fingerprint": f"v1:{9:016x}", "timestamp": iso(time.time()), "error_type": "Late",
        "error_message": "no", "breadcrumbs": [
            {"timestamp": "2026-01-02T03:04:05.678Z", "level": "INFO", "logger": "shop", "message": "paid\n7"},
            "a text",
            {"message": "x" * 5_000},
        ],
    }  # fmt: skip
    tally = Tally(event=event, count=1, first_at=time.time(), last_at=time.time(), level=40, kept=[event])
    ledger.fold(Fold("j9", 0, 1, {event["fingerprint"]: tally}))
    ledger.close()
    said = run("show", "f" * 32, "--home", full)
    assert "Breadcrumbs (UTC):\n  03:04:05.678 INFO shop: paid 7\n  a text\n  xxx" in said
    assert max(map(len, said.splitlines())) <= 502


def test_the_column_of_issues(full):
    """A bug without an issue has none in the table: its own state is said only where it is not the usual one."""
    run("mute", f"v1:{1:016x}", "--home", full)
    lines = run("groups", "--home", full).splitlines()[2:]
    assert [line.split()[-2] for line in lines] == ["-", "muted", "-", "-", "-"]
