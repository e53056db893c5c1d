"""The way through the application's own functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loghub.fingerprint.reading import last_name

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    shared = _shared_depth([file.folders for file in files.values() if not file.anchored])
    places = {key: _relative(file, 0 if file.anchored else shared) for key, file in files.items()}
    return [f"{places[id(frame.file)]} in {frame.function}" for frame in stack]


def _shared_depth(paths: Sequence[tuple[str, ...]]) -> int:
    if not paths:
        return 0
    first, last = min(paths), max(paths)
    pairs = zip(first, last, strict=False)
    return next((depth for depth, (one, other) in enumerate(pairs) if one != other), len(first))


def _relative(file: File, shared: int) -> str:
    """Return the file with the folder around it, if that can be a package of Python's."""
    package = file.folders[shared:][-1:]
    return f"{package[0]}/{file.name}" if package and package[0].isidentifier() else file.name


def library_place(frames: Sequence[Frame]) -> str:
    """Return the innermost library function."""
    named = [frame for frame in frames if not frame.file.name.startswith("<")] or frames
    file = named[-1].file
    return f"{'/'.join([*file.folders, file.name]) if file.anchored else file.name} in {named[-1].function}"
