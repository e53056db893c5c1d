"""The journal: what was noted is read back exactly, whatever disk, kill, thread or reader do meanwhile."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import threading
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub import runs
from loghub.capture import Known
from loghub.journal import files, writing
from loghub.journal.reading import Reader
from loghub.journal.writing import Journal, mark_of
from tests import processes
from tests.sightings import T0, Described, kind, note, record, seen

HOUR = int(T0 // 3600)
FS = settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Sum:
    """What all folds say together."""

    def __init__(self) -> None:
        self.counts = Counter()  # by fingerprint and hour
        self.routed = Counter()  # by fingerprint and destination
        self.kept = Counter()  # by fingerprint
        self.levels = {}
        self.torn = self.dropped = 0

    def add(self, fold):
        for fingerprint, tally in fold.groups.items():
            for (hour, *_), n in tally.hours.items():
                self.counts[fingerprint, hour] += n
            self.routed.update({(fingerprint, destination): n for destination, n in tally.routed.items()})
            self.kept[fingerprint] += len(tally.kept)
            self.levels[fingerprint] = max(tally.level, self.levels.get(fingerprint, 0))
            assert tally.count == sum(tally.hours.values())
        self.torn += fold.torn
        self.dropped += fold.dropped


def drain(reader, total=None, *, ended=False):
    """Read on to the end; return the sum."""
    total = total or Sum()
    while fold := reader.read(ended=ended):
        total.add(fold)
    return total


def folded(written, *, ended=False):
    """Return what all of a journal says."""
    return drain(Reader(written.name, written.fd), ended=ended)


@pytest.fixture
def folder(tmp_path):
    """Return where journals are."""
    return str(tmp_path / "journal")


@pytest.fixture
def make(folder):
    """Return a maker of journals whose files are closed afterwards."""
    made = []

    def one(where=folder, **options):
        made.append(Journal(where, "cafe", **options))
        return made[-1]

    yield one
    for each in made:
        each.forget()


@pytest.fixture
def disk():
    """Return a disk: what writes to it, and whether it is full."""

    class Disk:
        full = False

        def write(self, fd, data):
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return os.write(fd, data)

    return Disk()


def lines(written):
    """Return the lines of a journal's file."""
    return os.pread(written.fd, 1 << 26, 0).split(b"\n")[:-1]


# Lines


def test_first_in_full(make):
    """The first occurrence of a kind is there as a whole, behind a line that says who writes."""
    one = make()
    one.note(record(), seen(kind()), "github:a/b", selective=False)
    head, line = map(json.loads, lines(one))
    assert head["journal"] == 1
    assert head["pid"] == os.getpid()
    assert line["event"]["fingerprint"] == kind().fingerprint
    assert (line["no"], line["n"], line["to"], line["kept"], line["level"]) == (1, 1, ["github:a/b"], True, 40)


def test_repeat_is_a_number(make):
    """A repeat that is not kept in full is its kind's number, whatever number of handlers note it."""
    one = make()
    one.keep = 1
    what = kind()
    note(one, what, "github:a/b", "smtp:x")
    for _ in range(3):
        note(one, what, "github:a/b", "smtp:x", None)
    assert lines(one)[2:] == [b"d 1 smtp:x", b"1", b"1", b"1"]
    one.note(record(), seen(what), None, selective=False)


def test_second_is_written_when_it_changes(make):
    """Repeats of another second have the second before them, once."""
    one = make()
    one.keep = 0
    what = kind()
    for at in (0.1, 0.9, 3600.5, 3600.7, 1.0):
        note(one, what, at=T0 + at)
    assert lines(one)[2:] == [b"1", b"t %d" % (T0 + 3600), b"1", b"1", b"t %d" % (T0 + 1), b"1"]
    assert folded(one).counts == {(what.fingerprint, HOUR): 3, (what.fingerprint, HOUR + 1): 2}


def several(times):
    """Return a record that stands for several occurrences."""
    made = record()
    made.__dict__[writing.TIMES] = times
    return made


def test_a_record_of_several(make):
    """A record may stand for several occurrences: for the journal, and for each destination, now and as a repeat."""
    written, what = make(), kind()
    for times in (1, 17, 10**6, -3, "x"):
        one, sighting = several(times), seen(what)
        for destination in ("github:a/b", "smtp:c", None):
            written.note(one, sighting, destination, selective=False)
    total = folded(written)
    assert sum(total.counts.values()) == 1 + 17 + 1000 + 1 + 1
    assert sorted(total.routed.values()) == [1020, 1020]


@pytest.mark.parametrize("selective", [False, True])
@pytest.mark.parametrize("forget", [False, True])
def test_several_in_brief(make, selective, forget):
    """So does a repeat that a number stands for, one that a handler chose, and one whose kind was forgotten."""
    written, what = make(), kind()
    written.keep = 1
    note(written, what, "github:a/b", selective=selective)
    one, sighting = several(40), seen(what)
    written.note(one, sighting, "github:a/b", selective=selective)
    if forget:
        written.forget_kinds()
    written.note(one, sighting, "smtp:c", selective=selective)
    total = folded(written)
    assert (sum(total.counts.values()), total.torn) == (41, 0)
    assert sorted(total.routed.values()) == [40, 41]


def test_counted_by_the_record(make):
    """One record that five handlers note is one occurrence for each destination."""
    one = make()
    what = kind()
    note(one, what, "github:a/b", None, "smtp:x", "github:a/b", None)
    total = folded(one)
    assert total.counts == {(what.fingerprint, HOUR): 1}
    assert total.routed == {(what.fingerprint, "github:a/b"): 1, (what.fingerprint, "smtp:x"): 1}


def test_already_counted_elsewhere(make):
    """A record that another process of this home has counted is only routed."""
    one = make()
    what = kind()
    sighting = seen(what)
    sighting.marks |= {"beef", "cafe"}
    one.note(record(), sighting, "smtp:x", selective=False)
    total = folded(one)
    assert not total.counts
    assert total.routed == {(what.fingerprint, "smtp:x"): 1}


def test_two_homes(make, tmp_path):
    """Handlers of two homes under one logger: each home counts each record once for each of its destinations."""
    one, other = make(), Journal(str(tmp_path / "other"), "beef")
    one.keep = other.keep = 1
    what = kind()
    for _ in range(5):
        sighting, made = seen(what), record()
        for where, destination in ((one, "github:a/b"), (other, "github:a/b"), (one, "smtp:x"), (other, None)):
            where.note(made, sighting, destination, selective=False)
    assert folded(one).routed == {(what.fingerprint, "github:a/b"): 5, (what.fingerprint, "smtp:x"): 5}
    assert folded(other).routed == {(what.fingerprint, "github:a/b"): 5}
    assert folded(other).counts == {(what.fingerprint, HOUR): 5}
    other.forget()


def test_selective_destination(make):
    """A handler that chooses record by record gets what it chose, and no repeats."""
    one = make()
    one.keep = 1
    what = kind()
    for number in range(10):
        sighting, made = seen(what), record()
        one.note(made, sighting, "github:a/b", selective=False)
        if number % 3 == 0:
            one.note(made, sighting, "smtp:x", selective=True)
    assert folded(one).routed == {(what.fingerprint, "github:a/b"): 10, (what.fingerprint, "smtp:x"): 4}


def test_selective_first(make):
    """A kind that a selective handler saw first is not routed to it by itself."""
    one = make()
    one.keep = 1
    what = kind()
    note(one, what, "smtp:x", selective=True)
    note(one, what, "github:a/b")
    assert folded(one).routed == {(what.fingerprint, "smtp:x"): 1, (what.fingerprint, "github:a/b"): 1}


def test_forget_kinds(make):
    """When who is told has changed, repeats are no longer for those who were told before."""
    one = make()
    one.keep = 1
    what = kind()
    note(one, what, "github:old/repo")
    note(one, what, "github:old/repo")
    one.forget_kinds()
    note(one, what, "github:new/repo")
    note(one, what, "github:new/repo")
    assert folded(one).routed == {(what.fingerprint, "github:old/repo"): 2, (what.fingerprint, "github:new/repo"): 2}


def test_kept_in_full_forgets_destinations(make):
    """A destination that nobody names any more gets repeats only until the kind is kept in full again."""
    one = make()
    one.keep = 1
    what = kind()
    note(one, what, "github:a/b", "smtp:gone")
    note(one, what, "github:a/b", at=T0 + 1)
    note(one, what, "github:a/b", at=T0 + 3600)
    note(one, what, "github:a/b", at=T0 + 3601)
    assert folded(one).routed == {(what.fingerprint, "github:a/b"): 4, (what.fingerprint, "smtp:gone"): 2}


def test_kept_per_group_and_hour(make):
    """So many occurrences of a group are kept in full in an hour, and numbered; the others are counted."""
    one = make()
    one.keep = 3
    kinds = kind(logger="a"), kind(logger="b")  # two kinds of one group
    numbers = [note(one, kinds[n % 2], at=T0 + n).kept for n in range(10)]
    numbers += [note(one, kinds[0], at=T0 + 3600 + n).kept for n in range(5)]
    assert numbers == [0, 1, 2] + [-1] * 7 + [0, 1, 2, -1, -1]
    total = folded(one)
    assert total.kept == {kinds[0].fingerprint: 6}
    assert total.counts == {(kinds[0].fingerprint, HOUR): 10, (kinds[0].fingerprint, HOUR + 1): 5}


def test_events_are_made_only_when_kept(make):
    """A repeat that is only counted is not described."""
    one = make()
    one.keep = 2
    capture, what = Described(), kind()
    for _ in range(50):
        one.note(record(), seen(what, capture), "github:a/b", selective=False)
    assert capture.events == 2


@pytest.mark.parametrize(
    ("before", "keep"), [([], 1), ([kind(1)], 2), ([kind(1, logger="b")], 1)], ids=["new", "kept again", "of a group"]
)
def test_the_application_is_asked_without_our_lock(make, before, keep):
    """Describing an event runs the application's code, which may wait for a thread that logs."""
    one = make()
    one.keep = keep
    what = before[0] if keep == 2 else kind(1)
    for each in before:
        note(one, each)
    there, done = threading.Event(), threading.Event()

    class Waiting(Described):
        def keep(self, sighting, made):
            if sighting.event is None:
                there.set()
                assert done.wait(5), "the other thread could not log"
            return super().keep(sighting, made)

    def other():
        there.wait(5)
        note(one, kind(2))
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    one.note(record(), seen(what, Waiting()), None, selective=False)
    thread.join()
    assert len(folded(one).counts) == 2


def test_many_kinds(make, monkeypatch):
    """Beyond MAX_KINDS the oldest kind is written in full once more, and counted right."""
    monkeypatch.setattr(writing, "MAX_KINDS", 3)
    one = make()
    one.keep = 1
    kinds = [kind(n) for n in range(10)]
    for _ in range(3):
        for what in kinds:
            note(one, what, "smtp:x")
    total = folded(one)
    assert total.counts == {(what.fingerprint, HOUR): 3 for what in kinds}
    assert total.routed == {(what.fingerprint, "smtp:x"): 3 for what in kinds}
    assert sum(total.kept.values()) == 10


# Everything at once


KINDS = [kind(1), kind(2), kind(2, logger="b"), kind(3, level=50), kind(4)]
PLAIN = st.sampled_from([None, "github:a/b", "smtp:x y", "notify:\N{SNOWMAN}"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("log"), st.sampled_from(KINDS), st.lists(PLAIN, max_size=2), st.integers(0, 4000)),
        st.sampled_from([("read",), ("restart",), ("rotate",), ("detach",), ("forget",)]),
    ),
    max_size=60,
)


class Bench:
    """A journal, its readers, and what they ought to say."""

    def __init__(self, written, handlers, chunk) -> None:
        self.written, self.handlers = written, handlers
        self.total, self.expected = Sum(), Sum()
        self.at = T0
        self.chunk = chunk
        self.reader = self.open(0)

    def open(self, offset):
        reader = Reader(self.written.name, self.written.fd)
        reader.CHUNK = self.chunk
        reader.resume(offset)
        return reader

    def log(self, what, chosen, seconds, between):
        """One record, noted by the handlers of its kind and by selective ones that chose it."""
        self.at += seconds
        self.expected.counts[what.fingerprint, int(self.at // 3600)] += 1
        told = [(one, False) for one in self.handlers[what]] + [(one, True) for one in chosen]
        sighting, made = seen(what), record(self.at)
        for destination, selective in told or [(None, False)]:
            self.written.note(made, sighting, destination, selective=selective)
            between()
        for destination in {one for one, _ in told if one is not None}:
            self.expected.routed[what.fingerprint, destination] += 1

    def read(self):
        fold = self.reader.read()
        if fold is not None:
            self.total.add(fold)

    def restart(self):
        self.reader = self.open(self.reader.offset)

    def rotate(self):
        self.leave(self.written.rotate())

    def detach(self):
        self.leave(self.written.detach())

    def forget(self):
        self.written.forget_kinds()

    def leave(self, old):
        if old is not None:
            drain(self.reader, self.total, ended=True)
            os.close(old)
            note(self.written, kind(99))  # begins the next file
            self.expected.counts[kind(99).fingerprint, HOUR] += 1
            self.reader = self.open(0)


@FS
@given(
    steps=STEPS,
    handlers=st.fixed_dictionaries({what: st.lists(PLAIN, max_size=3) for what in KINDS}),
    chunk=st.sampled_from([1, 7, 100, 1000, 1 << 20]),
    keep=st.integers(0, 3),
    most=st.integers(1, 4),
    turns=st.lists(st.sampled_from(["", "", "rotate", "read", "forget"]), min_size=1, max_size=5),
)
def test_exact(  # noqa: PLR0917  hypothesis gives them by name
    tmp_path_factory, steps, handlers, chunk, keep, most, turns
):
    """Any kinds, handlers, rotations and restarts of the reader: counts by hour and destination are exact."""
    patch = pytest.MonkeyPatch()
    patch.setattr(writing, "MAX_KINDS", most)
    patch.setattr(writing, "ROTATE_BYTES", 400)
    written = Journal(str(tmp_path_factory.mktemp("journal")), "cafe")
    written.keep = keep
    bench = Bench(written, handlers, chunk)
    turn = iter(turns * 10_000)

    def between():
        if what := next(turn):
            getattr(bench, what)()

    try:
        for step in steps:
            if step[0] == "log":
                bench.log(*step[1:], between)
            else:
                getattr(bench, step[0])()
        drain(bench.reader, bench.total)
    finally:
        patch.undo()
        written.forget()
    assert bench.total.counts == bench.expected.counts
    assert bench.total.routed == bench.expected.routed
    assert bench.total.torn == bench.total.dropped == 0


@pytest.mark.shows("disk full", "nothing lost")
@FS
@given(
    plan=st.lists(st.one_of(st.just(None), st.integers(0, 40)), max_size=60),
    logged=st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 1)), min_size=1, max_size=40),
    spill=st.sampled_from([0, 300, 1 << 20]),
)
def test_bad_disk(tmp_path_factory, plan, logged, spill):
    """Writes that fail or are cut short anywhere: what is counted and what is said to be dropped is everything."""
    patch = pytest.MonkeyPatch()
    patch.setattr(writing, "SPILL_BYTES", spill)
    ahead = iter(plan)

    def write(fd, data):
        step = next(ahead, 1 << 20)
        if step is None:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(fd, data[:step])

    written = Journal(str(tmp_path_factory.mktemp("journal")), "cafe", write=write)
    written.keep = 1
    try:
        for what, seconds in logged:
            note(written, what, "smtp:x", at=T0 + seconds)
        for _ in range(len(plan) + 1):  # until the disk is well again
            written.tell_dropped()
        total = folded(written)
    finally:
        patch.undo()
        written.forget()
    assert written.dropped == 0
    assert total.counts.total() + total.dropped == len(logged)
    if spill == 1 << 20:
        assert total.dropped == 0
        assert total.routed.total() == len(logged)


# Trouble


@pytest.mark.shows("disk full", "nothing twice")
@pytest.mark.shows("journal damaged", "nothing twice")
def test_torn_line(make):
    """A line that was written in part is ended by a mark, written once more, and counted once."""
    short = iter([None, None, 1])

    def write(fd, data):
        return os.write(fd, data[: next(short, None)])

    one = make(write=write)
    one.keep = 1
    what = kind()
    for _ in range(12):
        note(one, what)
    assert lines(one)[2:4] == [b"1!", b"1"]
    total = folded(one)
    assert total.counts == {(what.fingerprint, HOUR): 12}
    assert total.torn == 1


def test_nothing_is_torn_where_nothing_was_written(make):
    """A write that took nothing leaves no torn line behind: the line is written once more, and that is all."""
    short = iter([None, None, 0])

    def write(fd, data):
        return os.write(fd, data[: next(short, None)])

    one = make(write=write)
    one.keep = 1
    what = kind()
    for _ in range(4):
        note(one, what)
    assert lines(one)[2:] == [b"1", b"1", b"1"]
    assert folded(one).torn == 0


def test_full_disk_for_a_while(make, disk, monkeypatch):
    """While the disk is full lines wait in memory, for this file; when it has room they are written, in their order."""
    monkeypatch.setattr(writing, "ROTATE_BYTES", 1)
    one = make(write=disk.write)
    one.keep = 2
    kinds = [kind(n) for n in range(3)]
    note(one, kinds[0])
    disk.full = True
    for n in range(30):
        note(one, kinds[n % 3], "smtp:x", at=T0 + n * 400)
    assert folded(one).counts.total() == 1
    assert one.rotate() is None
    assert one.detach() is None
    assert one.held == "No space left on device"
    disk.full = False
    note(one, kinds[0], at=T0 + 30 * 400)
    assert one.held == ""
    total = folded(one)
    assert total.counts.total() == 32
    assert total.counts[kinds[1].fingerprint, HOUR + 1] == 3
    assert total.routed.total() == 30
    assert total.dropped == total.torn == 0


@pytest.mark.shows("disk full", "bounded")
def test_full_disk_for_long(make, disk, monkeypatch):
    """What does not fit into memory either is counted as dropped, and that is written when there is room."""
    monkeypatch.setattr(writing, "SPILL_BYTES", 1000)
    one = make(write=disk.write)
    one.keep = 1
    what = kind()
    note(one, what)
    disk.full = True
    for _ in range(5000):
        note(one, what)
    assert one.dropped == 4500
    disk.full = False
    one.tell_dropped()
    assert one.dropped == 0
    note(one, what)
    total = folded(one)
    assert total.counts == {(what.fingerprint, HOUR): 502}
    assert total.dropped == 4500


def test_dropped_for_several(make, disk, monkeypatch):
    """One record that several handlers note and that nothing can hold is one occurrence that was dropped."""
    monkeypatch.setattr(writing, "SPILL_BYTES", 0)
    one = make(write=disk.write)
    disk.full = True
    note(one, kind(), "github:a/b", "smtp:x", None)
    assert one.dropped == 1


def test_the_hour_after_a_drop(make, disk, monkeypatch):
    """An occurrence that was dropped takes its second with it: those after it have their right hour."""
    monkeypatch.setattr(writing, "SPILL_BYTES", 0)
    one = make(write=disk.write)
    one.keep = 0
    what = kind()
    note(one, what)
    disk.full = True
    note(one, what, at=T0 + 7200)
    disk.full = False
    note(one, what, at=T0 + 7200)
    assert folded(one).counts == {(what.fingerprint, HOUR): 1, (what.fingerprint, HOUR + 2): 1}


def test_a_dropped_one_is_for_nobody(make, disk, monkeypatch):
    """Who would have been told of an occurrence that was dropped is not, also where there is room for that."""
    monkeypatch.setattr(writing, "SPILL_BYTES", len(b"d 1 smtp:x\n"))
    one = make(write=disk.write)
    one.keep = 0
    what = kind()
    note(one, what)
    disk.full = True
    note(one, what, "smtp:x", at=T0 + 1)  # with its second before it: a little more
    disk.full = False
    one.tell_dropped()
    total = folded(one)
    assert (total.counts, total.dropped) == ({(what.fingerprint, HOUR): 1}, 1)
    assert total.routed == {}


@pytest.mark.shows("ledger locked", "bounded")
@pytest.mark.shows("storm", "bounded")
def test_too_much_waits(make, monkeypatch):
    """Where nobody folds, a process stops writing at MAX_BYTES, counts what it drops, and goes on after a fold."""
    monkeypatch.setattr(writing, "MAX_BYTES", 2000)
    one = make()
    one.keep = 1
    what = kind()
    for _ in range(3000):
        note(one, what, "smtp:x")
    assert one.size <= 2100
    written = folded(one)
    assert written.counts.total() + one.dropped == 3000
    one.folded = one.size
    one.tell_dropped()
    note(one, what, "smtp:x")
    total = folded(one)
    assert total.counts.total() == written.counts.total() + 1
    assert total.dropped == 3000 - written.counts.total()


def test_nothing_is_described_for_a_full_journal(make, monkeypatch):
    """Dropping is cheap: of kinds that the journal knows, no event is made."""
    monkeypatch.setattr(writing, "MAX_BYTES", 500)
    one = make()
    one.keep = 1
    capture, what = Described(), kind()
    for _ in range(500):
        one.note(record(), seen(what, capture), None, selective=False)
    assert one.dropped
    assert capture.events == 1


@pytest.mark.shows("killed", "nothing twice")
def test_torn_by_a_kill(make):
    """A last line without its end is not counted, and is passed over once nobody writes any more."""
    one = make()
    one.keep = 1
    what = kind()
    note(one, what)
    note(one, what)
    os.write(one.fd, b"1")
    assert folded(one).torn == 0
    total = folded(one, ended=True)
    assert total.counts == {(what.fingerprint, HOUR): 2}
    assert total.torn == 1


def test_stretches_in_one(make):
    """A stretch may be read in steps, and is then what it would have been at once."""
    one = make()
    kinds = [kind(n) for n in range(3)]
    for number in range(50):
        note(one, kinds[number % 3])
    os.write(one.fd, b"torn")
    at_once, reader = Reader(one.name, one.fd), Reader(one.name, one.fd)
    fold = reader.read(about=100)
    while reader.read(ended=True, about=100, onto=fold) is not None:
        pass
    whole = at_once.read()
    assert (fold.start, fold.end, fold.torn) == (0, whole.end + len(b"torn"), 1)
    assert fold.groups.keys() == whole.groups.keys()
    for fingerprint, tally in whole.groups.items():
        found = fold.groups[fingerprint]
        assert (found.count, found.hours, found.routed) == (tally.count, tally.hours, tally.routed)
        assert found.kept == tally.kept


def test_long_tail_torn_by_a_kill(make, monkeypatch):
    """A torn line that is longer than a chunk is passed over too."""
    monkeypatch.setattr(Reader, "CHUNK", 64)
    one = make()
    note(one, kind())
    os.write(one.fd, b'{"no": 7, "event": "' + b"x" * 1000)
    total = folded(one, ended=True)
    assert total.counts.total() == 1
    assert total.torn


GARBAGE = [
    b"\x00\xff\xfe",
    b"{",
    b"[]",
    b"null",
    b"[" * 100_000,
    b'{"no": 3}',
    b'{"no": "3", "n": 1, "to": [], "at": 1, "level": 40, "event": {"fingerprint": "v1:1"}}',
    b'{"no": 3, "n": 1, "to": 5, "at": 1, "level": 40, "event": {"fingerprint": "v1:1"}}',
    b"1*1001",
    b"1*-1",
    b"1*nan",
    b"1*",
    b"7*2",
    b"d 1*x github:a/b",
    b'{"no": 3, "n": -1, "to": [], "at": 1, "level": 40, "event": {"fingerprint": "v1:1"}}',
    b'{"no": 3, "n": 1e30, "to": [], "at": 1, "level": 40, "event": {"fingerprint": "v1:1"}}',
    b'{"no": 3, "n": 1, "to": [], "at": NaN, "level": 40, "event": {"fingerprint": "v1:1"}}',
    b'{"no": 3, "n": 1, "to": [], "at": 1e300, "level": 40, "event": {"fingerprint": "v1:1"}}',
    b'{"no": 3, "n": 1, "to": [], "at": 1, "level": 1e40, "event": {"fingerprint": "v1:1"}}',
    b'{"no": 3, "n": 1, "to": [], "at": 1, "level": 40, "event": []}',
    b"t nan",
    b"t inf",
    b"t -5",
    b"t 1e200",
    b"t x",
    b"x -3",
    b"x 1e300",
    b"d 1",
    b"d 8 smtp:x",
    b"s 1 \xff",
    b"999",
    b"9" * 10_000,
    b"1!",
]


@pytest.mark.shows("journal damaged", "nothing lost", "said")
@pytest.mark.parametrize("line", GARBAGE)
def test_damaged_line(make, line):
    """A line that cannot be read is counted as torn; those before and after it are right."""
    one = make()
    one.keep = 1
    what = kind()
    note(one, what, "smtp:x")
    os.write(one.fd, line + b"\n")
    note(one, what, "smtp:x")
    total = folded(one)
    assert total.counts == {(what.fingerprint, HOUR): 2}
    assert total.routed == {(what.fingerprint, "smtp:x"): 2}
    assert (total.torn, total.dropped) == (1, 0)


@pytest.mark.shows("journal damaged", "ends in time", "bounded")
@FS
@given(st.binary(max_size=400), st.integers(1, 50))
def test_damage_never_stops_a_reader(tmp_path_factory, damage, chunk):
    """A file of anything is read to its end."""
    path = tmp_path_factory.mktemp("journal") / "a.journal"
    path.write_bytes(damage)
    fd = os.open(path, os.O_RDONLY)
    try:
        reader = Reader("a.journal", fd)
        reader.CHUNK = chunk
        drain(reader, ended=True)
        assert reader.offset == len(damage)
        again = Reader("a.journal", fd, len(damage))
        assert again.read(ended=True) is None
    finally:
        os.close(fd)


def test_odd_values_in_an_event(make):
    """What before_send made of an event is read: missing and unexpected values become text."""
    one = make()
    capture = Described(environment=None, server=["a"], release={"v": 1})
    one.note(record(), seen(kind(), capture), None, selective=False)
    fold = Reader(one.name, one.fd).read()
    tally = fold.groups[kind().fingerprint]
    assert dict(tally.environments) == {"": 1}
    assert dict(tally.servers) == {"['a']": 1}
    assert list(tally.releases) == ["{'v': 1}"]
    assert fold.torn == 0


# Files


def test_private(make, folder):
    """Journals are for their user alone."""
    make()
    (name,) = files.names(folder)
    assert os.stat(os.path.join(folder, name)).st_mode & 0o777 == 0o600
    assert os.stat(folder).st_mode & 0o777 == 0o700


def test_rotation(make, folder, monkeypatch):
    """A long journal is left to be folded; a new one begins, and knows nothing of the old one's numbers."""
    monkeypatch.setattr(writing, "ROTATE_BYTES", 500)
    one = make()
    one.keep = 1
    what = kind()
    while one.size < 500:
        note(one, what)
    first = one.name
    old = one.rotate()
    assert old is not None
    note(one, what)
    assert json.loads(lines(one)[1])["event"]["fingerprint"] == what.fingerprint
    assert sorted(files.names(folder)) == sorted([first, one.name])
    assert list(files.adopt(folder)) == []  # both are ours
    assert one.rotate() is None
    os.close(old)
    ((name, fd),) = files.adopt(folder)
    assert name == first
    os.close(fd)


def test_detach(make, folder):
    """After detach the next record begins a new journal."""
    one = make()
    assert files.alive(folder) == 1
    old = one.detach()
    assert one.fd == -1
    assert one.detach() is one.rotate() is None
    os.close(old)
    assert files.alive(folder) == 0
    note(one, kind())
    assert files.alive(folder) == 1
    assert len(files.names(folder)) == 2


def test_unwritable_folder(tmp_path):
    """A journal in a folder that cannot be is an OSError, for the home to decide."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Journal(str(tmp_path / "file" / "journal"), "cafe")


@pytest.mark.shows("home not writable", "nothing lost")
def test_in_memory(make):
    """Without a folder everything is the same, but leaves no file."""
    one = make(None)
    what = kind()
    for _ in range(30):
        note(one, what, "smtp:x")
    assert folded(one).counts == {(what.fingerprint, HOUR): 30}


def test_folder_deleted(make, folder):
    """When somebody deletes the folder, what was written is still read, and the next journal is on disk again."""
    one = make()
    what = kind()
    note(one, what)
    shutil.rmtree(folder)
    note(one, what)
    old = one.rotate()
    assert folded_fd(old).counts == {(what.fingerprint, HOUR): 2}
    os.close(old)
    assert files.names(folder) == [one.name]
    note(one, what)
    assert folded(one).counts == {(what.fingerprint, HOUR): 1}


def folded_fd(fd):
    """Return what the journal behind a descriptor says."""
    return drain(Reader("old", fd), ended=True)


def test_folder_that_cannot_come_back(make, folder):
    """Where no new file can be made the journal goes on in memory, and on disk as soon as that works."""
    one = make()
    os.close(one.detach())
    shutil.rmtree(folder)
    with open(folder, "w", encoding="utf-8"):
        pass
    note(one, kind())
    assert folded(one).counts.total() == 1
    assert one.rotate() is None
    os.unlink(folder)
    old = one.rotate()
    os.close(old)
    assert files.names(folder) == [one.name]


def test_no_descriptors(make, folder, monkeypatch):
    """Where no file can be opened at all lines wait in memory, and are written when one can be."""
    one = make()
    one.keep = 1
    what = kind()
    os.close(one.detach())
    real = files.create

    def exhausted(_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(files, "create", exhausted)
    for _ in range(5):
        note(one, what, "smtp:x")
    assert one.fd == -1
    assert one.held == "no file can be opened"
    monkeypatch.setattr(files, "create", real)
    one.tell_dropped()
    note(one, what, "smtp:x")
    total = folded(one)
    assert total.counts == {(what.fingerprint, HOUR): 6}
    assert total.routed == {(what.fingerprint, "smtp:x"): 6}


# Threads and processes


def test_threads(make, monkeypatch):
    """8 threads, one reader, rotations: everything is counted once."""
    monkeypatch.setattr(writing, "ROTATE_BYTES", 20_000)
    one = make()
    kinds = [kind(n) for n in range(5)]
    threads = [
        threading.Thread(target=lambda: [note(one, kinds[n % 5], "smtp:x", "github:a/b") for n in range(1000)])
        for _ in range(8)
    ]
    total = Sum()
    reader = Reader(one.name, one.fd)
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        drain(reader, total)
        old = one.rotate()
        if old is not None:
            drain(reader, total, ended=True)
            os.close(old)
            reader = Reader(one.name, one.fd)
    drain(reader, total)
    assert total.counts == {(what.fingerprint, HOUR): 1600 for what in kinds}
    assert set(total.routed.values()) == {1600}
    assert total.torn == 0


def test_one_record_in_two_threads(make):
    """A record and its copy, noted by two threads at the same time, are one occurrence."""
    one = make()
    one.keep = 0
    what = kind()
    note(one, what)
    barrier = threading.Barrier(2)
    sightings = [seen(what) for _ in range(300)]

    def noting(destination):
        barrier.wait()
        for sighting in sightings:
            one.note(record(), sighting, destination, selective=False)

    threads = [threading.Thread(target=noting, args=(name,)) for name in ("smtp:x", "github:a/b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = folded(one)
    assert total.counts.total() == 301
    assert total.routed == {(what.fingerprint, "smtp:x"): 300, (what.fingerprint, "github:a/b"): 300}


def test_signal_handler_logs(make):
    """A signal handler that logs while its own thread is writing does not wait for itself."""
    one = make()
    one.keep = 1
    what = kind()
    before = signal.signal(signal.SIGALRM, lambda *_: note(one, what))
    real, rung = one._write, []

    def write(fd, data):
        if not rung:
            rung.append(True)
            signal.raise_signal(signal.SIGALRM)
        return real(fd, data)

    try:
        note(one, what)
        one._write = write
        note(one, what)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert folded(one).counts.total() == 3


WRITER = """
import sys
from loghub.journal.writing import Journal
from tests.sightings import kind, note
one = Journal(sys.argv[1], "cafe")
one.keep = 1
for _ in range(100):
    note(one, kind(), "smtp:x")
print("ready", flush=True)
sys.stdin.read()
"""


def test_living_and_dead_processes(folder):
    """The journal of a living process is left alone; that of a killed one is adopted, by one adopter."""
    with processes.python(WRITER, folder) as process:
        assert process.stdout.readline() == "ready\n"
        assert files.alive(folder) == 1
        assert list(files.adopt(folder)) == []
        process.kill()
        process.wait()
    assert files.alive(folder) == 0
    ((name, fd),) = files.adopt(folder)
    assert list(files.adopt(folder)) == []
    total = drain(Reader(name, fd), ended=True)
    assert total.counts == {(kind().fingerprint, HOUR): 100}
    assert total.routed == {(kind().fingerprint, "smtp:x"): 100}
    os.close(fd)


FORKING = """
import os, signal, sys
from loghub.journal.writing import Journal
from tests.sightings import kind, note
one = Journal(sys.argv[1], "cafe")
note(one, kind())
child = os.fork()
if child == 0:
    one.forget()
    print("child", flush=True)
    sys.stdin.read()
    os._exit(0)
signal.pause()
"""


@pytest.mark.shows("forked", "bounded")
def test_forked_child_does_not_keep_the_lock(folder):
    """A child that closed its parent's journal does not stand in the way of adopting it."""
    with processes.python(FORKING, folder) as process:
        assert process.stdout.readline() == "child\n"
        assert files.alive(folder) == 1
        process.kill()
        process.wait()
        ((_, fd),) = files.adopt(folder)  # while the child still lives
        os.close(fd)


DAEMON = """
import os, sys
from loghub.journal.reading import Reader
from loghub.journal.writing import Journal
from tests.sightings import kind, note
os.close(0)
one = Journal(sys.argv[1], "cafe")
note(one, kind())
(tally,) = Reader(one.name, one.fd).read().groups.values()
print(one.fd, tally.count, one.held, one.detach())
"""


def test_daemon_without_standard_input(folder):
    """A process that has closed its standard input may get the journal as descriptor 0, which is as good as others."""
    with processes.python(DAEMON, folder) as process:
        assert process.stdout.read().split() == ["0", "1", "0"]


def test_hidden_and_foreign_files(make, folder):
    """Files that are no journals are not looked at."""
    make()
    for name in (".x.journal", "x.txt"):
        with open(os.path.join(folder, name), "w", encoding="utf-8"):
            pass
    assert len(files.names(folder)) == 1
    assert files.names(folder + "/nowhere") == []


def test_what_cannot_be_opened(make, folder):
    """What has a journal's name and cannot be opened, such as one that was just removed, is in no other's way."""
    one = make()
    os.symlink("nowhere", os.path.join(folder, "0.journal"))
    assert files.alive(folder) == 1
    one.forget()
    ((name, fd),) = files.adopt(folder)
    assert name == one.name
    os.close(fd)


@pytest.mark.shows("clock wrong", "nothing lost")
@pytest.mark.parametrize("created", [4e9, -5.0, float("nan"), float("inf"), 1e300])
def test_impossible_time(make, created):
    """A record whose clock cannot have been right is counted at the time of writing."""
    one = make()
    before = time.time()
    odd = record()
    odd.created = created
    one.note(odd, seen(kind()), None, selective=False)
    one.note(odd, seen(kind()), None, selective=False)
    fold = Reader(one.name, one.fd).read()
    (tally,) = fold.groups.values()
    assert (tally.count, fold.torn) == (2, 0)
    assert before - 1 <= tally.first_at <= tally.last_at <= time.time() + 1


def test_told_to_the_wrapper(make, tmp_path, monkeypatch):
    """Under ``loghub run`` the wrapper is told what was counted and written in full, and nothing else."""
    told = tmp_path / "run"
    told.touch()
    monkeypatch.setenv(runs.VARIABLE, str(told))
    one = make()
    one.keep = 1
    what, elsewhere = kind(1), seen(kind(2))
    elsewhere.marks |= {one.token}
    one.note(record(), elsewhere, "smtp:x", selective=False)
    for _ in range(2):
        note(one, what)
    assert told.read_bytes() == b"cafe " + lines(one)[3] + b"\n"


# The short way of a repeat ------------------------------------------------------------------------------------


def known_of(what):
    """Return what a code path leads to."""
    return Known(Described(), what, None)


def test_again_is_one_line(make):
    """A repeat whose kind is known and kept often enough is one short line, and one object stands for all."""
    one = make()
    one.keep = 1
    what = kind()
    known = known_of(what)
    note(one, what, "github:a/b", "smtp:x")
    note(one, what, "github:a/b", "smtp:x")
    before = one.size
    first = one.again(known, mark_of(one.token, "github:a/b"), T0)
    assert first is one.again(known, mark_of(one.token, "smtp:x"), T0) is not None
    assert first.marks >= {one.token, mark_of(one.token, "github:a/b"), mark_of(one.token, "smtp:x")}
    assert one.size - before == 2 * len(b"1\n")
    total = folded(one)
    assert total.counts == {(what.fingerprint, HOUR): 4}
    assert total.routed == {(what.fingerprint, "github:a/b"): 4, (what.fingerprint, "smtp:x"): 4}


def test_again_where_there_is_more_to_do(make):
    """Nothing is written for a kind that is new, still kept, for somebody else too, or of another hour."""
    one = make()
    one.keep = 2
    what = kind()
    known, mark = known_of(what), mark_of(one.token, "github:a/b")
    assert one.again(known, mark, T0) is None
    for _ in range(2):
        note(one, what, "github:a/b")
        assert one.again(known, mark, T0) is None
    note(one, what, "github:a/b")
    before = one.size
    assert one.again(known, mark_of(one.token, "smtp:x"), T0) is None
    assert one.again(known, mark, T0 + 3600) is None
    assert one.again(known, mark, T0 - 1) is None
    assert one.size == before
    assert one.again(known, mark, T0 + 3599) is not None


def test_again_after_who_is_told_has_changed(make):
    """Once kinds are forgotten (another handler, another level, a new file) `note` has to look first."""
    one = make()
    one.keep = 1
    what = kind()
    known, mark = known_of(what), mark_of(one.token, "github:a/b")
    for _ in range(2):
        note(one, what, "github:a/b")
    assert one.again(known, mark, T0) is not None
    one.forget_kinds()
    assert one.again(known, mark, T0) is None


def test_again_says_when(make):
    """A repeat in another second has the second before it, in the same write."""
    one = make()
    one.keep = 1
    what = kind()
    for _ in range(2):
        note(one, what, "github:a/b")
    known, mark = known_of(what), mark_of(one.token, "github:a/b")
    for at in (T0 + 5, T0 + 5.5, T0 + 6):
        one.again(known, mark, at)
    assert lines(one)[3:] == [b"t %d" % (T0 + 5), b"1", b"1", b"t %d" % (T0 + 6), b"1"]


def test_again_on_a_full_disk(make, disk):
    """A repeat that cannot be written is held, and counted once there is room."""
    one = make(write=disk.write)
    one.keep = 1
    what = kind()
    for _ in range(2):
        note(one, what, "github:a/b")
    disk.full = True
    assert one.again(known_of(what), mark_of(one.token, "github:a/b"), T0) is not None
    assert one.missing == 1
    disk.full = False
    one.tell_dropped()
    assert folded(one).counts == {(what.fingerprint, HOUR): 3}


def test_again_after_a_torn_line(make, monkeypatch):
    """A repeat is not written onto what is left of a line that was torn, also where that was dropped."""
    monkeypatch.setattr(writing, "SPILL_BYTES", 9)  # "1" fits, and a second before it does not
    short = iter([None, None, None, 4])

    def write(fd, data):
        return os.write(fd, data[: next(short, None)])

    one = make(write=write)
    one.keep = 1
    what = kind()
    for _ in range(2):
        note(one, what)
    for at in (T0 + 5, T0):
        one.again(known_of(what), one.token, at)
    total = folded(one)
    assert total.counts == {(what.fingerprint, HOUR): 3}
    assert (total.torn, one.dropped) == (1, 1)


def test_in_brief(make):
    """With much waiting an occurrence is written in brief: counted and for its destination, its group known."""
    one = make()
    one.folded = -writing.MAX_BYTES * 3 // 4  # as if so much were before
    what = kind()
    long = "x" * 10_000
    for _ in range(2):
        sighting = seen(what, Described(error_message=long, traceback=long, frames=[{"file": long}]))
        one.note(record(), sighting, "github:a/b", selective=False)
        assert sighting.kept >= 0  # its detail file is written all the same
    assert one.size < 1500
    (tally,) = Reader(one.name, one.fd).read().groups.values()
    assert (tally.count, tally.kept, tally.routed["github:a/b"]) == (2, [], 2)
    assert tally.event["error_type"] == "ValueError"
    assert tally.event["error_message"].startswith("xxx")


def test_levels_of_kept_events(make):
    """A group has the highest level that was seen, and each event that is kept its own."""
    one = make()
    for level in (30, 50, 40):
        note(one, kind(level=level))
    (tally,) = Reader(one.name, one.fd).read().groups.values()
    assert tally.level == 50
    assert [tally.levels[id(event)] for event in tally.kept] == [30, 50, 40]


def test_text_of_kept_events(make):
    """A kept event's JSON goes on as it was written, and is what it says."""
    one = make()
    note(one, kind(), 'odd:"event":{', "smtp:x")
    (tally,) = Reader(one.name, one.fd).read().groups.values()
    (event,) = tally.kept
    assert json.loads(tally.texts[id(event)]) == event


# Descriptors that are closed under us


@pytest.fixture
def taken(make, tmp_path):
    """Return a journal with two occurrences, whose descriptor somebody closed and another file has got."""
    one = make()
    one.keep = 1
    what = kind()
    for _ in range(2):
        note(one, what, "smtp:x")
    number = one.fd
    theirs = os.open(tmp_path / "theirs", os.O_RDWR | os.O_CREAT)
    os.dup2(theirs, number)
    os.close(theirs)
    yield one, what
    os.close(number)  # it is still theirs
    assert (tmp_path / "theirs").read_bytes() == b""


def everything_in(folder):
    """Return how much stands in all journals."""
    total = 0
    for name, fd in files.adopt(folder):
        total += drain(Reader(name, fd), ended=True).counts.total()
        os.close(fd)
    return total


def test_taken_descriptor(taken, folder):
    """What comes after is in a new journal and the old one can be adopted; the application's file is not touched."""
    one, what = taken
    for _ in range(3):
        note(one, what, "smtp:x")
    assert folded(one).counts == {(what.fingerprint, HOUR): 3}
    assert everything_in(folder) == 2


def test_taken_descriptor_and_a_repeat(taken):
    """A repeat is not said by the number that stood for it in the lost file."""
    one, what = taken
    known = known_of(what)
    assert one.again(known, mark_of(one.token, "smtp:x"), T0) is None
    assert one.fd == -1


def test_taken_descriptor_in_a_child(taken, folder):
    """A forked child does not close what is not its own."""
    one, _ = taken
    one.forget()
    assert one.fd == -1
    assert everything_in(folder) == 2


def test_taken_descriptor_without_news(taken):
    """The delivery thread reads no file of the application as a journal."""
    one, _ = taken
    one.tell_dropped()
    assert one.fd == -1
    assert one.detach() is None


def test_closed_descriptor_on_a_full_disk(make, disk, folder):
    """Lines that wait for room and refer to a lost file are counted as dropped."""
    one = make(write=disk.write)
    one.keep = 1
    what = kind()
    note(one, what)
    disk.full = True
    note(one, what)
    note(one, what)
    disk.full = False
    os.close(one.fd)
    note(one, what)
    one.tell_dropped()
    total = folded(one)
    assert (total.counts.total(), total.dropped, total.torn) == (1, 2, 0)
    assert everything_in(folder) == 1
