"""What occurrences do, as the ledger's readers and those who tell of them ask."""

from __future__ import annotations

import pytest

from loghub import history
from loghub.event import iso
from loghub.forecast import Forecast, NoForecast
from loghub.journal import Fold, Tally
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
