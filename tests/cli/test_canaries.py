"""Canaries are made so that they are found again, in every form in which they may stand."""

from __future__ import annotations

import base64
import gzip
import html
import json
import quopri
import re
import textwrap
import urllib.parse

import pytest

from loghub.cli import canaries
from loghub.cli.canaries import KINDS, Canary, sample_of, seen
from loghub.scrub import Scrubber

FORMS = {
    "plain": lambda text: text,
    "percent": lambda text: urllib.parse.quote(text, safe=""),
    "json": json.dumps,
    "repr": repr,
    "html": html.escape,
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(f"x{text}y".encode()).decode(),
    "base64 of a URL": lambda text: base64.urlsafe_b64encode(f"xy{text}".encode()).decode(),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()).decode(),
    "wrapped": lambda text: "\n".join(textwrap.wrap(text, 9, drop_whitespace=False)),
    "first half": lambda text: text[: len(text) // 2 + 1],
}


@pytest.mark.parametrize("form", FORMS)
def test_found(form):
    """A secret is found in any form; one that is not there is not."""
    secret = canaries.drawn(40)
    one, other = (Canary(KINDS[0], "message", text, (text,)) for text in (secret, canaries.drawn(40)))
    assert seen([one, other], [b"before ", f"x {FORMS[form](secret)} z".encode(), b" after"]) == [one]


def test_not_found():
    """In what has nothing of them nothing is found."""
    planted = [Canary(kind, "message", *kind.make()) for kind in KINDS]
    assert seen(planted, [gzip.compress(b"nothing"), b"[Filtered]" * 100, b"sessionid= theme=dark"]) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.label)
def test_kinds(kind):
    """Each kind is one that is hidden as it stands in a text, or it would prove nothing; what must go is in it."""
    value, secrets = kind.make()
    text = f"{kind.before}{value}"
    assert all(secret in text for secret in secrets if kind.label != "basic header")
    clean = Scrubber().text(text)
    assert not any(secret in clean for secret in secrets), clean
    assert kind.make() != (value, secrets)


@pytest.mark.parametrize(
    "source",
    [r"acme-[0-9]{8}", r"\bACME(?:ID|NO)_[A-Z]{3,20}", r"cust\d{6,}", r"[^\s]{8}", r"x.{6}y", r"k[a-f0-9]+z{5}"],
)
def test_samples(source):
    """A sample is what the pattern takes out as a whole."""
    sample = sample_of(re.compile(source))
    assert len(sample) >= 6
    assert re.fullmatch(source, sample)


@pytest.mark.parametrize("source", [r"a(?!b)b+", r"ab", r"(?<=nowhere)secret"])
def test_no_samples(source):
    """Where none can be made, or none that is long enough to be told apart, there is none."""
    assert sample_of(re.compile(source)) == ""
