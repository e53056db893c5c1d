"""Functions of other modules that ours stand in for, until they are put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Replaced:
    """What was replaced; while it `holds`, ours are to act, and afterwards only to call what was there before."""

    def __init__(self) -> None:
        self.holds = True
        self._put: list[tuple[Any, str, Any, Any]] = []

    def put(self, module: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Replace a function by what `make` makes of the one that is there."""
        before = getattr(module, name)
        ours = make(before)
        setattr(module, name, ours)
        self._put.append((module, name, ours, before))

    def restore(self) -> None:
        """Put back what was there, unless somebody has put his own in place of ours."""
        self.holds = False
        for module, name, ours, before in reversed(self._put):
            if getattr(module, name) is ours:
                setattr(module, name, before)
        self._put.clear()
