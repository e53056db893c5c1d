"""Rounds in which every contender runs once, ratios within a round, and the tables.

    args = rounds.arguments(__doc__)
    found = rounds.interleaved(names, args.rounds, measure)      # name -> its figures, one dict a round
    rounds.ratios(found, "four", "stdlib", "median")             # one ratio a round

A round that is disturbed disturbs all who run in it, and their ratio least.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from typing import NamedTuple


def arguments(doc, rounds):
    """Read the options that all scripts have; `rounds` is the default."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"{rounds}")
    parser.add_argument("--only", metavar="NAME,NAME", default="", help="only these; the peer is needed for ratios")
    parser.add_argument("--quick", action="store_true", help="one small round, to see that it works")
    parser.add_argument("--json", metavar="FILE", help="write all figures of all rounds there")
    parser.add_argument("--markdown", action="store_true", help="print tables to paste into a text")
    args = parser.parse_args()
    if args.quick:
        args.rounds = 1
    return args


def chosen(args, names):
    """Return those of `names` that --only asks for."""
    asked = [name for name in args.only.split(",") if name] or list(names)
    unknown = set(asked) - set(names)
    if unknown:
        raise SystemExit(f"no contender {', '.join(sorted(unknown))}: there are {', '.join(names)}")
    return [name for name in names if name in asked]


def interleaved(names, rounds, measure, label=""):
    """Run `measure` for each of `names` in each round, another one first each time; return all figures."""
    found = {name: [] for name in names}
    for number in range(rounds if names else 0):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            print(f"\r\033[K{label} round {number + 1} of {rounds}: {name}", end="", file=sys.stderr, flush=True)
            found[name].append(measure(name))
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    return found


def ratios(found, name, peer, figure):
    """Return `name`'s figure over the peer's, of each round; nothing if one of them did not run."""
    pairs = zip(found.get(name, ()), found.get(peer, ()), strict=False)
    return [mine[figure] / theirs[figure] for mine, theirs in pairs]


def figures(found, name, figure):
    """Return a figure of each round."""
    return [one[figure] for one in found.get(name, ())]


def spread(values, form="{:.2f}"):
    """Return ``median (lowest..highest)``, or the only value; a dash for nothing."""
    if not values:
        return "-"
    low, middle, high = (form.format(value) for value in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low}..{high})"


def median(values, form="{:,.1f}"):
    """Return the median; a dash for nothing."""
    return form.format(statistics.median(values)) if values else "-"


class Goal(NamedTuple):
    """One thing that is to hold.

    Attributes:
        text: What.
        values: The figure of each round; nothing: not measured.
        limit: What the figure may be.
        form: How figures are written.
        unit: What follows them.
        at_least: The figure must not be less; else it must not be more.
        of: What of the rounds counts: the median for times, the worst for counts.
    """

    text: str
    values: list
    limit: float
    form: str = "{:.3f}"
    unit: str = " x"
    at_least: bool = False
    of: object = statistics.median

    def row(self):
        """Return text, figure, goal and whether it holds."""
        word = "at least" if self.at_least else "at most"
        goal = f"{word} {self.form.format(self.limit)}{self.unit}"
        if not self.values:
            return [self.text, "not measured", goal, "-"]
        figure = self.of(self.values)
        holds = figure >= self.limit if self.at_least else figure <= self.limit
        return [self.text, spread(self.values, self.form) + self.unit, goal, "yes" if holds else "NO"]


def table(head, rows, *, markdown=False):
    """Return a table; in Markdown, or with columns for a terminal."""
    if markdown:
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, *rows]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in lines)  # fmt: skip


def report(args, tables, goals, found):
    """Print the tables, and the goals at the end; write the figures where --json says."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    print(f"{time.strftime('%d %B %Y')}, {machine}, {args.rounds} rounds: median (lowest..highest)")
    if args.quick:
        print("--quick: too little to say anything about time")
    head = ["goal", "figure", "is to be", "holds"]
    for columns, rows in (*tables, (head, [goal.row() for goal in goals])):
        print("\n" + table(columns, rows, markdown=args.markdown))
    if args.json:
        kept = {"goals": [dict(zip(head, goal.row(), strict=True)) for goal in goals], "figures": found}
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(kept, file, indent=1)
