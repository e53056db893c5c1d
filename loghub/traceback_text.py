"""The text of a traceback, read back into the shape of an event's error part.

`parse_traceback` knows what Python prints: chains, groups with their ``|`` and ``+-`` margins, SyntaxError
blocks, folded recursion, caret lines, faulthandler's dumps. `parse_javascript` knows the stacks of Chrome,
Firefox and Safari, and with them every language that writes ``at function (file:line)``. Neither ever raises;
what is not understood is left out. Both take time in proportion to the text.

What a text does not say: the class around a method, modules of frames, and where a message of several lines
ends and notes begin (all of it is taken as the message). `qualify` finds the first in the source, if it is at
hand.

Sources of the formats: CPython's ``Lib/traceback.py`` and ``Python/traceback.c`` (3.11 to 3.13), and MDN's
page on ``Error.prototype.stack``.
"""

from __future__ import annotations

import ast
import itertools
import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from loghub.sources import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"
_CHAINS = {CAUSE: "cause", CONTEXT: "context"}
_DEEPEST = 12  # Python itself prints ten levels of groups
TRACEBACK_HEAD = "Traceback (most recent call last):"
"""How Python begins the text of a traceback."""

_DUMP = "(most recent call first):"
_FRAME = re.compile(r'^\s*File "(?P<file>.*)", line (?P<line>\d{1,9})(?:,? in (?P<function>.*))?$')
_MEMBER = re.compile(r"^(?P<indent> *)\+(?P<first>-\+)?-{16} (?:\d+|\.\.\.) -{16}$")
_MEMBERS_END = re.compile(r"^(?P<indent> *)\+-{20,}$")
_MARGIN = re.compile(r"^(?P<indent> +)[|+] ?(?P<rest>.*)$")
_EXCEPTION = re.compile(r"^(?P<name>[^\W\d][\w.]*(?:\.<locals>\.[\w.]+)*)(?:: (?P<message>.*))?$")
_AT_SIGN = re.compile(r"^(?P<function>[^@\s]*(?: code)?)@(?P<place>\S*|\[native code\])$")
_PLACE = re.compile(r"^(?P<file>.*?)(?::(?P<line>\d{1,9}))?(?::(?P<column>\d{1,9}))?$")


def parse_traceback(text: str) -> dict[str, Any]:
    """Read what Python printed: the last exception, with ``causes`` (nearest first) and ``exceptions``.

    Returns:
        ``error_type``, ``error_module``, ``error_message``, ``frames``, ``causes``, ``exceptions`` and
        ``notes`` (always empty), as an event has them; empty values where the text says nothing.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if any(line.startswith("Current thread ") and line.endswith(_DUMP) for line in lines):
        return _fatal(lines)
    # A group that was never raised has a margin but no head.
    begins = ("  | ", "  + ") if any(map(_MEMBER.match, lines)) else ()
    start = next((at for at, line in enumerate(lines) if line.endswith(TRACEBACK_HEAD) or line.startswith(begins)), 0)
    head = lines[start]
    indent = "" if begins else head[: len(head) - len(head.lstrip())]
    if _CHAINS.keys().isdisjoint(lines[:start]):
        # Otherwise the chain begins with an exception that was never raised, and so has no head.
        del lines[:start]
    return _chain(_nest([line.removeprefix(indent) for line in lines]))


def _fatal(lines: Sequence[str]) -> dict[str, Any]:
    """Read faulthandler's dump: the reason first, then the crashed thread, innermost frame first."""
    start = next(number for number, line in enumerate(lines) if line.startswith("Current thread "))
    collecting = lines[start + 1 : start + 2] == ["  Garbage-collecting"]  # its frames are those it came in
    stack = itertools.takewhile(_FRAME.match, lines[start + 1 + collecting :])
    reason = next((line for line in lines if line.startswith("Fatal Python error: ")), lines[0])
    error = _error([reason.removeprefix("Fatal Python error: ")])
    return error | {
        "error_type": "Fatal Python error",
        "error_module": "",
        "frames": _frames(list(stack))[0][::-1],
    }


def _nest(lines: Sequence[str]) -> list[Any]:
    """Return the lines without margins; each member of a group is a list of its own among them."""
    if not any(map(_MEMBER.match, lines)):
        return list(lines)
    root: list[Any] = []
    open_members = [(1, root)]
    for line in lines:
        if member := _MEMBER.match(line):
            depth = len(member["indent"]) // 2 + (1 if member["first"] else 0)
            _close(open_members, depth)
            if len(open_members) < _DEEPEST:
                items: list[Any] = []
                open_members[-1][1].append(items)
                open_members.append((depth, items))
        elif end := _MEMBERS_END.match(line):
            _close(open_members, len(end["indent"]) // 2)
        elif margin := _MARGIN.match(line):
            _close(open_members, len(margin["indent"]) // 2 + 1)
            open_members[-1][1].append(margin["rest"])
        else:
            _close(open_members, 0)
            root.append(line)
    return root


def _close(open_members: list[tuple[int, list[Any]]], depth: int) -> None:
    while len(open_members) > 1 and open_members[-1][0] >= depth:
        open_members.pop()


def _chain(items: Sequence[Any]) -> dict[str, Any]:
    """Return the last of the exceptions in `items`, the others as its causes."""
    sections: list[list[Any]] = [[]]
    relations: list[str] = []
    for item in items:
        relation = _CHAINS.get(item) if isinstance(item, str) else None
        if relation is None:
            sections[-1].append(item)
        else:
            relations.append(relation)
            sections.append([])
    error = _error(sections[-1])
    earlier = zip(sections[-2::-1], reversed(relations), strict=False)
    error["causes"] = [_error(section) | {"relation": relation} for section, relation in earlier]
    return error


def _error(items: Sequence[Any]) -> dict[str, Any]:
    lines = [item for item in items if isinstance(item, str)]
    stack_end = _stack_end(lines)
    frames, syntax_place = _frames(lines[:stack_end])
    name, message = _headline(lines[stack_end:])
    if syntax_place:
        # As str() of the exception says it.
        message = f"{message} ({syntax_place[0]}, line {syntax_place[1]})"
    module, kind = _split_class(name)
    return {
        "error_type": kind,
        "error_module": module,
        "error_message": message,
        "frames": frames,
        "causes": [],
        "exceptions": [member for item in items if isinstance(item, list) if (member := _chain(item))["error_type"]],
        "notes": [],
    }


def _stack_end(lines: Sequence[str]) -> int:
    """Return the index of the line that names the exception: after the stack, the first not indented."""
    start = next((number + 1 for number, line in enumerate(lines) if line.endswith(TRACEBACK_HEAD)), 0)
    return next((number for number in range(start, len(lines)) if lines[number][:1] > " "), len(lines))


def _frames(lines: Sequence[str]) -> tuple[list[dict[str, Any]], tuple[str, str] | None]:
    """Return the frames, outermost first, and where a SyntaxError's block points to (file name, line)."""
    frames: list[dict[str, Any]] = []
    syntax_place = None
    wants_code = False
    for line in lines:
        if read := _FRAME.match(line):
            wants_code = read["function"] is not None
            if wants_code:
                frames.append({"file": read["file"], "function": read["function"], "line": int(read["line"])})
            else:
                syntax_place = read["file"].replace("\\", "/").rpartition("/")[2], read["line"]
        elif wants_code and line.strip(" \t^~") and not line.startswith("  ["):
            frames[-1]["code"] = line.strip()
            wants_code = False
    return frames, syntax_place


def _headline(lines: Sequence[str]) -> tuple[str, str]:
    """Return the class's name and the message."""
    if not lines:
        return "", ""
    read = _EXCEPTION.match(lines[0])
    if read is None:
        return "", "\n".join(lines).rstrip("\n")
    return read["name"], "\n".join([read["message"] or "", *lines[1:]]).rstrip("\n")


def _split_class(name: str) -> tuple[str, str]:
    """Split ``package.module.Outer.Error`` into module and class: a class begins with a capital, usually."""
    before = name.partition(".<locals>")[0]
    names = before.split(".")
    first = next((at for at, word in enumerate(names) if word[:1].isupper()), len(names) - 1)
    return ".".join(names[:first]), ".".join(names[first:]) + name[len(before) :]


def undressed(text: str) -> str:
    """Return a stack's text without colours, and without what a log collector puts before each line.

    Such a prefix is known by the line of the head: the others have the same, but for digits.
    """
    if "\x1b" in text or "\\x1b" in text:
        text = _COLOUR.sub("", text)
    head = _DRESSED.search(text)
    if head is None or not head["prefix"].strip(" |+"):
        return text
    width, prefix = len(head["prefix"]), _DIGIT.sub("0", head["prefix"])
    lines = text[head.start() :].replace("\r\n", "\n").split("\n")
    return "\n".join([line[width:] for line in lines if _DIGIT.sub("0", line[:width]) == prefix]) or text


_COLOUR = re.compile(r"(?:\x1b|\\x1b)\[[0-9;]*m")
_DIGIT = re.compile(r"\d")
_DRESSED = re.compile(
    r"^(?P<prefix>(?:(?! *\+ Exception Group )[^\n]){1,220}?[ |\]:])(?: *\+ Exception Group )?"
    rf"{re.escape(TRACEBACK_HEAD)}\n(?=[^\n]{{0,240}}File \")",
    re.MULTILINE,
)


def without_loguru(text: str) -> str:
    """Return a traceback without what loguru adds: values of names, callers of the frame that caught it, its mark."""
    if "> File " in text:
        text = _LOGURU_VALUE.sub("", _LOGURU_CALLERS.sub(r"\g<head>\g<margin>  File ", text))
    return _LOGURU_VALUE.sub("", text) if "\u2514" in text else text


_LOGURU_CALLERS = re.compile(
    rf"(?P<head>{re.escape(TRACEBACK_HEAD)}\n)(?=(?:[ |]*\n)*(?P<margin>(?: *\| )?))"
    r"(?>(?P=margin)(?: [^\n]*)?\n| *\|?\n){0,500}?(?P=margin)> File "
)
_LOGURU_VALUE = re.compile(r"^ +(?:[\u2502\u2514]|(?:\| +)*-> )[^\n]*\n", re.MULTILINE)


def parse_javascript(text: str) -> dict[str, Any]:
    """Read the stack of a browser's error; the same keys as `parse_traceback`, frames outermost first."""
    lines = text.split("\n")
    frames = [frame for line in lines if (frame := _script_frame(line.rstrip()))]
    head = "" if not lines or _script_frame(lines[0].rstrip()) else lines[0].removeprefix("Uncaught ").strip()
    read = _EXCEPTION.match(head)
    kind, message = (read["name"], read["message"] or "") if read else ("", head)
    module, _, kind = kind.rpartition(".")
    error = {"error_type": kind, "error_module": module, "error_message": message}
    return error | {"frames": frames[::-1], "causes": [], "exceptions": [], "notes": []}


def _script_frame(line: str) -> dict[str, Any] | None:
    stripped = line.strip()
    if stripped.startswith("at "):
        named, bracket, place = stripped[3:].partition(" (")
        named, place = (named, place.removesuffix(")")) if bracket else ("", named)
    elif (read := _AT_SIGN.match(stripped)) is not None:
        named, place = read["function"], read["place"]
    else:
        return None
    where = _PLACE.match(place)
    assert where is not None  # every part of the pattern is optional
    frame: dict[str, Any] = {"file": where["file"], "function": named}
    return frame | {key: int(where[key]) for key in ("line", "column") if where[key]}


def qualify(frames: Sequence[dict[str, Any]], lines_of: Callable[[str], list[str]] = lines_of) -> None:
    """Give each frame its qualified name (``Class.method``) where the source, as it is now, still agrees.

    It reads and parses source files: for events that only a text tells of, never on the way of others.
    """
    known: dict[str, dict[tuple[str, int], str]] = {}
    for frame in frames:
        file, function, line = frame.get("file"), frame.get("function"), frame.get("line")
        if not isinstance(file, str) or not isinstance(function, str) or not isinstance(line, int):
            continue
        if file not in known:
            known[file] = _names_by_line("".join(lines_of(file)))
        frame["function"] = known[file].get((function, line), function)


def module_of(file: str) -> str:
    """Return the name of the module that this process has loaded from a file; empty if there is none."""
    return _modules_by_file(len(sys.modules)).get(file, "")


@lru_cache(1)
def _modules_by_file(_count: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(path, str):
            found.setdefault(path, name)
    return found


def function_at(lines: Sequence[str], line: int) -> str:
    """Return the qualified name of the innermost function around a line of a source; ``<module>`` outside of all."""
    around = [name for (_, at), name in _names_by_line("".join(lines)).items() if at == line]
    return max(around, key=len, default="<module>" if lines else "")


@lru_cache(32)
def _names_by_line(source: str) -> dict[tuple[str, int], str]:
    """Return the qualified name for every (function, line) of a source; the innermost function wins."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return {
        (node.name, line): name
        for node, name in _functions(tree, "")
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield child, prefix + child.name
            yield from _functions(child, f"{prefix}{child.name}.<locals>.")
        else:
            yield from _functions(child, prefix)
