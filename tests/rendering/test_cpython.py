"""The interpreter's own tests of tracebacks, as proof that a Renderer says what `traceback` says."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULES = [
    "test_traceback",
    "test_exception_group",
    "test_except_star",
    "test_exceptions",
    "test_exception_variations",
    "test_raise",
    "test_syntax",
    "test_fstring",
    "test_string_literals",
    "test_codeop",
    "test_code",
    "test_doctest",
    "test_linecache",
    "test_contextlib",
    "test_contextlib_async",
    "test_generators",
    "test_coroutines",
    "test_asyncgen",
    "test_listcomps",
    "test_dictcomps",
]

_HAS_TESTS = (
    importlib.util.find_spec("test") is not None and importlib.util.find_spec("test.test_traceback") is not None
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not _HAS_TESTS,
        reason="NOT PROVED: this Python came without its own tests (the `test` package of the standard library)",
    ),
]


def start(how, folder):
    """Start the interpreter's tests in a process of their own."""
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "PYTHON_COLORS")}
    environment["PYTHONPATH"] = str(HERE.parents[1])
    command = [sys.executable, str(HERE / "cpython_suite.py"), how, *MODULES]
    with (folder / "out.json").open("w") as out:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What the tests said, as they are and with Renderers beside `traceback`; the two run side by side."""
    folders = {how: tmp_path_factory.mktemp("cpython") / how for how in ("plain", "compared")}
    processes = {how: start(how, folder) for how, folder in folders.items()}
    try:
        codes = {how: process.wait(300) for how, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    assert codes == {"plain": 0, "compared": 0}
    return {how: json.loads((folder / "out.json").read_text()) for how, folder in folders.items()}


def test_nothing_differs(ran):
    """In the interpreter's tests no rendering differs from `traceback`: cold, warm, or by one Renderer for all."""
    differences = ran["compared"]["differences"]
    assert not differences, f"{len(differences)} differences:\n" + "\n".join(differences[:20])


def test_much_was_compared(ran):
    """The proof stands on thousands of renderings, and hundreds of the warm ones were not left to `traceback`."""
    said = ran["compared"]
    assert said["exceptions"] > 1500
    assert said["renderings"] == 3 * said["exceptions"]
    assert said["cached"] > 400  # fewer than there are, since a doctest's lines may be left to `traceback`
    assert said["unsteady"] < 0.01 * said["exceptions"]


def test_nobody_was_disturbed(ran):
    """The interpreter's tests end as they end without Renderers."""
    assert ran["compared"]["ran"] == ran["plain"]["ran"] > 800
    assert ran["compared"]["failed"] == ran["plain"]["failed"], ran["compared"]["log"]
