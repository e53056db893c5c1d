"""What a storm of errors costs: how many a second, how many requests and mails, how much memory.

    python benchmarks/storm.py [--rounds 7] [--only stdlib,four] [--quick] [--json FILE] [--markdown]

Two storms through all handlers of loghub: 50,000 times one bug, and 20,000 bugs once each. GitHub and the mail
server are the tests' stand-ins, in another process, which counts what it gets (see README.md here).
"""

import itertools
import json
import time
from contextlib import suppress

import bugs
import peers
import rounds
import scene

PEER = "stdlib"
WARM_UP = 200
PAUSE_SECONDS = 1.5
DRAIN_SECONDS = 60
SIZES = {"null": 50_000, "stdlib": 5_000, "four": 50_000}
DISTINCT = 20_000
RATES = ["contender", "errors", "errors a second", "x stdlib"]
COUNTS = {
    "errors, with warm-up": "told",
    "counted": "counted",
    "said to be dropped": "dropped",
    "bugs": "bugs",
    "issues": "issues",
    "requests": "requests",
    "requests with drain": "requests_drained",
    "mails": "mails",
    "mails with drain": "mails_drained",
}
MEMORY = {
    "resident MiB before": "before",
    "peak of the storm: grown by": "grown",
    "peak with the end of the process": "grown_end",
}


# The contender's process --------------------------------------------------------------------------------------


def child(place, task):
    """Run a storm in this process and print seconds and memory (MiB)."""
    app = bugs.application(place.folder, 1 + task["distinct"])
    ready = peers.CONTENDERS[task["contender"]].set_up(place)
    same = app.bugs[0]
    bugs.log_all(app, itertools.repeat(same, WARM_UP), ready)
    time.sleep(task["pause"])
    storm = app.bugs[1:] if task["distinct"] else itertools.repeat(same, task["errors"])
    with suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # the peak begins anew
    before = resident("VmRSS")
    seconds = bugs.log_all(app, storm, ready)
    peak = resident("VmHWM")
    ready.through()
    print(json.dumps({"seconds": seconds, "before": before, "peak": peak, "end": resident("VmHWM")}), flush=True)


def resident(field):
    """Return this process's resident memory in MiB: VmRSS what it is, VmHWM the highest that it was."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(field))


# The parent ---------------------------------------------------------------------------------------------------


def measure(args, *, distinct=False):
    """Return a function that runs one contender's storm, and drains what is left of loghub's."""
    part = 1 if not args.quick else 2_000 if distinct else 200

    def run(name):
        errors = (DISTINCT if distinct else SIZES[name]) // part
        task = {"contender": name, "pause": PAUSE_SECONDS, "errors": errors, "distinct": errors if distinct else 0}
        with scene.fresh() as place:
            got = place.run("storm.py", **task)
            got |= {"errors": errors, "rate": errors / got["seconds"], "told": WARM_UP + errors}
            if name in peers.LOGHUB:
                got |= {"requests": place.requests, "mails": place.mails}
                place.drain(DRAIN_SECONDS)
                got |= {"requests_drained": place.requests, "mails_drained": place.mails, "issues": place.issues}
                got |= place.counted()
                got["uncounted"] = abs(got["told"] - got["counted"])
            got["grown"], got["grown_end"] = got["peak"] - got["before"], got["end"] - got["before"]
            return got

    return run


def rate_row(name, found):
    """Return how fast a contender was."""
    size, rates = (rounds.figures(found, name, figure) for figure in ("errors", "rate"))
    ratios = rounds.ratios(found, name, PEER, "rate")
    return [name, f"{size[0]:,}", rounds.spread(rates, "{:,.0f}"), rounds.spread(ratios)]


def storm_row(label, found, columns, form):
    """Return what a storm through all handlers led to."""
    return [label, *(rounds.spread(rounds.figures(found, "four", figure), form) for figure in columns.values())]


def goals(same, distinct):
    """Return what is to hold."""

    def worst(text, found, figure, limit, **form):
        form = {"form": "{:,.0f}", "unit": ""} | form
        return rounds.Goal(text, rounds.figures(found, "four", figure), limit, of=max, **form)

    one, many = "one bug", "all different"
    return [
        rounds.Goal(f"{one}: errors a second", rounds.ratios(same, "four", PEER, "rate"), 8, "{:.1f}", at_least=True),
        worst(f"{one}: issues", same, "issues", 1),
        worst(f"{one}: HTTP requests, with drain", same, "requests_drained", 10),
        worst(f"{one}: mails, with drain", same, "mails_drained", 2),
        worst(f"{one}: memory grows by", same, "grown", 4, form="{:.1f}", unit=" MiB"),
        worst(f"{one}: not counted", same, "uncounted", 0),
        worst(f"{many}: issues (issues_per_hour)", distinct, "issues", 60),
        worst(f"{many}: mails (mails_per_hour)", distinct, "mails_drained", 30),
        worst(f"{many}: memory grows by", distinct, "grown", 64, form="{:.1f}", unit=" MiB"),
        worst(f"{many}: not counted", distinct, "uncounted", 0),
    ]


def main():
    """Run the storms and print the tables."""
    args = rounds.arguments(__doc__, rounds=7)
    names = rounds.chosen(args, SIZES)
    same = rounds.interleaved(names, args.rounds, measure(args), "one bug")
    loghub = [name for name in names if name == "four"]
    distinct = rounds.interleaved(loghub, 1, measure(args, distinct=True), "all different")
    tables = [(RATES, [rate_row(name, same) for name in names])]
    for columns, form in ((COUNTS, "{:,.0f}"), (MEMORY, "{:.1f}")) if loghub else ():
        storms = (("one bug", same), ("all different", distinct))
        tables.append((["storm", *columns], [storm_row(*storm, columns, form) for storm in storms]))
    rounds.report(args, tables, goals(same, distinct), {"one bug": same, "all different": distinct})


if __name__ == "__main__":
    asked = scene.asked()
    child(*asked) if asked else main()
