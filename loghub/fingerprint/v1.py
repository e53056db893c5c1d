"""The rules of ``v1``. They are never edited once released: another rule is a new version.

==================  ==================================================================================
the stack tells     with frames of the application: the exception's class; the application's frames, each
                    function once (so recursion folds), as file and function; of the innermost one, the
                    culprit, also the class around it and its source line; causes by class and culprit; the
                    members of a group as a set, each by these same rules
codes               what tells two errors on one stack apart: errno, SQLSTATE, missing module or table ...
library only        class, innermost library function, message
no stack            class, place and logger if known, message
SyntaxError         file and message: it is the same whoever imports the file
RecursionError      the functions of the cycle, wherever it was entered and left
plain record        logger, place, template; a template of nothing but placeholders counts as its message
warning             category, file, message, source line
browser             class, named functions with their bundles; messages only where no function has a name
==================  ==================================================================================

Never: line numbers, folders above the one that all frames of the application share, notes, values. A message
counts where the stack cannot tell, and only its first line, with values taken out (`normalize`).

An event that has only the text of a traceback gets the fingerprint of the live one. So a rule may only use
what both know: file names and bare function names. The one exception is the class around the culprit, which
keeps ``Card.charge`` and ``Voucher.charge`` apart: a text tells it only through the event's ``function``, or
after `loghub.traceback_text.qualify`.
"""

from __future__ import annotations

import json
import re
from collections import deque
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from loghub.event import escaped
from loghub.fingerprint.codes import CODE_NAME, CODES, ERRNO, HAVE_CODES, SHORT, before_code, code_text, codes_of
from loghub.fingerprint.files import folders
from loghub.fingerprint.messages import MAX_TEXT, shape
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
from loghub.fingerprint.stacks import callers_of, library_place, own_stack, place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from loghub.fingerprint.reading import Error, Frame

WHY = {
    "type": "another class of error is another bug",
    "code": "what tells errors on one stack apart: errno, SQLSTATE, missing module or table",
    "frame": "the application's innermost function; of a recursion, all that take part",
    "caller": "who called it: an error that is raised on purpose, or in a library, is as much the caller's",
    "attribute": "the name in the message belongs to the code, not to the data",
    "class": "the class around the innermost function of the application",
    "line": "the source line in it, so that two raises in one function are two bugs",
    "cause": "what led to the error, and where in the application",
    "member": "one kind of error in the group; their order and number do not count",
    "library": "no frame is the application's: the innermost library function",
    "place": "where it was logged",
    "logger": "there is no stack: the logger stands for the place",
    "name": "the name in the message belongs to the code, not to the data",
    "message": "the stack cannot tell, so the message counts, without values",
    "template": "the message as it is written, without values: %s and an f-string come out alike",
    "file": "the file that is broken, whoever loads it",
    "text": "nothing could be read from the stack's text but its words",
}
_RAISES = re.compile(r"(?:^|:)(?:raise|assert)(?!\w*=)")
_GOES_ON = ("", "(", "[", "{", "\\")  # how a line ends that does not say what is raised
_NAMES_CODE = frozenset({"AttributeError", "NameError", "UnboundLocalError"})
_FROM_MESSAGE = frozenset({"code", "name", "message", "text"})
_MAX_MEMBERS = 100
_MAX_CAUSES = 50


def found_in(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what counts of an event, each as what it is and its value, in the order in which it is hashed."""
    if text_in(event, "platform") == "javascript":
        yield from script_parts(event)
    elif is_record(event):
        yield from _record(event)
    else:
        yield from _exception(event)


def _exception(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    error = read_error(event)
    members = _member_keys(event) if event.get("exceptions") else []
    stack = own_stack(error)
    if not stack and len(members) == 1 and any(what == "frame" for what, _ in members[0]):
        # A framework wrapped the application's error into a group of its own.
        yield from members[0]
        return
    broken = _BROKEN_FILE.search(error.message) if last_name(error.kind) in _SYNTAX_ERRORS else None
    if broken and not broken["file"].startswith("<"):
        yield "type", error.kind
        yield "file", folders(broken["file"]).name
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
    if last_name(error.kind) == "RecursionError":
        yield from (("frame", one) for one in dict.fromkeys(map(place, stack)))
        return
    culprit = stack[-1]
    on_purpose = not culprit.code or _RAISES.search(culprit.code) is not None
    if on_purpose or not error.frames[-1].in_app:
        yield from (("caller", caller) for caller in callers_of(stack, raised=on_purpose))
    yield "frame", place(culprit)
    if culprit.owner:
        yield "class", culprit.owner
    if culprit.code:
        yield "line", culprit.code
    if last_name(error.kind) in _NAMES_CODE and (named := CODE_NAME.search(first_line(error.message))):
        yield "attribute", next(filter(None, named.groups()))
    if on_purpose and culprit.template:
        yield "template", shape(_sampled(culprit.template))
    elif on_purpose and culprit.code[-1:] in _GOES_ON:
        yield "template", shape(first_line(error.message))


def _of_cause(cause: Error) -> Iterator[tuple[str, str]]:
    stack = own_stack(cause)
    if stack or cause.relation == "cause":
        at = f" at {place(stack[-1])}: {stack[-1].code}" if stack else ""
        yield "cause", f"{cause.relation} {cause.kind}{at}"
        yield from (("code", f"{cause.relation} {code}") for code in codes_of(cause))


def _by_message(event: Mapping[str, Any], error: Error) -> Iterator[tuple[str, str]]:
    """What counts where no frame is the application's."""
    if error.frames:
        yield "library", library_place(error.frames)
    else:
        yield from _place(event)
        text = text_in(event, "traceback")
        if text and not (error.message in text and text_in(event, "platform") == "python"):  # else it was never raised
            yield "text", shape(text)
    if name := CODE_NAME.search(first_line(error.message)):
        yield "name", next(filter(None, name.groups()))
    yield "message", shape(_ERRNO_WORDS.sub("", first_line(error.message)))


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
    return (read_error(cause) for cause in islice(dicts_in(event.get("causes")), _MAX_CAUSES))


def _record(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What counts of a log record without an exception."""
    message = text_in(event, "message") or text_in(event, "error_message")
    message = _said_in_json(message) or message
    message = message if message.isprintable() else escaped(message[: 2 * MAX_TEXT])
    warning = _WARNING.match(message) if text_in(event, "logger") == "py.warnings" else None
    if warning:
        yield "type", warning["category"]
        yield "file", folders(warning["file"]).name
        yield "message", shape(warning["message"])
        yield "line", without_blanks(warning["code"] or "")
        return
    yield from _place(event)
    if codes := codes_of(read_head({"error_message": message})):
        yield from (("code", code) for code in codes)
        yield "template", shape(before_code(message))
    else:
        yield "template", shape(_template(event) or message)


def _said_in_json(message: str) -> str:
    """Return the message in a record that was made JSON, or a dict, before logging saw it; empty where it is none."""
    if message[:1] != "{" or message[-1:] != "}":
        return ""
    if told := _SAID_IN_DICT.search(message[:MAX_TEXT]):
        return told["said"]
    try:
        read = json.loads(message)
    except (ValueError, RecursionError):
        return ""
    said = next((read[key] for key in ("event", "message", "msg") if isinstance(read.get(key), str)), "")
    return str(said)


_SAID_IN_DICT = re.compile(r"[{ ]'(?:event|message|msg)': (?P<quote>['\"])(?P<said>[^'\"\\]*)(?P=quote)[,}]")


def _template(event: Mapping[str, Any]) -> str:
    """Return the template with sample values in it; nothing if it has no words or is the message itself."""
    template = text_in(event, "template")
    if template == (text_in(event, "message") or text_in(event, "error_message")) or template[:1] == "{":
        return ""
    words = _WORD.search(_CONVERSION.sub("", template))
    return _sampled(template) if words else ""


def _sampled(template: str) -> str:
    return _CONVERSION.sub(_sample, template)


def _place(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    module = last_name(text_in(event, "module").replace("\\", ".").replace("/", "."))
    function = last_name(text_in(event, "function"))
    if module or function:
        yield "place", f"{module} in {function}"
    if logger := text_in(event, "logger"):
        yield "logger", _NUMBER.sub("0", logger)  # some are named after a worker or a connection


_ERRNO_WORDS = re.compile(r"\[(?:Errno|WinError) -?\d+\] [^:'\"(]*")  # each system has its own
_NUMBER = re.compile(r"\d+")
_SYNTAX_ERRORS = frozenset({"SyntaxError", "IndentationError", "TabError"})
_BROKEN_FILE = re.compile(r"\s?\((?P<file>[^()]{1,255}), line \d+\)$")
_WARNING = re.compile(r"(?P<file>[^\n]{1,400}?):\d+: (?P<category>\w+): (?P<message>[^\n]*)(?:\n\s*(?P<code>[^\n]*))?")
_CONVERSION = re.compile(r"%(?:\(\w{0,99}\))?[#0 +-]{0,5}[\d*]{0,5}(?:\.[\d*]{0,5})?[hlL]?[diouxXeEfFgGcrsa%]")
_WORD = re.compile(r"[^\W\d_]{2}")


def _sample(conversion: re.Match[str]) -> str:
    """A value as `normalize` knows it, so that ``%s`` and an f-string come out alike."""
    return "%" if conversion[0] == "%%" else "0"


def is_by_message(event: Mapping[str, Any], found: Collection[tuple[str, str]]) -> bool:
    """Return whether another message on the same way through the code could be another bug."""
    if is_record(event):
        return not _template(event) or "code" in dict(found)
    kinds = {what for what, _ in found}
    return (
        not kinds.isdisjoint(_FROM_MESSAGE)
        or ("template" in kinds and not _has_template(event))
        or _may_have_code(event)
    )


def _has_template(event: Mapping[str, Any]) -> bool:
    """Return whether the innermost frame says what was raised, so that no message has to."""
    frames = [frame for frame in dicts_in(event.get("frames")) if frame.get("in_app")]
    return bool(frames) and bool(text_in(frames[-1], "template"))


def _may_have_code(event: Mapping[str, Any]) -> bool:
    errors = [event]
    if event.get("causes") or event.get("exceptions"):
        errors += (*islice(dicts_in(event.get("causes")), _MAX_CAUSES), *members(event))
    return any(last_name(error.kind) in HAVE_CODES or codes_of(error) for error in map(read_head, errors))


def message_key(message: str) -> str:
    """Return all that `found_in` can take from an exception's message: equal keys, equal fingerprints."""
    said = code_text(message)
    return (_message_key if len(said) <= SHORT else _message_key.__wrapped__)(said)


@lru_cache(1024)
def _message_key(line: str) -> str:
    found = [shape(line), *ERRNO.findall(line)]
    patterns = [*(pattern for _, pattern in CODES), CODE_NAME, _BROKEN_FILE]
    found += [match[0] for pattern in patterns if (match := pattern.search(line))]
    return "\0".join(found)
