"""GitHubIssueHandler: one issue per bug, kept up to date."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from loghub import delivery, env, options
from loghub.errors import DeliveryError
from loghub.github import issue as text
from loghub.github import lifecycle
from loghub.handlers.base import OutboxHandler
from loghub.release import is_commit, permalink, repository_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loghub.delivery import Batch
    from loghub.event import Event
    from loghub.github.client import GitHubClient
    from loghub.github.lifecycle import Step
    from loghub.ledger.protocol import Item

_REPO = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+")
_MAX_LINKS = 5
_MAX_BATCH = 50
_OWN_LABEL = "automated-report"


@dataclass(frozen=True)
class Draft:
    """An issue as GitHub would get it."""

    title: str
    body: str
    labels: list[str]


class GitHubIssueHandler(OutboxHandler):
    """Opens one issue for each bug, and keeps its count up to date.

    Without a repository or a token nothing is sent: errors are counted and kept, and once a token is there,
    the next occurrence opens the issue with the full count.

    Args:
        repo: ``owner/name`` (env GITHUB_REPO, then GITHUB_REPOSITORY).
        token: Needs Issues: write (env GITHUB_TOKEN, then GH_TOKEN).
        token_file: A file that holds the token instead; read again before each use.
        api_url: env GITHUB_API_URL, or https://api.github.com; https://HOST/api/v3 of an Enterprise Server.
        web_url: Where people read; by default found from `api_url`.
        labels: Of new issues. One named automated-report (or else the last) marks them as loghub's.
        auto_label: Also the component as a label (env ERROR_REPORTING_AUTO_LABEL).
        assignees: Of new issues.
        title: Its template; knows type, component, message, module, function, culprit, environment, level.
        comment_limit: The most comments on one issue.
        issues_per_hour: The most new issues, over all processes of the ledger; the others wait.
        reopen: Whether a bug that is seen again after its issue was closed as completed reopens it.
        allow_public: False: nothing is sent to a public repository.
        rest: As `OutboxHandler`.
    """

    needs = "set GITHUB_REPO and GITHUB_TOKEN, or the options repo and token"

    def __init__(
        self,
        *,
        repo: str | None = None,
        token: str | None = None,
        token_file: str | None = None,
        api_url: str | None = None,
        web_url: str | None = None,
        labels: Sequence[str] = ("bug", _OWN_LABEL),
        auto_label: bool | None = None,
        assignees: Sequence[str] = (),
        title: str = "[Auto] {type}: {component}",
        comment_limit: int = 50,
        issues_per_hour: int = 60,
        reopen: bool = True,
        allow_public: bool = True,
        **rest: Any,
    ) -> None:
        self.repo = _repository(self, repo)
        self._token = token and options.text(self, "token", token)
        self.token_file = token_file and options.text(self, "token_file", token_file)
        self.api_url = _url(self, "api_url", api_url or env.read("GITHUB_API_URL") or "https://api.github.com")
        self.web_url = _url(self, "web_url", web_url) if web_url else _web(self.api_url)
        self.labels = options.names(self, "labels", labels)
        self.auto_label = (
            options.variable_flag("ERROR_REPORTING_AUTO_LABEL", default=True)
            if auto_label is None
            else options.flag(self, "auto_label", auto_label)
        )
        self.assignees = options.names(self, "assignees", assignees)
        self.title = text.check_title(title)
        self.comment_limit = options.whole(self, "comment_limit", comment_limit)
        self.issues_per_hour = options.whole(self, "issues_per_hour", issues_per_hour)
        self.reopen = options.flag(self, "reopen", reopen)
        self.allow_public = options.flag(self, "allow_public", allow_public)
        self._client: GitHubClient | None = None
        if self.repo and (self.token_file or self.token()):
            self.destination = f"github:{self.repo}"
        super().__init__(**rest)

    def token(self) -> str | None:
        """Return the token as it is now, or None.

        Raises:
            DeliveryError: Its file cannot be read.
        """
        if self._token:
            return self._token
        if self.token_file:
            try:
                with open(self.token_file, encoding="utf-8") as file:
                    return file.read(4096).strip() or None
            except (OSError, ValueError) as error:
                raise DeliveryError(f"token_file {self.token_file} cannot be read ({error}): mend it.") from error
        return env.read("GITHUB_TOKEN", "GH_TOKEN")

    @property
    def client(self) -> GitHubClient:
        """The REST client, made on first use."""
        if self._client is None:
            from loghub.github.client import GitHubClient

            self._client = GitHubClient(self.repo or "", self.token, self.api_url, sleep=delivery.pause)
        return self._client

    def draft(self, item: Item, ledger_id: str) -> Draft:
        """Return the issue as GitHub would get it."""
        event = item.event
        state = lifecycle.state_of(item.group, ledger_id, None)
        links = list(self._permalinks(event))
        return Draft(
            text.title(self.title, item.group, event),
            text.body(event, item.group, state, permalinks=links),
            text.labels(self.labels, event.get("component") or item.group.component, self.auto_label),
        )

    def _permalinks(self, event: Event) -> list[str]:
        commit = event.get("release")
        if not self.repo or not commit or not is_commit(commit):
            return []
        places = (
            (repository_path(frame.get("file", ""), None), frame.get("line", 0))
            for frame in event.get("frames", [])
            if frame.get("in_app")
        )
        links = [permalink(self.web_url, self.repo, commit, path, line) for path, line in places if path]
        return links[-_MAX_LINKS:]

    # Delivery -------------------------------------------------------------------------------------------

    def ready(self, waiting: Sequence[Item], now: float, *, closing: bool) -> Sequence[Item]:
        """Return new bugs at once, and those that have an issue when its count may be edited again."""
        due = [
            item
            for item in waiting
            if item.due_at <= now and (closing or not item.memory.get("number") or lifecycle.edit_due_at(item) <= now)
        ]
        return due[:_MAX_BATCH]

    def deliver(self, batch: Batch) -> None:
        """Make the issues say what the groups say."""
        from loghub.github.client import InvalidError

        client = self.client
        client.next_write_at = float(batch.memory.get("next_write_at", 0.0))
        client.quiet_until = float(batch.memory.get("quiet_until", 0.0))
        index: dict[str, dict[str, Any]] | None = None
        try:
            self._check_public()
            for item in batch.items:
                batch.renew()
                found = self._known_issue(item)
                if found is None:
                    if self._wait_for_room(batch, item):
                        continue
                    if index is None:
                        index = self._index(batch)
                    found = index.get(item.group.fingerprint)
                self._tell(batch, item, found)
        except InvalidError as error:  # of a question, not of an item: that is settled where it is told
            raise DeliveryError(str(error)) from error
        finally:
            batch.memory["next_write_at"] = client.next_write_at
            batch.memory["quiet_until"] = client.quiet_until

    def _check_public(self) -> None:
        if not self.allow_public and not self.client.repository().get("private"):
            raise DeliveryError(
                f"{self.repo} is public and allow_public is false: nothing is sent; make it private, or allow it.",
                retry_after=3600.0,
            )

    def _known_issue(self, item: Item) -> dict[str, Any] | None:
        """Return the issue whose number the ledger remembers, unless it is gone."""
        from loghub.github.client import GoneError, NotFoundError

        number = item.memory.get("number")
        if not number:
            return None
        try:
            return self.client.issue(number)
        except (GoneError, NotFoundError):
            item.memory.pop("number")
            return None

    def _index(self, batch: Batch) -> dict[str, dict[str, Any]]:
        """Return the issues of the repository that carry our state, by fingerprint; the lowest number wins."""
        label = None if batch.memory.get("labels_dropped") else self._own_label()
        found: dict[str, dict[str, Any]] = {}
        for one in self.client.issues(label=label):
            state = text.read_state(one.get("body"))
            if state is not None:
                found.setdefault(state.fingerprint, one)
            batch.renew()
        return found

    def _own_label(self) -> str | None:
        return _OWN_LABEL if _OWN_LABEL in self.labels else self.labels[-1] if self.labels else None

    def _tell(self, batch: Batch, item: Item, found: dict[str, Any] | None) -> None:
        from loghub.github.client import InvalidError

        body = found.get("body") or "" if found else ""
        state = lifecycle.state_of(item.group, batch.ledger_id, body)
        step = lifecycle.next_step(item, found, text.read_state(body), state, reopen=self.reopen)
        try:
            if found is None:
                found = self._create(batch, item)
            elif step.kind != "silent":
                self._update(item, step, found, state)
        except InvalidError as error:
            batch.dead(item, str(error))
            self.say(logging.WARNING, f"{self.destination} refused an issue: {error}")
            return
        if found is None:
            return
        item.memory |= {
            "number": found["number"],
            "issue_url": found["html_url"],
            "status": step.status,
            "edited_at": batch.now(),
        }
        batch.done(item)

    def _wait_for_room(self, batch: Batch, item: Item) -> bool:
        """Put a new bug off while issues_per_hour is used up, without asking GitHub anything."""
        wait = float(batch.memory.get("room_at", 0.0)) - batch.now()
        if not 0 < wait <= 3600:
            return False
        reason = f"more than {self.issues_per_hour} new issues in an hour (issues_per_hour)"
        batch.later(item, reason, wait, failed=False)
        return True

    def _create(self, batch: Batch, item: Item) -> dict[str, Any] | None:
        """Return the new issue; None where there is no room for one in this hour."""
        wait = batch.spend("issues", self.issues_per_hour, 3600)
        if wait:
            batch.memory["room_at"] = batch.now() + wait
            self._wait_for_room(batch, item)
            return None
        draft = self.draft(item, batch.ledger_id)
        made = self.client.create_issue(draft.title, draft.body, draft.labels, self.assignees)
        if draft.labels and not made.get("labels"):
            batch.memory["labels_dropped"] = True  # a token that may not push
        self.say(logging.INFO, f"{self.destination}: opened {made['html_url']}")
        return made

    def _update(self, item: Item, step: Step, found: dict[str, Any], state: text.State) -> None:
        number = found["number"]
        fields: dict[str, Any] = {}
        body = text.splice(found.get("body") or "", text.block(state, item.group))
        if body is not None and body != found.get("body"):
            fields["body"] = body
        if step.kind == "reopen":
            fields |= {"state": "open", "state_reason": "reopened"}
        if step.comment and found.get("comments", 0) < self.comment_limit:
            # First the comment: if its reply is lost, the issue still says the old count, and we look again.
            self._comment_once(number, text.comment(step.comment, state, item.event))
        if fields:
            self.client.edit_issue(number, **fields)
        if step.kind == "reopen":
            self.client.add_labels(number, [lifecycle.REGRESSION_LABEL])

    def _comment_once(self, number: int, comment: str) -> None:
        """Add a comment unless one with the same hidden last line is there (its reply was lost)."""
        marker = comment.rpartition("\n")[2]
        if not any((one.get("body") or "").endswith(marker) for one in self.client.comments(number)):
            self.client.comment(number, comment)


def _repository(owner: object, repo: str | None) -> str | None:
    value = repo if repo is not None else env.read("GITHUB_REPO", "GITHUB_REPOSITORY")
    if value is not None and (not isinstance(value, str) or not _REPO.fullmatch(value)):
        options.refuse(owner, "repo", value, "'owner/name', as in the repository's address")
    return value


def _url(owner: object, name: str, value: object) -> str:
    url = options.text(owner, name, value).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        options.refuse(owner, name, value, "an address that begins with https://")
    return url


def _web(api_url: str) -> str:
    """Return where people read what `api_url` serves."""
    parts = urlsplit(api_url)
    if parts.hostname == "api.github.com":
        return "https://github.com"
    return f"{parts.scheme}://{parts.netloc}"
