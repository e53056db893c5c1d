"""Which issue is about which bug: found by reading the list of issues, never by search.

GitHub's search has an index that lags by minutes and knows nothing of a new issue; the list is what is there. All of it
is read once in a ledger's life, afterwards what has changed since. A new issue may be missing from the list for a
while, too: so what has changed in the last quarter of an hour is read again each time.

What is found is kept in the destination's memory, shared by all processes of the ledger:

``issues``
    By fingerprint, the numbers of the issues that have its block, and how each stands: ``open``, ``closed`` or
    ``duplicate``. All storm issues are under `STORM`.
``since``, ``etag``
    Up to when the list was read (epoch seconds), and its ETag: a list that has not changed costs nothing.
``every_label``
    The repository's labels tell nothing: this token may not set them, or somebody has renamed ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loghub.errors import DeliveryError
from loghub.event import epoch
from loghub.github import lifecycle
from loghub.github.block import BEGIN, read_states
from loghub.github.failures import BadTokenError, ForbiddenError, NotFoundError, RateLimitedError
from loghub.github.issue import HEADING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loghub.github.client import GitHubClient

STORM = "storm"
"""Stands for the fingerprints of all blocks that list what waits."""

LAG_SECONDS = 900.0
"""How long a new issue may be missing from the list; reported were 8 minutes."""


class Lookup:
    """The issues that have blocks of ours.

    Args:
        client: Asks.
        memory: The destination's.
        label: What marks our issues; None if they have no labels.
        renew: Called between pages.
    """

    def __init__(
        self, client: GitHubClient, memory: dict[str, Any], label: str | None, renew: Callable[[], None]
    ) -> None:
        self._client = client
        self._memory = memory
        self._issues = _issues_in(memory)
        self._label = label
        self._renew = renew
        self.shown: dict[str, dict[str, int]] = {}
        """By fingerprint, the counts in the issues that were read lately."""
        self._whose: dict[str, set[str]] = {}  # by number, the fingerprints of its blocks
        for fingerprint, numbers in self._issues.items():
            for number in numbers:
                self._whose.setdefault(number, set()).add(fingerprint)
        self.fresh = False
        """Whether the list was read since somebody said that it may have changed."""

    def refresh(self) -> None:
        """Read what has changed in the list, unless it is fresh."""
        while not self.fresh:
            before = self._memory.get("since")
            trusting = self._trusts_labels
            newest = self._read(before)
            if before is None and self._trusts_labels:
                self._look_without_label()
            if trusting == self._trusts_labels:
                since = max(newest - LAG_SECONDS, before or 0.0)
                self._memory["since"] = since
                self._memory["etag"] = self._client.etag if since == before else ""
                self.fresh = True

    @property
    def _trusts_labels(self) -> bool:
        return self._label is not None and not self._memory.get("every_label")

    def _read(self, since: float | None) -> float:
        """Read the list, and return when the newest in it was changed."""
        newest = 0.0
        label = self._label if self._trusts_labels else None
        for one in self._paced(self._client.issues(label, since, etag=self._memory.get("etag") or "")):
            self.note(one)
            self._memory["repository"] = one.get("repository_url")
            newest = max(newest, epoch(one.get("updated_at")) or 0.0)
        return newest

    def _look_without_label(self) -> None:
        """Look for issues of ours whose label is gone, once in a ledger's life."""
        if login := self.login():
            for one in self._paced(self._client.issues(creator=login)):
                self.note(one)  # distrusts labels if it finds one

    def _paced(self, issues: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Renew the right to ask now and then, about once for each page."""
        for number, one in enumerate(issues):
            if number % 100 == 0:
                self._renew()
            yield one

    def _distrust_labels(self) -> None:
        """Read the whole list, and from now on whatever label an issue has."""
        self._memory["every_label"] = True
        self._memory.pop("since", None)
        self._memory.pop("etag", None)
        self.fresh = False

    def login(self) -> str:
        """Return whom the token belongs to; empty if that cannot be said, as of an App."""
        if not isinstance(self._memory.get("login"), str):
            try:
                login = str(self._client.user().get("login") or "")
            except (BadTokenError, RateLimitedError):
                raise
            except (ForbiddenError, NotFoundError):
                login = ""
            except DeliveryError:  # nobody needs it more than the issues
                return ""
            self._memory["login"] = login
        return str(self._memory["login"])

    def note(self, found: dict[str, Any]) -> None:
        """Remember how an issue stands."""
        number = str(found["number"])
        states = read_states(found.get("body"))
        told = {_key(state.fingerprint): _standing(found, state.duplicate_of) for state in states}
        if told and not self.is_ours(found):
            told = {}
        if told and self._trusts_labels and not self._has_label(found):
            self._distrust_labels()
        for fingerprint in self._whose.get(number, set()) - told.keys():
            self._drop(fingerprint, number)
        for fingerprint, standing in told.items():
            self._issues.setdefault(fingerprint, {})[number] = standing
            self._whose.setdefault(number, set()).add(fingerprint)
        for state in states if told else ():
            if self.number(state.fingerprint) == found["number"]:
                self.shown[state.fingerprint] = state.counts

    def forget(self, at: int | str) -> None:
        """Forget an issue that is gone from this repository."""
        for fingerprint in set(self._whose.get(str(at), ())):
            self._drop(fingerprint, str(at))

    def _drop(self, fingerprint: str, number: str) -> None:
        self._whose[number].discard(fingerprint)
        numbers = self._issues[fingerprint]
        del numbers[number]
        if not numbers:
            del self._issues[fingerprint]

    def _has_label(self, found: dict[str, Any]) -> bool:
        return self._label is not None and self._label.lower() in map(str.lower, lifecycle.label_names(found))

    def is_ours(self, found: dict[str, Any]) -> bool:
        """Return whether blocks in an issue count: it has our label, or this token opened it; people quote ours."""
        return self._has_label(found) or (HEADING in (found.get("body") or "") and self._is_author(found))

    def is_by_us(self, found: dict[str, Any]) -> bool:
        """Return whether an issue was opened by loghub, with this token or another; people may have edited it."""
        body = (found.get("body") or "").lstrip()
        if HEADING not in body:
            return False
        return body.startswith((HEADING, BEGIN)) or self._is_author(found)

    def _is_author(self, found: dict[str, Any]) -> bool:
        author = (found.get("user") or {}).get("login")
        return bool(author) and author == self.login()

    def number(self, fingerprint: str) -> int | None:
        """Return the lowest number among the issues of a bug, those that are a duplicate of another last."""
        numbers = self._issues.get(_key(fingerprint), {})
        return min(map(int, numbers), key=lambda n: (numbers[str(n)] == "duplicate", n), default=None)

    def doubles(self) -> Iterator[tuple[str, int, list[int]]]:
        """Yield each bug that has several issues: its fingerprint, the lowest number, and the others."""
        for fingerprint, numbers in list(self._issues.items()):
            alive = sorted(int(number) for number, standing in numbers.items() if standing != "duplicate")
            if len(alive) > 1:
                yield fingerprint, alive[0], alive[1:]


def _issues_in(memory: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return what is known of the issues, to be changed in place."""
    issues = memory.get("issues")
    if not isinstance(issues, dict) or not all(isinstance(numbers, dict) for numbers in issues.values()):
        issues = memory["issues"] = {}  # never read, or damaged: the whole list is to be read
        memory.pop("since", None)
        memory.pop("etag", None)
    return issues


def _key(fingerprint: str) -> str:
    return STORM if fingerprint.startswith(f"{STORM}:") else fingerprint


def _standing(found: dict[str, Any], duplicate_of: int | None) -> str:
    if duplicate_of and not lifecycle.is_reopened(found):
        return "duplicate"
    if found["state"] == "open":
        return "open"
    return "duplicate" if found.get("state_reason") == "duplicate" else "closed"
