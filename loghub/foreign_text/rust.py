"""Rust: panics of all releases, with and without a backtrace, and the errors that main returns."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from loghub.foreign_text.shape import error, frame, message_of, tell_apart, without_angles

_HEAD = re.compile(r".{0,300}?\bthread '[^']{0,200}' (?:\(\d{1,20}\) )?panicked at (?P<rest>.*)")
_OVERFLOW = re.compile(r".{0,300}?thread '[^']{0,200}' (?:\(\d{1,20}\) )?has overflowed its stack")
_PLACE = re.compile(r"(?P<file>[^:\n]{1,500}|[A-Za-z]:[^:\n]{1,500}):(?P<line>\d{1,9}):\d{1,9}(?P<colon>:?)\s*$")
_OLD_END = re.compile(r"(?P<message>.*)', (?P<file>(?:[A-Za-z]:)?[^':]{1,500}):(?P<line>\d{1,9})(?::\d{1,9})?$")
_ENDS = re.compile(r"(?i:stack backtrace:)|note: |$|\s*\d{1,4}: +0x|Caused by:|thread '")
_BACKTRACE = re.compile(r"(?i:stack backtrace:|backtrace:)$")
_FRAME = re.compile(r"\s{0,80}(?P<number>\d{1,4}): +(?:0x[0-9a-f]{1,16} +- +)?(?P<name>\S.*)$")
_INLINED = re.compile(r"\s{12,}(?P<name>[<\w_].*)$")
_AT = re.compile(r"\s+at (?P<file>(?:[A-Za-z]:)?[^:]{1,1000}):(?P<line>\d{1,9})(?::\d{1,9})?$")
_HASH = re.compile(r"::h[0-9a-f]{8,16}$|\.llvm\.\d{1,20}$")
_CLOSURE = re.compile(r"(?:::\{\{?[\w:#$]{1,60}\}\}?|::closure(?:_env)?\$\d{1,6}|\{\{[^{}]{1,60}\}\})")
_BEGIN = re.compile(r"rust_begin_unwind$|(?:std::panicking::)?begin_panic|core::panicking::|std::panicking::rust_panic")
_LIBRARY_PATH = re.compile(
    r"/rustc/|/\.cargo/(?:registry|git)/|/cargo/(?:registry|git)/|/library/(?:std|core|alloc|test)/|/rustlib/"
)
_RUNTIME_WORDS = re.compile(
    r"called `[\w:]{1,40}\(\)` on an? `\w{1,10}` value|index out of bounds|attempt to [a-z ]{1,60}"
    r"|assertion .{1,200}|explicit panic"
    r"|not (?:yet )?implemented|internal error: entered unreachable code|range \w+ index|already (?:mutably )?borrowed"
)
_WORDING = re.compile(r"[`()]|failed:?")  # assert_eq! has changed its words
_REGISTRY = re.compile(
    r"/(?:registry/src/[^/]{1,200}|checkouts)/(?P<crate>[^/]{1,100}?)-(?:\d[^/]{0,60}|[0-9a-f]{16})/"
)
_CRATE = re.compile(r"(?:^|/)(?P<crate>[\w-]{1,100})/(?:src|tests|examples|benches)/")
_LIBRARY = frozenset({
    "std", "core", "alloc", "test", "proc_macro", "backtrace", "rust_begin_unwind", "tokio", "tokio_util",
    "futures", "futures_util", "futures_core", "hyper", "hyper_util", "actix", "actix_web", "actix_rt",
    "actix_server", "actix_http", "axum", "axum_core", "tower", "tower_http", "tower_service", "rayon",
    "rayon_core", "crossbeam", "crossbeam_utils", "serde", "serde_json", "anyhow", "eyre", "color_eyre", "log",
    "tracing", "tracing_core", "tracing_subscriber", "warp", "rocket", "reqwest", "async_std", "async_executor",
    "smol", "clap", "clap_builder", "sqlx", "sqlx_core", "diesel", "tonic", "h2", "mio", "bevy_ecs", "bevy_tasks",
    "bevy_app", "winit", "once_cell", "parking_lot", "start_thread", "clone", "clone3", "main", "_start",
    "__libc_start_main", "__libc_start_call_main", "__rust_try", "__rust_begin_short_backtrace",
    "BaseThreadInitThunk", "RtlUserThreadStart", "invoke_main", "__scrt_common_main_seh", "wasm_bindgen",
    "unwrap_failed",
})  # fmt: skip
MARK = re.compile(r"\bpanicked at |has overflowed its stack|^Stack backtrace:", re.MULTILINE)


def read(lines: list[str]) -> dict[str, Any] | None:
    """Read the first panic, or the error with a backtrace that anyhow writes."""
    start = next((at for at, line in enumerate(lines) if _HEAD.match(line)), None)
    if start is None:
        return _overflowed(lines) or _returned(lines)
    head = _HEAD.match(lines[start])
    assert head is not None  # that is how it was found
    message, file, line, end = _said(head["rest"], lines, start)
    trace = next((at for at in range(end, min(end + 100, len(lines))) if _BACKTRACE.match(lines[at].strip())), None)
    frames = _frames(lines[trace + 1 :]) if trace is not None else []
    if (words := _RUNTIME_WORDS.match(message)) is not None:
        tell_apart(frames, _WORDING.sub("", words[0]))
    if file and not any(one["in_app"] for one in frames):
        frames = [_place(file, line)]
    return error("panic", message, frames)


def _said(rest: str, lines: list[str], start: int) -> tuple[str, str, str, int]:
    """Return message, file and line of a panic, and the number of the line behind them."""
    if (place := _PLACE.match(rest)) is not None and place["colon"]:
        message = message_of(lines[start + 1 :], _ENDS)
        return message, place["file"], place["line"], start + 1
    said = [rest.removeprefix("'")]
    for at in range(start, min(start + 40, len(lines))):
        if at > start:
            said.append(lines[at])
        if (ended := _OLD_END.match(said[-1])) is not None:
            return "\n".join([*said[:-1], ended["message"]]), ended["file"], ended["line"], at + 1
    if place is not None:  # a panic whose message is no text
        return "", place["file"], place["line"], start + 1
    return rest, "", "0", start + 1


def _overflowed(lines: list[str]) -> dict[str, Any] | None:
    return error("stack overflow", "", []) if any(map(_OVERFLOW.match, lines)) else None


def _returned(lines: list[str]) -> dict[str, Any] | None:
    trace = next((at for at, line in enumerate(lines) if line == "Stack backtrace:"), None)
    frames = _frames(lines[trace + 1 :]) if trace is not None else []
    if trace is None or not frames:
        return None
    said = next((line for line in reversed(lines[:trace]) if "Error: " in line), "")
    return error("Error", said.partition("Error: ")[2], frames)


def _place(file: str, line: str) -> dict[str, Any]:
    path = file.replace("\\", "/")
    found = _REGISTRY.search(path) or (None if path.startswith("/") or path[1:2] == ":" else _CRATE.search(path))
    return frame(path, "", line, in_app=not _LIBRARY_PATH.search(path), module=found["crate"] if found else "")


def _frames(lines: list[str]) -> list[dict[str, Any]]:
    found: list[list[str]] = []
    for line in lines:
        if (at := _AT.match(line)) is not None:
            if found:
                found[-1][1:] = [at["file"].replace("\\", "/"), at["line"]]
        elif (one := _FRAME.match(line) or _INLINED.match(line)) is not None:
            found.append([_named(one["name"]), "", "0"])
        elif found:
            break
    begins = [at for at, (name, *_) in enumerate(found) if _BEGIN.match(name)]
    found = found[begins[-1] + 1 :] if begins else found
    return [
        frame(file, name, number, in_app=not (_LIBRARY_PATH.search(file) or _is_library(name)))
        for name, file, number in found
        if name != "<unknown>"
    ]


def _is_library(name: str) -> bool:
    return name.partition("::")[0] in _LIBRARY


@lru_cache(2048)
def _named(name: str) -> str:
    """Return the path of a function without hash, closures and type arguments."""
    if name == "<unknown>":
        return name
    name = _CLOSURE.sub("", _HASH.sub("", name))
    if name.startswith(("<", "_<")):  # <crate::Type as Trait>::method
        inner, _, rest = name.lstrip("_").removeprefix("<").partition(">::")
        name = f"{inner.partition(' as ')[0].lstrip('&').removeprefix('mut ').lstrip('<')}::{rest}"
    return without_angles(name).replace("::::", "::").replace(".", "_").strip(":") or "<unknown>"
