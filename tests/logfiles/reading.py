"""Logs are written as an application would, and read back."""

import logging
from collections import Counter
from datetime import UTC

from hypothesis import strategies as st

from loghub.capture import Capture
from loghub.ledger.sqlite import SQLiteLedger
from loghub.logfiles.counting import Importer
from loghub.logfiles.identity import Window
from loghub.logfiles.layouts import Layout
from loghub.logfiles.records import Records

NOW = 1_800_000_000.0
INFO = "2026-11-27 03:00:00,123 INFO shop: fine"
ERROR = "2026-11-27 03:00:01,123 ERROR shop: failed"
LINES = st.sampled_from([
    INFO, ERROR, "", "  ", '"""', "ValueError: x", "shop.Error", '  File "/srv/a.py", line 3, in f', "    f()",
    "  + Exception Group Traceback (most recent call last):", "  | ExceptionGroup: two (2 sub-exceptions)",
    "  +-+---------------- 1 ----------------", "    | ValueError: x", "    +------------------------------------",
    "Traceback (most recent call last):", "During handling of the above exception, another exception occurred:",
    "panic: boom", "goroutine 1 [running]:", '{"level": "error", "event": "x"}', '{"log": "x\\n"}', "{", "[ERROR] x",
    "web-1  | " + ERROR, "web-1  | ValueError: x", "web-2  | Traceback (most recent call last):", "ERROR:a:b",
    "Internal Server Error: /x", "\x00\x1b[31m", "Nov 27 03:00:00 host app[1]: Traceback (most recent call last):",
    "Stack (most recent call last):",
])  # fmt: skip


class Live(logging.Handler):
    """Counts by fingerprint, as a reporting handler would."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.counts = Counter()
        self._capture = Capture()

    def emit(self, record):
        kind = self._capture.sight(record).kind
        self.counts[kind.fingerprint] += 1


ledgers = []


def new_ledger():
    """Return an empty ledger; it is closed when the test has ended."""
    ledgers.append(SQLiteLedger(None))
    return ledgers[-1]


def importer(ledger=None, *, window=None, now=NOW, **options):
    """Return an Importer as the verb makes one, and its ledger."""
    ledger = new_ledger() if ledger is None else ledger

    def capture(environment, release):
        return Capture(environment=environment or "production", release=release or None)

    options.setdefault("zone", UTC)
    made = Importer(ledger, capture, window=window or Window(), now=lambda: now, sleep=lambda _: None, **options)
    return made, ledger


def take(path, *, layout=None, **options):
    """Import one file into a new ledger; return the report, the counts and the kept events, oldest first."""
    made, ledger = importer(layout=layout and Layout(layout), **options)
    report = made.take(str(path))
    return report, made.counts, ledger.events(1000)[::-1]


def records_in(text, **options):
    """Return the records in a text."""
    data = text if isinstance(text, bytes) else text.encode()
    records = Records(**options)
    lines = data.split(b"\n")
    records.feed(0, lines[:-1] if not lines[-1] else lines)
    return records.rest()


def errors_in(tmp_path, text, **options):
    """Return the kept events of a log with that text, as (type, message, logger)."""
    path = tmp_path / "some.log"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [(one["error_type"], one["error_message"], one["logger"]) for one in take(path, **options)[2]]
