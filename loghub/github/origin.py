"""Where the code of an event is in its repository, as far as that can be proven.

A file is looked for where it lies below the top of a clone, or of what was deployed without one, as in a container. A
file in site-packages, or one of another host, is looked for by its name within its package, where projects keep their
packages: at the top, in ``src``, ``lib`` or ``python``, and in the subdirectory that pip wrote down (PEP 610).

Where git answers, the commit decides: a line that is not there as the event shows it gets no link, however it came
about. Elsewhere the file on disk has to have it.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loghub import clone as git
from loghub.release import (
    ARCHIVES,
    checked_out,
    checkout,
    installed_from,
    installed_part,
    is_commit,
    permalink,
    read_bytes,
    repository_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_LINKS = 5

_MAX_FRAMES = 50
_LAYOUTS = ("", "src/", "lib/", "python/")
_MARKS = ("REVISION", "pyproject.toml", "setup.cfg")


@dataclass(frozen=True)
class Origin:
    """Where the code of an event is.

    Attributes:
        permalinks: Of its in-app frames, outermost first: of the innermost ones if there are many.
        path: Of the innermost in-app frame's file in the repository; None where that is not certain.
        suspect: The commit that gave the line of that frame its present form.
    """

    permalinks: list[str] = field(default_factory=list)
    path: str | None = None
    suspect: git.Suspect | None = None


@dataclass(frozen=True)
class _Place:
    """A file of the repository; `proven`: the commit has the frame's line there. No clone: there is none that knows."""

    path: str
    proven: bool
    clone: git.Clone | None


def origin_of(event: Mapping[str, Any], *, repo: str, web_url: str, project_root: str | None = None) -> Origin:
    """Return where the code of an event is in its repository.

    It runs git and reads files, each for a bounded time and size, and raises nothing because of what it finds.

    Args:
        event: As `loghub.event` describes it; its files need not exist here.
        repo: ``owner/name``. A clone whose remotes are all others has the code of another repository.
        web_url: ``https://github.com``, or an Enterprise Server's.
        project_root: Folder of the project; by default the working directory.
    """
    release = event.get("release")
    commit = release.lower() if isinstance(release, str) and is_commit(release) else None
    search = _Search(repo.lower(), commit, project_root)
    frames = _frames(event)
    if not frames:
        return Origin()
    culprit = search.place(frames[0])
    if commit is None:
        return Origin(path=culprit.path if culprit else None)
    suspect = None
    if culprit and culprit.proven and culprit.clone:
        suspect = git.blame(culprit.clone, commit, culprit.path, frames[0].line)
    links: dict[str, None] = {}
    for number, frame in enumerate(frames):
        place = search.place(frame) if number else culprit
        if place and place.proven:
            links[permalink(web_url, repo, commit, place.path, frame.line)] = None
        if len(links) == MAX_LINKS:
            break
    return Origin(list(links)[::-1], culprit.path if culprit else None, suspect)


# Frames


@dataclass(frozen=True)
class _Frame:
    file: str
    module: str
    line: int
    code: str

    @property
    def said(self) -> str:
        """The source line, from the disk where the event does not have it."""
        return self.code or _line(_bytes(self.file), self.line)


def _frames(event: Mapping[str, Any]) -> list[_Frame]:
    """Return the in-app frames, innermost first, each once. What others made up as an event may hold anything."""
    given = event.get("frames")
    frames = [frame for frame in given if isinstance(frame, dict)] if isinstance(given, list) else []
    in_app = [_frame(frame) for frame in reversed(frames) if frame.get("in_app") is True]
    return list(dict.fromkeys(in_app))[:_MAX_FRAMES]


def _frame(frame: dict[str, Any]) -> _Frame:
    file, module, code = (_text(frame.get(key)) for key in ("file", "module", "code"))
    line = frame.get("line")
    return _Frame(file, module, line if isinstance(line, int) else 0, code.strip())


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _can_be_file(file: str) -> bool:
    """Tell whether it can be a file of a repository: no ``<string>``, URL, other system's path, archive's member."""
    foreign = (
        not file or file.startswith("<") or "://" in file or not file.isprintable() or (os.sep == "/" and "\\" in file)
    )
    return not foreign and not any(part.lower().endswith(ARCHIVES) for part in file.split(os.sep)[:-1])


# Places


class _Search:
    """Looks for files of one event.

    Attributes:
        repo: ``owner/name`` in lower case.
        commit: That the event is of; None where its release is none.
        root: Folder of the project.
    """

    def __init__(self, repo: str, commit: str | None, root: str | None) -> None:
        self.repo = repo
        self.commit = commit
        self.given = root
        self.root = _absolute(root or os.curdir)

    def place(self, frame: _Frame) -> _Place | None:
        """Return where a frame's file is in the repository; None where that is not certain."""
        if not _can_be_file(frame.file):
            return None
        file = _absolute(os.path.join(self.root, frame.file))
        installed = installed_part(file)
        if installed is None and os.path.isfile(file):
            return self._below_top(file, frame)
        return self._by_name(file, installed, frame)

    # A file that is here

    def _below_top(self, file: str, frame: _Frame) -> _Place | None:
        """Find a file by its path from the top, as it is written or as it is behind links."""
        for name in dict.fromkeys((file, os.path.realpath(file))):
            top = checkout(os.path.dirname(name)) or self._deployed(name)
            path = repository_path(name, top) if top else None
            if top and path and (place := self._at(top, path, frame)):
                return place
        return None

    def _at(self, top: str, path: str, frame: _Frame) -> _Place | None:
        clone = git.clone_at(top)
        if self._is_of_others(clone, top):
            return None
        if clone is None:
            shown = frame.said != "" and frame.said == _line(_bytes(os.path.join(top, path)), frame.line)
            return _Place(path, shown and self._is_checked_out(top), None)
        commit = self._known_by(clone)
        blob = git.objects(clone, (f"{commit or 'HEAD'}:{path}",), "blob")
        if not blob:
            return None
        text = git.source(clone, *blob.values())
        return _Place(path, commit is not None and _shows(text, frame), clone)

    def _deployed(self, file: str) -> str | None:
        """Return the top of what was deployed without a clone; the most explicit sign of it counts."""
        here = _absolute(os.curdir)
        above = list(_above(file))
        tops = [
            *([self.root] if self.given else []),
            *(folder for folder in above if _has(folder, "REVISION")),
            *([here] if any(_has(here, mark) for mark in _MARKS) else []),
            *(folder for folder in above if any(_has(folder, mark) for mark in _MARKS)),
            *([here] if here != os.sep else []),  # where services start that were told nothing else
        ]
        real = {os.path.realpath(folder) for folder in above}
        return next((top for top in tops if os.path.realpath(top) in real), None)

    # A file that is elsewhere, too

    def _by_name(self, file: str, installed: tuple[str, str] | None, frame: _Frame) -> _Place | None:
        tops = [checkout(self.root) or self.root]
        if installed:
            tops += [top for top in (checkout(file), self._deployed(file)) if top]
        for top in dict.fromkeys(tops):
            names = dict.fromkeys(self._names(top, file, installed, frame))
            inside = tuple(name for name in names if not name.startswith(("/", "..")))
            if inside and (place := self._among(top, inside, file, frame)):
                return place
        return None

    def _names(self, top: str, file: str, installed: tuple[str, str] | None, frame: _Frame) -> Iterator[str]:
        if installed:
            site, name = installed
            subdirectory = installed_from(site, name.partition("/")[0]).get("subdirectory")
            folders = [subdirectory if isinstance(subdirectory, str) else ""]
        else:
            name, folders = _name_of_module(frame), []
            if path := repository_path(file, top):
                yield path
        if name:
            folders += [os.path.relpath(self.root, top).replace(os.sep, "/"), ""]
            for folder in folders:
                for layout in _LAYOUTS:
                    yield posixpath.normpath(posixpath.join(folder, layout, name))

    def _among(self, top: str, names: tuple[str, ...], file: str, frame: _Frame) -> _Place | None:
        """Find the one of some paths that is this file: by the line in the commit, by all bytes where in doubt."""
        clone = git.clone_at(top)
        if self._is_of_others(clone, top):
            return None
        mine = _bytes(file)
        if clone is None:
            same = [name for name in names if mine and mine == _bytes(os.path.join(top, name))]
            shown = bool(same) and frame.said == _line(mine, frame.line) != "" and self._is_checked_out(top)
            return _Place(same[0], shown, None) if same else None
        commit = self._known_by(clone)
        prefix = f"{commit or 'HEAD'}:"
        blobs = git.objects(clone, tuple(prefix + name for name in names), "blob")
        texts = {name.removeprefix(prefix): git.source(clone, blob) for name, blob in blobs.items()}
        showing = {name: text for name, text in texts.items() if commit and _shows(text, frame)}
        same = [name for name, text in (showing or texts).items() if text and mine == text.replace(b"\r\n", b"\n")]
        found = same or (list(showing) if len(showing) == 1 else [])
        return _Place(found[0], found[0] in showing, clone) if found else None

    # Proofs

    def _is_of_others(self, clone: git.Clone | None, top: str) -> bool:
        remotes = clone.remotes if clone else git.configured(top)
        return bool(remotes) and self.repo not in remotes

    def _known_by(self, clone: git.Clone) -> str | None:
        return self.commit if self.commit and git.objects(clone, (self.commit,), "commit") else None

    def _is_checked_out(self, top: str) -> bool:
        """Tell whether the files on disk can be the commit's; git does not answer, or there is no clone."""
        return checkout(top) is None or checked_out(top) == self.commit


def _shows(text: bytes | None, frame: _Frame) -> bool:
    return frame.said != "" and frame.said == _line(text, frame.line)


def _line(text: bytes | None, line: int) -> str:
    lines = git.lines_of(text) if text else []
    return lines[line - 1] if 0 < line <= len(lines) else ""


def _name_of_module(frame: _Frame) -> str:
    """Return the path of a module from the folder that it is imported from, if its file is called like it."""
    name = frame.module.replace(".", "/")
    return next(
        (path for path in (f"{name}.py", f"{name}/__init__.py") if name and frame.file.endswith(f"/{path}")), ""
    )


# Files


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except (OSError, ValueError):  # the working directory was deleted under us
        return path


def _above(file: str) -> Iterator[str]:
    """Yield the folders above a file, nearest first."""
    folder = os.path.dirname(file)
    while folder != (above := os.path.dirname(folder)):
        yield folder
        folder = above
    yield folder


def _has(folder: str, name: str) -> bool:
    return os.path.isfile(os.path.join(folder, name))


def _bytes(path: str) -> bytes | None:
    text = read_bytes(path, git.MAX_SOURCE_BYTES + 1)
    return text.replace(b"\r\n", b"\n") if text is not None and len(text) <= git.MAX_SOURCE_BYTES else None
