"""One visit at a repository: what a batch needs to look at issues, and what the next visit has to know.

What must not be forgotten when the process is killed stands in the destination's memory before a request leaves:
``look_at`` is when the list has to be read once more, because an issue may have been opened; ``quiet_at`` and
``storm_at`` are when silent issues and the storm issue are due.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loghub.github.client import number_of
from loghub.github.failures import GoneError, InvalidError, NotFoundError
from loghub.github.lifecycle import Rules
from loghub.github.lookup import Lookup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loghub.delivery.batch import Batch
    from loghub.github.client import GitHubClient
    from loghub.github.issue import Draft
    from loghub.ledger.protocol import Item

DAY_SECONDS = 86_400.0
HOUR_SECONDS = 3600.0


@dataclass(frozen=True)
class Policy:
    """What the handler's options say.

    Attributes:
        draft: Makes the issue of a new bug.
        label: What marks our issues.
        labels: Of the storm issue.
        comment_limit: The most comments of ours on one issue.
        issues_per_hour: The most new issues; the others wait.
        quiet_close_days: Issues that were silent for so long are closed; None: never.
        rules: Of an issue's life.
        pace: Under which name all who use this token keep its limits.
    """

    draft: Callable[[Item], Draft]
    label: str | None
    labels: Sequence[str]
    comment_limit: int = 50
    issues_per_hour: int = 60
    quiet_close_days: float | None = None
    rules: Rules = field(default_factory=Rules)
    pace: str = "github"


class Visit:
    """A batch at a repository.

    Args:
        client: Asks GitHub.
        batch: What is to be told.
        policy: See there.
        say: Logs a line of loghub's own life.

    Attributes:
        lookup: Which issue is about which bug.
        has_created: Whether an issue was opened, or may have been.
    """

    def __init__(self, client: GitHubClient, batch: Batch, policy: Policy, say: Callable[[int, str], None]) -> None:
        self.client = client
        self.batch = batch
        self.policy = policy
        self.say = say
        self.lookup = Lookup(client, batch.memory, policy.label, batch.renew)
        self.has_created = False
        self._pace: dict[str, Any] = {}
        self._mend()
        client.resume(batch.shared(policy.pace))
        client.before_write = self.remember

    def _mend(self) -> None:
        """Leave out what is damaged in the destination's memory, and times that only a wrong clock can have set."""
        memory, now = self.batch.memory, self.batch.now()
        for name in ("look_at", "quiet_at", "storm_at", "room_at", "since"):
            if name in memory:
                at = number_of(memory[name], -1.0)
                if at < 0 or (at > now + 2 * DAY_SECONDS and name != "since"):  # that is GitHub's time
                    del memory[name]

    def remember(self) -> None:
        """Write down what the next process must know, before this one can be killed."""
        if self._pace != (pace := self.client.pace()):
            self.batch.share(self.policy.pace, pace)
            self._pace = pace
        memory = self.batch.memory
        times = [memory[name] for name in ("look_at", "quiet_at", "storm_at") if name in memory]
        memory.pop("wake_at", None)
        if times:
            memory["wake_at"] = min(times)
        self.batch.save_memory()

    def read(self, at: int | str) -> dict[str, Any] | None:
        """Return an issue just before it may be edited, at its ``address``; None if it is gone.

        Args:
            at: Its number, or its URL in the API.
        """
        self.client.wait_to_write()
        try:
            found = self.client.issue(at)
        except (GoneError, NotFoundError):
            # A token that may not look any more gets the same answer as everybody who asks for what was deleted.
            if self.client.repository().get("has_issues") is False:
                raise
            found = {}
        if not found or not self.is_here(found):
            self.lookup.forget(at)
        return None if not found or "pull_request" in found else found

    def is_here(self, found: dict[str, Any]) -> bool:
        """Return whether an issue is in this repository, and was not transferred to another."""
        here = self.batch.memory.get("repository")
        return not isinstance(found["address"], str) or (here is not None and found.get("repository_url") == here)

    def edit(self, found: dict[str, Any], **fields: Any) -> None:
        """Edit an issue where it is."""
        edited = self.client.edit_issue(found["address"], **fields)
        if self.is_here(found):
            self.lookup.note(edited)

    def create(self, draft: Draft) -> dict[str, Any]:
        """Open an issue; from before it is asked for until the list was read again, it may be there twice."""
        self.look_by(0.0)
        self.lookup.fresh = False
        self.has_created = True
        memory, people = self.batch.memory, list(draft.assignees)
        if people == memory.get("unassignable"):
            people = []
        try:
            made = self.client.create_issue(draft.title, draft.body, draft.labels, people)
        except InvalidError as error:
            if not people:
                raise
            self.say(logging.WARNING, f"{self.batch.destination}: opened without assignees: {error}")
            made = self.client.create_issue(draft.title, draft.body, draft.labels)
            memory["unassignable"] = people
        memory["login"] = str((made.get("user") or {}).get("login") or "")
        memory["repository"] = made.get("repository_url")
        self.lookup.note(made)
        return made

    def look_by(self, seconds: float) -> None:
        """See that the list is read once more, at the latest in so many seconds."""
        due_at = self.batch.now() + seconds
        self.batch.memory["look_at"] = min(due_at, float(self.batch.memory.get("look_at", due_at)))
