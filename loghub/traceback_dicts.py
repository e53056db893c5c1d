"""structlog's ``dict_tracebacks``, written as Python prints a traceback, so that one reader reads both.

Source of the shape: ``structlog.tracebacks.ExceptionDictTransformer``, 23.1 to 26.1. It leaves out source lines and
the modules of classes: `live` finds them in the process where the exception was.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from loghub.sources import lines_of
from loghub.traceback_text import CAUSE, CONTEXT, TRACEBACK_HEAD, module_of

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_FRAMES = 500
_MAX_DEPTH = 10  # of groups within groups; Python prints as many
_RULE = "-" * 16


def written(stacks: list[Any], source: Callable[[str, int], str] | None = None, named: Any = None) -> str:
    """Return the text of a traceback; empty if `stacks` is none.

    Args:
        stacks: The exception and, behind it, what led to it.
        source: Finds the line of a file.
        named: Finds the full name of a class, given its bare name and the frames.
    """
    return "\n".join(_lines(stacks, source, named, 0))


def live(stacks: list[Any]) -> str:
    """Return the text of a traceback of this process, with source lines and the modules of classes."""
    return written(stacks, _line_of, _full_name)


def _line_of(file: str, line: int) -> str:
    lines = lines_of(file)
    return lines[line - 1] if 1 <= line <= len(lines) else ""


def _lines(stacks: list[Any], source: Any, named: Any, depth: int) -> list[str]:
    if not stacks or not all(isinstance(one, dict) and isinstance(one.get("exc_type"), str) for one in stacks):
        return []
    sections = [_section(one, source, named, depth) for one in stacks]
    lines = sections[-1]
    margin = "  " * depth + "| " if depth else ""
    for later, section in zip(stacks[-2::-1], sections[-2::-1], strict=True):
        # What an exception was raised from stands before it.
        chain = CAUSE if stacks[stacks.index(later) + 1].get("is_cause") else CONTEXT
        lines += [margin, margin + chain, margin, *section]
    return lines


def _section(stack: dict[str, Any], source: Any, named: Any, depth: int) -> list[str]:
    frames = [one for one in stack.get("frames") or [] if isinstance(one, dict)][:_MAX_FRAMES]
    members = [one for one in stack.get("exceptions") or [] if isinstance(one, list)] if stack.get("is_group") else []
    name = stack["exc_type"] if named is None else named(stack["exc_type"], frames)
    value = str(stack.get("exc_value", ""))
    lines = [f"Exception Group {TRACEBACK_HEAD}" if members else TRACEBACK_HEAD] if frames else []
    for frame in frames:
        file, line = str(frame.get("filename")), frame.get("lineno")
        lines.append(f'  File "{file}", line {line}, in {frame.get("name")}')
        code = source(file, line).strip() if source is not None and isinstance(line, int) else frame.get("line")
        if code:
            lines.append(f"    {code}")
    lines += f"{name}: {value}".split("\n") if value else [name]
    lines += [note for one in stack.get("exc_notes") or [] for note in str(one).split("\n")]
    if not members or depth >= _MAX_DEPTH:
        margin = "  " * depth + "| " if depth else ""
        return [margin + line for line in lines]
    return _group(lines, members, source, named, depth)


def _group(lines: list[str], members: list[Any], source: Any, named: Any, depth: int) -> list[str]:
    """Return the lines of a group with its members, in the margins that Python draws."""
    inner = max(depth, 1)
    indent = "  " * inner
    found = [f"{indent}| {line}" for line in lines]
    if not depth:
        found[0] = f"{indent}+ {lines[0]}"
    for number, member in enumerate(members, 1):
        begins = f"{indent}+-+{_RULE}" if number == 1 else f"{indent}  +{_RULE}"
        found += [f"{begins} {number} {_RULE}", *_lines(member, source, named, inner + 1)]
    return [*found, f"{indent}  +{_RULE * 2}----"]


def _full_name(name: str, frames: list[dict[str, Any]]) -> str:
    """Return a class's dotted name: as the modules know it whose code the exception came through."""
    for frame in reversed(frames):
        module = sys.modules.get(module_of(str(frame.get("filename"))))
        found = getattr(module, "__dict__", {}).get(name)
        if isinstance(found, type) and issubclass(found, BaseException):
            qualified = found.__qualname__
            return qualified if found.__module__ == "builtins" else f"{found.__module__}.{qualified}"
    return name
