"""The programs that fail, and how they are varied.

A bug is a place in a source that a maintainer would mend. Its cases are what must not matter: each takes the next
interpreter and the next deployment unless it asks for one, so that nearly every pair of them differs in these, too.
"""

from __future__ import annotations

import importlib
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.grouping.stage import Case

_MODULES = ("service", "chains", "libraries", "spoken", "language", "jobs")


def all_cases() -> Iterator[Case]:
    """Yield every case of the set, in its order."""
    return itertools.chain.from_iterable(importlib.import_module(f"{__name__}.{name}").cases() for name in _MODULES)
