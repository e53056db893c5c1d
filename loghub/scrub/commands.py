"""Passwords among the arguments of commands whose short options take one: ``mysql -pSECRET``, ``curl -u bob:SECRET``.

A command stands in a text as it was typed, or as the repr of its list. `SEPARATOR` joins a list that is looked at
as a list. The options are those of each command's manual page.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from loghub.scrub.masked import MASKED, stands_for
from loghub.scrub.texts import MARK

if TYPE_CHECKING:
    from collections.abc import Callable

SEPARATOR = "\x1e"

_GAP = r"(?:[ \t]{1,8}|\\\n[ \t]{0,40}|[\"'],[ \t]{0,4}[bu]?(?=[\"'])|\x1e)"
_BEFORE = r"(?:(?<=[ \t\x1e])|(?<=[ \t\[(,]['\"]))"  # an option begins an argument
_LETTER = r"(?:[^\s\"'\\]|\\(?![nrt\"']))"  # of an argument without quotes; in JSON its quotes have a backslash
_VALUE = (
    r"(?:\\{0,3}\"(?P<double>[^\"\n\\]+)|\\{0,3}'(?P<single>[^'\n]+)|(?<=\x1e)(?P<whole>[^\x1e]+)"
    rf"|(?P<plain>{_LETTER}+))"
)


def _after(*options: str, glue: str = "") -> str:
    """Return the pattern of a value that follows one of `options`; `glue` may stand for the gap between them."""
    return rf"{_BEFORE}(?:{'|'.join(options)})(?:{_GAP}{'|' + glue if glue else ''}){_VALUE}"


def _with_user(*options: str, sign: str) -> str:
    """Return the pattern of a password that follows a user and a `sign`."""
    options_ = "|".join(options)
    return rf"{_BEFORE}(?:{options_})(?:{_GAP}|=)?[\"']?[^\s{sign}\"'\x1e]{{0,256}}+{sign}(?P<plain>[^\s\"']+)"


# How the commands of a family are called, and where their password stands.
_FAMILIES = {
    "mysql": (r"(?:mysql|mariadb)[\w-]{0,20}", rf"{_BEFORE}-p(?![\"'](?:[\s,\])]|\Z)){_VALUE}"),
    "sshpass": ("sshpass", _after("-p", glue="(?=[^ \t\"',])|(?=[\"'][^ ,])")),
    "curl": ("curl", _with_user("-u", "-U", "--user", "--proxy-user", sign=":")),
    "redis": ("redis-cli", _after("-a")),
    "login": ("login", _after("-p")),
    "ldap": ("ldap[a-z]{3,8}", _after("-w")),
    "openssl": ("openssl", r"(?<![\w-])pass:(?P<plain>[^\s\"']+)"),
    "smb": ("smbclient|rpcclient|smbget", _with_user("-U", "--user", sign="%")),
    "mongo": ("mongo[a-z]{0,8}|rabbitmqadmin", _after("-p")),
    "sqlcmd": ("sqlcmd|bcp|unzip|zip", _after("-P")),
    "7z": ("7za?", rf"{_BEFORE}-p(?P<plain>[^\s\"'\x1e]+)"),
    "htpasswd": (
        "htpasswd",
        rf"{_BEFORE}-[a-zB]{{0,6}}b[a-zB]{{0,6}}{_GAP}[\"']?[^\s\"']{{1,256}}{_GAP}[\"']?[^\s\"']{{1,256}}{_GAP}{_VALUE}",
    ),
    "sqlplus": ("sqlplus", r"(?<=[ \t\"'\x1e])[\w.$#]{1,64}+/(?P<plain>[^\s/@\"']+)(?=@)"),
    "keytool": ("keytool|jarsigner", _after("-storepass", "-keypass", "-srcstorepass", "-deststorepass")),
}
_COMMAND = re.compile(
    rf"(?:(?<![\w-])|(?<=\\[nrt]))(?:{'|'.join(f'(?P<_{family}>{names})' for family, (names, _) in _FAMILIES.items())})"
    r"(?:\.exe)?(?=[ \t\"'\x1e])"
)


@cache
def _where(family: str) -> re.Pattern[str]:
    """Return the pattern of a family's password, compiled when the first of its commands is seen."""
    return re.compile(_FAMILIES[family][1])


_COMMON = ("login", "zip", "bcp", "7z", "7za")
_GAPS = (" ", "', '", '", "', SEPARATOR)
# Words with which such a command begins, in small letters.
COMMAND_HINTS = (
    *("mysql", "mariadb", "sshpass", "curl", "redis-cli", "ldap", "openssl", "smbclient", "smbget", "rpcclient"),
    *("mongo", "rabbitmqadmin", "sqlcmd", "htpasswd", "sqlplus", "keytool", "jarsigner"),
    *(f"{word}{gap}-" for word in _COMMON for gap in _GAPS),
)
_LINE_END = re.compile(r"(?<!\\)\n|(?<!\\)\\n")
_OPTION = re.compile(rf"--?(?P<name>[A-Za-z][\w-]{{0,62}}+){_GAP}")
_ARGUMENT = re.compile(rf"(?![-\],]){_VALUE}")


def _span(found: re.Match[str]) -> tuple[int, int]:
    return next(
        found.span(name) for name in ("double", "single", "whole", "plain") if found.groupdict().get(name) is not None
    )


def replace_in_commands(text: str, found: list[str]) -> str:
    """Replace what the commands of `text` get as passwords, and add it to `found`."""
    spans: set[tuple[int, int]] = set()
    done: dict[str, int] = {}
    end = -1
    for command in _COMMAND.finditer(text):
        name = (command.lastgroup or "_")[1:]
        if end < command.end():
            stop = _LINE_END.search(text, command.end())
            end = stop.start() if stop else len(text)
        start = max(command.end(), done.get(name, 0))  # each place is looked at once for each family
        spans.update(_span(one) for one in _where(name).finditer(text, start, end))
        done[name] = end
    return _replaced(text, spans, found)


def replace_options(text: str, is_secret: Callable[[str], bool], found: list[str]) -> str:
    """Replace the values of options with secret names: ``--password x``, ``['--password', 'x']``."""
    spans: set[tuple[int, int]] = set()
    for option in _OPTION.finditer(text):
        argument = _ARGUMENT.match(text, option.end()) if is_secret(option["name"]) else None
        if argument and not stands_for(text[slice(*_span(argument))], option["name"]):
            spans.add(_span(argument))
    return _replaced(text, spans, found)


def _replaced(text: str, spans: set[tuple[int, int]], found: list[str]) -> str:
    kept: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if start >= done and not MASKED.fullmatch(text, start, end):
            kept += [text[done:start], MARK]
            done = end
            found.append(text[start:end])
    return "".join(kept) + text[done:] if kept else text
