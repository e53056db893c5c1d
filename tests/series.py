"""Series of occurrences by hour as errors make them, seeded: what trend, spikes and forecasts are held against."""

from __future__ import annotations

import math
import random

START = 1_780_272_000 // 3600  # a Monday, 00:00 UTC


def poisson(rng, mean):
    """Return a count with that mean; above 40 by the normal distribution, which is as good there."""
    if mean > 40:
        return max(round(rng.gauss(mean, math.sqrt(mean))), 0)
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count, product = count + 1, product * rng.random()
    return count


def office(hour):
    """Return how busy an hour is where people work on weekdays, 1 on average."""
    day, time = (hour - START) // 24 % 7, hour % 24
    return (2.6 if 7 <= time < 18 else 0.25) * (0.15 if day >= 5 else 1.0) * 0.997


def burst(rng):
    """Return the size of a burst: log-normal, mean near 12, now and then hundreds."""
    return math.ceil(rng.lognormvariate(1.8, 1.2))


def steady(rng, hour, state):
    """Poisson, 20 an hour."""
    return poisson(rng, 20)


def seasonal(rng, hour, state):
    """Poisson, 20 an hour on average, by hour of the day and day of the week."""
    return poisson(rng, 20 * office(hour))


def overdispersed(rng, hour, state):
    """Gamma-mixed Poisson, seasonal: variance = mean + mean²."""
    return poisson(rng, 20 * office(hour) * rng.gammavariate(1.0, 1.0))


def bursty(rng, hour, state):
    """Bursts at random, one in eight hours, heavy-tailed in size."""
    return sum(burst(rng) for _ in range(poisson(rng, 0.125)))


def clustered(rng, hour, state):
    """Bad spells: the level wanders (log AR(1), a day long), bursts on top of it."""
    state["level"] = 0.96 * state.get("level", 0.0) + rng.gauss(0, 0.25)
    return poisson(rng, 5 * math.exp(state["level"])) + (burst(rng) if rng.random() < 0.05 else 0)


def sparse(rng, hour, state):
    """Poisson, two a day."""
    return poisson(rng, 2 / 24)


def rare(rng, hour, state):
    """Bursts, one in ten days."""
    return burst(rng) if rng.random() < 1 / 240 else 0


def nightly(rng, hour, state):
    """A job at 02:00 that fails for about 200 items every night, more on Sundays; nothing else."""
    return poisson(rng, 600 if (hour - START) // 24 % 7 == 6 else 200) if hour % 24 == 2 else 0


def flaky(rng, hour, state):
    """A job at 02:00 that fails every third night or so, for anything from 1 to hundreds of items."""
    return burst(rng) * 5 if hour % 24 == 2 and rng.random() < 0.35 else 0


def laptop(rng, hour, state):
    """A process that runs on weekdays only, from about eight to about six, with overdispersed counts."""
    day = (hour - START) // 24
    if state.get("day") != day:
        state["day"], state["from"], state["to"] = day, 8 + rng.choice((-1, 0, 0, 1)), 18 + rng.choice((-1, 0, 1, 2))
    runs = day % 7 < 5 and state["from"] <= hour % 24 < state["to"]
    return poisson(rng, 6 * rng.gammavariate(2.0, 0.5)) if runs else 0


def growing(rng, hour, state):
    """Gamma-mixed Poisson that grows by 3 % a day: twentyfold in a hundred days."""
    return poisson(rng, 5 * 1.03 ** ((hour - START) / 24) * rng.gammavariate(4.0, 0.25))


def shifting(rng, hour, state):
    """Gamma-mixed Poisson, whose level jumps every three weeks or so, by anything from a tenth to tenfold."""
    if "level" not in state or (hour % 24 == 0 and rng.random() < 1 / 21):
        state["level"] = 10 * math.exp(rng.gauss(0, 1.2))
    return poisson(rng, state["level"] * rng.gammavariate(4.0, 0.25))


STATIONARY = (
    steady, seasonal, overdispersed, bursty, clustered, sparse, rare, nightly, flaky, laptop,
)  # fmt: skip


def hours_of(family, seed, days):
    """Return the occurrences of `days` days from START on, hour by hour."""
    rng, state = random.Random(f"{family.__name__} {seed}"), {}
    counts = {}
    for hour in range(START, START + 24 * days):
        if count := family(rng, hour, state):
            counts[hour] = count
    return counts


# Made up after the rules were set, to see whether they hold for what they were not tried on.


def pareto(rng, hour, state):
    """Bursts at random whose sizes have no variance (Pareto, 1.5)."""
    return sum(math.ceil(3 * rng.paretovariate(1.5)) for _ in range(poisson(rng, 0.2)))


def outages(rng, hour, state):
    """Two an hour, and a hundred while something else is down: seven times a month, for 1 to 3 hours."""
    if state.get("down", 0) > 0:
        state["down"] -= 1
    elif rng.random() < 0.01:
        state["down"] = rng.randrange(1, 4)
    return poisson(rng, 100 if state.get("down") else 2)


def mondays(rng, hour, state):
    """A job on Mondays at 05:00 that fails for 150 items or so, and a little else."""
    fails = (hour - START) % 168 == 5
    return poisson(rng, 150 * rng.gammavariate(3.0, 1 / 3) if fails else 0.3)


def drifting(rng, hour, state):
    """Office hours, overdispersed, one and a half percent of the first day more each day."""
    return poisson(rng, 8 * office(hour) * (1 + 0.015 * (hour - START) / 24) * rng.gammavariate(2.0, 0.5))


def deploys(rng, hour, state):
    """A deployment on every third day at 13:00, after which there are 30 an hour for some hours."""
    if hour % 24 == 13 and rng.random() < 0.3:
        state["hours"] = rng.randrange(2, 9)
    shaken = state.get("hours", 0)
    state["hours"] = max(shaken - 1, 0)
    return poisson(rng, 30 * rng.gammavariate(2.0, 0.5) if shaken else 0.5)


UNTRIED = (pareto, outages, mondays, drifting, deploys)
