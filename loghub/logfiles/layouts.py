"""A record's first line in a format that the user gives, as logging.Formatter takes it: ``%``, ``{`` or ``$`` style."""

from __future__ import annotations

import logging
import re
from typing import Any

from loghub.logfiles.heads import LEVELS, Head

_FIELD = {
    "%": re.compile(r"%\((?P<name>\w+)\)[#0 +\-]*\d*(?:\.\d+)?[a-zA-Z]|(?P<literal>%%)"),
    "{": re.compile(r"\{(?P<name>\w+)(?:![rsa])?(?::[^{}]*)?\}|(?P<literal>\{\{|\}\})"),
    "$": re.compile(r"\$(?:\{(?P<name>\w+)\}|(?P<bare>\w+))|(?P<literal>\$\$)"),
}
_NUMBER = r"\d{1,20}"
_SHAPES = {
    "message": r".*",
    "levelname": r"\w{1,30}",
    "levelno": _NUMBER, "lineno": _NUMBER, "process": _NUMBER, "thread": _NUMBER,
    "created": r"\d{1,12}(?:\.\d{1,9})?",
    "asctime": r"\S.{0,60}?",
    "name": r"\S{1,200}?", "module": r"\S{1,200}?", "funcName": r"\S{1,200}?", "filename": r"\S{1,200}?",
    "pathname": r".{1,500}?",
}  # fmt: skip
_OTHER = r".{0,200}?"
_TAKEN = frozenset({"name", "module", "funcName", "pathname", "lineno", "message"})


class Layout:
    """Reads the lines of one format.

    Args:
        text: What was given to logging.Formatter as its ``fmt``.

    Raises:
        ValueError: It is no format, or has no message.
    """

    def __init__(self, text: str) -> None:
        style = _style_of(text)
        logging.Formatter(text, style=style)  # type: ignore[arg-type] # says what is wrong with it
        pattern, end, seen = "", 0, set[str]()
        for part in _FIELD[style].finditer(text):
            name = part["name"] or part.groupdict().get("bare") or ""
            pattern += _literal(text[end : part.start()])
            end = part.end()
            if not name:
                pattern += re.escape(part["literal"][:1])
            elif name in seen:
                pattern += _OTHER
            else:
                padding = "" if text[end : end + 1].isspace() else r"\s*+"
                pattern += rf"\s*+(?P<{name}>{_SHAPES.get(name, _OTHER)}){padding}"
                seen.add(name)
        if "message" not in seen:
            raise ValueError("it has no message")
        self._pattern = re.compile(pattern + _literal(text[end:]) + "$")

    def read(self, line: bytes) -> Head | None:
        """Return what a line says; None if it is of another format."""
        found = self._pattern.match(line.decode("utf-8", "replace"))
        if found is None:
            return None
        said = {name: value for name, value in found.groupdict().items() if value}
        level = LEVELS.get(said.get("levelname", "").upper())
        if level is None and "levelno" in said:
            level = int(said["levelno"])
        if level is None and "levelname" in said:
            return None  # another word stands where the level should
        fields: dict[str, Any] = {name: value for name, value in said.items() if name in _TAKEN}
        if "lineno" in fields:
            fields["lineno"] = int(fields["lineno"])
        return Head(level, said.get("asctime") or said.get("created"), {"message": "", **fields})


def _style_of(text: str) -> str:
    if _FIELD["%"].search(text):
        return "%"
    return "$" if _FIELD["$"].search(text) else "{"


def _literal(text: str) -> str:
    """Return a pattern for what stands between fields: any number of blanks is as good as one."""
    return r"\s++".join(map(re.escape, re.split(r"\s+", text)))
