"""Mails that some of their recipients are still owed: the server took them for others, and said "later" for these.

A server that knows a sender not yet puts its mails off for some minutes (greylisting, RFC 6647), one whose mailbox is
full for hours. What was sent to the others is kept as it is and offered again, to those who lack it, until each was
told or finally refused, or two days are over. Plain values in and out: the ledger keeps them as JSON.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from loghub import backoff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWED = " owed"
"""Behind a destination's name: what the ledger keeps of this under."""

MOST_MAILS = 50
MOST_BYTES = 2 << 20
"""How much is kept, packed; beyond it the oldest mail gives way."""

LONGEST_SECONDS = 2 * 86_400.0
"""After that a mail is given up."""

# The first wait is half a minute to four: most servers that put a stranger off take him after one to five minutes.
_EARLIER_ATTEMPTS = 7


@dataclass(slots=True)
class OwedMail:
    """A mail, and who has not got it yet.

    Attributes:
        id: Its Message-ID.
        sender: The envelope's sender.
        recipients: Who is owed it.
        packed: The mail as it was sent, compressed, in base64.
        since: When the others got it (epoch seconds).
        due_at: When it is offered again (epoch seconds).
        attempts: How often it was put off.
    """

    id: str
    sender: str
    recipients: list[str]
    packed: str
    since: float
    due_at: float
    attempts: int = 1

    @classmethod
    def put_off(cls, name: str, sender: str, recipients: Sequence[str], content: bytes, now: float) -> OwedMail:
        """Return what is owed after the mail with the Message-ID `name` was put off for the first time."""
        packed = base64.b64encode(zlib.compress(content)).decode()
        return cls(name, sender, list(recipients), packed, now, now + _wait(1))

    @property
    def content(self) -> bytes:
        """The mail as it was sent."""
        return zlib.decompress(base64.b64decode(self.packed))

    def again(self, now: float) -> bool:
        """Put it off once more; False: it has been for too long."""
        self.attempts += 1
        self.due_at = now + _wait(self.attempts)
        return now - self.since < LONGEST_SECONDS


def _wait(attempts: int) -> float:
    return backoff.delay(attempts + _EARLIER_ATTEMPTS)


class Owed:
    """What a destination owes, the oldest first.

    Args:
        memory: What `memory` returned; what is damaged in it is left out.
        now: The time (epoch seconds). Times that were set by a clock that was ahead become this one.
    """

    def __init__(self, memory: Mapping[str, Any], now: float) -> None:
        listed = memory.get("mails")
        read = [_read(each, now) for each in listed] if isinstance(listed, list) else []
        self.mails = [mail for mail in read if mail]

    def memory(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"mails": [asdict(mail) for mail in self.mails]}

    def add(self, mail: OwedMail) -> list[OwedMail]:
        """Add a mail; return those that had to give way.

        It takes the place of one with the same id: that was sent once more, because nobody knew that it was taken.
        """
        self.mails = [each for each in self.mails if each.id != mail.id] + [mail]
        gone = []
        while len(self.mails) > MOST_MAILS or sum(len(each.packed) for each in self.mails) > MOST_BYTES:
            gone.append(self.mails.pop(0))
        return gone

    def due(self, now: float) -> list[OwedMail]:
        """Return what is to be offered again now."""
        return [mail for mail in self.mails if mail.due_at <= now]

    @property
    def wake_at(self) -> float | None:
        """When the next one is due (epoch seconds)."""
        return min((mail.due_at for mail in self.mails), default=None)


def _read(value: Any, now: float) -> OwedMail | None:
    try:
        due_at = float(value["due_at"])
        mail = OwedMail(
            str(value["id"]),
            str(value["sender"]),
            [str(each) for each in value["recipients"]],
            str(value["packed"]),
            min(float(value["since"]), now),
            now if due_at > now + backoff.LONGEST_SECONDS else due_at,
            int(value["attempts"]),
        )
        return mail if mail.recipients and mail.content else None
    except (LookupError, TypeError, ValueError, OverflowError, zlib.error):
        return None
