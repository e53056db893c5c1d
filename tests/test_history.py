"""What occurrences do, as the ledger's readers and those who tell of them ask."""

from __future__ import annotations

import itertools

import pytest

from loghub import history
from loghub.event import iso
from loghub.forecast import Forecast, NoForecast
from loghub.journal.reading import Fold, Tally
from loghub.ledger.find import Find
from loghub.ledger.sqlite import SQLiteLedger

NOW = 1_790_000_000.0
HOUR = int(NOW // 3600)


@pytest.fixture
def ledger():
    """Return an empty ledger."""
    one = SQLiteLedger(None)
    yield one
    one.close()


def fill(ledger, name, counts, **more):
    """Let a group have happened so often in each of the last hours (hours ago -> count)."""
    tally = Tally(event={"error_type": name, "module": "shop", **more}, level=40)
    for ago, n in counts.items():
        tally.hours[HOUR - ago, str(more.get("release", "")), ""] += n
        tally.count += n
        tally.first_at, tally.last_at = min(tally.first_at, (HOUR - ago) * 3600), max(tally.last_at, NOW - ago * 3600)
    tally.releases[str(more.get("release", ""))] += tally.count
    ledger.fold(Fold(name, 0, 1, {f"v1:{name}": tally}))


def outlook(ledger, name):
    """Return what a group does."""
    return history.outlooks(ledger, ledger.groups(), lambda: NOW)[f"v1:{name}"]


def test_outlooks(ledger):
    """Each group has a word, its days, and a spike if there is one."""
    daily = dict.fromkeys(range(0, 40 * 24, 2), 3)
    fill(ledger, "Steady", daily)
    fill(ledger, "Spiking", daily | {0: 400})
    fill(ledger, "New", {1: 2})
    fill(ledger, "Gone", dict.fromkeys(range(20 * 24, 50 * 24, 3), 5))
    words = {name: outlook(ledger, name).word for name in ("Steady", "Spiking", "New", "Gone")}
    assert words == {"Steady": "steady", "Spiking": "spike", "New": "new", "Gone": "gone"}
    steady = outlook(ledger, "Steady")
    assert len(steady.daily) == history.SHOWN_DAYS
    assert steady.daily[:-1] == [36] * (history.SHOWN_DAYS - 1)
    assert steady.row() == {
        "trend": "steady", "why": steady.trend.why, "spike": None, "daily": steady.daily,
    }  # fmt: skip
    spike = outlook(ledger, "Spiking").row()["spike"]
    assert spike["observed"] >= 400
    assert spike["expected"] < 40
    assert spike["since_at"] == iso(HOUR * 3600)


def prospect(ledger, **find):
    """Return what all that is looked for does, and what the next day brings."""
    return history.prospect(ledger, Find(**find), lambda: NOW)


def test_prospect_of_what_is_looked_for(ledger):
    """What several groups do together is asked with a filter."""
    fill(ledger, "Old", dict.fromkeys(range(0, 40 * 24, 2), 3), release="1")
    fill(ledger, "Other", {1: 2}, release="2")
    assert prospect(ledger, release="2")[0].word == "new"
    assert prospect(ledger)[0].word == "steady"
    assert prospect(ledger, release="3")[0].daily == [0] * history.SHOWN_DAYS


def test_what_comes_back_is_not_new(ledger):
    """What was seen before the hours that are known is not new when it is seen again."""
    fill(ledger, "Back", {1: 2, 200 * 24: 1})
    assert prospect(ledger)[0].word != "new"


def test_next_day(ledger):
    """The next day is forecast from all that is looked for; where nobody can know, the reason is said."""
    assert isinstance(prospect(ledger)[1], NoForecast)
    fill(ledger, "Steady", dict.fromkeys(range(60 * 24), 10))
    ahead = prospect(ledger)[1]
    assert isinstance(ahead, Forecast)
    assert ahead.low <= 240 <= ahead.high
    assert isinstance(prospect(ledger, error_type="X")[1], NoForecast)


def days_of(ledger, now=NOW, **find):
    """Return the days of the course: how many days ago, occurrences, whether there was a spike."""
    found = history.course(ledger, Find(**find), lambda: now).days
    assert all(later.at - earlier.at == 86400 for earlier, later in itertools.pairwise(found))
    return {int(now // 86400 - one.at // 86400): (one.count, one.spike) for one in found}


def test_course_without_gaps(ledger):
    """The days of the last two weeks are all there, those without an error as well."""
    fill(ledger, "one", {0: 2, 30: 5})
    found = days_of(ledger)
    assert sorted(found) == list(range(14))
    assert [found[ago][0] for ago in range(3)] == [2, 5, 0]
    assert history.course(ledger, now=lambda: NOW).outlook == history.prospect(ledger, now=lambda: NOW)[0]


@pytest.mark.parametrize("days", [20, 83, 84, 200])
def test_course_is_what_the_ledger_counts(ledger, days):
    """By whichever way they are read, the days are those of the ledger."""
    fill(ledger, "one", dict.fromkeys(range(0, 24 * 80, 7), 3))
    fill(ledger, "other", dict.fromkeys(range(0, 24 * 80, 5), 1), release="2.0")
    for find in ({}, {"error_type": "one"}, {"release": "2.0"}, {"until": NOW - 5.5 * 86400}):
        since = NOW - days * 86400
        found = days_of(ledger, since=since, **find)
        counted = ledger.days(Find(since=since // 86400 * 86400, **find))
        assert {ago: count for ago, (count, _) in found.items() if count} == {
            int(NOW // 86400) - day: count for day, count in counted.items()
        }


def test_course_is_bounded(ledger):
    """However far apart the times are that are asked for, there are no more days than are counted for good."""
    fill(ledger, "one", {0: 1})
    for find in ({"since": 0.0}, {"since": 0.0, "until": 1e11}, {"since": 1e11}, {"until": 0.0}, {"until": 0.5}):
        assert 1 <= len(days_of(ledger, **find)) <= history.MOST_DAYS


def test_course_tells_spikes(ledger):
    """A day on which there were many more than usual stands out; a day like any other does not."""
    usual = dict.fromkeys(range(24 * 40), 3)
    fill(ledger, "one", usual | dict.fromkeys(range(5 * 24 + 2, 5 * 24 + 4), 400))
    found = days_of(ledger, since=NOW - 20 * 86400)
    assert [ago for ago, (_, spike) in found.items() if spike] == [(HOUR // 24) - ((HOUR - 5 * 24 - 3) // 24)]


def test_course_is_not_wiser_afterwards(ledger):
    """Whether a day is told to have a spike does not change with what comes after it."""
    usual = dict.fromkeys(range(24 * 40), 3)
    fill(ledger, "one", usual | {50: 400})
    then = days_of(ledger, now=NOW - 40 * 3600)
    fill(ledger, "later", dict.fromkeys(range(30), 5000))
    shift = int(NOW // 86400) - int((NOW - 40 * 3600) // 86400)
    assert [ago + shift for ago, (_, spike) in then.items() if spike] == [
        ago for ago, (_, spike) in days_of(ledger).items() if spike and ago > 1
    ]
