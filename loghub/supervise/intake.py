"""Chunks of a stream on their way from the thread that passes them on to the one that looks at them.

As many wait as the queue holds. Of what a flood has more, the newest bytes are kept, with the last words and the
traceback that ended it; the rest is left out.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_QUEUED = 32 << 20
"""Bytes that wait to be looked at."""

KEPT_BYTES = 256 << 10
"""Of what comes beyond, the newest."""

_HEAD = b"Traceback (most recent call last)"
_BATCH_BYTES = 1 << 20
_LARGE_BYTES = 16 << 10


class Intake:
    """The queue, and what was seen of the stream without being looked at.

    Attributes:
        total: Bytes that came.
        has_head: The head of a traceback was among them.
        is_looked_at: Somebody takes what comes; as long as nobody does, what has no head need not wait.
        skipped: Bytes that were left out, with at least the head of a traceback among them.
        urgent: Somebody should look: at such a head, or because it is over.
    """

    def __init__(self) -> None:
        self.total = self.skipped = 0
        self.has_head = self.is_looked_at = False
        self.urgent = threading.Event()
        self._calls: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._waiting = [0, 0]  # what was put, and what was taken: each written by one thread
        self._edge = b""  # the last bytes, as many as may begin a head
        self._gap: Tail | None = None
        self._head_in_gap = -1

    @property
    def waiting(self) -> int:
        """How many bytes have not been taken."""
        return self._waiting[0] - self._waiting[1]

    def put(self, chunk: bytes) -> None:
        """Take what was written."""
        self.total += len(chunk)
        if has_head := self._ends_a_head(chunk):
            self.has_head = True
            self.urgent.set()
        most = MAX_QUEUED if self.is_looked_at or self.has_head else KEPT_BYTES
        if self._gap is not None and self.waiting <= most // 2:
            self._close_gap()
        if self._gap is None and self.waiting <= most:
            self._put(chunk)
            return
        if self._gap is None:
            self._gap, self._head_in_gap = Tail(KEPT_BYTES), -1
        if has_head and self._head_in_gap < 0:
            self._head_in_gap = self._gap.position
        self._gap.add(chunk)

    def end(self) -> None:
        """Put what was kept: nothing comes any more."""
        if self._gap is not None:
            self._close_gap()
        self._calls.put(None)
        self.urgent.set()

    def take(self, seconds: float) -> list[bytes]:
        """Return what waits, after so many seconds at most; an empty chunk stands for what was left out."""
        batch: list[bytes] = []
        small: list[bytes] = []
        size = 0
        try:
            chunk = self._calls.get(timeout=seconds)
            while chunk is not None:
                small.append(chunk)
                if not chunk or len(chunk) >= _LARGE_BYTES:
                    batch += (b"".join(small[:-1]), chunk) if len(small) > 1 else (chunk,)
                    small = []
                size += len(chunk)
                if size > _BATCH_BYTES:
                    break
                chunk = self._calls.get_nowait()
        except queue.Empty:
            pass
        self._waiting[1] += size
        return batch + ([b"".join(small)] if small else [])

    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        return self._calls.empty()

    def skip(self) -> None:
        """Leave out all that waits but the newest bytes: it is over, and there is no time for it."""
        newest = Tail(KEPT_BYTES)
        for chunk in self._rest():
            newest.add(chunk)
        left_out = newest.position - newest.held
        self._waiting[1] += newest.position
        self.skipped += left_out if self.has_head else 0
        for chunk in ([b""] if left_out else []) + list(newest.chunks):
            self._put(chunk)

    def drop(self) -> None:
        """Forget what waits."""
        for _ in self._rest():
            pass

    def _rest(self) -> Iterator[bytes]:
        while not self._calls.empty():
            if chunk := self._calls.get_nowait():
                yield chunk

    def _put(self, chunk: bytes) -> None:
        self._waiting[0] += len(chunk)
        self._calls.put(chunk)

    def _close_gap(self) -> None:
        gap, self._gap = self._gap, None
        if gap is None:
            return
        left_out = gap.position - gap.held
        if 0 <= self._head_in_gap < left_out:
            self.skipped += left_out
        if left_out:
            self._calls.put(b"")  # what comes next does not follow what came before
        for chunk in gap.chunks:
            self._put(chunk)

    def _ends_a_head(self, chunk: bytes) -> bool:
        """Return whether a head is in a chunk, or at its beginning with what came before."""
        found = chunk.find(_HEAD) >= 0 or (self._edge + chunk[: len(_HEAD) - 1]).find(_HEAD) >= 0
        self._edge = (self._edge + chunk)[1 - len(_HEAD) :] if len(chunk) < len(_HEAD) else chunk[1 - len(_HEAD) :]
        return found


class Tail:
    """The last bytes of a stream.

    Args:
        size: How many, at least, as far as there are.

    Attributes:
        position: How many there were in all.
        chunks: As they came.
        held: How many bytes those have.
    """

    def __init__(self, size: int = 200_000) -> None:
        self.position = 0
        self.chunks: deque[bytes] = deque()
        self._size = size
        self.held = 0

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        self.position += len(data)
        self.held += len(data)
        self.chunks.append(data)
        while self.held - len(self.chunks[0]) >= self._size:
            self.held -= len(self.chunks.popleft())

    def __bytes__(self) -> bytes:
        """Return them."""
        return b"".join(self.chunks)[-self._size :]
