"""How large an event and its parts may be, and what is cut when they are larger."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from loghub.event import KEYS, dumps

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MESSAGE_CHARS = 8_192
MAX_TRACEBACK_CHARS = 65_536
MAX_VALUE_CHARS = 4_096
MAX_KEY_CHARS = 256
MAX_ENTRIES = 100  # per container
MAX_DEPTH = 6  # containers inside containers
MAX_FRAMES_OUTER = 50
MAX_FRAMES_INNER = 200
MAX_EVENT_BYTES = 256 * 1024  # of JSON
MAX_EVENT_CHARS = 384 * 1024  # of all texts before the last cuts: bounds the time, not the result
MAX_EVENT_NODES = 10_000  # values of all kinds: what is shared a hundredfold is copied a hundredfold
MAX_INT_BITS = 128  # longer whole numbers become text: not every reader of JSON takes them
CUT_MARGIN_CHARS = 8_192  # scrubbed beyond a cut and thrown away, so that no half of a secret stays
BEGINNING_CHARS = 1_024  # shown of a `Beginning`
MAX_REMEMBERED = 4_096  # clean short texts and judged names

KEPT = ("timestamp", "id", "fingerprint")
CHARS = {
    "error_message": MAX_MESSAGE_CHARS,
    "message": MAX_MESSAGE_CHARS,
    "template": MAX_MESSAGE_CHARS,
    "traceback": MAX_TRACEBACK_CHARS,
}
# In this order the room is given out: what comes last is cut first.
FIRST = (
    *("error_type", "error_message", "message", "module", "function"),
    *("frames", "traceback", "causes", "exceptions"),
)
_LAST = ("system", "breadcrumbs")
ORDER = (*KEPT, *FIRST, *(key for key in KEYS if key not in KEPT + FIRST + _LAST), *_LAST)
KNOWN = frozenset(ORDER)
CUT = "..."


class Beginning(str):
    """The beginning of a text that was too long to be kept: BEGINNING_CHARS to show, CUT_MARGIN_CHARS beyond."""

    __slots__ = ()


def cut(text: str, limit: int, head_share: float = 0.5) -> str:
    """Return at most `limit` characters of `text`: its head and its tail, and between them how much was cut."""
    if len(text) <= limit:
        return text
    note = f"{CUT} ({len(text) - limit} characters cut) {CUT}"
    room = max(0, limit - len(note) - 8)  # the number grows by what the note takes
    note = f"{CUT} ({len(text) - room} characters cut) {CUT}"
    head = int(room * head_share)
    return (text[:head] + note + text[len(text) - (room - head) :])[:limit]


def gap(count: int) -> dict[str, Any]:
    """Return the frame that stands for `count` frames left out."""
    note = f"{CUT} ({count} frames cut) {CUT}"
    return {"file": "", "module": "", "function": note, "line": 0, "code": "", "in_app": False}


def _every_frames(part: Any) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Yield what has frames, and the frames: the event, its causes, the members of its group."""
    if not isinstance(part, dict):
        return
    if isinstance(part.get("frames"), list):
        yield part, part["frames"]
    for key in ("causes", "exceptions"):
        entries = part.get(key)
        for inner in entries if isinstance(entries, list) else ():
            yield from _every_frames(inner)


def _cut_breadcrumbs(event: dict[str, Any]) -> None:
    crumbs = event.get("breadcrumbs")
    if crumbs:
        count = len(crumbs) if isinstance(crumbs, list | dict) else 1
        event["breadcrumbs"] = [{"message": f"{CUT} ({count} more)"}]


def _cut_locals(event: dict[str, Any]) -> None:
    for _, frames in _every_frames(event):
        for frame in frames:
            if isinstance(frame, dict) and frame.get("locals"):
                frame["locals"] = {CUT: f"({len(frame['locals'])} more)"}


def _cut_context(event: dict[str, Any]) -> None:
    for key in list(event):
        if key not in {*KEPT, *FIRST, *CHARS, "breadcrumbs"} and len(dumps(event[key])) > 2_048:
            event[key] = _small(event[key])


def _small(value: Any) -> Any:
    """Return the little that is kept of a context that is too large."""
    if isinstance(value, dict):
        kept = {key: _small(value[key]) if isinstance(value[key], str) else CUT for key in islice(value, 10)}
        return {**kept, CUT: f"({len(value) - len(kept)} more)"} if len(value) > len(kept) else kept
    if isinstance(value, list):
        return [f"{CUT} ({len(value)} more)"]
    return cut(value, 100) if isinstance(value, str) else value


def _cut_outer_frames(event: dict[str, Any]) -> None:
    for part, frames in _every_frames(event):
        if len(frames) > 30:
            part["frames"] = [gap(len(frames) - 30), *frames[-30:]]


def _cut_parts(event: dict[str, Any]) -> None:
    for key in ("causes", "exceptions"):
        if event.get(key):
            count = len(event[key]) if isinstance(event[key], list) else 1
            event[key] = [{"error_type": CUT, "error_message": f"{CUT} ({count} more)"}]


def _cut_texts(event: dict[str, Any]) -> None:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = cut(value, CHARS.get(key, MAX_VALUE_CHARS) // 8, 0.25)


def _cut_rest(event: dict[str, Any]) -> None:
    """Leave the texts alone: whatever it was, it was made to be too large."""
    for key in [key for key, value in event.items() if not isinstance(value, str)]:
        event[key] = _small(event[key]) if key == "additional_info" else None
    for key in list(event)[len(KEYS) + MAX_ENTRIES :]:
        del event[key]


def fit(event: dict[str, Any]) -> dict[str, Any]:
    """Cut the plain `event` in place until its JSON has at most `MAX_EVENT_BYTES`, the least missed first."""
    steps = (
        _cut_breadcrumbs,
        _cut_locals,
        _cut_context,
        _cut_outer_frames,
        _cut_parts,
        _cut_texts,
        _cut_rest,
    )
    for step in steps:
        if len(dumps(event)) <= MAX_EVENT_BYTES:
            break
        step(event)
    return event
