"""One run of a procedure, contained: whatever it does, it ends here."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from loghub.description import text_of
from loghub.errors import LoghubError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loghub.ledger.protocol import Ledger

UNSAID = "it did not help"


class Run(threading.Thread):
    """A thread in which a procedure runs.

    A procedure that raises, or wants to end the process, has failed. The child of one that forks ends where it would
    come back into loghub. One that does not end keeps its thread, which does not keep the process.

    Args:
        work: The procedure; what it returns says whether it helped.
        end: Called in this thread when it has ended.
        began_at: When it begins (epoch seconds).

    Attributes:
        reason: Why it did not help; None once it did.
        overdue: It took too long, which was written down.
        over: It has ended, which was written down.
        lock: Held by who writes down.
        ledger: Where.
        fingerprints: Of the groups that it is about.
    """

    ledger: Ledger

    def __init__(self, work: Callable[[], object], end: Callable[[Run], None], began_at: float) -> None:
        super().__init__(name="loghub-recovery", daemon=True)
        self.began_at = began_at
        self.reason: str | None = "it has not ended"
        self.overdue = False
        self.over = False
        self.lock = threading.Lock()
        self.fingerprints: Sequence[str] = ()
        self._pid = os.getpid()
        self._work: Callable[[], object] | None = work
        self._end = end

    @property
    def helped(self) -> bool:
        """Whether it has ended and helped."""
        return self.reason is None

    def run(self) -> None:
        """Do the work and say what became of it."""
        work, self._work = self._work, None
        assert work is not None
        reason: str | None = UNSAID
        thread = threading.get_ident()  # not its own where none can be started
        _running.add(thread)
        try:
            reason = None if work() else UNSAID
        except LoghubError as error:
            reason = text_of(error)
        except BaseException as error:  # SystemExit ends the procedure, not the process
            reason = f"{type(error).__name__}: {text_of(error)}"
        finally:
            _running.discard(thread)
            if os.getpid() != self._pid:
                os._exit(0)
        self.reason = reason
        self._end(self)


_running: set[int] = set()
"""The threads in which a procedure runs."""


def is_running_one() -> bool:
    """Return whether the caller is a procedure."""
    return threading.get_ident() in _running
