"""JSONDetailHandler: one file for each kept occurrence, whole or not at all, within its limits."""

from __future__ import annotations

import errno
import json
import logging
import logging.handlers
import os
import queue
import re
import stat
import threading
from pathlib import Path

import pytest

from loghub import filters
from loghub.capture import Capture
from loghub.detail import detail_files, detail_name, write_detail
from loghub.errors import OptionValueError, UnknownOptionError
from loghub.event import KEYS
from loghub.handlers import detailfile
from loghub.handlers.detailfile import JSONDetailHandler

NOW = 1_790_000_000.0
SEED_B = re.compile(r"^error_\d{8}_\d{6}_[\w]+\.json$")


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Keep the process's default filter out."""
    monkeypatch.setattr(filters, "_shared", None)


@pytest.fixture
def folder(tmp_path):
    """Return where the files are to be."""
    return tmp_path / "errors"


@pytest.fixture
def attach(folder, tmp_path):
    """Return a function that gives a logger with a handler of these options."""
    made = []

    def attached(**options):
        handler = JSONDetailHandler(**{"directory": str(folder), "home": str(tmp_path / "home"), **options})
        made.append(handler)
        logger = logging.Logger("shop.cart")  # noqa: LOG001 - alone, without a root
        logger.addHandler(handler)
        return logger

    yield attached
    for handler in made:
        handler.close()


def fail(log, text="v", **options):
    """Log one bug, always the same."""
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("failed", **options)


def read(folder):
    """Return what the files hold, by name; every one must parse."""
    return {file.name: json.loads(file.read_text("utf-8")) for file in sorted(Path(folder).iterdir())}


def an_event(number=0, **more):
    """Return an event."""
    return {"error_type": "ValueError", "id": f"{number:032x}", **more}


# The file -----------------------------------------------------------------------------------------------------


def test_one_file(attach, folder):
    """An error is a file with seed B's name, SPEC's keys in their order, mode 0600 and indent 4."""
    log = attach()
    fail(log, extra={"order": 7})
    ((name, event),) = read(folder).items()
    assert SEED_B.match(name)
    assert re.fullmatch(rf"error_\d{{8}}_\d{{6}}_ValueError_{event['id'][:8]}\.json", name)
    assert list(event) == list(KEYS)
    assert (event["error_type"], event["error_message"], event["additional_info"]) == ("ValueError", "v", {"order": 7})
    path = folder / name
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith('{\n    "timestamp": "')


def test_same_as_the_journal(attach, folder):
    """The file tells the same event as journal and ledger."""
    log = attach()
    fail(log)
    (event,) = read(folder).values()
    log.handlers[0].flush()
    assert log.handlers[0].home.ledger().events(1) == [event]


def test_time_in_the_name():
    """The name carries the moment of the error, in UTC."""
    assert detail_name(an_event(), NOW) == "error_20260921_141320_ValueError_00000000.json"


@pytest.mark.parametrize("kind", ["Level 35", "Outer.Inner", "Größe", "a/../../b", "x" * 500, "", None, 7])
def test_any_type_in_the_name(tmp_path, kind):
    """Whatever the type is called, the name is one of seed B's and stays in the directory."""
    path = write_detail(str(tmp_path), an_event(error_type=kind), NOW)
    assert SEED_B.match(os.path.basename(path))
    assert os.path.dirname(path) == str(tmp_path)
    assert detail_files(str(tmp_path))[0][0] == path


@pytest.mark.parametrize("key", ["../../etc/x", "", None, 7])
def test_any_id_in_the_name(tmp_path, key):
    """An id from elsewhere does not lead out of the directory."""
    path = write_detail(str(tmp_path), {"error_type": "E", "id": key}, NOW)
    assert SEED_B.match(os.path.basename(path))
    assert os.path.dirname(path) == str(tmp_path)


def test_never_overwritten(tmp_path):
    """Two events whose names would be the same are two files."""
    one, other = an_event(id="a" * 8 + "1" * 24), an_event(id="a" * 8 + "2" * 24)
    paths = [write_detail(str(tmp_path), event, NOW) for event in (one, other)]
    assert paths[0] != paths[1]
    assert [json.loads(Path(path).read_text())["id"] for path in paths] == [one["id"], other["id"]]
    assert all(SEED_B.match(os.path.basename(path)) for path in paths)


def test_same_event_twice(tmp_path):
    """One event that comes by two ways is one file."""
    assert write_detail(str(tmp_path), an_event(), NOW) == write_detail(str(tmp_path), an_event(), NOW)
    assert len(os.listdir(tmp_path)) == 1


def test_without_hard_links(tmp_path, monkeypatch):
    """On a file system without hard links the same promises hold."""

    def link(source, target):
        raise OSError(errno.EPERM, "no hard links")

    monkeypatch.setattr(os, "link", link)
    test_never_overwritten(tmp_path)
    assert len(os.listdir(tmp_path)) == 2


@pytest.mark.slow
def test_thousand_in_a_second(attach, folder, monkeypatch):
    """1,000 errors of one bug are 1,000 files if so many are to be kept, from several threads too."""
    log = attach(keep_per_group=1000)
    threads = [threading.Thread(target=lambda: [fail(log) for _ in range(250)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read(folder)
    assert len(found) == 1000
    assert len({event["id"] for event in found.values()}) == 1000


@pytest.mark.shows("storm", "bounded")
def test_keep_per_group(attach, folder):
    """Of one bug so many occurrences are kept in an hour, of each bug its own; the others are counted."""
    log = attach(keep_per_group=3)
    for _ in range(10):
        fail(log)
    log.error("another bug")
    assert [event["error_type"] for event in read(folder).values()].count("ValueError") == 3
    assert len(read(folder)) == 4
    log.handlers[0].flush()
    counts = {group.error_type: group.count for group in log.handlers[0].home.ledger().groups()}
    assert counts == {"ValueError": 10, "ERROR": 1}


def test_direct_and_by_queue(attach, folder):
    """A record that comes by two ways is one file."""
    log = attach()
    records = queue.Queue()
    listener = logging.handlers.QueueListener(records, *log.handlers)
    log.addHandler(logging.handlers.QueueHandler(records))
    listener.start()
    for _ in range(5):
        fail(log)
    listener.stop()
    assert len(read(folder)) == 5


def test_filters_of_ones_own(attach, folder, tmp_path):
    """Two handlers with a filter each both write the file, each as its filter describes it."""
    log = attach()
    log.handlers[0].addFilter(filters.EventFilter(component="one"))
    other = JSONDetailHandler(str(tmp_path / "other"), home=str(tmp_path / "home"))
    other.addFilter(filters.EventFilter(component="two"))
    log.addHandler(other)
    fail(log)
    other.close()
    assert [event["component"] for event in read(folder).values()] == ["one"]
    assert [event["component"] for event in read(tmp_path / "other").values()] == ["two"]


# Trouble ------------------------------------------------------------------------------------------------------


def test_directory_in_the_way(attach, tmp_path, caplog, capsys):
    """A directory that cannot be is one clear sentence; the application goes on, and the error is counted."""
    (tmp_path / "file").write_text("in the way")
    caplog.set_level(logging.WARNING, logger="loghub")
    log = attach(directory=str(tmp_path / "file" / "errors"))
    for _ in range(3):
        fail(log)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("Error reporter: no detail files can be written to ")
    assert str(tmp_path / "file" / "errors") in said
    assert "Not a directory" in said
    assert "'directory'" in said
    assert "Traceback" not in capsys.readouterr().err
    log.handlers[0].flush()
    assert [group.count for group in log.handlers[0].home.ledger().groups()] == [3]


@pytest.mark.shows("home not writable", "said")
def test_unwritable_directory(attach, folder, monkeypatch, caplog):
    """A directory that is there and cannot be written is said when logging is configured, and once."""
    folder.mkdir()
    caplog.set_level(logging.WARNING, logger="loghub")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root, who may all

    def refuse(*args, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(detailfile.os, "open", refuse)
    log = attach()
    assert len(caplog.records) == 1
    monkeypatch.setattr(detailfile, "write_detail", refuse)
    monkeypatch.undo()
    monkeypatch.setattr(detailfile, "write_detail", refuse)
    fail(log)
    fail(log)
    assert len(caplog.records) == 1


def test_trouble_that_ends(attach, folder, monkeypatch, caplog):
    """After it worked again, the next trouble is said again."""
    log = attach()
    caplog.set_level(logging.WARNING, logger="loghub")
    honest = detailfile.write_detail

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    for write in (full, full, honest, full):
        monkeypatch.setattr(detailfile, "write_detail", write)
        fail(log)
    assert len(caplog.records) == 2
    assert len(read(folder)) == 1


@pytest.mark.shows("disk full", "nothing twice")
@pytest.mark.parametrize("call", ["write", "link"])
def test_disk_full(folder, monkeypatch, call):
    """A full disk leaves no half file, neither under its name nor under the hidden one."""
    folder.mkdir()

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    if call == "link":
        monkeypatch.setattr(os, "link", full)
        monkeypatch.setattr(os, "rename", full)
    else:
        honest, room = os.write, [10]

        def little(fd, data):
            """Take a little, then nothing."""
            if not room[0]:
                full()
            room[0] = 0
            return honest(fd, data[:10])

        monkeypatch.setattr(detailfile.os, "write", little)
    with pytest.raises(OSError, match="No space"):
        write_detail(str(folder), an_event(), NOW)
    assert os.listdir(folder) == []


def test_written_in_pieces(folder, monkeypatch):
    """A write that takes only a part is gone on with."""
    folder.mkdir()
    honest = os.write
    monkeypatch.setattr(detailfile.os, "write", lambda fd, data: honest(fd, data[:7]))
    write_detail(str(folder), an_event(), NOW)
    assert list(read(folder).values()) == [an_event()]


def test_directory_removed(attach, folder):
    """A directory that somebody removed is made anew."""
    log = attach()
    folder.rmdir()
    fail(log)
    assert len(read(folder)) == 1


@pytest.mark.parametrize("text", ["\ud800", "\0", "x" * 1_000_000])
def test_hard_texts(attach, folder, text):
    """Lone surrogates, NUL and a megabyte make a file that parses."""
    fail(attach(), text)
    ((_, event),) = read(folder).items()
    assert event["error_type"] == "ValueError"


# Limits -------------------------------------------------------------------------------------------------------


def fill(folder, ages, size=100):
    """Make detail files, each so many seconds old."""
    folder.mkdir(exist_ok=True)
    for number, age in enumerate(ages):
        path = folder / f"error_20260101_000000_E_{number:08d}.json"
        path.write_bytes(b"x" * size)
        os.utime(path, (NOW - age, NOW - age))


def left(folder):
    """Return the numbers of the files that are left."""
    return [int(name[-13:-5]) for name in sorted(os.listdir(folder)) if name.startswith("error_")]


def swept(folder, tmp_path, **options):
    """Sweep with these limits, at NOW."""
    handler = JSONDetailHandler(str(folder), home=str(tmp_path / "home"), now=lambda: NOW, **options)
    handler.sweep()
    handler.close()
    return left(folder)


def test_too_many(folder, tmp_path):
    """Beyond backupCount the oldest go; 0 is no limit."""
    fill(folder, [50, 10, 40, 20, 30])
    assert swept(folder, tmp_path, backupCount=0) == [0, 1, 2, 3, 4]
    assert swept(folder, tmp_path, backupCount=3) == [1, 3, 4]


def test_too_old(folder, tmp_path):
    """Beyond max_age_days they go; 0 is no limit."""
    day = 86400
    fill(folder, [0, 1.5 * day, 3 * day, 40 * day])
    assert swept(folder, tmp_path, max_age_days=0) == [0, 1, 2, 3]
    assert swept(folder, tmp_path) == [0, 1, 2]
    assert swept(folder, tmp_path, max_age_days=1) == [0]


def test_too_big(folder, tmp_path):
    """Beyond max_total_bytes the oldest go; 0 is no limit."""
    fill(folder, [4, 3, 2, 1], size=100)
    assert swept(folder, tmp_path, max_total_bytes=0) == [0, 1, 2, 3]
    assert swept(folder, tmp_path, max_total_bytes=250) == [2, 3]


@pytest.mark.shows("killed", "bounded")
def test_only_own_files(folder, tmp_path):
    """What is not a detail file stays; hidden files that a killed writer left go after a while."""
    fill(folder, [10])
    old, new = folder / ".error_20260101_000000_E_x.json.1.tmp", folder / ".error_20260101_000000_E_y.json.1.tmp"
    for path, age in ((old, 7200), (new, 5), (folder / "notes.txt", 10**9), (folder / "error_x.json", 10**9)):
        path.write_text("x")
        os.utime(path, (NOW - age, NOW - age))
    (folder / "error_20260101_000000_E_folder.json").mkdir()
    os.utime(folder / "error_20260101_000000_E_folder.json", (1, 1))
    handler = JSONDetailHandler(str(folder), home=str(tmp_path / "home"), now=lambda: NOW)
    handler.sweep()
    handler.close()
    assert set(os.listdir(folder)) == {
        "error_20260101_000000_E_00000000.json", new.name, "notes.txt", "error_x.json",
        "error_20260101_000000_E_folder.json",
    }  # fmt: skip


def test_files_that_vanish(folder, tmp_path, monkeypatch):
    """Another process may sweep at the same time: a file that vanishes does not stop the sweep."""
    fill(folder, [50, 10, 40, 20, 30])
    honest = os.stat

    def stat_of(path, *args, **options):
        if str(path).endswith("00000001.json"):
            raise FileNotFoundError(path)
        return honest(path, *args, **options)

    monkeypatch.setattr(detailfile.os, "stat", stat_of)
    assert swept(folder, tmp_path, backupCount=2) == [1, 3, 4]


def test_small_limits_hold(attach, folder):
    """A small backupCount is looked at often: the files do not pile up until some hundreds are written."""
    log = attach(backupCount=5, keep_per_group=100)
    handler = log.handlers[0]
    for _ in range(60):
        fail(log)
        if handler._sweeper is not None:
            handler._sweeper.join()
    assert len(os.listdir(folder)) <= 6


@pytest.mark.shows("interpreter ends", "nothing lost")
def test_no_thread_to_be_had(attach, folder, monkeypatch, capsys):
    """At the interpreter's end no thread starts any more; the file is written all the same."""

    def start(self):
        raise RuntimeError("can't start new thread at interpreter shutdown")

    log = attach()
    monkeypatch.setattr(threading.Thread, "start", start)
    fail(log)
    assert len(read(folder)) == 1
    assert capsys.readouterr().err == ""


def test_no_such_directory():
    """Where there is no directory there are no files."""
    assert detail_files("/no/such/directory") == []


# Options ------------------------------------------------------------------------------------------------------


def test_directory_options(tmp_path, monkeypatch):
    """``logs/errors`` by default; log_path is another name for it; ~ is the user's home; a Path will do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    made = [
        JSONDetailHandler(),
        JSONDetailHandler(log_path="by_seed"),
        JSONDetailHandler("~/errors"),
        JSONDetailHandler(tmp_path / "path"),
    ]
    assert [handler.directory for handler in made] == [
        str(tmp_path / "logs" / "errors"), str(tmp_path / "by_seed"), str(tmp_path / "user" / "errors"),
        str(tmp_path / "path"),
    ]  # fmt: skip
    for handler in made:
        assert os.path.isdir(handler.directory)
        handler.close()


def test_two_directories(tmp_path):
    """Both names at once are refused, and no directory is made."""
    with pytest.raises(OptionValueError, match=r"^JSONDetailHandler: directory and log_path .*: keep one of them\.$"):
        JSONDetailHandler(tmp_path / "one", log_path=tmp_path / "two")
    assert list(tmp_path.iterdir()) == []


def test_disabled(folder, tmp_path, monkeypatch):
    """ERROR_REPORTING_ENABLED=no makes no directory."""
    monkeypatch.setenv("ERROR_REPORTING_ENABLED", "no")
    handler = JSONDetailHandler(str(folder), home=str(tmp_path / "home"))
    handler.handle(logging.LogRecord("shop", 40, __file__, 1, "x", (), None))
    assert not folder.exists()


WRONG = {
    "directory": ["", 7, []],
    "log_path": ["", 7],
    "keep_per_group": [-1, "many", 1.5],
    "backupCount": [-1, None],
    "max_age_days": [-1, "old"],
    "max_total_bytes": [-1, "1 GiB"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_wrong_values(name, value):
    """A malformed value is a ValueError that names handler, option, value and what is right."""
    with pytest.raises(OptionValueError, match=rf"^JSONDetailHandler: option '{name}' cannot be .*; it must be .+\.$"):
        JSONDetailHandler(**{name: value})


def test_unknown_option():
    """An unknown option names the nearest; the injected clock is none."""
    with pytest.raises(UnknownOptionError, match=r"no option 'backupcount'; did you mean 'backupCount'\?"):
        JSONDetailHandler(backupcount=1)
    with pytest.raises(UnknownOptionError) as failure:
        JSONDetailHandler(zzz=1)
    assert "now" not in re.findall(r"\w+", str(failure.value).partition("it has:")[2])


def test_event_is_made_once(attach, folder, monkeypatch):
    """The file is written from the event that the journal made; nothing is described twice."""
    made = []
    honest = Capture._described
    monkeypatch.setattr(Capture, "_described", lambda *args: made.append(1) or honest(*args))
    fail(attach())
    assert len(made) == 1
