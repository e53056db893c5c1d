"""Times in the spellings that log files have."""

from zoneinfo import ZoneInfo

import pytest

from loghub.event import epoch
from loghub.logfiles.times import Clock

MODIFIED = epoch("2026-11-27T12:00:00Z")
UTC_CLOCK = Clock(ZoneInfo("UTC"), MODIFIED, MODIFIED + 60)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-27 03:00:00,250", "2026-11-27T03:00:00.250Z"),
        ("2026-11-27 03:00:00.250", "2026-11-27T03:00:00.250Z"),
        ("2026/11/27 03:00:00", "2026-11-27T03:00:00.000Z"),
        ("2026-11-27T03:00:00.123456Z", "2026-11-27T03:00:00.123456Z"),
        ("2026-11-27T03:00:00.123456789Z", "2026-11-27T03:00:00.123457Z"),
        ("2026-11-27T03:00:00+0100", "2026-11-27T02:00:00Z"),
        ("2026-11-27T03:00:00-05:30", "2026-11-27T08:30:00Z"),
        ("2026-11-27 03:00:00 +0000", "2026-11-27T03:00:00Z"),
        ("27/Nov/2026 03:00:00", "2026-11-27T03:00:00Z"),
        ("27/Nov/2026:03:00:00 +0200", "2026-11-27T01:00:00Z"),
        ("Nov 27 03:00:00", "2026-11-27T03:00:00Z"),
        ("Nov  7 03:00:00.5", "2026-11-07T03:00:00.500Z"),
        ("Dec 31 23:59:59", "2025-12-31T23:59:59Z"),
        ("Feb 29 12:00:00", "2024-02-29T12:00:00Z"),
        ("Fri Nov 27 03:00:00 2026", "2026-11-27T03:00:00Z"),
        ("1795748400.5", "2026-11-27T03:00:00.500Z"),
        (1795748400.5, "2026-11-27T03:00:00.500Z"),
        (1795748400500, "2026-11-27T03:00:00.500Z"),
        (1795748400500000000, "2026-11-27T03:00:00.500Z"),
    ],
)
def test_spellings(text, expected):
    """Each spelling is read to its last digit; a year that is not said is the last that fits."""
    assert UTC_CLOCK.read(text) == pytest.approx(epoch(expected), abs=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "03:00:00",
        "yesterday",
        "2026-13-41 03:00:00",
        "2027-11-27 03:00:00",
        "nan",
        True,
        None,
        [],
        -5,
        "Feb 30 01:00:00",
    ],
)
def test_no_times(text):
    """What is no time, or more than a day ahead, is none."""
    assert UTC_CLOCK.read(text) is None


def test_zone():
    """A time without a zone is in the one that was asked for, by its rules of that day; one with a zone is not."""
    clock = Clock(ZoneInfo("Europe/Berlin"), MODIFIED, MODIFIED)
    assert clock.read("2026-07-01 12:00:00") == epoch("2026-07-01T10:00:00Z")
    assert clock.read("2026-01-01 12:00:00") == epoch("2026-01-01T11:00:00Z")
    assert clock.read("2026-01-01 12:00:00+00:00") == epoch("2026-01-01T12:00:00Z")


def test_local(monkeypatch):
    """Without a zone it is this machine's."""
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert Clock(None, MODIFIED, MODIFIED).read("2026-01-01 12:00:00") == epoch("2026-01-01T03:00:00Z")
    finally:
        monkeypatch.undo()
        time.tzset()
