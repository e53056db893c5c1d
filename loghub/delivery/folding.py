"""Folding: what journals hold comes into the ledger, exactly once, whatever dies when."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from loghub import descriptor, own_log
from loghub.delivery import deliverer
from loghub.errors import LedgerError
from loghub.journal import files
from loghub.journal.reading import Fold, Reader

if TYPE_CHECKING:
    from loghub.delivery.home import Home
    from loghub.journal.writing import Journal

SLICE_BYTES = 8 << 10
"""What the thread folds at once while the application may want the processor: a millisecond's work or two, after which
it rests for as long. A thread that waits for the interpreter's lock would otherwise get it every five milliseconds."""

HURRY_BYTES = 16 << 20
"""With so much to fold the thread does not rest: the journal has a bound, and beyond it occurrences are dropped."""


class Folding:
    """What folds the journals of a home: this process's own, and those of processes that are gone."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.lock = threading.RLock()
        self._reader: Reader | None = None
        self._borrowed: dict[int, descriptor.Identity] = {}
        self._adopted_at = 0.0

    def fold(self, *, release: bool = False) -> None:
        """Take what this process wrote into the ledger; `release` lets go of the journal afterwards."""
        with self.lock:
            writer = self.home.journal
            if writer is None:
                return
            writer.tell_dropped()
            self._say_held(writer.held)
            if writer.fd >= 0:
                self._fold_own(writer)
            if release and writer.fd >= 0:
                self._release(writer)

    def _fold_own(self, writer: Journal) -> None:
        reader = self._reader
        if reader is None or reader.fd != writer.fd or reader.name != writer.name:
            reader = self._reader = Reader(writer.name, writer.fd, self.home.ledger().offset(writer.name))
        self._fold_all(reader, writer)
        old = writer.rotate()
        if old is not None:
            self._reader = None
            self._finish(reader)

    def _release(self, writer: Journal) -> None:
        """Let go of the journal and fold it to its end; a record that comes meanwhile begins a new one."""
        reader = self._reader or Reader(writer.name, writer.fd, self.home.ledger().offset(writer.name))
        if writer.detach() is not None:
            self._reader = None
            self._finish(reader)

    def adopt(self, *, force: bool = False) -> None:
        """Fold the journals of processes that are gone, and remove them."""
        if self.home.path is None or not (force or self.home.now() - self._adopted_at > deliverer.IDLE_SECONDS / 2):
            return
        with self.lock:
            self._adopted_at = self.home.now()
            for name, fd in files.adopt(self.home.journals):
                try:
                    self._finish(Reader(name, fd))
                except LedgerError as error:
                    if self.home.url is None:
                        raise
                    self.home.ledger().offset(name)  # where the server itself cannot be used, this says so
                    self.home.say(name, f"the journal {name} of a process that is gone cannot be taken in: {error}")
                except OSError as error:
                    self.home.say(name, f"the journal {name} of a process that is gone cannot be read ({error}).")

    def unfolded(self) -> set[str]:
        """Return the ids of the events that stand in journals of living processes and are not in the ledger yet."""
        found: set[str] = set()
        for name in files.names(self.home.journals) if self.home.path is not None else ():
            try:
                fd = os.open(os.path.join(self.home.journals, name), os.O_RDONLY)
            except OSError:  # folded to its end meanwhile
                continue
            try:
                reader = Reader(name, fd, self.home.ledger().offset(name))
                while (fold := reader.read()) is not None:
                    found.update(str(one.get("id")) for tally in fold.groups.values() for one in tally.kept)
            finally:
                os.close(fd)
        return found

    def _fold_all(self, reader: Reader, writer: Journal | None = None) -> None:
        """Fold what is there now; the journal of a `writer` that goes on may grow meanwhile.

        A ledger in the home gets slice by slice; one that many hosts share gets all of it at once.
        """
        upto = float("inf") if writer is None else writer.size
        fold: Fold | None = None
        try:
            while reader.offset < upto or fold is not None:
                started = time.perf_counter()
                gentle = deliverer.current is not None and deliverer.current.is_gentle() and not self._is_behind(reader)
                about = SLICE_BYTES if gentle else reader.CHUNK
                longer = reader.read(ended=writer is None, about=about, onto=fold) if reader.offset < upto else None
                fold = longer or fold
                if fold is None:
                    return
                if longer is None or self.home.url is None or fold.end - fold.start >= reader.CHUNK:
                    self._hand_over(fold, reader, writer)
                    fold = None
                if gentle:
                    time.sleep(min(deliverer.PACE_SECONDS, time.perf_counter() - started))
        except BaseException:
            self._reader = None  # it knows more than the ledger took: read it anew next time
            raise

    def _hand_over(self, fold: Fold, reader: Reader, writer: Journal | None) -> None:
        if not self.home.ledger().fold(fold):
            reader.resume(self.home.ledger().offset(reader.name))  # the ledger's file was replaced meanwhile
        if writer is not None:
            writer.folded = reader.offset

    def _is_behind(self, reader: Reader) -> bool:
        return os.fstat(reader.fd).st_size - reader.offset > HURRY_BYTES

    def _finish(self, reader: Reader) -> None:
        """Fold a journal to its end and remove it; its descriptor is closed whatever happens."""
        known = self._borrowed[reader.fd] = descriptor.identity(reader.fd)
        try:
            reader.resume(self.home.ledger().offset(reader.name))
            self._fold_all(reader)
            if self._remove(reader.name):
                self.home.ledger().forget_journal(reader.name)
        finally:
            self._borrowed.pop(reader.fd, None)
            descriptor.close(reader.fd, known)

    def _remove(self, name: str) -> bool:
        """Return whether a journal is gone; one that is still there must not be counted again."""
        try:
            os.unlink(os.path.join(self.home.journals, name))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _say_held(self, reason: str) -> None:
        if reason:
            self.home.say(
                "journal",
                f"the journal in {self.home.journals} cannot be written ({reason}): errors are held in memory.",
            )
        elif self.home.over("journal"):
            own_log.tell(logging.INFO, "the journal can be written again.")

    def begin_anew(self) -> None:
        """Forget how far this process's journal is folded: the ledger is asked."""
        self._reader = None

    def forked(self) -> None:
        """After a fork, in the child: leave the parent's journals alone."""
        for borrowed in self._borrowed.items():  # they would keep the locks of the journals that the parent is folding
            descriptor.close(*borrowed)
        self._borrowed = {}
        self._reader = None
        self.lock = threading.RLock()
