"""What the wrapper reads from stderr is the same bug as what the command would have reported itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.supervise.reporting import configured, environment, script, told, wrapped

pytestmark = pytest.mark.slow

SCRIPTS = {
    "plain": """
        def charge(amount):
            raise ValueError(f"no {amount}")

        charge(3)
    """,
    "method": """
        class Card:
            def charge(self):
                return {}["amount"]

        Card().charge()
    """,
    "cause": """
        def read():
            try:
                open("/nowhere/at.all")
            except OSError as error:
                raise RuntimeError("no settings") from error

        read()
    """,
    "context": """
        def read():
            try:
                int("x")
            except ValueError:
                {}["k"]

        read()
    """,
    "group": """
        def one():
            raise ValueError("one")

        def two():
            raise TypeError("two")

        def both():
            errors = []
            for part in (one, two):
                try:
                    part()
                except Exception as error:
                    errors.append(error)
            raise ExceptionGroup("both", errors)

        both()
    """,
    "notes": """
        def fail():
            error = ValueError("with a note")
            error.add_note("what people should know")
            raise error

        fail()
    """,
    "recursion": """
        def down(number):
            return down(number + 1)

        down(0)
    """,
    "lines": """
        def fail():
            raise ValueError("first line\\nsecond line\\n  third line")

        fail()
    """,
    "library": """
        import json
        json.loads("{")
    """,
    "import": """
        import broken
    """,
    "assertion": """
        def check(number):
            assert number > 3, f"{number} is too small"

        check(2)
    """,
    "own": """
        class OrderError(Exception):
            class Lost(Exception):
                pass

        def find():
            raise OrderError.Lost("order 17")

        find()
    """,
    "thread": """
        import threading

        def work():
            raise ValueError("in a thread")

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """,
    "unraisable": """
        class Held:
            def __del__(self):
                raise ValueError("too late")

        def let_go():
            held = Held()
            del held

        let_go()
    """,
    "memory": """
        def much():
            return bytearray(1 << 60)

        much()
    """,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_same_as_live(name, tmp_path):
    """The same failure of the same script, reported by its own hook and by the wrapper, is one bug, and one count."""
    script(tmp_path, "def f(:\n", "broken.py")
    path = script(tmp_path, SCRIPTS[name])
    live = environment(tmp_path / "live", HOOKS="1", PYTHONPATH=configured(tmp_path))
    subprocess.run([sys.executable, path], env=live, capture_output=True, check=False, timeout=60)
    done = wrapped(tmp_path / "home", path)
    [expected], [found] = told(tmp_path / "live"), told(tmp_path / "home")
    assert done.returncode == (0 if name in ("thread", "unraisable") else 1)
    assert (found.fingerprint, found.count) == (expected.fingerprint, 1), (found.event, expected.event)
    assert found.event["mechanism"] == "process"
    assert found.event["component"] == expected.event["component"] == "app"
    assert found.event["error_message"] == expected.event["error_message"] or name in ("group", "notes")


def test_colours(tmp_path):
    """A traceback that Python has coloured is the same bug."""
    path = script(tmp_path, SCRIPTS["cause"])
    plain = wrapped(tmp_path / "plain", path, PYTHON_COLORS="0")
    coloured = wrapped(tmp_path / "coloured", path, PYTHON_COLORS="1", FORCE_COLOR="1")
    assert ("\x1b[" in coloured.stderr) == (sys.version_info >= (3, 13))
    assert "\x1b[" not in plain.stderr
    [expected], [found] = told(tmp_path / "plain"), told(tmp_path / "coloured")
    assert (found.fingerprint, found.event["traceback"]) == (expected.fingerprint, expected.event["traceback"])


CRASH = """
    import os, signal

    def crash():
        os.kill(os.getpid(), signal.SIGSEGV)

    def work():
        crash()

    if not os.path.exists("crashed"):
        open("crashed", "w").close()
        work()
"""


def test_crash_as_the_next_start_tells_it(tmp_path):
    """A crash is the same bug whether the wrapper reports it or the application's next start; never both do."""
    path = script(tmp_path, CRASH)
    setup = {"HOOKS": "1", "PYTHONPATH": configured(tmp_path)}
    for _ in range(2):
        live = environment(tmp_path / "live", **setup)
        subprocess.run([sys.executable, path], cwd=tmp_path, env=live, capture_output=True, check=False, timeout=60)
    (tmp_path / "crashed").unlink()
    assert wrapped(tmp_path / "home", path, cwd=tmp_path, **setup).returncode == -11
    assert wrapped(tmp_path / "home", path, cwd=tmp_path, **setup).returncode == 0
    [expected], [found] = told(tmp_path / "live"), told(tmp_path / "home")
    assert (found.kind, found.fingerprint, found.count) == ("SIGSEGV", expected.fingerprint, 1)


def test_killed_and_started_again(tmp_path):
    """A command with loghub that was killed under the wrapper is not reported again by its next start."""
    path = script(tmp_path, CRASH.replace("SIGSEGV", "SIGKILL"))
    setup = {"HOOKS": "1", "PYTHONPATH": configured(tmp_path)}
    assert wrapped(tmp_path / "home", path, cwd=tmp_path, **setup).returncode == -9
    assert wrapped(tmp_path / "home", path, cwd=tmp_path, **setup).returncode == 0
    assert [(one.kind, one.count) for one in told(tmp_path / "home")] == [("SIGKILL", 1)]
