"""C and C++: what the runtime says before it aborts, sanitizers, gdb, and backtraces of glibc and Boost."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from loghub.foreign_text.shape import error, frame, message_of, without_angles

_THROWN = re.compile(
    r".{0,200}?(?:terminate called after throwing an instance of '(?P<gnu>[^\n]{1,500})'"
    r"|terminating (?:with|due to) uncaught exception of type (?P<llvm>[^\n]{1,500}?)(?:: (?P<said>.*)|$)"
    r"|(?P<none>terminate called (?:without an active exception|recursively)|pure virtual method called"
    r"|terminating (?:with|due to) uncaught foreign exception))"
)
_WHAT = re.compile(r"\s{0,80}what\(\):\s{1,2}(?P<message>.*)")
_ENDS = re.compile(r"Aborted|Abort trap|\[\d|#\d|\s{1,4}#?\d{1,3}[#: ]|Stack|Backtrace|backtrace|\*\*\*|timeout:|$")
_SANITIZER = re.compile(
    r".{0,200}?(?:ERROR|WARNING): (?P<kind>\w{4,30}Sanitizer): ?(?P<message>.*)"
    r"|(?P<file>[^:\s][^:]{0,500}):(?P<line>\d{1,9}):\d{1,9}: runtime error: (?P<undefined>.*)"
)
_ADDRESS = re.compile(r" \(pid=\d.*| (?:on|at pc|bp|sp|\(pc|address|unknown address).*| 0x[0-9a-f].*")
_SIGNAL = re.compile(
    r".{0,300}?(?:(?:received signal|terminated with signal) (?P<name>SIG[A-Z]{2,8})(?:, (?P<words>.{1,100}))?"
    r"|(?P<plain>Segmentation fault|Bus error|Illegal instruction|Floating point exception|Aborted \(core dumped\))"
    r"|Caught signal \d{1,3} \((?P<caught>[^)]{1,60})\)|\*\*\* (?P<glog>SIG[A-Z]{2,8}) )"
)
_ASSERT = (
    re.compile(
        r"(?:[^:]{1,200}: )??(?P<file>[^:\s]{1,500}):(?P<line>\d{1,9}): (?P<function>.{1,1000}?): "
        r"Assertion [`'](?P<said>.*)' failed"
    ),
    re.compile(
        r".{0,100}?Assertion failed: \(?(?P<said>.{1,1000}?)\)?, function (?P<function>[^,]{1,300}), "
        r"file (?P<file>[^,]{1,500}), line (?P<line>\d{1,9})"
    ),
    re.compile(
        r".{0,100}?Assertion failed: (?P<said>.{1,1000}?),? \(?(?:file )?(?P<file>[^,:()]{1,500})"
        r"(?:, line |: (?P<function>\w{1,200}): )(?P<line>\d{1,9})"
    ),
    re.compile(
        r".{0,100}?ERROR:(?P<file>[^:]{1,500}):(?P<line>\d{1,9}):(?P<function>[^:]{1,300}): "
        r"assertion failed:? \(?(?P<said>.*?)\)?$"
    ),
)
_GLIBC = re.compile(
    r".{0,200}?(?P<message>\*\*\* (?:stack smashing|buffer overflow) detected|double free or corruption"
    r"|free\(\): invalid \w+"
    r"|malloc\(\): [\w ]{3,60}|realloc\(\): invalid \w+|corrupted size vs\. prev_size|munmap_chunk\(\): invalid pointer"
    r"|free\(\): double free)"
)
_NUMBERED = re.compile(r"\s{0,80}(?:#(?P<hash>\d{1,5})|(?P<boost>\d{1,5})#)\s+(?P<rest>\S.*)$")
_LLDB = re.compile(r"\s{0,80}(?:\* )?frame (?P<hash>#)\d{1,5}: (?:0x[0-9a-f]{1,16} )?[^`]{1,200}`(?P<rest>.*)$")
_GLIBC_FRAME = re.compile(
    r"\s{0,80}(?P<binary>[^\s()\[\]]{1,500})\((?P<name>[^()+\s]{0,500})"
    r"(?:\+0x[0-9a-f]{1,16})?\) ?\[0x[0-9a-f]{1,16}\]$"
)
_MAC = re.compile(r"\d{1,4}\s{1,4}(?P<binary>\S{1,100})\s{1,40}0x[0-9a-f]{16} (?P<name>\S.{0,500}?) \+ \d{1,12}")
_BACKWARD = re.compile(
    r"(?:Object|Source) \"(?P<file>[^\"]{0,500})\",(?: line (?P<line>\d{1,9}),"
    r"| at 0x[0-9a-f]{1,16},)? in (?P<name>.{1,500}?)(?: \+ \d+)?$"
)
_PLACED = re.compile(r"(?P<file>(?:[A-Za-z]:)?[^:()]{1,1000}[./][^:()]{1,300}):(?P<line>\d{1,9})(?::\d{1,9})?")
_BEHIND = re.compile(r"\s+at (?P<file>[^:\s]{1,1000}):(?P<line>\d{1,9})$")  # gdb breaks long lines
_BUILD = re.compile(r" \(BuildId: [0-9a-f]{1,64}\)$|(?<=:\d) \([^()\s]{1,300}\+0x[0-9a-f]{1,16}\)$")
_SHARED = re.compile(
    r"(?P<name>.*?)(?: from | in |\s?\()(?P<file>[^\s()+]{0,500}/[^\s()+]{1,300}"
    r"|[^\s()+]{1,100}\.(?:so[.\d]{0,20}|dylib|dll))(?:\+0x[0-9a-f]{1,16})?\)?$"
)
_LIBRARY_PATH = re.compile(
    r"\.so(?:\.|$)|\.dylib$|\.dll$|^/usr/(?:local/)?(?:lib|include|src)|^/lib|/sysdeps/|/glibc|/gcc/"
    r"|libstdc\+\+|compiler-rt|asan_|third_party/"
    r"|^\.\./(?:sysdeps|csu|nptl|stdlib|sysdeps)|^(?:raise|abort|assert|libc-start|pthread_\w+|pthread_kill"
    r"|memcpy|strlen)\.c$"
    r"|libsystem_|/csu/|/nptl/|^\./(?:nptl|stdlib|csu|assert|malloc)/",
)
_LIBRARY_NAME = re.compile(
    r"(?:std|__gnu_cxx|boost|__cxxabiv1|__asan|__ubsan|__tsan|__sanitizer|__lsan)::|_{1,2}(?:libc|GI|cxa|gxx"
    r"|assert|pthread"
    r"|interceptor|asan|start|restore_rt|stack_chk|fortify|kernel|lll|memcpy|memmove|str)|operator (?:new|delete)"
    r"|(?:malloc|free|calloc|realloc|abort|raise|gsignal|kill|start_thread|clone3?|_start|memcpy|strlen"
    r"|pthread_\w+)$|<signal"
    r"|\?\?|_ZNSt|_ZSt|_ZN9__gnu_cxx"
)
_COUNTER = re.compile(r"\.(?:part|isra|constprop|cold|lto_priv|llvm|localalias)(?:\.\d{1,20})?")
_ANONYMOUS = re.compile(r"\(anonymous namespace\)|`anonymous namespace'")
MARK = re.compile(
    r"terminate called |pure virtual method called|uncaught exception of type |Sanitizer: |: runtime error: "
    r"|Assertion [`'f]"
    r"|assertion failed|[Ss]egmentation fault|SIG(?:SEGV|ABRT|BUS|FPE|ILL)\b|Bus error|Illegal instruction"
    r"|Floating point exception"
    r"|\*\*\* (?:stack|buffer)|double free|free\(\): |malloc\(\): |corrupted size|munmap_chunk"
    r"|^ {0,8}#\d+ +0x[0-9a-f]|Aborted \(core"
    r"|^#0 +\w",
    re.MULTILINE,
)


_Said = tuple[str, str, list[dict[str, Any]]]  # kind, message, and the place if the text tells one


def read(lines: list[str]) -> dict[str, Any] | None:
    """Read what was said first, and the first stack after it."""
    readers = (_thrown, _sanitized, _asserted, _signalled)
    said = ((at, found) for at in range(len(lines)) for one in readers if (found := one(lines, at)) is not None)
    at, found = next(said, (0, None))
    if found is None:
        frames = _frames(lines)
        return error("", "", frames) if len(frames) > 1 else None
    kind, message, place = found
    frames = _frames(lines[at + 1 :]) or _frames(lines[:at])
    return error(kind, message, place if place and not any(one["in_app"] for one in frames) else frames)


def _thrown(lines: list[str], at: int) -> _Said | None:
    thrown = _THROWN.match(lines[at])
    if thrown is None:
        return None
    if thrown["none"]:
        return "terminate", thrown["none"], []
    what = _WHAT.match(lines[at + 1]) if at + 1 < len(lines) else None
    message = message_of([what["message"], *lines[at + 2 :]], _ENDS) if what else thrown["said"] or ""
    return thrown["gnu"] or thrown["llvm"], message, []


def _sanitized(lines: list[str], at: int) -> _Said | None:
    found = _SANITIZER.match(lines[at])
    if found is None:
        return None
    if found["undefined"]:
        return "UndefinedBehaviorSanitizer", found["undefined"], [frame(found["file"], "", found["line"], in_app=True)]
    return found["kind"], _ADDRESS.sub("", found["message"]), []


def _asserted(lines: list[str], at: int) -> _Said | None:
    if "ssert" not in lines[at]:
        return None
    asserted = next((found for pattern in _ASSERT if (found := pattern.match(lines[at])) is not None), None)
    if asserted is None:
        return None
    place = frame(asserted["file"].strip(), _named(asserted["function"] or ""), asserted["line"], in_app=True)
    # The line of the source, as near as the text tells it: another assertion is another bug.
    place["code"] = f"assert({asserted['said']})"
    return "Assertion failed", asserted["said"], [place]


def _signalled(lines: list[str], at: int) -> _Said | None:
    if (heap := _GLIBC.match(lines[at])) is not None:
        return "SIGABRT", heap["message"].removeprefix("*** "), []
    signal = _SIGNAL.match(lines[at])
    if signal is None:
        return None
    words = (signal["words"] or signal["plain"] or signal["caught"] or "").partition(" (")[0].rstrip(".")
    return signal["name"] or signal["glog"] or _SIGNALS.get(words, "SIGSEGV"), words, []


_SIGNALS = {
    "Bus error": "SIGBUS", "Illegal instruction": "SIGILL", "Floating point exception": "SIGFPE", "Aborted": "SIGABRT",
}  # fmt: skip


def _frames(lines: list[str]) -> list[dict[str, Any]]:
    frames: list[dict[str, Any]] = []
    outermost_first = False
    last = -1
    for line in lines:
        number = _NUMBERED.match(line) or _LLDB.match(line)
        if number is not None:
            index = int(number["hash"] or number["boost"]) if "boost" in number.re.groupindex else last + 1
            if frames and index == 0 and not outermost_first and last > 0:
                break  # the next stack: who freed it, another thread
            outermost_first |= bool(frames) and index < last
            last = index
            if (one := _numbered(number["rest"])) is not None:
                frames.append(one)
        elif (glibc := _GLIBC_FRAME.match(line)) is not None:
            frames.append(_frame(glibc["name"], glibc["binary"].rpartition("/")[2], "0", glibc["binary"]))
        elif (mac := _MAC.match(line)) is not None:
            frames.append(_frame(mac["name"], mac["binary"], "0", mac["binary"]))
        elif frames and (behind := _BEHIND.match(line)) is not None and not frames[-1]["file"]:
            frames[-1] |= frame(behind["file"], "", behind["line"], in_app=False) | {
                key: frames[-1][key] for key in ("function", "in_app")
            }
        elif frames and not line.startswith((" ", "\t")) and (line or last >= 0):
            break
    return frames[::-1] if outermost_first else frames


def _numbered(rest: str) -> dict[str, Any] | None:
    if (backward := _BACKWARD.match(rest)) is not None:
        return _frame(backward["name"], backward["file"], backward["line"] or "0", backward["file"])
    rest = _BUILD.sub("", rest)
    address, _, behind = rest.partition(" ")
    if address.startswith("0x"):
        rest = behind.strip().removeprefix("in ")
    if not rest:
        return None
    name, _, place = rest.rpartition(" ")
    if (placed := _PLACED.fullmatch(place)) is not None:
        return _frame(name.removesuffix(" at"), placed["file"], placed["line"], placed["file"])
    shared = _SHARED.match(rest)
    if shared is not None:
        return _frame(shared["name"], shared["file"].rpartition("/")[2], "0", shared["file"])
    if not re.match(r"[\w~:<(*]", rest):
        return None
    return _frame(rest, "", "0", "")


def _frame(name: str, file: str, line: str, path: str) -> dict[str, Any]:
    named = _named(name)
    library = bool(_LIBRARY_PATH.search(path.replace("\\", "/")) or _LIBRARY_NAME.match(named)) or not named
    return frame(file, named, line, in_app=not library)


@lru_cache(2048)
def _named(name: str) -> str:
    """Return the name of a function without arguments, template arguments and what the compiler adds."""
    name = _COUNTER.sub("", _ANONYMOUS.sub("{anonymous}", name[:2000])).strip()
    if name.startswith("<") and name.endswith(">"):
        return name
    name = name.replace("operator()", "operator{}").partition("(")[0]
    name = without_angles(name).replace("operator{}", "operator()").strip()
    if "operator" not in name:
        name = name.rpartition(" ")[2]  # what it returns stands before it
    return name.lstrip("*&").replace(".", "_")
