"""Values as trees that end: any JSON goes in, and what a page shows of it comes out.

What is left out is said in its place; the JSON of the event has all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

from loghub.web.shown import MAX_VALUE, name, text

MAX_ITEMS = 100
MAX_NODES = 2_000
MAX_DEPTH = 12
MAX_LINES = 400
"""Lines of all stacks on a page."""
MAX_CHARS = 300_000
"""Of one tree, and of all stacks together; what comes then is cut to a line."""

_LEAST = 80

_OPEN = 16
"""Branches with up to so many values are unfolded from the beginning."""


@dataclass(slots=True)
class Node:
    """A value of JSON.

    Attributes:
        kind: ``text``, ``plain`` (a number, true, false, null), ``pairs`` or ``items``.
        text: Of the first two.
        children: Name (of an item its number) and node, of the others.
        left: So many more children there are, which are not shown.
        is_open: Whether the children are few enough to be seen at once.
    """

    kind: str
    text: str = ""
    children: list[tuple[str, Node]] = field(default_factory=list)
    left: int = 0
    is_open: bool = True


@dataclass(slots=True)
class Allowance:
    """How much may still come: values or exceptions, lines of stacks, and characters. Later texts are cut shorter."""

    nodes: int
    lines: int = MAX_LINES
    chars: int = MAX_CHARS

    def text(self, value: object, limit: int = MAX_VALUE) -> str:
        """Return any value as a text, the shorter the less is left, and take it from that."""
        said = text(value, max(_LEAST, min(limit, self.chars)))
        self.chars -= len(said)
        return said


def tree(value: object) -> Node:
    """Return any value as a tree of at most `MAX_NODES` nodes."""
    return _node(value, 0, Allowance(MAX_NODES))


def _node(value: object, depth: int, allowance: Allowance) -> Node:
    allowance.nodes -= 1
    if value is None or isinstance(value, bool):
        return Node("plain", {None: "null", True: "true", False: "false"}[value])
    if isinstance(value, int | float):
        return Node("plain", text(value))
    if not isinstance(value, dict | list | tuple):
        return Node("text", allowance.text(value))
    if depth >= MAX_DEPTH:
        return Node("plain", f"… {len(value)} more values, nested deeper")
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    made = Node("pairs" if isinstance(value, dict) else "items", is_open=depth == 0 or len(value) <= _OPEN)
    for key, one in islice(pairs, MAX_ITEMS):
        if allowance.nodes <= 0:
            break
        made.children.append((name(key), _node(one, depth + 1, allowance)))
    made.left = len(value) - len(made.children)
    return made
