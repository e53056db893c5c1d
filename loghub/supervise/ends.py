"""Two descriptors of which one is the child's."""

from __future__ import annotations

import os


class Ends:
    """What is written to ``child_end`` is read from ``source``."""

    def __init__(self, source: int, child_end: int) -> None:
        self.source = source
        self.child_end = child_end

    def hand_over(self) -> None:
        """Close the child's end here, once the child has it."""
        if self.child_end >= 0:
            os.close(self.child_end)
        self.child_end = -1

    def close(self) -> None:
        """Close what is open here."""
        self.hand_over()
        if self.source >= 0:
            os.close(self.source)
        self.source = -1
