"""The line about what recovery procedures did."""

from __future__ import annotations

import pytest

from loghub.ledger.protocol import Recovery
from loghub.recovery.wording import told, wording

AT = 1_795_835_407.0  # 2026-11-28 03:10:07 UTC
REOPEN = "shop.repair.reopen"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ([], ""),
        ([Recovery(AT, REOPEN, "recovered", 0.84)], f"recovered by {REOPEN} in 0.8 s at 2026-11-28 03:10:07 UTC"),
        (
            [Recovery(AT, REOPEN, "failed", 1234.5, "the camera\ndoes not answer", "cam-3")],
            f"failed in {REOPEN} after 1,234 s at 2026-11-28 03:10:07 UTC on cam-3: the camera does not answer",
        ),
        (
            [Recovery(AT, REOPEN, "gave up", 12.0), Recovery(AT, REOPEN, "failed", 1.0, "busy")],
            f"gave up in {REOPEN} after 12 s at 2026-11-28 03:10:07 UTC (2 runs, none recovered)",
        ),
        (
            [Recovery(AT, REOPEN, outcome, 1.0, "busy") for outcome in ("recovered", "failed", "recovered")],
            f"recovered by {REOPEN} in 1.0 s at 2026-11-28 03:10:07 UTC (3 runs, 2 recovered)",
        ),
    ],
)
def test_told(known, expected):
    """The newest outcome is told in one line: what, when, how long, of how many, and why not."""
    assert told(known) == expected


def test_wording():
    """A single outcome is told with its reason, without time and place."""
    assert wording(Recovery(AT, REOPEN, "recovered", 0.84, server="web-1")) == f"recovered by {REOPEN} in 0.8 s"
    assert wording(Recovery(AT, REOPEN, "gave up", 31.0, "no route.")) == f"gave up in {REOPEN} after 31 s: no route"
