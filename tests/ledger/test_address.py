"""Addresses of ledgers in PostgreSQL: what they say, and that nobody sees a password."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loghub.handlers.base import ReportingHandler, ledger_option
from loghub.ledger.address import AddressError, is_address, read_address

SECRET = "hunter2secret"


def test_whole():
    """The schema is ours, the rest is handed on as it was written; what is shown has no password and no parameters."""
    one = read_address(
        f"postgres://shop:{SECRET}@db1:5432,db2:5433/errors?sslmode=verify-full&schema=pay&options=-cx=1"
    )
    assert one.url == f"postgresql://shop:{SECRET}@db1:5432,db2:5433/errors?sslmode=verify-full&options=-cx=1"
    assert one.schema == "pay"
    assert one.shown == "postgresql://shop@db1:5432,db2:5433/errors"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://", "postgresql://"),
        ("postgresql:///errors", "postgresql:///errors"),
        ("postgresql://db", "postgresql://db"),
        ("postgresql://shop@/errors?host=/run/postgresql", "postgresql://shop@/errors"),
        ("postgresql://%2Frun%2Fpostgresql/errors", "postgresql://%2Frun%2Fpostgresql/errors"),
        ("postgresql://[2001:db8::1]:5432/errors", "postgresql://[2001:db8::1]:5432/errors"),
        (f"postgresql://:{SECRET}@db/errors", "postgresql://db/errors"),
        (f"postgresql://db/errors?password={SECRET}", "postgresql://db/errors"),
    ],
)
def test_parts_may_be_absent(text, shown):
    """What an address leaves out, libpq takes from PG* variables and its own defaults."""
    one = read_address(text)
    assert (one.shown, one.schema) == (shown, "loghub")


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://shop:{SECRET}@x@db/errors",
        f"postgresql://shop:{SECRET}/x@db/errors",
        f"postgresql://shop:12/{SECRET}@db/errors",
        f"postgresql://shop:12?{SECRET}@db/errors",
        f"postgresql://shop:12?a={SECRET}=b@db/errors",
        f"postgresql://shop:{SECRET}#x@db/errors",
        f"postgresql://shop:{SECRET}%zz@db/errors",
        f"postgresql://shop:{SECRET}%00@db/errors",
        f"postgresql://shop:{SECRET} @db/errors",
        f"postgresql://shop:{SECRET}\n@db/errors",
        f"postgresql://[{SECRET}/errors",
        f"postgresql://shop:{SECRET}@db:port/errors",
        f"postgresql://shop:{SECRET}@db/errors/more",
        f"postgresql://shop:{SECRET}@db/errors?schema=Pay",
        f"postgresql://shop:{SECRET}@db/errors?schema=pg_x",
        f"postgresql://shop:{SECRET}@db/errors?schema=a;drop",
        f"postgresql://shop:{SECRET}@db/errors?schema=a&schema=b",
        f"postgresql://shop:{SECRET}@db/errors?schema=",
    ],
)
def test_none(text):
    """What is no address, often for want of percent-encoding, is refused with what to do and without what it was."""
    with pytest.raises(AddressError, match=r"percent-encoded|schema") as refused:
        read_address(text)
    with pytest.raises(ValueError, match="option 'ledger'") as said:
        ledger_option("Shop", text)
    assert SECRET not in f"{refused.value!r} {said.value!r}"


@given(st.text(max_size=60))
def test_anything(text):
    """Whatever stands behind the scheme is an address that shows no password, or refused as none."""
    try:
        one = read_address(f"postgresql://u:{SECRET}@{text}")
        said = one.shown + repr(one) + str(one)
    except AddressError as error:
        said = str(error)
    assert SECRET not in said


def test_repr():
    """An address in a message or a traceback shows no password, and hides it in the words of others."""
    one = read_address(f"postgresql://shop:{SECRET}%2F@db/errors?sslpassword=another1")
    assert SECRET not in repr(one)
    assert one.hide(f"not {SECRET}/ and not {SECRET}%2F, not another1") == (
        "not [Filtered] and not [Filtered], not [Filtered]"
    )
    assert pickle.loads(pickle.dumps(one)) == one


def test_option(tmp_path, monkeypatch):
    """Handlers take an address, also by the variable, and do not connect."""
    text = f"postgresql://shop:{SECRET}@127.0.0.1:1/errors"
    assert ReportingHandler(home=str(tmp_path), ledger=text).home.url == text
    monkeypatch.setenv("LOGHUB_LEDGER", text)
    assert ledger_option("Shop", None) == text
    assert ledger_option("Shop", "sqlite") is None
    assert not is_address("sqlite")
