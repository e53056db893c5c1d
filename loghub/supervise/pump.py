"""Passes on what a child writes, in a thread of its own, so that a slow reader holds up no signal."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
from typing import TYPE_CHECKING

from loghub.supervise.streams import CAPACITY, ERR, can_tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from loghub.supervise.streams import Stream


class Pump:
    """Reads a stream and writes it to the real stderr.

    A slow reader slows the child as it would without us: one chunk is read when the last one was written. A reader that
    has gone ends it: our end is closed, and the child's next write fails as it would have failed.

    Args:
        stream: What is read.
        watch: Gets each chunk after it was passed on; what it raises is dropped.
        tell: Called when one of the attributes below has changed.

    Attributes:
        dry: What was there when ``ask`` was called has been passed on.
        over: The thread has ended.
        held: It has ended on request, and others than the child still hold the stream.
    """

    def __init__(self, stream: Stream, watch: Callable[[bytes], None], tell: Callable[[], None]) -> None:
        self.dry = self.over = self.held = False
        self.stream, self._watch, self._tell = stream, watch, tell
        try:
            self._asked, self._ask = os.pipe()
        except OSError:
            stream.close()
            raise
        self._end = False
        self._since = 0  # bytes passed on since the request

    def close(self) -> None:
        """Give all descriptors back; only while the thread does not run."""
        self.stream.close()
        os.close(self._asked)
        os.close(self._ask)

    def start(self) -> None:
        """Begin, once the child has the other end."""
        self.stream.hand_over()
        threading.Thread(target=self._run, name="loghub-run-stderr", daemon=True).start()

    def ask(self, *, end: bool = False) -> None:
        """Ask for what is there by now to be passed on: ``dry`` says when, or ``over`` with `end`."""
        self.dry = False
        self._end = end
        os.write(self._ask, b"?")

    def keep(self) -> None:
        """Go on in this thread until nobody holds the stream any more; no one watches."""
        self._watch = _nobody
        self._pass_all(select.poll())

    def _run(self) -> None:
        poller = select.poll()
        poller.register(self._asked, select.POLLIN)
        try:
            if os.isatty(ERR):  # who writes from the background is stopped, with the child, if the terminal is set so
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTTOU})
            self.held = self._pass_all(poller)
        finally:
            if not self.held:
                self.stream.close()
            self.over = True
            self._tell()

    def _pass_all(self, poller: select.poll) -> bool:
        """Pass on until the end; return whether it came by request."""
        poller.register(self.stream.source, select.POLLIN)
        if can_tell(ERR):
            poller.register(ERR, 0)
        asked = False
        while True:
            ready = {fd for fd, _ in poller.poll()}
            if ERR in ready:
                return False
            if self._asked in ready and not asked:
                asked, self._since = True, 0
            if asked and (self.stream.source not in ready or self._since > CAPACITY):
                os.read(self._asked, 64)
                asked, self.dry = False, True
                if self._end:
                    return True
                self._tell()
            elif self.stream.source in ready and not self._pass_on():
                return False

    def _pass_on(self) -> bool:
        """Pass one chunk on; return whether there may be another."""
        chunk = self.stream.read()
        if chunk is None:
            return False
        self._since += len(chunk)
        if not _write(chunk):
            return False
        self.stream.settle()
        if chunk:
            with contextlib.suppress(Exception):  # whoever watches must not break what is watched
                self._watch(chunk)
        return True


def _nobody(_chunk: bytes) -> None:
    pass


def _write(chunk: bytes) -> bool:
    """Write all of it, waiting as long as it takes; return whether anybody is there to read.

    What a full disk or a terminal that hung up does not take is lost, as it would be lost to the child.
    """
    rest = memoryview(chunk)
    while rest:
        try:
            rest = rest[os.write(ERR, rest) :]
        except BlockingIOError:  # another process that shares the stream has set O_NONBLOCK
            poller = select.poll()
            poller.register(ERR, select.POLLOUT)
            poller.poll()
        except (BrokenPipeError, ConnectionError):
            return False
        except OSError:
            return True
    return True
