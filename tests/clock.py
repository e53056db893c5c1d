"""A time for tests, which passes only when somebody sleeps or a test says so."""

from __future__ import annotations


class Clock:
    """Epoch seconds, and who slept for how long."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
