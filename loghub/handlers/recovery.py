"""`RecoveryHandler`: runs a procedure for a kind of error, with guard rails.

Guarantee: of a procedure at most one run is under way in all processes of a ledger. A run has a thread of its own, so
it delays neither the application nor other destinations; what it does ends there.
"""

from __future__ import annotations

import difflib
import hashlib
import inspect
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Required, TypedDict

from loghub import options
from loghub.delivery import deliverer, leases
from loghub.description import server_name
from loghub.errors import LedgerError, OptionValueError, UnknownOptionError
from loghub.handlers.fanout import Branch, FanOutHandler
from loghub.ledger.protocol import Recovery
from loghub.procedures.arguments import check, own_copy, stable
from loghub.recovery.course import Course, Terms
from loghub.recovery.kinds import Kinds
from loghub.recovery.run import Run, is_running_one
from loghub.recovery.wording import wording
from loghub.scrub.own import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from loghub.delivery.batch import Batch
    from loghub.event import Event
    from loghub.ledger.protocol import Item, Ledger

RUN_SECONDS = 300.0
"""How long the right to run lasts without being renewed: a host that died gives it back after this time."""

LOOK_SECONDS = 1.0
"""How often a run under way is looked at."""

HEAD_START_SECONDS = 5.0
"""So long an error is left to the process in which it happened: what has to be opened anew is open there."""

Entry = TypedDict(
    "Entry",
    {
        "on": Required[Annotated[Sequence[str], options.Takes(minLength=1, minItems=1)]],
        "run": Required[str],
        "with": Mapping[str, Any],
        "cooldown": float,
        "attempts": options.AtLeastOne,
        "timeout": Annotated[float, options.Takes(minimum=0.01)],
    },
    total=False,
)
_KEYS = tuple(Entry.__annotations__)
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Procedure:
    """One entry of `procedures`.

    Attributes:
        name: The dotted name of what is run.
        on: For which errors, as it was said.
        kinds: The same, as a test.
        function: What is run: ``(event, **arguments) -> bool``.
        arguments: What it gets besides the event.
        terms: Cooldown, attempts, time limit.
        mark: What makes it this one among others of the name.
    """

    name: str
    on: Sequence[str]
    kinds: Kinds
    function: Callable[..., object]
    arguments: dict[str, Any]
    terms: Terms
    mark: str


class RecoveryHandler(FanOutHandler["ProcedureBranch"]):
    """Runs a procedure when an error of a kind occurs, and writes down what became of it.

    Args:
        procedures: A list of mappings: ``on`` (an exception class by its name, dotted or not, of which subclasses
            count; a logger, of which children count; a level, with those above; a fingerprint; or a list of these),
            ``run`` (the dotted name of a function that takes the event and what ``with`` says, and returns whether it
            helped), ``with`` (its further arguments), ``cooldown`` (60: the least seconds between two runs),
            ``attempts`` (3: so many failures in a row, and it gives up for a quarter of an hour, then longer) and
            ``timeout`` (30: a run that takes more seconds has failed; while it goes on, no other begins).
        rest: What every reporting handler takes: `level`, `home`, `ledger`, `shutdown_timeout`.

    Raises:
        UnknownOptionError: An option, or a key of a procedure, that does not exist.
        OptionValueError: A value is malformed, or ``run`` names no function.
    """

    def __init__(self, *, procedures: Sequence[Entry] = (), **rest: Any) -> None:
        said = options.plain(procedures)
        if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
            options.refuse(self, "procedures", procedures, f"a list of mappings with {', '.join(_KEYS)}")
        read = [_procedure(self, number, one) for number, one in enumerate(said, 1)]
        super().__init__(**rest)
        given = {"level": self.level} | {name: rest[name] for name in _SHARED if name in rest}
        self.branch_off([ProcedureBranch(one, **given) for one in read])


_SHARED = ("home", "ledger", "shutdown_timeout")


class ProcedureBranch(Branch):
    """A procedure as a destination: an error that is told to it makes it run."""

    tells_people = False

    def __init__(self, procedure: Procedure, **rest: Any) -> None:
        self.procedure = procedure
        self.destination = f"recovery:{procedure.name}/{procedure.mark}"
        self._is_here = False  # an error happened in this process
        super().__init__(**rest)

    @property
    def _slot(self) -> str:
        """Under which name the ledger keeps the right to run, and what became of the runs."""
        return f"{self.destination} run"

    # Errors come in

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record down if it is one for this procedure; what a procedure logs is not."""
        try:
            if not self.enabled or is_running_one() or not self._is_for_us(record):
                return
        except Exception:
            self.handleError(record)
            return
        self._is_here = True
        super().emit(record)

    def _is_for_us(self, record: logging.LogRecord) -> bool:
        kinds = self.procedure.kinds
        if kinds.fit(record):
            return True
        if not kinds.fingerprints:
            return False
        kind = self._sight(record).kind
        return kind is not None and kind.fingerprint in kinds.fingerprints

    # The delivery thread

    def ready(self, waiting: Sequence[Item], now: float, *, closing: bool) -> Sequence[Item]:
        """Return all that is due, unless a run is under way or another process comes first."""
        due = super().ready(waiting, now, closing=closing)
        if closing:
            return due
        if self._run is not None:
            return []
        ours = self._is_here or any(now - max(item.since_at, item.due_at) >= HEAD_START_SECONDS for item in due)
        return due if ours else []

    def deliver(self, batch: Batch) -> None:
        """Begin a run if one is due, and look after the one that is under way."""
        busy = self._consider(batch)
        while busy and (run := self._run) is not None:
            batch.take(self._slot, RUN_SECONDS)
            if batch.now() - run.began_at > self.procedure.terms.timeout:
                self._call_overdue(run)
            if not batch.closing or run.overdue:
                break
            batch.renew()
            leases.pause(_POLL_SECONDS)
            busy = self._run is not None or self._consider(batch)
        for item in batch.unsettled:
            batch.keep(item)
        batch.memory.pop("wake_at", None)
        if busy:
            batch.memory["wake_at"] = batch.now() + LOOK_SECONDS

    def _consider(self, batch: Batch) -> bool:
        """Settle what needs no run, and begin one for the rest; True if one is under way, here or elsewhere."""
        now, terms = batch.now(), self.procedure.terms
        with _beginning[0]:
            if self._run is not None:
                return True
            if not batch.take(self._slot, RUN_SECONDS):
                return True
            course = self._course(batch.ledger, now)
            steps = [(item, course.step(terms, now, item.since_at, item.group.last_seen_at)) for item in batch.items]
            run_for = [item for item, step in steps if step.kind == "run"]
            if run_for:
                self._begin(batch.ledger, course, run_for)
            else:
                batch.ledger.remember(self._slot, course.memory())
                batch.ledger.release(self._slot, batch.owner)
        for item, step in steps:
            if step.kind == "covered":
                batch.done(item)
            elif step.kind == "wait":
                batch.later(item, step.why, step.until - now, failed=False)
        if steps:
            self._is_here = self._is_here and any(step.kind != "covered" for _, step in steps)
        return bool(run_for)

    # Runs

    @property
    def _key(self) -> tuple[int, str]:
        return id(self.home), self.destination or ""

    @property
    def _run(self) -> Run | None:
        """The run of this procedure that is under way in this process, whichever handler began it."""
        return _runs.get(self._key)

    def _course(self, ledger: Ledger, now: float) -> Course:
        """Return what became of the runs so far; who has the right to run knows that none is under way."""
        course = Course.read(ledger.memory(self._slot))
        if course.began_at:
            course.conclude(self.procedure.terms, now, "the process in which it ran has ended")
        return course

    def _begin(self, ledger: Ledger, course: Course, items: Sequence[Item]) -> None:
        """Begin a run about what waits."""
        newest = max(items, key=lambda item: item.group.last_seen_at)
        self._start(ledger, course, newest.event, [item.group.fingerprint for item in items])

    def _start(self, ledger: Ledger, course: Course, event: Event, fingerprints: Sequence[str]) -> Run:
        function, arguments = self.procedure.function, own_copy(self.procedure.arguments)
        given = own_copy(event)
        now = self.home.now()
        run = Run(lambda: function(given, **arguments), self._end, now)
        run.ledger, run.fingerprints = ledger, fingerprints
        course.begin(now)
        ledger.remember(self._slot, course.memory())
        _runs[self._key] = run
        try:
            run.start()
        except RuntimeError:  # Python 3.12.1 starts no thread any more when the process ends
            run.run()
        return run

    def _call_overdue(self, run: Run) -> None:
        """Write down that a run takes too long; it keeps the right to run, so that none begins beside it."""
        with run.lock:
            if not run.overdue and not run.over:
                run.overdue = True
                reason = f"it still runs after {self.procedure.terms.timeout:g} s (timeout)"
                self._write_down(run, reason)

    def _end(self, run: Run) -> None:
        """Write down what became of a run that has ended; in its own thread."""
        try:
            with run.lock:
                run.over = True
                if run.reason is None or not run.overdue:
                    self._write_down(run, run.reason)
            run.ledger.release(self._slot, self.home.owner)
        except LedgerError as error:
            self.say(logging.WARNING, f"{self.procedure.name} has ended, which could not be written down: {error}")
        finally:
            _runs.pop(self._key, None)
            self.home.changed = True
            deliverer.stir()

    def _write_down(self, run: Run, reason: str | None) -> None:
        ledger, now = run.ledger, self.home.now()
        reason = reason and clean(reason)
        course = Course.read(ledger.memory(self._slot))
        outcome = course.conclude(self.procedure.terms, now, reason)
        ledger.remember(self._slot, course.memory())
        server = server_name() if self.names_host else ""
        said = Recovery(now, self.procedure.name, outcome, max(0.0, now - run.began_at), reason or "", server)
        for fingerprint in run.fingerprints:
            ledger.note_recovery(fingerprint, said)
        for name in self.home.destinations():
            if name.startswith("github:"):  # its issues show what was done
                ledger.remind(name, dict.fromkeys(run.fingerprints, -1))
        level = {"recovered": logging.INFO, "failed": logging.WARNING}.get(outcome, logging.ERROR)
        self.say(level, f"{wording(said)}.")

    # On demand

    def attempt(self, event: Event) -> bool:
        """Run it now about an event, in a thread of its own, and wait for it no longer than its time limit.

        Returns:
            Whether it helped. While its cooldown lasts it is not run again, and what it did last counts; after it
            gave up, False.

        Raises:
            LedgerError: The ledger cannot be used now.
        """
        ledger, terms = self.home.ledger(), self.procedure.terms
        until = time.monotonic() + terms.timeout
        while (run := self._run_or_begin(ledger, event)) is None:
            if time.monotonic() >= until:
                return False  # another process is at it
            time.sleep(_POLL_SECONDS)
        if run is _NOT_NOW:
            return Course.read(ledger.memory(self._slot)).outcome == "recovered"
        if run.ident is None:
            return run.helped  # no thread could be started; or a signal came in this one while it began the run
        run.join(max(0.0, until - time.monotonic()))
        if run.is_alive():
            self._call_overdue(run)
        return run.helped

    def _run_or_begin(self, ledger: Ledger, event: Event) -> Run | None:
        """Return the run that is under way or begun here; `_NOT_NOW`: none may be; None: another process has one."""
        now, terms = self.home.now(), self.procedure.terms
        with _beginning[0]:
            if (run := self._run) is not None:
                return run
            if not leases.take(ledger, self._slot, self.home.owner, now, RUN_SECONDS):
                return None
            course = self._course(ledger, now)
            if course.may_run(terms, now):
                return self._start(ledger, course, event, [])
            ledger.remember(self._slot, course.memory())
            ledger.release(self._slot, self.home.owner)
            return _NOT_NOW


_runs: dict[tuple[int, str], Run] = {}
"""The runs that are under way in this process."""

_beginning = [threading.RLock()]
"""Held by who looks whether a run is under way until one is."""

_NOT_NOW = Run(lambda: False, lambda _: None, 0.0)


def _forked() -> None:
    _runs.clear()  # a forked child has no threads of its parent's
    _beginning[0] = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def attempt(error_type: str, event: Event) -> bool | None:
    """Run what the handlers of this process have for the name of an exception class, until something helps.

    Returns:
        Whether something did; None where nothing is configured for the name. False in a procedure, which would wait
        for itself.
    """
    if is_running_one():
        return False
    found = [
        branch
        for home in deliverer.homes()
        for branch in home.handlers()
        if isinstance(branch, ProcedureBranch) and branch.procedure.kinds.fit_class(error_type)
    ]
    return any(branch.attempt(event) for branch in found) if found else None


# --- reading the options

_USUAL = Terms()


def _procedure(owner: object, number: int, said: Mapping[Any, Any]) -> Procedure:
    said = {"on" if key is True else key: value for key, value in said.items()}  # YAML 1.1 reads a bare `on` as true
    for key in said:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(_KEYS)}."
            raise UnknownOptionError(f"{type(owner).__name__}: procedure {number} has no {key!r}; {hint}")
    for key in ("on", "run"):
        if not said.get(key):
            raise OptionValueError(f"{type(owner).__name__}: procedure {number} needs {key!r}.")
    on = options.names(owner, "on", said["on"])
    function = options.function(owner, "run", said["run"])
    arguments = said.get("with") or {}
    if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
        options.refuse(owner, "with", arguments, "a mapping of the procedure's arguments")
    _check_arguments(owner, number, function, arguments)
    name = said["run"] if isinstance(said["run"], str) else f"{function.__module__}.{function.__qualname__}"
    mark = hashlib.sha256(stable([sorted(on), arguments]).encode()).hexdigest()[:8]
    terms = Terms(
        options.number(owner, "cooldown", said.get("cooldown", _USUAL.cooldown)),
        options.whole(owner, "attempts", said.get("attempts", _USUAL.attempts), 1),
        options.number(owner, "timeout", said.get("timeout", _USUAL.timeout), 0.01),
    )
    return Procedure(name.replace(":", "."), on, Kinds(on), function, arguments, terms, mark)


def _check_arguments(owner: object, number: int, function: Callable[..., object], arguments: Mapping[str, Any]) -> None:
    """Refuse arguments with which the function cannot be called: that is better known now than at night."""
    try:
        check(function, arguments)
        inspect.signature(function).bind({}, **arguments)
    except (OptionValueError, UnknownOptionError) as error:
        raise type(error)(f"{type(owner).__name__}: procedure {number}: {error}") from None
    except TypeError as error:
        options.refuse(owner, "run", function, f"a function that takes the event and what 'with' says ({error})")
    except ValueError:
        pass  # it does not tell its signature
