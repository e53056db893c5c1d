"""What people do about a bug: mute it, say which issue is its own, have it told again. Verbs and pages do it alike.

Nothing here asks a destination: what is to be told is entrusted to the delivery thread, by way of the ledger, so it
survives the process and needs no time. Every function returns one sentence that says what was done.
"""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Any

from loghub.delivery import waiting
from loghub.errors import ActionError
from loghub.event import iso
from loghub.handlers.base import OutboxHandler
from loghub.handlers.github import GitHubIssueHandler
from loghub.history import DAY_SECONDS
from loghub.mailserver.owed import OWED, Owed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loghub.delivery.home import Home
    from loghub.ledger.protocol import Group, Ledger

MOST_DAYS = 36_500.0


def mute(ledger: Ledger, group: Group, days: float | None, now: float) -> str:
    """Have nobody told of a bug before so many days are over; None: for good.

    Raises:
        ActionError: That is no number of days.
    """
    if days is not None and not 0 < days <= MOST_DAYS:
        raise ActionError(f"{days:g} is no number of days: give one above 0, and at most {MOST_DAYS:,.0f}.")
    until = math.inf if days is None else now + days * DAY_SECONDS
    ledger.mute(group.fingerprint, until)
    return f"{group.fingerprint} is muted {'until it is unmuted' if days is None else f'until {iso(until)}'}."


def unmute(ledger: Ledger, group: Group) -> str:
    """Have people told of a bug again, from its next occurrence on."""
    ledger.mute(group.fingerprint, 0.0)
    return f"{group.fingerprint} is not muted."


def refuse_muted(group: Group, now: float) -> None:
    """See that people may be told of a bug.

    Raises:
        ActionError: Somebody has muted it.
    """
    if group.muted_until > now:
        raise ActionError(f"{group.fingerprint} is muted, so nothing is told of it: unmute it first.")


def issue_number(text: str) -> int:
    """Read the number of an issue, with or without ``#``.

    Raises:
        ActionError: It is none.
    """
    read = re.fullmatch(r"#?([1-9]\d{0,8})", text.strip(), re.ASCII)
    if read is None:
        raise ActionError(f"{text} is no issue's number: give one such as 12 or '#12'.")
    return int(read[1])


def trackers(handlers: Iterable[object]) -> list[GitHubIssueHandler]:
    """Return those of `handlers` that have a repository and a token."""
    return [one for one in handlers if isinstance(one, GitHubIssueHandler) and one.destination]


def destinations(home: Home, handlers: Iterable[object]) -> list[str]:
    """Return whom of a bug's news can be told: those of the handlers, and those for which something waits."""
    told = {
        one.destination: one.tells_people
        for one in handlers
        if isinstance(one, OutboxHandler) and one.destination and one.home is home
    }
    waiting = {str(row["destination"]) for row in home.ledger().outbox()}
    # A procedure is run, not told; its name says so also where its handler is not at hand.
    others = {name for name in waiting - told.keys() if not name.startswith("recovery:")}
    return sorted(others | {name for name, people in told.items() if people})


def entrust(home: Home, destination: str, fingerprint: str, memory: dict[str, Any] | None = None) -> None:
    """Have a destination be told of a bug again, as soon as a process that has its handler looks.

    Args:
        home: Whose ledger knows the bug.
        destination: Whom.
        fingerprint: Of the bug, whole.
        memory: What the handler is told with it.

    Raises:
        ActionError: The ledger does not know the bug.
    """
    home.adopt(force=True)
    if not home.ledger().entrust(destination, fingerprint, memory or {}):
        raise ActionError(f"{home.path} knows no {fingerprint}: see loghub groups.")
    home.look()


def left(home: Home, destination: str, fingerprint: str) -> str | None:
    """Return why a destination does not know of a bug yet; None: it does."""
    for row in home.ledger().outbox(fingerprint):
        if row["destination"] == destination:
            return str(row["reason"] or "it waits")
    return None


def told_within(home: Home, destination: str, fingerprint: str, seconds: float) -> str | None:
    """Give the delivery thread so much time; return why the destination does not know of a bug even then, or None."""
    if waiting.wait_for(lambda: left(home, destination, fingerprint) is None or None, seconds):
        return None
    return left(home, destination, fingerprint)


def resend(home: Home, group: Group, chosen: Sequence[str], now: float) -> str:
    """Have destinations be told of a bug once more, with what is known of it now.

    Raises:
        ActionError: There is none, or the bug is muted.
    """
    refuse_muted(group, now)
    if not chosen:
        raise ActionError("There is no destination: attach a handler that tells one, such as GitHubIssueHandler.")
    for destination in chosen:
        entrust(home, destination, group.fingerprint)
    mine = home.destinations()
    away = [one for one in chosen if one not in mine]
    later = f" For {', '.join(away)} there is no handler here: the process that has it does so." if away else ""
    return f"{', '.join(chosen)} will be told of {group.fingerprint} again.{later}"


def owed_mails(ledger: Ledger) -> list[str]:
    """Return a line for each mail that some of its recipients have not got yet."""
    return [
        f"{destination}: {', '.join(mail.recipients)} was put off, and is offered the mail of"
        f" {iso(mail.since)} again at {iso(mail.due_at)}"
        for destination, memory in ledger.memories(OWED).items()
        for mail in Owed(memory, time.time()).mails
    ]
