"""Where a ledger in PostgreSQL is: the URL that libpq takes, with a parameter of our own; its password is not shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

SCHEMES = ("postgresql://", "postgres://")
SCHEMA = "loghub"

_SHORTEST_HIDDEN = 3
_PARAMETER = re.compile(r"[a-z_]+=[^=]*\Z|(?:options|password)=.*\Z", re.DOTALL)
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}\Z")
_HOSTS = re.compile(r"(?:(?:[\w.%-]*|\[[0-9a-fA-F:.%\w]+\])(?::\d{1,5})?(?:,|\Z))+\Z")
_PLAIN = re.compile(r"[\w.%+-]*\Z")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})|%00")


class AddressError(ValueError):
    """It is no address of a PostgreSQL ledger; the message says what it must be, and shows nothing of it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a ledger is.

    Attributes:
        url: What libpq is given; it may hold a password.
        schema: In which schema of the database the tables are.
        shown: The address without password and parameters, for people.
    """

    url: str = field(repr=False)
    schema: str
    shown: str
    _secrets: tuple[str, ...] = field(repr=False, default=())

    def hide(self, text: str) -> str:
        """Return `text` without the passwords of this address."""
        for secret in self._secrets:
            text = text.replace(secret, "[Filtered]")
        return text


def is_address(text: str) -> bool:
    """Return whether a text is meant as the address of a PostgreSQL ledger."""
    return text.lower().startswith(SCHEMES)


def read_address(text: str) -> Address:
    """Read ``postgresql://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?schema=NAME&sslmode=...``; any part may be absent.

    Raises:
        AddressError: It is none; often because of a character in the password.
    """
    if any(ord(one) <= 0x20 or ord(one) == 0x7F for one in text) or "#" in text or _BAD_ESCAPE.search(text):
        raise AddressError(_ESCAPED)
    parts = _split(text)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    database = parts.path.removeprefix("/")
    if not (_PLAIN.match(user) and "@" not in password and _HOSTS.match(hosts) and _PLAIN.match(database)):
        raise AddressError(_ESCAPED)
    given = parts.query.split("&") if parts.query else []
    if not all(map(_PARAMETER.match, given)):
        raise AddressError(_ESCAPED)
    schemas = [one.partition("=")[2] for one in given if one.startswith("schema=")] or [SCHEMA]
    if len(schemas) > 1 or not _NAME.match(schemas[0]) or schemas[0].startswith("pg_"):
        raise AddressError("an address whose parameter schema is there once, a name of small letters, digits and _")
    rest = "&".join(one for one in given if not one.startswith("schema="))  # libpq has rules of its own for +
    said = [password, *(one.partition("=")[2] for one in given if "password" in one)]
    secrets = {*said, *map(unquote, said)}
    return Address(
        f"postgresql://{parts.netloc}{parts.path}{'?' * bool(rest)}{rest}",
        schemas[0],
        f"postgresql://{user}{'@' * bool(user)}{hosts}{'/' * bool(database)}{database}",
        tuple(sorted((one for one in secrets if len(one) >= _SHORTEST_HIDDEN), key=len, reverse=True)),
    )


def _split(text: str) -> SplitResult:
    try:
        return urlsplit("postgresql://" + text.partition("://")[2])
    except ValueError:
        raise AddressError(_ESCAPED) from None


_ESCAPED = (
    "postgresql://USER@HOST:5432/DATABASE?sslmode=verify-full, with a password after USER: in which every character"
    " that is no letter or digit is percent-encoded (@ is %40, / is %2F, : is %3A, # is %23, % is %25)"
)
