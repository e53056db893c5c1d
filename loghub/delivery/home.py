"""Home: the folder of journal and ledger, as one process uses it."""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from loghub import own_log
from loghub.delivery import deliverer, leases, opening, waiting
from loghub.delivery.folding import Folding
from loghub.delivery.rounds import Rounds
from loghub.errors import LedgerError
from loghub.journal import writing
from loghub.journal.writing import Journal
from loghub.sighting import FIELD

if TYPE_CHECKING:
    from collections.abc import Callable

    from loghub.capture import Known
    from loghub.delivery.batch import Destination
    from loghub.ledger.protocol import Ledger
    from loghub.sighting import Sighting

_orphans: list[Any] = []
"""Ledgers of a parent that this process must neither use nor close."""


class Home:
    """The folder of journal and ledger, as one process uses it.

    Args:
        path: The folder; None or one that cannot be written: memory, which is said once.
        url: Where the ledger is, None for SQLite in the folder.
    """

    def __init__(self, path: str | None, url: str | None, *, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self.url = url
        self.now = now
        self.owner = leases.new_owner()
        self.token = hashlib.blake2s(repr((socket.gethostname(), path, url)).encode(), digest_size=5).hexdigest()
        self.journal: Journal | None = None  # this process's, from its first record on
        self.keep = writing.KEEP_PER_GROUP
        self.changed = False
        self.trouble = ""  # why the ledger cannot be used now
        self.look_at = float("inf")  # when there may be something to deliver
        self.wake_at = float("inf")  # when a handler wants a batch, whatever waits
        self.again_at = float("inf")  # when what failed is due again; the rest of what waits is for an interval
        self.spoiled = False  # this process must not open the ledger's file
        self.draining = False  # a person wants all of it delivered
        self._handlers: dict[int, Destination | None] = {}
        self._lock = threading.RLock()
        self._ledger: Ledger | None = None
        self._opening = threading.RLock()
        self._held: tuple[bool, Ledger | None] = (False, None)
        self._said: dict[str, str] = {}
        self._folding = Folding(self)
        self._rounds = Rounds(self)

    # The application's side -----------------------------------------------------------------------------

    def attach(self, key: int, handler: Destination | None) -> None:
        """Add a handler of this process; None for one that delivers nothing."""
        # Here and in detach there is no lock: dictConfig calls them under logging's own, and a thread with our
        # lock may be waiting for that one (the garbage collector runs anywhere, and handlers die in it).
        self._handlers[key] = handler
        # A round under way may not have seen it.
        self.changed = self.changed or self.journal is not None or self._ledger is not None

    def detach(self, key: int) -> bool:
        """Remove a handler; True when it was the last."""
        self.forget_kinds()  # repeats would still be for its destination
        return self._handlers.pop(key, self) is not self and not self._handlers

    def handlers(self) -> list[Destination]:
        """Return the handlers of this process that deliver."""
        return [one for one in list(self._handlers.values()) if one is not None]

    @property
    def is_attached(self) -> bool:
        """Whether a handler of this process uses it."""
        return bool(self._handlers)

    def forget_kinds(self) -> None:
        """Write each kind in full once more: who is told of its repeats may have changed."""
        if self.journal is not None:
            self.journal.forget_kinds()

    def keep_at_least(self, occurrences: int) -> None:
        """Keep so many occurrences of a group in full in an hour."""
        if occurrences > self.keep:
            self.keep = occurrences
            if self.journal is not None:
                self.journal.keep = occurrences
                self.journal.forget_kinds()  # some are counted only, and for an hour

    def again(self, known: Known, mark: str, record: logging.LogRecord) -> bool:
        """Count a repeat in this process's journal and mark the record; False: nothing was done, `note` has to."""
        writer = self.journal
        sighting = writer.again(known, mark, record.created) if writer is not None else None
        if sighting is None:
            return False
        record.__dict__[FIELD] = sighting
        self.changed = True  # as _was_written, without its call
        thread = deliverer.current
        if thread is None or thread.idle:
            deliverer.stir()
        return True

    def note(self, record: logging.LogRecord, sighting: Sighting, destination: str | None, *, selective: bool) -> None:
        """Write a record down in this process's journal."""
        writer = self.journal
        if writer is None:
            writer = self._open_journal()
        writer.note(record, sighting, destination, selective=selective)
        self._was_written()

    def _was_written(self) -> None:
        """See that the thread looks at the journal, now if it rests, else in its next round."""
        self.changed = True  # not before: a round that is under way would take the mark and miss the line
        thread = deliverer.current
        if thread is None or thread.idle:
            deliverer.stir()

    def look(self) -> None:
        """Have the thread look at the ledger: somebody has entrusted something to a destination."""
        self._was_written()

    def _open_journal(self) -> Journal:
        with self._lock:
            if self.journal is None:
                self.journal = self._make_journal()
                self.journal.keep = self.keep
            return self.journal

    def _make_journal(self) -> Journal:
        if self.path is not None:
            try:
                return Journal(self.journals, self.token)
            except OSError as error:
                self.say(
                    "home",
                    f"the home {self.path} cannot be written ({error.strerror or error}): errors are kept in "
                    "memory and end with the process; set LOGHUB_HOME to a folder that can be written.",
                )
                self.path = None
        return Journal(None, self.token)

    @property
    def pace(self) -> float:
        """Seconds between two rounds: a ledger that many processes share hears of each once a second at most."""
        return deliverer.PACE_SECONDS if self.url is None else deliverer.SHARED_PACE_SECONDS

    @property
    def position(self) -> object:
        """How far this process has written; equal as long as nothing came."""
        return None if self.journal is None else (self.journal.name, self.journal.size)

    @property
    def journals(self) -> str:
        """The folder of the journals."""
        return os.path.join(self.path or "", "journal")

    # The thread's side ----------------------------------------------------------------------------------

    def ledger(self) -> Ledger:
        """Return the ledger, opened on first use.

        Raises:
            LedgerError: It cannot be used now.
        """
        with self._opening:
            if self._ledger is None:
                if self.spoiled:
                    raise LedgerError("This process was forked while its parent was busy in the ledger.")
                self._ledger = opening.open_ledger(self.path, self.url)
            return self._ledger

    def close_ledger(self) -> None:
        """Close the ledger; whoever wants it next opens it anew."""
        if self._ledger is not None:
            self._ledger.close()
        self._ledger = None
        self._folding.begin_anew()

    def fold(self, *, release: bool = False) -> None:
        """Take what this process wrote into the ledger; `release` lets go of the journal afterwards."""
        self._folding.fold(release=release)

    def adopt(self, *, force: bool = False) -> None:
        """Fold the journals of processes that are gone, and remove them."""
        self._folding.adopt(force=force)

    def unfolded(self) -> set[str]:
        """Return the ids of the events that stand in journals of living processes and are not in the ledger yet."""
        return self._folding.unfolded()

    def round(self, *, closing: bool = False, everything: bool = False) -> bool:
        """Fold, adopt, deliver, as `Rounds.go` has it; never raises."""
        return self._rounds.go(closing=closing, everything=everything)

    def destinations(self) -> set[str]:
        """Return what the handlers of this process deliver to."""
        return {one.destination for one in self.handlers() if one.destination}

    # Trouble, and the end --------------------------------------------------------------------------------

    def say(self, about: str, text: str) -> None:
        """Log a line of loghub's own life, once for as long as it stays the same."""
        if self._said.get(about) != text:
            self._said[about] = text
            own_log.tell(logging.WARNING, text)

    def over(self, about: str) -> bool:
        """Forget what was said about something: it is over. True if something was said."""
        return self._said.pop(about, None) is not None

    def close(self, timeout: float) -> None:
        """Fold what is left and let go of journal and ledger, unless that takes longer than `timeout`."""
        if waiting.logging_is_locked():
            return  # the thread goes on
        if self.url is not None:
            # A server may not answer for longer than that: what the thread has not folded, whoever comes next does.
            if self._ledger is not None and self._ledger.hold(timeout):
                self._ledger.resume()
        elif not self.trouble and self._folding.lock.acquire(timeout=max(0.0, timeout)):
            try:
                self.fold(release=True)
                if self._ledger is not None and self.path is not None:
                    self._ledger.close()
            except (LedgerError, OSError) as error:
                self.trouble = str(error)  # the journal stays for whoever comes next
            finally:
                self._folding.lock.release()
        writer = self.journal
        if writer is not None and (missing := writer.missing):
            self.say("missing", f"{missing} errors could not be written to {self.journals} and end with this process.")

    # Forking --------------------------------------------------------------------------------------------

    def hold(self, seconds: float) -> None:
        """Before a fork: have nothing open that a child must not share; wait for that so long at most."""
        opening = self._opening.acquire(timeout=seconds)
        ledger = self._ledger if opening else None
        self._held = opening, ledger if ledger is not None and ledger.hold(seconds) else None

    def resume(self) -> None:
        """After a fork, in the parent."""
        (opening, ledger), self._held = self._held, (False, None)
        if ledger is not None:
            ledger.resume()
        if opening:
            self._opening.release()

    def forked(self) -> None:
        """After a fork, in the child: begin anew, and leave the parent's files alone."""
        if self.journal is not None:
            self.journal.forget()
            self.journal = None
        self._folding.forked()
        self._rounds.forked()
        opening, held = self._held
        if not opening or (self._ledger is not None and held is not self._ledger):
            self.spoiled = self.path is not None and self.url is None
        if self._ledger is not None:
            _orphans.append(self._ledger)  # closing a connection here would end the parent's
            self._ledger = None
        self._held = (False, None)
        self._opening = threading.RLock()
        self._lock = threading.RLock()
        self.owner = leases.new_owner()
        self._said.clear()
        self.changed = False
        self.look_at = self.again_at = self.wake_at = float("inf")


def home_of(path: str | None, url: str | None) -> Home:
    """Return this process's Home for a folder and a ledger, the same for the same."""
    found = deliverer.known_homes.get((path, url))
    return found or deliverer.known_homes.setdefault((path, url), Home(path, url))  # no lock, as in Home.attach
