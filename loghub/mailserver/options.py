"""Reading what a person wrote about a mail server: mailhost, secure, credentials, timeout, ca_file."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Sequence
from typing import Annotated, Any

from loghub import options
from loghub.errors import OptionValueError
from loghub.mailserver.server import MailServer, load_key

_HOST = re.compile(r"[^\s\[\]/@]+")

_TEXT = {"type": "string"}
_HOST_AND_PORT = (
    r"^$|^\s*(\[[^\s\[\]/@]+\]:?\d{0,5}|[^\s\[\]/@:]+(:\d{0,5})?|[^\s\[\]/@:]*:[^\s\[\]/@:]*:[^\s\[\]/@]*)\s*$"
)
_PORT = {"type": ["integer", "string", "null"], "minimum": 0, "maximum": 65535, "pattern": r"^\d{1,5}$"}
MailHost = Annotated[
    str | Sequence[Any],
    options.Takes(type=["string", "array"], pattern=_HOST_AND_PORT, prefixItems=[_TEXT, _PORT], minItems=2, maxItems=2),
]
Credentials = Annotated[
    Sequence[str], options.Takes(type=["array", "string"], pattern="^$", items={"type": ["string", "null"]}, maxItems=2)
]
Secure = Annotated[
    str | Sequence[str],
    options.Takes(type=["string", "array"], pattern="^(starttls|ssl|none)$", items=_TEXT, maxItems=2),
]
Patience = Annotated[float, options.Takes(minimum=0.1)]


def server_of(
    owner: object, *, mailhost: object, secure: object, credentials: object, timeout: object, ca_file: object
) -> MailServer | None:
    """Return the server that a handler's options name; None without a mailhost.

    Args:
        owner: Whose options they are, for what is said about them.
        mailhost: ``host``, ``host:port`` or ``[host, port]``.
        secure: How to encrypt, as BatchingSMTPHandler has it.
        credentials: ``[user, password]``.
        timeout: Seconds for each reply.
        ca_file: Who may sign the server's certificate.

    Raises:
        OptionValueError: One of them is malformed, or names a file that cannot be used.
    """
    seconds = options.number(owner, "timeout", timeout, 0.1)
    known = _credentials(owner, credentials)
    tls, key_files = _secure(owner, secure)
    authority = _ca_file(owner, ca_file)
    if mailhost is None or mailhost == "":
        return None
    host, port = _host_and_port(owner, mailhost)
    if port == 465 and not isinstance(secure, str):
        tls = "ssl"
    return MailServer(host, port or (465 if tls == "ssl" else 25), tls, seconds, key_files, authority, known)


def _host_and_port(owner: object, value: object) -> tuple[str, int]:
    """Return the host, an IPv6 address without its brackets, and the port or 0."""
    read = options.plain(value)
    match _split_at_port(read.strip()) if isinstance(read, str) else read:
        case [str(host), port] if _HOST.fullmatch(host) and re.fullmatch(r"\d{1,5}|None", str(port)):
            number = int(port or 0)
            if number < 65536:
                return host, number
    return options.refuse(owner, "mailhost", value, "a host, host:port or [host, port], with a port below 65536")


def _split_at_port(text: str) -> list[str]:
    found = re.fullmatch(r"\[(.*)\]:?(.*)|([^:]*):([^:]*)", text)
    host, port = [part for part in found.groups() if part is not None] if found else (text, "")
    return [host, port or "0"]


def _credentials(owner: object, value: object) -> tuple[str, str] | None:
    read = options.plain(value)
    if read in (None, "", [], [None, None], ["", ""]):
        return None
    pair = isinstance(read, list) and len(read) == 2
    # What is wrong with a password is said without it.
    if not pair or not all(isinstance(each, str) and each and _can_be_sent(each) for each in read):
        raise OptionValueError(
            f"{type(owner).__name__}: option 'credentials' must be a list of two texts without control characters, "
            "[user, password]."
        )
    return read[0], read[1]


def _can_be_sent(text: str) -> bool:
    return not re.search("[\x00-\x1f\x7f\ud800-\udfff]", text)


def _secure(owner: object, value: object) -> tuple[str, tuple[str, ...]]:
    """Return how to encrypt, and the files of a client certificate."""
    if value is None:
        return "offered", ()
    read = options.plain(value)
    if read in ("starttls", "ssl", "none"):
        return read, ()
    if not isinstance(read, list) or len(read) > 2 or not all(isinstance(each, str) for each in read):
        options.refuse(owner, "secure", value, "starttls, ssl, none, or a list [keyfile, certfile] or []")
    if read:
        try:
            load_key(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), read)
        except (OSError, ValueError) as error:
            options.refuse(owner, "secure", value, f"files with a key and its certificate ({error})")
    return "starttls", tuple(read)


def _ca_file(owner: object, value: object) -> str | None:
    if value is None:
        return None
    path = os.path.abspath(os.path.expanduser(options.text(owner, "ca_file", value)))
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (OSError, ValueError) as error:
        fault = error.strerror if isinstance(error, OSError) and error.strerror else error
        options.refuse(owner, "ca_file", value, f"a file with certificates of CAs in PEM ({fault})")
    return path
