"""How many requests a minute are taken, of each address and of all."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from loghub.web.budget import MOST_ADDRESSES, WINDOW_SECONDS, Budget


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self):
        self.at = 1000.0

    def __call__(self):
        return self.at


@given(
    st.integers(1, 5),
    st.integers(1, 9),
    st.lists(st.tuples(st.sampled_from(["10.0.0.1", "10.0.0.2", "::1"]), st.floats(0, 40)), max_size=60),
)
def test_any_minute(each, total, requests):
    """In no minute whatsoever more is taken than said, and what is refused has room after the wait that was told."""
    clock = Clock()
    budget = Budget(each, total, clock)
    taken = []
    for address, pause in requests:
        clock.at += pause
        wait = budget.spend(address)
        assert 0.0 <= wait <= WINDOW_SECONDS
        if not wait:
            taken.append((clock.at, address))
    for at, _ in taken:
        window = [who for when, who in taken if at <= when < at + WINDOW_SECONDS]
        assert len(window) <= total
        assert max(Counter(window).values()) <= each
    if requests and (wait := budget.spend(requests[-1][0])):
        clock.at += wait
        assert budget.spend(requests[-1][0]) == 0.0


def test_total():
    """What all together may spend is not each one's, and a refusal costs the address nothing."""
    budget = Budget(2, 3, Clock())
    assert [budget.spend(one) for one in ("192.0.2.1", "192.0.2.1", "192.0.2.2")] == [0.0] * 3
    assert budget.spend("192.0.2.2") == WINDOW_SECONDS


def test_refused_are_forgotten():
    """Who is refused because all together have spent theirs takes no place from who comes when there is room again."""
    clock = Clock()
    budget = Budget(2, 1, clock)
    assert budget.spend("a") == 0.0
    assert all(budget.spend(f"10.0.{one >> 8}.{one & 255}") for one in range(2 * MOST_ADDRESSES))
    assert len(budget) == 1


def test_ipv6():
    """Who has a network of IPv6 addresses is one address; who comes by IPv4 over IPv6 is the same as without."""
    budget = Budget(1, 100, Clock())
    assert budget.spend("2001:db8::1") == 0.0
    assert budget.spend("2001:db8::2") > 0
    assert budget.spend("2001:db8:0:1::1") == 0.0
    assert budget.spend("10.0.0.1") == 0.0
    assert budget.spend("::ffff:10.0.0.1") > 0
    assert budget.spend("fe80::1%eth0") == 0.0


def test_many_addresses():
    """Over any number of addresses memory stays as it is, and the budget of each holds."""
    clock = Clock()
    budget = Budget(1, 1_000_000, clock)
    taken = sum(not budget.spend(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(3 * MOST_ADDRESSES))
    assert taken == len(budget) == MOST_ADDRESSES + 1
    clock.at += WINDOW_SECONDS
    assert budget.spend("192.0.2.1") == 0.0
    assert len(budget) == 1
