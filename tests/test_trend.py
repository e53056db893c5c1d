"""Trend and spikes: what a group's own past lets expect, on series as errors make them."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub import tails, trend
from tests import series

HOUR, DAY, WEEK = trend.HOUR, trend.DAY, 7 * trend.DAY
FIRST = series.START * HOUR
WEDNESDAY = series.START + 24 * 37  # the sixth week


def level(per_hour, days, until=WEDNESDAY):
    """Return so many occurrences in each of the hours of the days before `until`."""
    return dict.fromkeys(range(until - 24 * days, until), per_hour)


def word(hours, now=WEDNESDAY * HOUR, first=FIRST):
    """Return what a group does that has been known for weeks."""
    return trend.trend(hours, first, now).word


# ---------------------------------------------------------------- words


def test_new():
    """A group is new for 24 hours, whatever else it does; one from the future (a clock was set back) is new, too."""
    now = WEDNESDAY * HOUR
    hours = {WEDNESDAY - 20: 1000, WEDNESDAY - 1: 1}
    assert word(hours, now, now - 20 * HOUR) == "new"
    assert word({WEDNESDAY + 5: 3}, now, now + 5 * HOUR) == "new"
    assert word({WEDNESDAY - 25: 1}, now, now - 25 * HOUR) == "steady"
    assert trend.trend(hours, now - 20 * HOUR, now).why == "Seen first 20 hours ago."


@pytest.mark.parametrize(
    ("seconds", "said"), [(5, "less than a minute"), (60, "a minute"), (125, "2 minutes"), (5400, "2 hours")]
)
def test_seen_just_now(seconds, said):
    """How long ago it was is said in words that are right for one, too."""
    now = WEDNESDAY * HOUR
    assert trend.trend({WEDNESDAY - 1: 1}, now - seconds, now).why == f"Seen first {said} ago."


def test_gone_by_its_own_rate():
    """Two silent days are enough where every day had occurrences, and not where every other had."""
    daily = {hour: 3 for hour in level(1, 37) if hour % 24 == 9}
    silent = {hour: count for hour, count in daily.items() if hour < WEDNESDAY - 48}
    assert word(daily) == "steady"
    assert word(silent) == "gone"
    every_other = {hour: count for hour, count in silent.items() if hour // 24 % 2}
    words = [word(every_other, (WEDNESDAY + 24 * days) * HOUR) for days in range(40)]
    assert words[:4] == ["steady"] * 4
    assert words[14:] == ["gone"] * 26
    assert words == sorted(words, key=["steady", "falling", "gone"].index)


def test_not_gone_before_its_longest_silence():
    """What was silent for ten days once is not gone after as many, improbable as that is by its other days."""
    hours = {hour: 3 for hour in range(series.START, series.START + 24 * 30) if hour % 24 == 9}
    once = {hour: count for hour, count in hours.items() if not 12 <= (hour - series.START) // 24 < 22}
    end = FIRST + 30 * DAY
    assert word(hours, end + 2 * DAY) == "gone"
    assert word(once, end + 10 * DAY) != "gone"
    assert word(once, end + 11 * DAY) == "gone"


def test_not_gone_for_a_weekend():
    """What happens on working days is neither gone nor falling on Sunday evening, nor rising on Monday."""
    works = {hour: 9 for hour in level(1, 37) if (hour - series.START) // 24 % 7 < 5 and 8 <= hour % 24 < 18}
    for hour in range(series.START + 24 * 28, WEDNESDAY):
        past = {one: count for one, count in works.items() if one <= hour}
        assert word(past, hour * HOUR + 1800) == "steady"


def test_once_is_no_rate():
    """A group that was seen on one day only is not called gone before four weeks have passed."""
    hours = {series.START: 40}
    for days in range(1, 28):
        found = trend.trend(hours, FIRST, FIRST + days * DAY + HOUR)
        assert found.word == "steady"
        assert found.why.startswith("Not seen since it was seen first")
    assert word(hours, FIRST + 28 * DAY + HOUR) == "gone"


def test_a_clock_set_back():
    """Occurrences after now are not counted, but a group that has them is not gone."""
    silent = {hour: 3 for hour in level(1, 37) if hour < WEDNESDAY - 72}
    assert word(silent) == "gone"
    assert word(silent | {WEDNESDAY + 3: 10**6}) != "gone"
    assert word(level(3, 28) | {WEDNESDAY + 3: 10**6}) == "steady"
    assert trend.spike(level(3, 28) | {WEDNESDAY + 1: 10**6}, FIRST, WEDNESDAY * HOUR) is None


def test_three_to_five_is_steady():
    """A change that is small, or small beside how the group scatters, is none."""
    few = {hour: 1 for hour in level(1, 28) if hour % 8 == 0}
    assert word(few | {WEDNESDAY - 3: 1, WEDNESDAY - 5: 1}) == "steady"
    bursts = {hour: 100 for hour in level(1, 28) if hour % 61 == 0}
    assert sum(hour >= WEDNESDAY - 24 for hour in bursts) <= 1
    assert word(bursts | {WEDNESDAY - 2: 100}) == "steady"


def test_rising_and_falling_by_the_day():
    """Four times as many within 24 hours is rising, a quarter falling; the sentence has the numbers."""
    before = level(10, 28, WEDNESDAY - 24)
    up, down = before | level(40, 1), before | level(2, 1)
    assert word(up) == "rising"
    assert word(down) == "falling"
    assert trend.trend(up, FIRST, WEDNESDAY * HOUR) == trend.Trend(
        "rising", 960.0, 240.0, "960 in the last 24 hours, after 240 a day in the 27 days before."
    )


def test_rising_by_the_week():
    """A level that is 1.7 times as high for six days is rising; it is too little to tell on the first day."""
    rng = random.Random(5)
    hours = {hour: series.poisson(rng, 17 if hour >= WEDNESDAY - 144 else 10) for hour in level(1, 28)}
    assert word(hours) == "rising"
    fallen = {hour: series.poisson(rng, 10 if hour >= WEDNESDAY - 144 else 17) for hour in level(1, 28)}
    assert word(fallen) == "falling"
    assert word({hour: n for hour, n in hours.items() if hour < WEDNESDAY - 120}, (WEDNESDAY - 120) * HOUR) == "steady"


def test_rising_by_growth():
    """What doubles every day is rising from the fourth time on, though its growth is scatter by itself."""
    rng = random.Random(9)
    hours = {hour: series.poisson(rng, 2 ** ((hour - WEDNESDAY) / 24 + 8) / 6) for hour in level(1, 8)}
    first = (WEDNESDAY - 24 * 8) * HOUR
    words = [word({one: n for one, n in hours.items() if one < end}, end * HOUR, first) for end in sorted(hours)[120:]]
    assert words.count("rising") >= 0.9 * len(words)
    assert words[-1] == "rising"
    days = [832, 416, 208, 104, 52, 52]
    doubled = {WEDNESDAY - 24 * back - 1: count for back, count in enumerate(days)}
    assert trend.trend(doubled, first, WEDNESDAY * HOUR).why == "52, 104, 208, 416, 832 in the last 5 times 24 hours."
    assert word(doubled | {WEDNESDAY - 73: 70}, first=first) == "steady"


@pytest.mark.slow
def test_after_an_outage():
    """A bad day is rising while it is the last one, and neither rising nor falling afterwards."""
    rng = random.Random(7)
    hours = {hour: series.poisson(rng, 6) for hour in level(1, 28)}
    bad = hours | level(300, 1)
    assert word(bad) == "rising"
    for later in range(25, 24 * 20):
        after = bad | {hour: series.poisson(rng, 6) for hour in range(WEDNESDAY, WEDNESDAY + later)}
        assert word(after, (WEDNESDAY + later) * HOUR) == "steady"


def test_returned():
    """A group that was gone and has occurrences again is rising, and spikes: nothing let expect them."""
    hours = {series.START: 5, WEDNESDAY: 30}
    assert word(hours, WEDNESDAY * HOUR + 600) == "rising"
    assert trend.spike(hours, FIRST, WEDNESDAY * HOUR + 600).observed == 30


@pytest.mark.parametrize("minute", range(0, 60, 5))
def test_a_nightly_job_at_any_minute(minute):
    """What happens in one hour of the day is the same trend before, in and after that hour."""
    hours = series.hours_of(series.nightly, 1, 36)
    for hour in range(WEDNESDAY - 72, WEDNESDAY - 24):
        past = {one: count for one, count in hours.items() if one < hour}
        now = hours.get(hour, 0) * minute // 60
        assert word(past | {hour: now}, hour * HOUR + minute * 60) == "steady"


# ---------------------------------------------------------------- spikes


def plainly(hours, hour):
    """Return whether Poisson's test against the same hours of earlier days would cry, for comparison."""
    expected = sum(hours.get(hour - 24 * day, 0) + hours.get(hour - 1 - 24 * day, 0) for day in range(1, 29)) / 28
    observed = hours.get(hour, 0) + hours.get(hour - 1, 0)
    return observed >= trend.SPIKE_LEAST and tails.at_least(observed, expected, 1) < trend.SPIKE_PROBABILITY


@pytest.mark.slow
@pytest.mark.parametrize("family", series.STATIONARY)
def test_false_alarms(family):
    """Asked each hour, less than one false spike per group in four weeks, and wrong words in 3 of 100 at most."""
    groups, weeks, spikes, plain, words = 6, 4, 0, 0, Counter()
    for seed in range(groups):
        hours = series.hours_of(family, seed, 7 * (weeks + 4))
        past = {hour: count for hour, count in hours.items() if hour < series.START + 24 * 28}
        spiked = False
        for hour in range(series.START + 24 * 28, series.START + 168 * (weeks + 4)):
            past[hour] = hours.get(hour, 0)
            found = bool(trend.spike(past, FIRST, (hour + 1) * HOUR - 1))
            spikes += found and not spiked
            spiked = found
            plain += plainly(past, hour)
            if hour % 7 == 0:  # each hour of the day is met
                words[word(past, (hour + 1) * HOUR - 1)] += 1
    assert spikes < groups
    wrong = words.total() - words["steady"] - (words["gone"] if family is series.rare else 0)
    assert wrong <= 0.03 * words.total(), words
    if family in (series.seasonal, series.overdispersed, series.bursty, series.clustered):
        assert plain > 20 * groups  # why it is not Poisson's


@pytest.mark.slow
@pytest.mark.parametrize("family", series.STATIONARY)
def test_false_alarms_of_the_young(family):
    """A group in its first four weeks has less than one false spike in that time."""
    groups, spikes = 8, 0
    for seed in range(groups):
        hours = series.hours_of(family, seed, 60)
        first, past = min(hours), {}
        spiked = False
        for hour in range(first, first + 24 * 28):
            past[hour] = hours.get(hour, 0)
            found = bool(trend.spike(past, first * HOUR, (hour + 1) * HOUR - 1))
            spikes += found and not spiked
            spiked = found
    assert spikes < groups


@pytest.mark.slow
@pytest.mark.parametrize("family", series.STATIONARY + series.UNTRIED)
def test_false_alarms_before_there_are_days(family):
    """Groups seen first at any hour of the week have at most 0.2 false spikes each while there are no days yet."""
    groups, spikes = 50, 0
    for seed in range(groups):
        hours = series.hours_of(family, seed, 90)
        first = min(hour for hour in hours if hour >= series.START + 37 * seed % 720)
        found = [trend.spike(hours, first * HOUR, (hour + 1) * HOUR - 1) for hour in range(first, first + 74)]
        spikes += sum(bool(now) and not last for last, now in itertools.pairwise([None, *found]))
    assert spikes <= 0.2 * groups


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "more", "share"),
    [
        (series.sparse, 10, 0.9),
        (series.steady, 200, 0.9),
        (series.laptop, 100, 0.9),
        (series.seasonal, 300, 0.9),
        (series.clustered, 300, 0.75),
        (series.rare, 300, 0.75),
        (series.overdispersed, 1000, 0.9),
        (series.bursty, 1000, 0.9),
        (series.nightly, 1000, 0.9),
    ],
)
def test_power(family, more, share):
    """So many more in the hour that runs, at any minute of any hour of the week, are seen in that share of cases."""
    seen = 0
    for seed in range(40):
        hours, rng = series.hours_of(family, seed, 28), random.Random(seed)
        hour, part = series.START + 24 * 28 - rng.randrange(1, 168), rng.random()
        hours = {one: count for one, count in hours.items() if one < hour} | {hour: more}
        seen += trend.spike(hours, FIRST, (hour + part) * HOUR) is not None
    assert seen >= share * 40


def test_the_numbers_of_a_spike():
    """Observed and expected are of the same time, and the run tells since when."""
    hours = level(4, 28, WEDNESDAY - 3) | {WEDNESDAY - 3: 90, WEDNESDAY - 2: 200, WEDNESDAY - 1: 200, WEDNESDAY: 100}
    found = trend.spike(hours, FIRST, WEDNESDAY * HOUR + 1800)
    assert found.observed == 300
    assert found.expected == pytest.approx(4 * 1.5, abs=0.2)
    assert found.since == (WEDNESDAY - 3) * HOUR
    assert found.probability < trend.SPIKE_PROBABILITY
    assert found.why == "300 in the last 1.5 hours, where the same hours of the 28 days before let expect 6.2."


def test_the_hour_that_runs():
    """A usual rate is no spike at any minute; what an hour has by minute 3 may be one."""
    for minute in range(60):
        hours = level(60, 28) | {WEDNESDAY: minute}
        assert trend.spike(hours, FIRST, WEDNESDAY * HOUR + minute * 60) is None
    assert trend.spike(level(60, 28) | {WEDNESDAY: 600}, FIRST, WEDNESDAY * HOUR + 180)


def test_few_bursts_are_little_to_go_by():
    """After two bursts of 40 in three weeks, 200 may be the next burst; 400 is more than that."""
    later = series.START + 24 * 20
    hours = {series.START: 40, series.START + 40: 40}
    assert trend.spike(hours | {later: 200}, FIRST, later * HOUR + 1800) is None
    assert trend.spike(hours | {later: 400}, FIRST, later * HOUR + 1800)


def test_a_young_group():
    """One an hour for two days, then ten thousand: a spike and rising, though there are no days to compare with."""
    now, first = WEDNESDAY * HOUR + 1800, (WEDNESDAY - 49) * HOUR
    hours = level(1, 3) | {WEDNESDAY - 1: 4000, WEDNESDAY: 6000}
    found = trend.spike(hours, first, now)
    assert (found.observed, found.expected, found.since) == (10000, 2.0, (WEDNESDAY - 1) * HOUR)
    assert found.probability == pytest.approx(tails.at_least(10000, 2, 3), abs=1e-300)
    assert found.why == "10,000 in the last 1.5 hours; no two of the first 47 had over 2."
    assert trend.trend(hours, first, now) == trend.Trend(
        "rising", 10022.5, None, "10,022 in the last 24 hours: too few days before to compare, but it spikes."
    )


def test_least_of_a_young_group():
    """It takes six hours before, two hundred occurrences, and ten times the most of any two hours; new stays new."""
    now = WEDNESDAY * HOUR - 1

    def spike(before, more, hours_before=24):
        hours = dict.fromkeys(range(WEDNESDAY - 1 - hours_before, WEDNESDAY - 1), before) | {WEDNESDAY - 1: more}
        return trend.spike(hours, min(hours) * HOUR, now), word(hours, now, min(hours) * HOUR)

    assert spike(10, 190)[0].probability == pytest.approx(tails.at_least(200, 20, 21), rel=1e-6)
    assert spike(10, 189)[0] is None
    assert spike(0, 200)[0].expected == 1
    assert spike(0, 199)[0] is None
    assert spike(1, 5000, 7)[0].observed == 5001
    assert spike(1, 5000, 6)[0] is None
    assert spike(1, 5000, 7)[1] == "new"
    assert spike(1, 5000)[1] == "rising"
    assert spike(1, 190)[1] == "steady"
    once = {WEDNESDAY - 40: 900} | dict.fromkeys(range(WEDNESDAY - 30, WEDNESDAY - 1), 1)
    assert trend.spike(once | {WEDNESDAY - 1: 5000}, (WEDNESDAY - 40) * HOUR, now) is None


def test_a_young_group_spikes_for_a_day():
    """A level that stays is one spike, since when it began, for a day; one that ends is none."""
    begins, first = WEDNESDAY, (WEDNESDAY - 30) * HOUR
    hours = level(2, 2) | dict.fromkeys(range(begins, begins + 40), 500)
    found = [trend.spike(hours, first, (begins + later) * HOUR + 3599) for later in range(40)]
    assert [bool(one) for one in found] == [True] * 24 + [False] * 16
    assert {one.since for one in found if one} == {begins * HOUR}
    ended = level(2, 2) | dict.fromkeys(range(begins, begins + 3), 500)
    found = [trend.spike(ended, first, (begins + later) * HOUR + 3599) for later in range(10)]
    assert [bool(one) for one in found] == [True] * 4 + [False] * 6


def test_habits_are_no_spikes():
    """Monday's job may fail each Monday, and a nightly job move by an hour, as daylight saving time has it."""
    mondays = {hour: 500 for hour in level(1, 37) if (hour - series.START) % 168 == 9}
    monday = series.START + 168 * 5 + 9
    assert monday in mondays
    assert trend.spike({hour: n for hour, n in mondays.items() if hour <= monday}, FIRST, monday * HOUR + 3000) is None
    for moved in (1, 2, 3):
        hours = {hour: 200 for hour in level(1, 28) if hour % 24 == 2} | {WEDNESDAY + moved: 200}
        assert trend.spike(hours, FIRST, (WEDNESDAY + moved) * HOUR + 3000) is None
    hours = {hour: 200 for hour in level(1, 28) if hour % 24 == 2} | {WEDNESDAY + 9: 200}
    assert trend.spike(hours, FIRST, (WEDNESDAY + 9) * HOUR + 3000)


def test_an_outage_does_not_hide_the_next():
    """Nine days after an outage of thousands, at the same hour even, some hundreds are a spike as they were before."""
    rng = random.Random(13)
    hours = {hour: series.poisson(rng, 5) for hour in level(1, 28)}
    now = WEDNESDAY * HOUR + 1800
    for ago in (24 * 9 - 2, 24 * 9, 24 * 9 + 7):
        outage = dict.fromkeys(range(WEDNESDAY - ago, WEDNESDAY - ago + 4), 2000)
        assert trend.spike(hours | {WEDNESDAY: 200}, FIRST, now)
        assert trend.spike(hours | outage | {WEDNESDAY: 200}, FIRST, now)


def test_a_level_that_stays():
    """A level twenty times as high is a spike for a day, and rising for longer; it does not cry for weeks."""
    rng = random.Random(3)
    hours = {hour: series.poisson(rng, 100 if hour >= WEDNESDAY - 200 else 5) for hour in level(1, 37)}
    spiking = [
        hour
        for hour in range(WEDNESDAY - 200, WEDNESDAY)
        if trend.spike({one: n for one, n in hours.items() if one <= hour}, FIRST, (hour + 1) * HOUR - 1)
    ]
    assert spiking == list(range(WEDNESDAY - 200, WEDNESDAY - 200 + len(spiking)))
    assert 20 <= len(spiking) <= 48
    assert word(hours) == "rising"


def test_billions():
    """Counts of a billion an hour are held against their own scatter as small ones are."""
    rng = random.Random(11)
    hours = {hour: int(10**9 * rng.uniform(0.5, 1.5)) for hour in level(1, 29)}
    assert trend.spike(hours, FIRST, WEDNESDAY * HOUR) is None
    assert word(hours) == "steady"
    assert trend.spike(hours | {WEDNESDAY - 1: 10**10}, FIRST, WEDNESDAY * HOUR)
    assert word({hour: n * (5 if hour >= WEDNESDAY - 24 else 1) for hour, n in hours.items()}) == "rising"


# ---------------------------------------------------------------- anything at all

TIMES = st.floats(-1e12, 1e12)
MAPPINGS = st.dictionaries(st.integers(), st.integers(), max_size=30) | st.dictionaries(
    st.integers(WEDNESDAY - 24 * 30, WEDNESDAY + 24), st.integers(-5, 10**10)
)


@pytest.mark.slow
@given(MAPPINGS, TIMES | st.just(FIRST), TIMES | st.floats(WEDNESDAY * HOUR - DAY, WEDNESDAY * HOUR + DAY))
def test_nothing_raises(hours, first, now):
    """Whatever the counts, hours and times, there is a word with a sentence, and numbers that are numbers."""
    found = trend.trend(hours, first, now)
    assert found.word in ("new", "rising", "steady", "falling", "gone")
    assert found.why.endswith(".")
    assert found.observed >= 0
    spike = trend.spike(hours, first, now)
    if spike:
        assert 0 <= spike.probability < trend.SPIKE_PROBABILITY
        assert spike.observed >= trend.SPIKE_RATIO * spike.expected > 0
        assert spike.since <= now
    assert len(trend.daily(hours, 9, now)) == len(trend.sparkline(trend.daily(hours, 9, now))) == 9
    assert all(count >= 0 for count in trend.day_totals(hours, 9, now))


COUNTS = st.lists(st.integers(0, 50), min_size=24 * 10, max_size=24 * 10)
FEW = st.lists(st.integers(0, 9) | st.integers(0, 900), min_size=1, max_size=72)


@pytest.mark.slow
@given(COUNTS | FEW, st.integers(0, 5000), st.integers(0, 10**9), st.floats(0, 0.999))
def test_more_never_ends_a_spike(counts, now_count, more, part):
    """More in the hour that runs never turns a spike off, and makes it no more probable."""
    hours = {WEDNESDAY - len(counts) + place: count for place, count in enumerate(counts)}
    first, now = (WEDNESDAY - len(counts)) * HOUR, (WEDNESDAY + part) * HOUR
    before = trend.spike(hours | {WEDNESDAY: now_count}, first, now)
    after = trend.spike(hours | {WEDNESDAY: now_count + more}, first, now)
    if before:
        assert after
        assert after.probability <= before.probability * (1 + 1e-6)


@pytest.mark.slow
@given(COUNTS | FEW, st.integers(0, 5000), st.integers(-10, 10), st.floats(0, 0.999))
def test_weeks_later(counts, now_count, weeks, part):
    """The same series some weeks later is the same, whatever order its hours stand in."""
    hours = {WEDNESDAY - len(counts) + place: count for place, count in enumerate(counts)} | {WEDNESDAY: now_count}
    first, now = (WEDNESDAY - len(counts)) * HOUR, (WEDNESDAY + part) * HOUR
    later = {hour + 168 * weeks: count for hour, count in reversed(hours.items())}
    one, other = trend.trend(hours, first, now), trend.trend(later, first + weeks * WEEK, now + weeks * WEEK)
    assert one.word == other.word
    assert one.observed == pytest.approx(other.observed, abs=1e-3)
    assert bool(trend.spike(hours, first, now)) == bool(trend.spike(later, first + weeks * WEEK, now + weeks * WEEK))


# ---------------------------------------------------------------- helpers


def test_days():
    """Days of UTC end at midnight, the last one at now; the others end at now, and share the hour they end in."""
    hours = {WEDNESDAY - 25: 7, WEDNESDAY - 24: 4, WEDNESDAY - 1: 2, WEDNESDAY: 1, WEDNESDAY + 1: 99}
    now = (WEDNESDAY + 0.25) * HOUR
    assert trend.daily(hours, 3, now) == [7, 6, 1]
    assert trend.day_totals(hours, 3, now) == [1 + 2 + 3, 7 + 1, 0]
    assert trend.daily({}, 0, now) == trend.day_totals({}, 0, now) == []


def test_sparkline():
    """Nothing differs from little, and the most is the highest."""
    assert trend.sparkline([0, 1, 50, 100, 0]) == "·▁▄█·"
    assert trend.sparkline([1, 10**400]) == "▁█"
    assert trend.sparkline([]) == ""
    assert trend.sparkline([0, 0]) == "··"
