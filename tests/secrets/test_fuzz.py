"""Whatever stands around a secret, it is found; whatever a text is, there is an answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub.event import dumps
from loghub.scrub import Scrubber
from tests.secrets.innocents import INNOCENTS
from tests.secrets.kinds import PLANTED

BARE = [one for one in PLANTED if one.kind.bare]
PIECES = [
    *INNOCENTS,
    *(one.text for one in PLANTED),
    " ",
    "\n",
    "\\n",
    '"',
    "'",
    "=",
    ": ",
    "{",
    "}",
    "-p",
    "--",
    "\x1e",
    "é",
]
TEXTS = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
SCRUBBER = Scrubber()


@pytest.mark.slow
@pytest.mark.shows("hostile input", "no secret")
@settings(max_examples=300, deadline=None)
@given(st.sampled_from(BARE), TEXTS, TEXTS)
def test_among_anything(one, before, after):
    """A secret with a shape of its own is gone, once it stands on a line of its own; twice is as good as once."""
    clean = SCRUBBER.text(f"{before}\n{one.text}\n{after}")
    if one.text not in before + after:
        assert not any(part in clean for part in one.gone)
    assert SCRUBBER.text(clean) == clean


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.sampled_from([one.text for one in PLANTED]), TEXTS), max_size=8))
def test_any_command(words):
    """Any list of arguments keeps its length, and what it holds stays JSON."""
    event = {"args": ["-x", *words], "additional_info": {"cmd": ("-x", *words)}}
    clean = SCRUBBER.event(event)
    assert len(clean["args"]) == len(words) + 1
    dumps(clean).encode()
    assert SCRUBBER.event(clean) == clean


@pytest.mark.slow
@pytest.mark.shows("hostile input", "ends in time")
@pytest.mark.shows("secrets", "bounded", "ends in time")
@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PIECES), st.integers(1, 3_000))
def test_again_and_again(piece, times):
    """What is repeated without end is answered; a pattern that runs away would hang here."""
    text = (piece * times)[:65_536]
    clean = SCRUBBER.text(text)
    assert SCRUBBER.text(clean) == clean
