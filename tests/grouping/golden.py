"""Writes ``golden.json``: ``python -m tests.grouping.golden``. Never again for a version that is released."""

from __future__ import annotations

import json
import os

from loghub.fingerprint import of_event
from tests.grouping.scorer import PUBLIC, REAL, load

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json")


def read() -> dict[str, list[str]]:
    """Return the fingerprints of the events of each set, in their order."""
    with open(GOLDEN, encoding="utf-8") as file:
        found: dict[str, list[str]] = json.load(file)
    return found


def main() -> None:
    """Write the table."""
    made = {os.path.basename(path): [of_event(line["event"]) for line in load(path)] for path in (REAL, PUBLIC)}
    with open(GOLDEN, "w", encoding="utf-8") as file:
        json.dump(made, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()
