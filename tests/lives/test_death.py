"""What a dead process has left is read whatever it is: torn, damaged, huge, of another version."""

from __future__ import annotations

import json
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub.lives import claim, death, process

HEAD = {"life": 1, "program": "shop", "application": "", "started_at": 1.0, "ticks": 1, "server": "a"}
DUMP = """Fatal Python error: Segmentation fault

Thread 0x00007f0000000001 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 327 in wait

Current thread 0x00007f0000000002 (most recent call first):
  Garbage-collecting
  File "/srv/shop/orders.py", line 12 in charge
  File "/srv/shop/app.py", line 3 in <module>

Extension modules: a, b (total: 2)
"""
GONE = 4_194_304
"""A pid that Linux gives to nobody."""


@pytest.fixture
def folder(tmp_path):
    """Return the folder of the life files in a home."""
    (tmp_path / "lives").mkdir()
    return tmp_path / "lives"


def leave(folder, text, pid=GONE, beside=None):
    """Leave what a process may have left."""
    data = text if isinstance(text, bytes) else text.encode()
    (folder / f"{pid}-00000000.life").write_bytes(data)
    if beside is not None:
        (folder / f"{pid}-00000000.beside").write_bytes(beside)


def head(**changes):
    """Return the first line of a life file of this place."""
    return json.dumps(HEAD | {"place": process.place()} | changes) + "\n"


def read(folder):
    """Return the death that stands in the only file there."""
    found = claim(str(folder.parent), GONE)
    assert list(folder.iterdir()) == []
    return found


def test_dump(folder):
    """The stack is that of the thread that crashed, outermost first; the message is a sentence."""
    leave(folder, head() + DUMP)
    found = read(folder)
    told = found.told()
    assert (told["error_type"], told["error_message"]) == ("SIGSEGV", "shop died by SIGSEGV.")
    assert [(one["function"], one["line"]) for one in told["frames"]] == [("<module>", 3), ("charge", 12)]
    assert told["traceback"] == DUMP.strip()
    assert told["process"] == {"id": GONE, "name": "shop"}
    assert found.started_at == 1.0
    assert abs(found.died_at - time.time()) < 60


@pytest.mark.parametrize("size", [10, 100, 300, 500])
def test_torn_dump(folder, size):
    """A dump that broke off is read as far as it goes."""
    leave(folder, head() + DUMP[:size])
    assert read(folder).told()["error_type"] == ("SIGSEGV" if size > 50 else "ProcessDied")


def test_huge_dump(folder):
    """Of a dump with hundreds of threads the one that crashed is kept, and it is read within bounds."""
    others = DUMP.split("\n\n")[1] * 1500
    leave(folder, head() + DUMP.replace(DUMP.split("\n\n")[1], others) + "x" * 2_000_000)
    told = read(folder).told()
    assert len(told["traceback"]) < 2000
    assert told["traceback"].startswith("Fatal Python error: Segmentation fault\n\nCurrent thread 0x")
    assert [one["function"] for one in told["frames"]] == ["<module>", "charge"]


def test_huge_thread(folder):
    """Without the mark of the thread that crashed a huge dump is cut."""
    leave(folder, head() + DUMP.replace("Current thread", "Thread") + "x" * 2_000_000)
    told = read(folder).told()
    assert (told["error_type"], told["frames"], len(told["traceback"])) == ("SIGSEGV", [], 30_000)


@given(first=st.binary(max_size=80), rest=st.binary(max_size=80), beside=st.binary(max_size=40))
def test_garbage(tmp_path_factory, first, rest, beside):
    """Whatever stands there, there is a report."""
    folder = tmp_path_factory.mktemp("home") / "lives"
    folder.mkdir()
    leave(folder, first + b"\n" + rest, beside=beside)
    json.dumps(read(folder).told())


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@given(
    said=st.dictionaries(st.sampled_from([*HEAD, "wrapper"]), JSON, max_size=8),
    beside=st.dictionaries(st.sampled_from(["breadcrumbs", "component", "environment", "release"]), JSON) | JSON,
)
def test_strange_values(tmp_path_factory, said, beside):
    """Values of other kinds than ours do no harm."""
    folder = tmp_path_factory.mktemp("home") / "lives"
    folder.mkdir()
    leave(folder, json.dumps(said) + "\n" + DUMP, beside=json.dumps(beside).encode())
    for found in death.dead(str(folder), ""):
        found.close()
    found = read(folder)
    assert found.signal == "SIGSEGV"
    json.dumps(found.told())
    assert all(isinstance(one, dict) for one in found.breadcrumbs)


def test_of_the_pid_alone(folder):
    """claim takes the word of the process that it is asked for, and of this boot and namespace."""
    leave(folder, head(), pid=GONE - 1)
    leave(folder, head(place=["another boot", "pid:[1]"]))
    assert claim(str(folder.parent), GONE) is None
    assert claim(str(folder.parent), GONE // 10) is None
    assert len(list(folder.iterdir())) == 2


def test_nothing_there(tmp_path):
    """A home that is not there has no deaths."""
    assert claim(str(tmp_path), 1) is None
    assert list(death.dead(str(tmp_path), "")) == []
    death.sweep(str(tmp_path))


def test_claimed_once(folder):
    """While one reads it, nobody else can; what he does not remove is there for the next."""
    leave(folder, head())
    (first,) = death.dead(str(folder), "")
    assert list(death.dead(str(folder), "")) == []
    first.close()
    (second,) = death.dead(str(folder), "")
    second.remove()
    second.close()
    assert list(folder.iterdir()) == []


def test_removed_meanwhile(folder, monkeypatch):
    """Who opens the file before another has removed it finds that it is gone."""
    leave(folder, head())
    opened = os.open

    def slowly(path, *args):
        fd = opened(path, *args)
        monkeypatch.undo()
        assert claim(str(folder.parent), GONE) is not None
        return fd

    monkeypatch.setattr(os, "open", slowly)
    assert claim(str(folder.parent), GONE) is None


def test_cannot_be_removed(folder, monkeypatch):
    """What is told but cannot be removed is not told again."""
    leave(folder, head() + DUMP)

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "unlink", refuse)
    assert not claim(str(folder.parent), GONE).wanted
    assert claim(str(folder.parent), GONE).wanted


def test_lives_without_its_lock(folder):
    """A process that lives is not dead, though nothing holds its file; another one with its pid is not it."""
    leave(folder, head(ticks=process.ticks(os.getppid())), pid=os.getppid())
    assert list(death.dead(str(folder), "")) == []
    leave(folder, head(ticks=process.ticks(os.getppid()) - 1), pid=os.getppid())
    (found,) = death.dead(str(folder), "")
    found.close()


def test_other_application(folder):
    """Deaths of other applications are left alone, but for those that nobody can tell."""
    leave(folder, head(application="/srv/bank"))
    assert list(death.dead(str(folder), "/srv/shop")) == []
    leave(folder, "damaged")
    (found,) = death.dead(str(folder), "/srv/shop")
    found.close()


def test_sweep(folder):
    """What was left half made or half removed goes after an hour, and nothing else."""
    for name in (".1-0.life", "2-0.beside", "3-0.life", "3-0.beside"):
        (folder / name).touch()
    death.sweep(str(folder))
    assert len(list(folder.iterdir())) == 4
    for one in folder.iterdir():
        os.utime(one, (0, 0))
    death.sweep(str(folder))
    assert sorted(one.name for one in folder.iterdir()) == ["3-0.beside", "3-0.life"]
