"""What one `logger.exception(...)` costs: loghub beside plain logging and other error reporters.

    python benchmarks/hotpath.py [--rounds 7] [--only stdlib,four] [--quick] [--json FILE] [--markdown]

Three figures of each contender (see README.md here): the same bug again and again, the processor time of the
whole process for it, and bugs that are all different. The peer is logging.handlers.RotatingFileHandler.
"""

import itertools
import json
import os
import statistics
import time

import bugs
import peers
import rounds
import scene
import sink

PEER = "stdlib"
DISTINCT = 2_000
WARM_UP = 200
PAUSE_SECONDS = 0.7
BATCH_SECONDS = 1.0
SAMPLE = 100
HEAD = ["contender", "repeat µs", "x stdlib", "p99 µs", "x stdlib", "CPU µs", "x stdlib", "distinct µs", "x stdlib",
        "requests / errors"]  # fmt: skip


# The contender's process --------------------------------------------------------------------------------------


def child(place, task):
    """Measure one contender in this process and print its figures."""
    app = bugs.application(place.folder, 1 + task["distinct"])
    ready = peers.CONTENDERS[task["contender"]].set_up(place)
    same = app.bugs[0]
    bugs.log_each(app, itertools.repeat(same, WARM_UP), ready)
    ready.settle()
    time.sleep(task["pause"])
    fits = task["calls"] or fitting(app, same, ready)
    if task["figure"] == "repeat":
        print(json.dumps(repeats(app, same, ready, fits)), flush=True)
    else:
        took = bugs.log_each(app, app.bugs[1 : 1 + 2 * fits], ready)
        print(json.dumps({"distinct": statistics.median(took)}), flush=True)
        os._exit(0)  # what comes after is not measured, and may take long where each report is a thread


def fitting(app, bug, ready):
    """Return how many calls last BATCH_SECONDS, with what they leave to other threads; 300 to 20,000."""
    started = time.perf_counter()
    bugs.log_each(app, itertools.repeat(bug, SAMPLE), ready)
    ready.settle()
    each = (time.perf_counter() - started) / SAMPLE
    return max(300, min(20_000, int(BATCH_SECONDS / each)))


def repeats(app, bug, ready, calls):
    """Return median and 99th percentile of single calls, and processor time a call until all is through."""
    before = time.process_time_ns()
    took = bugs.log_each(app, itertools.repeat(bug, calls), ready)
    ready.through()
    cpu = time.process_time_ns() - before
    took.sort()
    return {"median": statistics.median(took), "p99": took[int(calls * 0.99)], "cpu": cpu / calls, "calls": calls}


# The parent ---------------------------------------------------------------------------------------------------


def measure(figure, args, sink_url):
    """Return a function that runs one contender's process for one figure."""
    small = {"pause": 0.1, "calls": 300, "distinct": 50} if args.quick else {}
    task = {"figure": figure, "pause": PAUSE_SECONDS, "calls": 0, "distinct": DISTINCT, **small}
    if figure == "repeat":
        task["distinct"] = 0

    def run(name):
        with scene.fresh(sink_url) as place:
            before = sink.taken(sink_url)
            got = place.run("hotpath.py", contender=name, **task)
            got["requests"] = sink.taken(sink_url) - before + place.requests
            if figure == "repeat":
                got["errors"] = WARM_UP + got["calls"] + (0 if task["calls"] else SAMPLE)
                if name in peers.LOGHUB and name != "file":
                    got |= {"issues": place.issues, **place.counted()}
                    if got["counted"] != got["errors"]:
                        raise SystemExit(f"{name}: {got['errors']} errors, {got['counted']} counted")
            return got

    return run


def row(name, repeat, distinct):
    """Return a contender's row."""
    if not peers.CONTENDERS[name].installed:
        return [name, f"not installed: {peers.CONTENDERS[name].needs}", *["-"] * (len(HEAD) - 2)]
    cells = []
    for found, figure in ((repeat, "median"), (repeat, "p99"), (repeat, "cpu"), (distinct, "distinct")):
        micros = [nanos / 1000 for nanos in rounds.figures(found, name, figure)]
        cells += [rounds.median(micros), rounds.spread(rounds.ratios(found, name, PEER, figure))]
    last = repeat[name][-1]
    return [name, *cells, f"{last['requests']:,} / {last['errors']:,}"]


def goals(repeat, distinct):
    """Return what is to hold, of medians of ratios within a round."""

    def against(name, figure, peer=PEER, found=repeat):
        return rounds.ratios(found, name, peer, figure)

    four = "GitHub + detail + mail + log file"
    return [
        rounds.Goal("repeat, GitHub + detail + mail: median of a call", against("three", "median"), 0.06),
        rounds.Goal("the same, against NullHandler", against("three", "median", "null"), 2.5),
        rounds.Goal(f"repeat, {four}: median of a call", against("four", "median"), 0.10),
        rounds.Goal(f"repeat, {four}: 99th percentile", against("four", "p99"), 0.15),
        rounds.Goal(f"repeat, {four}: CPU of the process", against("four", "cpu"), 0.20),
        rounds.Goal(f"distinct, {four}: calling thread", against("four", "distinct", found=distinct), 0.5),
    ]


def main():
    """Run all rounds and print the tables."""
    args = rounds.arguments(__doc__, rounds=7)
    names = rounds.chosen(args, peers.CONTENDERS)
    here = [name for name in names if peers.CONTENDERS[name].installed]
    with sink.running() as url:
        repeat, distinct = (
            rounds.interleaved(here, args.rounds, measure(figure, args, url), figure)
            for figure in ("repeat", "distinct")
        )
    rows = [row(name, repeat, distinct) for name in names]
    rounds.report(args, [(HEAD, rows)], goals(repeat, distinct), {"repeat": repeat, "distinct": distinct})


if __name__ == "__main__":
    asked = scene.asked()
    child(*asked) if asked else main()
