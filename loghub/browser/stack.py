"""The text of a script's stack, as Chrome, Firefox and Safari print it, read into frames.

It is data from strangers. Every line is read once, by splitting: no pattern goes back and forth in it. The files that
frames name are never opened: what is no URL becomes one (``script:///...``), so that no reader takes it for a path of
this machine.

Sources of the formats: V8's "Stack trace API", MDN's page on ``Error.prototype.stack``, JavaScriptCore's
``StackFrame``, and the WebAssembly Web API's "Conventions" for places in modules.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from loghub.browser.texts import line_of
from loghub.fingerprint.scripts import bundle
from loghub.scrub.size import MAX_FRAMES_INNER, MAX_FRAMES_OUTER, cut

if TYPE_CHECKING:
    from collections.abc import Collection

    from loghub.event import Frame

MAX_NAME = 200
MAX_FILE = 500
_MAX_OTHER = 300
_MAX_LINES = MAX_FRAMES_INNER + MAX_FRAMES_OUTER + 50  # the others would be thrown away: 64 KB may have thousands
_MAX_DIGITS = 9


class Line(NamedTuple):
    """A line of a stack: its frame, or the text of what is none."""

    frame: Frame | None
    text: str


def read(stack: str, message: str, own: Collection[str]) -> list[Line]:
    """Read the lines of a stack, innermost first, without the error's name and message above them.

    Args:
        stack: As ``error.stack`` gives it.
        message: The error's; its lines are none of the stack's, whatever they look like.
        own: Origins whose scripts are the application's; none: all are.
    """
    lines = _below(stack, message).strip("\n").split("\n")
    if len(lines) > _MAX_LINES:
        lines = lines[: _MAX_LINES - MAX_FRAMES_OUTER] + lines[-MAX_FRAMES_OUTER:]
    lines = [line.strip() for line in lines]
    frames = [_frame(line, own) for line in lines]
    first = next((at for at, frame in enumerate(frames) if frame is not None), len(frames))
    if first == len(frames):
        first = 0  # no engine that is known here: its words are better than nothing
    found = [Line(frame, line) for frame, line in zip(frames[first:], lines[first:], strict=True) if line]
    if len(found) > MAX_FRAMES_INNER + MAX_FRAMES_OUTER:
        found = found[:MAX_FRAMES_INNER] + found[-MAX_FRAMES_OUTER:]
    return found


def shown(line: Line) -> str:
    """Return a line as it is printed, indented: nobody takes it for a line of a log."""
    frame = line.frame
    if frame is None:
        return f"    {cut(line_of(_without_queries(line.text[: 10 * _MAX_OTHER])), _MAX_OTHER)}"
    position = [str(number) for number in (frame.get("line"), frame.get("column")) if number]
    place = ":".join([frame["file"], *position])
    return f"    at {frame['function']} ({place})" if frame["function"] else f"    at {place}"


def head_of(stack: str) -> str:
    """Return the line above the frames, where an engine prints name and message; else nothing."""
    first = stack.partition("\n")[0].strip()
    return "" if _frame(first, ()) is not None else first


def _below(stack: str, message: str) -> str:
    """Return what stands below the message, if the engine prints it at all."""
    at = stack.find(message, 0, len(message) + MAX_NAME) if message else -1
    before, end = stack[: max(at, 0)], at + len(message)
    if at >= 0 and "\n" not in before and (not before or before.endswith(": ")) and stack[end : end + 1] in ("", "\n"):
        return stack[end:]
    return stack


# One line -------------------------------------------------------------------------------------------------------


def _frame(line: str, own: Collection[str]) -> Frame | None:
    if line.startswith("at "):
        name, place = _of_v8(line[3:])
    else:  # Firefox and Safari; names have no @, URLs may
        name, sign, place = line.partition("@")
        if not sign or (place and not _is_place(place)) or (not place and not name):
            return None
        name = name.removeprefix("<?>.")
    if not _is_place(place) and place:
        return None
    return _placed(name, place or "<anonymous>", own)


def _of_v8(text: str) -> tuple[str, str]:
    """Split what stands behind ``at`` into name and place."""
    if text.endswith(")") and " (" in text:
        name, _, place = text[:-1].partition(" (")
    elif text.startswith("async "):
        name, place = "async <anonymous>", text[6:]
    else:
        name, place = "", text
    return ("" if name == "<anonymous>" else name), place


def _is_place(text: str) -> bool:
    """Return whether a text says where code is: it ends in a position, or it names what has none."""
    if text in _NOWHERE or text.startswith(("eval at ", "index ", "blob:", "data:")):
        return True
    return _split(text)[1] > 0 or ":wasm-function[" in text or (_SCHEME.match(text) is not None and " " not in text)


_NOWHERE = frozenset({"<anonymous>", "<?>", "native", "[native code]", "[wasm code]", "unknown location"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}:/")


def _placed(name: str, place: str, own: Collection[str]) -> Frame:
    """Return the frame of a function at a place; code that was made at run time stands where it was made."""
    line = column = 0
    if ":wasm-function[" in place:  # a module's functions have numbers, and mostly no names
        place, _, index = place.partition(":wasm-function[")
        name = name if name and not name.isdigit() else f"wasm-function[{index.partition(']')[0]}]"
    if place.startswith("index "):  # of Promise.all
        file = "<anonymous>"
    elif place.startswith("eval at "):
        inner = place[place.rfind(" (") + 2 :].partition(")")[0] if " (" in place else "<anonymous>"
        file, line, column = _split(inner)
    elif (made := _made_at(place)) is not None:
        file, line = made
    else:
        file, line, column = _split(place)
    file = shown_file(file)
    frame: Frame = {
        "file": file,
        "module": "" if is_native(file) else bundle(file).partition(".")[0],
        "function": _named(name),
        "in_app": is_in_app(file, own),
    }
    if line:
        frame["line"] = line
        if column:
            frame["column"] = column
    return frame


def _made_at(place: str) -> tuple[str, int] | None:
    """Return where Firefox says that ``eval`` and the like were called: ``file line 10 > eval:1:1``."""
    file, word, rest = place.partition(" line ")
    number, arrow, _ = rest.partition(" > ")  # eval within eval: the outermost is a file
    return (file, int(number)) if word and arrow and _is_number(number) else None


def _split(place: str) -> tuple[str, int, int]:
    """Split a place into file, line and column; 0 where it says none."""
    file, colon, last = place.rpartition(":")
    if not colon or not _is_number(last):
        return place, 0, 0
    outer, colon, line = file.rpartition(":")
    if colon and _is_number(line):
        return outer, int(line), int(last)
    return file, int(last), 0


def _is_number(text: str) -> bool:
    return 0 < len(text) <= _MAX_DIGITS and text.isascii() and text.isdigit()


def _named(name: str) -> str:
    """Return a function's name as the engines have it in common: without accessors' words and aliases."""
    name = line_of(name[: 4 * MAX_NAME]).partition(" [as ")[0].strip()
    name = name.replace(".get ", ".", 1).replace(".set ", ".", 1)
    return cut(name.removeprefix("get ").removeprefix("set "), MAX_NAME)


# Files ----------------------------------------------------------------------------------------------------------


def shown_file(url: str) -> str:
    """Return a script's URL without what differs from visit to visit, or tells a secret: user, query, fragment."""
    url = url[: 8 * MAX_FILE].strip()
    if url in _NOWHERE:
        return _ALIASES.get(url, url)
    if url.startswith("data:"):
        return "data:script"
    url = url.partition("?")[0].partition("#")[0]
    if url.startswith("blob:"):
        return f"blob:{origin_of(url[5:]) or 'null'}"
    if (read := _AUTHORITY.match(url)) is not None:
        url = f"{read['scheme']}://{read['host']}{url[read.end() :]}"
    else:
        url = f"script:///{url.lstrip('/')}"
    return cut(line_of(url).replace("/..", "/"), MAX_FILE)


_ALIASES = {"native": "[native code]", "<?>": "[wasm code]"}
_AUTHORITY = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,40})://(?:[^/?#@\s]*@)?(?P<host>[^/?#@\s]*)")
_URL = re.compile(r"(?<=:)//[^\s/?#]*@|[?#][^\s():]*")


def _without_queries(text: str) -> str:
    return _URL.sub(lambda found: "//" if found[0].startswith("//") else "", text)


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL as browsers compare them; empty for what has none."""
    read = _AUTHORITY.match(url[: 8 * MAX_FILE])
    if read is None or not read["host"]:
        return ""
    scheme, host = read["scheme"].lower(), read["host"].lower()
    return line_of(f"{scheme}://{host.removesuffix(_PORTS.get(scheme, ' '))}")[:MAX_FILE]


_PORTS = {"http": ":80", "https": ":443"}


def is_extension(file: str) -> bool:
    """Return whether a script is an extension's, or the browser's own, and so none that a site can mend."""
    return _EXTENSION.match(file) is not None


def is_native(file: str) -> bool:
    """Return whether a place is none that a person wrote: the engine's own functions, the console."""
    return file in _NOWHERE


def is_in_app(file: str, own: Collection[str]) -> bool:
    """Return whether a script is the application's: of its own origins (none known: of any), and no library."""
    if is_native(file) or is_extension(file) or _LIBRARY.search(file) is not None:
        return False
    if not own or not file.startswith(("http://", "https://", "blob:http")):
        return True  # a bundler's name for a module, a page from the disk, an app's own scheme
    return origin_of(file.removeprefix("blob:")) in own


_EXTENSION = re.compile(
    r"(?:[a-z-]{1,20}-extension|chrome|resource|about|moz-[a-z-]{1,20}|webkit-masked-url|user-script):"
)
_LIBRARY = re.compile(
    r"/(?:node_modules|bower_components|~)/|/(?:(?:chunk-)?vendors?|polyfills?|jquery)(?:[.~-][\w.~-]{0,100})?\.m?js$"
)
