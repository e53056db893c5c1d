"""Errors of browsers and Node: what is the same in all of them, and from build to build.

There are no source lines, and minified names tell nothing. So a message counts as well: each engine words its own
errors differently, but they are of a few conditions, often about a name of the code (`_SAID`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from loghub.fingerprint.codes import codes_of
from loghub.fingerprint.messages import shape
from loghub.fingerprint.reading import BUNDLE, MAX_FRAMES, dicts_in, first_line, last_name, read_head, text_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_INNERMOST = 3
"""Named functions that count: farther out the engines tell different things of what is asynchronous."""


def script_parts(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what counts of a script's error."""
    message = first_line(text_in(event, "error_message") or text_in(event, "message"))
    message = message.removeprefix("Uncaught ").removeprefix("(in promise) ")
    if alone := next((said for said, pattern in _PLACELESS if pattern.search(message)), ""):
        yield "message", alone
        return
    kind = text_in(event, "error_type")
    yield "type", "RangeError" if kind == "InternalError" else kind
    codes = codes_of(read_head({"error_message": message}))  # of no class: InternalError is a database's, too
    yield from (("code", code) for code in codes)
    said = _condition(message)
    frames = list(islice(dicts_in(event.get("frames")), MAX_FRAMES))
    named = list(dict.fromkeys(place for frame in frames if (place := _script_place(frame))))
    if named:
        yield from (("frame", place) for place in named[-_INNERMOST:])
        if said or (kind not in _NATIVE and not codes):
            yield "message", said or shape(message)
        return
    files = [text_in(frame, "file").replace("\\", "/") for frame in frames]
    yield from (
        ("file", name) for name in dict.fromkeys(bundle(file) for file in files if not _BROWSER_OWN.search(file))
    )
    yield from (("text", shape(text)) for text in [text_in(event, "traceback")] if text and not message)
    if said or not codes:
        yield "message", said or shape(message)


def _condition(message: str) -> str:
    """Return what an engine's own message is about, in the same words for all engines; empty for other messages."""
    for said, pattern in _SAID:
        if match := pattern.search(message):
            name = next(filter(None, match.groups()), "")
            return f"{said} {last_name(name)}".rstrip()
    return ""


def _script_place(frame: Mapping[str, Any]) -> str:
    """Return ``bundle in function``; empty for what another browser would not show or a build renames."""
    file, name = text_in(frame, "file").replace("\\", "/"), text_in(frame, "function")
    if frame.get("in_app") is False or _BROWSER_OWN.search(file) or _ASYNC.match(name):
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


_BROWSER_OWN = re.compile(
    r"^(?:<anonymous>|native|\[native code\]|[\w-]+-extension://.*|node:.*|internal/.*"
    r"|_?(?:net|fs|dns|http|https|tls|events|timers|module|vm|stream|zlib|child_process|_http_client|_stream_readable)\.js"
    r"|(?:bootstrap_node|_tls_wrap)\.js)$|/node_modules/"
)
_ASYNC = re.compile(r"async[ *]|promise callback|(?:setTimeout|setInterval) handler")
_DECORATION = re.compile(r"^new |^[gs]et |\s*\[as .*")
# Minified names change with every build; Firefox ends an anonymous function's name in "<"; what compilers make of
# async functions is shown by one engine and not by another.
_TELLING = re.compile(
    r"(?!(?:anonymous|undefined|null|eval|next|step|fulfilled|rejected|apply|call|tryCatch|_next|_throw|__awaiter"
    r"|asyncGeneratorStep|processTicksAndRejections|_callee\d*\$?)$)[\w$]{3,200}$"
)
_HASH = re.compile(
    r"[.~_-](?:[0-9a-f]{6,64}|\d+|(?=[\w-]{0,7}[0-9A-Z])(?=[\w-]{0,7}[A-Za-z])[\w-]{8}"
    r"|(?=\w{0,63}\d)\w{20,64})(?=[.~_-]|$)"
)
# Errors that an engine raises itself; what else it says of them is worded in its own way.
_NATIVE = frozenset({
    "TypeError", "ReferenceError", "RangeError", "SyntaxError", "InternalError", "URIError", "EvalError",
    "DOMException", "AbortError", "NetworkError", "NotAllowedError", "NotFoundError", "QuotaExceededError",
    "SecurityError",
})  # fmt: skip


def _listed(*rules: tuple[str, str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((said, re.compile(pattern, re.IGNORECASE)) for said, pattern in rules)


# They say nothing of a place, even if they have one.
_PLACELESS = _listed(
    ("Script error.", r"^Script error\.?$"),
    ("<resize observer>", r"^ResizeObserver loop"),
)
_SAID = _listed(
    ("<no module>", r"dynamically imported module|^importing a module script failed"),
    ("<not iterable>", r"is not iterable|undefined is not a function \(near "),
    ("<nothing>", r"cannot [rs]e\w+ propert\w+ (?:'([^']*)' of|.{0,40}\((?:reading|setting) '([^']*)'\))"),
    ("<nothing>", r"can't access property \"?([^\",]*)\"?|is not an object \((?:evaluating|near) '([^'(]*)"),
    ("<nothing>", r"cannot [rs]e\w+ propert|^\S+ is (?:undefined|null)$|can(?:'t|not) convert undefined"),
    ("<no such variable>", r"([\w$]+) is not defined$|can't find variable: ([\w$]+)"),
    ("<not yet a variable>", r"before initiali[sz]ation$|cannot access uninitiali[sz]ed variable"),
    ("<constant>", r"assignment to const|assign to readonly"),
    ("<not a function>", r"([\w$]{3,}) is not a (?:function|constructor)"),
    ("<not a function>", r"is not a (?:function|constructor)"),
    ("<aborted>", r"(?:user|operation) (?:was )?aborted|fetch is aborted|signal is aborted"),
    ("<quota>", r"exceeded the quota|quota has been exceeded"),
    ("<other origin>", r"blocked a frame with origin|permission denied to access property"),
    ("<no network>", r"failed to fetch|networkerror when attempting|load failed|network request failed"),
    ("<no network>", r"network connection was lost|internet connection appears to be offline"),
    ("<no JSON>", r"JSON\.parse:|JSON parse error|unexpected end of JSON|is not valid JSON|in JSON at position"),
    ("<no script>", r"unexpected token|expected expression, got|unexpected end of (?:input|script)"),
    ("<recursion>", r"call stack size exceeded|too much recursion"),
)
