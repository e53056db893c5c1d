"""Options: what dictConfig hands over becomes plain values, and refusals say what is right."""

from __future__ import annotations

import contextlib
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub import options
from loghub.errors import OptionValueError, UnknownOptionError


class Owner(logging.Handler):
    """A handler with an option of its own."""

    def __init__(self, capacity=1, *, now=None, **unknown):
        options.reject_unknown(self, unknown)
        super().__init__()


class Heir(Owner):
    """A handler that somebody derived, naming the rest in his own way."""

    def __init__(self, channel="", **kwargs):
        super().__init__(**kwargs)


def test_unknown_names_the_nearest():
    """An unknown option is a TypeError that names class, option and the nearest right one."""
    with pytest.raises(TypeError, match=r"^Owner has no option 'capacty'; did you mean 'capacity'\?$") as failure:
        Owner(capacty=1)
    assert isinstance(failure.value, UnknownOptionError)


def test_unknown_with_nothing_near():
    """Where nothing is near, all options are named, also those of the class that gets the rest, and only options."""
    with pytest.raises(TypeError, match=r"^Heir has no option 'zzz'; it has: capacity, channel\.$"):
        Heir(zzz=1)


WRONG = {
    "flag": [options.flag, ("maybe", "", None, 2, [], "tru")],
    "number": [options.number, ("many", -1, True, None, [], float("nan"), float("inf"), "", 10**400)],
    "whole": [options.whole, (1.5, "1.5", -1, True, None, [], float("inf"), float("nan"), "x" * 200)],
    "text": [options.text, ("", "  ", 7, None, [], {})],
    "names": [options.names, (7, None, [7], [""], {"a": 1}, ["a", None])],
}


@pytest.mark.parametrize(("read", "value"), [(read, value) for read, values in WRONG.values() for value in values])
def test_wrong_values(read, value):
    """A malformed value is a ValueError with class, option, the value (shortened) and what is right."""
    with pytest.raises(ValueError, match=r"^Owner: option 'limit' cannot be .*; it must be .+\.$") as failure:
        read(Owner(), "limit", value)
    assert isinstance(failure.value, OptionValueError)
    assert len(str(failure.value)) < 200


RIGHT = [
    *((options.flag, word, True) for word in (True, 1, "1", "true", "TRUE", "True", "yes", "on", " On ")),
    *((options.flag, word, False) for word in (False, 0, "0", "false", "FALSE", "no", "off", "Off")),
    (options.number, "2.5", 2.5),
    (options.number, 0, 0.0),
    (options.whole, "20", 20),
    (options.whole, 20.0, 20),
    (options.text, " a ", "a"),
    (options.names, "a, b,,c", ["a", "b", "c"]),
    (options.names, ("a", " b "), ["a", "b"]),
    (options.names, [], []),
    (options.names, "", []),
]


@pytest.mark.parametrize(("read", "value", "expected"), RIGHT)
def test_right_values(read, value, expected):
    """Values are read as YAML and environment variables spell them."""
    assert read(Owner(), "limit", value) == expected


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value(value):
    """Whatever stands in a configuration is read or refused, never anything else."""
    for read in (options.flag, options.number, options.whole, options.text, options.names):
        with contextlib.suppress(OptionValueError):
            read("Owner", "limit", value)
    options.plain(value)


def test_value_that_cannot_be_printed():
    """A value whose repr raises is refused like any other."""

    class Hostile:
        def __repr__(self):
            raise RuntimeError("no")

    with pytest.raises(OptionValueError, match="Hostile"):
        options.text("Owner", "limit", Hostile())


SPELLINGS = [
    ("true", True),
    ("1", True),
    ("YES", True),
    ("on", True),
    ("False", False),
    ("0", False),
    ("no", False),
    ("OFF", False),
]


@pytest.mark.parametrize(("word", "expected"), SPELLINGS)
def test_variable_flag(monkeypatch, tmp_path, word, expected):
    """Environment variables are read in every usual spelling, from .env too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOME_FLAG", word)
    assert options.variable_flag("SOME_FLAG", default=not expected) is expected
    monkeypatch.delenv("SOME_FLAG")
    (tmp_path / ".env").write_text(f"SOME_FLAG={word}\n")
    assert options.variable_flag("SOME_FLAG", default=not expected) is expected


def test_variable_flag_unset(monkeypatch, tmp_path):
    """An unset one takes the default; a malformed one is refused by its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOME_FLAG", raising=False)
    assert options.variable_flag("SOME_FLAG", default=True) is True
    monkeypatch.setenv("SOME_FLAG", "perhaps")
    with pytest.raises(ValueError, match=r"environment.*'SOME_FLAG'.*'perhaps'.*true or false"):
        options.variable_flag("SOME_FLAG", default=True)
