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
        ("name", r"cannot import name '(\w+)' from [\w ]*'[\w.]+'"),
        ("table", r"no such (?:table|column|function|index): ([\w.]+)|Invalid object name '([\w.]+)'"),
        ("table", r"\b(?:relation|table|column|schema) \"?([\w.]+)\"? (?:of .{1,99} )?does not exist"),
        ("table", r"Table '(?:[^'.]*\.)?([^']+)' doesn't exist|Unknown column '([^']+)'"),
        ("table", r"\btable (\w+ has no column named \w+)"),
        ("constraint", r"constraint failed: ([\w., ]+)|violates [\w -]+ constraint \"([^\"]+)\""),
        ("aws", r"An error occurred (\(\w+\) when calling the \w+) operation"),
    )
)
CODE_NAME = re.compile(
    r"has no attribute '(\w+)'|(?:name|variable) '(\w+)' (?:is not|referenced|where)|keyword argument '(\w+)'"
    r"|cannot read propert\w+ .{0,40}\(reading '(\w+)'\)",
    re.IGNORECASE,
)


_SHORT = 600  # characters of a message that may be remembered


def codes_of(error: Error) -> tuple[str, ...]:
    """Return the codes that the message carries, each as ``kind value``."""
    line = first_line(error.message)
    return (_codes_in if len(line) <= _SHORT else _codes_in.__wrapped__)(last_name(error.kind), line)


@lru_cache(1024)
def _codes_in(name: str, line: str) -> tuple[str, ...]:
    found = [] if name in _SAYS_ERRNO else [f"errno {number}" for number in ERRNO.findall(line)]
    for kind, pattern in CODES:
        if match := pattern.search(line):
            found.append(f"{kind} {next(filter(None, match.groups()))}")
    if not found and name in _DATABASE_ERRORS:
        found = [f"database {shape(line)}"]
    return tuple(dict.fromkeys(found))


def may_have_code(message: str) -> bool:
    """Return whether a message may carry a code that tells bugs apart; quick, and right where it says no."""
    m = message if len(message) <= MAX_TEXT else message[:MAX_TEXT]
    # One by one: a pattern of these takes several times as long.
    return (
        ("[" in m and ("Errno" in m or "WinError" in m or "SSL: " in m))
        or ("-" in m and ("ORA-" in m or "PLS-" in m or "TNS-" in m))
        or "no such " in m or " exist" in m or "No module named" in m or "cannot open shared" in m
        or "constraint" in m or "SQLSTATE" in m or "ERROR " in m or "cannot import name" in m
        or "Invalid object" in m or "Unknown column" in m or "has no column" in m or "An error occurred" in m
        or m[:1] == "(" or (m[:1].isspace() and m.lstrip()[:1] == "(")
    )  # fmt: skip
