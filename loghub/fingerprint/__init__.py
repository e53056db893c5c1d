"""Which events are the same bug, by version: one group is one bug that a maintainer would fix in one place.

`parts` says what counts and why; `of_event` is the hash over it. The rules of ``v1``:

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

import hashlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from loghub.fingerprint.codes import CODE_NAME, CODES, ERRNO, may_have_code
from loghub.fingerprint.files import is_library_path
from loghub.fingerprint.messages import MAX_TEXT, normalize, shape
from loghub.fingerprint.reading import first_line, is_record, with_stack
from loghub.fingerprint.rules import BROKEN_FILE, found_in, template_of
from loghub.fingerprint.rules import may_have_code as event_may_have_code

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Mapping

__all__ = ["MAX_TEXT", "VERSION", "Part", "custom", "explain", "is_library_path", "judge", "may_have_code",
           "message_key", "normalize", "of_event", "of_record", "parts"]  # fmt: skip

VERSION = "v1"


class Part(NamedTuple):
    """One thing that was hashed: what it is, its value, and why it counts."""

    what: str
    value: str
    why: str


_WHY = {
    "type": "another class of error is another bug",
    "code": "what tells errors on one stack apart: errno, SQLSTATE, missing module or table",
    "frame": "the way through the application's own functions, each once",
    "class": "the class around the innermost function of the application",
    "line": "the source line in it, so that two raises in one function are two bugs",
    "cause": "what led to the error, and where in the application",
    "member": "one kind of error in the group; their order and number do not count",
    "library": "no frame is the application's: the innermost library function",
    "place": "where it was logged",
    "logger": "there is no stack: the logger stands for the place",
    "name": "the name in the message belongs to the code, not to the data",
    "message": "the stack cannot tell, so the message counts, without values",
    "template": "the log message without values: %s and an f-string come out alike",
    "file": "the file that is broken, whoever loads it",
    "text": "nothing could be read from the stack's text but its words",
}
_FROM_MESSAGE = frozenset({"code", "name", "message", "text"})


def of_record(record: logging.LogRecord) -> str:
    """Return the fingerprint of a record, by the EventFilter that has seen it, or by the defaults."""
    from loghub.filters import shared_capture

    return shared_capture().fingerprint_of(record)


def of_event(event: Mapping[str, Any]) -> str:
    """Return ``v1:`` and 16 hex digits: the key of "the same bug".

    Args:
        event: Any dict with an event's keys. Keys may be missing, values of any type; nothing is raised.
            Its own ``fingerprint`` is not read: see `custom`.
    """
    return judge(event)[0]


def judge(event: Mapping[str, Any]) -> tuple[str, bool]:
    """Return `of_event`, and whether another message on the same way through the code could be another bug.

    Where that is so, `message_key` says which messages need not be told apart.
    """
    event = with_stack(event)
    found = found_in(event)
    if is_record(event):
        by_message = not template_of(event)
    else:
        by_message = any(what in _FROM_MESSAGE for what, _ in found) or event_may_have_code(event)
    return _digest(text for part in found for text in part), by_message


def explain(event: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what was hashed, in order, as rows: ``what``, ``value``, ``why``."""
    return [part._asdict() for part in parts(event)]


def custom(value: object, default: str) -> str:
    """Return the fingerprint that ``extra={"fingerprint": value}`` asks for.

    Args:
        value: A text or a list; ``"{{ default }}"`` in it stands for `default`. Nothing at all, or only
            that, is `default`.
        default: What `of_event` returned.
    """
    items = value if isinstance(value, list | tuple) else [value]
    texts = [str(item) for item in items if item is not None and item != ""]
    chosen = [default if _DEFAULT.fullmatch(text) else text for text in texts]
    return default if chosen in ([], [default]) else _digest(["custom", *chosen])


_DEFAULT = re.compile(r"\s*\{\{\s*default\s*\}\}\s*")


def message_key(message: str) -> str:
    """Return all that `of_event` can take from an exception's message: equal keys, equal fingerprints."""
    line = first_line(message)
    found = [shape(line), *ERRNO.findall(line)]
    patterns = [*(pattern for _, pattern in CODES), CODE_NAME, BROKEN_FILE]
    found += [match[0] for pattern in patterns if (match := pattern.search(line))]
    return "\0".join(found)


def _digest(texts: Iterable[str]) -> str:
    parts = list(texts)
    joined = "\0".join(parts)
    if joined.count("\0") >= len(parts) > 0:  # a text has one of its own
        joined = "\0".join([text.replace("\0", " ") for text in parts])
    return f"{VERSION}:{hashlib.blake2b(joined.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"


def parts(event: Mapping[str, Any]) -> list[Part]:
    """Return what counts of `event`, in the order in which it is hashed."""
    return [Part(what, value, _WHY[what]) for what, value in found_in(with_stack(event))]
