"""Daemons, which fork twice and close all descriptors, ours among them."""

from __future__ import annotations

import pytest

from tests.servers.bugs import NAMES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("steps", "calls"),
    [("fsfc", 20), ("fscf", 20), ("wcfsf", 20), ("fsflwc", 30), ("wc", 20)],
    ids=["as usual", "closed between", "closed first", "having logged", "without a fork"],
)
def test_daemon(shop, steps, calls):
    """All that a daemon logs is counted and in its log, and files that got numbers of ours are as they were."""
    with shop.start("-m", "tests.servers.daemon", steps):
        shop.wait((shop.folder / "files").exists)
        shop.wait((shop.folder / "files").read_text)
    assert (shop.folder / "files").read_text() == "as they were"
    shop.check(exact=True)
    assert shop.calls("begun") == dict.fromkeys(NAMES, calls)
