"""The template of a log message that was built before logging saw it, as it is written in the source.

``logger.error("user %s not found", name)`` tells its template; ``logger.error(f"user {name} not found")`` does not, and
a name is a word like any other. But the line of the call says it. So the call's statement is read, and what builds the
message there (an f-string, ``+``, ``%``, ``.format``, also some lines above, in a variable) is taken if the message can
have come of it: a source that was changed meanwhile is not believed.

The same is read of a ``raise`` over several lines, of which a traceback shows the first alone.
"""

from __future__ import annotations

import ast
import re
import string
from typing import TYPE_CHECKING, NamedTuple

from loghub.codepath import make_room
from loghub.sources import lines_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Sequence

MAX_PLACES = 2048
"""Places of calls that are remembered; the older half goes when there are more."""

GOES_ON = ("(", "[", "{", "\\")
"""How a line ends that is only the beginning of its statement."""

_MAX_LINES = 20  # of a statement
_MAX_CHARS = 8000
_MAX_ABOVE = 40  # lines between a variable and its use
_MAX_MESSAGE = 4000
_WORD = re.compile(r"[^\W\d_]{2}")
_CONVERSION = re.compile(r"%(?:\(\w+\))?[#0 +-]*[\d*]*(?:\.[\d*]+)?[a-zA-Z%]")
# The parser would warn of them, on the application's stderr.
_ODD_ESCAPE = re.compile(r"(?<!\\)\\(?=[^\n\\'\"abfnrtvxuUN0-7])")
_WARNED_OF = re.compile(r"\d(?:if|or|and|in|is|else|for|not)\b")
_METHODS = frozenset({"debug", "info", "warning", "warn", "error", "exception", "critical", "fatal", "log"})
_OF_LOGGING = frozenset({"msg", "exc_info", "stack_info", "stacklevel", "extra"})
_ONLY_AFTER = {
    "else": "if 1:\n pass\n",
    "elif": "if 1:\n pass\n",
    "except": "try:\n pass\n",
    "finally": "try:\n pass\n",
}

Texts = tuple[str, ...]
"""What is written before, between and behind the values of a message."""


class Place(NamedTuple):
    """What is written at a call.

    Attributes:
        built: What may build its message.
        said: What is written there as the message; a LoggerAdapter may put something around it.
    """

    built: list[Texts]
    said: list[Texts]


_known: dict[tuple[str, int], Place] = {}


def template_of(record: logging.LogRecord) -> str | None:
    """Return the template of a record's message, its values as ``%s``; None where it is the record's own `msg`."""
    message = record.msg
    if type(message) is not str or len(message) > _MAX_MESSAGE:
        return None
    place = record.pathname, record.lineno
    known = _known.get(place)
    if known is None:
        make_room(_known, MAX_PLACES)
        known = _known[place] = _read(*place)
    if has_args(record):
        return next((text for (text, *more) in known.said if not more and _is_around(message, text)), None)
    # They are in order: of two ways to build a message one may hold the other, and what says most is believed.
    for texts in known.built:
        if _fits(texts, message):
            return _template(texts)
    for texts in known.said:
        if (message != texts[0] or len(texts) > 1) and _fits(("", *texts, ""), message):
            return _template(texts)
    return None


def _is_around(message: str, text: str) -> bool:
    return text in message and text != message


def _template(texts: Texts) -> str:
    return "%s".join([text.replace("%", "%%") for text in texts])


def raised_at(lines: Sequence[str], at: int) -> tuple[str, str]:
    """Return the template of what a ``raise`` or ``assert`` says that begins at a line, and its source in one line.

    Either is empty where it cannot be told.
    """
    try:
        statement = _statement(lines, at)
        if not isinstance(statement, ast.Raise | ast.Assert):
            return "", ""
        said = statement.exc if isinstance(statement, ast.Raise) else statement.msg
        parts = [*said.args, *(one.value for one in said.keywords)] if isinstance(said, ast.Call) else [said]
        texts = next((texts for part in parts if part is not None for texts in _built(part)), ())
        source = " ".join([line.strip() for line in lines[at : at + (statement.end_lineno or 1)]])
    except Exception:  # as below
        return "", ""
    return (_template(texts) if any(map(_WORD.search, texts)) else ""), source


def has_args(record: logging.LogRecord) -> bool:
    """Return whether a record has arguments, without asking them anything."""
    args: object = record.args
    return args is not None and (type(args) is not tuple or len(args) > 0)


def _fits(texts: Texts, message: str) -> bool:
    """Return whether `message` is `texts` with anything in between."""
    first, *middle, last = texts
    if not (message.startswith(first) and message.endswith(last)):
        return False
    at, end = len(first), len(message) - len(last)
    for text in middle:
        found = message.find(text, at, end)
        if found < 0:
            return False
        at = found + len(text)
    return at <= end


def _read(path: str, line: int) -> Place:
    """Return what is written at a line of a file; nothing if it cannot be read."""
    try:
        lines = lines_of(path)
        return Place(texts_at(lines, line - 1), list(_said(lines, line - 1)))
    except Exception:  # a file of a strange kind, a name that is no file's
        return Place([], [])


def _said(lines: Sequence[str], at: int) -> Iterator[Texts]:
    """Yield the texts that are written as the message of a logging call."""
    for call in ast.walk(_statement(lines, at) or ast.Module([], [])):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
            said = call.args[call.func.attr == "log" :][:1] + [one.value for one in call.keywords if one.arg == "msg"]
            for texts in (texts for argument in said for texts in _built(argument, lines)):
                if any(map(_WORD.search, texts)):
                    yield texts


def texts_at(lines: Sequence[str], at: int) -> list[Texts]:
    """Return what may build messages at a line of a source."""
    try:
        found = list(dict.fromkeys(_templates(lines, at)))
    except (ValueError, RecursionError, MemoryError, SystemError):  # a source that no parser takes
        return []
    telling = [texts for texts in found if len(texts) > 1 and any(map(_WORD.search, texts))]
    return sorted(telling, key=lambda texts: -sum(map(len, texts)))


def _templates(lines: Sequence[str], at: int) -> Iterator[Texts]:
    statement = _statement(lines, at)
    if statement is None:
        return
    for call in ast.walk(statement):
        if isinstance(call, ast.Call):
            said = [*call.args[:2], *(one.value for one in call.keywords if one.arg == "msg")]  # log(level, message)
            for number, argument in enumerate(said):
                yield from _built(argument, lines)
                if isinstance(argument, ast.Name):
                    yield from _assigned(lines, at, argument.id)
                elif (text := _literal(argument)) is not None:
                    if call.args[number + 1 :]:
                        yield _converted(text)  # a QueueHandler has put the arguments in
                    if "{" in text and _has_values(call, number):
                        yield _formatted(text)  # loguru has


def _has_values(call: ast.Call, number: int) -> bool:
    return bool(call.args[number + 1 :]) or any(one.arg not in _OF_LOGGING for one in call.keywords)


def _assigned(lines: Sequence[str], at: int, name: str) -> Iterator[Texts]:
    """Yield what may build the text of a variable above its use."""
    begins = re.compile(rf"(?:[^#'\"]*:)?\s*{re.escape(name)}\s*(?::[^=]*)?(?:\+|=(?!=))")
    for above in range(at - 1, max(-1, at - _MAX_ABOVE), -1):
        if begins.match(lines[above]):
            for node in ast.walk(_statement(lines, above) or ast.Module([], [])):
                if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                    yield from _built(node.value, lines)
                elif isinstance(node, ast.AugAssign):
                    yield from (("", *texts) for texts in _built(node.value, lines))


def _statement(lines: Sequence[str], at: int) -> ast.stmt | None:
    """Parse the statement that begins at a line."""
    if not 0 <= at < len(lines):
        return None
    head = lines[at].strip()
    source = _ONLY_AFTER.get(re.split(r"\W", head, maxsplit=1)[0], "")
    depth = 0
    for number in range(at, min(at + _MAX_LINES, len(lines))):
        line = head + "\n" if number == at else lines[number]
        source += line
        depth += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if len(source) > _MAX_CHARS or _WARNED_OF.search(line):
            return None
        if depth <= 0 and not source.endswith("\\\n"):
            try:
                return next(iter(ast.parse(_ODD_ESCAPE.sub(r"\\\g<0>", source)).body), None)
            except SyntaxError:
                continue
    return None


def _built(node: ast.expr, lines: Sequence[str] = ()) -> Iterator[Texts]:
    """Yield what an expression may build its text of: the outermost first, and both ways of a condition."""
    if isinstance(node, ast.IfExp):
        yield from _built(node.body, lines)
        yield from _built(node.orelse, lines)
        return
    texts = _texts(node, lines)
    if texts is not None:
        yield texts


def _texts(node: ast.expr, lines: Sequence[str]) -> Texts | None:
    """Return the texts of an expression that builds one; None if it is not seen what it builds."""
    if (text := _literal(node)) is not None:
        return (text,)
    if isinstance(node, ast.JoinedStr):
        return _joined([_texts(part, lines) for part in node.values])
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [_texts(node.left, lines), _texts(node.right, lines)]
        return None if sides == [None, None] else _joined(sides)
    if (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Mod)
        and (text := _constant(node.left, lines)) is not None
    ):
        return _converted(text)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        text = _constant(node.func.value, lines)
        return None if text is None else _formatted(text)
    return None


def _constant(node: ast.expr, lines: Sequence[str]) -> str | None:
    """Return a text that is written there, or stands in a constant of the module, also within ``_()``."""
    if isinstance(node, ast.Call) and len(node.args) == 1:
        node = node.args[0]
    if isinstance(node, ast.Name):
        begins = re.compile(rf"{re.escape(node.id)}\s*(?::[^=]*)?=(?!=)")
        at = next((number for number, line in enumerate(lines) if begins.match(line)), -1)
        statement = _statement(lines, at)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            node = statement.value
    return _literal(node)


def _converted(text: str) -> Texts:
    """Return the texts of a template with ``%``."""
    return tuple(piece.replace("\0", "%") for piece in _CONVERSION.split(text.replace("%%", "\0")))


def _joined(parts: Sequence[Texts | None]) -> Texts:
    """Return texts one behind the other; what is not known is a value."""
    whole = [""]
    for part in parts:
        first, *rest = ("", "") if part is None else part
        whole[-1] += first
        whole += rest
    return tuple(whole)


def _formatted(template: str) -> Texts:
    whole = [""]
    for text, field, _, _ in string.Formatter().parse(template):
        whole[-1] += text
        if field is not None:
            whole.append("")
    return tuple(whole)


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
