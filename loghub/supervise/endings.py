"""How a command ended, as an error that people can read; no I/O.

===================  =========================================================================================
`SIGSEGV` ...        it died by this signal, with the stack that faulthandler wrote, if it did
`OutOfMemory`        the kernel killed it, or a process below it, for want of memory
`ExitCode 3`         it said so itself, and nothing else tells why: the last words on stderr are the message
`std::bad_alloc` ... it wrote the stack of another language
`StartError`         there is no such command, or it cannot be executed
===================  =========================================================================================

No error is: exit code 0; what the operator asked for (a signal was sent to the wrapper, and the command ended by it,
or by 0 or 128 plus its number); SIGINT in any case, which a person sends.
"""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loghub.fingerprint.reading import name_program
from loghub.foreign_text import parse_foreign
from loghub.traceback_text import TRACEBACK_HEAD, parse_javascript, parse_traceback

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

LAST_LINES = 50
LAST_BYTES = 8 << 10
"""What is kept of a stream's end as the words of a command that failed."""

OUT_OF_MEMORY = "OutOfMemory"
_FATAL = "Fatal Python error: "
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NODE = re.compile(
    r"^(?:Uncaught )?(?:[A-Z]\w*(?:Error|Exception))\b[^\n]*(?:\n[^\n]*){0,20}?\n {4}at [^\n]+", re.MULTILINE
)
_BROKEN_FILE = re.compile(
    r'^  File "[^\n]*", line \d+\n(?:    [^\n]*\n)+(?:Syntax|Indentation|Tab)Error: [^\n]+', re.MULTILINE
)
_SIGNAL_WORDS = {
    "SIGABRT": "aborted",
    "SIGALRM": "its alarm went off, and nobody caught it",
    "SIGBUS": "bus error: memory that is not there",
    "SIGFPE": "arithmetic error, such as a division by zero",
    "SIGHUP": "hangup",
    "SIGILL": "illegal instruction",
    "SIGKILL": "killed",
    "SIGPIPE": "broken pipe: nobody read what it wrote",
    "SIGQUIT": "quit",
    "SIGSEGV": "segmentation fault",
    "SIGSYS": "a system call that is not allowed",
    "SIGTERM": "terminated",
    "SIGTRAP": "trap",
    "SIGXCPU": "its limit of processor time was reached",
    "SIGXFSZ": "its limit of file size was reached",
}


@dataclass(frozen=True)
class Report:
    """One error to be logged.

    Attributes:
        sentence: What a person reads in a log.
        told: An event's error part: ``error_type``, ``error_message``, ``frames``, ``platform``, ``traceback`` ...
        context: What else is known.
    """

    sentence: str
    told: dict[str, Any]
    context: dict[str, Any] = field(default_factory=dict)


def of_end(
    program: str,
    status: int,
    tail: bytes,
    *,
    explained: bool = False,
    sent: Collection[int] = (),
    killed: int = 0,
    memory: Mapping[str, int] | None = None,
    dump: str = "",
    itself: str = "",
) -> Report | None:
    """Return what is to be reported of a command that ended; None if that is nothing.

    Args:
        program: What people call it.
        status: As waitpid gives it.
        tail: The end of its stderr.
        explained: A traceback that is reported stands at that end.
        sent: The signals that the wrapper was sent, and passed on.
        killed: Processes that the kernel killed for want of memory.
        memory: What is known of its limit.
        dump: What faulthandler wrote elsewhere.
        itself: What the command called itself, if it left word.
    """
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGINT or number in sent:
            return None
        if number == signal.SIGKILL and killed:
            return out_of_memory(program, memory or {}, last_lines(tail))
        report = _by_signal(program, number, dump or _dump_in(tail), tail, core=os.WCOREDUMP(status))
        if report.told["error_type"] == name_of(number):
            # In the words in which the next start tells it (`loghub.lives`): it is the same bug.
            report.told["error_message"] = f"{itself or program} died by {name_of(number)}."
        return report
    code = os.WEXITSTATUS(status)
    if code in (0, 128 + signal.SIGINT) or code - 128 in sent:
        return None
    if code == 128 + signal.SIGKILL and killed:  # a shell tells of its child so
        return out_of_memory(program, memory or {}, last_lines(tail))
    return None if explained else _by_code(program, code, tail)


def of_start(command: str, sentence: str, code: int) -> Report:
    """Return what is to be reported of a command that could not be started, in the words of `sentence`."""
    return Report(sentence, plain("StartError", sentence), {"command": command, "exit_code": code})


def out_of_memory(program: str, memory: Mapping[str, int], words: list[str], *, lives: bool = False) -> Report:
    """Return what is to be reported of a command that the kernel killed, or (`lives`) of a process below it."""
    who = f"a process of {program}" if lives else program
    message = f"{who} was killed for want of memory"
    limit = memory.get("limit")
    sentence = f"{message}; its limit is {limit // 2**20} MiB" if limit is not None else message
    return Report(sentence, plain(OUT_OF_MEMORY, message), {"memory": dict(memory)} | _said(words))


def plain(kind: str, message: str) -> dict[str, Any]:
    """Return an event's error part that has no stack."""
    return {
        "error_type": kind,
        "error_module": "",
        "error_message": message,
        "frames": [],
        "causes": [],
        "exceptions": [],
        "notes": [],
        "platform": "native",
        "traceback": "",
    }


def name_of(number: int) -> str:
    """Return a signal's name."""
    try:
        return signal.Signals(number).name
    except ValueError:  # one of the real-time signals, which have no names of their own
        return f"SIGRTMIN+{number - signal.SIGRTMIN}" if number > signal.SIGRTMIN else f"signal {number}"


def words_of(name: str) -> str:
    """Return a signal in words."""
    return f"{name} ({_SIGNAL_WORDS[name]})" if name in _SIGNAL_WORDS else name


def last_lines(tail: bytes) -> list[str]:
    """Return the last lines of a stream without colours, as many as are kept."""
    whole = tail[-LAST_BYTES:]
    text = _COLOUR.sub("", whole.decode("utf-8", "replace").replace("\r\n", "\n"))
    lines = [line.rpartition("\r")[2] or line for line in text.split("\n")]  # of a progress bar, what was seen last
    if len(tail) > LAST_BYTES and len(lines) > 1:
        del lines[0]
    return [line.rstrip() for line in lines if line.strip()][-LAST_LINES:]


def _said(words: list[str]) -> dict[str, Any]:
    return {"stderr": words} if words else {}


def _by_code(program: str, code: int, tail: bytes) -> Report:
    words = last_lines(tail)
    sentence, context = f"{program} ended with exit code {code}", {"exit_code": code} | _said(words)
    stack = _stack_in(tail)
    if stack is not None:
        return Report(f"{sentence}: {stack['error_type']}: {stack['error_message']}", stack, context)
    message = words[-1] if words else f"{program} said nothing on stderr"
    return Report(f"{sentence}: {message}", plain(f"ExitCode {code}", message), context)


def _by_signal(program: str, number: int, dump: str, tail: bytes, *, core: bool) -> Report:
    name = name_of(number)
    sentence = f"{program} died by {words_of(name)}"
    context = {"signal": name, "core_dumped": core} | _said(last_lines(tail))
    if dump:
        read = parse_traceback(dump)
        name_program(read, program)
        return Report(sentence, read | {"error_type": name, "platform": "python", "traceback": dump}, context)
    stack = _foreign_in(tail)
    if stack is not None:
        return Report(f"{sentence}: {stack['error_type']}: {stack['error_message']}", stack, context)
    return Report(sentence, plain(name, sentence), context)


def _dump_in(tail: bytes) -> str:
    """Return what faulthandler wrote to stderr, from its reason on; empty if it did not."""
    at = tail.rfind(_FATAL.encode())
    text = tail[at:].decode("utf-8", "replace").replace("\r\n", "\n") if at >= 0 else ""
    return text.rstrip() if "(most recent call first):" in text else ""


def _stack_in(tail: bytes) -> dict[str, Any] | None:
    if dump := _dump_in(tail):  # a fatal error of the interpreter's own: it cannot even begin
        return parse_traceback(dump) | {"platform": "python", "traceback": dump}
    return _broken_file_in(tail) or _foreign_in(tail) or _script_in(tail)


def _broken_file_in(tail: bytes) -> dict[str, Any] | None:
    """Return what Python says of a file that it cannot even compile, which has no head."""
    found = _last(_BROKEN_FILE, _text(tail))
    if found is None:
        return None
    stack = f"{TRACEBACK_HEAD}\n{found[0]}"
    return parse_traceback(stack) | {"error_module": "builtins", "platform": "python", "traceback": stack}


def _foreign_in(tail: bytes) -> dict[str, Any] | None:
    text = _text(tail)
    read = parse_foreign(text)
    if read is None or not read["error_type"]:
        return None
    return read | {"platform": "native", "traceback": text[_start(text, read) :].rstrip()}


def _start(text: str, read: dict[str, Any]) -> int:
    """Return where the lines begin in which an error is first named."""
    message = str(read["error_message"]).partition("\n")[0]
    at = text.find(message) if message else -1
    return text.rfind("\n", 0, at) + 1 if at >= 0 else 0


def _script_in(tail: bytes) -> dict[str, Any] | None:
    text = _text(tail)
    last = _last(_NODE, text)
    if last is None:
        return None
    stack = text[last.start() :].rstrip()
    read = parse_javascript(stack)
    return (read | {"platform": "javascript", "traceback": stack}) if read["frames"] else None


def _text(tail: bytes) -> str:
    return _COLOUR.sub("", tail.decode("utf-8", "replace")).replace("\r\n", "\n")


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    last = None
    for found in pattern.finditer(text):
        last = found
    return last
