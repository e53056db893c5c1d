"""What a reply of GitHub says beside what was asked for: limits, a clock, the end of a token; and why there is none."""

from __future__ import annotations

import math
import socket
import ssl
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, NewConnectionError

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_JSON = object()
"""What `json_of` returns of a reply that is none."""


def token_expires_at(headers: Mapping[str, str]) -> float | None:
    """Return when the token that a reply is for ends (epoch seconds); None if it does not, or is not said to.

    ``GitHub-Authentication-Token-Expiration`` is ``2026-12-01 10:00:00 UTC`` or, as
    https://github.com/google/go-github/pull/2650 found, ``2026-12-01 10:00:00 -0700``.
    """
    text = headers.get("GitHub-Authentication-Token-Expiration", "").strip().replace(" UTC", " +0000")
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").timestamp()
    except (ValueError, OverflowError):
        return None


def json_of(response: requests.Response) -> Any:
    """Return the reply's JSON, None where a reply has no body, and `NO_JSON` where it is none."""
    if response.status_code in (204, 304):
        return None
    try:
        return response.json()
    except (ValueError, RecursionError):
        return NO_JSON


def is_of(read: Any, kind: type) -> bool:
    """Return whether JSON is of a type; every list of GitHub holds objects."""
    items = read if isinstance(read, list) else ()
    return isinstance(read, kind) and all(isinstance(one, dict) for one in items)


def is_limit(response: requests.Response, said: str) -> bool:
    """Return whether a reply, with the words that it `said`, is a refusal by a limit, primary or secondary."""
    if response.status_code == 429 or "submitted too quickly" in said.lower():
        return True
    if response.status_code != 403:
        return False
    if "abuse detection" in said.lower():  # as an older Enterprise Server calls it
        return True
    by_header = "Retry-After" in response.headers or response.headers.get("X-RateLimit-Remaining") == "0"
    return by_header or "rate limit" in said.lower()


def retry_after(response: requests.Response, now: float) -> float | None:
    """Return the reply's Retry-After, a number or a date, in seconds."""
    text = response.headers.get("Retry-After", "")
    read = _finite(text)
    if read is None:
        at = _date(text)
        read = None if at is None else at - server_time(response, now)
    return read


def until_reset(response: requests.Response, now: float) -> float | None:
    """Return the seconds until the limit of a reply begins anew; None where it does not say so."""
    reset = _finite(response.headers.get("X-RateLimit-Reset", ""))
    return None if reset is None else reset - server_time(response, now)


def server_time(response: requests.Response, now: float) -> float:
    """Return the server's clock, which its times are meant by; ours may be wrong."""
    at = _date(response.headers.get("Date", ""))
    return now if at is None else at


def _finite(text: str) -> float | None:
    try:
        read = float(text)
    except ValueError:
        return None
    return read if math.isfinite(read) else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def words(error: Any) -> str:
    """Return one entry of GitHub's ``errors`` in words."""
    if not isinstance(error, dict):
        return str(error)
    return str(error.get("message") or f"{error.get('field')} is {error.get('code')}")


class EndlessReplyError(ValueError):
    """The server does not come to an end."""


def _root(error: BaseException) -> BaseException:
    """Return the innermost of the errors that requests and urllib3 wrap into each other."""
    wrapped = [getattr(error, "reason", None), *error.args]
    inner = next((one for one in wrapped if isinstance(one, BaseException)), None)
    return error if inner is None else _root(inner)


def fault(error: BaseException, url: str) -> str:
    """Return why a server did not answer, not in the words of these errors: they may hold a proxy's password."""
    asked = urlsplit(url)
    place = f"{asked.hostname}:{asked.port}" if asked.port else f"{asked.hostname}"
    root = _root(error)
    if isinstance(error, requests.exceptions.ProxyError):
        return f"{place} cannot be asked through the proxy ({type(root).__name__}; is HTTPS_PROXY right?)"
    match root.__cause__ or root:
        case socket.gaierror():
            return f"the name {asked.hostname} was not found"
        case ConnectionRefusedError():
            return f"nothing listens at {place}"
        case ssl.SSLCertVerificationError():
            return f"the certificate of {place} was not accepted (a CA of your own is named in REQUESTS_CA_BUNDLE)"
        case _:
            return f"{place} did not answer ({type(root).__name__})"


def never_sent(error: BaseException) -> bool:
    """Return whether the request certainly never left: nobody connected, or nothing was tried."""
    if not isinstance(error, requests.RequestException | HTTPError):
        return isinstance(error, OSError)  # such as a CA bundle that is not there
    tried = not isinstance(error, ValueError | requests.exceptions.InvalidJSONError)
    connected = not isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError)
    refused = isinstance(_root(error), NewConnectionError | ssl.SSLCertVerificationError)
    return refused or not (tried and connected)
