"""Tracebacks as text, from a cache: byte for byte what `traceback` prints, at a small part of its cost.

A stack is rendered once by the standard library itself, frame by frame, and remembered by its code path; a repeat is
one walk and one dict hit. What is not remembered is what can differ between two errors at one place: the last line
with the message, notes, and the suggestions ("Did you mean"), which are rendered anew. The layout of groups is left to
`traceback`, which is given the remembered stacks. Whatever is not understood here is rendered the normal way.

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
from typing import TYPE_CHECKING, Any, NamedTuple

from loghub import codepath
from loghub.codepath import CodePath, make_room, steps, watch
from loghub.sighting import path_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

MAX_STACKS = 1024
MAX_FRAMES = 4096
CHECK_SECONDS = 0.05
CHECK_EVERY = 64
WARM = 16
"""So many renderings of a stack look at its files each time."""

_HEAD = "Traceback (most recent call last):\n"
_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"
_FOLD_AFTER = 3  # traceback shows a line three times, and then how often it was repeated

# Exceptions whose last lines depend on more than their type and message.
_SPECIAL = (SyntaxError, ImportError, NameError, AttributeError)
_UNNAMED = ("__main__", "builtins")  # modules that traceback leaves out
_print_exception = traceback.print_exception
_getlines, _updatecache = linecache.getlines, linecache.updatecache
_sys = vars(sys)  # asking a module for what it has not is slow
_format, _format_exception = logging.Formatter.format, logging.Formatter.formatException
_format_message, _format_time = logging.Formatter.formatMessage, logging.Formatter.formatTime
_STYLES = (logging.PercentStyle, logging.StrFormatStyle, logging.StringTemplateStyle)
_METHODS = frozenset(("format", "formatException", "formatMessage", "formatTime"))


class _Frame(NamedTuple):
    place: tuple[str, int, str]  # what traceback compares to find repeated lines
    text: str
    source: Any  # linecache's entry of the file; None where there is none
    watched: Any


class _Looked:
    """When something was last looked at."""

    __slots__ = ("checked_at", "uses")

    def __init__(self) -> None:
        self.uses = 0
        self.checked_at = 0.0

    def is_due(self, now: float) -> bool:
        """Return whether it is time to look again: the first times always, in a storm now and then."""
        self.uses = uses = self.uses + 1
        if uses > WARM and uses % CHECK_EVERY and now - self.checked_at < CHECK_SECONDS:
            return False
        self.checked_at = now
        return True


class _Stack(_Looked):
    """A rendered stack, with what says whether it would be rendered the same again."""

    __slots__ = ("files", "text")

    def __init__(self, text: str, files: tuple[tuple[str, Any], ...]) -> None:
        super().__init__()
        self.text = text
        self.files = files

    def stands(self) -> bool:
        """Return whether the files are as they were."""
        return all(_unchanged(name, entry) for name, entry in self.files)


class _Texts(list[str]):
    """Rendered frames in the place of a `traceback.StackSummary`."""

    def format(self, **_: Any) -> list[str]:
        """Return them, as traceback asks for them."""
        return self


class Renderer:
    """Renders exceptions as `traceback` does, and remembers stacks.

    Args:
        now: Seconds; tells when to look at the files again.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._stacks: dict[CodePath, _Stack] = {}
        self._frames: dict[tuple[int, int], _Frame] = {}
        self._files: dict[str, _Looked] = {}
        self._special: dict[int, tuple[bool, Any]] = {}

    def render(self, info: ExcInfo) -> str:
        """Return what ``traceback.format_exception(*info)`` gives, joined."""
        text = self.remembered(info)
        return "".join(traceback.format_exception(*info)) if text is None else text

    def remembered(self, info: ExcInfo, record: logging.LogRecord | None = None) -> str | None:
        """Return the same, or None where it must be rendered the normal way.

        A `record` whose exception it is lets its handlers walk the traceback only once.
        """
        if (
            traceback.print_exception is not _print_exception
            or "tracebacklimit" in _sys
            or linecache.getlines is not _getlines
            or linecache.updatecache is not _updatecache
        ):
            return None  # somebody has changed what tracebacks are made of
        try:
            return self._remembered(info, record)
        except Exception:  # linecache refreshed by another thread, an exception that breaks what is asked of it
            return None

    def _remembered(self, info: ExcInfo, record: logging.LogRecord | None) -> str | None:
        _, exc, tb = info
        if exc.__cause__ is None and exc.__context__ is None and not isinstance(exc, BaseExceptionGroup):
            stack = "" if tb is None else self._stack(tb, None if record is None else path_of(record, info))
            return None if stack is None else self._with_last_lines(stack, exc, tb)
        chain = _chain(exc)
        if chain is None or any(isinstance(one, BaseExceptionGroup) for one, _ in chain):
            return self._by_traceback(exc, tb)
        parts: list[tuple[str, BaseException, TracebackType | None, str]] = []
        for one, link in chain:
            behind = tb if one is exc else one.__traceback__
            stack = "" if behind is None else self._stack(behind, None)
            if stack is None:
                return None
            parts.append((stack, one, behind, link))
        # Only now, when nothing can be in the way any more, is the application's __str__ asked: once, as by traceback.
        texts: list[str] = []
        for stack, one, behind, link in parts:
            texts += (self._with_last_lines(stack, one, behind), link)
        return "".join(reversed(texts[:-1]))

    def _with_last_lines(self, stack: str, exc: BaseException, tb: TracebackType | None) -> str:
        kind = type(exc)
        special = self._special.get(id(kind)) or self._look_at_class(kind)
        if special[0] or getattr(exc, "__notes__", None) is not None:
            return stack + _last_lines_of(exc, tb)
        name, module = kind.__qualname__, kind.__module__
        if module not in _UNNAMED:
            name = (module if isinstance(module, str) else "<unknown>") + "." + name
        try:
            message = str(str(exc))  # twice as by traceback: the first may be a str that does not want to be one
        except BaseException:  # traceback lets nothing out either, and has these words for it
            message = "<exception str() failed>"
        # As in traceback the name is formatted, which its class may have changed.
        return stack + (f"{name}: {message}\n" if message else f"{name}\n")

    def _look_at_class(self, kind: type[BaseException]) -> tuple[bool, Any]:
        """Remember whether the last lines of a class depend on more than its name and message."""
        make_room(self._special, MAX_STACKS)
        found = issubclass(kind, _SPECIAL), watch(kind, self._special, id(kind))
        self._special[id(kind)] = found
        return found

    def _by_traceback(self, exc: BaseException, tb: TracebackType | None) -> str | None:
        """Let traceback lay out an exception with causes and members, around remembered stacks."""
        tree: Any = traceback.TracebackException(type(exc), exc, tb, limit=0, lookup_lines=False, compact=True)
        waiting: list[tuple[Any, BaseException, TracebackType | None]] = [(tree, exc, tb)]
        while waiting:
            node, one, stack = waiting.pop()
            if stack is not None:
                text = self._stack(stack, None)
                if text is None:
                    return None
                node.stack = _Texts([text.removeprefix(_HEAD)] if text else [])
            near = [(node.__cause__, one.__cause__), (node.__context__, one.__context__)]
            if isinstance(one, BaseExceptionGroup):
                near += zip(node.exceptions, one.exceptions, strict=True)
            waiting += [
                (inner, other, other.__traceback__) for inner, other in near if inner is not None and other is not None
            ]
        return "".join(tree.format())

    def _stack(self, tb: TracebackType, path: CodePath | None) -> str | None:
        if path is None:
            path = codepath.of_stack(tb)
        known = self._stacks.get(path)
        now = self._now()
        if known is not None and (not known.is_due(now) or known.stands()):
            return known.text
        frames = self._fresh(tb, now)
        if frames is None:
            return None
        text = "".join((_HEAD, *_folded(frames)))
        if path.exact and all(map(_can_be_asked, frames)):
            make_room(self._stacks, MAX_STACKS)
            files = {frame.place[0]: frame.source for frame in frames}
            self._stacks[path] = _Stack(text, tuple(files.items()))
        return text

    def _fresh(self, tb: TracebackType, now: float) -> list[_Frame] | None:
        """Return the frames of a stack, remembered or rendered now; None where that cannot be done."""
        found: list[_Frame] = []
        looked_at: set[str] = set()
        for step in steps(tb):
            code = step.tb_frame.f_code
            name = code.co_filename
            if name not in looked_at:
                looked_at.add(name)
                self._look_at(name, now)
            frame = self._frames.get((id(code), step.tb_lasti))
            if frame is None or frame.source is not linecache.cache.get(name) or not _can_be_asked(frame):
                frame = self._frame(step)
                if frame is None:
                    return None
            found.append(frame)
        return found

    def _look_at(self, name: str, now: float) -> None:
        """Bring linecache up to date, as traceback does each time, but not more often than makes sense."""
        file = self._files.get(name)
        if file is None:
            make_room(self._files, MAX_STACKS)
            file = self._files[name] = _Looked()
        if file.is_due(now):
            linecache.checkcache(name)
            if name not in linecache.cache and not _unchanged(name, None):
                linecache.getlines(name)  # it has appeared

    def _frame(self, tb: TracebackType) -> _Frame | None:
        """Have one frame rendered; None where its instruction has no line, and a traceback made by hand counts."""
        code = tb.tb_frame.f_code
        line, end_line, column, end_column = position_of(tb)
        if line is None:
            return None
        linecache.lazycache(code.co_filename, tb.tb_frame.f_globals)
        summary = traceback.FrameSummary(
            code.co_filename,
            line,
            code.co_name,
            lookup_line=False,
            end_lineno=end_line,
            colno=column,
            end_colno=end_column,
        )
        text = "".join(traceback.StackSummary.from_list([summary]).format())
        key = (id(code), tb.tb_lasti)
        place = (code.co_filename, line, code.co_name)
        frame = _Frame(place, text, linecache.cache.get(code.co_filename), watch(code, self._frames, key))
        make_room(self._frames, MAX_FRAMES)
        self._frames[key] = frame
        return frame


shared = Renderer()
"""The process's one renderer."""


def formatted(info: ExcInfo, record: logging.LogRecord | None = None) -> str:
    """Return what `logging.Formatter.formatException` gives: the traceback without its last line end."""
    text = shared.remembered(info, record)
    return _format_exception(_plain, info) if text is None else text.removesuffix("\n")


_plain = logging.Formatter()


def fill(record: logging.LogRecord, formatter: logging.Formatter | None) -> bool:
    """Give `record` the ``exc_text`` that `formatter` is about to make, where it makes it as logging does.

    A formatter with a method of its own that might look at it before finds the record as it was.

    Returns:
        Whether that was done: then it must be taken back if the formatter fails.
    """
    info = record.exc_info
    if not info or record.exc_text or info[1] is None:
        return False
    if not _is_usual(formatter or logging._defaultFormatter):  # type: ignore[attr-defined]
        return False
    text = shared.remembered(info, record)
    if text is None:
        return False
    record.exc_text = text.removesuffix("\n")
    return True


def _is_usual(formatter: Any) -> bool:
    kind, own = type(formatter), formatter.__dict__
    return (
        getattr(kind, "format", None) is _format
        and kind.formatException is _format_exception
        and getattr(kind, "formatMessage", None) is _format_message
        and getattr(kind, "formatTime", None) is _format_time
        and _METHODS.isdisjoint(own)
        and type(own.get("_style")) in _STYLES
        and "exc_text" not in (own.get("_fmt") or "")
    )


def _chain(exc: BaseException) -> list[tuple[BaseException, str]] | None:
    """Return `exc` and what led to it, each with the line between it and the next.

    None where they go in a circle, or traceback has rules of its own.
    """
    found = []
    seen: set[int] = set()
    one: BaseException | None = exc
    while one is not None:
        if id(one) in seen or not bool(one):  # traceback takes what is not true for nothing
            return None
        seen.add(id(one))
        # As TracebackException with compact=True: a cause hides the context.
        link, nearer = _CAUSE, one.__cause__
        if nearer is None:
            link, nearer = _CONTEXT, None if one.__suppress_context__ else one.__context__
        found.append((one, link))
        one = nearer
    return found


def _last_lines_of(exc: BaseException, tb: TracebackType | None) -> str:
    """Return what stands below the stack, by traceback itself: it has suggestions, notes and syntax errors."""
    # With _seen it takes `exc` for a part of another one, and leaves its causes alone.
    bare = traceback.TracebackException(type(exc), exc, tb, limit=0, lookup_lines=False, compact=True, _seen=set())
    bare.exceptions = None
    return "".join(bare.format_exception_only())


def _folded(frames: list[_Frame]) -> Iterator[str]:
    """Yield the frames' texts, repeated lines folded as traceback does."""
    for _, same in itertools.groupby(frames, key=lambda frame: frame.place):
        repeated = list(same)
        yield from (frame.text for frame in repeated[:_FOLD_AFTER])
        more = len(repeated) - _FOLD_AFTER
        if more > 0:
            yield f"  [Previous line repeated {more} more time{'s' if more > 1 else ''}]\n"


def position_of(tb: TracebackType) -> tuple[int | None, int | None, int | None, int | None]:
    """Return line, last line, column and last column (UTF-8) of what was executed, as far as the code says so."""
    nothing = (None, None, None, None)
    if tb.tb_lasti < 0:
        return nothing
    return next(itertools.islice(tb.tb_frame.f_code.co_positions(), tb.tb_lasti // 2, None), nothing)


def _can_be_asked(frame: _Frame) -> bool:
    """Return whether `_unchanged` can tell; linecache looks for a relative name in all of ``sys.path``."""
    name = frame.place[0]
    source = frame.source
    # An entry of one is a loader that was not asked yet, or has failed.
    return _is_invented(name) or (os.path.isabs(name) if source is None else len(source) > 1)


def _is_invented(name: str) -> bool:
    return name.startswith("<") and name.endswith(">")


def _unchanged(name: str, entry: Any) -> bool:
    """Return whether linecache still holds `entry`, and would still hold it after looking at the file."""
    if linecache.cache.get(name) is not entry:
        return False
    if entry is None:
        return _is_invented(name) or not os.path.exists(name)
    if len(entry) == 1 or entry[1] is None:
        return True
    try:
        seen = os.stat(entry[3])
    except (OSError, ValueError):
        return False
    return bool(entry[0] == seen.st_size and entry[1] == seen.st_mtime)
