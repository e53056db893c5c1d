"""What people ask a reader for: read, or refused in one sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub import asked
from loghub.errors import BadFilterError
from loghub.ledger.find import ALL, ORDERS, Find

NOW = 1_790_000_000.0


def read(**given):
    """Read what was asked for at a fixed time."""
    return asked.read(given, lambda: NOW)


def test_all():
    """Whoever asks for nothing gets everything, the last seen first; names that are none count for nothing."""
    for said in ({}, {"type": "", "text": "  "}, {"limit": "7"}):
        question = asked.read(said)
        assert (question.find, question.order, question.said, question.troubles) == (ALL, ORDERS[0], {}, {})


def test_every_name():
    """Each name of the command line is read into what a ledger looks for."""
    question = read(
        type="KeyError", module="shop", component="web", level="warning", release="1.0", environment="production",
        text="no", since="2026-01-01", until="36h", status="muted", sort="count",
    )  # fmt: skip
    assert question.find == Find(
        error_type="KeyError", module="shop", component="web", level=30, release="1.0", environment="production",
        text="no", since=1_767_225_600.0, until=NOW - 36 * 3600, status="muted",
    )  # fmt: skip
    assert question.order == "count"
    assert question.troubles == {}


def test_wrong_values_are_left_out():
    """What is wrong is said by name, and what is right counts."""
    question = read(level="loud", since="soon", type="KeyError", sort="size")
    assert question.find == Find(error_type="KeyError")
    assert question.order == ORDERS[0]
    assert sorted(question.troubles) == ["level", "since", "sort"]
    assert question.said["level"] == "loud"


def test_times_that_exclude_each_other():
    """Of two times that nothing lies between the second is left out."""
    question = read(since="1d", until="2d")
    assert question.find == Find(since=NOW - 86400)
    assert sorted(question.troubles) == ["until"]


@given(st.dictionaries(st.sampled_from(asked.NAMES), st.text(max_size=2000)))
def test_any_text(given):
    """Whatever is asked for is read, or refused in one sentence that is not as long as what was asked for."""
    question = asked.read(given)
    assert set(question.troubles) <= set(question.said) <= set(given)
    assert all(len(sentence) < 500 and sentence.endswith(".") for sentence in question.troubles.values())
    assert question.order in ORDERS


@pytest.mark.parametrize("text", ["9" * 10, "9" * 5000, "٣", "-1", "1.5", "4 0"])
def test_numbers_that_are_no_level(text):
    """A number that no level has is refused; logging's own are taken."""
    assert asked.level(" 25 ") == 25
    with pytest.raises(BadFilterError, match="is no level"):
        asked.level(text)
