"""The interpreter's own tests of log files, with RotatingFileHandler in place of the standard library's handlers."""

from __future__ import annotations

import importlib.util
import json
import logging
import logging.handlers
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CLASSES = [
    "FileHandlerTest",
    "RotatingFileHandlerTest",
    "TimedRotatingFileHandlerTest",
    "HandlerTest",  # paths, and WatchedFileHandler in a race with somebody who deletes the log
    "BasicConfigTest",
    "ConfigFileTest",
    "ConfigDictTest",
]

# All that differs, and why; docs/rotating.md says so to users.
DIFFERENCES = {
    "FileHandlerTest.test_emit_after_closing_in_write_mode": (
        "a record after close() is written: opening anew never empties the log, so there is no reason to lose it"
    ),
    "BasicConfigTest.test_encoding_errors_none": (
        "errors=None is backslashreplace: a character that the encoding does not know costs no record"
    ),
    "RotatingFileHandlerTest.test_should_rollover": (
        "an empty file is never rolled over, as in newer Pythons; the test of older ones asks for it"
    ),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("test") is None or importlib.util.find_spec("test.test_logging") is None,
        reason="NOT PROVED: this Python came without its own tests (the `test` package of the standard library)",
    ),
]


def start(whose, folder):
    """Start the interpreter's tests in a process of their own."""
    folder.mkdir()
    environment = {"PYTHONPATH": str(HERE.parents[2]), "TMPDIR": str(folder), "PATH": os.environ["PATH"]}
    command = [sys.executable, str(HERE / "cpython_suite.py"), whose, *CLASSES]
    with (folder / "out.json").open("w") as out:
        return subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What came of each test, with their handlers and with ours; the two run side by side."""
    folders = {whose: tmp_path_factory.mktemp("cpython") / whose for whose in ("theirs", "ours")}
    processes = {whose: start(whose, folder) for whose, folder in folders.items()}
    try:
        codes = {whose: process.wait(300) for whose, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    assert codes == {"theirs": 0, "ours": 0}
    return {whose: json.loads((folder / "out.json").read_text()) for whose, folder in folders.items()}


@pytest.fixture(scope="module")
def differences(tmp_path_factory):
    """DIFFERENCES that there are with this Python."""
    handler = logging.handlers.RotatingFileHandler(tmp_path_factory.mktemp("empty") / "log", maxBytes=1)
    rolls_over_empty = handler.shouldRollover(logging.makeLogRecord({"msg": "long"}))
    handler.close()
    return set(DIFFERENCES) - (set() if rolls_over_empty else {"RotatingFileHandlerTest.test_should_rollover"})


def test_all_were_run(ran):
    """As many tests are run with our handler as with theirs, and nearly all of theirs pass."""
    assert ran["ours"].keys() == ran["theirs"].keys()
    assert len(ran["ours"]) > 80
    assert len([name for name, said in ran["theirs"].items() if said == "ok"]) > 80


def test_the_same_comes_of_them(ran, differences):
    """Each of the interpreter's tests ends with our handler as it ends with theirs, but for DIFFERENCES."""
    differ = {name: said for name, said in ran["ours"].items() if said != ran["theirs"][name]}
    assert {name: said for name, said in differ.items() if name not in differences} == {}


def test_differences_are_real(ran, differences):
    """Each test that is said to differ passes with their handler and fails with ours."""
    assert {name: ran["theirs"][name] for name in differences} == dict.fromkeys(differences, "ok")
    assert [name for name in differences if ran["ours"][name] == "ok"] == []


def test_differences_are_documented():
    """docs/rotating.md names each test that differs."""
    text = (HERE.parents[2] / "docs" / "rotating.md").read_text()
    assert [name for name in DIFFERENCES if name not in text] == []
