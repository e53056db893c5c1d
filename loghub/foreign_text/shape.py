"""What the readers of all languages share: the shape of what they return, and lines without what collectors add."""

from __future__ import annotations

import re
from typing import Any

MAX_TEXT = 200_000
"""Characters of a text that are read."""

MAX_MESSAGE = 4000
"""Characters after which nothing is added to a message."""

_MAX_FRAMES = 500
_MAX_CAUSES = 50
_MAX_LINE = 4000
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")
# What compose, kubectl, CRI, syslog and others write before each line. Each alternative is bounded.
_PREFIX = re.compile(
    r"(?:\[pod/[^\]\s]{1,200}\] |(?:\d\d:\d\d:\d\d )?[\w.-]{1,80} {1,40}\|(?: |$)|std(?:out|err) [FP] "
    r"|DEFAULT (?=\d{4}-)"
    r"|\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z| ?[+-]\d\d:?\d\d)?\]? "
    r"|\w{1,60}\[[\w.-]{1,60}\]: |[A-Z]/[\w.-]{1,60}(?:\( {0,5}\d{1,7}\))?: "
    r"|\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} +\d{1,7} +\d{1,7} [A-Z] [\w.-]{1,60} {0,20}: "
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.-]{1,80} [\w./-]{1,80}(?:\[\d{1,9}\])?: )"
)


def lines_of(text: str) -> list[str]:
    """Return the lines, without colours and without what log collectors put before them."""
    return [_bare(line[:_MAX_LINE]) for line in _COLOUR.sub("", text).replace("\r\n", "\n").split("\n")]


def _bare(line: str) -> str:
    for _ in range(3):
        match = _PREFIX.match(line)
        if match is None:
            break
        line = line[match.end() :]
    return line.rstrip()


def frame(file: str, function: str, line: str | int = 0, *, in_app: bool, module: str = "") -> dict[str, Any]:
    """Return a frame; a line of 0 is one that the text does not tell."""
    found: dict[str, Any] = {"file": file, "module": module, "function": function, "in_app": in_app}
    return found | ({"line": int(line)} if int(line or 0) else {})


def error(kind: str, message: str, frames: list[dict[str, Any]], module: str = "") -> dict[str, Any]:
    """Return an error without causes.

    Args:
        kind: Its class or what stands for one.
        message: All of it.
        frames: Innermost first, as all languages but Python print them.
        module: Of the class.
    """
    if len(frames) > _MAX_FRAMES:
        frames = frames[: _MAX_FRAMES // 2] + frames[-_MAX_FRAMES // 2 :]
    return {
        "error_type": kind,
        "error_module": module,
        "error_message": message.strip(),
        "frames": frames[::-1],
        "causes": [],
        "exceptions": [],
        "notes": [],
    }


def tell_apart(frames: list[dict[str, Any]], words: str) -> None:
    """Give the application's innermost frame what the runtime said, in place of its source line, which no text has.

    A panic has no class: without this, two of them in one function would be one.
    """
    culprit = next((one for one in frames if one["in_app"] and one["function"]), None)
    if culprit is not None and words:
        culprit["code"] = words


def chained(errors: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the first of `errors`, with the others, each the cause of the one before it, as its causes."""
    causes = [cause | {"relation": "cause"} for cause in errors[1 : _MAX_CAUSES + 1]]
    return errors[0] | {"causes": causes}


def message_of(lines: list[str], ends: re.Pattern[str]) -> str:
    """Return the lines up to the first that begins as `ends` says."""
    taken = []
    for line in lines[:40]:
        if ends.match(line):
            break
        taken.append(line)
    return "\n".join(taken).strip()


def without_angles(name: str) -> str:
    """Return a name without what stands between ``<`` and ``>``, however deep; ``->`` and ``operator<`` stay."""
    depth, kept = 0, []
    for at, sign in enumerate(name):
        if sign == "<" and not name.startswith("operator", max(at - 8, 0)) and name[at - 1 : at] != "<":
            depth += 1
        elif sign == ">" and depth and name[at - 1] not in "-=":
            depth -= 1
        elif not depth:
            kept.append(sign)
    return "".join(kept)
