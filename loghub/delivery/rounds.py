"""Rounds: fold, adopt, deliver, tidy; and a ledger that cannot be used is left alone for a while."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from loghub import backoff, own_log
from loghub.delivery import deliverer, opening
from loghub.delivery.destination import Delivery, times
from loghub.errors import LedgerError
from loghub.journal import files

if TYPE_CHECKING:
    from loghub.delivery.batch import Destination
    from loghub.delivery.home import Home

TROUBLE_SECONDS = 5.0
"""How long a ledger that cannot be used, or a handler that failed to look, is left alone."""

AWAY_SECONDS = 60.0
"""How long a server that does not answer is left alone at most: a fleet is not to come back to it all at once."""

TIDY_SECONDS = 3600.0
"""How often one of a ledger's processes lets go of what is too old."""


class Rounds:
    """What goes the rounds of a home."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.lock = threading.Lock()  # the lease keeps other processes off, this our own threads
        self._troubles = 0  # how often in a row
        self._tidy_at = 0.0
        self._tidying = False

    def go(self, *, closing: bool = False, everything: bool = False) -> bool:
        """Fold, adopt, deliver; never raises.

        Args:
            closing: The process is going, or somebody asked for a flush. The journal is let go, and if no
                other process of this home is alive, nothing waits for an interval any more; unless others may share
                its ledger: when all of them are deployed anew, each would send what waits.
            everything: Nothing waits for an interval in any case.

        Returns:
            Whether all is delivered that this process's handlers can deliver.
        """
        home = self.home
        if not self.lock.acquire(timeout=1.0):
            home.look_at = home.again_at = min(home.look_at, home.now() + 1)  # another thread is at it
            return False
        try:
            home.changed = False
            if (
                home.url is not None
                and home.trouble
                and not closing
                and home.now() < home.look_at <= home.now() + AWAY_SECONDS
            ):
                return False  # whatever comes meanwhile: the journal has it
            home.draining = everything
            return self._round(closing=closing, everything=everything)
        except LedgerError as error:
            self.give_up_ledger(error)
        except Exception as error:  # a fault of our own must not end the thread
            home.say("round", f"the home {home.path} cannot be used now ({own_log.named(error)}); trying again.")
            home.look_at = home.again_at = home.now() + TROUBLE_SECONDS
        finally:
            self.lock.release()
        return False

    def _round(self, *, closing: bool, everything: bool) -> bool:
        home = self.home
        home.fold(release=closing)
        held = home.journal is not None and home.journal.held
        home.adopt(force=closing)
        last = everything or (closing and home.url is None and not (home.path and files.alive(home.journals)))
        self._mend()
        delivered = self._deliver_all(closing=last)
        if held:
            home.look_at = min(home.look_at, home.now() + TROUBLE_SECONDS)
        self._tidy()
        return delivered and not held

    def _tidy(self) -> None:
        """Have the ledger let go of what is too old: a step a round, and all of it while nothing else is to do."""
        now = self.home.now()
        if not self._tidying:
            if now < self._tidy_at <= now + TIDY_SECONDS:
                return
            self._tidy_at = now + TIDY_SECONDS
            if self.home.ledger().spend("tidy", 1, TIDY_SECONDS, now) > 0:
                return  # another process does it
        started = time.perf_counter()
        while True:
            self._tidying = self.home.ledger().tidy(now)
            if not self._tidying or deliverer.current is None or not deliverer.current.is_gentle():
                return
            if any(one.changed for one in deliverer.homes()) or deliverer.soonest() <= self.home.now():
                return
            time.sleep(min(deliverer.PACE_SECONDS, time.perf_counter() - started))
            started = time.perf_counter()

    def _deliver_all(self, *, closing: bool) -> bool:
        look_at = again_at = wake_at = float("inf")
        for handler in self.home.handlers():
            if handler.destination is not None:
                look, again = self._try_to_deliver(handler, handler.destination, closing=closing)
                look_at, again_at = min(look_at, look), min(again_at, again)
                wake_at = min(wake_at, times(self.home, handler.destination)[0])
        self.home.look_at, self.home.again_at, self.home.wake_at = look_at, again_at, wake_at
        return look_at == float("inf")

    def _try_to_deliver(self, handler: Destination, destination: str, *, closing: bool) -> tuple[float, float]:
        try:
            return Delivery(self.home, handler, destination, closing=closing).go()
        except LedgerError:
            raise
        except Exception as error:  # one handler's fault must not stop the others
            self.home.say(destination, f"{destination} failed: {own_log.named(error)}")
            return self.home.now() + TROUBLE_SECONDS, float("inf")

    def _mend(self) -> None:
        self._troubles = 0
        if self.home.trouble:
            self.home.trouble = ""
            self.home.over("ledger")
            own_log.tell(logging.INFO, "the ledger can be used again.")

    def _leave_alone(self) -> float:
        """Return how long not to ask a ledger again that could not be used."""
        if self.home.url is None:
            return TROUBLE_SECONDS
        return backoff.delay(self._troubles, first=TROUBLE_SECONDS, longest=AWAY_SECONDS)

    def give_up_ledger(self, error: LedgerError) -> None:
        """Keep journaling without the ledger; a damaged one is set aside, so that the next round begins anew."""
        from loghub.ledger.connection import CorruptLedgerError

        home = self.home
        home.trouble = str(error)
        self._troubles += 1
        home.look_at = home.again_at = home.now() + self._leave_alone()
        home.close_ledger()
        text = f"{error} Errors are kept in the journal until then."
        if isinstance(error, CorruptLedgerError) and home.path is not None:
            aside = opening.set_aside(home.path, error.inode)
            if aside:
                text = f"{error} It was moved to {aside}, and a new one is begun."
                home.look_at = home.again_at = home.now()
        home.say("ledger", text)

    def forked(self) -> None:
        """After a fork, in the child: no thread of it is in a round."""
        self.lock = threading.Lock()
