"""Tracebacks as text, from a cache: byte for byte what `traceback` prints, at a small part of its cost.

A stack is rendered once by the standard library itself, frame by frame, and remembered by its code objects,
instruction offsets and line numbers; a repeat is one walk and one dict hit. What is not remembered is what can differ
between two errors at one place: the last line with the message, notes, and the suggestions ("Did you mean"), which are
rendered anew. Groups, and whatever is not understood here, are rendered the normal way.

The text shows source lines, so a remembered stack counts only while linecache holds the same lines and the files on
disk have not changed. A stack that repeats often looks at the files every `CHECK_SECONDS` or `CHECK_EVERY` renderings.
"""

from __future__ import annotations

import itertools
import linecache
import logging
import os
import sys
import time
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

MAX_STACKS = 1024
MAX_FRAMES = 8192
CHECK_SECONDS = 0.05
CHECK_EVERY = 64
WARM = 16
"""So many renderings of a stack look at its files each time."""

_HEAD = "Traceback (most recent call last):\n"
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"
_FOLD_AFTER = 3  # traceback shows a line three times, and then how often it was repeated
_LONGEST_KEY = 400  # entries; deeper stacks (recursion) are rendered frame by frame each time

# Exceptions whose last lines depend on more than their type and message.
_SPECIAL = (SyntaxError, ImportError, NameError, AttributeError)
_print_exception = traceback.print_exception


class _Frame(NamedTuple):
    place: tuple[str, int | None, str]  # what traceback compares to find repeated lines
    text: str
    code: Any  # held, so that no other object gets its id
    source: Any  # linecache's entry of the file

    def stands(self) -> bool:
        """Return whether linecache, just brought up to date, would still give the same line."""
        name = self.place[0]
        return linecache.cache.get(name) is self.source and not self.may_appear()

    def may_appear(self) -> bool:
        """Return whether the source was missing and may be there the next time."""
        name = self.place[0]
        return self.source is None and not (name.startswith("<") and name.endswith(">"))


class _Stack:
    """A rendered stack, with what says whether it would be rendered the same again."""

    __slots__ = ("checked_at", "files", "held", "text", "uses")

    def __init__(self, text: str, held: tuple[Any, ...], files: tuple[tuple[str, Any], ...], now: float) -> None:
        self.text = text
        self.held = held
        self.files = files
        self.uses = 0
        self.checked_at = now

    def stands(self, now: float) -> bool:
        """Return whether the files are as they were."""
        self.uses += 1
        if self.uses > WARM and self.uses % CHECK_EVERY and now - self.checked_at < CHECK_SECONDS:
            return True
        self.checked_at = now
        return all(_unchanged(name, entry) for name, entry in self.files)


class Renderer:
    """Renders exceptions as `traceback` does, and remembers stacks.

    Args:
        now: Seconds; tells when to look at the files again.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._stacks: dict[tuple[int, ...], _Stack] = {}
        self._frames: dict[tuple[int, int, int], _Frame] = {}
        self._types: dict[type, str] = {}

    def render(self, info: ExcInfo) -> str:
        """Return what ``traceback.format_exception(*info)`` gives, joined."""
        try:
            text = self._render(info[1], info[2])
        except Exception:  # linecache refreshed by another thread, an exception that breaks what is asked of it
            text = None
        return "".join(traceback.format_exception(*info)) if text is None else text

    def _render(self, exc: BaseException, tb: TracebackType | None) -> str | None:
        """Return the text, or None where it must be rendered the normal way."""
        if not _usual():
            return None
        text = self._part(exc, tb)
        if text is None or (exc.__cause__ is None and exc.__context__ is None):
            return text
        seen = {id(exc)}
        while True:
            # As TracebackException with compact=True: a cause hides the context; nothing is shown twice.
            link, nearer = _CAUSE, exc.__cause__
            if nearer is None:
                link, nearer = _CONTEXT, None if exc.__suppress_context__ else exc.__context__
            if nearer is None:
                return text
            if id(nearer) in seen:
                return None
            seen.add(id(nearer))
            before = self._part(nearer, nearer.__traceback__)
            if before is None:
                return None
            text = before + link + text
            exc = nearer

    def _part(self, exc: BaseException, tb: TracebackType | None) -> str | None:
        """Return one exception without its causes."""
        if isinstance(exc, BaseExceptionGroup):
            return None
        stack = self._stack(tb) if tb is not None else ""
        if stack is None:
            return None
        return (_HEAD + stack if stack else "") + self._last_lines(exc, tb)

    def _last_lines(self, exc: BaseException, tb: TracebackType | None) -> str:
        kind = type(exc)
        name = self._types.get(kind)
        if name is None:
            if len(self._types) >= MAX_STACKS:
                self._types.clear()
            name = self._types[kind] = "" if issubclass(kind, _SPECIAL) else _qualified(kind)
        if name and getattr(exc, "__notes__", None) is None:
            try:
                message = str(exc)
            except Exception:  # traceback has its own words for it
                return _last_lines_of(exc, tb)
            return f"{name}: {message}\n" if message else f"{name}\n"
        return _last_lines_of(exc, tb)

    def _stack(self, tb: TracebackType) -> str | None:
        key: list[int] = []
        append = key.append
        step: TracebackType | None = tb
        while step is not None:
            append(id(step.tb_frame.f_code))
            append(step.tb_lasti)
            append(step.tb_lineno)
            step = step.tb_next
        if len(key) > _LONGEST_KEY:
            return self._fresh(tb)[0]
        whole = tuple(key)
        known = self._stacks.get(whole)
        now = self._now()
        if known is not None and known.stands(now):
            return known.text
        text, frames = self._fresh(tb)
        if text is not None and (files := _files(frames)) is not None:
            if len(self._stacks) >= MAX_STACKS:
                _drop_half(self._stacks)
            self._stacks[whole] = _Stack(text, tuple(frame.code for frame in frames), files, now)
        return text

    def _fresh(self, tb: TracebackType) -> tuple[str | None, list[_Frame]]:
        """Render a stack from frames that are remembered, or are rendered now."""
        for name in {step.tb_frame.f_code.co_filename for step in _steps(tb)}:
            linecache.checkcache(name)
        frames: list[_Frame] = []
        for step in _steps(tb):
            frame = self._frame(step)
            if frame is None:
                return None, []
            frames.append(frame)
        return "".join(_folded(frames)), frames

    def _frame(self, tb: TracebackType) -> _Frame | None:
        code, line = tb.tb_frame.f_code, tb.tb_lineno
        if line is None:  # no line belongs to this instruction; typeshed does not know it
            return None  # type: ignore[unreachable]
        key = (id(code), tb.tb_lasti, line)
        frame = self._frames.get(key)
        if frame is None or not frame.stands():
            summary = traceback.extract_tb(TracebackType(None, tb.tb_frame, tb.tb_lasti, line))
            if len(summary) != 1:
                return None
            place = (summary[0].filename, summary[0].lineno, summary[0].name)
            frame = _Frame(place, "".join(summary.format()), code, linecache.cache.get(code.co_filename))
            if len(self._frames) >= MAX_FRAMES:
                _drop_half(self._frames)
            self._frames[key] = frame
        return frame


shared = Renderer()
"""The process's one renderer."""


def formatted(info: ExcInfo) -> str:
    """Return what `logging.Formatter.formatException` gives: the traceback without its last line end."""
    return shared.render(info).removesuffix("\n")


def fill(record: logging.LogRecord, formatter: logging.Formatter | None) -> None:
    """Give `record` the ``exc_text`` that `formatter` is about to make, where it makes it as logging does.

    A formatter with a ``format`` or ``formatException`` of its own finds the record as it was.
    """
    info = record.exc_info
    if not info or record.exc_text or info[1] is None:
        return
    if formatter is None or (
        _is_loggings(formatter.format, logging.Formatter.format)
        and _is_loggings(formatter.formatException, logging.Formatter.formatException)
    ):
        record.exc_text = formatted(info)


def _is_loggings(method: Any, original: Any) -> bool:
    return getattr(method, "__func__", None) is original


def _usual() -> bool:
    """Return whether nobody has changed how tracebacks are printed."""
    return traceback.print_exception is _print_exception and not hasattr(sys, "tracebacklimit")


def _last_lines_of(exc: BaseException, tb: TracebackType | None) -> str:
    """Return what stands below the stack, by traceback itself: it has suggestions, notes and syntax errors."""
    bare = traceback.TracebackException(type(exc), exc, tb, limit=0, lookup_lines=False, compact=True)
    return "".join(bare.format_exception_only())


def _qualified(kind: type[BaseException]) -> str:
    module = kind.__module__
    if module in ("__main__", "builtins"):
        return kind.__qualname__
    return f"{module}.{kind.__qualname__}" if isinstance(module, str) else f"<unknown>.{kind.__qualname__}"


def _folded(frames: list[_Frame]) -> Iterator[str]:
    """Yield the frames' texts, repeated lines folded as traceback does."""
    for _, same in itertools.groupby(frames, key=lambda frame: frame.place):
        repeated = list(same)
        yield from (frame.text for frame in repeated[:_FOLD_AFTER])
        more = len(repeated) - _FOLD_AFTER
        if more > 0:
            yield f"  [Previous line repeated {more} more time{'s' if more > 1 else ''}]\n"


def _files(frames: list[_Frame]) -> tuple[tuple[str, Any], ...] | None:
    """Return the files of `frames` as linecache has them; None if one may yet appear."""
    found: dict[str, Any] = {}
    for frame in frames:
        if frame.may_appear():
            return None
        found[frame.place[0]] = frame.source
    return tuple(found.items())


def _unchanged(name: str, entry: Any) -> bool:
    """Return whether linecache still holds `entry`, and would still hold it after looking at the file."""
    if linecache.cache.get(name) is not entry:
        return False
    if entry is None or len(entry) == 1 or entry[1] is None:
        return True
    try:
        seen = os.stat(entry[3])
    except (OSError, ValueError):
        return False
    return bool(entry[0] == seen.st_size and entry[1] == seen.st_mtime)


def _steps(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _drop_half(cache: dict[Any, Any]) -> None:
    for key in list(itertools.islice(cache, len(cache) // 2)):
        cache.pop(key, None)
