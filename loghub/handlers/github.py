"""GitHubIssueHandler: one issue per bug, kept up to date."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from typing import TYPE_CHECKING, Annotated, Any

from loghub import env, options
from loghub.delivery import leases
from loghub.errors import DeliveryError, OptionValueError
from loghub.github import access, lifecycle
from loghub.github import issue as text
from loghub.github.failures import ForbiddenError
from loghub.github.issue import Draft
from loghub.github.lifecycle import state_of
from loghub.handlers.base import OutboxHandler
from loghub.scrub.own import hide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.delivery.batch import Batch
    from loghub.github.app import AppToken
    from loghub.github.client import GitHubClient
    from loghub.ledger.protocol import Item

_REPO = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+")
Repository = Annotated[str, options.Takes(pattern=f"^{_REPO.pattern}$")]
Days = Annotated[float, options.Takes(exclusiveMinimum=0)]
_MAX_BATCH = 50
_MAX_IN_STORM = 10
_RULES_SECONDS = 3600.0
_OWN_LABEL = "automated-report"


class GitHubIssueHandler(OutboxHandler):
    """Opens one issue for each bug, and keeps its count up to date.

    Without a repository or a token nothing is sent: errors are counted and kept, and once a token is there,
    the next occurrence opens the issue with the full count.

    Args:
        repo: ``owner/name`` (env GITHUB_REPO, then GITHUB_REPOSITORY).
        token: Needs Issues: write (env GITHUB_TOKEN, then GH_TOKEN).
        token_file: A file that holds the token instead; read again before each use.
        app_id: Of a GitHub App that lends a token instead (extra ``app``): its id or client id. The app needs the
            repository permission Issues: write; with `codeowners` also Contents: read.
        private_key_file: The .pem file that GitHub made for the app.
        installation_id: The number at the end of the address of the installation's settings.
        api_url: env GITHUB_API_URL, or https://api.github.com; https://HOST/api/v3 of an Enterprise Server,
            https://api.SUBDOMAIN.ghe.com with data residency.
        web_url: Where people read; by default found from `api_url`.
        labels: Of new issues. One named automated-report (or else the last) marks them as loghub's.
        auto_label: Also the component as a label (env ERROR_REPORTING_AUTO_LABEL).
        assignees: Of new issues.
        codeowners: Whether the repository's CODEOWNERS say who else is assigned.
        title: Its template; knows type, component, message, module, function, culprit, environment, level.
        comment_limit: The most comments on one issue.
        issues_per_hour: The most new issues, over all processes of the ledger; the others wait.
        reopen: Whether a bug that is seen again after its issue was closed as completed reopens it.
        quiet_close_days: An issue whose bug was not seen for so many days is closed; None: never.
        allow_public: False: nothing is sent to a public repository.
        rest: As `OutboxHandler`.
    """

    needs = "set GITHUB_REPO and GITHUB_TOKEN, or the options repo and token"

    def __init__(
        self,
        *,
        repo: Repository | None = None,
        token: options.MaybeText | None = None,
        token_file: options.MaybeText | None = None,
        app_id: access.AppId | None = None,
        private_key_file: str | None = None,
        installation_id: options.AtLeastOne | None = None,
        api_url: access.Address | None = None,
        web_url: access.Address | None = None,
        labels: Sequence[str] = ("bug", _OWN_LABEL),
        auto_label: bool | None = None,
        assignees: Sequence[str] = (),
        codeowners: bool = False,
        title: str = "[Auto] {type}: {component}",
        comment_limit: int = 50,
        issues_per_hour: int = 60,
        reopen: bool = True,
        quiet_close_days: Days | None = None,
        allow_public: bool = True,
        **rest: Any,
    ) -> None:
        self.repo = _repository(self, repo)
        self._token = options.text(self, "token", token) if _is_said(token) else None
        self.token_file = access.file_path(self, "token_file", token_file) if _is_said(token_file) else None
        self.api_url = access.address(
            self,
            "api_url",
            api_url if _is_said(api_url) else env.read("GITHUB_API_URL") or "https://api.github.com",
        )
        self.web_url = (
            access.address(self, "web_url", web_url) if _is_said(web_url) else access.web_address(self.api_url)
        )
        self.labels = options.names(self, "labels", labels)
        self.auto_label = (
            options.variable_flag("ERROR_REPORTING_AUTO_LABEL", default=True)
            if auto_label is None
            else options.flag(self, "auto_label", auto_label)
        )
        self.assignees = options.names(self, "assignees", assignees)
        self.codeowners = options.flag(self, "codeowners", codeowners)
        self.title = text.check_title(title)
        self.comment_limit = options.whole(self, "comment_limit", comment_limit)
        self.issues_per_hour = options.whole(self, "issues_per_hour", issues_per_hour)
        self.reopen = options.flag(self, "reopen", reopen)
        self.quiet_close_days = _days(self, "quiet_close_days", quiet_close_days)
        self.allow_public = options.flag(self, "allow_public", allow_public)
        self.app = self._app_token(app_id, private_key_file, installation_id)
        self._client: GitHubClient | None = None
        self._assignable: dict[str, bool] = {}
        self._rules = -_RULES_SECONDS, ""
        if self.repo and (self.app or self._has_token()):
            self.destination = f"github:{self.repo}"
        super().__init__(**rest)

    def token(self) -> str | None:
        """Return the token as it is now, or None; a GitHub App's is borrowed from GitHub.

        Raises:
            DeliveryError: Its file cannot be read, or GitHub lends none.
        """
        if self.app is not None:
            token: options.MaybeText | None = self.app()
        elif self._token:
            token = self._token
        elif self.token_file:
            token = access.read_token(self.token_file)
        else:
            token = env.read("GITHUB_TOKEN", "GH_TOKEN")
        if token:
            hide(token)
        return token

    def _app_token(self, app_id: object, key_file: object, installation_id: object) -> AppToken | None:
        given = {"app_id": app_id, "private_key_file": key_file, "installation_id": installation_id}
        permissions = {"issues": "write"} | ({"contents": "read"} if self.codeowners else {})
        app = access.app_token(self, given, self.repo or "", self.api_url, permissions)
        if app is not None and (self._token or self.token_file):
            other = "token" if self._token else "token_file"
            raise OptionValueError(f"{type(self).__name__}: {other} and app_id both say whose token: keep one of them.")
        return app

    def _has_token(self) -> bool:
        try:
            return bool(self.token())
        except DeliveryError:  # its file may be mended later
            return True

    @property
    def client(self) -> GitHubClient:
        """The REST client, made on first use."""
        if self._client is None:
            from loghub.github.client import GitHubClient

            renew = None if self.app is None else self.app.renew
            self._client = GitHubClient(self.repo or "", self.token, self.api_url, sleep=leases.pause, renew=renew)
        return self._client

    @property
    def pace(self) -> str:
        """Under which name the ledger keeps the limits of the token, for all repositories that it is used for."""
        try:
            whose = self.app.name if self.app is not None else self.token() or ""
        except DeliveryError:
            whose = ""
        return f"github-token:{hashlib.sha256(f'{self.api_url} {whose}'.encode()).hexdigest()[:16]}"

    def draft(self, item: Item, ledger_id: str) -> Draft:
        """Return the issue as GitHub would get it."""
        from loghub.github.origin import origin_of

        event = item.event
        origin = origin_of(event, repo=self.repo or "", web_url=self.web_url)
        suspect = origin.suspect
        return Draft(
            text.title(self.title, item.group, event),
            text.body(
                event,
                item.group,
                state_of(item.group, ledger_id, None),
                permalinks=origin.permalinks if self.repo else (),
                suspect=suspect if self.repo else None,
                commit_url=f"{self.web_url}/{self.repo}/commit/{suspect.commit}" if suspect else "",
            ),
            text.labels(self.labels, event.get("component") or item.group.component, self.auto_label),
            [*self.assignees, *(self._owners(origin.path) if self.codeowners and origin.path else ())],
        )

    def _owners(self, path: str) -> list[str]:
        """Return the users who own a file by CODEOWNERS, as far as issues can be assigned to them."""
        from loghub.github import codeowners

        named = codeowners.owners(self._owner_rules(), path)
        return [login for login in named if login not in self.assignees and self._is_assignable(login)]

    def _owner_rules(self) -> str:
        """Return the CODEOWNERS file beside the application, else the repository's, read once an hour."""
        from loghub.github import codeowners

        read_at, rules = self._rules
        if time.monotonic() - read_at < _RULES_SECONDS:
            return rules
        found = codeowners.find(os.curdir)
        if found is None and self.destination is not None:
            try:
                found = next((text for place in codeowners.PLACES if (text := self.client.file(place))), None)
            except ForbiddenError:
                reason = "the token lacks Contents: read, and no CODEOWNERS is beside the application"
                self.say(logging.WARNING, f"{self.destination}: nobody is assigned by CODEOWNERS: {reason}.")
        self._rules = time.monotonic(), found or ""
        return found or ""

    def _is_assignable(self, login: str) -> bool:
        if self.destination is None:
            return True  # a preview, without a token to ask with
        if login not in self._assignable:
            self._assignable[login] = self.client.assignee_ok(login)
        return self._assignable[login]

    # Delivery -------------------------------------------------------------------------------------------

    def ready(self, waiting: Sequence[Item], now: float, *, closing: bool) -> Sequence[Item]:
        """Return new bugs at once, and those that have an issue when its count may be edited again.

        The end of a process does not wait for that, but a command that ends and is started again and again may not
        edit each time.
        """
        known = [item for item in waiting if item.memory.get("number")]
        new = [item for item in waiting if not item.memory.get("number")]
        if any(item.due_at for item in new):
            new = new[:_MAX_IN_STORM]  # one batch would put them off again one by one
        due = [
            item
            for item in known
            if lifecycle.edit_due_at(item, len(known), now) <= now
            or (closing and (self.home.draining or lifecycle.may_go_last(item)))
        ]
        return [*new, *due][:_MAX_BATCH]

    def deliver(self, batch: Batch) -> None:
        """Make the issues say what the groups say."""
        from loghub.github.upkeep import Upkeep
        from loghub.github.visit import Policy, Visit
        from loghub.release_order import order

        policy = Policy(
            draft=lambda item: self.draft(item, batch.ledger_id),
            label=self._own_label(),
            labels=text.labels(self.labels, "", auto_label=False),
            comment_limit=self.comment_limit,
            issues_per_hour=self.issues_per_hour,
            quiet_close_days=self.quiet_close_days,
            rules=lifecycle.Rules(reopen=self.reopen, order=order),
            pace=self.pace,
        )
        visit = Visit(self.client, batch, policy, self.say)
        self._check_public()
        Upkeep(visit).run()

    def _check_public(self) -> None:
        if not self.allow_public and not self.client.repository().get("private"):
            raise DeliveryError(
                f"{self.repo} is public and allow_public is false: nothing is sent; make it private, or allow it.",
                retry_after=3600.0,
            )

    def _own_label(self) -> str | None:
        return _OWN_LABEL if _OWN_LABEL in self.labels else self.labels[-1] if self.labels else None


def _is_said(value: object) -> bool:
    """Return whether an option says something: what `ext://` has read may be empty."""
    return value is not None and value != ""


def _repository(owner: object, repo: str | None) -> str | None:
    value = repo if repo is not None else env.read("GITHUB_REPO", "GITHUB_REPOSITORY")
    if value is not None and (not isinstance(value, str) or not _REPO.fullmatch(value)):
        options.refuse(owner, "repo", value, "'owner/name', as in the repository's address")
    return value


def _days(owner: object, name: str, value: object) -> float | None:
    if value is None:
        return None
    days = options.number(owner, name, value)
    if not days:
        options.refuse(owner, name, value, "a number of days above 0, or none")
    return days
