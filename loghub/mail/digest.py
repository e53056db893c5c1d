"""What one mail says, at a size that arrives: all bugs, the gravest of them in detail."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from loghub.mail.entry import CUT, about, entry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loghub.history import Outlook
    from loghub.ledger.protocol import Item
    from loghub.mail.entry import Entry

MOST_BUGS = 40
"""How many bugs one mail can tell of in detail."""

_CUT_SAID = "Where it says [cut: ...], `loghub show FINGERPRINT` has the whole."
_QP_PLAIN = bytes(range(32, 127)).replace(b"=", b"") + b"\t\n"


class Room(NamedTuple):
    """How much is said.

    Attributes:
        traceback: Characters that a traceback may have.
        detailed: How many bugs are told in detail.
        title: Characters that a title may have.
    """

    traceback: int
    detailed: int
    title: int


# From as much as one can read to what 500 bugs in any script leave room for: a short traceback is worth more than a
# longer list, and a short title more than a bug that is not there.
_ROOMS = [Room(int(30_000 * 0.85**step), MOST_BUGS, 120) for step in range(31)]
_ROOMS += [Room(300, 32, 90), Room(400, 25, 80), Room(500, 18, 70)]
_ROOMS += [Room(600, detailed, 60) for detailed in (14, 11, 8, 6, 4, 3, 2, 1)]
_ROOMS += [Room(0, 0, title) for title in (60, 48, 36, 24, 16, 10, 6)]


@dataclass(frozen=True, slots=True)
class Digest:
    """What one mail says, the same in text, HTML and templates.

    Attributes:
        opening: The first line.
        component: Of most bugs.
        told: The bugs in detail, the gravest and most frequent first.
        listed: All bugs in one line each, in the same order, `told` among them.
    """

    opening: str
    component: str
    told: Sequence[Entry]
    listed: Sequence[Entry]

    @property
    def untold(self) -> Sequence[Entry]:
        """The bugs that are only listed."""
        return self.listed[len(self.told) :]

    @property
    def several(self) -> bool:
        """Whether there is more than one bug."""
        return len(self.listed) > 1

    def cuts(self, shown: str) -> str:
        """Return what is to be said below `shown` about what is not in it; empty where nothing is missing."""
        if self.untold:
            return f"{CUT.format(f'the details of {len(self.untold):,} more errors')} {_CUT_SAID}"
        return _CUT_SAID if CUT.partition("{")[0] in shown else ""


def in_order(items: Sequence[Item]) -> list[Item]:
    """Return `items` as a mail has them: the gravest first, then the most frequent."""
    return sorted(items, key=lambda bug: (-bug.level, -bug.count, bug.group.fingerprint))


def component_of(bugs: Sequence[Item]) -> str:
    """Return the component that most of `bugs` have."""
    return Counter(about(bug, "component") or "unknown" for bug in bugs).most_common(1)[0][0]


def fit(
    bugs: Sequence[Item], outlooks: Mapping[str, Outlook], most: int, render: Callable[[Digest], str]
) -> str | None:
    """Return what `render` makes of as much as can travel in `most` bytes; None where it is too much in any case.

    Args:
        bugs: In order.
        outlooks: By fingerprint; may lack some.
        most: Bytes.
        render: Makes a body, the shorter the less there is in the digest.
    """

    def body(room: Room) -> str:
        return render(digest(bugs, outlooks, room))

    place = bisect_left(_ROOMS, True, key=lambda room: size(body(room)) <= most)
    return body(_ROOMS[place]) if place < len(_ROOMS) else None


def digest(bugs: Sequence[Item], outlooks: Mapping[str, Outlook], room: Room = _ROOMS[0]) -> Digest:
    """Return what is said about `bugs` within `room`."""
    seen = [(bug, outlooks.get(bug.group.fingerprint)) for bug in bugs]
    told = [entry(*each, room.traceback, room.title) for each in seen[: room.detailed]]
    listed = [*told, *(entry(*each, 0, room.title) for each in seen[room.detailed :])]
    component = component_of(bugs)
    if len(bugs) == 1:
        opening = f"An error occurred in {component}:"
    else:
        opening = f"{len(bugs):,} errors, {sum(bug.count for bug in bugs):,} occurrences since the last mail:"
    return Digest(opening, component, told, listed)


def transfer_encoding(text: str) -> str:
    """Return the shorter of the two encodings that any server and any line length can take."""
    data = text.encode()
    return "base64" if _escapes(data) * 6 > len(data) else "quoted-printable"


def size(text: str) -> int:
    """Return about how many bytes `text` takes on its way."""
    data = text.encode()
    if transfer_encoding(text) == "base64":
        return len(data) * 137 // 100
    soft_breaks = sum(len(line) // 72 for line in data.split(b"\n"))
    return len(data) + 2 * _escapes(data) + data.count(b"\n") + 3 * soft_breaks


def _escapes(data: bytes) -> int:
    """Return how many bytes of `data` quoted-printable has to write as three."""
    return len(data.translate(None, _QP_PLAIN))
