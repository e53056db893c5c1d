"""A name and its value in a text: ``password=x``, ``"token": "x"``, ``--secret x``, headers, code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from loghub.scrub.masked import MASKED, PROSE, is_distinct, is_prose, stands_for
from loghub.scrub.names import STEMS
from loghub.scrub.size import MAX_VALUE_CHARS
from loghub.scrub.texts import MARK, any_of, listed, lower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_COLOUR = r"(?:(?:\x1b|\\x1b|\\033|\\u001b)\[[0-9;]{0,9}m)*"
_COLOUR_END = re.compile(r"[0-9]{0,3}m")
_ESCAPED = re.compile(r"[nrt]|u00[0-9a-f]{2}|x[0-9a-f]{2}")  # what a backslash makes of the letters before a name
_AFTER_NAME = (
    r"(?P<rest>[\w-]{0,48}+)(?P<end>(?:\\{0,3}[\"']|&quot;|&#3[49];|\\{1,3}u002[27])?[\])]?|%22|(?:%5b)?%5d)"
    + _COLOUR
    + r"(?P<op>[ \t]{0,8}(?:"
    # "name": "password", "value": ...
    r"(?P<pair>(?>(?:[\s,;]|\\{1,3}[rn]){1,40})\\{0,3}[\"']?value\\{0,3}[\"']?[ \t]{0,4}[:=])|"
    # a name with its type
    r":[ \t]{0,4}[\w.]{1,40}+(?:\[[\w., |]{0,40}\])?(?:[ \t]?\|[ \t]?none)?[ \t]{0,4}=(?=[ \t]{0,4}[\"'])"
    r"|:[ \t]{0,4}(?:str|bytes|int|any)[ \t]{0,4}=(?!=)"
    r"|=>|:=|[=!]=|=|:(?!//)|%3d|%3a)|,|>|[ \t]{1,4}(?=[\"']))[ \t]{0,8}(?:%22)?" + _COLOUR
)
_QUOTED = re.compile(
    r"[bBrRuUfF]{0,2}(?:(\"\"\"|''')(?P<triple>.*?)(?:\1|\Z)"
    r"|(\\{1,3}[\"'])(?P<escaped>(?>(?:(?!\3)[^\n])*))"
    r"|([\"'])(?P<plain>(?>(?:\\.|(?!\5)[^\\\n]|(?<=\\\\)\5(?=\w))*))"
    r"|(&quot;|&\#3[49];|\\{1,3}u002[27])(?P<entity>(?>(?:(?!\7)[^\n])*)))",
    re.DOTALL,
)
# Closing and parting characters belong to a bare value only where it goes on behind them.
_UNTIL = (
    r"[^\s,;&\"'<>()\[\]{}|\\\x1b]"
    rf"|(?<!{MARK})(?!\\[nrt])"
    r"[,;&\"'()\[\]{}|\\](?=[^\s,;&\"'<>()\[\]{}|\\\x1b])(?![\w.-]{1,64}=)"
)
_BARE = re.compile(f"(?>(?:(?!%22){_UNTIL})+)")
_BARE_ENCODED = re.compile(f"(?>(?:(?!%2[26]){_UNTIL})+)")
_PAIR_NAME = re.compile(
    r"(?:name|key|field|id)\\{0,3}[\"']?[ \t]{0,4}[:=]>?[ \t]{0,4}\\{0,3}[\"']?[\w./-]{0,48}\Z", re.IGNORECASE
)
_LINE_START = re.compile(r"(?:^|\n|\\n)([ \t]{0,40}(?:- )?)[\"']?\Z")
_MORE_WORDS = re.compile(r"(?>(?: {1,2}[^\s=:,;\"'<>(){}\[\]&|\\]+){1,8})(?=[ \t]{0,8}(?:\r?\n|\\[rn]|\Z))")
_BLOCK = re.compile(r"[|>][+-]?[1-9]?[ \t]{0,8}(?P<end>\r?\n|\\{1,3}n)(?P<indent> {1,40})")
_CONTAINED = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")
_WORKER = re.compile(r"[a-z]{3,20}-[0-9]{1,3}")
_SCHEME = re.compile(
    r"(?:(?P<whole>digest|oauth|hawk|signature|aws4-hmac-sha256)"
    r"|bearer|basic|token|negotiate|ntlm|api-?key|key|bot|jwt|googlelogin)(?:[ \t]{1,4}|%20)",
    re.IGNORECASE,
)
_TO_LINE_END = re.compile(
    r"(?>(?:[\w-]{1,40}=(?:\\{0,3}\"[^\"\\\n]*+\\{0,3}\"|[^\s,\"'\\]++),?[ \t]{0,4})+)|[^\n\r\\]+"
)
_COOKIES = re.compile(r"[\w.%-]{1,128}(?>(?:=\"[^\"\n\r\\]*\"|[^\n\r\"'\\])*)")
_NO_VALUE = listed("none null true false undefined nil nan yes no [] {} () str bytes secretstr")
_ABOUT_IT = PROSE | listed("user account login change changed updated set locked strength weak strong ok")
_STRONG = re.compile(
    r"pass[_-]?(?:w|ph|c|k)|pswd|psk|bindpw|pwd|secret$|api.?key|private|ssn|cvv|cvc|otp", re.IGNORECASE
)
_FILE_LINE = re.compile(r"[ |+]*File \"")
KEY_OF = re.compile(r"(?:access|account|api|auth|encryption|master|private|secret|signing)[ _-]?\Z")
_LETTER_AND_DIGIT = re.compile(r"[a-z][^\s/]{0,64}?[0-9]|[0-9][^\s/]{0,64}?[a-z]")
_BRACKET = re.compile(r"[\[\](){}]")
_QUOTE = re.compile(r"[\"']")
_LIST_END = re.compile(r"\\{0,3}[\"']?[ \t]{0,4}\]")
_ENCODED_OPS = listed("%3d %3a")
_DONE, _DONE_TOO = f'"{MARK}"', f"'{MARK}'"
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


class _Brackets:
    """Where the brackets of a text close, found out once and only when one is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.ends: dict[int, int] | None = None

    def end(self, at: int) -> int | None:
        """Return where the bracket at `at` closes, or None where it does not close soon."""
        if self.ends is None:
            self.ends = {}
            opened: list[int] = []
            for found in _BRACKET.finditer(self.text, at):
                if found[0] in "[{(":
                    opened.append(found.start())
                elif opened:
                    self.ends[opened.pop()] = found.end()
        end = self.ends.get(at)
        return end if end and end <= at + MAX_VALUE_CHARS else None


class _Named:
    """The name of a secret in a text: where its value is, and whether it has one."""

    def __init__(self, text: str, found: re.Match[str], start: int, brackets: _Brackets) -> None:
        self.text = text
        self.brackets = brackets
        self.found = found
        self.start = start
        self.name = text[start : found.end("rest")].lower()
        self.op = "pair" if found["pair"] else found["op"].strip()
        self.before = text[start - 1 : start]

    def value(self, *, code: bool) -> tuple[int, int] | None:
        """Return the place of the secret, or None; in `code` a bare value is an expression, not a secret."""
        if not self._joined():
            return None
        at = self.found.end()
        quoted = _QUOTED.match(self.text, at)
        if quoted:
            start, end = self._without_scheme(*quoted.span(str(quoted.lastgroup)), quoted=True)
        elif code and (self.op in _CODE_OPS or self.op == "pair") and not self.text[at : at + 1].isdigit():
            return None
        else:
            start, end = self._bare(at)
        loose = not quoted and self.op in {":", "pair"}
        if self._is_list and not (quoted and is_distinct(self.text[start:end], 6) and _LIST_END.match(self.text, end)):
            return None
        return None if self._innocent(self.text[start:end], loose=loose, scheme=start > at + 1) else (start, end)

    def _joined(self) -> bool:
        """Tell whether what stands between name and value joins them."""
        if self.op == "":  # password 'hunter2'
            return "passw" in self.name
        if self.op == ",":  # ("password", "hunter2")
            return bool(self.found["end"]) and self._opener in {"(", "["}
        if self.op == ">" and self.before == "<":  # <password>hunter2</password>
            return True
        if self.op in {"pair", ">"}:  # <property name="password">hunter2</property>
            return bool(_PAIR_NAME.search(self.text[max(0, self.start - 80) : self.start]))
        return True

    @property
    def _opener(self) -> str:
        """What stands before the name and its quote."""
        return self.text[max(0, self.start - 8) : self.start].rstrip("b\\\"'")[-1:]

    @property
    def _is_list(self) -> bool:
        """Whether it is the first of a list, which may be one of names."""
        return self.op == "," and self._opener == "["

    @property
    def _ends_a_path(self) -> bool:
        """Whether it may be the end of a path or of a logger's name, and what follows a sentence about it."""
        if self.op != ":" or self.before not in {"/", ".", ":"}:
            return False
        return self.before != "." or not _STRONG.search(self.name)

    def _bare(self, at: int) -> tuple[int, int]:
        opener = self.text[at : at + 1]
        if opener in {"|", ">"} and self.op == ":":
            block = self._block(at)
            if block:
                return block
        if opener in {"[", "{"} or (self.op == "=" and opener == "("):
            return at, self._bare_end(self.brackets.end(at) or at + MAX_VALUE_CHARS)
        cookies = _COOKIES.match(self.text, at) if "cookie" in self.name else None
        if cookies and "=" in cookies[0]:
            return at, self._bare_end(cookies.end())
        start, end = self._without_scheme(at, self._bare_end(at), quoted=False)
        if end > start and self.text[end : end + 1] in {"(", "[", "{"}:  # Basic('bob', 'hunter2')
            end = self._bare_end(self.brackets.end(end) or end)
        return start, self._with_more_words(start, end) if start == at else end

    def _line_start(self) -> re.Match[str] | None:
        return _LINE_START.search(self.text[max(0, self.start - 48) : self.start])

    def _block(self, at: int) -> tuple[int, int] | None:
        """Return the place of a YAML block, the lines that are indented like its first one."""
        opened, line = _BLOCK.match(self.text, at), self._line_start()
        if not opened or not line or len(opened["indent"]) <= len(line[1]):
            return None
        start = end = opened.end()
        begins = opened["end"] + opened["indent"]
        while True:
            stop = self.text.find(opened["end"], end)
            end = stop if stop >= 0 else len(self.text)
            if not self.text.startswith(begins, end):
                return start, end
            end += len(begins)

    def _with_more_words(self, start: int, end: int) -> int:
        """Return where a value of words ends, which is alone on its line: ``password: correct horse battery``."""
        joined = self.op == ":" or (self.op == "=" and self.text[start - 1] == " ")
        if not joined or self.text[end : end + 1] != " " or not _STRONG.search(self.name):
            return end
        more = _MORE_WORDS.match(self.text, end) if end > start and self._line_start() else None
        words = self.text[start : more.end()].lower().split() if more else []
        if not more or words[0] in _NO_VALUE or any(word.strip(".,!") in _ABOUT_IT for word in words):
            return end
        return more.end()

    def _bare_end(self, at: int) -> int:
        more = (_BARE_ENCODED if self.op in _ENCODED_OPS else _BARE).match(self.text, at)
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

    def _is_told(self, low: str) -> bool:
        """Tell whether `low` is what programs say of a field, a worker's session or a token of a grammar."""
        if low[0] in "[{":
            contained = ["".join(one) for one in _CONTAINED.findall(low)]
            return bool(contained) and all(map(is_prose, contained))
        if self.name == "token":
            return len(low) <= 16 and self.text[max(0, self.start - 11) : self.start].lower() == "unexpected "
        return self.name.endswith("session") and bool(_WORKER.fullmatch(low))

    def _innocent(self, value: str, *, loose: bool, scheme: bool) -> bool:
        """Tell whether `value` is no secret; after a `loose` colon, and no `scheme`, prose may stand."""
        low = value.strip().lower()
        if (
            not low
            or low in _NO_VALUE
            or low.rstrip("):,") in _NO_VALUE
            or MASKED.fullmatch(value)
            or stands_for(value, self.name)
            or self._is_told(low)
        ):
            return True
        strong = bool(_STRONG.search(self.name))
        if low.isdigit() and len(low) <= 5 and not strong and "pin" not in self.name:
            return True  # a count or a place
        if self._ends_a_path and not (_LETTER_AND_DIGIT.search(low) or "=" in low):
            return True
        if not loose:
            return False
        return low.rstrip(".,!") in PROSE or not (strong or scheme or len(low) > 12 or not low.isalpha())


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
    brackets = _Brackets(text)
    may_be_code = 'File "' in text
    for match in pattern.finditer(low):
        end = match.end()
        if match.start() < done or text.startswith((MARK, _DONE, _DONE_TOO), end):
            continue
        start = _name_start(low, match.start())
        if not (is_secret(text[start : match.end("rest")]) or _is_key_of(low, start, match.end("rest"))):
            continue
        in_code = code or (may_be_code and _is_code(text, start))
        quote = _open_quote(text, start - (match["end"][:1] in {"'", '"'})) if in_code else ""
        if quote and text.startswith(quote, match.end()):
            continue  # "password=" + password: the literal ends here
        span = _Named(text, match, start, brackets).value(code=in_code and not quote)
        if span:
            kept += [text[done : span[0]], MARK]
            done = span[1]
            found.append(text[span[0] : span[1]])
    return "".join(kept) + text[done:] if kept else text


def _is_key_of(low: str, start: int, end: int) -> bool:
    """Tell whether the name is `key`, and what stands before it says of what: ``API key: ...``."""
    return low[start - 1 : end] == " key" and bool(KEY_OF.search(low, max(0, start - 12), start))
