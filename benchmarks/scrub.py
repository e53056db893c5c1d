"""What taking secrets out of an event costs: an event of 64 KB, as it comes and as somebody hostile makes it.

    python benchmarks/scrub.py [--rounds 15] [--only clean,secrets] [--quick] [--json FILE] [--markdown]

Processor time of `Scrubber.event` on an event that was not seen before, in this process; shown is the median of the
rounds. The row *small* is an ordinary error of 12 frames that were seen before. The secrets are those of the tests.
"""

import itertools
import json
import random
import statistics
import sys
import time
from pathlib import Path

import rounds

ROOT = Path(__file__).resolve().parent.parent
SIZE = 64 * 1024
HOSTILE = {"one letter": "a", "digits": "4", "quotes": '"', "key=": "key=", "spaces": " ", "line ends": "\n"}
HEAD = ["event", "KB", "CPU ms"]
_rng = random.Random(64)
_number = itertools.count(1)


def frames(count, seed=None):
    """Return frames; with a `seed` the same ones each time."""
    rng = _rng if seed is None else random.Random(seed)
    return [
        {"file": f"/srv/shop/app/module_{n}/views.py", "module": f"shop.app.module_{n}", "function": f"View.f{n}",
         "line": rng.randrange(900), "column": 8, "in_app": True,
         "code": f"return self.f{n + 1}(order_{rng.randrange(9999)}, token=self.token)"}
        for n in range(count)
    ]  # fmt: skip


def event(said, told, **more):
    """Return an event with frames and what else belongs to one."""
    lines = "".join(f'  File "{one["file"]}", line {one["line"]}, in f\n    {one["code"]}\n' for one in told)
    return {
        "error_type": "ValueError", "error_message": said, "id": "0f" * 16, "message": said, "args": [1],
        "template": "no stock for %d", "frames": told,
        "traceback": f"Traceback (most recent call last):\n{lines}ValueError: {said}\n", **more,
    }  # fmt: skip


def realistic(*secrets):
    """Return an event of 64 KB: 60 frames, a large context, notes, and `secrets` in its values."""
    request = "customer {} ordered {} pieces of item {} for 12.50 EUR "
    info = {
        f"request_{n}": {
            "path": f"/orders/{_rng.randrange(10**6)}",
            "headers": {"Accept": "text/html", "X-Request-Id": f"{_rng.getrandbits(128):032x}"},
            "body": request.format(*(_rng.randrange(10**6) for _ in range(3))) * 4,
        }
        for n in range(60)
    }
    info |= {f"call_{n}": {"detail": secret} for n, secret in enumerate(secrets)}
    made = event(f"no stock for order {next(_number)}", frames(60), additional_info=info)
    room = SIZE - len(json.dumps(made))
    made["notes"] = [f"line {n}: {_rng.random()}: the warehouse answered with {n} rows" for n in range(room // 76)]
    return made


def hostile(text):
    """Return an event whose traceback is one text again and again."""
    return {"traceback": (text * SIZE)[:SIZE]}


def cases():
    """Return what is measured: a maker of events by name."""
    sys.path.insert(0, str(ROOT))
    from tests.secrets.kinds import PLANTED

    texts = [one.text for one in PLANTED]
    known = frames(12, seed=1)
    return {
        "small": lambda: event(f"no stock for order {next(_number)}", known, additional_info={"order": next(_number)}),
        "clean": realistic,
        "20 secrets": lambda: realistic(*_rng.sample(texts, 20)),
        **{name: lambda text=text: hostile(text) for name, text in HOSTILE.items()},
    }


def measure(make, times):
    """Return the median of the milliseconds of processor time, and the size of an event."""
    from loghub.scrub import Scrubber

    scrubber = Scrubber()
    for _ in range(3):
        scrubber.event(make())
    took = []
    for _ in range(times):
        made = make()
        before = time.process_time_ns()
        scrubber.event(made)
        took.append((time.process_time_ns() - before) / 1e6)
    return statistics.median(took), len(json.dumps(made)) / 1024


def main():
    """Measure all events and print the table."""
    args = rounds.arguments(__doc__, rounds=15)
    makers = cases()
    found = {
        name: measure(makers[name], args.rounds * (20 if name == "small" else 1))
        for name in rounds.chosen(args, makers)
    }
    rows = [[name, f"{size:.1f}", f"{took:.3f}"] for name, (took, size) in found.items()]
    goals = [
        rounds.Goal(f"{name}: CPU ms", [took], 0.1 if name == "small" else 10.0) for name, (took, _) in found.items()
    ]
    rounds.report(args, [(HEAD, rows)], goals, found)


if __name__ == "__main__":
    main()
