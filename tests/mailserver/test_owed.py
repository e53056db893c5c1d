"""What recipients are owed: bounded, robust against damage and clocks, and given up in time."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loghub.mailserver import owed
from loghub.mailserver.owed import LONGEST_SECONDS, Owed, OwedMail

NOW = 1_790_000_000.0
CONTENT = b"Subject: x\r\n\r\nbody \xff\r\n"


def mail(number=0, *, recipients=("b@example.com",), content=CONTENT, now=NOW):
    """Return a mail that was put off."""
    return OwedMail.put_off(f"<{number}@shop.example>", "a@shop.example", recipients, content, now)


def test_through_json():
    """What is kept comes back as it was, byte by byte."""
    owes = Owed({}, NOW)
    owes.add(mail(1, recipients=["b@example.com", "jörg@example.com"]))
    again = Owed(json.loads(json.dumps(owes.memory())), NOW)
    assert again.mails == owes.mails
    assert again.mails[0].content == CONTENT


def test_waits_grow():
    """It is offered again after half a minute to four, then less and less often, but every hour at least."""
    one = mail()
    assert 30 <= one.due_at - NOW <= 257
    waits = []
    for _ in range(10):
        one.again(NOW)
        waits.append(one.due_at - NOW)
    assert all(wait <= 3600 for wait in waits)
    assert min(waits[5:]) >= 450


def test_given_up():
    """After two days it is given up, however often it was offered."""
    one = mail()
    assert one.again(NOW + LONGEST_SECONDS - 1)
    assert not one.again(NOW + LONGEST_SECONDS)


def test_due():
    """Only what is due is offered, and the next time to look is that of the first."""
    owes = Owed({}, NOW)
    assert owes.wake_at is None
    owes.add(mail(1))
    owes.add(mail(2))
    owes.mails[0].due_at, owes.mails[1].due_at = NOW + 5, NOW + 9
    assert owes.wake_at == NOW + 5
    assert owes.due(NOW) == []
    assert owes.due(NOW + 5) == owes.mails[:1]
    assert owes.due(NOW + 9) == owes.mails


def test_bounded_in_number():
    """The oldest gives way, and is returned."""
    owes = Owed({}, NOW)
    gone = [each for number in range(owed.MOST_MAILS + 2) for each in owes.add(mail(number))]
    assert [each.id for each in gone] == ["<0@shop.example>", "<1@shop.example>"]
    assert len(owes.mails) == owed.MOST_MAILS


def test_bounded_in_bytes(monkeypatch):
    """What is kept has a bound in bytes, too."""
    monkeypatch.setattr(owed, "MOST_BYTES", 250)
    owes = Owed({}, NOW)
    contents = [bytes(range(number, number + 64)) for number in range(5)]
    gone = [each for number, content in enumerate(contents) for each in owes.add(mail(number, content=content))]
    assert sum(len(each.packed) for each in owes.mails) <= 250
    assert [each.content for each in gone + owes.mails] == contents
    assert gone


def test_sent_once_more():
    """A mail that had to be sent twice, because nobody knew that it was taken, is owed once."""
    owes = Owed({}, NOW)
    owes.add(mail(1, recipients=["b@example.com", "c@example.com"]))
    owes.add(mail(1, recipients=["c@example.com"], now=NOW + 60))
    assert [each.recipients for each in owes.mails] == [["c@example.com"]]


def test_clock_that_was_ahead():
    """Times from the future do not hold a mail up, and its two days begin now."""
    owes = Owed({}, NOW)
    owes.add(mail(now=NOW + 90 * 86_400))
    read = Owed(owes.memory(), NOW)
    assert read.due(NOW) == read.mails
    assert read.mails[0].since == NOW


@pytest.mark.parametrize(
    "damage",
    [
        {"packed": "no base64"},
        {"packed": ""},
        {"recipients": []},
        {"recipients": None},
        {"since": "soon"},
        {"since": None},
        {"due_at": []},
        {"attempts": "x"},
    ],
)
def test_damage(damage):
    """What is damaged is left out, and the rest is kept."""
    owes = Owed({}, NOW)
    owes.add(mail(1))
    owes.add(mail(2))
    memory = owes.memory()
    memory["mails"][0] |= damage
    assert [each.id for each in Owed(memory, NOW).mails] == ["<2@shop.example>"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries({}, optional={"mails": anything | st.lists(st.fixed_dictionaries({
    "id": anything, "sender": anything, "recipients": anything, "packed": anything,
    "since": anything, "due_at": anything, "attempts": anything,
}), max_size=2)}))  # fmt: skip
def test_any_memory(memory):
    """Whatever stands in the ledger, reading it fails nowhere, and what is read can be offered."""
    owes = Owed(memory, NOW)
    for each in owes.due(NOW):
        assert isinstance(each.content, bytes)
        each.again(NOW)
    json.dumps(owes.memory())
