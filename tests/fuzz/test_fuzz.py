"""Each target against some hundreds of inputs; `python -m tests.fuzz.run` goes on where this ends."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.choices import Choices
from tests.fuzz.targets import TARGETS, seeds


@pytest.mark.parametrize("target", TARGETS)
def test_seeds(target):
    """What the long runs begin with holds."""
    for data in seeds():
        TARGETS[target](data)


@pytest.mark.slow
@pytest.mark.shows("hostile input", "application unharmed")
@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=600))
@example(data=b"")
def test_anything(target, data):
    """Any bytes hold; the same at each run, as the long runs look for what is new."""
    TARGETS[target](data)


def test_choices():
    """The same bytes are the same choices, and after their end each is the first."""
    for _ in range(2):
        choices = Choices(b"\x05\x02hi\xffx")
        assert (choices.number(3), choices.text(9), choices.rest(), bool(choices)) == (1, "hi", "\udcffx", False)
        assert (choices.number(9), choices.pick("ab"), choices.text(), choices.chance(1)) == (0, "a", "", False)
