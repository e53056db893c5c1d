"""Rollover by time."""

from __future__ import annotations

import datetime as dt
import logging
import logging.handlers
import os
import random
import time

import pytest

from loghub.handlers.rotatingfile import RotatingFileHandler
from loghub.rollover.schedule import Schedule
from tests.handlers.rotating.lines import (
    DAY,
    NOON,
    backups,
    read,
    say,
)


def test_by_time(make, log, clock):
    """At midnight the log becomes the backup of the day that ended; backupCount are kept."""
    handler = make(when="midnight", backupCount=2)
    for day in range(4):
        clock.now = NOON + day * DAY
        say(handler, f"day {day}")
    assert {name: read(log.parent / name) for name in backups(log)} == {
        "app.log": "day 3\n",
        "app.log.2026-01-02": "day 1\n",
        "app.log.2026-01-03": "day 2\n",
    }
    assert handler.rolloverAt == NOON + 3.5 * DAY


def test_by_time_and_size(make, log, clock):
    """What size rolls over within one period is numbered from the second on, and nothing is overwritten."""
    handler = make(when="midnight", maxBytes=12)
    say(handler, "first day 1", "first day 2", "first day 3")
    clock.now += DAY
    say(handler, "second day")
    clock.now += 60
    say(handler, "second again")
    assert {name: read(log.parent / name) for name in backups(log)} == {
        "app.log": "second again\n",
        "app.log.2026-01-01": "first day 1\n",
        "app.log.2026-01-01.1": "first day 2\n",
        "app.log.2026-01-01.2": "first day 3\n",
        "app.log.2026-01-02": "second day\n",
    }


def test_size_does_not_put_off_time(make, log, clock):
    """Rollovers by size within an hour leave the end of the hour where it was, whoever does them."""
    handlers = [make(when="h", maxBytes=20) for _ in range(2)]
    due_at = handlers[0].rolloverAt
    for minute in range(1, 59):
        clock.now = NOON + minute * 60
        say(handlers[minute % 2], f"minute {minute} {'.' * 9}")
    assert {handler.rolloverAt for handler in handlers} == {due_at}
    clock.now = due_at
    say(handlers[0], "next hour")
    assert read(log) == "next hour\n"
    assert handlers[0].rolloverAt == due_at + 3600
    say(handlers[1], "too")
    assert read(log) == "next hour\ntoo\n"


def test_time_once_for_all_processes(make, log, clock):
    """Of many handlers for one file one rolls over, and all go by its next time."""
    first = make(when="S", interval=10, backupCount=9)
    clock.now += 4
    second = make(when="S", interval=10, backupCount=9)
    say(first, "a")
    say(second, "b")
    clock.now += 7
    say(second, "c")
    say(first, "d")
    assert read(log) == "c\nd\n"
    assert first.rolloverAt == second.rolloverAt == NOON + 21
    assert backups(log) == ["app.log", "app.log.2026-01-01_12-00-00"]


def test_time_over_a_restart(make, log, clock):
    """Restarts within an hour do not put off its end, and a process that begins after it rolls over at once."""
    for minutes in (0, 25, 50):
        clock.now = NOON + minutes * 60
        handler = make(when="h")
        say(handler, f"after {minutes}")
        os.utime(log, (clock.now, clock.now))
        handler.close()
    clock.now = NOON + 65 * 60
    handler = make(when="h")
    say(handler, "next hour")
    assert read(log) == "next hour\n"
    assert read(f"{log}.2026-01-01_12") == "after 0\nafter 25\nafter 50\n"


def test_old_file_at_the_start(make, log, clock):
    """A file whose last line is of an earlier period is rolled over at the first record, as in the stdlib."""
    make(when="midnight").close()
    log.write_text("yesterday\n")
    os.utime(log, (NOON - DAY, NOON - DAY))
    say(make(when="midnight"), "today")
    assert (read(log), read(f"{log}.2025-12-31")) == ("today\n", "yesterday\n")


def test_idle_period(make, log, clock):
    """A log that is still empty when its period ends is not rolled over; the next period begins with a line."""
    handler = make(when="midnight")
    clock.now += 3 * DAY
    say(handler, "one")
    assert backups(log) == ["app.log"]
    clock.now += DAY
    say(handler, "two")
    assert backups(log) == ["app.log", "app.log.2026-01-04"]


def test_when_was_changed(make, log, clock):
    """A time of rollover that another `when` left behind does not hold."""
    make(when="W0").close()
    handler = make(when="S")
    say(handler, "one")
    clock.now += 2
    say(handler, "two")
    assert read(log) == "two\n"


def test_namer_with_dates(make, log, clock):
    """Backups that a namer renames are found again, and limited."""
    handler = make(when="midnight", backupCount=2, maxBytes=20)
    handler.namer = lambda name: name.replace("app.log.", "app-") + ".log"
    for day in range(4):
        clock.now = NOON + day * DAY
        say(handler, f"day {day} {'.' * 9}", f"day {day} again")
    assert backups(log) == ["app-2026-01-03.1.log", "app-2026-01-04.log", "app.log"]


@pytest.mark.parametrize("when", ["S", "M", "H", "D", "midnight", *(f"w{day}" for day in range(7))])
@pytest.mark.parametrize("utc", [True, False])
@pytest.mark.parametrize("at", [None, dt.time(3, 30, 5)])
def test_times_of_the_standard_library(make, clock, when, utc, at):
    """The first rollover is when TimedRotatingFileHandler has it."""
    randomness = random.Random(when)
    for _ in range(20):
        clock.now = NOON + randomness.randrange(400 * DAY)
        theirs = logging.handlers.TimedRotatingFileHandler(
            os.devnull + "-none", when=when, delay=True, utc=utc, atTime=at
        )
        ours = make(when=when, delay=True, utc=utc, atTime=at)
        assert ours.rolloverAt == theirs.rolloverAt


@pytest.mark.parametrize(
    ("now", "due", "suffix"),
    [
        ("2026-03-28 12:00", "2026-03-29 00:00", "2026-03-28"),  # before a day of 23 hours
        ("2026-03-29 12:00", "2026-03-30 00:00", "2026-03-29"),  # in it
        ("2026-10-25 12:00", "2026-10-26 00:00", "2026-10-25"),  # in a day of 25 hours
    ],
)
def test_daylight_saving(monkeypatch, now, due, suffix):
    """Midnight is midnight on the days that have 23 and 25 hours, and so is the date of the backup."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        schedule = Schedule("MIDNIGHT", 1, False, None)
        due_at = schedule.next(dt.datetime.fromisoformat(now).timestamp())
        assert due_at == dt.datetime.fromisoformat(due).timestamp()
        assert time.strftime("%Y-%m-%d", schedule.begin(due_at)) == suffix
    finally:
        monkeypatch.undo()
        time.tzset()


def test_hour_that_the_clock_shows_twice(monkeypatch):
    """In the second 02:15 of a night the next 02:30 is still to come, and after it the one of the next day."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        schedule = Schedule("MIDNIGHT", 1, False, dt.time(2, 30))
        again = dt.datetime(2026, 10, 25, 2, 15, fold=1).timestamp()
        assert schedule.next(again) == again + 15 * 60
        assert schedule.next(again + 15 * 60) == again + 15 * 60 + DAY
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("form", ["%Y%m%d", "%d-%m-%Y", "%j.%y", "%d_%b_%Y"])
def test_suffix_of_ones_own(make, log, clock, form):
    """Backups are named by the `suffix` that was set, found again by it, and the oldest go first."""
    handler = make(when="midnight", backupCount=3)
    handler.suffix = form
    log.with_name("app.log.other").write_text("not mine\n")
    for day in (20, 21, 22, 23, 24, 25, 40, 41):
        clock.now = NOON + day * DAY
        say(handler, f"day {day}")
    kept = [time.strftime(form, time.gmtime(NOON + day * DAY)) for day in (24, 25, 40)]
    assert backups(log) == sorted(["app.log", "app.log.other", *(f"app.log.{date}" for date in kept)])


def test_subclass_decides_on_time_and_retention(log, clock):
    """A subclass's computeRollover and getFilesToDelete are used, as the standard library uses them."""

    class Own(RotatingFileHandler):
        def computeRollover(self, currentTime):
            return currentTime + 7

        def getFilesToDelete(self):
            return [path for path in super().getFilesToDelete() if not path.endswith("06")]

    handler = Own(log, when="S", backupCount=1)
    for _ in range(4):
        say(handler, "line")
        clock.now += 7
    handler.close()
    assert backups(log) == ["app.log", "app.log.2026-01-01_12-00-06", "app.log.2026-01-01_12-00-20"]


def test_every_second_day(make, clock):
    """`interval` counts days and weeks too."""
    assert make(when="midnight", interval=2, delay=True).rolloverAt == NOON + 1.5 * DAY
    assert make(when="W0", interval=2, delay=True).rolloverAt == NOON + 11.5 * DAY
