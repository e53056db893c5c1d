"""The storm issue: what waits is listed, nothing of it is live, and each ledger speaks for itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub.github import storm
from loghub.github.block import BEGIN, BODY_LIMIT, END, put, read_state, read_states, write_state
from loghub.ledger.protocol import Item
from tests.github.rendered import AT, Page, a_group, assert_harmless, hostile_groups, thorough, units

LEDGER = "0123456789ab"


def item(group):
    """Return a bug that waits for its issue."""
    return Item("github:o/r", group, group.count, group.count, {}, 40, AT)


def bugs(number):
    """Return so many bugs, each more frequent than those before it."""
    groups = (a_group(fingerprint=f"v1:{n:016x}", count=n, first_seen_at=AT - n) for n in range(1, number + 1))
    return [item(group) for group in groups]


def block_of(waiting, ledger=LEDGER):
    """Return the block of a ledger in which these bugs wait."""
    return storm.block(storm.state(ledger, waiting, AT), waiting)


@pytest.mark.slow
@thorough
@given(st.lists(hostile_groups.map(item), max_size=8))
def test_nothing_is_live(waiting):
    """No bug that waits mentions, refers, links, hides or leaves its cell."""
    text = storm.body(block_of(waiting), 60)

    assert_harmless(text, ["loghub:begin", "loghub:state", "loghub:end"])
    assert Page(text).tags.count("td") == 3 * len(waiting)
    assert read_state(text).count == len(waiting)


def test_what_people_read():
    """The most frequent come first, with how often, what and where; how many bugs and occurrences wait is said."""
    text = block_of([item(a_group(error_type="A|B", count=7, culprit="")), *bugs(2)])

    assert text == "\n".join(
        [
            BEGIN,
            write_state(storm.state(LEDGER, [item(a_group()), *bugs(2)], AT)),
            "",
            "3 bugs with 10 occurrences wait for their issues (2025-11-06 08:23:41 UTC).",
            "",
            "| Occurrences | Bug | Fingerprint |",
            "| ---: | --- | --- |",
            r"| 7 | `A\u007cB: missing required field 'model_id'` | `v1:0123456789abcdef` |",
            "| 2 | `ValueError: shop.cart in Cart.add` | `v1:0000000000000002` |",
            "| 1 | `ValueError: shop.cart in Cart.add` | `v1:0000000000000001` |",
            "",
            END,
        ]
    )


def test_many():
    """Of 500 bugs the most frequent are listed, the others counted, and the issue stays readable."""
    text = storm.body(block_of(bugs(500)), 60)

    assert read_state(text).count == 500
    assert text.count("| `v1:") == storm.LISTED
    assert "| 500 | " in text
    assert "| 451 | " in text
    assert "| 450 | " not in text
    assert "\n\nAnd 450 more.\n\n" in text
    assert units(text) < 10_000


def test_longest():
    """The longest names there are leave room for the lists of several ledgers."""
    long = [item(replace(one.group, error_type="\U000e0041" * 999, culprit="`|" * 999)) for one in bugs(500)]

    assert units(storm.body(block_of(long), 60)) < BODY_LIMIT / 4


@pytest.mark.parametrize("began", [0.0, AT])
def test_nothing_waits(began):
    """When nothing waits any more the block says so, and its count is nothing."""
    text = storm.block(storm.state(LEDGER, [], began), [])

    assert read_state(text).count == 0
    assert "Nothing waits any more (" in text
    assert "|" not in text


def test_state():
    """For machines the block says how many wait, since when, and which ledger says it."""
    state = storm.state(LEDGER, bugs(3), AT)

    assert (state.fingerprint, state.counts) == (f"storm:{LEDGER}", {LEDGER: 3})
    assert (state.first_seen_at, state.last_seen_at) == (AT - 3, AT)
    assert read_state(block_of(bugs(3))) == state


def test_two_ledgers():
    """Each ledger replaces its own block, and the other's stays byte for byte."""
    other = block_of(bugs(4), "ba9876543210")
    body = put(storm.body(block_of(bugs(9)), 60), other)

    again = put(body, block_of(bugs(1)))

    assert again == body.replace(block_of(bugs(9)), block_of(bugs(1)))
    assert [state.count for state in read_states(again)] == [1, 4]


def test_little_room():
    """Where the list does not fit only the state is told; where that does not fit, nothing."""
    waiting = bugs(500)
    text = block_of(waiting)
    assert put("x" * (BODY_LIMIT - units(text) - 2), text).endswith(text)

    short = put("x" * (BODY_LIMIT - units(text)), text)
    assert short.endswith(f"\n\n{BEGIN}\n{write_state(storm.state(LEDGER, waiting, AT))}\n{END}")
    assert read_state(short).count == 500

    assert put("x" * (BODY_LIMIT - 100), text) is None


def test_little_room_for_a_longer_list():
    """A list that no longer fits is replaced by its state alone, and comes back when there is room."""
    body = f"{'x' * (BODY_LIMIT - 3_000)}\n\n{block_of(bugs(2))}"

    short = put(body, block_of(bugs(500)))

    assert read_state(short).count == 500
    assert "| Bug |" not in short
    assert put(short, block_of(bugs(2))) == body
