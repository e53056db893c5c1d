"""How well rules group the labelled sets of tests/grouping: loghub's, its v0, and what others' documentation says.

    python benchmarks/grouping.py [--markdown]

The rules of others are written down here in a few lines each, by their own documentation, and may be better in their
servers: Sentry (develop.sentry.dev, "Grouping": the application's frames as module, function and source line, for each
error of a chain; without frames the message, values taken out), Bugsink (`issues/grouping_mechanisms`: class and
message, values taken out), Rollbar (docs.rollbar.com, "Grouping algorithm": class, all frames' files and functions),
Honeybadger (docs.honeybadger.io, "Error grouping": class, and file, function and line of the innermost frame).
All of them get what loghub reads from the text of a stack.

Also: what the first sight of a bug costs, from the record to its fingerprint.
"""

import argparse
import linecache
import logging
import re
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from loghub import fingerprint
from loghub.filters import EventFilter
from loghub.fingerprint.reading import with_stack
from tests.grouping.scorer import PUBLIC, REAL, load, score

VALUE = re.compile(
    r"\b[\w.+-]+@[\w-]+\.[\w.]+|\bhttps?://\S+|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b0x[0-9a-f]+|\b[0-9a-f]{16,}\b"
    r"|\b\d+\.\d+\.\d+\.\d+\b|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\S+|\b\d+(?:\.\d+)?",
    re.IGNORECASE,
)


def message_of(event):
    """Return the message without values; of a log record its template."""
    template = event.get("template") if not event.get("frames") else None
    text = template or event.get("error_message") or event.get("message") or event.get("traceback") or ""
    return VALUE.sub("<v>", text)


def base(frame):
    """Return the name of a frame's file."""
    return (frame.get("file") or "").replace("\\", "/").rpartition("/")[2]


def chain(event):
    """Return an event and its causes."""
    return [event, *(event.get("causes") or [])]


def sentry(event):
    """Return a group as Sentry would."""
    event = with_stack(event)
    parts = []
    for error in chain(event):
        frames = error.get("frames") or []
        frames = [frame for frame in frames if frame.get("in_app")] or frames
        parts += [error.get("error_type")] if frames else []
        parts += [(one.get("module") or base(one), one.get("function"), one.get("code")) for one in frames]
    return repr(parts or [event.get("error_type"), message_of(event)])


def bugsink(event):
    """Return a group as Bugsink would."""
    event = with_stack(event)
    return repr([event.get("error_type"), message_of(event)])


def rollbar(event):
    """Return a group as Rollbar would."""
    event = with_stack(event)
    frames = [(base(one), one.get("function")) for one in event.get("frames") or []]
    return repr([event.get("error_type"), frames or message_of(event)])


def honeybadger(event):
    """Return a group as Honeybadger would."""
    event = with_stack(event)
    frames = [one for one in event.get("frames") or [] if one.get("in_app")] or event.get("frames") or [{}]
    last = frames[-1]
    return repr([event.get("error_type"), base(last), last.get("function"), last.get("line") or message_of(event)])


RULES = {
    "loghub v1": fingerprint.of_event,
    "as Sentry": sentry,
    "as Bugsink": bugsink,
    "as Rollbar": rollbar,
    "as Honeybadger": honeybadger,
    "loghub v0 (class, message, 3 frames)": lambda event: fingerprint.of_event(event, "v0"),
}


def first_sights(bugs=400, deep=12):
    """Return the microseconds that each of many bugs took when it was first seen, every frame a new one."""
    names, found = {}, []
    for number in range(bugs):
        body = [f"def f{number}_{at}(x):\n    f{number}_{at + 1}(x)\n" for at in range(deep - 1)]
        text = "".join(body) + f"def f{number}_{deep - 1}(x):\n    raise ValueError('order %s is lost' % x)\n"
        file = f"/srv/app/shop/part{number}.py"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # no source is read from disk
        exec(compile(text, file, "exec"), names)
    capture, log = EventFilter().capture, logging.getLogger("shop")
    for number in range(bugs):
        try:
            names[f"f{number}_0"](number)
        except ValueError:
            record = log.makeRecord("shop", logging.ERROR, __file__, 1, "order failed", (), sys.exc_info())
        started = time.perf_counter()
        capture.sight(record)
        found.append((time.perf_counter() - started) * 1e6)
    return found


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true", help="print a table to paste into a text")
    parser.add_argument("--quick", action="store_true", help="the same: it is quick")
    args = parser.parse_args()
    sets = {"raised": load(REAL), "reported": load(PUBLIC)}
    sets["both"] = sets["raised"] + sets["reported"]
    head = ["rule", *(f"{name}: precision, recall, F1" for name in sets)]
    rows = [head, ["---"] * len(head)] if args.markdown else [head]
    for name, rule in RULES.items():
        found = [score(lines, rule) for lines in sets.values()]
        rows.append([name, *(f"{one.precision:.3f} {one.recall:.3f} {one.f1:.3f}" for one in found)])
    for row in rows:
        print("| " + " | ".join(row) + " |" if args.markdown else "".join(cell.ljust(38) for cell in row))
    counts = ", ".join(
        f"{name}: {len(lines)} of {len({one['bug'] for one in lines})} bugs" for name, lines in sets.items()
    )
    took = first_sights()
    print(f"\nEvents: {counts}.\nA bug's first sight, 12 frames never seen: {statistics.median(took):.0f} us.")


if __name__ == "__main__":
    main()
