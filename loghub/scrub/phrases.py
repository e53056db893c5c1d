"""Secrets in phrases of other programs: ``IDENTIFIED BY``, ``.netrc``, ``AUTH PLAIN``, the parameters of SQL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loghub.scrub.masked import MASKED, PROSE
from loghub.scrub.texts import MARK, lower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What they begin with, in small letters.
PHRASE_HINTS = ("login ", "identified ", "auth plain", "auth login", "authenticate plain", "[parameters:")

_GAP = r"(?:[ \t\r\n]|\\[rnt]){1,40}"
_NETRC = re.compile(
    rf"(?P<machine>\bmachine{_GAP}\S{{1,256}}{_GAP})?\blogin{_GAP}(?P<user>[^\s\\]{{1,256}}){_GAP}"
    rf"(?:account{_GAP}[^\s\\]{{1,256}}{_GAP})?password{_GAP}(?P<secret>[^\s\\]{{1,256}})"
)
_IDENTIFIED = re.compile(
    r"\bidentified\s{1,8}(?:with\s{1,8}[\"'`]?\w{1,64}[\"'`]?\s{1,8})?(?:by|as)\s{1,8}(?:password\s{1,8})?"
    r"(?P<quote>\\{0,3}[\"'])(?P<secret>(?:(?!(?P=quote))[^\n]){1,4096})(?=(?P=quote))",
    re.IGNORECASE,
)
_SMTP = re.compile(
    r"\bauth(?:enticate)? (?:plain|login)[ \t]{1,4}(?P<secret>(?:[a-z0-9+/]{4}){2,1024}"
    r"(?:[a-z0-9+/]{1,3}={1,2})?)(?![\w=+/])",
    re.IGNORECASE,
)
_WRITTEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_STATEMENT_CHARS = 16_384
_PARAMETERS = re.compile(r"\[parameters:[ ]?")
_COLUMNS = re.compile(r"\binsert\s{1,8}into\s{1,8}[^\s(]{1,256}\s{0,8}\((?P<columns>[^()]{1,4096})\)", re.IGNORECASE)
_PLACE = r"(?:\?|%s|\$[0-9]{1,4}|%\((?P<named>\w{1,64})\)s|:(?P<colon>\w{1,64}))(?:::\w{1,64})?"
_PLACES = re.compile(
    rf"(?:(?P<column>\w{{1,128}})[\"`\]]?\s{{0,8}}(?:!?=|<>|\blike\b|<|>)\s{{0,8}})?{_PLACE}", re.IGNORECASE
)
_ROW = re.compile(r"_m[0-9]+\Z|__[0-9]+\Z")
_LITERAL = re.compile(
    r"(?:(?P<key>'(?:[^'\\\n]|\\.){1,128}'): )?"
    r"(?:[bBuU]?'(?P<single>(?>(?:[^'\\\n]++|\\.)*))'|[bBuU]?\"(?P<double>(?>(?:[^\"\\\n]++|\\.)*))\""
    r"|(?P<other>[^\s,()\[\]{}'\"](?>(?:[^,()\[\]{}'\"\n]++|\([^()\n]{0,200}\))*)))"
)


def _phrases(text: str) -> Iterator[tuple[int, int]]:
    for netrc in _NETRC.finditer(text):
        user, secret = netrc["user"], netrc["secret"]
        word = secret.strip("\"'.,;)")
        told = bool(netrc["machine"]) or not word.isalpha()
        if word and told and lower(user) not in PROSE and lower(word) not in PROSE:
            yield netrc.span("secret")
    for identified in _IDENTIFIED.finditer(text):
        yield identified.span("secret")
    for smtp in _SMTP.finditer(text):
        if not _WRITTEN.fullmatch(smtp["secret"]):
            yield smtp.span("secret")


def _secret_places(statement: str, is_secret: Callable[[str], bool]) -> tuple[set[int], set[str], int]:
    """Return which parameters of `statement` are secret: their places, their names, and how many there are."""
    inserted = _COLUMNS.search(statement)
    columns = [one.strip().strip('"`[]') for one in inserted["columns"].split(",")] if inserted else []
    places: set[int] = set()
    names: set[str] = set()
    count = given = 0
    for place in _PLACES.finditer(statement, inserted.end() if inserted else 0):
        column = place["column"]
        if not column and columns:
            column = columns[given % len(columns)]
            given += 1
        if column and is_secret(column):
            places.add(count)
            names.add(place["named"] or place["colon"] or "")
        count += 1
    return places, names - {""}, count


def _parameters(text: str, is_secret: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    heads = list(_PARAMETERS.finditer(text))
    stops = [*[head.start() for head in heads], len(text)]
    done = 0
    for head, stop in zip(heads, stops[1:], strict=True):
        start = text.rfind("[SQL:", max(done, head.start() - _STATEMENT_CHARS), head.start())
        done = head.end()
        places, names, count = (
            _secret_places(text[start : head.start()], is_secret) if start >= 0 else (set(), set(), 0)
        )
        if not places:
            continue
        end = text.find("\n", head.end(), stop)
        for number, literal in enumerate(_LITERAL.finditer(text, head.end(), end if end >= 0 else stop)):
            key = (literal["key"] or "").strip("'")
            if key in names or _ROW.sub("", key) in names or (not key and number % count in places):
                yield literal.span(str(literal.lastgroup))


def replace_phrases(text: str, is_secret: Callable[[str], bool], found: list[str]) -> str:
    """Replace what stands in such phrases, and add it to `found`."""
    kept: list[str] = []
    done = 0
    for start, end in sorted({*_phrases(text), *_parameters(text, is_secret)}):
        value = text[start:end]
        if start >= done and value and value != "None" and MARK not in value and not MASKED.fullmatch(value):
            kept += [text[done:start], MARK]
            done = end
            found.append(value)
    return "".join(kept) + text[done:] if kept else text
