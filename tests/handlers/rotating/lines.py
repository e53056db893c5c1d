"""What the tests of rotating logs share: to write, and to read what was written."""

from __future__ import annotations

import glob
import gzip
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
WRITER = Path(__file__).with_name("writer.py")
LINE = re.compile(r"(\w+)-(\d+) (x+)\.")
NOON = 1_767_268_800.0  # 2026-01-01 12:00 UTC, a Thursday
DAY = 86_400


def say(handler, *messages):
    """Log through `handler` alone."""
    for message in messages:
        handler.handle(logging.LogRecord("t", logging.INFO, __file__, 1, message, None, None))


def backups(log):
    """Return the names of all files of the log, without what starts with a dot."""
    return sorted(path.name for path in log.parent.iterdir() if not path.name.startswith("."))


def read(path):
    """Return a file's text, decompressed."""
    data = Path(path).read_bytes()
    return (gzip.decompress(data) if str(path).endswith(".gz") else data).decode()


def everything(log):
    """Return all lines in all files of the log."""
    return [line for path in glob.glob(f"{log}*") for line in read(path).splitlines()]


def start(log, name, count, **options):
    """Start a process that writes."""
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(log), name, str(count), json.dumps(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def numbers_by_writer(lines):
    """Return {writer: sorted numbers}; fails for a line that is torn."""
    found = {}
    for line in lines:
        match = LINE.fullmatch(line)
        assert match, f"torn: {line[:200]!r}"
        found.setdefault(match[1], []).append(int(match[2]))
    return {name: sorted(numbers) for name, numbers in found.items()}
