"""Real Python processes for tests: started with loghub and the tests in reach, and ended in any case."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

ROOT = str(Path(__file__).parents[1])
_HEAD = "import faulthandler; faulthandler.enable()\n"


def environment(**variables) -> dict[str, str]:
    """Return the environment for a child, in which loghub and the tests are in reach."""
    return os.environ | {"PYTHONPATH": ROOT, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "default"} | variables


@contextlib.contextmanager
def python(script: str, *args, seconds: float = 20.0, **variables):
    """Yield a process that runs `script`; in the end it is killed, with its children.

    Whoever takes longer than `seconds` prints all stacks to stderr and dies: a deadlock is a failed test.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _HEAD + textwrap.dedent(script), *map(str, args)],
        env=environment(**variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(seconds, _signal, (process, signal.SIGABRT))
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        _signal(process, signal.SIGKILL)  # its children hold our pipes
        process.communicate()


def _signal(process: subprocess.Popen, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def run(script: str, *args, code: int = 0, seconds: float = 20.0, **variables) -> tuple[str, str]:
    """Run `script` and its children to their end; return what they printed and said on stderr."""
    with python(script, *args, seconds=seconds, **variables) as process:
        out, err = process.communicate()
        assert process.returncode == code, err
        return out, err
