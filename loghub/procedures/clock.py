"""Time and chance as procedures see them, in one place so that a test can hold them."""

from __future__ import annotations

from random import uniform
from time import monotonic, sleep, time

__all__ = ["monotonic", "sleep", "time", "uniform"]
