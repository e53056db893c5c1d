"""Files that only a text names: no text makes a process read what is no source."""

from __future__ import annotations

import linecache
import logging
import os

import pytest

from loghub import sources
from loghub.capture import Capture
from loghub.sources import lines_of


@pytest.fixture(autouse=True)
def _forgotten():
    linecache.clearcache()


def test_a_source(tmp_path):
    """A Python file's lines are there."""
    file = tmp_path / "cart.py"
    file.write_text("one\ntwo\n")
    assert lines_of(str(file)) == ["one\n", "two\n"]


def test_what_is_known_already():
    """What linecache has of a file that is none (a prompt's, a template's) is there as well."""
    linecache.cache["<prompt 1>"] = (6, None, ["one\n"], "<prompt 1>")
    assert lines_of("<prompt 1>") == ["one\n"]


@pytest.mark.parametrize(
    "name", ["/dev/zero", "/etc/passwd", "pipe.py", "folder.py", "huge.py", "none.py", "a\0.py", ""]
)
def test_no_source(tmp_path, monkeypatch, name):
    """A device, a pipe, a folder, a huge file, another kind of file, and none have no lines, and are not opened."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.py")
    os.mkdir("folder.py")
    with open("huge.py", "wb") as file:
        file.truncate(sources.MAX_BYTES + 1)
    assert lines_of(name) == []


def test_in_a_message(tmp_path):
    """A message that quotes a traceback with such files is described all the same."""
    os.mkfifo(tmp_path / "pipe.py")
    text = "Traceback (most recent call last):\n" + "".join(
        f'  File "{file}", line 1, in f\n    g()\n' for file in ("/dev/zero", tmp_path / "pipe.py")
    )
    record = logging.LogRecord("app", logging.ERROR, "app.py", 1, "%s", (f"{text}ValueError: bad",), None)
    capture = Capture()
    event = capture.keep(capture.sight(record), record)
    assert (event["error_type"], [frame["line"] for frame in event["frames"]]) == ("ValueError", [1, 1])


def test_bounded(tmp_path):
    """However many files are named, linecache keeps a bounded number."""
    files = [tmp_path / f"m{number}.py" for number in range(sources.MAX_FILES + 50)]
    for file in files:
        file.write_text("x\n")
        assert lines_of(str(file)) == ["x\n"]
    assert sum(str(file) in linecache.cache for file in files) <= sources.MAX_FILES
