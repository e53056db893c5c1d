"""Drawn values beside words like token: what neither a shape nor ``name=`` gives away."""

from __future__ import annotations

import base64
import math
import re
from collections import Counter

from loghub.scrub.beside import KEY_OF
from loghub.scrub.texts import MARK, lower

BEARER = re.compile(r"([bB](?i:earer|asic))(?:[ \t]{1,4}|%20)([A-Za-z0-9._~+/=-]{8,}+)")
_NEAR = re.compile(
    r"(?:(?<![a-z])|(?<=\\[nrt]))(?P<word>api[ _-]?key|key"
    r"|token|secret|password|passphrase|credentials?|bearer|aws)(?![a-z])"
    r"[^\w\n\udcff]{1,4}(?:[a-z]{1,12}[^\w\n\udcff]{1,4}){0,3}?(?P<value>[a-z0-9+/_=-]{16,512}+)"
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def looks_random(value: str, *, strict: bool) -> bool:
    """Tell whether `value` was drawn, not written; `strict` leaves hashes and UUIDs alone."""
    digits = sum(map(str.isdigit, value))
    if not digits or digits == len(value) or value.startswith("/"):
        return False
    if _UUID.fullmatch(value) or re.fullmatch(r"[0-9a-z]+", value):
        return not strict and digits * 6 >= len(value)
    if value.lower() == value or value.upper() == value:
        return False
    share = [count / len(value) for count in Counter(value).values()]
    return -sum(part * math.log2(part) for part in share) >= 3.6


def basic_or_bearer(found: re.Match[str]) -> str:
    """Return what stands for a match of `BEARER`: it may be prose about the scheme."""
    value = found[2]
    if found[1].lower() == "bearer":
        secret = any(map(str.isdigit, value)) or len(value) >= 24
    else:
        try:
            secret = b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
        except ValueError:
            secret = False
    return found[0].removesuffix(value) + MARK if secret else found[0]


def replace_random(text: str) -> str:
    """Replace drawn values beside words like token: what neither shape nor ``name=`` gives away."""
    low = lower(text)
    kept: list[str] = []
    done = 0
    for near in _NEAR.finditer(low):
        start, end = near.span("value")
        before = low[max(0, near.start() - 12) : near.start()]
        strict = near["word"] == "key" and not KEY_OF.search(before)
        if start >= done and looks_random(text[start:end], strict=strict):
            kept += [text[done:start], MARK]
            done = end
    return "".join(kept) + text[done:] if kept else text
