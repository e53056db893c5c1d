"""The rules of ``v1``: see `loghub.fingerprint`."""

from __future__ import annotations

import re
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from loghub.fingerprint.codes import CODE_NAME, HAVE_CODES, codes_of
from loghub.fingerprint.files import folders
from loghub.fingerprint.messages import shape
from loghub.fingerprint.reading import (
    dicts_in,
    first_line,
    is_record,
    last_name,
    read_error,
    read_head,
    text_in,
    without_blanks,
)
from loghub.fingerprint.scripts import script_parts
from loghub.fingerprint.stacks import library_place, own_stack, tails

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from loghub.fingerprint.reading import Error, Frame

_MAX_MEMBERS = 100
MAX_CAUSES = 50


def found_in(event: Mapping[str, Any]) -> Collection[tuple[str, str]]:
    """Return what counts of an event, each as what it is and its value, in the order in which it is hashed."""
    if text_in(event, "platform") == "javascript":
        found = script_parts(event)
    elif is_record(event):
        found = _record(event)
    else:
        found = _exception(event)
    return dict.fromkeys(found)


def _exception(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    error = read_error(event)
    members = _member_keys(event) if event.get("exceptions") else []
    stack = own_stack(error)
    if not stack and len(members) == 1 and any(what == "frame" for what, _ in members[0]):
        # A framework wrapped the application's error into a group of its own.
        yield from members[0]
        return
    broken = BROKEN_FILE.search(error.message) if last_name(error.kind) in _SYNTAX_ERRORS else None
    if broken and not broken["file"].startswith("<"):
        yield "type", error.kind
        yield "file", broken["file"]
        yield "message", shape(error.message[: broken.start()])
        return
    causes = list(_causes(event)) if event.get("causes") else []
    yield from _of_error(error, stack)
    if not stack and not members and not any(own_stack(cause) for cause in causes):
        yield from _by_message(event, error)
    for cause in causes:
        yield from _of_cause(cause)
    yield from (("member", " | ".join(f"{what} {value}" for what, value in member)) for member in members)


def _of_error(error: Error, stack: list[Frame]) -> Iterator[tuple[str, str]]:
    """What counts of any error, a member of a group too."""
    yield "type", error.kind
    yield from (("code", code) for code in codes_of(error))
    if not stack:
        return
    yield from (("frame", tail) for tail in dict.fromkeys(tails(stack)))
    if last_name(error.kind) == "RecursionError":
        return
    culprit = stack[-1]
    if culprit.owner:
        yield "class", culprit.owner
    if culprit.code:
        yield "line", culprit.code


def _of_cause(cause: Error) -> Iterator[tuple[str, str]]:
    stack = own_stack(cause)
    if stack or cause.relation == "cause":
        place = f" at {tails(stack)[-1]}: {stack[-1].code}" if stack else ""
        yield "cause", f"{cause.relation} {cause.kind}{place}"
        yield from (("code", f"{cause.relation} {code}") for code in codes_of(cause))


def _by_message(event: Mapping[str, Any], error: Error) -> Iterator[tuple[str, str]]:
    """What counts where no frame is the application's."""
    if error.frames:
        yield "library", library_place(error.frames)
    else:
        yield from _place(event)
        yield from (("text", shape(text)) for text in [text_in(event, "traceback")] if text)
    if name := CODE_NAME.search(first_line(error.message)):
        yield "name", next(filter(None, name.groups()))
    yield "message", shape(first_line(error.message))


def _member_keys(event: Mapping[str, Any]) -> list[tuple[tuple[str, str], ...]]:
    """Return the set of a group's members, sorted."""
    return sorted({_member_key(member) for member in members(event)})


def members(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the members of a group; groups within groups are opened."""
    waiting = deque(islice(dicts_in(event.get("exceptions")), _MAX_MEMBERS))
    for _ in range(_MAX_MEMBERS):
        if not waiting:
            return
        member = waiting.popleft()
        inner = list(islice(dicts_in(member.get("exceptions")), _MAX_MEMBERS))
        waiting += inner
        if not inner:
            yield member


def _member_key(member: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    error = read_error(member)
    own = list(_of_error(error, own_stack(error)))
    return (*own, *(part for cause in _causes(member) for part in _of_cause(cause)))


def _causes(event: Mapping[str, Any]) -> Iterator[Error]:
    return (read_error(cause) for cause in islice(dicts_in(event.get("causes")), MAX_CAUSES))


def _record(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What counts of a log record without an exception."""
    message = text_in(event, "message") or text_in(event, "error_message")
    warning = _WARNING.match(message) if text_in(event, "logger") == "py.warnings" else None
    if warning:
        yield "type", warning["category"]
        yield "file", folders(warning["file"]).name
        yield "message", shape(warning["message"])
        yield "line", without_blanks(warning["code"] or "")
        return
    yield from _place(event)
    yield "template", shape(template_of(event) or message)


def template_of(event: Mapping[str, Any]) -> str:
    """Return the template with sample values in it; nothing if it has no words or is the message itself."""
    template = text_in(event, "template")
    if template == (text_in(event, "message") or text_in(event, "error_message")):
        return ""
    words = _WORD.search(_CONVERSION.sub("", template))
    return _CONVERSION.sub(_sample, template) if words else ""


def _place(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    module, function = last_name(text_in(event, "module")), last_name(text_in(event, "function"))
    if module or function:
        yield "place", f"{module} in {function}"
    if logger := text_in(event, "logger"):
        yield "logger", logger


_SYNTAX_ERRORS = frozenset({"SyntaxError", "IndentationError", "TabError"})
BROKEN_FILE = re.compile(r"\s?\((?P<file>[^()]{1,255}), line \d+\)$")
_WARNING = re.compile(r"(?P<file>[^\n]{1,400}?):\d+: (?P<category>\w+): (?P<message>[^\n]*)(?:\n\s*(?P<code>[^\n]*))?")
_CONVERSION = re.compile(r"%(?:\(\w{0,99}\))?[#0 +-]{0,5}[\d*]{0,5}(?:\.[\d*]{0,5})?[hlL]?[diouxXeEfFgGcrsa%]")
_WORD = re.compile(r"[^\W\d_]{2}")


def _sample(conversion: re.Match[str]) -> str:
    """A value as `normalize` knows it, so that ``%s`` and an f-string come out alike."""
    return "%" if conversion[0] == "%%" else "0"


def may_have_code(event: Mapping[str, Any]) -> bool:
    """Return whether another message on the way of an event could carry a code."""
    errors = [event]
    if event.get("causes") or event.get("exceptions"):
        errors += (*islice(dicts_in(event.get("causes")), MAX_CAUSES), *members(event))
    return any(last_name(error.kind) in HAVE_CODES or codes_of(error) for error in map(read_head, errors))
