"""Backups: compressed, limited by age and size, with permissions."""

from __future__ import annotations

import errno
import glob
import gzip
import os
import stat

from loghub.handlers.rotatingfile import RotatingFileHandler
from loghub.rollover import backups as names
from loghub.rollover import compression
from tests.handlers.rotating.lines import (
    DAY,
    NOON,
    backups,
    everything,
    numbers_by_writer,
    read,
    say,
    start,
)


def test_gzip(make, log):
    """Backups are compressed in the background, keep their order and their age, and stay whole."""
    handler = make(maxBytes=1000, backupCount=50, compress="gzip")
    lines = [f"line {number:04} {'x' * 80}" for number in range(200)]
    say(handler, *lines)
    handler.close()
    names = backups(log)
    count = len(names) - 1
    assert names == sorted(["app.log", *(f"app.log.{number}.gz" for number in range(1, count + 1))])
    oldest_first = [f"{log}.{number}.gz" for number in range(count, 0, -1)] + [log]
    assert [line for path in oldest_first for line in read(path).splitlines()] == lines
    assert not list(log.parent.glob(".*part"))


def test_gzip_by_many_processes(log):
    """Processes that compress the same backups lose and double nothing."""
    options = {"maxBytes": 20_000, "backupCount": 999, "compress": "gzip"}
    writers = [start(log, f"w{index}", 800, **options) for index in range(3)]
    for writer in writers:
        writer.communicate()
    last = RotatingFileHandler(log, **options)
    last.close()
    assert numbers_by_writer(everything(log)) == {f"w{index}": list(range(800)) for index in range(3)}
    assert [path for path in glob.glob(f"{log}.*") if not path.endswith(".gz")] == []


def test_gzip_cut_off(make, log):
    """What a killed process left half compressed, or compressed and not removed, is put right."""
    log.parent.mkdir()
    log.with_name("app.log.1").write_text("one\n")
    log.with_name("app.log.2").write_text("two\n")
    log.with_name("app.log.2.gz").write_bytes(gzip.compress(b"two\n"))
    for path in log.parent.glob("app.log.2*"):
        os.utime(path, (NOON, NOON))
    log.with_name(".app.log.gz.part").write_bytes(b"half")
    make(maxBytes=10, backupCount=5, compress="gzip").close()
    assert backups(log) == ["app.log", "app.log.1.gz", "app.log.2.gz"]
    assert sorted(everything(log)) == ["one", "two"]
    assert not list(log.parent.glob(".*part"))


def test_gzip_of_somebody_else(make, log):
    """A compressed file in the place of a backup, of which it is not the compressed form, stays; so does the backup."""
    log.parent.mkdir()
    log.with_name("app.log.1").write_text("ours\n")
    log.with_name("app.log.1.gz").write_bytes(gzip.compress(b"theirs\n"))
    os.utime(log.with_name("app.log.1.gz"), (NOON, NOON))
    handler = make(maxBytes=10, backupCount=5, compress="gzip")
    say(handler, "line one", "line two", "line three")
    handler.close()
    assert sorted(everything(log)) == ["line one", "line three", "line two", "ours", "theirs"]


def test_thousands_of_backups_allowed(make, log, monkeypatch):
    """A backupCount without end costs no more than the backups that there are."""
    asked = []
    real = names.stat_at
    monkeypatch.setattr(names, "stat_at", lambda path: asked.append(path) or real(path))
    handler = make(maxBytes=10, backupCount=10**9, compress="gzip")
    say(handler, "line one", "line two", "line three")
    handler.close()
    assert sorted(everything(log)) == ["line one", "line three", "line two"]
    assert len(asked) < 5000


def test_gzip_with_dates(make, log, clock):
    """Dated backups are compressed, and their numbers go on after those that are."""
    handler = make(when="midnight", maxBytes=12, compress="gzip")
    for message in ("one.......", "two.......", "three.....", "four......"):
        say(handler, message)
        handler._background.wait(10)
    handler.close()
    assert {name: read(log.parent / name) for name in backups(log)} == {
        "app.log": "four......\n",
        "app.log.2026-01-01.1.gz": "two.......\n",
        "app.log.2026-01-01.2.gz": "three.....\n",
        "app.log.2026-01-01.gz": "one.......\n",
    }


def test_gzip_on_a_full_disk(make, log, monkeypatch, caplog):
    """A backup that cannot be compressed stays, and that is said."""

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(compression.shutil, "copyfileobj", full)
    handler = make(maxBytes=10, backupCount=3, compress="gzip")
    say(handler, "first", "second")
    handler.close()
    assert (read(log), read(f"{log}.1")) == ("second\n", "first\n")
    assert "Error reporter" in caplog.text
    assert "No space left" in caplog.text


def test_age_limit(make, log, clock):
    """Backups whose last line is older than max_age_days go at a rollover, whatever their number."""
    handler = make(maxBytes=10, max_age_days=7)
    for number in range(4):
        say(handler, f"line {number}")
    for number, days in ((1, 1), (2, 6), (3, 8)):
        os.utime(f"{log}.{number}", (NOON - days * DAY,) * 2)
    os.utime(log, (NOON, NOON))
    say(handler, "line 4")
    assert backups(log) == ["app.log", "app.log.1", "app.log.2", "app.log.3"]
    assert read(f"{log}.3") == "line 1\n"


def test_total_limit(make, log):
    """Log and backups together stay within max_total_bytes; the oldest go."""
    handler = make(maxBytes=100, max_total_bytes=450)
    for number in range(200):
        say(handler, f"line {number:03} {'x' * 20}")
        assert sum(path.stat().st_size for path in log.parent.glob("app.log*")) <= 450
    assert len(backups(log)) == 4
    assert "line 199" in read(log)


def test_limits_at_the_start(make, log, clock):
    """Limits hold when the log is opened, without a rollover."""
    log.parent.mkdir()
    for number in (1, 2, 3):
        path = log.with_name(f"app.log.{number}")
        path.write_text("old\n")
        os.utime(path, (NOON - number * DAY,) * 2)
    make(maxBytes=100, max_age_days="2.5")
    assert backups(log) == ["app.log", "app.log.1", "app.log.2"]


def test_permissions(make, log):
    """Every file has the permissions that were asked for, whatever the umask and however it came to be."""
    before = os.umask(0o077)
    try:
        handler = make(maxBytes=10, backupCount=3, compress="gzip", mode_bits="0640")
        say(handler, "first", "second", "third")
        handler.close()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in log.parent.iterdir()}
    assert set(modes.values()) == {0o640}
    assert {"app.log", "app.log.1.gz", "app.log.2.gz"} < set(modes)


def test_permissions_of_the_state(make, log):
    """Whoever may write the log may write what stands beside it, too."""
    log.parent.mkdir()
    log.touch()
    log.chmod(0o662)
    say(make(), "one")
    assert stat.S_IMODE((log.parent / ".app.log.state").stat().st_mode) == 0o662
