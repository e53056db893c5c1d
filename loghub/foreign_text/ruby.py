"""Ruby: what the interpreter prints in all releases, and what Rails and Sidekiq log."""

from __future__ import annotations

import itertools
import re
from typing import Any

from loghub.foreign_text.shape import chained, error, frame

_FRAME = re.compile(
    r"\s{0,80}(?:\d{1,6}: )?(?:from )?(?:(?P<gem>[\w.-]{1,80} \([\w.]{1,30}\)) )?"
    r"(?P<file>(?:<internal:|[A-Za-z]:)?[^:'\"]{1,1000}):(?P<line>\d{1,9}):"
    r"in ?[`'](?P<name>[^'\n]{1,400})'(?P<rest>: .*|:?$)"
)
_HEAD = re.compile(r": (?P<message>.*) \((?P<kind>[A-Z][\w:]{0,200})\)$")
_LAST = re.compile(r"(?P<message>.*) \((?P<kind>[A-Z][\w:]{0,200})\):?$")
_RAILS = re.compile(r".{0,200}?(?P<kind>[A-Z]\w{0,100}(?:::[A-Z]\w{0,100}){0,9}) \((?P<message>.*)\):?$")
_LOGGED = re.compile(
    r"(?:.{0,500}[\s|])?(?P<kind>[A-Z][\w:]{0,150}(?:Error|Exception|Interrupt|NotFound"
    r"|Invalid)): (?P<message>.*)$"
)
# Where the block or the rescue stands is told by the method around it.
_WITHIN = re.compile(r"(?:(?:block|rescue|ensure)(?: \(\d{1,4} levels\))?(?: in )?)+")
_TEMPLATE = re.compile(r"_{1,3}\d{3,30}_\d{1,30}$")
_LIBRARY = re.compile(
    r"/gems/|/bundle/ruby/|/lib/ruby/|^<internal:|/rubygems/|/vendor/bundle/|^/usr/(?:local/)?bin/|^\(eval"
    r"|/versions/[\d.]+/bin/"
)
_NIL = re.compile(r"\bfor nil:NilClass\b")
_OBJECT = re.compile(r"\bfor #<(?P<kind>[A-Z][\w:]{0,200}?)(?::0x[^>]{0,1000}| [^>]{0,1000})?>")
_CLASS = re.compile(r"\bfor (?P<name>[A-Z][\w:]{0,200}?):(?P<kind>Class|Module)\b")
MARK = re.compile(r":\d+:in ?[`']")


def read(lines: list[str]) -> dict[str, Any] | None:
    """Read the first stack, whichever end it begins with, and what caused it."""
    numbers = [at for at, line in enumerate(lines) if MARK.search(line) and _FRAME.match(line)]
    if not numbers:
        return None
    stacks: list[list[int]] = []
    for at in numbers:
        # A blank line, a message of several lines and the excerpt of error_highlight may stand within.
        if (stacks and at - stacks[-1][-1] <= 12 and not _HEAD.search(lines[at])) or (
            stacks and _is_reversed(lines[stacks[-1][0]]) and at - stacks[-1][-1] == 1
        ):
            stacks[-1].append(at)
        else:
            stacks.append([at])
    first = stacks[0]
    errors = [_error(lines, first)]
    if not _is_reversed(lines[first[0]]):
        for before, following in itertools.pairwise(stacks):
            if following[0] - before[-1] > 3:
                break
            errors.append(_error(lines, following))
    return chained(errors)


def _is_reversed(line: str) -> bool:
    return re.match(r"\s*\d{1,6}: from ", line) is not None


def _error(lines: list[str], stack: list[int]) -> dict[str, Any]:
    reads = [found for at in stack if (found := _FRAME.match(lines[at])) is not None]
    if _is_reversed(lines[stack[0]]):
        reads.reverse()
        kind, message = _told(reads[0]["rest"], lines[stack[-1] + 1 : stack[-1] + 20])
    elif reads[0]["rest"].startswith(": "):
        kind, message = _told(reads[0]["rest"], lines[stack[0] + 1 : stack[1] if len(stack) > 1 else stack[0] + 20])
    else:
        kind, message = _before(lines[max(stack[0] - 12, 0) : stack[0]])
    frames: list[dict[str, Any]] = []
    for found in reads:
        one = _frame(found)
        # A function in C has the place of who called it; newer releases have written some of them in Ruby.
        if frames and (frames[-1]["file"], frames[-1].get("line")) == (one["file"], one.get("line")):
            frames.pop()
        frames.append(one)
    return error(kind, _plain(message), frames)


def _told(rest: str, following: list[str]) -> tuple[str, str]:
    if (head := _HEAD.match(rest)) is not None:
        return head["kind"], head["message"]
    said = [rest.removeprefix(": ")]
    for line in following:  # the class stands behind the first line, or behind the last
        if (last := _LAST.match(line)) is not None:
            return last["kind"], "\n".join([*said, last["message"]])
        said.append(line)
    if rest.endswith("unhandled exception"):
        return "RuntimeError", ""
    return "", said[0]


def _before(lines: list[str]) -> tuple[str, str]:
    for line in reversed(lines):
        if (told := _RAILS.match(line) or _LOGGED.match(line)) is not None:
            return told["kind"], told["message"]
    return "", next((line for line in reversed(lines) if line.strip()), "")


def _plain(message: str) -> str:
    """Return the message in the words of the newest release."""
    message = _OBJECT.sub(r"for an instance of \g<kind>", _NIL.sub("for nil", message))
    message = _CLASS.sub(lambda found: f"for {found['kind'].lower()} {found['name']}", message)
    return message.replace("`", "'")


def _frame(found: re.Match[str]) -> dict[str, Any]:
    file = found["file"].strip().replace("\\", "/")
    name = _TEMPLATE.sub("", _WITHIN.sub("", found["name"]).strip() or found["name"])
    # Only releases since 3.4 tell the class; files are called as their class is.
    if not name.startswith("<"):
        cut = name.rpartition("#")[2]
        name = cut.rpartition(".")[2] or cut
    return frame(file, name, found["line"], in_app=not (found["gem"] or _LIBRARY.search(file)))
