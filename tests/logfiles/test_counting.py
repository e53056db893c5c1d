"""A file is counted once: however often it is given, whatever became of it, and wherever a run ended."""

import bz2
import contextlib
import gzip
import itertools
import lzma
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub.errors import LedgerError
from loghub.event import epoch
from loghub.logfiles import counting, source
from loghub.logfiles.identity import Window, position_of
from loghub.logfiles.source import SourceError
from tests.logfiles.reading import LINES, NOW, importer, new_ledger, take


def record(number, *, day=27, trace=True):
    """Return the text of an error, and of a line that is none."""
    stack = f'Traceback (most recent call last):\n  File "/srv/a.py", line 3, in f\n    g()\nValueError: {number}\n'
    at = f"2026-11-{day:02d} {number // 60 % 24:02d}:{number % 60:02d}:00,000"
    return f"{at} - shop - ERROR - order {number} lost\n{stack if trace else ''}{at} - shop - INFO - fine\n"


def log(numbers, **options):
    """Return the text of a log with these errors."""
    return "".join(record(number, **options) for number in numbers)


def counted(ledger, path, **options):
    """Import a file into `ledger`; return how many errors were new."""
    return importer(ledger, **options)[0].take(str(path)).errors


@pytest.fixture
def ledger():
    """Return an empty ledger."""
    return new_ledger()


@pytest.fixture
def path(tmp_path):
    """Return where a log may be."""
    return tmp_path / "app.log"


def test_twice(ledger, path):
    """A second run counts and changes nothing."""
    path.write_text(log(range(30)))
    assert counted(ledger, path) == 30
    before = ledger.groups(), ledger.events(100), ledger.hours()
    assert counted(ledger, path) == 0
    assert (ledger.groups(), ledger.events(100), ledger.hours()) == before
    assert ledger.outbox() == []


def test_times_and_hours(ledger, path):
    """A group has the first and last time of its records and their hours, in whatever order they stand."""
    path.write_text(record(130) + record(5) + record(700) + record(70))
    counted(ledger, path)
    (group,) = ledger.groups()
    assert (group.count, group.first_seen_at, group.last_seen_at) == (
        4, epoch("2026-11-27T00:05:00Z"), epoch("2026-11-27T11:40:00Z"),
    )  # fmt: skip
    assert list(ledger.hours().values()) == [1, 1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 3, 40, 400])
def test_growing(ledger, path, size):
    """A log that has grown goes on where it ended, from the smallest beginning on."""
    text = log(range(size * 4))
    cuts = [len(log(range(size * number))) for number in range(1, 5)]
    assert [_grown(ledger, path, text[:cut]) for cut in cuts] == [size] * 4
    assert ledger.totals()["occurrences"] == size * 4


def _grown(ledger, path, text):
    path.write_text(text)
    return counted(ledger, path)


def test_rotated_and_packed(ledger, path, tmp_path):
    """A renamed, packed or copied file is the same file."""
    text = log(range(50))
    path.write_text(text)
    assert counted(ledger, path) == 50
    renamed = path.rename(tmp_path / "app.log.1")
    assert counted(ledger, renamed) == 0
    for name, pack in (("a.gz", gzip.compress), ("a.bz2", bz2.compress), ("a.xz", lzma.compress)):
        (tmp_path / name).write_bytes(pack(text.encode()))
        assert counted(ledger, tmp_path / name) == 0, name
    (tmp_path / "more.gz").write_bytes(gzip.compress(text.encode()) + gzip.compress(log(range(50, 60)).encode()))
    assert counted(ledger, tmp_path / "more.gz") == 10
    path.write_text(log(range(60, 70)))
    assert counted(ledger, path) == 10, "what was begun anew under the old name is a new file"


@pytest.mark.slow
def test_older_copy(ledger, path):
    """A copy from before the last import has nothing new, if it is longer than what names the file."""
    text = log(range(1000))
    path.write_text(text)
    counted(ledger, path)
    path.write_text(text[: len(text) // 2])
    assert counted(ledger, path) == 0


def test_same_banner(ledger, tmp_path):
    """Files of two hosts that begin with the same lines are two files, in whatever order they grow and come."""
    banner = "INFO:     Started server process [1]\nINFO:     Waiting for application startup.\n" * 3
    one, two = tmp_path / "one.log", tmp_path / "two.log"
    one.write_text(banner)
    two.write_text(banner + log(range(5)))
    assert [counted(ledger, path) for path in (one, two, one)] == [0, 5, 0]
    one.write_text(banner + log(range(100, 107)))
    assert [counted(ledger, path) for path in (one, two, one)] == [7, 0, 0]
    two.write_text(banner + log(range(9)))
    one.write_text(banner + log(range(100, 110)))
    assert [counted(ledger, path) for path in (one, two, one)] == [3, 4, 0]
    assert ledger.totals()["occurrences"] == 19


@pytest.mark.slow
def test_unfinished_end(ledger, path):
    """Half a record at the end of a file that is being written is left, and counted whole the next time."""
    whole = log(range(3))
    for cut in range(len(record(0)), len(whole)):
        path.write_text(whole[:cut])
        os.utime(path, (NOW - 5, NOW - 5))
        kept = new_ledger()
        first = counted(kept, path)
        path.write_text(whole)
        os.utime(path, (NOW - 5, NOW - 5))
        assert first + counted(kept, path) == 3, whole[:cut][-60:]
        # Where a head is all there is, and whole, it is counted as what it is.
        assert len(kept.groups()) == 1 + whole[:cut].endswith("lost\n"), whole[:cut][-60:]


def test_whole_end(ledger, path):
    """A file that ends with a whole record is counted whole at once, while it is being written."""
    text = record(1)
    path.write_text(text[: text.rindex("2026")])
    os.utime(path, (NOW, NOW))
    made, _ = importer(ledger)
    report = made.take(str(path))
    assert (report.errors, report.held) == (1, False)


def test_old_file_without_last_line_end(ledger, path):
    """What nobody writes any more is taken as it is, without a line end, too."""
    path.write_text("2026-11-27 03:00:00,000 - shop - ERROR - lost")
    os.utime(path, (NOW - 3600, NOW - 3600))
    assert counted(ledger, path) == 1
    assert counted(ledger, path) == 0


@pytest.mark.slow
def test_killed_anywhere(path, monkeypatch):
    """Wherever a run ends between two stretches, the next one makes the counts whole, and no event is kept twice."""
    monkeypatch.setattr(counting, "STRETCH_BYTES", 2000)
    monkeypatch.setattr(source, "CHUNK", 700)
    monkeypatch.setattr(source, "HEAD", 1024)
    path.write_text(
        log(range(60)) + "\n".join(f"web-{n % 2} | {line}" for n, line in enumerate(log(range(9)).split("\n")))
    )
    whole = new_ledger()
    expected = counted(whole, path)
    for stop in itertools.count(1):
        ledger = new_ledger()
        made, _ = importer(ledger)
        monkeypatch.setattr(made, "fold", _stopping(made.fold, itertools.count(1), stop))
        try:
            made.take(str(path))
        except KeyboardInterrupt:
            counted(ledger, path)
            assert _counts(ledger) == _counts(whole), stop
            ids = [event["id"] for event in ledger.events(1000)]
            assert len(ids) == len(set(ids))
        else:
            break
    assert stop > 5
    assert sum(_counts(whole).values()) == expected > 60


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(LINES, min_size=10, max_size=60), st.integers(1, 12))
def test_any_lines_killed_anywhere(tmp_path_factory, lines, stop):
    """Whatever the lines are, a run that is killed between two stretches and another one count what one run counts."""
    path = tmp_path_factory.mktemp("logs") / "app.log"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "STRETCH_BYTES", 150)
        patch.setattr(source, "CHUNK", 60)
        patch.setattr(source, "HEAD", 128)
        whole, ledger = new_ledger(), new_ledger()
        counted(whole, path)
        made, _ = importer(ledger)
        patch.setattr(made, "fold", _stopping(made.fold, itertools.count(1), stop))
        with contextlib.suppress(KeyboardInterrupt):
            made.take(str(path))
        counted(ledger, path)
    assert _counts(ledger) == _counts(whole)


def _counts(ledger):
    return {group.fingerprint: group.count for group in ledger.groups()}


def _stopping(fold, numbers, stop):
    def stopped(stretch):
        if next(numbers) == stop:
            raise KeyboardInterrupt
        return fold(stretch)

    return stopped


def test_another_import_runs(ledger, path, monkeypatch):
    """Where another process counts the same file at the same time, each stretch is counted once, and it is said."""
    monkeypatch.setattr(counting, "STRETCH_BYTES", 2000)
    monkeypatch.setattr(source, "CHUNK", 700)
    monkeypatch.setattr(source, "HEAD", 1024)
    path.write_text(log(range(60)))
    one, _ = importer(ledger)
    fold, folds = one.fold, itertools.count()

    def slow(stretch):
        if next(folds) == 2:
            counted(ledger, path)
        return fold(stretch)

    monkeypatch.setattr(one, "fold", slow)
    assert "imported by another process" in one.take(str(path)).trouble
    assert ledger.totals()["occurrences"] == 60


def test_busy_ledger(ledger, path, monkeypatch):
    """A ledger that others write to is tried again, a few times."""
    path.write_text(log(range(3)))
    fold, tries = ledger.fold, itertools.count(1)

    def busy(stretch):
        if next(tries) < 4:
            raise LedgerError("locked")
        return fold(stretch)

    monkeypatch.setattr(ledger, "fold", busy)
    assert counted(ledger, path) == 3
    monkeypatch.setattr(ledger, "fold", lambda _: fold(None))
    path.write_text(log(range(4)))
    with pytest.raises(AttributeError):
        counted(ledger, path)


WINDOWS = [
    Window(since=epoch("2026-11-25T00:00:00Z")),
    Window(until=epoch("2026-11-26T12:00:00Z")),
    Window(since=epoch("2026-11-24T00:00:00Z"), until=epoch("2026-11-28T00:00:00Z")),
    Window(level=50),
    Window(level=30),
    Window(),
]


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(WINDOWS), st.integers(1, 3)), max_size=6))
def test_windows(tmp_path_factory, runs):
    """Whatever windows came before, each error that any run takes is counted once, and the last run takes the rest."""
    path = tmp_path_factory.mktemp("logs") / "app.log"
    ledger = new_ledger()
    parts = [log(range(4), day=day, trace=day % 2 == 0) for day in range(22, 29)]
    parts = ["".join(parts), log(range(4, 6), day=24, trace=False), log(range(6, 8), day=27)]
    size = 0
    for window, grown in [*runs, (Window(), 3)]:
        size = max(size, grown)  # a log never shrinks
        path.write_text("".join(parts[:size]))
        counted(ledger, path, window=window)
    assert ledger.totals()["occurrences"] == 32


def test_window_takes_its_part(ledger, path):
    """A run for some time counts that, and a later one without counts the others."""
    path.write_text(log(range(3), day=25) + log(range(4), day=27))
    noon = epoch("2026-11-26T12:00:00Z")
    assert counted(ledger, path, window=Window(until=noon)) == 3
    assert counted(ledger, path, window=Window(until=noon)) == 0
    assert counted(ledger, path) == 4
    assert counted(ledger, path, window=Window(since=noon)) == 0


def test_traceback_behind_an_end(ledger, path):
    """What comes behind the end of the last run is part of the record before it, if that would be so in one run."""
    text = record(1)
    cut = text.index("Traceback")
    path.write_text(text[:cut])
    assert counted(ledger, path) == 1
    path.write_text(text + record(2))
    assert counted(ledger, path) == 1
    quiet = path.with_name("quiet.log")
    head = "2026-11-27 03:00:00,000 - shop.pay - INFO - paying\n"
    quiet.write_text(head)
    assert counted(ledger, quiet) == 0
    quiet.write_text(head + text[cut:])
    assert counted(ledger, quiet) == 1
    assert [one["logger"] for one in ledger.events(9) if one["message"] == "paying"] == ["shop.pay"]


def test_dry(ledger, path):
    """A dry run says what would be counted, each file once, and leaves the ledger as it is."""
    path.write_text(log(range(5)))
    made, _ = importer(ledger, dry=True)
    assert [made.take(str(path)).errors for _ in range(2)] == [5, 0]
    assert (ledger.groups(), ledger.events(5)) == ([], [])
    assert counted(ledger, path) == 5


@pytest.mark.slow
def test_kept_events(ledger, path, monkeypatch):
    """The first twenty of a group are kept whole, and the newest, with ids that do not change from run to run."""
    path.write_text(log([*range(500), *range(100)]))
    counted(ledger, path)
    events = ledger.events(1000)
    assert len(events) == 21
    assert events[0]["error_message"] == "499"
    other = new_ledger()
    counted(other, path)
    assert [one["id"] for one in other.events(1000)] == [one["id"] for one in events]
    assert all(one["additional_info"]["imported_from"].startswith("app.log:") for one in events)


def test_many_groups(ledger, path, monkeypatch):
    """A stretch ends when it has many groups, and all are counted."""
    monkeypatch.setattr(counting, "MAX_GROUPS", 10)
    monkeypatch.setattr(source, "CHUNK", 500)
    monkeypatch.setattr(source, "HEAD", 512)
    path.write_text("".join(f"ERROR:shop:{'x' * number} is lost\n" for number in range(1, 60)) * 2)
    assert counted(ledger, path) == 118
    assert [group.count for group in ledger.groups()] == [2] * 59


def test_secrets(ledger, path):
    """What enters the ledger is scrubbed."""
    secret = "ghp_" + "a1B2" * 9
    path.write_text(
        f"2026-11-27 03:00:00,000 - shop - ERROR - token {secret} refused\n" + record(1).replace("g()", secret)
    )
    counted(ledger, path)
    assert secret not in str(ledger.events(10)) + str(ledger.groups())


def test_sources_that_are_none(ledger, path, tmp_path):
    """A file that a log calls a source is not read where it is a device, a pipe, or something else."""
    os.mkfifo(tmp_path / "pipe.py")
    stack = "".join(
        f'  File "{name}", line 1, in f\n    g()\n' for name in ("/dev/zero", tmp_path / "pipe.py", "/etc/passwd")
    )
    path.write_text(f"ERROR:shop:lost\nTraceback (most recent call last):\n{stack}ValueError: x\n")
    assert counted(ledger, path) == 1


def test_timeless(ledger, path):
    """A record without a time has that of the record before it, and the first ones that of the file."""
    path.write_text("ERROR:shop:one\n2026-11-27 03:00:00,000 - shop - INFO - x\nERROR:shop:two\n")
    os.utime(path, (NOW - 7200, NOW - 7200))
    report, _, events = take(path)
    assert sorted(epoch(one["timestamp"]) for one in events) == [
        epoch("2026-11-27T03:00:00Z"), NOW - 7200,
    ]  # fmt: skip
    assert report.timeless == 2
    path.write_text(path.read_text() + "ERROR:shop:three\n")
    os.utime(path, (NOW - 7200, NOW - 7200))
    made, ledger = importer()
    made.take(str(path))
    (event,) = [one for one in ledger.events(9) if one["message"] == "three"]
    assert epoch(event["timestamp"]) == epoch("2026-11-27T03:00:00Z")


@pytest.mark.slow
def test_truncated_gzip(ledger, path):
    """Of a packed file that was cut, what can be unpacked is counted, it is said, and the whole one adds the rest."""
    packed = gzip.compress(log(range(2000)).encode(), compresslevel=1)
    path.write_bytes(packed[: len(packed) // 2])
    report = importer(ledger)[0].take(str(path))
    assert "ends within its gzip" in report.trouble
    assert 0 < report.errors < 2000
    path.write_bytes(packed)
    assert report.errors + counted(ledger, path) == 2000


@pytest.mark.slow
def test_damaged_gzip(ledger, path):
    """Of a packed file that is damaged, what comes before is counted, and it is said."""
    packed = bytearray(gzip.compress(log(range(2000)).encode() + os.urandom(300_000), compresslevel=1))
    packed[-200_000:-100_000] = bytes(100_000)
    path.write_bytes(packed)
    report = importer(ledger)[0].take(str(path))
    assert "damaged" in report.trouble or "ends within" in report.trouble
    assert report.errors >= 1900


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
def test_byte_order_marks(ledger, path, encoding):
    """UTF-8 with a mark and UTF-16 are read, and go on where they ended."""
    mark = "" if encoding == "utf-8-sig" else "\ufeff"
    path.write_bytes((mark + log(range(20))).encode(encoding))
    assert counted(ledger, path) == 20
    path.write_bytes((mark + log(range(25))).encode(encoding))
    assert counted(ledger, path) == 5
    assert len(ledger.groups()) == 1


@pytest.mark.parametrize("hole", [10, 70_000, 3_000_000])
def test_hole_of_copytruncate(ledger, path, hole):
    """The NULs that copytruncate leaves before what is written on are skipped, however many."""
    path.write_bytes(bytes(hole) + log(range(20)).encode())
    assert counted(ledger, path) == 20
    assert counted(ledger, path) == 0
    path.write_bytes(bytes(hole) + log(range(22)).encode())
    assert counted(ledger, path) == 2


def test_long_lines(ledger, path):
    """A line of many megabytes is cut, and what comes behind it is read, also the next time."""
    path.write_text("2026-11-27 03:00:00,000 - shop - ERROR - " + "x" * 5_000_000 + "\n" + log(range(3)))
    assert counted(ledger, path) == 4
    assert counted(ledger, path) == 0
    with path.open("a") as file:
        file.write(log(range(3, 5)))
    assert counted(ledger, path) == 2


@given(st.integers(0, 3000), st.integers(64, 2000))
@settings(max_examples=60, deadline=None)
def test_any_chunks(tmp_path_factory, cut, chunk):
    """However the bytes come, lines and where they begin are the same; so is what stands before a position."""
    path = tmp_path_factory.mktemp("chunks") / "a.log"
    data = (b"\0" * (cut % 7)) + log(range(12)).encode() + b"x" * (cut % 5)
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source, "CHUNK", chunk)
        patch.setattr(source, "HEAD", 128)
        opened = source.Source(str(path))
        start = min(max(cut, cut % 7), len(data))
        assert opened.skip(start)
        found = list(opened.lines())
    lines = [line for _, run, _ in found for line in run]
    before = opened.before(len(data), 60)
    opened.close()
    assert before == data[-60:]
    assert b"\n".join(lines) == data[start:].removesuffix(b"\n")
    for begin, run, _ in found:
        assert data[begin : begin + len(run[0])] == run[0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "is a directory"),
        (lambda path: path.write_bytes(bytes(range(1, 256)) * 50), "is binary"),
        (lambda path: path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0" * 100), "is binary"),
        (lambda path: path.write_bytes(b"\x28\xb5\x2f\xfd more"), "zstd -dc"),
        (lambda path: path.write_bytes(b"PK\x03\x04 more"), "zip archive"),
        (lambda path: path.write_bytes(b"SQLite format 3\0 more"), "is a database"),
    ],
)
def test_no_logs(ledger, path, make, words):
    """What is no log is refused with a sentence that says why."""
    make(path)
    with pytest.raises(SourceError, match=words):
        counted(ledger, path)


def test_pattern_and_device(ledger):
    """A pattern that the shell left as it is, and a device, are refused."""
    with pytest.raises(SourceError, match="the pattern fits none"):
        counted(ledger, "/nowhere/*.log")
    with pytest.raises(SourceError, match="neither a file nor a pipe"):
        counted(ledger, "/dev/zero")


def test_empty(ledger, path):
    """An empty file has nothing, and is no error."""
    path.write_bytes(b"")
    assert counted(ledger, path) == 0
    path.write_text(log(range(2)))
    assert counted(ledger, path) == 2


def test_stamps_fit_a_ledger(ledger, path):
    """What a ledger keeps for a position fits into 63 bits, and gives the position back."""
    path.write_text(log(range(50)))
    counted(ledger, path)
    (offset,) = [row[0] for row in ledger._rows("SELECT offset FROM journals")]
    assert 0 < offset < 1 << 63
    assert position_of(offset) == path.stat().st_size
