"""Source maps: where in the original sources a frame of a minified script is.

Maps are files of this machine, never fetched. A stranger chooses the URLs that are looked up, so a URL leads only to
files ``*.map`` and the script beside it below a folder that was named for its prefix, whatever links or dots say.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import threading
import urllib.parse
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from loghub import options, own_log
from loghub.browser.stack import MAX_NAME, shown_file
from loghub.browser.texts import line_of
from loghub.fingerprint.scripts import bundle
from loghub.scrub.size import cut

if TYPE_CHECKING:
    from loghub.event import Frame

MAX_MAP_BYTES = 16 << 20
"""A larger map is not read, nor a larger script. Reading takes some 30 ms for a MB, once."""

MAX_HELD_BYTES = 64 << 20
MAX_HELD = 1024
"""So many maps are held ready, of so many bytes in all; the least used goes first. Their number is generous: a stack
can name any map, and a stranger who has a few more read than are held has all of them read with each report."""

_MAX_TOLD = 64
_MAX_CODE = 300
_MAX_UINT = 2**31 - 1


class SourceMaps:
    """Finds original functions, files and lines of frames; the maps are read when they are first needed.

    Args:
        roots: Prefixes of scripts' URLs, each with the folder of what lies below it: with
            ``https://shop.example/static/`` and ``/srv/maps`` the map of ``.../static/js/app.3f2a1b.js`` is
            ``/srv/maps/js/app.3f2a1b.js.map``. A script that lies beside its map tells the functions' names. Also as
            text: ``prefix=folder``, separated by commas. The longest prefix that fits is taken.

    Raises:
        OptionValueError: A prefix is no URL, or a folder is not there.
    """

    def __init__(self, roots: Mapping[str, str | os.PathLike[str]] | str) -> None:
        self._roots = sorted(_read_roots(self, roots), key=lambda root: -len(root[0]))
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._cache_class = _symbolic() if self._roots else None
        if self._roots and self._cache_class is None:
            self._tell("source maps are not used: pip install 'loghub-handlers[sourcemaps]'.")

    def original(self, frame: Frame) -> Frame:
        """Return a frame as it is in the original source; the same one where no map tells. Never raises."""
        line, column = frame.get("line") or 0, frame.get("column") or 0
        if self._cache_class is None or not 0 < line <= _MAX_UINT or not 0 < column <= _MAX_UINT:
            return frame
        path = self._path_of(frame["file"])
        if path is None:
            return frame
        try:
            found = self._opened(path)
            token = None if found is None else found.lookup(line, column, 0)
        except Exception as error:  # also the library's own classes, as it is there or not
            self._tell(f"a source map is skipped: {error}")
            return frame
        return frame if token is None or not token.src else _mapped(frame, token)

    def _path_of(self, url: str) -> str | None:
        """Return the path of a script's map, if there can be one below the folder of its prefix."""
        for prefix, folder in self._roots:
            if url.startswith(prefix):
                below = urllib.parse.unquote(url[len(prefix) :])
                path = os.path.realpath(os.path.join(folder, below + ".map")) if _PATH.fullmatch(below) else ""
                return path if path.startswith(os.path.join(folder, "")) and path.endswith(".map") else None
        return None

    def _opened(self, path: str) -> Any:
        """Return the map at a path, ready for look-ups; None: there is none, or it is broken, which is told once.

        Raises:
            OSError: It is there, and cannot be read.
            ValueError: It is too large.
        """
        try:
            state = os.stat(path)
        except OSError:
            return None
        version = (state.st_mtime_ns, state.st_size, state.st_ino)
        with self._lock:  # two threads that want the same map read it once
            held = self._held.get(path)
            if held is None or held.version != version:
                held = _Held(version, state.st_size, self._read(path, state))
                self._held.pop(path, None)
                while self._held and (
                    len(self._held) >= MAX_HELD
                    or sum(one.size for one in self._held.values()) + held.size > MAX_HELD_BYTES
                ):
                    self._held.popitem(last=False)
                self._held[path] = held
            self._held.move_to_end(path)
            return held.cache

    def _read(self, path: str, state: os.stat_result) -> Any:
        if not stat.S_ISREG(state.st_mode) or state.st_size > MAX_MAP_BYTES:
            raise ValueError(f"{path} is no file of at most {MAX_MAP_BYTES} bytes.")
        with open(path, "rb") as file:
            told = file.read(MAX_MAP_BYTES + 1)
        assert self._cache_class is not None
        try:
            return self._cache_class.from_bytes(_script(path.removesuffix(".map")), told)
        except Exception as error:  # as above
            self._tell(f"a source map is skipped: {path} is broken ({error}): build it again.")
            return None

    def _tell(self, text: str) -> None:
        """Log a line of loghub's own life, once."""
        if text not in self._told:
            if len(self._told) >= _MAX_TOLD:
                self._told.clear()
            self._told.add(text)
            own_log.tell(logging.WARNING, line_of(text))


class _Held(NamedTuple):
    version: tuple[int, int, int]
    size: int
    cache: Any


# A path below a folder: no way up, nothing hidden, nothing that is no name.
_PATH = re.compile(r"(?:(?!\.)[\w.~@+-][\w.~@ +()\[\]-]{0,200}/){0,20}(?!\.)[\w.~@+-][\w.~@ +()\[\]-]{0,200}")


def _read_roots(owner: object, roots: object) -> list[tuple[str, str]]:
    if isinstance(roots, str):
        pairs = [pair.strip().partition("=")[::2] for pair in roots.split(",") if pair.strip()]
    elif isinstance(roots, Mapping):
        pairs = [(prefix, os.fspath(roots[prefix])) for prefix in roots]
    else:
        options.refuse(owner, "roots", roots, "URL prefixes with their folders")
    found = []
    for prefix, folder in pairs:
        if "://" not in prefix or shown_file(prefix) != prefix:
            options.refuse(owner, "roots", prefix, "the beginning of a URL, such as https://shop.example/static/")
        if not os.path.isdir(folder):
            options.refuse(owner, "roots", folder, "a directory that exists")
        found.append((prefix if prefix.endswith("/") else f"{prefix}/", os.path.realpath(folder)))
    return found


def _symbolic() -> Any:
    """Return what reads maps, if the extra is installed."""
    try:
        from symbolic.sourcemapcache import SourceMapCache
    except ImportError:
        return None
    return SourceMapCache


def _script(path: str) -> bytes:
    """Return the script beside its map; nothing if it is not there: then the map alone tells places."""
    try:
        if os.path.islink(path) or not os.path.isfile(path) or os.path.getsize(path) > MAX_MAP_BYTES:
            return b""
        with open(path, "rb") as file:
            return file.read(MAX_MAP_BYTES + 1)
    except OSError:
        return b""


def _mapped(frame: Frame, token: Any) -> Frame:
    file = _source(token.src)
    name = line_of((token.function_name or "<unknown>")[: 4 * MAX_NAME])
    name = frame["function"] if name == "<unknown>" else cut(name, MAX_NAME) if name != "<anonymous>" else ""
    mapped: Frame = {
        "file": file,
        "module": bundle(file).partition(".")[0],
        "function": name,
        "line": token.line,
        "column": token.col,
        "in_app": _LIBRARY.search(f"/{file}") is None,  # whoever has the maps of a script has made it
    }
    if code := line_of((token.context_line or "").strip()[: 4 * _MAX_CODE]):
        mapped["code"] = cut(code, _MAX_CODE)
    return mapped


_LIBRARY = re.compile(r"/(?:node_modules|bower_components|~|webpack/(?:runtime|bootstrap))(?:/|$)")
_BUNDLER = re.compile(r"^(?:webpack|ng|vite|rollup|turbopack)://[^/]*/(?:\[project\]/)?")


def _source(name: str) -> str:
    """Return a source's path as the repository has it: bundlers write it from where their output lies."""
    parts = _BUNDLER.sub("", name[:2_000]).partition("?")[0].replace("\\", "/").split("/")
    return cut(line_of("/".join(part for part in parts if part not in ("", ".", ".."))), 500)
