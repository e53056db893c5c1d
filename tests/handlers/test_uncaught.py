"""UncaughtHandler in real interpreters: what nobody caught arrives, once, while it is configured."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from loghub.errors import OptionValueError, UnknownOptionError
from loghub.handlers.uncaught import UncaughtHandler

ROOT = Path(__file__).parents[2]

START = """
import json, logging, logging.config, sys, threading

class Show(logging.Handler):
    def emit(self, record):
        sys.stdout.write(json.dumps({
            "logger": record.name, "level": record.levelname, "message": record.getMessage(),
            "mechanism": getattr(record, "_loghub_mechanism", ""), "error": repr((record.exc_info or (None, None))[1]),
        }) + "\\n")
        sys.stdout.flush()

def configure(**options):
    logging.config.dictConfig({
        "version": 1,
        "handlers": {"uncaught": {"class": "loghub.UncaughtHandler", **options}, "show": {"()": Show}},
        "root": {"handlers": ["show"]},
    })

configure()
"""


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a script in an interpreter of its own; records come as dicts."""

    def runs(script, start=START):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("LOGHUB_", "PYTHON"))}
        env |= {"LOGHUB_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", start + script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        done.records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return done

    return runs


def test_main_thread(run):
    """An uncaught exception arrives at the root's handlers, Python prints it as ever, and exits with 1."""
    done = run("1 / 0")
    assert done.records == [
        {
            "logger": "loghub.uncaught", "level": "CRITICAL", "message": "Uncaught exception",
            "mechanism": "uncaught", "error": "ZeroDivisionError('division by zero')",
        }
    ]  # fmt: skip
    assert done.stderr.count("ZeroDivisionError: division by zero") == 1
    assert done.returncode == 1


def test_thread(run):
    """An exception that ends a thread arrives with the thread's name; the process goes on."""
    done = run("t = threading.Thread(target=lambda: 1 / 0, name='worker'); t.start(); t.join(); print('on')")
    assert [record["message"] for record in done.records] == ["Uncaught exception in thread worker"]
    assert done.records[0]["mechanism"] == "thread"
    assert "on" in done.stdout
    assert "Exception in thread worker" in done.stderr


def test_unraisable(run):
    """An exception in __del__ arrives."""
    done = run("class A:\n    def __del__(self): 1 / 0\nA()\n")
    assert [record["mechanism"] for record in done.records] == ["unraisable"]
    assert "Exception ignored in" in done.stderr


@pytest.mark.parametrize(("script", "code"), [("raise KeyboardInterrupt", -signal.SIGINT), ("sys.exit(3)", 3)])
def test_wanted_ends(run, script, code):
    """KeyboardInterrupt and SystemExit are left alone, also their exit code."""
    done = run(script)
    assert done.records == []
    assert done.returncode == code


def test_asyncio(run):
    """What asyncio says about a task that nobody waited for arrives by logging alone, once."""
    done = run(
        "import asyncio\n"
        "async def fail(): 1 / 0\n"
        "async def main():\n    asyncio.create_task(fail()); await asyncio.sleep(0)\n"
        "asyncio.run(main())\n"
    )
    assert [(record["logger"], record["error"]) for record in done.records] == [
        ("asyncio", "ZeroDivisionError('division by zero')")
    ]


def test_previous_hook(run):
    """A hook of the application's own is still called, after the report."""
    done = run("1 / 0", "import sys\nsys.excepthook = lambda *args: print('own hook')\n" + START)
    assert len(done.records) == 1
    assert done.stdout.splitlines()[-1] == "own hook"
    assert done.stderr == ""


def test_configured_again(run):
    """After a second dictConfig an exception is reported once; after one without the handler not at all."""
    done = run("import gc; gc.collect(); configure(); configure(threads=False); 1 / 0")
    assert len(done.records) == 1
    done = run(
        "before = sys.excepthook\n"
        "show = {'version': 1, 'handlers': {'show': {'()': Show}}, 'root': {'handlers': ['show']}}\n"
        "logging.config.dictConfig(show)\n"
        "assert sys.excepthook is sys.__excepthook__ and threading.excepthook is threading.__excepthook__\n"
        "1 / 0\n"
    )
    assert done.records == []


def test_options_leave_out(run):
    """threads and unraisable may be off."""
    done = run(
        "configure(threads='no', unraisable=False)\n"
        "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()\n"
        "class A:\n    def __del__(self): 1 / 0\nA()\n"
    )
    assert done.records == []


@pytest.mark.slow
def test_fatal_signal(run, tmp_path):
    """A crash leaves its stack in the home, and the next process reports it."""
    limit = "import os, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
    assert run("os.kill(os.getpid(), 11)", limit + START).returncode == -signal.SIGSEGV
    (file,) = (tmp_path / "home" / "lives").iterdir()
    assert "Fatal Python error: Segmentation fault" in file.read_text()
    (record,) = run("").records
    assert (record["message"], record["mechanism"]) == ("python died by SIGSEGV.", "process")
    assert run("").records == []


def test_no_crash_no_file(run, tmp_path):
    """A process that ends well leaves no file; a forked child does not take its parent's away."""
    done = run(
        "import os, pathlib\n"
        "lives = pathlib.Path(os.environ['LOGHUB_HOME'], 'lives')\n"
        "assert len(list(lives.glob('*.life'))) == 1\n"
        "if not (pid := os.fork()):\n    logging.shutdown(); os._exit(0)\n"
        "os.waitpid(pid, 0)\n"
        "assert len(list(lives.glob('*.life'))) == 1\n"
        "print('still there')\n"
    )
    assert done.stdout.strip() == "still there", done.stderr
    assert list((tmp_path / "home" / "lives").iterdir()) == []


def test_faulthandler_of_the_application(run, tmp_path):
    """What the application has enabled is left alone; where the option says no, nothing is done."""
    enabled = "import faulthandler; faulthandler.enable()\n"
    done = run("logging.shutdown(); import faulthandler; print(faulthandler.is_enabled())", enabled + START)
    assert done.stdout.strip() == "True"
    (tmp_path / "home" / "lives").rmdir()
    done = run(
        "import faulthandler; print(faulthandler.is_enabled())",
        START.replace("\nconfigure()", "\nconfigure(faulthandler=False)"),
    )
    assert done.stdout.strip() == "False"
    assert not (tmp_path / "home" / "lives").exists()


def test_home_that_cannot_be_made(run, tmp_path):
    """Then no death of this process will be known, which one sentence says; everything else works."""
    (tmp_path / "home").write_text("in the way")
    done = run("1 / 0")
    assert len(done.records) == 1
    assert "loghub: the end of this process, should it die, cannot be reported" in done.stderr.splitlines()[0]


def test_wrong_options(run, tmp_path, monkeypatch):
    """Wrong options are refused, and the half-made handler leaves nothing behind, not even at exit."""
    monkeypatch.setenv("LOGHUB_HOME", str(tmp_path / "home"))
    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    with pytest.raises(UnknownOptionError, match=r"^UncaughtHandler has no option 'thread'; did you mean 'threads'\?$"):
        UncaughtHandler(thread=True)
    for name in ("threads", "unraisable", "faulthandler", "home"):
        with pytest.raises(OptionValueError, match=f"UncaughtHandler: option '{name}' cannot be"):
            UncaughtHandler(**{name: 7 if name == "home" else "perhaps"})
    assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == before
    done = run("", START.replace("\nconfigure()", "\nconfigure(threads='perhaps')"))
    assert "option 'threads' cannot be 'perhaps'" in done.stderr
    assert "atexit" not in done.stderr
    assert "AttributeError" not in done.stderr


def test_held_until_closed(tmp_path):
    """No logger need hold the handler: it is there until it is closed."""
    UncaughtHandler(faulthandler=False, home=str(tmp_path))
    gc.collect()
    ours = sys.excepthook
    found = [one() for one in logging._handlerList if isinstance(one(), UncaughtHandler)]
    assert len(found) == 1
    found[0].close()
    assert sys.excepthook is not ours


WAYS = {
    "thread pool's future": ("""
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(1) as pool: pool.submit(lambda: 1 / 0)
        """, []),
    "thread pool's initializer": ("""
        from concurrent.futures import ThreadPoolExecutor
        def fail(): 1 / 0
        with ThreadPoolExecutor(1, initializer=fail) as pool: pool.submit(print)
        """, ["concurrent.futures"]),
    "timer": ("threading.Timer(0, lambda: 1 / 0).start()", ["thread"]),
    "bare thread": ("""
        import _thread, time
        done = []
        sys.unraisablehook = (lambda hook: lambda args: (hook(args), done.append(1)))(sys.unraisablehook)
        _thread.start_new_thread(lambda: 1 / 0, ())
        while not done: time.sleep(0.01)
        """, ["unraisable"]),
    "weak reference's callback": ("""
        import weakref
        class A: pass
        a = A(); r = weakref.ref(a, lambda r: 1 / 0); del a
        """, ["unraisable"]),
    "atexit": ("import atexit; atexit.register(lambda: 1 / 0)", ["unraisable"]),
    "finalizer at the end": ("""
        class A:
            def __del__(self): 1 / 0
        sys.a = a = A()
        """, []),
    "thread at the end": ("""
        import time
        def fail(): time.sleep(0.05); 1 / 0
        threading.Thread(target=fail).start()
        """, ["thread"]),
    "forked child": ("""
        import os
        if not os.fork(): 1 / 0
        os.wait()
        """, ["uncaught"]),
    "group": ("raise ExceptionGroup('g', [ValueError('v')])", ["uncaught"]),
    "interrupted group": ("raise BaseExceptionGroup('g', [KeyboardInterrupt()])", []),
    "without standard error": ("sys.stderr = None; 1 / 0", ["uncaught"]),
    "hook of one's own": ("""
        before = sys.excepthook
        def own(*error): before(*error); print("own")
        sys.excepthook = own
        configure()
        1 / 0
        """, ["uncaught"]),
    "task": ("""
        import asyncio
        async def fail(): 1 / 0
        async def main(): asyncio.create_task(fail()); await asyncio.sleep(0)
        asyncio.run(main())
        """, ["asyncio"]),
    "asyncio's callback": ("""
        import asyncio
        async def main(): asyncio.get_running_loop().call_soon(lambda: 1 / 0); await asyncio.sleep(0)
        asyncio.run(main())
        """, ["asyncio"]),
    "task group": ("""
        import asyncio
        async def fail(): 1 / 0
        async def main():
            async with asyncio.TaskGroup() as group: group.create_task(fail())
        asyncio.run(main())
        """, ["uncaught"]),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_ways(run, way):
    """Each way in which an exception is lost is reported once, by the hook or by the library's own logging."""
    script, expected = WAYS[way]
    done = run(textwrap.dedent(script))
    assert [record["mechanism"] or record["logger"] for record in done.records] == expected, done.stderr


def at_prompt(tmp_path, lines, *arguments):
    """Start Python at a terminal, type the lines, and return all that it showed."""
    controller, terminal = os.openpty()
    env = {"LOGHUB_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "TERM": "dumb", "PYTHON_BASIC_REPL": "1"}
    start = tmp_path / "start.py"
    start.write_text(START)
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=env, cwd=tmp_path):
        os.close(terminal)
        shown = b""
        for line in (*lines, "exit()"):
            while not shown.endswith(b">>> "):
                shown += os.read(controller, 4096)
            os.write(controller, line.encode() + b"\n")
            shown += b"\n"
        with contextlib.suppress(OSError):  # Linux says EIO when the other side is gone
            while more := os.read(controller, 4096):
                shown += more
    os.close(controller)
    return shown.decode()


def test_prompt(tmp_path):
    """At Python's prompt neither what a person types is reported, nor threads that he starts."""
    lines = [
        "exec(open('start.py').read())",
        "1 / 0",
        "t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
    ]
    shown = at_prompt(tmp_path, lines)
    assert shown.count("ZeroDivisionError: division by zero") == 2
    assert '"mechanism": ' not in shown
    assert list((tmp_path / "home" / "lives").iterdir()) == []


def test_prompt_after_a_script(tmp_path):
    """With ``python -i`` a script's failure is shown to the person at the prompt, and not reported."""
    (tmp_path / "fail.py").write_text(START + "1 / 0\n")
    shown = at_prompt(tmp_path, ["2 / 0"], "-i", "fail.py")
    assert shown.count("ZeroDivisionError: division by zero") == 2
    assert '"mechanism": ' not in shown


def test_a_handler_that_was_not_finished():
    """What a refused option leaves of a handler can be closed, as logging does at the end."""
    made = UncaughtHandler.__new__(UncaughtHandler)
    logging.Handler.__init__(made)
    made.close()
