"""Making a repository's issues say what the ledger's groups say: one `Upkeep` for each batch.

Every step looks at GitHub first and may be repeated: after a lost reply, a crash or a race nothing is replayed, it is
looked at again.
"""

from __future__ import annotations

import contextlib
import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from loghub.errors import DeliveryError
from loghub.event import epoch
from loghub.github import issue as text
from loghub.github import lifecycle, storm
from loghub.github.block import read_state, splice
from loghub.github.doubles import end_doubles, merge
from loghub.github.failures import BadTokenError, ForbiddenError, InvalidError, NotFoundError, RateLimitedError
from loghub.github.lifecycle import REGRESSION_LABEL, Step, state_of
from loghub.github.silence import close_quiet
from loghub.github.visit import HOUR_SECONDS

if TYPE_CHECKING:
    from loghub.github.visit import Visit
    from loghub.ledger.protocol import Item

CREATIONS_PER_MINUTE = 20
"""GitHub's own limit for new issues is not documented; about so many were measured, see cli/cli#4801."""

EDITS_PER_HOUR = 240
MAX_COMMENTS = 2_000
"""On one issue, by anybody: at 2,500 GitHub ends commenting for ever, and a person may have something to say."""

_RACE_SECONDS = 12.0  # after which an edit is looked at again: GitHub ends the request of another after ten
_MAX_FOLLOWED = 5
_DATE_SECONDS = 5.0  # a reply's Date has whole seconds, and was under way
_DUPLICATE = re.compile(
    r"^[ \t]*duplicate of[ \t]+(?:#|(https?://\S{1,200}/issues)/)(\d{1,9})\b", re.IGNORECASE | re.MULTILINE
)
_PEOPLE = ("OWNER", "MEMBER", "COLLABORATOR")


class Upkeep:
    """The work of one batch.

    Args:
        visit: Where it is done.
    """

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.client = visit.client
        self.batch = visit.batch
        self.policy = visit.policy
        self.lookup = visit.lookup
        self._opened: list[tuple[Item, dict[str, Any]]] = []

    def run(self) -> None:
        """Tell GitHub all items of the batch, and do what is due besides."""
        try:
            for item in self.batch.items:
                self.batch.renew()
                self._keep(item)
            storm.keep(self.visit)
            end_doubles(self.visit)
            for item, made in self._opened:
                stays = self.lookup.number(item.group.fingerprint) == made["number"]
                self._settle(item, (None if stays else self._listed(item)) or made, "open")
            close_quiet(self.visit)
            for item in self.batch.unsettled:  # else it would count as told
                self.batch.later(item, "it was passed over", HOUR_SECONDS)
        except InvalidError as error:  # of a question, not of an item: that is settled where it is told
            raise DeliveryError(str(error)) from error
        finally:
            self.visit.remember()

    # One bug

    def _keep(self, item: Item) -> None:
        found = self._linked(item, linked) if (linked := item.memory.get("link_to")) else self._known(item)
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
        """Return the issue that is remembered, as it is now, unless it is gone."""
        at = item.memory.get("at") or item.memory.get("number")
        found = self.visit.read(at) if at else None
        if found is None or not self._is_it(item, found):
            item.memory.pop("at", None)
            item.memory.pop("number", None)
            return self._listed(item)
        self._note(item, found)
        return found

    def _is_it(self, item: Item, found: dict[str, Any]) -> bool:
        """Return whether an issue is the one that was remembered, and no other one that got its number."""
        return read_state(found.get("body"), item.group.fingerprint) is not None or self.lookup.is_ours(found)

    def _note(self, item: Item, found: dict[str, Any]) -> None:
        """Remember where the issue of a bug is."""
        item.memory["number"] = found["number"]
        item.memory.pop("at", None)
        if self.visit.is_here(found):
            self.lookup.note(found)
        else:
            item.memory["at"] = found["address"]

    def _listed(self, item: Item) -> dict[str, Any] | None:
        """Return the issue that the list showed for this bug."""
        number = self.lookup.number(item.group.fingerprint)
        if number is None:
            return None
        found = self.visit.read(number)
        if found is None or not self.visit.is_here(found):
            self.lookup.forget(number)
            return self._listed(item)
        self.lookup.note(found)
        return found if self.lookup.number(item.group.fingerprint) == number else self._listed(item)

    def _linked(self, item: Item, number: int) -> dict[str, Any] | None:
        """Return the issue that a person has linked; what was ours becomes its duplicate."""
        found = self.visit.read(number)
        if found is None:
            self.visit.say(logging.WARNING, f"{self.batch.destination}: there is no issue #{number} to link to.")
            item.memory.pop("link_to")
            return self._known(item)
        fingerprint = item.group.fingerprint
        old = item.memory.get("at") or item.memory.get("number") or self.lookup.number(fingerprint)
        state = replace(state_of(item.group, self.batch.ledger_id, found.get("body")), duplicate_of=None, quiet=False)
        body = splice(found.get("body") or "", state)
        fields = {} if body is None or body == found.get("body") else {"body": body}
        if found["state"] == "closed" and found.get("state_reason") == "duplicate":  # of ours, as was said before
            fields |= {"state": "open", "state_reason": "reopened"}
        if fields:
            self.visit.edit(found, **fields)
        if old and old != number:
            merge(self.visit, fingerprint, old, number, linked=True)
        # Only now: until then another try has to know what was ours.
        self._note(item, found)
        item.memory["adopted"] = True
        item.memory.pop("link_to")
        return self.visit.read(found["address"])

    def _tell(self, item: Item, found: dict[str, Any]) -> None:
        try:
            found, step = self._decide(item, found)
            if step.kind == "create":
                self._open_instead(item, found)
                return
            if step.kind != "silent" and not self._update(item, step, found):
                return
        except InvalidError as error:
            self.batch.dead(item, str(error))
            self.visit.say(logging.WARNING, f"{self.batch.destination} refused an issue: {error}")
            return
        except ForbiddenError as error:
            if error.permission:
                raise
            self.batch.later(item, str(error), HOUR_SECONDS, failed=False)  # this one issue is not ours to edit
            return
        self._settle(item, found, step.status)

    def _open_instead(self, item: Item, gone: dict[str, Any]) -> None:
        """Open an issue in place of one that leads nowhere, unless that was done already."""
        item.memory.pop("number", None)
        item.memory.pop("at", None)
        self.lookup.refresh()
        other = self._listed(item)
        if other is None or other["address"] == gone["address"]:
            self._open(item)
        else:
            self._tell(item, other)

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
            ahead = self.client.ahead if abs(self.client.ahead) > _DATE_SECONDS else 0.0
            rules = replace(self.policy.rules, ahead=ahead)
            step = lifecycle.next_step(item, found, self.batch.ledger_id, now, rules)
            if step.kind != "follow":
                return found, step
            at = self._original(item, found)
            if at is None:
                break
            original = self.visit.read(at)
            if original is None:  # it was deleted, or moved to where this token may not look
                return found, Step("create")
            found = original
            self._note(item, found)
            item.memory["adopted"] = not self.lookup.is_ours(found)
        return found, Step("silent", "muted")

    def _original(self, item: Item, found: dict[str, Any]) -> int | str | None:
        """Return where the issue is that `found` is a duplicate of, if that is said."""
        said = read_state(found.get("body"), item.group.fingerprint)
        number = (said and said.duplicate_of) or self._named(found)
        if not number or self.visit.is_here(found):
            return number or None
        return f"{found['repository_url']}/issues/{number}"

    def _named(self, found: dict[str, Any]) -> int:
        """Return the number in the last comment that says ``Duplicate of #n``; the repository's people count first."""
        own = found["html_url"].rpartition("/")[0].lower()
        closed_by = (found.get("closed_by") or {}).get("login")
        named: dict[bool, int] = {}
        for one in self.client.comments(found["address"]):
            for url, number in _DUPLICATE.findall(one.get("body") or ""):
                if not url or url.lower().rstrip("/") == own:
                    trusted = (
                        one.get("author_association") in _PEOPLE or (one.get("user") or {}).get("login") == closed_by
                    )
                    named[trusted] = int(number)
        return named.get(True) or named.get(False) or 0

    def _update(self, item: Item, step: Step, found: dict[str, Any]) -> bool:
        """Bring an issue up to date; False if that has to wait."""
        at = found["address"]
        if step.comment:
            self._comment(item, step, found)
        if step.comment == "regression":
            with contextlib.suppress(ForbiddenError, NotFoundError):  # no right to set labels
                self.client.add_labels(at, [REGRESSION_LABEL])
        self.client.wait_to_write()
        fresh = self.client.issue(at)  # git and GitHub were asked meanwhile: people may have been at it
        if _state_and_labels(fresh) != _state_and_labels(found):
            self._tell(item, fresh)
            return False
        return self._edit(item, step, fresh)

    def _edit(self, item: Item, step: Step, found: dict[str, Any]) -> bool:
        state = state_of(item.group, self.batch.ledger_id, found.get("body"))
        if step.kind == "reopen" or found["state"] == "open":
            state = replace(state, quiet=False, duplicate_of=None)
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
            self.visit.edit(found, **fields)
            self.visit.look_by(_RACE_SECONDS)  # another ledger may have read before our edit, and write after it
        item.memory["said"] = state.counts[self.batch.ledger_id]
        self._mark(item, step, found["address"])
        return True

    def _mark(self, item: Item, step: Step, at: int | str) -> None:
        """Set the label by which an issue of a person is found, and take away that of a silence that is over."""
        adopted = item.memory.get("adopted") and self.policy.label
        try:
            if adopted:
                self.client.add_labels(at, [adopted])
            if step.unlabel:
                self.client.remove_label(at, step.unlabel)
                item.memory.pop("muted_at", None)
        except (BadTokenError, RateLimitedError):
            raise
        except DeliveryError:  # no right to set labels, or it is gone already: nothing depends on it
            pass
        item.memory.pop("adopted", None)

    def _comment(self, item: Item, step: Step, found: dict[str, Any]) -> None:
        """Add the step's comment, unless it is there (its reply was lost) or there are too many."""
        at = found["address"]
        assert step.comment is not None
        if found.get("locked") or not self._may_comment(found):
            return
        state = state_of(item.group, self.batch.ledger_id, found.get("body"))
        comment = text.comment(step.comment, state, item.event, step.release)
        marker = comment.rpartition("\n")[2]
        # A regression of the same release may come again after the next closing.
        since = epoch(found.get("closed_at")) if step.kind == "reopen" else None
        there = self.client.comments(at, since) if found.get("comments") else ()
        if any((one.get("body") or "").endswith(marker) for one in there):
            return
        try:
            self.client.comment(at, comment)
        except ForbiddenError as error:
            if error.permission:
                raise

    def _may_comment(self, found: dict[str, Any]) -> bool:
        total = found.get("comments", 0)
        if total < self.policy.comment_limit:
            return True
        if total >= MAX_COMMENTS or not self.policy.comment_limit:
            return False
        comments = self.client.comments(found["address"])
        ours = sum("\n<!-- loghub:comment " in (one.get("body") or "") for one in comments)
        return ours < self.policy.comment_limit

    # New issues

    def _wait_for_room(self, item: Item) -> bool:
        """Put a new bug off while no issue may be opened, without asking GitHub anything."""
        wait = float(self.batch.memory.get("room_at", 0.0)) - self.batch.now()
        if not 0 < wait <= HOUR_SECONDS or self._has_room(item):
            return False
        self.batch.later(item, str(self.batch.memory.get("room_why") or "no room"), wait, failed=False)
        return True

    def _has_room(self, item: Item) -> bool:
        """Return whether room was taken for this bug already, and the attempt failed."""
        return 0 <= self.batch.now() - float(item.memory.get("room_at", -HOUR_SECONDS)) < HOUR_SECONDS

    def _take_room(self, item: Item) -> bool:
        """Take room for one new issue from the budgets; where there is none, put it off."""
        memory, limit = self.batch.memory, self.policy.issues_per_hour
        wait = self.batch.spend("creations", CREATIONS_PER_MINUTE, 60)
        why = f"more than {CREATIONS_PER_MINUTE} new issues in a minute"
        if not wait and not self._has_room(item):
            wait = self.batch.spend("issues", limit, HOUR_SECONDS)
            why = f"more than {limit} new issues in an hour (issues_per_hour)"
            if wait and not memory.get("storming"):
                memory["storm_at"] = self.batch.now()
        if wait:
            memory |= {"room_at": self.batch.now() + wait, "room_why": why}
            self.batch.later(item, why, min(wait, HOUR_SECONDS), failed=False)
            return False
        item.memory["room_at"] = self.batch.now()
        return True

    def _open(self, item: Item) -> None:
        if self._wait_for_room(item) or not self._take_room(item):
            return
        try:
            made = self.visit.create(self.policy.draft(item))
        except InvalidError as error:
            self.batch.dead(item, str(error))
            self.visit.say(logging.WARNING, f"{self.batch.destination} refused an issue: {error}")
            return
        item.memory.pop("room_at", None)
        item.memory["said"] = item.group.own
        self._opened.append((item, made))
        self.visit.say(logging.INFO, f"{self.batch.destination}: opened {made['html_url']}")


def _state_and_labels(found: dict[str, Any]) -> tuple[str, set[str]]:
    return found["state"], set(lifecycle.label_names(found)) - {REGRESSION_LABEL}
