"""The copy of an event that goes out: plain, bounded and clean."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from loghub.event import Event, Frame, Shared, escaped
from loghub.scrub.acquaintance import forget
from loghub.scrub.masked import is_distinct, is_prose
from loghub.scrub.size import (
    BEGINNING_CHARS,
    CHARS,
    CUT,
    CUT_MARGIN_CHARS,
    KEPT,
    KNOWN,
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_EVENT_BYTES,
    MAX_EVENT_CHARS,
    MAX_EVENT_NODES,
    MAX_FRAMES_INNER,
    MAX_FRAMES_OUTER,
    MAX_INT_BITS,
    MAX_KEY_CHARS,
    MAX_MESSAGE_CHARS,
    MAX_REMEMBERED,
    MAX_VALUE_CHARS,
    ORDER,
    Beginning,
    cut,
    fit,
    gap,
)
from loghub.scrub.texts import CONTROL, PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Callable

    from loghub.scrub.scrubber import Scrubber

_FRAME_KEYS = frozenset(Frame.__annotations__)
_LEAST_CARD = 10**12  # no card's number is shorter
_SHORT_CHARS = 200  # what may be remembered as clean
_FRAME_CHARS = 600  # the same of a frame in a traceback
_SEQUENCES = (list, tuple)
_LISTED = (list, tuple, set, frozenset, deque)
_FRAME_HEADS = re.compile(r'^(?=  File ")', re.MULTILINE)


def _class_name(value: object) -> str:
    try:
        return str(type.__getattribute__(type(value), "__name__"))
    except Exception:
        return "object"


def _as_text(value: object) -> str:
    """Return a text as an exact str, and anything else as its repr."""
    return str.__str__(value) if issubclass(type(value), str) else _printed(value)


def _printed(value: object) -> str:
    """Return ``repr(value)`` as an exact str, whatever `value` does about it."""
    try:
        if isinstance(value, bytes | bytearray):
            return repr(value[: MAX_VALUE_CHARS + CUT_MARGIN_CHARS])
        return str.__str__(repr(value))
    except Exception:
        return f"<unprintable {_class_name(value)}>"


def last_words(event: Event, error: Exception) -> Event:
    """Return what stands for an event that could not be copied at all."""
    said: dict[str, Any] = {"error_message": f"<unprintable event: {type(error).__name__}>"}
    if type(event) is dict:
        for key in KEPT:
            value = event.get(key)
            if type(value) is str and len(value) <= MAX_KEY_CHARS and value.isprintable():
                said[key] = value
    return cast("Event", said)


class Copy:
    """One event on its way out: plain, bounded and clean.

    Attributes:
        found: What stood beside the name of a secret so far.
        nodes, chars: How much room is left.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self.scrubber = scrubber
        self.values, self.known = scrubber.current_values()
        self.found: list[str] = []
        self.path: set[int] = set()
        self.nodes = MAX_EVENT_NODES
        self.chars = MAX_EVENT_CHARS

    def event(self, event: Event) -> Event:
        """Return the copy of `event`."""
        plain = cast("dict[Any, Any]", event)
        copied = {key: self.field(key, plain[key]) for key in ORDER if key in plain}
        for key in islice((key for key in plain if key not in KNOWN), MAX_ENTRIES):
            name = self.key(key)
            copied[name] = PLACEHOLDER if self.scrubber.is_secret(name) else self.value(plain[key], 0)
        result = {key: copied.pop(key) for key in plain if key in copied} | copied
        if self.found:
            result = forget(result, self.found)
        spent = 12 * (MAX_EVENT_CHARS - self.chars) + 64 * (MAX_EVENT_NODES - self.nodes)
        return cast("Event", fit(result) if spent > MAX_EVENT_BYTES // 2 else result)

    def field(self, key: str, value: Any) -> Any:
        """Copy what stands under one of the event's own keys."""
        if key in KEPT and type(value) is str and len(value) <= MAX_KEY_CHARS:
            return value if value.isprintable() else escaped(value)
        if key == "traceback":
            return self.traceback(_as_text(value), CHARS[key])
        if key in CHARS:
            return self.text(_as_text(value), CHARS[key])
        if key == "frames":
            return self.frames(value)
        if type(value) is list and not value:
            return []
        return self.parts(value, 0) if key in {"causes", "exceptions"} else self.value(value, 0)

    # texts

    def text(self, text: str, limit: int = MAX_VALUE_CHARS, head_share: float = 0.5, *, code: bool = False) -> str:
        """Clean and cut a text, unless it is known to be clean."""
        if text in self.known[code]:
            self.chars -= len(text)
            return text
        if self.chars <= 0 and len(text) > _SHORT_CHARS:
            return f"{CUT} ({len(text)} characters cut) {CUT}"
        clean = self.long(text, limit, head_share) if len(text) > limit else self.clean(text, code=code)
        if len(clean) > limit:
            clean = cut(clean, limit, head_share)
        self.chars -= len(clean)
        return clean

    def traceback(self, text: str, limit: int) -> str:
        """Clean a traceback frame by frame: most of them stood in other tracebacks before."""
        if len(text) > limit or self.chars <= 0:
            return self.text(text, limit, 0.25)
        known = self.known[False]
        frames = _FRAME_HEADS.split(text)
        clean = "".join([one if one in known else self.clean(one, remember=_FRAME_CHARS) for one in frames])
        self.chars -= len(clean)
        return cut(clean, limit, 0.25)

    def clean(self, text: str, *, code: bool = False, remember: int = _SHORT_CHARS) -> str:
        """Clean a text, and remember it if that was in vain."""
        clean = self.scrubber.scrub(text, self.values, self.found, code=code)
        if not clean.isprintable() and CONTROL.search(clean):
            clean = escaped(clean)
        if clean == text and len(text) <= remember:
            self.remember(text, code=code)
        return clean

    def remember(self, text: str, *, code: bool) -> None:
        """Take a text as known to be clean."""
        if len(self.known[code]) >= MAX_REMEMBERED:
            self.known[code].clear()
        self.known[code].add(text)

    def long(self, text: str, limit: int, head_share: float) -> str:
        """Cut first, because cleaning takes time, but with a margin: half a secret has no shape."""
        if len(text) <= limit + 2 * CUT_MARGIN_CHARS:
            return cut(self.clean(text), limit, head_share)
        room = limit - 64
        head, tail = int(room * head_share), room - int(room * head_share)
        start = self.clean(text[: head + CUT_MARGIN_CHARS])[:-CUT_MARGIN_CHARS][:head]
        end = self.clean(text[-(tail + CUT_MARGIN_CHARS) :])[CUT_MARGIN_CHARS:][-tail:]
        return f"{start}{CUT} ({len(text) - len(start) - len(end)} characters cut) {CUT}{end}"

    def beginning(self, text: str) -> str:
        """Clean what was kept of a longer text; at its end may be half a secret, which has no shape."""
        clean = self.clean(text)
        if len(text) >= BEGINNING_CHARS + CUT_MARGIN_CHARS:
            clean = clean[:-CUT_MARGIN_CHARS]
        self.chars -= BEGINNING_CHARS
        return f"{clean[:BEGINNING_CHARS]}{CUT} (cut)"

    # any value

    def value(self, value: Any, depth: int) -> Any:
        """Return `value` as JSON can hold it."""
        self.nodes -= 1
        kind = type(value)
        if kind is str:
            return self.text(value)
        if value is None or kind is bool or (kind is int and -_LEAST_CARD < value < _LEAST_CARD):
            return value
        if kind is Shared:
            return self.shared(value, lambda one: self.inside(one, depth, self.mapping))
        try:
            return self.other(value, kind, depth)
        except Exception:
            return f"<unprintable {_class_name(value)}>"

    def other(self, value: Any, kind: type, depth: int) -> Any:
        """Copy what is no plain text."""
        if issubclass(kind, int):
            return self.whole(int.__add__(value, 0))
        if issubclass(kind, float):
            number = float.__add__(value, 0.0)
            return number if math.isfinite(number) else repr(number)
        if issubclass(kind, str):
            text = str.__str__(value)
            return self.beginning(text) if kind is Beginning else self.text(text)
        if issubclass(kind, Mapping):
            return self.inside(value, depth, self.mapping)
        if issubclass(kind, _LISTED):
            return self.inside(value, depth, self.entries)
        return self.text(_printed(value))

    def whole(self, number: int) -> Any:
        """Copy a whole number, which may be a card's."""
        if number.bit_length() > MAX_INT_BITS:
            return f"<int of {number.bit_length()} bits>"
        if not _LEAST_CARD <= number < 10**19:  # no card has more digits
            return number
        text = str(number)
        return number if text in self.known[False] or self.clean(text) != PLACEHOLDER else PLACEHOLDER

    def inside(self, value: Any, depth: int, copy: Callable[[Any, int], Any]) -> Any:
        """Copy a container, unless it is inside itself, too deep, or there is no more room."""
        if id(value) in self.path:
            return f"<circular {_class_name(value)}>"
        if depth >= MAX_DEPTH or self.nodes <= 0 or self.chars <= 0:
            return f"{CUT} ({len(value)} more)" if len(value) else copy(value, depth)
        self.path.add(id(value))
        try:
            return copy(value, depth + 1)
        finally:
            self.path.discard(id(value))

    def key(self, key: Any) -> str:
        """Copy a key of a dict."""
        return self.text(_as_text(key), MAX_KEY_CHARS)

    def mapping(self, mapping: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        """Copy a dict, and hide what stands under secret names."""
        copied: dict[str, Any] = {}
        pair_is_secret = self.names_a_secret(mapping)
        for key in islice(iter(mapping), MAX_ENTRIES):
            value = mapping[key]
            name = self.key(key)
            while name in copied:
                name += "'"
            secret = self.scrubber.is_secret(name) or (pair_is_secret and name.lower() == "value")
            copied[name] = self.hidden(value) if secret else self.value(value, depth)
        if len(mapping) > len(copied):
            copied[CUT] = f"({len(mapping) - len(copied)} more)"
        return copied

    def names_a_secret(self, mapping: Mapping[Any, Any]) -> bool:
        """Tell whether `mapping` is one of the pairs ``{"name": "DB_PASSWORD", "value": ...}``."""
        if len(mapping) > 8:
            return False
        small = {key.lower(): key for key in mapping if type(key) is str and len(key) <= 5}
        if "value" not in small:
            return False
        names = [mapping[small[key]] for key in ("name", "key", "field") if key in small]
        return any(type(name) is str and self.scrubber.is_secret(name) for name in names)

    def hidden(self, value: Any) -> Any:
        """Return what is shown of a value under a secret name: whether there is one at all."""
        if value is None or type(value) is bool or (type(value) is str and not value):
            return value
        if type(value) in _SEQUENCES and value and all(type(one) is str and is_prose(one) for one in value):
            return self.entries(value, 0)
        if type(value) is str and len(value) <= MAX_VALUE_CHARS:
            self.found.append(value)
        return PLACEHOLDER

    def entries(self, entries: Any, depth: int) -> list[Any]:
        """Copy a list, tuple or set; ``("Authorization", "Bearer ...")`` is a key and its value."""
        if type(entries) in _SEQUENCES and len(entries) == 2 and self.is_pair(*entries, told=type(entries) is tuple):
            return [self.value(entries[0], depth), self.hidden(entries[1])]
        copied = [self.value(entry, depth) for entry in islice(iter(entries), MAX_ENTRIES)]
        if len(copied) > 1 and any(type(entry) is str and entry[:1] == "-" for entry in copied):
            copied = self.command(copied)
        if len(entries) > len(copied):
            copied.append(f"{CUT} ({len(entries) - len(copied)} more)")
        return copied

    def command(self, copied: list[Any]) -> list[Any]:
        """Hide what the arguments of a command are together: a password after its option."""
        told = [entry if type(entry) is str else "" for entry in copied]
        clean = self.scrubber.command(told, self.found)
        return [new if old else entry for entry, old, new in zip(copied, told, clean, strict=True)]

    def is_pair(self, name: Any, value: Any, *, told: bool) -> bool:
        """Tell whether two entries are a secret's name and its value; a list, not `told`, may be one of names."""
        if not self.is_key(name):
            return False
        return told or (type(value) is str and is_distinct(value, 6) and not is_prose(value))

    def is_key(self, value: Any) -> bool:
        """Tell whether the first of two is the name of a secret."""
        if type(value) is bytes:
            value = value[:MAX_KEY_CHARS].decode("ascii", "replace")
        return type(value) is str and len(value) <= MAX_KEY_CHARS and self.scrubber.is_secret(value)

    # frames and parts

    def frames(self, frames: Any) -> Any:
        """Copy the frames, the outermost and the innermost ones."""
        if not issubclass(type(frames), _SEQUENCES):
            return self.value(frames, 0)
        inner = len(frames) - MAX_FRAMES_INNER
        if inner <= MAX_FRAMES_OUTER:
            return [self.frame(frame) for frame in frames]
        outer = [self.frame(frame) for frame in frames[:MAX_FRAMES_OUTER]]
        return [*outer, gap(inner - MAX_FRAMES_OUTER), *(self.frame(frame) for frame in frames[inner:])]

    def frame(self, frame: Any) -> Any:
        """Copy a frame, which may be shared."""
        if type(frame) is Shared:
            return self.shared(frame, self.own_frame)
        return self.own_frame(frame) if type(frame) is dict else self.value(frame, 1)

    def own_frame(self, frame: dict[Any, Any]) -> dict[str, Any]:
        """Copy a frame key by key."""
        self.nodes -= len(frame)
        copied: dict[str, Any] = {}
        for key, value in islice(frame.items(), MAX_ENTRIES):
            name = key if key in _FRAME_KEYS else self.key(key)
            copied[name] = self.text(value, code=key == "code") if type(value) is str else self.value(value, 1)
        return copied

    def shared(self, value: Shared, copy: Callable[[Any], Any]) -> Any:
        """Let `value` stand in this event, too, if it is clean: it stays so until other secrets are known."""
        if value.clean_for is self.known:
            self.nodes -= len(value)
            self.chars -= value.chars
            return value
        before = self.chars
        copied = copy(value)
        if copied != value:
            return copied
        value.chars, value.clean_for = before - self.chars, self.known
        return value

    def parts(self, parts: Any, depth: int) -> Any:
        """Copy causes, or members of a group."""
        if not issubclass(type(parts), _SEQUENCES):
            return self.value(parts, depth)
        return self.inside(parts, depth, self.each_part)

    def each_part(self, parts: Any, depth: int) -> list[Any]:
        """Copy so many parts as there is room for."""
        copied = [self.part(part, depth) for part in parts[:MAX_ENTRIES]]
        if len(parts) > len(copied):
            copied.append({"error_type": CUT, "error_message": f"{CUT} ({len(parts) - len(copied)} more)"})
        return copied

    def part(self, part: Any, depth: int) -> Any:
        """Copy one cause or member."""
        if type(part) is not dict:
            return self.value(part, depth)
        if id(part) in self.path or self.nodes <= 0:
            return {"error_type": CUT, "error_message": f"{CUT} (1 more)"}
        self.path.add(id(part))
        try:
            items = islice(part.items(), MAX_ENTRIES)
            return {self.key(key): self.part_field(key, value, depth) for key, value in items}
        finally:
            self.path.discard(id(part))

    def part_field(self, key: str, value: Any, depth: int) -> Any:
        """Copy what stands under a key of a part."""
        if key == "frames":
            return self.frames(value)
        if key in {"causes", "exceptions"}:
            return self.parts(value, depth)
        if key == "error_message":
            return self.text(_as_text(value), MAX_MESSAGE_CHARS)
        return self.value(value, depth)
