"""The rule of ``v0``: a hash of class, message and the first few frames, as the first error reporters did it.

It is here for who moves from such a reporter, and to measure by: every other value in a message is another group, and
every line that moves.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from loghub.fingerprint.messages import MAX_TEXT
from loghub.fingerprint.reading import dicts_in, name_in, text_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

WHY = {
    "type": "another class of error is another bug",
    "message": "every letter of it counts",
    "frame": "one of the first three, with its line",
}
_FRAMES = 3


def found_in(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what counts of an event, each as what it is and its value."""
    yield "type", name_in(event, "error_type")
    yield "message", (text_in(event, "error_message") or text_in(event, "message"))[:MAX_TEXT]
    for frame in islice(dicts_in(event.get("frames")), _FRAMES):
        yield "frame", f"{name_in(frame, 'file')}:{frame.get('line')} in {name_in(frame, 'function')}"


def is_by_message(_event: Mapping[str, Any], _found: Collection[tuple[str, str]]) -> bool:
    """Return True: another message is another bug."""
    return True


def message_key(message: str) -> str:
    """Return all that `found_in` can take from an exception's message."""
    return message[:MAX_TEXT]
