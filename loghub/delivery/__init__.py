"""The one background thread of a process: it folds journals into the ledger, and delivers what waits.

Guarantee: what a journal holds is folded exactly once, whatever dies when. A destination has one deliverer at
a time (a lease in the ledger); what was delivered is written down item by item, so that a death in between
repeats at most the item under way. The thread starts with the first record, and again in a forked child. It
never logs through handlers that deliver.

`flush` and `close` are bounded in time: ``dictConfig`` and ``logging.shutdown`` call them under locks of
logging's own, and the process may be on its way out.
"""

from __future__ import annotations

import hashlib
import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from loghub import backoff, descriptor, journal, own_log
from loghub.delivery import deliverer, fork, leases, opening, waiting
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

SLICE_BYTES = 8 << 10
"""What the thread folds at once while the application may want the processor: a millisecond's work or two, after which
it rests for as long. A thread that waits for the interpreter's lock would otherwise get it every five milliseconds."""

HURRY_BYTES = 16 << 20
"""With so much to fold the thread does not rest: the journal has a bound, and beyond it occurrences are dropped."""

TROUBLE_SECONDS = 5.0
"""How long a ledger that cannot be used, or a handler that failed to look, is left alone."""

AWAY_SECONDS = 60.0
"""How long a server that does not answer is left alone at most: a fleet is not to come back to it all at once."""

FARTHEST_SECONDS = 2 * 86_400.0
"""Nothing waits for longer; a time that is further ahead was set by a clock that was wrong."""

TIDY_SECONDS = 3600.0
"""How often one of a ledger's processes lets go of what is too old."""

UNEXPECTED_ATTEMPTS = 8
"""Failures of a handler's own code after which an item becomes a dead letter."""


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
        if deliverer.current is None or deliverer.current.idle:
            deliverer.stir()
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
        if deliverer.current is None or deliverer.current.idle:
            deliverer.stir()

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
        return deliverer.PACE_SECONDS if self.url is None else deliverer.SHARED_PACE_SECONDS

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
        if self.path is None or not (force or self.now() - self._adopted_at > deliverer.IDLE_SECONDS / 2):
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
                gentle = deliverer.current is not None and deliverer.current.is_gentle() and not self._is_behind(reader)
                about = SLICE_BYTES if gentle else reader.CHUNK
                longer = reader.read(ended=writer is None, about=about, onto=fold) if reader.offset < upto else None
                fold = longer or fold
                if fold is None:
                    return
                if longer is None or self.url is None or fold.end - fold.start >= reader.CHUNK:
                    self._hand_over(fold, reader, writer)
                    fold = None
                if gentle:
                    time.sleep(min(deliverer.PACE_SECONDS, time.perf_counter() - started))
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
            if not self._tidying or deliverer.current is None or not deliverer.current.is_gentle():
                return
            if any(home.changed for home in deliverer.homes()) or deliverer.soonest() <= self.now():
                return
            time.sleep(min(deliverer.PACE_SECONDS, time.perf_counter() - started))
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
        if waiting.logging_is_locked():
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


def home_of(path: str | None, url: str | None) -> Home:
    """Return this process's Home for a folder and a ledger, the same for the same."""
    found = deliverer.known_homes.get((path, url))
    return found or deliverer.known_homes.setdefault((path, url), Home(path, url))  # no lock, as in Home.attach


fork.register()
