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


def tails(stack: Sequence[Frame]) -> list[str]:
    """Return each frame as ``package/file in function``.

    Folders count from the deepest one that all of them share, so that no install prefix does.
    """
    files = {id(frame.file): frame.file for frame in stack}  # most frames are of a few files
    shared = {kind: _shared_depth([file.folders for file in files.values() if _kind(file) == kind]) for kind in _KINDS}
    places = {key: _relative(file, shared[_kind(file)]) for key, file in files.items()}
    return [f"{places[id(frame.file)]} in {frame.function}" for frame in stack]


_KINDS = ((False, False), (False, True), (True, False), (True, True))


def _kind(file: File) -> tuple[bool, bool]:
    """Return what a file's folders begin with: those of one kind share a prefix, or nothing does."""
    return file.anchored, file.absolute


def _shared_depth(paths: Sequence[tuple[str, ...]]) -> int:
    if not paths:
        return 0
    first, last = min(paths), max(paths)
    pairs = zip(first, last, strict=False)
    return next((depth for depth, (one, other) in enumerate(pairs) if one != other), len(first))


def callers_of(stack: Sequence[Frame], places: Sequence[str], *, raised: bool) -> Iterator[str]:
    """Yield who may be as much at fault as the innermost function, the nearest first; `places` are `tails`.

    Who calls what a library refuses, or what raises on purpose, is as much at fault: there may be helpers that do
    nothing else. So the line of that call counts, too. Where it is a statement of its own, nobody wanted a value:
    then the caller may be another such helper, and who called that counts as well.
    """
    for number, at in enumerate(islice(_callers(stack), 2)):
        frame = stack[at]
        if number == 0:
            line = "" if frame.function == "<module>" else _NUMBER.sub("0", frame.code)
            yield f"{places[at]}: {line}"
            if not raised or not _wants_nothing(frame):
                return
        elif frame.function != "<module>":
            yield places[at]


_NUMBER = re.compile(r"[+-]?\b\d[\d._]*")


def _callers(stack: Sequence[Frame]) -> Iterator[int]:
    """Yield the frames that call another function, outwards; what only passes arguments on calls nothing."""
    inner = stack[-1]
    for at in reversed(range(len(stack) - 1)):
        frame = stack[at]
        if (frame.file, frame.function) != (inner.file, inner.function) and not _passes_on(frame):
            yield at
            inner = frame


def _wants_nothing(frame: Frame) -> bool:
    """Whether a line is nothing but a call, or does not say."""
    return not frame.code or _BARE_CALL.match(frame.code) is not None


# Lines come without blanks.
_BARE_CALL = re.compile(r"(?!return|yield|if|while|for|with|assert|raise)[\w.]+\((?!.*\)[^)])")
_PASSED_ON = re.compile(r"[(,]\*{1,2}\w")


def _passes_on(frame: Frame) -> bool:
    return _PASSED_ON.search(frame.code) is not None


def _relative(file: File, shared: int) -> str:
    """Return the file with the folder around it, if that can be a package of Python's."""
    package = file.folders[shared:][-1:]
    return f"{package[0]}/{file.name}" if package and package[0].isidentifier() else file.name


def library_place(frames: Sequence[Frame]) -> str:
    """Return the innermost library function."""
    named = [frame for frame in frames if not frame.file.name.startswith("<")] or frames
    file = named[-1].file
    return f"{'/'.join([*file.folders, file.name]) if file.anchored else file.name} in {named[-1].function}"
