"""Commands are tried as from a terminal."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _hearing(hearing):
    """Try signals as from a terminal."""
