"""A name and its value in a text: ``password=x``, ``"token": "x"``, ``--secret x``, headers, code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loghub.scrub.masked import MASKED, stands_for
from loghub.scrub.names import STEMS
from loghub.scrub.size import MAX_VALUE_CHARS
from loghub.scrub.texts import MARK, any_of, listed, lower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_COLOUR = r"(?:(?:\x1b|\\x1b|\\033|\\u001b)\[[0-9;]{0,9}m)*"
_COLOUR_END = re.compile(r"[0-9]{0,3}m")
_ESCAPED = re.compile(r"[nrt]|u00[0-9a-f]{2}|x[0-9a-f]{2}")  # what a backslash makes of the letters before a name
_AFTER_NAME = (
    r"(?P<rest>[\w-]{0,48}+)(?P<end>(?:\\{0,3}[\"'])?[\])]?|%22|(?:%5b)?%5d)" + _COLOUR + r"(?P<op>[ \t]{0,8}(?:"
    # a name with its type
    r":[ \t]{0,4}[\w.]{1,40}+(?:\[[\w., |]{0,40}\])?(?:[ \t]?\|[ \t]?none)?[ \t]{0,4}=(?=[ \t]{0,4}[\"'])"
    r"|:[ \t]{0,4}(?:str|bytes|int|any)[ \t]{0,4}=(?!=)"
    r"|=>|:=|[=!]=|=|:(?!//)|%3d|%3a)|,|>|[ \t]{1,4}(?=[\"']))[ \t]{0,8}(?:%22)?" + _COLOUR
)
_QUOTED = re.compile(
    r"[bBrRuUfF]{0,2}(?:(\"\"\"|''')(?P<triple>.*?)(?:\1|\Z)"
    r"|(\\{1,3}[\"'])(?P<escaped>(?:(?!\3)[^\n])*+)"
    r"|([\"'])(?P<plain>(?:\\.|(?!\5)[^\\\n]|(?<=\\\\)\5(?=\w))*+))",
    re.DOTALL,
)
# Closing and parting characters belong to a bare value only where it goes on behind them.
_BARE = re.compile(
    r"(?:(?!%2[26])[^\s,;&\"'<>()\[\]{}|\\\x1b]"
    rf"|(?<!{MARK})(?!\\[nrt])"
    r"[,;&\"'()\[\]{}|\\](?=[^\s,;&\"'<>()\[\]{}|\\\x1b])(?![\w.-]{1,64}=))++"
)
_SCHEME = re.compile(
    r"(?:(?P<whole>digest|oauth|hawk|signature|aws4-hmac-sha256)"
    r"|bearer|basic|token|negotiate|ntlm|api-?key|key|bot|jwt|googlelogin)(?:[ \t]{1,4}|%20)",
    re.IGNORECASE,
)
_TO_LINE_END = re.compile(r"(?:[\w-]{1,40}=(?:\\{0,3}\"[^\"\\\n]*+\\{0,3}\"|[^\s,\"'\\]++),?[ \t]{0,4})++|[^\n\r\\]+")
_COOKIES = re.compile(r"[\w.%-]{1,128}(?:=\"[^\"\n\r\\]*\"|[^\n\r\"'\\])*+")
_NO_VALUE = listed("none null true false undefined nil nan [] {} () str bytes secretstr")
_PROSE = listed(
    """a an and are at be but by can cannot could denied did do does empty expected expired failed field for forbidden
    found has hash have incorrect invalid is it its mismatch missing must no not of on or please rejected required reset
    rule rules should that the this to too unauthorized unexpected unknown was were when will with wrong you your"""
)
_STRONG = re.compile(r"pass[_-]?(?:w|ph|c|k)|pswd|psk|bindpw|pwd|secret$|api.?key|private|ssn|cvv|cvc|otp", re.IGNORECASE)
_FILE_LINE = re.compile(r"[ |+]*File \"")
KEY_OF = re.compile(r"(?:access|account|api|auth|encryption|master|private|secret|signing)[ _-]?\Z")
_LETTER_AND_DIGIT = re.compile(r"[a-z][^\s/]{0,64}?[0-9]|[0-9][^\s/]{0,64}?[a-z]")
_QUOTE = re.compile(r"[\"']")
_CODE_OPS = listed("= == != : :=")


def _name_start(low: str, last: int) -> int:
    """Return where the name begins of which a part begins at `last`; no end of a colour or an escape is part of it."""
    at, least = last, max(0, last - 64)
    while at > least and (low[at - 1].isalnum() or low[at - 1] in "_-"):
        at -= 1
    before = low[at - 1 : at]
    end = _ESCAPED if before == "\\" else _COLOUR_END if before in {"[", ";"} else None
    other = end.match(low, at, last) if end else None
    return other.end() if other else at


def _is_code(text: str, at: int) -> bool:
    """Tell whether `at` is in the source line of a frame in a traceback."""
    start = text.rfind("\n", max(0, at - MAX_VALUE_CHARS), at)
    before = text.rfind("\n", max(0, start - MAX_VALUE_CHARS), max(0, start)) + 1
    return start > 0 and bool(_FILE_LINE.match(text, before))


def _open_quote(text: str, at: int) -> str:
    """Return the quote of the string literal that `at` of a source line is in, or nothing."""
    quote = ""
    for found in _QUOTE.finditer(text, max(text.rfind("\n", 0, at) + 1, at - MAX_VALUE_CHARS), at):
        if not quote or found[0] == quote:
            quote = "" if quote else found[0]
    return quote


def _container_end(text: str, at: int) -> int | None:
    """Return where the bracket at `at` closes, or None where it does not close soon."""
    depth = 0
    for place in range(at, min(len(text), at + MAX_VALUE_CHARS)):
        depth += (text[place] in "[{(") - (text[place] in ")}]")
        if not depth:
            return place + 1
    return None


class _Named:
    """The name of a secret in a text: where its value is, and whether it has one."""

    def __init__(self, text: str, found: re.Match[str], start: int) -> None:
        self.text = text
        self.found = found
        self.start = start
        self.name = text[start : found.end("rest")].lower()
        self.op = found["op"].strip()
        self.before = text[start - 1 : start]

    def value(self, *, code: bool) -> tuple[int, int] | None:
        """Return the place of the secret, or None; in `code` a bare value is an expression, not a secret."""
        if not self._joined():
            return None
        at = self.found.end()
        quoted = _QUOTED.match(self.text, at)
        if quoted:
            start, end = self._without_scheme(*quoted.span(str(quoted.lastgroup)), quoted=True)
        elif code and self.op in _CODE_OPS and not self.text[at : at + 1].isdigit():
            return None
        else:
            start, end = self._bare(at)
        loose = not quoted and self.op == ":"
        return None if self._innocent(self.text[start:end], loose=loose, scheme=start > at + 1) else (start, end)

    def _joined(self) -> bool:
        """Tell whether what stands between name and value joins them."""
        if self.op == "":  # password 'hunter2'
            return "passw" in self.name
        if self.op == ",":  # ("password", "hunter2")
            return bool(self.found["end"]) and self.text[: self.start].rstrip("b\"'")[-1:] == "("
        if self.op == ">":  # <password>hunter2</password>
            return self.before == "<"
        return True

    @property
    def _ends_a_path(self) -> bool:
        """Whether it may be the end of a path or of a logger's name, and what follows a sentence about it."""
        if self.op != ":" or self.before not in {"/", ".", ":"}:
            return False
        return self.before != "." or not _STRONG.search(self.name)

    def _bare(self, at: int) -> tuple[int, int]:
        opener = self.text[at : at + 1]
        if opener in {"[", "{"} or (self.op == "=" and opener == "("):
            return at, self._bare_end(_container_end(self.text, at) or at + MAX_VALUE_CHARS)
        cookies = _COOKIES.match(self.text, at) if "cookie" in self.name else None
        if cookies and "=" in cookies[0]:
            return at, self._bare_end(cookies.end())
        start, end = self._without_scheme(at, self._bare_end(at), quoted=False)
        if end > start and self.text[end : end + 1] in {"(", "[", "{"}:  # Basic('bob', 'hunter2')
            end = self._bare_end(_container_end(self.text, end) or end)
        return start, end

    def _bare_end(self, at: int) -> int:
        more = _BARE.match(self.text, at)
        return more.end() if more else at

    def _without_scheme(self, start: int, end: int, *, quoted: bool) -> tuple[int, int]:
        """Leave ``Bearer`` and its kind readable."""
        scheme = _SCHEME.match(self.text, start)
        if not scheme or (quoted and scheme.end() > end):
            return start, end
        if quoted:
            return scheme.end(), end
        rest = (_TO_LINE_END if scheme["whole"] else _BARE).match(self.text, scheme.end())
        return rest.span() if rest else (end, end)

    def _innocent(self, value: str, *, loose: bool, scheme: bool) -> bool:
        """Tell whether `value` is no secret; after a `loose` colon, and no `scheme`, prose may stand."""
        low = value.strip().lower()
        if (
            not low
            or low in _NO_VALUE
            or low.rstrip("):,") in _NO_VALUE
            or MASKED.fullmatch(value)
            or stands_for(value, self.name)
        ):
            return True
        strong = bool(_STRONG.search(self.name))
        if low.isdigit() and len(low) <= 5 and not strong and "pin" not in self.name:
            return True  # a count or a place
        if self._ends_a_path and not (_LETTER_AND_DIGIT.search(low) or "=" in low):
            return True
        if not loose:
            return False
        return low.rstrip(".,!") in _PROSE or not (strong or scheme or len(low) > 12 or not low.isalpha())


def names_pattern(more: Iterable[str]) -> re.Pattern[str]:
    """Return the pattern, for small letters, of a secret name and of what joins it to its value.

    Such a name holds a stem of loghub's own or one of `more`; ``key`` says something only after another word.
    """
    stems = dict.fromkeys(STEMS, "") | {"key": r"(?<=[\w -]key)"} | dict.fromkeys(more, "")
    return re.compile(any_of(stems) + _AFTER_NAME)


def replace_named(
    text: str, pattern: re.Pattern[str], is_secret: Callable[[str], bool], found: list[str], *, code: bool
) -> str:
    """Replace the values beside secret names, and add them to `found`; `code` says that `text` is a source line."""
    low = lower(text)
    kept: list[str] = []
    done = 0
    for match in pattern.finditer(low):
        start = _name_start(low, match.start())
        filtered = match.start() < done or text.startswith(MARK, match.end())
        if filtered or not (is_secret(text[start : match.end("rest")]) or _is_key_of(low, start, match.end("rest"))):
            continue
        in_code = code or _is_code(text, start)
        quote = _open_quote(text, start - (match["end"][:1] in {"'", '"'})) if in_code else ""
        if quote and text.startswith(quote, match.end()):
            continue  # "password=" + password: the literal ends here
        span = _Named(text, match, start).value(code=in_code and not quote)
        if span:
            kept += [text[done : span[0]], MARK]
            done = span[1]
            found.append(text[span[0] : span[1]])
    return "".join(kept) + text[done:] if kept else text


def _is_key_of(low: str, start: int, end: int) -> bool:
    """Tell whether the name is `key`, and what stands before it says of what: ``API key: ...``."""
    return low[start - 1 : end] == " key" and bool(KEY_OF.search(low, max(0, start - 12), start))
