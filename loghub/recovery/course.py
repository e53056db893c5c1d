"""When a procedure may run: cooldown, attempts, and a circuit breaker. Decided without a clock or a ledger."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

REST_SECONDS = 900.0
"""How long nothing is tried after giving up; twice as long each time in a row."""

LONGEST_REST_SECONDS = 86_400.0

LASTING_SECONDS = 60.0
"""An error that comes again within this time, or within the cooldown, was not recovered from."""

FARTHEST_SECONDS = 2 * LONGEST_REST_SECONDS
"""A time that is further ahead was set by a clock that was wrong."""

Outcome = Literal["recovered", "failed", "gave up"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a procedure was given.

    Attributes:
        cooldown: The least seconds between the end of a run and the next.
        attempts: So many failures in a row, and it gives up; a recovery that did not last counts as one.
        timeout: A run that takes longer has failed (seconds).
    """

    cooldown: float = 60.0
    attempts: int = 3
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class Step:
    """What to do about an error now: ``run``; ``wait`` until a time, and why; ``covered``: it was recovered from."""

    kind: Literal["run", "wait", "covered"]
    until: float = 0.0
    why: str = ""


@dataclass(slots=True)
class Course:
    """What became of a procedure's runs so far, as all processes of a ledger know it. Times are epoch seconds.

    Attributes:
        runs: How many there were.
        recovered: How many of them helped.
        failures: How many did not since one did that lasted.
        outcome: Of the last one.
        reason: Why the last one failed.
        ended_at: When the last one ended.
        began_at: When the one began that is under way; 0.0 if none is.
        rests: How often in a row it gave up.
        rest_until: Until when it has given up.
    """

    runs: int = 0
    recovered: int = 0
    failures: int = 0
    outcome: str = ""
    reason: str = ""
    ended_at: float = 0.0
    began_at: float = 0.0
    rests: int = 0
    rest_until: float = 0.0

    @classmethod
    def read(cls, memory: Mapping[str, Any]) -> Course:
        """Return what a ledger remembers; what is damaged is as if it had never been."""
        known: dict[str, Any] = {}
        for one in fields(cls):
            value = memory.get(one.name, one.default)
            right = (int, float) if isinstance(one.default, float) else (type(one.default),)
            known[one.name] = value if isinstance(value, right) and not isinstance(value, bool) else one.default
        return cls(**known)

    def memory(self) -> dict[str, Any]:
        """Return it as a ledger keeps it."""
        return asdict(self)

    def step(self, terms: Terms, now: float, since_at: float, last_seen_at: float) -> Step:
        """Return what to do about an error of which something waits.

        Args:
            terms: The procedure's.
            now: The time.
            since_at: When the oldest occurrence that waits arrived.
            last_seen_at: When the newest one happened.
        """
        self._mend(now)
        if self.outcome == "recovered":
            if last_seen_at <= self.ended_at:
                return Step("covered")
            self._judge(terms, now, since_at)
        if now < self.rest_until <= now + FARTHEST_SECONDS:
            return Step("wait", self.rest_until, self._gave_up())
        if now < self.ended_at + terms.cooldown <= now + FARTHEST_SECONDS:
            why = f"it ran within the last {terms.cooldown:g} s (cooldown)"
            return Step("wait", self.ended_at + terms.cooldown, f"{why}: {self.reason}" if self.reason else why)
        return Step("run")

    def _mend(self, now: float) -> None:
        """Forget when a run ended by a clock that was ahead: all errors until then would count as recovered from."""
        if self.ended_at > now + LASTING_SECONDS:
            self.ended_at = 0.0
            if self.outcome == "recovered":
                self.outcome = ""

    def _judge(self, terms: Terms, now: float, since_at: float) -> None:
        """The error is back: say whether the last recovery lasted."""
        if since_at - self.ended_at > max(terms.cooldown, LASTING_SECONDS):
            self.failures = self.rests = 0
            self.outcome = self.reason = ""
        else:
            self._fail(terms, now, "the error came again right after it was recovered from")

    def may_run(self, terms: Terms, now: float) -> bool:
        """Return whether somebody who asks for a run gets one."""
        self._mend(now)
        resting = now < self.rest_until <= now + FARTHEST_SECONDS
        return not resting and not now < self.ended_at + terms.cooldown <= now + FARTHEST_SECONDS

    def begin(self, now: float) -> None:
        """Note that a run begins."""
        self.runs += 1
        self.began_at = now

    def conclude(self, terms: Terms, now: float, reason: str | None) -> Outcome:
        """Note that a run has ended, or takes too long.

        Args:
            terms: The procedure's.
            now: The time.
            reason: Why it failed; None: it helped.
        """
        self.began_at = 0.0
        self.ended_at = now
        if reason is None:
            self.recovered += 1
            self.outcome, self.reason, self.rest_until = "recovered", "", 0.0
            return "recovered"
        return self._fail(terms, now, reason)

    def _fail(self, terms: Terms, now: float, reason: str) -> Outcome:
        self.failures += 1
        self.outcome, self.reason = "failed", reason
        if self.failures < terms.attempts:
            return "failed"
        self.rest_until = now + min(REST_SECONDS * 2.0 ** min(self.rests, 30), LONGEST_REST_SECONDS)
        self.rests += 1
        self.failures = terms.attempts - 1  # after the rest one failure is enough
        self.outcome = "gave up"
        return "gave up"

    def _gave_up(self) -> str:
        return f"gave up: {self.reason}" if self.reason else "gave up"
