"""What tests opened is closed."""

import pytest

from tests.logfiles import reading


@pytest.fixture(autouse=True)
def _closed():
    yield
    while reading.ledgers:
        reading.ledgers.pop().close()
