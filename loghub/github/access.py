"""Where GitHub is and what opens it: the options of the handler that say so, read and checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from loghub import options
from loghub.errors import DeliveryError, OptionValueError
from loghub.github.app import AppToken

if TYPE_CHECKING:
    from collections.abc import Mapping

_APP_ID = re.compile(r"[A-Za-z0-9._-]+")
_SECRET = re.compile(r"-----BEGIN|gh[pousr]_|github_pat_|[0-9a-f]{40}\Z")
_MAX_TOKEN_CHARS = 4096

AppId = Annotated[int | str, options.Takes(type=["integer", "string"], pattern=rf"^\s*{_APP_ID.pattern}\s*$")]
Address = Annotated[str, options.Takes(pattern=r"^$|^\s*https?://[^@?#\s]+\s*$")]


def app_token(
    owner: object, given: Mapping[str, object], repo: str, api_url: str, permissions: Mapping[str, str]
) -> AppToken | None:
    """Return what borrows a GitHub App's token; None where no app is named.

    Args:
        owner: The handler.
        given: Its options ``app_id``, ``private_key_file`` and ``installation_id``: all or none.
        repo: The token is for this repository.
        api_url: As the client's.
        permissions: The token may do no more.

    Raises:
        OptionValueError: One is missing or malformed.
        MissingExtraError: The extra ``app`` is not installed.
    """
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return None
    if missing:
        who = type(owner).__name__
        raise OptionValueError(f"{who}: a GitHub App needs {', '.join(given)}; not given: {', '.join(missing)}.")
    app_id = given["app_id"]
    if isinstance(app_id, bool) or not isinstance(app_id, int | str) or not _APP_ID.fullmatch(str(app_id).strip()):
        options.refuse(owner, "app_id", app_id, "the id or the client id of a GitHub App")
    return AppToken(
        repo,
        str(app_id).strip(),
        file_path(owner, "private_key_file", given["private_key_file"]),
        options.whole(owner, "installation_id", given["installation_id"], 1),
        api_url,
        permissions=permissions,
    )


def file_path(owner: object, name: str, value: object) -> str:
    """Return the path of a file that holds a secret; the secret itself is refused, and not repeated."""
    path = options.text(owner, name, value)
    if _SECRET.match(path):
        who = type(owner).__name__
        raise OptionValueError(f"{who}: option {name!r} must be the path of a file, not what belongs into the file.")
    return path


def read_token(path: str) -> str:
    """Return the token in a file, without the white space and the BOM that some editors leave there.

    Raises:
        DeliveryError: It cannot be read, or does not hold one token.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            token = file.read(_MAX_TOKEN_CHARS).strip()
    except UnicodeError:
        raise DeliveryError(f"token_file {path} cannot be read (it is no text in UTF-8): mend it.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise DeliveryError(f"token_file {path} cannot be read ({why}): mend it.") from None
    if not token:
        raise DeliveryError(f"token_file {path} is empty: put the token into it.")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise DeliveryError(f"token_file {path} holds something else than one token: put the token alone into it.")
    return token


def address(owner: object, name: str, value: object) -> str:
    """Return the URL of GitHub's API or pages, without a slash at its end; a password in it is not repeated."""
    url = options.text(owner, name, value).rstrip("/")
    if "@" in url:
        shown = f"{url.partition('://')[0]}://..." if "://" in url else "..."
        options.refuse(owner, name, shown, "an address without user, password, ? and #")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        options.refuse(owner, name, value, "an address whose host and port are well-formed")
    if parts.query or parts.fragment:
        options.refuse(owner, name, f"{parts.scheme}://...", "an address without user, password, ? and #")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        options.refuse(owner, name, value, "an address that begins with https://")
    if name == "api_url" and parts.hostname in ("github.com", "www.github.com"):
        options.refuse(owner, name, value, "https://api.github.com, where programs talk to GitHub")
    return url


def web_address(api_url: str) -> str:
    """Return where people read what `api_url` serves.

    https://docs.github.com/en/enterprise-server/rest/using-the-rest-api/getting-started-with-the-rest-api
    https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/about-github-enterprise-cloud-with-data-residency
    """
    parts = urlsplit(api_url)
    host = parts.hostname or ""
    if host == "api.github.com":
        return "https://github.com"
    if host.startswith("api.") and host.endswith(".ghe.com"):
        return f"{parts.scheme}://{host.removeprefix('api.')}"
    return f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('/api/v3').rstrip('/')}"
