"""Values known to be secret, in all the forms in which they may stand in a text."""

from __future__ import annotations

import base64
import json
import os
import re
import urllib.parse
from typing import TYPE_CHECKING

from loghub.scrub.masked import is_distinct
from loghub.scrub.names import is_secret_name
from loghub.scrub.size import MAX_VALUE_CHARS
from loghub.scrub.texts import MARK, any_of
from loghub.scrub.urls import URL_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MIN_SECRET_CHARS = 8  # a shorter value in the environment is no secret worth the damage

_NOT_PASSWORDS = frozenset({"PWD", "OLDPWD"})


def environment_secrets() -> frozenset[str]:
    """Return the values of variables whose name says secret, and the passwords in URLs of any variable."""
    secrets: set[str] = set()
    for name, value in os.environ.items():
        if is_secret_name(name) and name not in _NOT_PASSWORDS:
            secrets.add(value.strip())
        if "://" in value:
            secrets.update(found[2] for found in URL_PASSWORD.finditer(value[:MAX_VALUE_CHARS]))
    return frozenset(value for value in secrets if is_distinct(value, MIN_SECRET_CHARS))


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Yield what of `raw` stays the same in base64 whatever stands before and after it."""
    for shift, skip in ((0, 0), (1, 2), (2, 3)):
        coded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        stable = coded[skip : -1 if (len(raw) + shift) % 3 else None]
        if len(stable) >= MIN_SECRET_CHARS:
            yield stable
            yield stable.replace("+", "-").replace("/", "_")


def _forms(secret: str) -> Iterator[str]:
    """Yield `secret` as it stands in texts, URLs, JSON, reprs and base64."""
    yield secret
    quoted = urllib.parse.quote(secret, safe="", errors="replace")
    yield quoted
    yield re.sub("%..", lambda found: found[0].lower(), quoted)
    yield urllib.parse.quote(secret, errors="replace")
    yield urllib.parse.quote_plus(secret, errors="replace")
    yield json.dumps(secret)[1:-1]
    yield repr(secret)[1:-1]
    if len(secret) >= 6:
        yield from _base64_forms(secret.encode("utf-8", "replace"))


_BREAK = r"(?:\\?(?:\r?\n|\\r?\\?n)[ \t>|\\]*+)?"


def _unwrapped(text: str) -> str:
    return "".join([line.strip(" \t\r\\>|") for line in text.replace("\\n", "\n").split("\n")])


class Values:
    """Values that are secret wherever they stand, in all the forms in which they may stand."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        self._forms = tuple(sorted(forms, key=len, reverse=True))
        self._maybe = re.compile(any_of({form[:5]: "" for form in forms})) if forms else None

    def replace(self, text: str) -> str:
        """Return `text` with a mark for each value."""
        if self._maybe is None:
            return text
        if self._maybe.search(text):
            for form in self._forms:
                if form in text:
                    text = text.replace(form, MARK)
        if "\n" in text or "\\n" in text:
            return self._replace_broken(text, _unwrapped(text), self._maybe)
        return text

    def _replace_broken(self, text: str, whole: str, maybe: re.Pattern[str]) -> str:
        """Replace what a line break splits; `whole` is `text` without its breaks."""
        if maybe.search(whole):
            for form in self._forms:
                if form in whole:
                    text = re.sub(_BREAK.join(map(re.escape, form)), MARK, text)
        return text
