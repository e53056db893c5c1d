"""What in a message tells two errors on one stack apart."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from loghub.fingerprint.messages import MAX_TEXT, shape
from loghub.fingerprint.reading import first_line, last_name

if TYPE_CHECKING:
    from loghub.fingerprint.reading import Error

# Exceptions whose class already says the errno; the number differs between systems.
_SAYS_ERRNO = frozenset({
    "BlockingIOError", "BrokenPipeError", "ChildProcessError", "ConnectionAbortedError", "ConnectionRefusedError",
    "ConnectionResetError", "FileExistsError", "FileNotFoundError", "InterruptedError", "IsADirectoryError",
    "NotADirectoryError", "PermissionError", "ProcessLookupError", "TimeoutError",
})  # fmt: skip
# PEP 249 gives all databases these few classes: without a code, the message's words are the code.
_DATABASE_ERRORS = frozenset({
    "DatabaseError", "DataError", "IntegrityError", "InterfaceError", "InternalError", "NotSupportedError",
    "OperationalError", "ProgrammingError",
})  # fmt: skip
# The same condition has another number on each system; these are Linux's, macOS's and Windows'.
_SYMBOLS = {
    number: symbol
    for symbol, numbers in {
        "ECONNREFUSED": (111, 61, 10061), "ETIMEDOUT": (110, 60, 10060), "ECONNRESET": (104, 54, 10054),
        "ECONNABORTED": (103, 53, 10053), "EHOSTUNREACH": (113, 65, 10065), "ENETUNREACH": (101, 51, 10051),
        "EADDRINUSE": (98, 48, 10048), "EADDRNOTAVAIL": (99, 49, 10049), "EAI_NONAME": (-2, 8, 11001),
        "EAI_AGAIN": (-3, 11002),
    }.items()
    for number in numbers
}  # fmt: skip
HAVE_CODES = _DATABASE_ERRORS | {
    "OSError", "IOError", "EnvironmentError", "gaierror", "herror", "SSLError", "URLError", "ConnectionError",
    "ImportError", "ModuleNotFoundError", "ClientError",
}  # fmt: skip
ERRNO = re.compile(r"\[(?:Errno|WinError) (-?\d{1,9})\]")
CODES = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("ssl", r"\[SSL: (\w+)"),
        ("sqlstate", r"SQLSTATE\W{0,3}([0-9A-Z]{5})\b|^\('([0-9A-Z]{5})',|^ERROR ([0-9A-Z]{5}):"),
        ("database", r"^(?:\([\w.]+\) )?\((\d{4}), [\"']|\b((?:ORA|PLS|TNS)-\d{5})\b"),
        ("module", r"No module named '?([\w.]+)|([\w.+-]+\.so[.\d]*): cannot open shared object"),
        ("name", r"cannot import name '(\w+' from [\w ]*'[\w.]+)'"),
        ("table", r"no such (?:table|column|function|index): ([\w.]+)|Invalid object name '([\w.]+)'"),
        ("table", r"\b(?:table or view|relation|table|column|schema) \"?([\w.\"]+?)\"? (?:of .{1,99} )?does not exist"),
        ("table", r"Table '(?:[^'.]*\.)?([^']+)' doesn't exist|Unknown column '([^']+)'"),
        ("table", r"\btable (\w+ has no column named \w+)"),
        ("constraint", r"constraint failed: ([\w., ]+)|violates [\w -]+ constraint \"([^\"]+)\""),
        ("aws", r"An error occurred (\(\w+\) when calling the \w+) operation"),
        ("windows", r"\[WinError (32|33)\]"),  # somebody else has it open: a PermissionError like others
        ("grpc", r"StatusCode\.([A-Z_]+)"),
        ("coroutine", r"\bcoro=<([\w.<>]+)\("),
        (
            "node",
            r"\b(E(?:CONN|ADDR|HOST|NET|PIPE|TIMEDOUT|NOENT|ACCES|PERM|AI_|NOTFOUND|MFILE|NOSPC|EXIST|ISDIR)[A-Z_]*)\b",
        ),
        ("react", r"Minified React error #(\d+)"),
    )
)
_WINSOCK = re.compile(r" \(0x[0-9A-F]{8}/\d{5}\)")  # libpq on Windows says it behind the words
CODE_NAME = re.compile(
    r"has no attribute '(\w+)'|(?:name|variable) '(\w+)' (?:is not|referenced|where)|keyword argument '(\w+)'"
    r"|cannot read propert\w+ .{0,40}\(reading '(\w+)'\)",
    re.IGNORECASE,
)


SHORT = 600
"""Characters of a message that may be remembered."""


def codes_of(error: Error) -> tuple[str, ...]:
    """Return the codes that the message carries, each as ``kind value``."""
    said = code_text(error.message)
    return (_codes_in if len(said) <= SHORT else _codes_in.__wrapped__)(last_name(error.kind), said)


def code_text(message: str) -> str:
    """Return what of a message may hold a code: its first line, and what gRPC and asyncio say in others."""
    line = first_line(message)
    if "StatusCode." in message or "coro=<" in message:
        return " ".join([line, *_ON_OTHER_LINES.findall(message[len(line) : MAX_TEXT])[:1]])
    return line


def before_code(message: str) -> str:
    """Return the first line of a message up to its first code."""
    line = first_line(message)
    found = (pattern.search(line) for pattern in (ERRNO, *(pattern for _, pattern in CODES)))
    return line[: min((match.start() for match in found if match), default=len(line))]


_ON_OTHER_LINES = re.compile(r"StatusCode\.\w+|\bcoro=<[\w.<>]+\(")


@lru_cache(1024)
def _codes_in(name: str, line: str) -> tuple[str, ...]:
    numbers = [] if name in _SAYS_ERRNO else [int(number) for number in ERRNO.findall(line)]
    found = [f"errno {_SYMBOLS.get(number, number)}" for number in numbers]
    for kind, pattern in CODES:
        if match := pattern.search(line):
            found.append(f"{kind} {next(filter(None, match.groups()))}")
    if not found and name in _DATABASE_ERRORS:
        found = [f"database {shape(_WINSOCK.sub('', line))}"]
    return tuple(dict.fromkeys(found))


_NODE = dict(CODES)["node"]


def may_have_code(message: str) -> bool:
    """Return whether a message may carry a code that tells bugs apart; quick, and right where it says no."""
    m = message if len(message) <= MAX_TEXT else message[:MAX_TEXT]
    # One by one: a pattern of these takes several times as long.
    return (
        ("[" in m and ("Errno" in m or "WinError" in m or "SSL: " in m))
        or ("-" in m and ("ORA-" in m or "PLS-" in m or "TNS-" in m))
        or "no such " in m or " exist" in m or "No module named" in m or "cannot open shared" in m
        or "constraint" in m or "SQLSTATE" in m or "ERROR " in m or "cannot import name" in m
        or "StatusCode." in m or "coro=<" in m or "Minified React" in m or ("E" in m and _NODE.search(m) is not None)
        or "Invalid object" in m or "Unknown column" in m or "has no column" in m or "An error occurred" in m
        or m[:1] == "(" or (m[:1].isspace() and m.lstrip()[:1] == "(")
    )  # fmt: skip
