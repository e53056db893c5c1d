"""Errors of browsers: what is the same in all of them, and from build to build."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from loghub.fingerprint.messages import shape
from loghub.fingerprint.reading import BUNDLE, MAX_FRAMES, dicts_in, first_line, last_name, text_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def script_parts(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what counts of a browser's error; the browsers word their messages differently."""
    message = first_line(text_in(event, "error_message") or text_in(event, "message")).removeprefix("Uncaught ")
    if _FOREIGN_SCRIPT.match(message):
        yield "message", "Script error."
        return
    kind = text_in(event, "error_type")
    yield "type", "RangeError" if kind == "InternalError" else kind
    frames = list(islice(dicts_in(event.get("frames")), MAX_FRAMES))
    named = [place for frame in frames if (place := _script_place(frame))]
    if named:
        yield from (("frame", place) for place in dict.fromkeys(named))
        return
    bundles = dict.fromkeys(bundle(text_in(frame, "file")) for frame in frames)
    yield from (("file", bundle) for bundle in bundles if bundle)
    yield from (("text", shape(text)) for text in [text_in(event, "traceback")] if text and not message)
    yield "message", next((said for said, pattern in _SAID if pattern.search(message)), shape(message))


def _script_place(frame: Mapping[str, Any]) -> str:
    """Return ``bundle in function``; empty for what another browser would not show or a build renames."""
    file, name = text_in(frame, "file"), text_in(frame, "function")
    if _BROWSER_OWN.search(file) or _ASYNC.match(name):
        return ""
    name = last_name(_DECORATION.sub("", name).rpartition("/")[2])
    return f"{bundle(file)} in {name}" if _TELLING.match(name) else ""


@lru_cache(1024)
def bundle(file: str) -> str:
    """Return the name of a script without origin, query and the hashes that builds put into it."""
    name = re.split(r"[?#]", file.replace("\\", "/"), maxsplit=1)[0].rpartition("/")[2]
    if not BUNDLE.search(name):
        return "page"
    stem, _, suffix = name.rpartition(".")
    return ".".join([*filter(None, _HASH.sub("", f".{stem}").split(".")), suffix])


_FOREIGN_SCRIPT = re.compile(r"Script error\.?$", re.IGNORECASE)
_BROWSER_OWN = re.compile(r"^(?:<anonymous>|native|\[native code\]|[\w-]+-extension://.*)$|/node_modules/")
_ASYNC = re.compile(r"async[ *]|promise callback|(?:setTimeout|setInterval) handler")
_DECORATION = re.compile(r"^new |^[gs]et |\s*\[as .*")
# Minified names change with every build; Firefox ends an anonymous function's name in "<".
_TELLING = re.compile(r"(?!(?:anonymous|undefined|null|eval)$)[\w$]{3,200}$")
_HASH = re.compile(
    r"[.~_-](?:[0-9a-f]{6,64}|\d+|(?=[\w-]{0,7}[0-9A-Z])(?=[\w-]{0,7}[A-Za-z])[\w-]{8}"
    r"|(?=[\w-]{0,63}\d)[\w-]{20,64})(?=[.~_-]|$)"
)
_SAID = tuple(
    (said, re.compile(pattern, re.IGNORECASE))
    for said, pattern in (
        ("<nothing>", r"cannot [rs]e\w+ propert|can't access propert|is not an object \(|^\S+ is (?:undefined|null)$"),
        ("<no such variable>", r"is not defined$|can't find variable"),
        ("<not a function>", r"is not a (?:function|constructor)"),
        ("<no network>", r"failed to fetch|networkerror when attempting|load failed|network request failed"),
        ("<no JSON>", r"JSON\.parse:|JSON parse error|unexpected (?:token|end of JSON)|is not valid JSON"),
        ("<recursion>", r"call stack size exceeded|too much recursion"),
    )
)
