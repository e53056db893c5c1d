"""What loghub asks of GitHub's REST API: one request at a time, within its limits.

Every failure has a name: `loghub.github.failures`. The client logs nothing.

Rules of GitHub that it keeps:
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import base64
import math
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from loghub.errors import DeliveryError
from loghub.github import replies
from loghub.github.failures import (
    BadTokenError,
    ExpiredTokenError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    unanswered,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_WRITE_GAP_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 86_400.0
_LIMIT_WINDOW_SECONDS = 3600.0  # of the primary limit
_LONGEST_GAP_SECONDS = 3600.0  # a next write that is further ahead comes from a clock that was set back
_LIMIT_PAUSE_SECONDS = 60.0
_MAX_REDIRECTS = 3
_MAX_KNOWN = 256
_PAGE = 100  # issues or comments, the most that GitHub gives at once
_MAX_SAID = 300
_REDIRECTS = frozenset({301, 302, 307, 308})
_MAX_REPLY_BYTES = 64 << 20  # a page holds 100 bodies of 65,536 characters
_LONGEST_REPLY_SECONDS = 60.0


class _Call(NamedTuple):
    method: str
    url: str
    told: Mapping[str, Any] | None
    params: Mapping[str, str] | None
    etag: str
    write: bool


class GitHubClient:
    """GitHub's REST API for the issues of one repository; for one thread at a time.

    Args:
        repo: ``owner/name``.
        token: Asked before each request, so that it may change; None reads what is public.
        api_url: ``https://api.github.com``, or ``https://HOST/api/v3`` of an Enterprise Server.
        timeout: Seconds to connect, and seconds between two bytes of a reply.
        clock: Epoch seconds.
        sleep: Waits for the rest of the second that must lie between two writes.
        api_version: The version of GitHub's API.
        renew: Called with a token that GitHub refused (401); True: ask once more, with what `token` gives then.

    Attributes:
        ahead: How far our clock is ahead of the server's, in seconds, by the last reply that told its time.
        next_write_at: No write before this time (epoch seconds). Processes that share a token may share it.
        quiet_from: When GitHub last asked for quiet.
        quiet_until: No request at all before this time, because it did.
        before_write: Called before each write, and when GitHub asks for quiet, to keep these two where the next
            process finds them.
        replied: Headers of the last reply.
        etag: Of the list of issues that was read last, if it does not fill a page.
        token_expires_at: When the token ends, by the last reply (epoch seconds); None: never, or not known. Kept
            from process to process, it tells an expired token from a bad one: GitHub's 401 says the same of both.

    Every method raises the errors that the module's docstring draws.
    """

    def __init__(
        self,
        repo: str,
        token: Callable[[], str | None],
        api_url: str = "https://api.github.com",
        *,
        timeout: tuple[float, float] = (5.0, 15.0),
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        api_version: str = "2022-11-28",
        renew: Callable[[str], bool] | None = None,
    ) -> None:
        self.repo = repo
        self.api_url = api_url.rstrip("/")
        self.ahead = 0.0
        self.next_write_at = 0.0
        self.quiet_from = self.quiet_until = 0.0
        self.before_write: Callable[[], None] = lambda: None
        self.token_expires_at: float | None = None
        self.replied: Mapping[str, str] = {}
        self.etag = ""
        self._known: dict[str, tuple[str, dict[str, Any]]] = {}  # issues as they were last read, with their ETags
        owner, _, name = repo.partition("/")
        self._repo_url = f"{self.api_url}/repos/{_quoted(owner)}/{_quoted(name)}"
        self._token = token
        self._sent_token = ""
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._api_version = api_version
        self._renew = renew
        self._session: requests.Session | None = None
        self._session_pid = 0
        self._limits_in_a_row = 0

    def __repr__(self) -> str:
        return f"<GitHubClient {self.repo} at {urlsplit(self.api_url).hostname}>"

    def pace(self) -> dict[str, Any]:
        """Return what all who use this token have to keep to, as JSON: see `resume`."""
        # GitHub's 401 says the same of a bad token and of one that has ended, so its end is kept, too.
        names = ("next_write_at", "quiet_from", "quiet_until", "token_expires_at")
        return {name: getattr(self, name) for name in names}

    def resume(self, pace: Mapping[str, Any]) -> None:
        """Keep to what `pace` said of this token, perhaps in another process."""
        self.next_write_at, self.quiet_from, self.quiet_until = (
            number_of(pace.get(name), 0.0) for name in ("next_write_at", "quiet_from", "quiet_until")
        )
        ends_at = number_of(pace.get("token_expires_at"), 0.0)
        self.token_expires_at = ends_at or None

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    # What the life of an issue needs

    def repository(self) -> dict[str, Any]:
        """Return the repository, with ``private``, ``has_issues`` and this token's ``permissions``."""
        return self._one("GET", self._repo_url)

    def user(self) -> dict[str, Any]:
        """Return whom the token belongs to."""
        return self._one("GET", f"{self.api_url}/user")

    def assignee_ok(self, login: str) -> bool:
        """Return whether issues of the repository can be assigned to `login`."""
        try:
            self._ask("GET", f"{self._repo_url}/assignees/{_quoted(login)}", type(None))
        except NotFoundError:
            return False
        return True

    def file(self, path: str) -> str | None:
        """Return the text of a file on the default branch; None if there is none. The token needs Contents: read."""
        try:
            found = self._one("GET", f"{self._repo_url}/contents/{quote(path)}")
        except NotFoundError:
            return None
        try:
            return base64.b64decode(str(found.get("content") or "")).decode("utf-8", "replace")
        except ValueError:
            return None

    def issues(
        self,
        label: str | None = None,
        since: float | None = None,
        state: str = "all",
        creator: str | None = None,
        etag: str = "",
    ) -> Iterator[dict[str, Any]]:
        """Yield the issues, oldest first, pull requests left out; each page is fetched when it is needed.

        Args:
            label: Only issues with this label.
            since: Only issues that changed at or after this time (epoch seconds).
            state: ``open``, ``closed`` or ``all``.
            creator: Only issues of this user.
            etag: `etag` of the same question before; nothing is yielded if nothing has changed since, and GitHub
                does not count that request.
        """
        # Oldest first, so that an issue opened meanwhile does not push another over the edge of a page.
        query = {"state": state, "sort": "created", "direction": "asc", "labels": label, "since": _iso(since)}
        query["creator"] = creator
        for found in self._pages(f"{self._repo_url}/issues", query, etag):
            if "pull_request" not in found:
                yield found

    def issue(self, issue: int | str) -> dict[str, Any]:
        """Return one issue, by its number or its URL in the API; one that was transferred comes from where it is now.

        ``address`` is added to what GitHub says: by which number or URL it is to be edited, where that was redirected.
        It is asked for by its ETag where it was read before: GitHub does not count an unchanged one.
        """
        url = self._issue_url(issue)
        etag, known = self._known.get(url, ("", None))
        response, read = self._ask("GET", url, dict, etag=etag)
        if response.status_code == 304 and known is not None:
            return dict(known)
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        found = {**read, "address": response.url if response.history else issue}
        if response.headers.get("ETag") and not response.history:
            self._known[url] = response.headers["ETag"], found
        return dict(found)

    def comments(self, issue: int | str, since: float | None = None) -> Iterator[dict[str, Any]]:
        """Yield the comments of an issue, oldest first; with `since` those that changed at or after it."""
        yield from self._pages(f"{self._issue_url(issue)}/comments", {"since": _iso(since)})

    def create_issue(
        self, title: str, body: str, labels: Sequence[str] = (), assignees: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Open an issue; a token that may not push has labels and assignees silently dropped by GitHub."""
        told = {"title": title, "body": body, "labels": list(labels), "assignees": list(assignees)}
        return self._one("POST", f"{self._repo_url}/issues", told)

    def edit_issue(self, issue: int | str, **fields: Any) -> dict[str, Any]:
        """Change ``title``, ``body``, ``state``, ``state_reason``, ``labels`` (as a whole), ``assignees``."""
        return self._one("PATCH", self._issue_url(issue), fields)

    def comment(self, issue: int | str, body: str) -> dict[str, Any]:
        """Add a comment."""
        return self._one("POST", f"{self._issue_url(issue)}/comments", {"body": body})

    def add_labels(self, issue: int | str, names: Sequence[str]) -> list[dict[str, Any]]:
        """Add labels to those that the issue has, and return all of them."""
        told = {"labels": list(names)}
        return list(self._ask("POST", f"{self._issue_url(issue)}/labels", list, told)[1])

    def remove_label(self, issue: int | str, name: str) -> None:
        """Take a label from an issue."""
        self._ask("DELETE", f"{self._issue_url(issue)}/labels/{_quoted(name)}", list)

    def wait_to_write(self) -> None:
        """Sit out the rest of the second after the last write, so that what is read now is fresh when it is written.

        Raises:
            DeliveryError: The next write is due later than that.
        """
        self._wait(write=True)

    def installation_token(self, installation_id: int, permissions: Mapping[str, str]) -> dict[str, Any]:
        """Return a new ``token`` of a GitHub App's installation, for this repository alone, and when it ends.

        Asked with the app's own JWT as token. It writes nothing in the repository, and may be asked again.
        https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
        """
        told = {"repositories": [self.repo.partition("/")[2]], "permissions": dict(permissions)}
        url = f"{self.api_url}/app/installations/{int(installation_id)}/access_tokens"
        return dict(self._ask("POST", url, dict, told, write=False)[1])

    # One request

    def _issue_url(self, issue: int | str) -> str:
        return self._own(self.api_url, issue) if isinstance(issue, str) else f"{self._repo_url}/issues/{int(issue)}"

    def _one(self, method: str, url: str, told: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return dict(self._ask(method, url, dict, told)[1])

    def _pages(self, url: str, query: Mapping[str, str | None], etag: str = "") -> Iterator[dict[str, Any]]:
        params = {name: value for name, value in query.items() if value} | {"per_page": str(_PAGE)}
        response, rows = self._ask("GET", url, list, params=params, etag=etag)
        if response.status_code == 304:
            self.etag = etag
            return
        more = response.links.get("next", {}).get("url", "")
        # One page's says nothing of the others, and what comes after a full one makes another.
        self.etag = "" if more or len(rows) >= _PAGE else response.headers.get("ETag", "")
        yield from rows
        while more:
            response, rows = self._ask("GET", self._own(response.url, more), list)
            more = response.links.get("next", {}).get("url", "")
            yield from rows

    def _ask(
        self,
        method: str,
        url: str,
        kind: type,
        told: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, str] | None = None,
        etag: str = "",
        write: bool | None = None,
    ) -> tuple[requests.Response, Any]:
        """Return the reply and its JSON, which is of type `kind`; raise what the status means.

        With `etag`, of what is known already, the reply may be a 304 without JSON: nothing has changed. `write` says
        whether it changes something in the repository; by default everything but a GET does.
        """
        call = _Call(method, url, told, params, etag, method != "GET" if write is None else write)
        response = self._reply(call)
        if response.status_code == 401 and self._renew is not None and self._renew(self._sent_token):
            response = self._reply(call)
        read = replies.json_of(response)
        unchanged = response.status_code == 304 and bool(etag)
        if unchanged or (200 <= response.status_code < 300 and replies.is_of(read, kind)):
            self._limits_in_a_row = 0
            self.token_expires_at = replies.token_expires_at(response.headers)
            self._note_limit(response)
            return response, read
        raise self._failure(response, read, call.write)

    def _reply(self, call: _Call) -> requests.Response:
        """Return what GitHub answers when its limits let us ask."""
        self._wait(call.write)
        if call.write:
            self._note_write()
        try:
            response = self._follow(call)
        finally:
            if call.write:
                self._note_write()
        self.replied = response.headers
        now = self._clock()
        self.ahead = now - replies.server_time(response, now - self.ahead)
        return response

    def _wait(self, write: bool) -> None:
        """Sit out the rest of the second between two writes; raise where the wait would be longer."""
        now = self._clock()
        quiet = self.quiet_until - now
        # An end that lies further ahead than the pause was long comes from a clock that was set back.
        if 0 < quiet <= _LONGEST_PAUSE_SECONDS and now >= self.quiet_from - 1.0:
            raise RateLimitedError(f"GitHub asked to be left alone: try again in {quiet:.0f} seconds.", quiet)
        pause = self.next_write_at - now if write else 0.0
        if not 0 < pause <= _LONGEST_GAP_SECONDS:
            return
        if pause > _WRITE_GAP_SECONDS:
            raise DeliveryError(f"The next write to GitHub is due in {pause:.0f} seconds: try again then.", pause)
        self._sleep(pause)

    def _note_write(self) -> None:
        """Keep the second after a write free of others, from before it is sent: this process may be killed."""
        self.next_write_at = self._clock() + _WRITE_GAP_SECONDS
        self.before_write()

    def _keep_quiet(self, now: float, seconds: float) -> None:
        self.quiet_from, self.quiet_until = now, now + seconds
        self.before_write()

    def _note_limit(self, response: requests.Response) -> None:
        """Ask nothing more where the reply says that it was the last that the limit allows."""
        if response.headers.get("X-RateLimit-Remaining") == "0":
            now = self._clock()
            reset = replies.until_reset(response, now)
            if reset is not None and reset > 0:
                self._keep_quiet(now, min(reset, _LIMIT_WINDOW_SECONDS))

    def _follow(self, call: _Call) -> requests.Response:
        """Send, and follow redirects with the same method and body: requests would make a GET of a POST."""
        history: list[requests.Response] = []
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._send(call)
            if response.status_code not in _REDIRECTS:
                response.history = history
                return response
            history.append(response)
            call = call._replace(url=self._own(response.url, response.headers.get("Location", "")), params=None)
        raise DeliveryError(f"GitHub redirected more than {_MAX_REDIRECTS} times: check repo and api_url.")

    def _own(self, base: str, pointer: str) -> str:
        """Return where `pointer` leads if that is the server the token is for; it goes nowhere else."""
        try:
            url = urljoin(base, pointer)
            origin = _origin(url)
        except ValueError:
            raise DeliveryError("GitHub points to a malformed address: check api_url.") from None
        if origin != _origin(self.api_url):
            raise DeliveryError(f"GitHub points to {origin}, where its token must not go: check api_url.")
        return url

    def _send(self, call: _Call) -> requests.Response:
        headers = self._headers(call.write) | ({"If-None-Match": call.etag} if call.etag else {})
        try:
            response = self._connection().request(
                call.method,
                call.url,
                params=call.params,
                json=call.told,
                headers=headers,
                auth=_as_it_is,
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            )
            return self._whole(response)
        except (OSError, ValueError, HTTPError) as error:  # requests' own errors are OSErrors
            lost = call.write and not replies.never_sent(error)
            raise unanswered(replies.fault(error, call.url), lost) from None

    def _whole(self, response: requests.Response) -> requests.Response:
        """Read the reply; raise a ValueError where it is endless, in bytes or in time."""
        deadline = self._clock() + _LONGEST_REPLY_SECONDS
        read = bytearray()
        with response:
            for piece in response.iter_content(1 << 16):
                read += piece
                if len(read) > _MAX_REPLY_BYTES or self._clock() > deadline:
                    raise replies.EndlessReplyError
        response._content = bytes(read)
        return response

    def _headers(self, write: bool) -> dict[str, str]:
        headers = {
            "Accept": "application/vnd.github+json",
            "User-Agent": "loghub",
            "X-GitHub-Api-Version": self._api_version,
        }
        before, self._sent_token = self._sent_token, self._current_token()
        token = self._sent_token
        if before not in ("", token):
            self.token_expires_at = None  # that was another one
        if token:
            if not (token.isascii() and token.isprintable()) or " " in token:
                raise BadTokenError("The GitHub token is malformed: set GITHUB_TOKEN to a valid token.")
            headers["Authorization"] = f"Bearer {token}"
        elif write:
            raise BadTokenError("There is no GitHub token: set GITHUB_TOKEN to a valid token.")
        return headers

    def _current_token(self) -> str:
        try:
            return (self._token() or "").strip()
        except RateLimitedError as error:  # whoever makes the token asks the same GitHub
            self.quiet_until = self._clock() + (error.retry_after or 0.0)
            raise

    def _connection(self) -> requests.Session:
        """Return this process's session: a connection that a fork shares would mix the replies of two."""
        if self._session is None or self._session_pid != os.getpid():
            self._session, self._session_pid = requests.Session(), os.getpid()
        return self._session

    # What went wrong

    def _failure(self, response: requests.Response, read: Any, write: bool) -> DeliveryError:
        status, said = response.status_code, self._said(read)
        if replies.is_limit(response, said):
            return self._limited(response)
        after = replies.retry_after(response, self._clock())
        if status >= 500 or status == 408:
            return unanswered(f"GitHub failed ({status})", write, after)
        if status < 400 or not isinstance(read, dict):
            return unanswered(f"GitHub's reply ({status}) is not its JSON, perhaps a proxy's page", write, after)
        return self._refusal(response, status, said)

    def _refusal(self, response: requests.Response, status: int, said: str) -> DeliveryError:
        path = urlsplit(response.url).path
        if status == 401:
            return self._refused_token(response, said)
        if status in (403, 451):
            return self._forbidden(response, status, said)
        if status == 404:
            return NotFoundError(
                f"GitHub does not find {path} (404): check that it exists and that the token may see it."
            )
        if status == 410:
            return GoneError(f"GitHub has not got {path} any more (410: {said}): check that issues are enabled.")
        if status in (400, 413, 422):
            return InvalidError(f"GitHub will not take this as it is ({status}): {said}.")
        return DeliveryError(f"GitHub did not do this ({status}: {said}): try again later.")

    def _refused_token(self, response: requests.Response, said: str) -> BadTokenError:
        ends_at = self.token_expires_at
        if ends_at is not None and ends_at <= replies.server_time(response, self._clock()):
            ended = datetime.fromtimestamp(ends_at, UTC).strftime("expired on %Y-%m-%d at %H:%M UTC")
        elif "expired" in said.lower():
            ended = "has expired"
        else:
            return BadTokenError("GitHub refused the token (401): set GITHUB_TOKEN to a valid token.")
        return ExpiredTokenError(f"The GitHub token {ended} (401): make a new one, and set GITHUB_TOKEN to it.")

    def _forbidden(self, response: requests.Response, status: int, said: str) -> ForbiddenError:
        # Some kinds of token get the header with every reply; only these words make it the reason.
        needed = response.headers.get("X-Accepted-GitHub-Permissions") if "not accessible" in said else None
        advice = f"give the token the permission {needed}" if needed else "check what the token may do"
        return ForbiddenError(f"GitHub forbids this ({status}: {said}): {advice} on {self.repo}.", needed, said)

    def _limited(self, response: requests.Response) -> RateLimitedError:
        """Return the error and keep quiet as long: by the reply, else a minute, doubled each time."""
        now = self._clock()
        pause = replies.retry_after(response, now)
        if pause is None and response.headers.get("X-RateLimit-Remaining") == "0":
            pause = replies.until_reset(response, now)
        if pause is None:
            pause = _LIMIT_PAUSE_SECONDS * 2 ** min(self._limits_in_a_row, 10)
        pause = min(max(pause, 1.0), _LONGEST_PAUSE_SECONDS)
        self._limits_in_a_row += 1
        self._keep_quiet(now, pause)
        return RateLimitedError(
            f"GitHub's rate limit is reached ({response.status_code}): try again in {pause:.0f} seconds.",
            pause,
        )

    def _said(self, read: Any) -> str:
        """Return GitHub's own words as part of one sentence, without the token should they repeat it."""
        if not isinstance(read, dict):
            return ""
        errors = read.get("errors")
        parts = [replies.words(one) for one in errors] if isinstance(errors, list) else []
        text = " ".join("; ".join([str(read.get("message") or "no reason given"), *parts]).split())
        text = text.replace(self._sent_token, "***") if self._sent_token else text
        return text[:_MAX_SAID].rstrip(". ")


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the request alone; without an `auth`, requests puts what ~/.netrc says in place of our token."""
    return request


def number_of(value: object, default: float) -> float:
    """Return a number that was kept as JSON; `default` where somebody has damaged it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return default
    return float(value)


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _origin(url: str) -> str:
    """Return scheme, host and port; never a user or a password that stand in the URL."""
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"
