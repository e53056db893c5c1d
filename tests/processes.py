"""Real Python processes for tests: started with loghub and the tests in reach, and ended in any case."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = str(Path(__file__).parents[1])
_HEAD = "import faulthandler; faulthandler.dump_traceback_later({seconds}, exit=True)\n"


def environment(**variables) -> dict[str, str]:
    """Return the environment for a child, in which loghub and the tests are in reach."""
    return os.environ | {"PYTHONPATH": ROOT, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "default"} | variables


@contextlib.contextmanager
def python(script: str, *args, seconds: float = 20.0, stdin=subprocess.PIPE, **variables):
    """Yield a process that runs `script`; one that takes longer than `seconds` prints its stacks and dies."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HEAD.format(seconds=seconds) + textwrap.dedent(script), *map(str, args)],
        env=environment(**variables),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


def run(script: str, *args, code: int = 0, seconds: float = 20.0, **variables) -> tuple[str, str]:
    """Run `script` to its end; return what it printed and said on stderr."""
    with python(script, *args, seconds=seconds, **variables) as process:
        out, err = process.communicate()
        assert process.returncode == code, err
        return out, err
