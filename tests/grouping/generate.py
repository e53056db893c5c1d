"""Writes ``real.jsonl``: ``python -m tests.grouping.generate``.

Every case says which interpreter it is for. This process collects what the interpreters make of their cases; each is
asked as ``PYTHON -m tests.grouping.generate --python`` with this one's pure-Python libraries. An interpreter that is
not there is an error, as the set would shrink unseen.
"""

from __future__ import annotations

import collections
import glob
import json
import os
import shutil
import subprocess
import sys

from tests.grouping.programs import all_cases
from tests.grouping.stage import PYTHONS, events

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.path.join(HERE, "real.jsonl")


def interpreter(version: str) -> str:
    """Return the path of a CPython of this version.

    Raises:
        LookupError: There is none.
    """
    if version == here():
        return sys.executable
    pyenv = sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python")))
    found = pyenv[-1] if pyenv else shutil.which(f"python{version}")
    if not found:
        raise LookupError(f"no Python {version} was found; PATH or pyenv has to have one")
    return found


def here() -> str:
    """Return the version of this interpreter, such as 3.12."""
    return ".".join(map(str, sys.version_info[:2]))


def of_this_python() -> None:
    """Print the events of this interpreter's cases, one JSON line each."""
    mine = [(number, case) for number, case in enumerate(all_cases()) if case.python == here()]
    for number, event in events(mine):
        print(json.dumps([number, event]))


def main() -> None:
    """Write the set."""
    cases = list(all_cases())
    made: dict[int, dict[str, object]] = {}
    root = os.path.dirname(os.path.dirname(HERE))
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *libraries]), "PYTHONHASHSEED": "0"}
    # Nothing of this machine's network may come into the set.
    environ = {name: value for name, value in environ.items() if not name.lower().endswith("_proxy")}
    for version in PYTHONS:
        command = [interpreter(version), "-m", "tests.grouping.generate", "--python"]
        run = subprocess.run(command, env=environ, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
        for line in run.stdout.splitlines():
            number, event = json.loads(line)
            made[number] = event
    with open(TARGET, "w", encoding="utf-8") as file:
        for number, case in enumerate(cases):
            told = {"bug": case.bug, "case": case.what, "python": case.python, "event": made[number]}
            file.write(json.dumps(told, separators=(",", ":")) + "\n")
    bugs = collections.Counter(case.bug for case in cases)
    several = sum(count > 1 for count in bugs.values())
    print(f"{len(cases)} events of {len(bugs)} bugs, {several} with several; {os.path.getsize(TARGET)} bytes")


if __name__ == "__main__":
    if "--python" in sys.argv:
        of_this_python()
    else:
        main()
