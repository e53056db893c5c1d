"""The way through the application's own functions."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from loghub.fingerprint.reading import last_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loghub.fingerprint.files import File
    from loghub.fingerprint.reading import Error, Frame


def own_stack(error: Error) -> list[Frame]:
    """Return the application's frames; of endless recursion, the functions that came again, sorted."""
    stack = [frame for frame in error.frames if frame.in_app]
    if last_name(error.kind) != "RecursionError":
        return stack
    seen: set[tuple[File, str]] = set()
    again: dict[tuple[File, str], Frame] = {}
    for frame in stack:
        key = frame.file, frame.function
        if key in seen:
            again[key] = frame
        seen.add(key)
    return [again[key] for key in sorted(again)] or stack


def place(frame: Frame) -> str:
    """Return a frame as ``package/file in function``."""
    return f"{frame.place} in {frame.function}"


def callers_of(stack: Sequence[Frame], *, raised: bool) -> Iterator[str]:
    """Yield who may be as much at fault as the innermost function, the nearest first.

    Who calls what a library refuses, or what raises on purpose, is as much at fault: there may be helpers that do
    nothing else. So the line of that call counts, too. Where it is a statement of its own, nobody wanted a value:
    then the caller may be such a helper as well, and who called that counts; and so on while such a line has no words
    of its own.
    """
    for number, frame in enumerate(islice(_callers(stack), _HELPERS)):
        if number and frame.function == "<module>":
            return
        line = "" if number or frame.function == "<module>" else _NUMBER.sub("0", frame.code)
        yield f"{place(frame)}: {line}" if number == 0 else place(frame)
        if not raised or not _wants_nothing(frame) or (number and _has_words(frame)):
            return


_HELPERS = 5
_NUMBER = re.compile(r"[+-]?\b\d[\d._]*")


def _callers(stack: Sequence[Frame]) -> Iterator[Frame]:
    """Yield the frames around the innermost one, each function once; what only passes arguments on calls nothing."""
    seen = {(stack[-1].file, stack[-1].function)}
    for frame in stack[-2::-1]:
        function = frame.file, frame.function
        if function not in seen and not _passes_on(frame):
            seen.add(function)
            yield frame


def _wants_nothing(frame: Frame) -> bool:
    """Whether a line is nothing but a call, or does not say."""
    return not frame.code or _BARE_CALL.match(frame.code) is not None


def _has_words(frame: Frame) -> bool:
    return not frame.code or '"' in frame.code or "'" in frame.code


# Lines come without blanks.
_BARE_CALL = re.compile(r"(?!return|yield|if|while|for|with|assert|raise)[\w.]+\((?!.*\)[^)])")
_PASSED_ON = re.compile(r"[(,]\*{1,2}\w")


def _passes_on(frame: Frame) -> bool:
    generated = not frame.code and frame.file.name == "<string>" and frame.function.startswith("__")  # of a dataclass
    return generated or _PASSED_ON.search(frame.code) is not None


def library_place(frames: Sequence[Frame]) -> str:
    """Return the innermost library function."""
    named = [frame for frame in frames if not frame.file.name.startswith("<")] or frames
    file = named[-1].file
    return f"{'/'.join([*file.folders, file.name]) if file.anchored else file.name} in {named[-1].function}"
