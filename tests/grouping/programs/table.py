"""The table in which programs say which bugs they have."""

from __future__ import annotations

import itertools
from typing import Any

from tests.grouping.stage import PYTHONS, Case

_COMMON = ("release", "container", "windows", "src", "later release", "temp build", "lambda", "windows agent")


def case(what: str, *args: Any, **how: Any) -> dict[str, Any]:
    """Return one way to run into a bug; `how` are fields of `Case`."""
    return {"what": what, "args": args, **how}


class Table:
    """Bugs of one set of sources.

    Args:
        sources: As in `Case`.
        start: Where interpreters and deployments begin to go round.
    """

    def __init__(self, sources: dict[str, str], start: int = 0) -> None:
        self.sources = sources
        self.cases: list[Case] = []
        self._round = itertools.count(start)

    def bug(self, label: str, call: str, *ways: dict[str, Any], **common: Any) -> None:
        """Add a bug with all its cases."""
        for way in ways:
            at = next(self._round)
            fields = {"python": PYTHONS[at % 3], "layout": _COMMON[at % 8], "sources": self.sources, "call": call}
            fields |= common | way
            fields["what"] = f"{fields['what']}; Python {fields['python']}, {fields['layout']}"
            self.cases.append(Case(bug=label, **fields))
