"""Which log a content is, wherever it lies and however it is packed, and up to where the ledger has counted it.

A file's name is a digest of how it begins: of its first 65,536 bytes, or as many of them, in a power of two, as it
had when it was first seen. So it keeps its name when it grows, is rotated, renamed or packed.

Two files may begin alike: a banner without a time is the same on every host. So what the ledger keeps as the offset
is the position together with a digest of the bytes before it. Where these are others, it is another file, which gets
the next name. A pipe cannot be read twice: there the beginning alone decides.

A run that takes only some of the records (`Window`) has an offset of its own, and the ledger remembers for which
windows there are such: each run leaves out what any other has counted.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from loghub.logfiles.source import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loghub.ledger.protocol import Ledger
    from loghub.logfiles.source import Source

_POSITION_BITS = 44  # 16 TiB
_CHECK_BITS = 19  # both together fit into the 64 bits that a ledger has
CHECKED = 512
"""Bytes before a position that tell whether it is the same file."""

SURE = 4096
"""A file that begins like a longer one for so many bytes is an older state of it."""


class Window(NamedTuple):
    """What a run takes: errors of some time, from a level on; a traceback counts at any level."""

    since: float = -math.inf
    until: float = math.inf
    level: int = 40

    def holds(self, at: float, level: float) -> bool:
        """Return whether a record is taken; the level of one with a traceback is infinite."""
        return self.since <= at < self.until and level >= self.level

    @property
    def suffix(self) -> str:
        """What it adds to the name of a journal."""
        return "" if self == Window() else f"@{self.since}..{self.until}>={self.level}"


class Known(NamedTuple):
    """A file as the ledger knows it.

    Attributes:
        name: Of its journal, without a window's suffix.
        offsets: What the ledger has, by window.
    """

    name: str
    offsets: dict[Window, int]


def stamp(source: Source, position: int) -> int:
    """Return what the ledger keeps as the offset for a position in `source`."""
    if position == 0:
        return 0
    digest = hashlib.blake2b(source.before(position, CHECKED), digest_size=4).digest()
    return position | (int.from_bytes(digest) % (1 << _CHECK_BITS)) << _POSITION_BITS


def position_of(offset: int) -> int:
    """Return the position that `stamp` was given."""
    return offset % (1 << _POSITION_BITS)


def find(source: Source, ledger: Ledger, reopen: Callable[[], Source] | None) -> tuple[Known, Source]:
    """Return how the ledger knows a file, and the file opened, of which some may be read.

    Args:
        source: The file, of which nothing was read.
        ledger: Where it may be known.
        reopen: Opens the file once more; None where that is not possible.
    """
    fresh = ""
    for size, digest in _names_of(source.head):
        for number in itertools.count():
            name = f"{digest}.{number}" if number else digest
            offsets = _offsets(ledger, name)
            if not any(offsets.values()):
                fresh = fresh or name
                break
            if reopen is None or _continues(source, offsets, size):
                return Known(name, offsets), source
            source.close()
            source = reopen()
    return Known(fresh or "import:empty", {}), source


def remember(ledger: Ledger, name: str, window: Window) -> None:
    """Have the ledger know that there is an offset for this window."""
    memory = ledger.memory(name)
    said = [None if math.isinf(limit) else limit for limit in window]
    if window != Window() and said not in memory.setdefault("windows", []):
        memory["windows"].append(said)
        ledger.remember(name, memory)


def _offsets(ledger: Ledger, name: str) -> dict[Window, int]:
    windows = [Window(), *map(_window, ledger.memory(name).get("windows", ()))]
    return {window: ledger.offset(name + window.suffix) for window in windows}


def _window(said: Any) -> Window:
    since, until, level = said
    return Window(-math.inf if since is None else since, math.inf if until is None else until, level)


def _names_of(head: bytes) -> Iterator[tuple[int, str]]:
    """Yield the names that a file with this beginning may have, and for how many bytes each stands, longest first."""
    size = 1 << min(len(head), HEAD).bit_length() - 1 if head else 0
    while size:
        yield size, f"import:{hashlib.blake2b(head[:size], digest_size=12).hexdigest()}"
        size //= 2


def _continues(source: Source, offsets: dict[Window, int], size: int) -> bool:
    """Return whether what was counted is how `source` begins, which has `size` bytes in common with it at least."""
    for offset in sorted(filter(None, offsets.values()), key=position_of):
        if not source.skip(position_of(offset)):
            return size >= SURE
        if stamp(source, position_of(offset)) == offset:
            return True
    return False
