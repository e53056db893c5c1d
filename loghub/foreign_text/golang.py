"""Go: panics, fatal errors, and the stacks that recovering code logs."""

from __future__ import annotations

import itertools
import re
from typing import Any

from loghub.foreign_text.shape import error, frame, message_of, tell_apart

_HEAD = re.compile(
    r"(?:.{0,200}?\b)?(?P<kind>panic|fatal error|http: panic serving [^\s]{1,80}|SIG[A-Z]{2,8}): ?(?P<message>.*)"
)
_GOROUTINE = re.compile(r"(?P<before>.{0,500}?)goroutine \d+(?: gp=\S+ m=\S+(?: mp=\S+)?)? \[[^\]]{1,200}\]:$")
# Without its tab where a collector has cut it.
_PLACE = re.compile(
    r"\s{0,80}(?P<file>(?:[A-Za-z]:)?[^:\s][^:]{0,1000}\.\w{1,3}):(?P<line>\d{1,9})(?: \+0x[0-9a-f]{1,16})?$"
)
_LOGGED = re.compile(r"(?P<file>(?:[A-Za-z]:)?[^:\s][^:]{0,1000}\.go):(?P<line>\d{1,9}) \(0x[0-9a-f]{1,16}\)$")
_SOURCE = re.compile(r"\s+(?P<name>[^\s:]{1,300}): (?P<code>.*)$")
_ENDS = re.compile(r"\s*$|\[signal |goroutine \d|\tpanic: |PC=|runtime: ")
_RUNTIME_WORDS = re.compile(
    r"(?:runtime error|interface conversion|reflect): [a-z :-]{1,100}|[a-z]{1,20}(?: [a-z]{1,20}){1,3} (?:map"
    r"|channel)"
)
_CLOSURE = re.compile(r"(?:\.(?:func|gowrap|deferwrap)?\d{1,6}|-(?:fm|range)\d{0,6}|\[\.\.\.\])+$")
_HOST = re.compile(r"/src/((?:[\w-]+\.)+\w+/[^/]+/[^/]+)/")
_STANDARD = frozenset({
    "archive", "bufio", "bytes", "cmp", "compress", "container", "context", "crypto", "database", "debug",
    "embed", "encoding", "errors", "expvar", "flag", "fmt", "go", "hash", "html", "image", "index", "internal",
    "io", "iter", "log", "maps", "math", "mime", "net", "os", "path", "plugin", "reflect", "regexp", "runtime",
    "slices", "sort", "strconv", "strings", "structs", "sync", "syscall", "testing", "text", "time", "unicode",
    "unique", "unsafe", "vendor", "weak", "panic",
})  # fmt: skip
MARK = re.compile(r"panic recovered:|goroutine \d+ [^\n]{0,80}\[|\bfatal error: |^panic: ", re.MULTILINE)


def read(lines: list[str]) -> dict[str, Any] | None:
    """Read the first goroutine after what was said, or the first at all."""
    said = next((at for at, line in enumerate(lines) if _HEAD.match(line)), None)
    start = next((at for at in range(said or 0, len(lines)) if _GOROUTINE.match(lines[at])), None)
    if start is None:
        return _recovered(lines)
    frames = _frames(lines, start + 1)
    if said is None:
        before = _GOROUTINE.match(lines[start])
        message = before["before"].strip() if before else ""
        if not message and not frames:
            return None
        return error("panic", message or next((line for line in reversed(lines[:start]) if line), ""), frames)
    head = _HEAD.match(lines[said])
    assert head is not None  # that is how it was found
    message = message_of([head["message"], *lines[said + 1 : start]], _ENDS).removesuffix(" [recovered]")
    kind = "panic" if head["kind"].startswith("http") else head["kind"]
    if (words := _RUNTIME_WORDS.match(message)) is not None:
        tell_apart(frames, words[0])
    return error(kind, message.removesuffix(" [recovered, repanicked]"), frames)


def _recovered(lines: list[str]) -> dict[str, Any] | None:
    """Read the stack that gin logs of a handler that panicked: with source lines."""
    pairs = [(place, below) for place, below in itertools.pairwise(lines) if below.startswith((" ", "\t"))]
    read = [(place, code) for line, below in pairs if (place := _LOGGED.match(line)) and (code := _SOURCE.match(below))]
    if not read:
        return None
    first = lines.index(read[0][0][0])
    message = next((line for line in reversed(lines[:first]) if line), "")
    frames = []
    for place, code in read:
        frames.append(_frame(f"main.{code['name']}", place["file"], place["line"], ""))
        frames[-1]["in_app"] &= "/go/src/" not in frames[-1]["file"] and "/libexec/src/" not in frames[-1]["file"]
        frames[-1]["code"] = code["code"].strip()
    return error("panic", message, frames)


def _frames(lines: list[str], start: int) -> list[dict[str, Any]]:
    found: list[tuple[str, str, str]] = []
    before = ""
    for line in lines[start:]:
        if not line or _GOROUTINE.match(line):
            if found or line:
                break
            continue
        place = _PLACE.match(line)
        if place and before:
            found.append((before, place["file"].strip(), place["line"]))
            before = ""
        else:
            before = line
    # What runs within a panic are deferred functions; the place of the (first) panic is below them.
    panics = [at for at, (name, *_) in enumerate(found) if name.startswith(("panic(", "runtime.gopanic("))]
    found = found[panics[-1] + 1 :] if panics else found
    own = next((host[1] for name, file, _ in found if name.startswith("main.") and (host := _HOST.search(file))), "")
    return [_frame(name, file, line, own) for name, file, line in found]


def _frame(call: str, file: str, line: str, own: str) -> dict[str, Any]:
    name = call.removeprefix("created by ").partition(" in goroutine ")[0]
    name = name.rpartition("(")[0] if name.endswith(")") else name
    slash = name.rfind("/") + 1
    package, _, function = name[slash:].partition(".")
    package = name[:slash] + package
    function = _CLOSURE.sub("", function).replace("(*", "").replace(")", "").replace("[...]", "")
    file = file.replace("\\", "/")
    host = _HOST.search(file)
    library = (
        package.partition("/")[0] in _STANDARD
        or "/pkg/mod/" in file
        or "@v" in file
        or "/vendor/" in file
        or bool(own and host and host[1] != own)
    )
    return frame(file, function or package, line, in_app=not library, module=package)
