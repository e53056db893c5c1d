"""A message that a renderer made of an event dict, read back: JSON, pairs, structlog's console, the repr of a dict.

What is not exactly such a message is none: a text that only looks like one is left as it is. Sources of the formats:
structlog's ``processors`` (JSONRenderer, KeyValueRenderer, LogfmtRenderer) and ``dev`` (ConsoleRenderer), as of 26.1.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

MAX_CHARS = 1 << 20
"""A longer message is not read."""

EVENT_KEYS = ("event", "message", "msg")
"""Under which name renderers keep what was said; the first that is there counts."""

_STRING = r"'(?>(?:[^'\\]++|\\.)*)'|\"(?>(?:[^\"\\]++|\\.)*)\""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_OBJECT = re.compile(rf"(?P<string>{_STRING})|<[^<>\n]*+(?>(?:<[^<>\n]*+>[^<>\n]*+)*)>")
_TOKEN = re.compile(rf"(?P<string>{_STRING})|[{{}}]|[^'\"{{}}]++")
_BRACKETS = r"\([^()\n]*+\)|\[[^\[\]\n]*+\]|\{[^{}\n]*+\}|<[^<>\n]*+>"
_VALUE = rf"(?:{_STRING}|{_BRACKETS}|[^\s'\"\[\](){{}}<>][^\s()]*+(?:\([^()\n]*+\))?|)"
_PAIR = re.compile(rf"(?P<key>[\w.@\-]++)=(?P<value>{_VALUE})(?= |\n|$)")
_PAIR_OR_FLAG = re.compile(rf"(?P<key>[\w.@\-]++)(?:=(?P<value>{_VALUE}))?(?= |\n|$)")
_SAYS_EVENT = re.compile(r"(?:^|[ ])(?:event|message|msg)=['\"\w]")
_CONSOLE = re.compile(
    r"(?:(?P<timestamp>\d{4}-\d\d-\d\d[T ][\d:.,+\-Z]++|\d{9,11}(?:\.\d++)?) )?"
    r"\[(?P<level>(?=[a-z ]{7,9}\])(?:debug|info|warning|warn|error|critical|exception|notset)) *+\] "
)
_NAMED = re.compile(r" *\[(?P<logger>[\w.\-]++)\]$")
_LAST_PAIRS = re.compile(rf" (?:[\w.@\-]++)={_VALUE}(?= |$)")
# The parser would warn of them, on the application's stderr.
_ODD_ESCAPE = re.compile(r"(?<!\\)(?>(?:\\\\)*)\\(?:[^\n\\'\"abfnrtvxuUN0-7]|[4-7][0-7]{2})")
_WARNED_OF = re.compile(r"\d(?:if|or|and|in|is|else|for|not)\b|\b(?:is|not)\b")


def read(text: str) -> tuple[dict[str, Any], str] | None:
    """Return what a rendered message says, and the text behind it; None if it is none.

    The dict has one of `EVENT_KEYS`, a text.
    """
    if len(text) > MAX_CHARS:
        return None
    if text[:1] == "{":
        found = _json(text) or _repr(text)
    elif text[:1] == "\x1b" or text[:1] == "[" or text[:2] in _CENTURIES:
        found = _console(text)
    elif _SAYS_EVENT.search(text) is not None:
        found = _pairs(text)
    else:
        return None
    return found if found is not None and event_key(found[0]) else None


_CENTURIES = ("17", "18", "19", "20", "21")  # of a date, or of seconds since 1970


def event_key(said: dict[Any, Any]) -> str:
    """Return under which name a dict keeps what was said; empty if it says nothing."""
    return next((key for key in EVENT_KEYS if type(said.get(key)) is str), "")


def _json(text: str) -> tuple[dict[str, Any], str] | None:
    try:
        said, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return (said, text[end:]) if isinstance(said, dict) and _ends(text, end) else None


def _repr(text: str) -> tuple[dict[str, Any], str] | None:
    """Read what ``str`` makes of a dict; objects in it stay as they were written."""
    end = _closing(text)
    if not end or not _ends(text, end):
        return None
    source = _OBJECT.sub(lambda found: found[0] if found["string"] else repr(found[0]), text[:end])
    if _is_noisy(source):
        return None
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return None
    if not isinstance(tree, ast.Dict):
        return None
    pairs = zip(tree.keys, tree.values, strict=True)
    return {key.value: _of_node(value, source) for key, value in pairs
            if isinstance(key, ast.Constant) and isinstance(key.value, str)}, text[end:]  # fmt: skip


def _of_node(node: ast.expr, source: str) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError, SyntaxError):
        return ast.get_source_segment(source, node) or ""


def _is_noisy(source: str) -> bool:
    return _ODD_ESCAPE.search(source) is not None or _WARNED_OF.search(_OBJECT.sub("", source)) is not None


def _closing(text: str) -> int:
    """Return where the brace that stands first is closed; 0 if it is not."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if not depth:
            return token.end()
    return 0


def _ends(text: str, end: int) -> bool:
    return end == len(text) or text[end] == "\n"


def _pairs(text: str) -> tuple[dict[str, Any], str] | None:
    """Read ``key=value`` from first to last; one word that is no pair, and it is none of it.

    logfmt writes a flag that is true as a word of its own: these are believed where there is a level as well.
    """
    said: dict[str, Any] = {}
    at = 0
    one = _PAIR_OR_FLAG if "level=" in text else _PAIR
    while (pair := one.match(text, at)) is not None:
        said[pair["key"]] = True if pair["value"] is None else _value(pair["value"])
        at = pair.end()
        if at == len(text) or text[at] == "\n":
            return said, text[at:]
        at += 1
    return None


def _value(text: str) -> Any:
    if _is_noisy(text):
        return text
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return text


def _console(text: str) -> tuple[dict[str, Any], str] | None:
    """Read a line of structlog's console: time, ``[level    ]``, the event, ``[logger]``, pairs."""
    head, newline, rest = text.partition("\n")
    line = _COLOUR.sub("", head)
    begins = _CONSOLE.match(line)
    if begins is None:
        return None
    said: dict[str, Any] = {key: value for key, value in begins.groupdict().items() if value}
    line = line[begins.end() :].rstrip()
    at = end = len(line)
    for pair in _LAST_PAIRS.finditer(line):
        at = at if pair.start() == end else pair.start()
        end = pair.end()
    if end == len(line) > at:
        more = _pairs(line[at + 1 :])
        said |= more[0] if more else {}
        line = line[:at].rstrip()
    if named := _NAMED.search(line):
        said["logger"] = named["logger"]
        line = line[: named.start()]
    return said | {"event": line.rstrip()}, newline + rest
