"""The one background thread of a process: it folds journals into the ledger, and delivers what waits.

Guarantee: what a journal holds is folded exactly once, whatever dies when. A destination has one deliverer at
a time (a lease in the ledger); what was delivered is written down item by item, so that a death in between
repeats at most the item under way. The thread starts with the first record, and again in a forked child. It
never logs through handlers that deliver.

`flush` and `close` are bounded in time: ``dictConfig`` and ``logging.shutdown`` call them under locks of
logging's own, and the process may be on its way out.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import queue
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from loghub import backoff, capture, descriptor, imports, journal, own_log
from loghub.delivery import leases, opening
from loghub.delivery.batch import Batch
from loghub.errors import DeliveryError, LedgerError, RefusedError
from loghub.ledger.protocol import Outcome
from loghub.sighting import FIELD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loghub.capture import Known
    from loghub.delivery.batch import Destination
    from loghub.ledger.protocol import Item, Ledger
    from loghub.sighting import Sighting

T = TypeVar("T")

PACE_SECONDS = 0.5
"""The shortest time between two rounds of the thread: the application has the processor in between."""

SHARED_PACE_SECONDS = 1.0
"""The same where many hosts share the ledger: what that costs goes by processes."""

SLICE_BYTES = 8 << 10
"""What the thread folds at once while the application may want the processor: a millisecond's work or two, after which
it rests for as long. A thread that waits for the interpreter's lock would otherwise get it every five milliseconds."""

HURRY_BYTES = 16 << 20
"""With so much to fold the thread does not rest: the journal has a bound, and beyond it occurrences are dropped."""

IDLE_SECONDS = 30.0
"""The longest time between two rounds: how soon the journal of a dead process is adopted."""

HOPELESS_SECONDS = 5.0
"""After a flush in vain another one returns at once, if nothing new came or the process ends: handlers are
flushed one by one."""

TROUBLE_SECONDS = 5.0
"""How long a ledger that cannot be used, or a handler that failed to look, is left alone."""

AWAY_SECONDS = 60.0
"""How long a server that does not answer is left alone at most: a fleet is not to come back to it all at once."""

FORK_SECONDS = 1.5
"""The longest that a fork waits for a thread that is in the ledger; longer than that takes no call there."""

FARTHEST_SECONDS = 2 * 86_400.0
"""Nothing waits for longer; a time that is further ahead was set by a clock that was wrong."""

TIDY_SECONDS = 3600.0
"""How often one of a ledger's processes lets go of what is too old."""

UNEXPECTED_ATTEMPTS = 8
"""Failures of a handler's own code after which an item becomes a dead letter."""


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
        self.keep = journal.KEEP_PER_GROUP
        self.changed = False
        self.trouble = ""  # why the ledger cannot be used now
        self._troubles = 0  # how often in a row
        self.look_at = float("inf")  # when there may be something to deliver
        self.wake_at = float("inf")  # when a handler wants a batch, whatever waits
        self.again_at = float("inf")  # when what failed is due again; the rest of what waits is for an interval
        self.spoiled = False  # this process must not open the ledger's file
        self.draining = False  # a person wants all of it delivered
        self._handlers: dict[int, Destination | None] = {}
        self._lock = threading.RLock()
        self._folding = threading.RLock()
        self._rounds = threading.Lock()  # the lease keeps other processes off, this our own threads
        self._journal: journal.Journal | None = None
        self._reader: journal.Reader | None = None
        self._ledger: Ledger | None = None
        self._opening = threading.RLock()
        self._held: tuple[bool, Ledger | None] = (False, None)
        self._borrowed: dict[int, descriptor.Identity] = {}
        self._adopted_at = 0.0
        self._tidy_at = 0.0
        self._tidying = False
        self._said: dict[str, str] = {}

    # The application's side -----------------------------------------------------------------------------

    def attach(self, key: int, handler: Destination | None) -> None:
        """Add a handler of this process; None for one that delivers nothing."""
        # Here and in detach there is no lock: dictConfig calls them under logging's own, and a thread with our
        # lock may be waiting for that one (the garbage collector runs anywhere, and handlers die in it).
        self._handlers[key] = handler
        # A round under way may not have seen it.
        self.changed = self.changed or self._journal is not None or self._ledger is not None

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
        if self._journal is not None:
            self._journal.forget_kinds()

    def keep_at_least(self, occurrences: int) -> None:
        """Keep so many occurrences of a group in full in an hour."""
        if occurrences > self.keep:
            self.keep = occurrences
            if self._journal is not None:
                self._journal.keep = occurrences
                self._journal.forget_kinds()  # some are counted only, and for an hour

    def again(self, known: Known, mark: str, record: logging.LogRecord) -> bool:
        """Count a repeat in this process's journal and mark the record; False: nothing was done, `note` has to."""
        writer = self._journal
        sighting = writer.again(known, mark, record.created) if writer is not None else None
        if sighting is None:
            return False
        record.__dict__[FIELD] = sighting
        self.changed = True  # as _was_written, without its call
        if _thread is None or _thread.idle:
            stir()
        return True

    def note(self, record: logging.LogRecord, sighting: Sighting, destination: str | None, *, selective: bool) -> None:
        """Write a record down in this process's journal."""
        writer = self._journal
        if writer is None:
            writer = self._open_journal()
        writer.note(record, sighting, destination, selective=selective)
        self._was_written()

    def _was_written(self) -> None:
        """See that the thread looks at the journal, now if it rests, else in its next round."""
        self.changed = True  # not before: a round that is under way would take the mark and miss the line
        if _thread is None or _thread.idle:
            stir()

    def look(self) -> None:
        """Have the thread look at the ledger: somebody has entrusted something to a destination."""
        self._was_written()

    def _open_journal(self) -> journal.Journal:
        with self._lock:
            if self._journal is None:
                self._journal = self._make_journal()
                self._journal.keep = self.keep
            return self._journal

    def _make_journal(self) -> journal.Journal:
        if self.path is not None:
            try:
                return journal.Journal(self.journals, self.token)
            except OSError as error:
                self.say(
                    "home",
                    f"the home {self.path} cannot be written ({error.strerror or error}): errors are kept in "
                    "memory and end with the process; set LOGHUB_HOME to a folder that can be written.",
                )
                self.path = None
        return journal.Journal(None, self.token)

    @property
    def pace(self) -> float:
        """Seconds between two rounds: a ledger that many processes share hears of each once a second at most."""
        return PACE_SECONDS if self.url is None else SHARED_PACE_SECONDS

    @property
    def position(self) -> object:
        """How far this process has written; equal as long as nothing came."""
        return None if self._journal is None else (self._journal.name, self._journal.size)

    @property
    def journals(self) -> str:
        """The folder of the journals."""
        return os.path.join(self.path or "", "journal")

    # Folding --------------------------------------------------------------------------------------------

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

    def fold(self, *, release: bool = False) -> None:
        """Take what this process wrote into the ledger; `release` lets go of the journal afterwards."""
        with self._folding:
            writer = self._journal
            if writer is None:
                return
            writer.tell_dropped()
            self._say_held(writer.held)
            if writer.fd >= 0:
                self._fold_own(writer)
            if release and writer.fd >= 0:
                self._release(writer)

    def _fold_own(self, writer: journal.Journal) -> None:
        reader = self._reader
        if reader is None or reader.fd != writer.fd or reader.name != writer.name:
            reader = self._reader = journal.Reader(writer.name, writer.fd, self.ledger().offset(writer.name))
        self._fold_all(reader, writer)
        old = writer.rotate()
        if old is not None:
            self._reader = None
            self._finish(reader)

    def _release(self, writer: journal.Journal) -> None:
        """Let go of the journal and fold it to its end; a record that comes meanwhile begins a new one."""
        reader = self._reader or journal.Reader(writer.name, writer.fd, self.ledger().offset(writer.name))
        if writer.detach() is not None:
            self._reader = None
            self._finish(reader)

    def adopt(self, *, force: bool = False) -> None:
        """Fold the journals of processes that are gone, and remove them."""
        if self.path is None or not (force or self.now() - self._adopted_at > IDLE_SECONDS / 2):
            return
        with self._folding:
            self._adopted_at = self.now()
            for name, fd in journal.adopt(self.journals):
                try:
                    self._finish(journal.Reader(name, fd))
                except LedgerError as error:
                    if self.url is None:
                        raise
                    self.ledger().offset(name)  # where the server itself cannot be used, this says so
                    self.say(name, f"the journal {name} of a process that is gone cannot be taken in: {error}")
                except OSError as error:
                    self.say(name, f"the journal {name} of a process that is gone cannot be read ({error}).")

    def unfolded(self) -> set[str]:
        """Return the ids of the events that stand in journals of living processes and are not in the ledger yet."""
        found: set[str] = set()
        for name in journal.names(self.journals) if self.path is not None else ():
            try:
                fd = os.open(os.path.join(self.journals, name), os.O_RDONLY)
            except OSError:  # folded to its end meanwhile
                continue
            try:
                reader = journal.Reader(name, fd, self.ledger().offset(name))
                while (fold := reader.read()) is not None:
                    found.update(str(one.get("id")) for tally in fold.groups.values() for one in tally.kept)
            finally:
                os.close(fd)
        return found

    def _fold_all(self, reader: journal.Reader, writer: journal.Journal | None = None) -> None:
        """Fold what is there now; the journal of a `writer` that goes on may grow meanwhile.

        A ledger in the home gets slice by slice; one that many hosts share gets all of it at once.
        """
        upto = float("inf") if writer is None else writer.size
        fold: journal.Fold | None = None
        try:
            while reader.offset < upto or fold is not None:
                started = time.perf_counter()
                gentle = _thread is not None and _thread.is_gentle() and not self._is_behind(reader)
                about = SLICE_BYTES if gentle else reader.CHUNK
                longer = reader.read(ended=writer is None, about=about, onto=fold) if reader.offset < upto else None
                fold = longer or fold
                if fold is None:
                    return
                if longer is None or self.url is None or fold.end - fold.start >= reader.CHUNK:
                    self._hand_over(fold, reader, writer)
                    fold = None
                if gentle:
                    time.sleep(min(PACE_SECONDS, time.perf_counter() - started))
        except BaseException:
            self._reader = None  # it knows more than the ledger took: read it anew next time
            raise

    def _hand_over(self, fold: journal.Fold, reader: journal.Reader, writer: journal.Journal | None) -> None:
        if not self.ledger().fold(fold):
            reader.resume(self.ledger().offset(reader.name))  # the ledger's file was replaced meanwhile
        if writer is not None:
            writer.folded = reader.offset

    def _is_behind(self, reader: journal.Reader) -> bool:
        return os.fstat(reader.fd).st_size - reader.offset > HURRY_BYTES

    def _finish(self, reader: journal.Reader) -> None:
        """Fold a journal to its end and remove it; its descriptor is closed whatever happens."""
        known = self._borrowed[reader.fd] = descriptor.identity(reader.fd)
        try:
            reader.resume(self.ledger().offset(reader.name))
            self._fold_all(reader)
            if self._remove(reader.name):
                self.ledger().forget_journal(reader.name)
        finally:
            self._borrowed.pop(reader.fd, None)
            descriptor.close(reader.fd, known)

    def _remove(self, name: str) -> bool:
        """Return whether a journal is gone; one that is still there must not be counted again."""
        try:
            os.unlink(os.path.join(self.journals, name))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    # Delivering -----------------------------------------------------------------------------------------

    def destinations(self) -> set[str]:
        """Return what the handlers of this process deliver to."""
        return {one.destination for one in self.handlers() if one.destination}

    def round(self, *, closing: bool = False, everything: bool = False) -> bool:
        """Fold, adopt, deliver; never raises.

        Args:
            closing: The process is going, or somebody asked for a flush. The journal is let go, and if no
                other process of this home is alive, nothing waits for an interval any more; unless others may share
                its ledger: when all of them are deployed anew, each would send what waits.
            everything: Nothing waits for an interval in any case.

        Returns:
            Whether all is delivered that this process's handlers can deliver.
        """
        if not self._rounds.acquire(timeout=1.0):
            self.look_at = self.again_at = min(self.look_at, self.now() + 1)  # another thread is at it
            return False
        try:
            self.changed = False
            if (
                self.url is not None
                and self.trouble
                and not closing
                and self.now() < self.look_at <= self.now() + AWAY_SECONDS
            ):
                return False  # whatever comes meanwhile: the journal has it
            self.draining = everything
            return self._round(closing=closing, everything=everything)
        except LedgerError as error:
            self._give_up_ledger(error)
        except Exception as error:  # a fault of our own must not end the thread
            self.say("round", f"the home {self.path} cannot be used now ({own_log.named(error)}); trying again.")
            self.look_at = self.again_at = self.now() + TROUBLE_SECONDS
        finally:
            self._rounds.release()
        return False

    def _round(self, *, closing: bool, everything: bool) -> bool:
        self.fold(release=closing)
        held = self._journal is not None and self._journal.held
        self.adopt(force=closing)
        last = everything or (closing and self.url is None and not (self.path and journal.alive(self.journals)))
        self._mend()
        delivered = self._deliver_all(closing=last)
        if held:
            self.look_at = min(self.look_at, self.now() + TROUBLE_SECONDS)
        self._tidy()
        return delivered and not held

    def _tidy(self) -> None:
        """Have the ledger let go of what is too old: a step a round, and all of it while nothing else is to do."""
        now = self.now()
        if not self._tidying:
            if now < self._tidy_at <= now + TIDY_SECONDS:
                return
            self._tidy_at = now + TIDY_SECONDS
            if self.ledger().spend("tidy", 1, TIDY_SECONDS, now) > 0:
                return  # another process does it
        started = time.perf_counter()
        while True:
            self._tidying = self.ledger().tidy(now)
            if not self._tidying or _thread is None or not _thread.is_gentle():
                return
            if any(home.changed for home in homes()) or soonest() <= self.now():
                return
            time.sleep(min(PACE_SECONDS, time.perf_counter() - started))
            started = time.perf_counter()

    def _deliver_all(self, *, closing: bool) -> bool:
        look_at = again_at = wake_at = float("inf")
        for handler in self.handlers():
            if handler.destination is not None:
                look, again = self._try_to_deliver(handler, handler.destination, closing=closing)
                look_at, again_at = min(look_at, look), min(again_at, again)
                wake_at = min(wake_at, self._times(self.ledger(), handler.destination)[0])
        self.look_at, self.again_at, self.wake_at = look_at, again_at, wake_at
        return look_at == float("inf")

    def _times(self, ledger: Ledger, destination: str) -> tuple[float, float]:
        """Return when the handler of a destination wants a batch, whatever waits, and until when it rests.

        While it rests it gets none.
        """
        memory = ledger.memory(destination)
        rest_until = self._kept(memory, "rest_until", 0.0)
        return max(self._kept(memory, "wake_at", float("inf")), rest_until), rest_until

    def _kept(self, memory: Mapping[str, Any], name: str, default: float) -> float:
        """Return a time from a destination's memory; what is damaged, or set by a clock that was ahead, is over."""
        at = memory.get(name, default)
        good = isinstance(at, int | float) and (at == default or at <= self.now() + FARTHEST_SECONDS)
        return float(at) if good else 0.0

    def _try_to_deliver(self, handler: Destination, destination: str, *, closing: bool) -> tuple[float, float]:
        try:
            return self.deliver_to(handler, destination, closing=closing)
        except LedgerError:
            raise
        except Exception as error:  # one handler's fault must not stop the others
            self.say(destination, f"{destination} failed: {own_log.named(error)}")
            return self.now() + TROUBLE_SECONDS, float("inf")

    def deliver_to(self, handler: Destination, destination: str, *, closing: bool = False) -> tuple[float, float]:
        """Deliver to one destination what its handler says is due.

        Returns:
            When to look again, and when what failed is due again; infinity where nothing is left.
        """
        ledger = self.ledger()
        waiting = self._waiting(ledger, handler, destination)
        wake_at, rest_until = self._times(ledger, destination)
        woken = wake_at <= self.now()
        if not (waiting or woken):
            return float("inf"), float("inf")
        if rest_until > self.now():
            return rest_until, rest_until
        if woken or self._due(handler, waiting, closing=closing):
            if not leases.take(ledger, destination, self.owner, self.now(), leases.LEASE_SECONDS):
                return self.now() + 1, self.now() + 0.2
            try:
                self._deliver_leased(handler, destination, closing=closing)
            finally:
                ledger.release(destination, self.owner)
            waiting = self._waiting(ledger, handler, destination)
        return self._prospect(handler, waiting, closing=closing)

    def _waiting(self, ledger: Ledger, handler: Destination, destination: str) -> Sequence[Item]:
        """Return what waits; what somebody has muted counts as told to people."""
        now = self.now()
        waiting = ledger.waiting(destination, now)
        if not handler.tells_people:
            return waiting
        if muted := [item for item in waiting if item.group.muted_until > now]:
            told = [Outcome(item.group.fingerprint, "done", item.total, memory=item.memory) for item in muted]
            ledger.settle(destination, told, now)
        return [item for item in waiting if item.group.muted_until <= now]

    def _due(self, handler: Destination, waiting: Sequence[Item], *, closing: bool) -> Sequence[Item]:
        now = self.now()
        due = [item for item in waiting if not now < item.due_at <= now + FARTHEST_SECONDS]
        return handler.ready(due, now, closing=closing) if due else ()

    def _prospect(self, handler: Destination, waiting: Sequence[Item], *, closing: bool) -> tuple[float, float]:
        now = self.now()
        if self._due(handler, waiting, closing=closing):
            return now, now  # more than one batch
        again = min((item.due_at for item in waiting if item.due_at > now), default=float("inf"))
        declined = any(item.due_at <= now for item in waiting)
        return min(again, now + 1) if declined else again, again

    def _deliver_leased(self, handler: Destination, destination: str, *, closing: bool) -> None:
        ledger = self.ledger()
        # Whoever had the lease before may have delivered meanwhile.
        chosen = self._due(handler, self._waiting(ledger, handler, destination), closing=closing)
        if chosen or self._times(ledger, destination)[0] <= self.now():
            items = ledger.load(chosen, handler.most_events)
            self._attempt(handler, Batch(ledger, self.owner, items, destination, now=self.now, closing=closing))

    def _attempt(self, handler: Destination, batch: Batch) -> bool:
        """Deliver one batch; True if the destination can be told more now."""
        try:
            handler.deliver(batch)
            for item in batch.unsettled:
                batch.done(item)
            batch.answered()
            self._said.pop(batch.destination, None)
        except leases.LeaseLostError:
            if leases.ending.is_set():
                batch.save_memory()  # the lease is still ours
            return False
        except LedgerError:
            raise
        except RefusedError as error:
            for item in batch.unsettled:
                batch.dead(item, str(error))
            if batch.items:
                batch.answered()
            else:  # it was woken, and would be at once again
                batch.rest(str(error))
            self.say(batch.destination, f"{batch.destination} refused: {error}")
        except DeliveryError as error:
            batch.rest(str(error), error.retry_after)
            self.say(batch.destination, f"{batch.destination} could not be told, trying again: {error}")
        except Exception as error:  # a channel's own fault must stop neither the thread nor the others
            return self._stumbled(handler, batch, own_log.named(error))
        batch.save_memory()
        return "rest_until" not in batch.memory

    def _stumbled(self, handler: Destination, batch: Batch, reason: str) -> bool:
        """Find the one item that a channel's own code fails on, so that the others are told."""
        if not batch.items:  # it was woken, and would be at once again
            batch.rest(reason)
        batch.save_memory()
        left = batch.unsettled
        if len(left) > 1:
            return all(self._attempt(handler, batch.alone(item)) for item in left)
        for item in left:
            if item.attempts + 1 >= UNEXPECTED_ATTEMPTS:
                batch.dead(item, reason)
            else:
                batch.later(item, reason)
        self.say(batch.destination, f"{batch.destination} failed: {reason}")
        return True

    # Trouble --------------------------------------------------------------------------------------------

    def say(self, about: str, text: str) -> None:
        """Log a line of loghub's own life, once for as long as it stays the same."""
        if self._said.get(about) != text:
            self._said[about] = text
            own_log.tell(logging.WARNING, text)

    def _say_held(self, reason: str) -> None:
        if reason:
            self.say(
                "journal", f"the journal in {self.journals} cannot be written ({reason}): errors are held in memory."
            )
        elif self._said.pop("journal", ""):
            own_log.tell(logging.INFO, "the journal can be written again.")

    def _mend(self) -> None:
        self._troubles = 0
        if self.trouble:
            self.trouble = ""
            self._said.pop("ledger", None)
            own_log.tell(logging.INFO, "the ledger can be used again.")

    def _leave_alone(self) -> float:
        """Return how long not to ask a ledger again that could not be used."""
        if self.url is None:
            return TROUBLE_SECONDS
        return backoff.delay(self._troubles, first=TROUBLE_SECONDS, longest=AWAY_SECONDS)

    def _give_up_ledger(self, error: LedgerError) -> None:
        """Keep journaling without the ledger; a damaged one is set aside, so that the next round begins anew."""
        from loghub.ledger.connection import CorruptLedgerError

        self.trouble = str(error)
        self._troubles += 1
        self.look_at = self.again_at = self.now() + self._leave_alone()
        if self._ledger is not None:
            self._ledger.close()
        self._ledger = None
        self._reader = None
        text = f"{error} Errors are kept in the journal until then."
        if isinstance(error, CorruptLedgerError) and self.path is not None:
            aside = opening.set_aside(self.path, error.inode)
            if aside:
                text = f"{error} It was moved to {aside}, and a new one is begun."
                self.look_at = self.again_at = self.now()
        self.say("ledger", text)

    def close(self, timeout: float) -> None:
        """Fold what is left and let go of journal and ledger, unless that takes longer than `timeout`."""
        if _logging_is_locked():
            return  # the thread goes on
        if self.url is not None:
            # A server may not answer for longer than that: what the thread has not folded, whoever comes next does.
            if self._ledger is not None and self._ledger.hold(timeout):
                self._ledger.resume()
        elif not self.trouble and self._folding.acquire(timeout=max(0.0, timeout)):
            try:
                self.fold(release=True)
                if self._ledger is not None and self.path is not None:
                    self._ledger.close()
            except (LedgerError, OSError) as error:
                self.trouble = str(error)  # the journal stays for whoever comes next
            finally:
                self._folding.release()
        writer = self._journal
        if writer is not None and (missing := writer.missing):
            self.say("missing", f"{missing} errors could not be written to {self.journals} and end with this process.")

    # Forking --------------------------------------------------------------------------------------------

    def hold(self) -> None:
        """Before a fork: have nothing open that a child must not share."""
        opening = self._opening.acquire(timeout=FORK_SECONDS)
        ledger = self._ledger if opening else None
        self._held = opening, ledger if ledger is not None and ledger.hold(FORK_SECONDS) else None

    def resume(self) -> None:
        """After a fork, in the parent."""
        (opening, ledger), self._held = self._held, (False, None)
        if ledger is not None:
            ledger.resume()
        if opening:
            self._opening.release()

    def forked(self) -> None:
        """After a fork, in the child: begin anew, and leave the parent's files alone."""
        if self._journal is not None:
            self._journal.forget()
            self._journal = None
        for borrowed in self._borrowed.items():  # they would keep the locks of the journals that the parent is folding
            descriptor.close(*borrowed)
        self._borrowed = {}
        opening, held = self._held
        if not opening or (self._ledger is not None and held is not self._ledger):
            self.spoiled = self.path is not None and self.url is None
        if self._ledger is not None:
            _orphans.append(self._ledger)  # closing a connection here would end the parent's
            self._ledger = None
        self._held = (False, None)
        self._opening = threading.RLock()
        self._reader = None
        self._lock = threading.RLock()
        self._folding = threading.RLock()
        self._rounds = threading.Lock()
        self.owner = leases.new_owner()
        self._said.clear()
        self.changed = False
        self.look_at = self.again_at = self.wake_at = float("inf")


# The thread ---------------------------------------------------------------------------------------------

_homes: dict[tuple[str | None, str | None], Home] = {}
_guard = threading.RLock()
_thread: _Deliverer | None = None
_orphans: list[Any] = []
_failed_at = float("-inf")
_failed_with: list[object] = []  # how far the journals were then
by_hand = False
"""True in a program that goes its rounds itself, or only looks: no thread is started, one that runs does nothing, and
no flush delivers."""

chores: dict[str, Callable[[], float]] = {}
"""What else the thread does now and then, by who wants it; each returns in how many seconds to call it again."""


def home_of(path: str | None, url: str | None) -> Home:
    """Return this process's Home for a folder and a ledger, the same for the same."""
    found = _homes.get((path, url))
    return found or _homes.setdefault((path, url), Home(path, url))  # no lock, as in Home.attach


def homes() -> list[Home]:
    """Return the homes that handlers of this process use."""
    return list(_homes.values())


class _Deliverer(threading.Thread):
    """Goes round the homes, soon after something happened, and otherwise now and then."""

    def __init__(self) -> None:
        super().__init__(name="loghub-delivery", daemon=True)
        self.idle = False
        self.busy = False
        # Not an Event: a signal handler may log while its own thread is in here, and only this may be entered twice.
        self._calls: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._hurry = False
        self._asked = 0
        self._answered = 0
        self.rounds = 0  # how many it has gone
        self._delivered = False
        self._answer = threading.Condition()
        self._chores_at = float("-inf")

    def run(self) -> None:
        ident = threading.get_ident()
        capture.muted_threads.add(ident)
        try:
            while _thread is self:
                self._go_round()
                self._rest()
        finally:
            self.busy = False
            self.idle = True  # whoever would wake it finds that it is dead
            capture.muted_threads.discard(ident)  # the next thread may get the same

    def _go_round(self) -> None:
        self._hurry = False
        asked = self._asked
        self.busy = True
        rounds = [home.round(closing=asked != self._answered) for home in ([] if by_hand else homes())]
        with self._answer:
            self.busy = False
            self._answered, self._delivered = asked, all(rounds)
            self.rounds += 1
            self._answer.notify_all()

    def _rest(self) -> None:
        until = time.monotonic() + max((home.pace for home in homes()), default=PACE_SECONDS)
        self._do_chores()
        while not self._hurry and (left := until - time.monotonic()) > 0:
            self._listen(left)
        self.idle = True
        until = time.monotonic() + min(IDLE_SECONDS, max(0.0, soonest() - time.time()))
        while self.idle and not self._hurry and not any(home.changed for home in homes()):
            left = until - time.monotonic()
            if left <= 0:
                break
            self._listen(min(left, self._do_chores()))
        self.idle = False

    def _do_chores(self) -> float:
        """Do the chores if they are due; return the seconds until they are due again."""
        now = time.monotonic()
        if now >= self._chores_at:
            waits = [IDLE_SECONDS]
            for chore in list(chores.values()):
                try:
                    waits.append(chore())
                except Exception as error:  # it must not end the thread
                    own_log.tell(logging.WARNING, f"{own_log.named(error)}")
            self._chores_at = now + min(waits)
        return self._chores_at - now

    def _listen(self, seconds: float) -> None:
        with contextlib.suppress(queue.Empty):
            self._calls.get(timeout=seconds)

    def is_gentle(self) -> bool:
        """Return whether the caller is this thread, and nobody waits for what it does."""
        return threading.current_thread() is self and not self._hurry and self._asked == self._answered

    def wake(self) -> None:
        """Make it look now, if it rests."""
        self.idle = False
        self._calls.put(None)

    def ask(self, deadline: float) -> bool:
        """Have everything delivered until `deadline` (monotonic); True if it was."""
        while (left := deadline - time.monotonic()) > 0:
            with self._answer:
                self._asked += 1
                mine = self._asked
                self._hurry = True
                self.wake()
                if not self._answer.wait_for(lambda: self._answered >= mine, left):  # noqa: B023 - waits here
                    return False
                if self._delivered:
                    return True
            rest = min((home.again_at for home in homes()), default=float("inf")) - time.time()
            if rest > deadline - time.monotonic():
                return False  # nothing more can be due in time
            time.sleep(max(0.02, rest))
        return False

    def wait_beyond(self, rounds: int, seconds: float) -> None:
        """Wait until it has gone more than so many rounds, for at most so many seconds."""
        with self._answer:
            self._answer.wait_for(lambda: self.rounds > rounds, seconds)

    def settle(self, deadline: float) -> None:
        """Wait until it is between two rounds, at most until `deadline` (monotonic)."""
        with self._answer:
            self._answer.wait_for(lambda: not self.busy, max(0.0, deadline - time.monotonic()))


def soonest() -> float:
    """Return when a home may next have something to deliver (epoch seconds)."""
    return min((min(home.look_at, home.wake_at) for home in homes()), default=float("inf"))


def stir() -> None:
    """See that the thread runs and, if it rests, looks at the journal."""
    if by_hand:
        return
    thread = _thread
    if thread is None or not thread.is_alive():
        _start()
    elif thread.idle:
        thread.wake()


def _start() -> None:
    global _thread  # noqa: PLW0603 - one thread per process
    if not _guard.acquire(blocking=False):
        return  # another thread is at it
    try:
        if _thread is not None and (_thread.is_alive() or _thread.ident is None):
            return  # without an ident: a signal handler logs while its own thread starts it
        if sys.is_finalizing():
            return  # nobody would run it, and Thread.start waits for that
        thread = _thread = _Deliverer()
        try:
            thread.start()
        except RuntimeError:
            _thread = None  # the interpreter is going down: the journal stays for whoever comes next
            return
        _flush_in_child()
    finally:
        _guard.release()


def _flush_in_child() -> None:
    """Deliver at the end of a multiprocessing child, which runs no atexit functions."""
    module = sys.modules.get("multiprocessing.process")
    if module is not None and module.parent_process() is not None:
        from multiprocessing import util

        util.Finalize(None, logging.shutdown, exitpriority=-100)


def _thread_busy() -> bool:
    return _thread is not None and _thread.busy


def flush(timeout: float) -> bool:
    """Deliver what waits, for at most `timeout` seconds; True if nothing is left.

    Under logging's own lock (``dictConfig`` is replacing the handlers) nothing is delivered here: a library
    that logs would wait for that lock. The handlers that come deliver it.
    """
    global _failed_at, _failed_with
    pending = [home for home in homes() if home.changed or home.look_at != float("inf")]
    if not pending and not _thread_busy():  # a round under way has taken the marks of what it works on
        return True
    if by_hand or _logging_is_locked():
        return False
    positions = [home.position for home in homes()]
    news = positions != _failed_with and threading.main_thread().is_alive()
    if not news and time.monotonic() - _failed_at < HOPELESS_SECONDS:
        return False
    _start()
    if _thread is None or threading.current_thread() is _thread or sys.is_finalizing():
        return False
    if _ask(_thread, timeout):
        return True
    _failed_at, _failed_with = time.monotonic(), positions
    return False


def wait_for(find: Callable[[], T | None], timeout: float) -> T | None:
    """Return what `find` comes to, asked at once and after each round of the thread; None: nothing in time.

    Unlike `flush` it hurries nobody: mails go on waiting for their interval.
    """
    deadline = time.monotonic() + timeout
    while True:
        if not by_hand:
            with _guard:
                _start()  # what stands in a queue of the application's has not come to a handler yet
        thread = _thread
        rounds = thread.rounds if thread is not None else 0
        found = find()
        left = deadline - time.monotonic()
        if found is not None or left <= 0 or thread is None or not thread.is_alive():
            return found
        if threading.current_thread() is thread:
            return None
        thread.wait_beyond(rounds, left)


def is_idle(until: float) -> bool:
    """Return whether nothing will be delivered before a time (epoch seconds), if nothing new comes."""
    return not (_thread_busy() or any(home.changed for home in homes()) or soonest() <= until)


def _ask(thread: _Deliverer, timeout: float) -> bool:
    """Ask for delivery; near the end of the time have it stop at the next step and give its leases back."""
    spare = min(0.5, timeout / 4)
    started = time.monotonic()
    if thread.ask(started + timeout - spare):
        return True
    leases.ending.set()
    try:
        thread.settle(started + timeout)
    finally:
        leases.ending.clear()
    return False


def _logging_is_locked() -> bool:
    owned = getattr(getattr(logging, "_lock", None), "_is_owned", None)
    return bool(owned and owned())


def _forking() -> None:
    """Before a fork: keep our thread out of what a child could not use any more, for a moment."""
    until = time.monotonic() + FORK_SECONDS
    _hold()
    while _is_importing() and time.monotonic() < until:
        _forked_in_parent()
        time.sleep(0.001)
        _hold()


def _hold() -> None:
    # Logging's lock first, as in dictConfig, which closes handlers under it; logging's own hook takes it later.
    logging._lock.acquire()  # type: ignore[attr-defined]
    for home in list(_homes.values()):
        home.hold()


def _is_importing() -> bool:
    return _thread is not None and imports.is_importing(_thread.ident or 0)


def _forked_in_parent() -> None:
    for home in list(_homes.values()):
        home.resume()
    logging._lock.release()  # type: ignore[attr-defined]


def _forked() -> None:
    global _guard, _thread, _failed_at  # noqa: PLW0603 - the child has its own
    leases.forked()
    _guard = threading.RLock()
    if _thread is not None:
        imports.mend(_thread.ident or 0)  # it took longer than we wait, or began in the last moment
    _thread = None
    _failed_at = float("-inf")
    capture.muted_threads.clear()
    for home in list(_homes.values()):
        home.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_forking, after_in_parent=_forked_in_parent, after_in_child=_forked)
