"""How well a rule groups a labelled set: over all pairs of events, and which bugs it merges or splits."""

from __future__ import annotations

import collections
import dataclasses
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_HERE = os.path.dirname(os.path.abspath(__file__))
REAL = os.path.join(_HERE, "real.jsonl")
"""Really raised, by `tests.grouping.generate`."""

PUBLIC = os.path.join(_HERE, "public.jsonl")
"""Shaped after public reports, whose address is the line's ``source``; a variation of one has none."""


@dataclasses.dataclass(frozen=True)
class Score:
    """Pairs of events: in one group rightly, in one group wrongly, and apart wrongly."""

    right: int
    merged: int
    split: int

    @property
    def precision(self) -> float:
        """The share of the pairs in one group that are of one bug."""
        return _share(self.right, self.merged)

    @property
    def recall(self) -> float:
        """The share of the pairs of one bug that are in one group."""
        return _share(self.right, self.split)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def load(path: str = REAL) -> list[dict[str, Any]]:
    """Return the lines of a set: ``bug``, ``case``, ``python``, ``event``."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def score(lines: Sequence[dict[str, Any]], rule: Callable[[dict[str, Any]], str]) -> Score:
    """Return how `rule`, which gives an event its group, does on a labelled set."""
    placed = [(line["bug"], rule(line["event"])) for line in lines]
    right = _pairs(placed)
    return Score(right, _pairs(group for _, group in placed) - right, _pairs(bug for bug, _ in placed) - right)


def mistakes(lines: Sequence[dict[str, Any]], rule: Callable[[dict[str, Any]], str], limit: int = 50) -> list[str]:
    """Return what `rule` does wrong, costliest first: each entry names a merged group or a split bug, with cases."""
    by_group: dict[str, dict[str, list[str]]] = collections.defaultdict(lambda: collections.defaultdict(list))
    by_bug: dict[str, dict[str, list[str]]] = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in lines:
        group = rule(line["event"])
        by_group[group][line["bug"]].append(line["case"])
        by_bug[line["bug"]][group].append(line["case"])
    found = [(_wrong_pairs(bugs), f"MERGED {group}", bugs) for group, bugs in by_group.items() if len(bugs) > 1]
    found += [(_wrong_pairs(groups), f"SPLIT {bug}", groups) for bug, groups in by_bug.items() if len(groups) > 1]
    found.sort(key=lambda one: (-one[0], one[1]))
    return ["\n".join([f"{head} ({cost} pairs)", *_shown(parts)]) for cost, head, parts in found[:limit]]


def _shown(parts: dict[str, list[str]]) -> Iterable[str]:
    return (f"  {name}: {' | '.join(cases)}" for name, cases in sorted(parts.items()))


def _wrong_pairs(parts: dict[str, list[str]]) -> int:
    sizes = [len(cases) for cases in parts.values()]
    return (sum(sizes) ** 2 - sum(size * size for size in sizes)) // 2


def _pairs(names: Iterable[object]) -> int:
    return sum(count * (count - 1) // 2 for count in collections.Counter(names).values())


def _share(right: int, wrong: int) -> float:
    return right / (right + wrong) if right + wrong else 1.0
