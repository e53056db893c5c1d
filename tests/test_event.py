"""The event as text: laid out once, it is one line for the journal and indented for a file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loghub.event import Shared, dumps, indented, lay_out, one_line

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
KEYS = st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False))


def containers(inner):
    """Return what holds `inner`."""
    entries = st.dictionaries(KEYS, inner, max_size=4)
    shared = st.dictionaries(st.text(max_size=5), inner, max_size=4).map(Shared)
    return st.one_of(st.lists(inner, max_size=4), entries, shared, st.tuples(inner, inner), st.lists(shared))


VALUES = st.recursive(SCALARS, containers, max_leaves=30)


@pytest.mark.slow
@given(VALUES)
@settings(max_examples=500, deadline=None)
def test_laid_out(value):
    """Indented it is byte for byte what json.dumps gives, and on one line it says the same."""
    assert indented(lay_out(value)) == json.dumps(value, indent=4) == dumps(value, indent=4)
    line = one_line(lay_out(value))
    assert b"\n" not in line
    assert repr(json.loads(line)) == repr(json.loads(json.dumps(value)))


def test_hard_values():
    """Control characters, lone surrogates and objects of any kind come out as json.dumps writes them."""
    value = {"a": [{"\x01\x02": "\x03},\x04{\x00"}, {"b": object}], "c": "\ud800", "d": [b"x", {}], "e": ()}
    assert indented(lay_out(value)) == json.dumps(value, indent=4, default=repr)


def test_deep_values():
    """Down to a depth that no event has it is indented; what is deeper is JSON all the same."""
    value = []
    for depth in range(60):
        value = [value, 1] if depth % 2 else {"a": value, "b": "\n"}
        if depth < 25:
            assert indented(lay_out(value)) == json.dumps(value, indent=4)
    assert json.loads(indented(lay_out(value))) == json.loads(one_line(lay_out(value))) == value


def test_shared_at_two_depths():
    """One shared dict is right wherever it stands."""
    one = Shared({"file": "a.py", "line": 1})
    value = {"frames": [one, one], "causes": [{"frames": [one]}], "one": one}
    for _ in range(2):
        assert indented(lay_out(value)) == json.dumps(value, indent=4)
