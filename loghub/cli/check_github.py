"""The part of ``loghub check`` that asks GitHub: the token, what it may do, and whether the repository takes issues."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from loghub.cli.finding import Finding
from loghub.errors import DeliveryError, LedgerError
from loghub.github.failures import ForbiddenError, GoneError, NotFoundError, UnknownOutcomeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loghub.github.client import GitHubClient
    from loghub.handlers.github import GitHubIssueHandler

CLOCK_SECONDS = 120
ENDS_SOON_DAYS = 14
NO_ISSUE = 2_147_483_647


def look(handler: GitHubIssueHandler) -> Iterator[Finding]:
    """Yield what is found about a handler's GitHub, one line for each thing; nothing is changed there."""
    if not handler.repo:
        yield _note("no repository: set GITHUB_REPO (owner/name); until then errors are only kept.")
        return
    yield from _files(handler)
    if handler.app is not None:
        yield from _ask(handler, "")  # the client borrows its token, unless GitHub asked for quiet
        return
    try:
        token = handler.token()
    except DeliveryError as error:
        yield _fail(str(error))
        return
    if token:
        yield from _ask(handler, token)
    else:
        yield _note("no token: set GITHUB_TOKEN; until then errors are counted and kept.")


def _ask(handler: GitHubIssueHandler, token: str) -> Iterator[Finding]:
    client = handler.client
    _recall(handler, client)
    try:
        found = client.repository()
    except NotFoundError:
        yield _fail(
            f"{handler.repo} is not there, or the token may not see it (404): "
            "check repo, and give the token access to this repository."
        )
        return
    except DeliveryError as error:
        yield _fail(str(error))
        return
    headers = client.replied
    yield from _repository(handler, found)
    if found.get("has_issues") is not False and not found.get("archived"):
        yield from _rights(handler, found, client)
    if handler.app is None:
        yield from _kind(token, headers, private=bool(found.get("private")))
        yield from _end(client)
    yield from _clock(headers)


def _recall(handler: GitHubIssueHandler, client: GitHubClient) -> None:
    """Let the client know what was learned in earlier replies: a wish for quiet, the end of the token."""
    with contextlib.suppress(LedgerError):  # has its own line
        client.resume(handler.home.ledger().memory(handler.pace))


def _files(handler: GitHubIssueHandler) -> Iterator[Finding]:
    for path in (handler.token_file, handler.app and handler.app.private_key_file):
        try:
            shared = path and stat.S_IMODE(os.stat(path).st_mode) & 0o077
        except (OSError, ValueError):  # whoever reads it says so
            continue
        if shared:
            yield _note(f"{path} can be read by others: chmod 600 it.")


def _repository(handler: GitHubIssueHandler, found: dict[str, Any]) -> Iterator[Finding]:
    name = found.get("full_name") or handler.repo
    if str(name).lower() != str(handler.repo).lower():
        yield _note(f"{handler.repo} is called {name} now: set repo to that.")
    if found.get("archived"):
        yield _fail(f"{name} is archived: unarchive it, or name another repository.")
    elif found.get("has_issues") is False:
        yield _fail(f"issues are disabled in {name}: enable them in its settings.")
    if found.get("private"):
        return
    if handler.allow_public:
        yield _note(f"{name} is public: everybody can read the issues.")
    else:
        yield _fail(
            f"{name} is public and allow_public is false, so nothing would be sent: make it private, or allow it."
        )


def _rights(handler: GitHubIssueHandler, found: dict[str, Any], client: GitHubClient) -> Iterator[Finding]:
    """Tell whether the token may write issues.

    Only a write shows it: who may read a repository need not be allowed to write. This one can never act, as issues
    are counted from 1 and none has this number. GitHub looks at the permission first: 403 is a no, 404 a yes.
    """
    name = found.get("full_name") or handler.repo
    try:
        client.edit_issue(NO_ISSUE, state="open")
    except (NotFoundError, GoneError):
        pass
    except ForbiddenError as error:
        # GitHub's other reasons for a 403, such as single sign-on, are said in its own words.
        lacks = f"the token may not write issues in {name}: give it the permission {error.permission}."
        yield _fail(lacks if error.permission else str(error))
        return
    except UnknownOutcomeError:
        yield _fail(f"GitHub did not say whether the token may write issues in {name}: run loghub check again.")
        return
    except DeliveryError as error:
        yield _fail(str(error))
        return
    yield Finding("ok", "github", f"{name} takes issues with labels {', '.join(handler.labels) or '(none)'}.")
    # An app has no rights of a person: it may label what it may write.
    if handler.app is None and not (found.get("permissions") or {}).get("push"):
        what = "labels and assignees" if handler.assignees or handler.codeowners else "labels"
        yield _note(f"the token may not push to {name}: GitHub drops the {what} of new issues.")


def _kind(token: str, headers: Mapping[str, str], *, private: bool) -> Iterator[Finding]:
    """Warn about a classic token: only those have scopes, and they reach all repositories of their owner.

    https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
    """
    said = headers.get("X-OAuth-Scopes")
    if said is None and not token.startswith(("ghp_", "gho_")):
        return
    yield _note(
        f"a classic token with scopes {said or '(none)'}: a fine-grained one for this repository with Issues: write "
        "is enough."
    )
    scopes = {scope.strip() for scope in (said or "").split(",")}
    enough = {"repo"} if private else {"repo", "public_repo"}
    if said is not None and not enough & scopes:
        yield _fail(f"the classic token lacks the scope {min(enough)}: give it that, or make a fine-grained one.")


def _end(client: GitHubClient) -> Iterator[Finding]:
    ends_at = client.token_expires_at
    if ends_at is None:
        return
    left = ends_at - (time.time() - client.ahead)
    if left <= ENDS_SOON_DAYS * 86_400:
        when = datetime.fromtimestamp(ends_at, UTC).strftime("%Y-%m-%d at %H:%M UTC")
        yield _note(f"the token expires on {when}, in {left / 86_400:.1f} days: make a new one before that.")


def _clock(headers: Mapping[str, str]) -> Iterator[Finding]:
    try:
        ahead = time.time() - parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except ValueError:
        return
    if abs(ahead) > CLOCK_SECONDS:
        side = "ahead" if ahead > 0 else "behind"
        yield Finding("FAIL", "clock", f"this machine's clock is {abs(ahead):,.0f} s {side}: set it right.")
    else:
        yield Finding("ok", "clock", "agrees with GitHub's.")


def _note(text: str) -> Finding:
    return Finding("note", "github", text)


def _fail(text: str) -> Finding:
    return Finding("FAIL", "github", text)
