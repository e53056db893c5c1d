"""Making a repository's issues say what the ledger's groups say: one `Upkeep` for each batch.

Every step looks at GitHub first and may be repeated: after a lost reply, a crash or a race nothing is replayed, it is
looked at again. What must not be forgotten when the process is killed stands in the destination's memory before the
request leaves: ``look_at`` is when the list has to be read once more, because an issue may have been opened.

Of several issues about one bug the lowest number stays. Whoever sees the others closes them as its duplicates, with
their counts added, unless a person has opened them.
"""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from loghub.errors import DeliveryError
from loghub.event import epoch
from loghub.github import issue as text
from loghub.github import lifecycle, storm
from loghub.github.block import put, read_blocks, read_state, read_states, splice
from loghub.github.client import ForbiddenError, GoneError, InvalidError, NotFoundError
from loghub.github.issue import Draft
from loghub.github.lifecycle import REGRESSION_LABEL, Rules, Step, state_of
from loghub.github.lookup import LAG_SECONDS, STORM, Lookup

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loghub.delivery import Batch
    from loghub.github.block import State
    from loghub.github.client import GitHubClient
    from loghub.ledger.protocol import Item

HOUR_SECONDS = 3600.0
CREATIONS_PER_MINUTE = 20
"""GitHub's own limit for new issues is not documented; about so many were measured, see cli/cli#4801."""

EDITS_PER_HOUR = 240
MAX_COMMENTS = 2_000
"""On one issue, by anybody: at 2,500 GitHub ends commenting for ever, and a person may have something to say."""

_RACE_SECONDS = 5.0  # after which an edit is looked at again, where several ledgers edit one issue
_QUIET_EACH = 20
_DAY = 86_400.0
_MAX_FOLLOWED = 5
_DUPLICATE = re.compile(r"^\s*duplicate of\s+(?:#|https?://\S+/issues/)(\d{1,9})\b", re.IGNORECASE | re.MULTILINE)


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


class Upkeep:
    """The work of one batch.

    Args:
        client: Asks GitHub.
        batch: What is to be told.
        policy: See there.
        say: Logs a line of loghub's own life.
    """

    def __init__(self, client: GitHubClient, batch: Batch, policy: Policy, say: Callable[[int, str], None]) -> None:
        self.client = client
        self.batch = batch
        self.policy = policy
        self.say = say
        self.lookup = Lookup(client, batch.memory, policy.label, batch.renew)
        self._opened: list[tuple[Item, dict[str, Any]]] = []
        self._has_opened = False
        self._pace: dict[str, Any] = {}
        client.resume(batch.shared(policy.pace))
        client.before_write = self._remember

    def run(self) -> None:
        """Tell GitHub all items of the batch, and do what is due besides."""
        try:
            for item in self.batch.items:
                self.batch.renew()
                self._keep(item)
            self._keep_storm()
            self._look_again()
            self._close_quiet()
        except InvalidError as error:  # of a question, not of an item: that is settled where it is told
            raise DeliveryError(str(error)) from error
        finally:
            self._remember()

    def _remember(self) -> None:
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

    # One bug

    def _keep(self, item: Item) -> None:
        found = self._known(item)
        if found is None:
            if self._wait_for_room(item):
                return
            self.lookup.refresh()
            found = self._listed(item)
        if found is None:
            self._open(item)
        else:
            self._tell(item, found)

    def _known(self, item: Item) -> dict[str, Any] | None:
        """Return the issue whose number is remembered, as it is now, unless it is gone."""
        if linked := item.memory.get("link_to"):
            return self._linked(item, linked)
        at = item.memory.get("at") or item.memory.get("number")
        found = self._read(at) if at else None
        if found is None:
            item.memory.pop("at", None)
            item.memory.pop("number", None)
            return self._listed(item)
        if found["number"] != item.memory.get("number"):  # transferred
            self.lookup.forget(item.memory["number"])
            item.memory["at"] = found["url"]
        elif "at" not in item.memory:
            self.lookup.note(found)
        return found

    def _listed(self, item: Item) -> dict[str, Any] | None:
        """Return the issue that the list showed for this bug."""
        number = self.lookup.number(item.group.fingerprint)
        if number is None:
            return None
        found = self._read(number)
        if found is None or found["number"] != number:
            self.lookup.forget(number)
            return self._listed(item)
        self.lookup.note(found)
        return found if self.lookup.number(item.group.fingerprint) == number else self._listed(item)

    def _read(self, at: int | str) -> dict[str, Any] | None:
        """Return an issue just before it may be edited; None if it is gone."""
        self.client.wait_to_write()
        try:
            found = self.client.issue(at)
        except (GoneError, NotFoundError):
            if not isinstance(at, str):
                self.lookup.forget(at)
            return None
        return None if "pull_request" in found else found

    def _linked(self, item: Item, number: int) -> dict[str, Any] | None:
        """Return the issue that a person has linked; what was ours becomes its duplicate."""
        found = self._read(number)
        if found is None:
            self.say(logging.WARNING, f"{self.batch.destination}: there is no issue #{number} to link to.")
            item.memory.pop("link_to")
            return self._known(item)
        fingerprint = item.group.fingerprint
        old = item.memory.get("number") or self.lookup.number(fingerprint)
        item.memory.pop("at", None)
        item.memory |= {"number": number, "adopted": True}
        state = replace(state_of(item.group, self.batch.ledger_id, found.get("body")), duplicate_of=None, quiet=False)
        body = splice(found.get("body") or "", state)
        fields = {} if body is None or body == found.get("body") else {"body": body}
        if found["state"] == "closed" and found.get("state_reason") == "duplicate":  # of ours, as was said before
            fields |= {"state": "open", "state_reason": "reopened"}
        if fields:
            self.lookup.note(self.client.edit_issue(number, **fields))
        if old and old != number:
            self._merge(fingerprint, old, number, linked=True)
        item.memory.pop("link_to")
        return self._read(number)

    def _tell(self, item: Item, found: dict[str, Any]) -> None:
        found, step = self._decide(item, found)
        if step.kind == "create":
            item.memory.pop("number", None)
            self._open(item)
            return
        try:
            if step.kind != "silent" and not self._update(item, step, found):
                return
        except InvalidError as error:
            self.batch.dead(item, str(error))
            self.say(logging.WARNING, f"{self.batch.destination} refused an issue: {error}")
            return
        except ForbiddenError as error:
            if error.permission:
                raise
            self.batch.later(item, str(error), HOUR_SECONDS, failed=False)  # this one issue is not ours to edit
            return
        self._settle(item, found, step.status)

    def _settle(self, item: Item, found: dict[str, Any], status: str) -> None:
        item.memory |= {
            "number": found["number"],
            "issue_url": found["html_url"],
            "status": status,
            "edited_at": self.batch.now(),
        }
        self.batch.done(item)

    def _decide(self, item: Item, found: dict[str, Any]) -> tuple[dict[str, Any], Step]:
        """Return what to do, and about which issue: a duplicate leads to another."""
        for _ in range(_MAX_FOLLOWED):
            now = self.batch.now()
            if lifecycle.mute_label(found):
                item.memory.setdefault("muted_at", min(now, epoch(found.get("updated_at")) or now))
            else:
                item.memory.pop("muted_at", None)
            step = lifecycle.next_step(item, found, self.batch.ledger_id, now, self.policy.rules)
            if step.kind != "follow":
                return found, step
            number = self._original(item, found)
            if number is None:
                break
            original = self._read(number)
            if original is None:  # it was deleted, or moved to where this token may not look
                return found, Step("create")
            found = original
            item.memory.pop("at", None)
            item.memory |= {"number": found["number"], "adopted": not self.lookup.is_ours(found)}
        return found, Step("silent", "muted")

    def _original(self, item: Item, found: dict[str, Any]) -> int | None:
        """Return the number of the issue that `found` is a duplicate of, if that is said."""
        said = read_state(found.get("body"), item.group.fingerprint)
        if said is not None and said.duplicate_of:
            return said.duplicate_of
        at = item.memory.get("at") or found["number"]
        named = [read[-1] for one in self.client.comments(at) if (read := _DUPLICATE.findall(one.get("body") or ""))]
        return int(named[-1]) if named else None

    def _update(self, item: Item, step: Step, found: dict[str, Any]) -> bool:
        """Bring an issue up to date; False if that has to wait."""
        at = item.memory.get("at") or found["number"]
        if step.comment and self._comment(item, step, found, at):
            self.client.wait_to_write()
            found = self.client.issue(at)  # somebody may have edited it meanwhile
        if step.comment == "regression":
            self.client.add_labels(at, [REGRESSION_LABEL])
        state = state_of(item.group, self.batch.ledger_id, found.get("body"))
        if step.kind == "reopen" or found["state"] == "open":
            state = replace(state, quiet=False)
        fields: dict[str, Any] = {}
        body = splice(found.get("body") or "", state)
        if body is not None and body != found.get("body"):
            fields["body"] = body
        if step.kind == "reopen":
            fields |= {"state": "open", "state_reason": "reopened"}
        elif fields and (wait := self.batch.spend("edits", EDITS_PER_HOUR, HOUR_SECONDS)):
            self.batch.later(item, f"more than {EDITS_PER_HOUR} edits of issues in an hour", wait, failed=False)
            return False
        if fields:
            edited = self.client.edit_issue(at, **fields)
            if isinstance(at, int):
                self.lookup.note(edited)
            if len(state.counts) > 1:  # another ledger may have written between our look and our edit
                self._look_by(_RACE_SECONDS)
        item.memory["said"] = state.counts[self.batch.ledger_id]
        self._mark(item, step, at)
        return True

    def _mark(self, item: Item, step: Step, at: int | str) -> None:
        """Set the label by which an issue of a person is found, and take away that of a silence that is over."""
        adopted = item.memory.get("adopted") and self.policy.label
        with contextlib.suppress(ForbiddenError, NotFoundError):  # no right to set labels; it is gone already
            if adopted:
                self.client.add_labels(at, [adopted])
            if step.unlabel:
                self.client.remove_label(at, step.unlabel)
                item.memory.pop("muted_at", None)
        item.memory.pop("adopted", None)

    def _comment(self, item: Item, step: Step, found: dict[str, Any], at: int | str) -> bool:
        """Add the step's comment, unless it is there (its reply was lost) or there are too many; True if added."""
        assert step.comment is not None
        if found.get("locked") or not self._may_comment(found, at):
            return False
        state = state_of(item.group, self.batch.ledger_id, found.get("body"))
        comment = text.comment(step.comment, state, item.event, step.release)
        marker = comment.rpartition("\n")[2]
        # A regression of the same release may come again after the next closing.
        since = epoch(found.get("closed_at")) if step.kind == "reopen" else None
        there = self.client.comments(at, since) if found.get("comments") else ()
        if any((one.get("body") or "").endswith(marker) for one in there):
            return False
        try:
            self.client.comment(at, comment)
        except ForbiddenError as error:
            if error.permission:
                raise
            return False
        return True

    def _may_comment(self, found: dict[str, Any], at: int | str) -> bool:
        total = found.get("comments", 0)
        if total < self.policy.comment_limit:
            return True
        if total >= MAX_COMMENTS or not self.policy.comment_limit:
            return False
        ours = sum("\n<!-- loghub:comment " in (one.get("body") or "") for one in self.client.comments(at))
        return ours < self.policy.comment_limit

    # New issues

    def _wait_for_room(self, item: Item) -> bool:
        """Put a new bug off while no issue may be opened, without asking GitHub anything."""
        wait = float(self.batch.memory.get("room_at", 0.0)) - self.batch.now()
        if not 0 < wait <= HOUR_SECONDS:
            return False
        self.batch.later(item, str(self.batch.memory.get("room_why") or "no room"), wait, failed=False)
        return True

    def _has_room(self) -> bool:
        """Take room for one new issue from the budgets."""
        memory, limit = self.batch.memory, self.policy.issues_per_hour
        wait = self.batch.spend("creations", CREATIONS_PER_MINUTE, 60)
        why = f"more than {CREATIONS_PER_MINUTE} new issues in a minute"
        if not wait:
            wait = self.batch.spend("issues", limit, HOUR_SECONDS)
            why = f"more than {limit} new issues in an hour (issues_per_hour)"
            if wait:
                memory.setdefault("storm_at", self.batch.now())
        if wait:
            memory |= {"room_at": self.batch.now() + wait, "room_why": why}
        return not wait

    def _open(self, item: Item) -> None:
        if self._wait_for_room(item):
            return
        if not self._has_room():
            self._wait_for_room(item)
            return
        draft = self.policy.draft(item)
        try:
            made = self._create(draft)
        except InvalidError as error:
            self.batch.dead(item, str(error))
            self.say(logging.WARNING, f"{self.batch.destination} refused an issue: {error}")
            return
        item.memory["said"] = item.group.count
        self._opened.append((item, made))
        self.say(logging.INFO, f"{self.batch.destination}: opened {made['html_url']}")

    def _create(self, draft: Draft) -> dict[str, Any]:
        """Open an issue; from before it is asked for until the list was read again, it may be there twice."""
        self._look_by(0.0)
        self.lookup.fresh = False
        self._has_opened = True
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
        self.lookup.note(made)
        return made

    # Looking again

    def _look_by(self, seconds: float) -> None:
        """See that the list is read once more, at the latest in so many seconds."""
        due_at = self.batch.now() + seconds
        self.batch.memory["look_at"] = min(due_at, float(self.batch.memory.get("look_at", due_at)))

    def _look_again(self) -> None:
        """Read what has changed if that is due, and mend what is there twice or was overwritten."""
        if float(self.batch.memory.get("look_at", "inf")) <= self.batch.now():
            self.lookup.fresh = False
            self.lookup.refresh()
            shown = {one: counts.get(self.batch.ledger_id, 0) for one, counts in self.lookup.shown.items()}
            for fingerprint, lowest, others in self.lookup.doubles():
                for number in others:
                    self.batch.renew()
                    self._merge(fingerprint, number, lowest)
                shown[fingerprint] = -1  # its issue may have been closed meanwhile: look at it again
            self.batch.remind(shown)
            self.batch.memory.pop("look_at")
            if self._has_opened:
                self._look_by(LAG_SECONDS)  # what was opened elsewhere at that time may not be in the list yet
        for item, made in self._opened:
            stays = self.lookup.number(item.group.fingerprint) == made["number"]
            self._settle(item, (None if stays else self._listed(item)) or made, "open")

    def _merge(self, fingerprint: str, number: int, lowest: int, *, linked: bool = False) -> None:
        """Close the issue `number` as a duplicate of `lowest`, which takes over what it has counted.

        `linked`: a person has said that it is one.
        """
        kept, other = self._read(lowest), self._read(number)
        if kept is None or other is None or kept["number"] != lowest or other["number"] != number:
            return
        by_us = self.lookup.is_by_us(other)
        if not (by_us or linked):
            return  # a person's, who quotes what he has read
        body = kept.get("body") or ""
        own = [(state, block) for state, block in read_blocks(other.get("body")) if _is_about(state, fingerprint)]
        for state, block in own:
            body = _added(body, state, block) or body
        if body != kept.get("body"):
            self.client.edit_issue(lowest, body=body)
            other = self._read(number)
        if other is None:
            return
        fields: dict[str, Any] = {}
        marked = other.get("body") or ""
        for state, _ in own:
            marked = splice(marked, replace(state, duplicate_of=lowest)) or marked
        if marked != other.get("body"):
            fields["body"] = marked
        if by_us and other["state"] == "open":
            fields |= {"state": "closed", "state_reason": "duplicate", "duplicate_issue_id": kept["id"]}
        if fields:
            self.lookup.note(self.client.edit_issue(number, **fields))
            self.say(logging.INFO, f"{self.batch.destination}: closed #{number} as a duplicate of #{lowest}")

    # The storm

    def _keep_storm(self) -> None:
        """Open the storm issue, bring it up to date, or close it, where one of these is due."""
        memory, now = self.batch.memory, self.batch.now()
        if float(memory.get("storm_at", "inf")) > now:
            return
        waiting = [
            item
            for item in self.batch.waiting()
            if not item.memory.get("number") and self.lookup.number(item.group.fingerprint) is None
        ]
        about = storm.state(self.batch.ledger_id, waiting, now)
        new_block = storm.block(about, waiting)
        self.lookup.refresh()
        number = self.lookup.number(about.fingerprint)
        found = self._read(number) if number else None
        lasts = False
        if found is not None:
            lasts = self._update_storm(found, about, new_block)
        elif waiting:
            body = storm.body(new_block, self.policy.issues_per_hour)
            self._create(Draft(storm.TITLE, body, self.policy.labels))
        memory.pop("storm_at")
        if waiting:
            memory["storm_at"] = now + storm.EDIT_SECONDS
        elif lasts:
            memory["storm_at"] = now + _DAY  # its ledger may be gone: somebody has to close it

    def _update_storm(self, found: dict[str, Any], about: State, new_block: str) -> bool:
        """Bring the storm issue up to date; True if the storm goes on, here or elsewhere."""
        muted = not lifecycle.MUTE_LABELS.isdisjoint(lifecycle.label_names(found))
        if muted or found.get("state_reason") in ("not_planned", "duplicate"):
            return False
        fields: dict[str, Any] = {}
        body = put(found.get("body") or "", new_block)
        if body is not None and body != found.get("body"):
            fields["body"] = body
        others = [one for one in read_states(found.get("body")) if one.fingerprint != about.fingerprint]
        # A ledger that has said nothing for a day is gone.
        lasts = bool(about.count or any(one.count and one.last_seen_at > about.last_seen_at - _DAY for one in others))
        if lasts and found["state"] == "closed":
            fields |= {"state": "open", "state_reason": "reopened"}
        elif not lasts and found["state"] == "open":
            fields |= {"state": "closed", "state_reason": "completed"}
        if fields:
            self.lookup.note(self.client.edit_issue(found["number"], **fields))
        return lasts

    # What has been silent

    def _close_quiet(self) -> None:
        """Close the issues of bugs that nobody has seen for quiet_close_days, a few at a time."""
        memory, now = self.batch.memory, self.batch.now()
        if self.policy.quiet_close_days is None:
            memory.pop("quiet_at", None)
            return
        if float(memory.get("quiet_at", 0.0)) > now:
            return
        before = now - self.policy.quiet_close_days * _DAY
        open_ones = [item for item in self.batch.told(before) if item.memory.get("number")]
        for item in open_ones[:_QUIET_EACH]:
            self.batch.renew()
            self._close_if_quiet(item, before)
        memory["quiet_at"] = now + HOUR_SECONDS

    def _close_if_quiet(self, item: Item, before: float) -> None:
        at = item.memory.get("at") or item.memory["number"]
        found = self._read(at)
        said = read_state(found.get("body"), item.group.fingerprint) if found else None
        if found is None or said is None or found["state"] != "open":
            item.memory["status"] = "resolved"  # somebody was first
        elif not self.lookup.is_by_us(found):
            item.memory["theirs"] = True  # a person's: it is his to close
        elif said.last_seen_at < before:  # else another ledger has seen it
            body = splice(found.get("body") or "", replace(said, quiet=True))
            fields = {"state": "closed", "state_reason": "completed"} | ({"body": body} if body else {})
            self.client.edit_issue(at, **fields)
            item.memory["status"] = "resolved"
        self.batch.done(item)


def _is_about(state: State, fingerprint: str) -> bool:
    return state.fingerprint == fingerprint or (fingerprint == STORM and state.fingerprint.startswith(f"{STORM}:"))


def _added(body: str, state: State, block: str) -> str | None:
    """Return a body whose block of this bug says also what `state` says."""
    said = read_state(body, state.fingerprint)
    if said is not None and not state.fingerprint.startswith(f"{STORM}:"):
        return splice(body, said.merge(state))
    newer = said is None or state.last_seen_at > said.last_seen_at
    return put(body, block) if newer else body
