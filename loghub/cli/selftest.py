"""selftest: made-up secrets through the user's own configuration, and where they show."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import logging.config
import logging.handlers
import os
import pickle
import re
import shutil
import tempfile
import threading
import time
import traceback
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from loghub import filters, notice
from loghub.cli import canaries
from loghub.cli.sealed import Seal, sealed, silenced
from loghub.cli.where import Where, configure, read_config, where
from loghub.delivery import deliverer
from loghub.description import message_of, text_of, traceback_of
from loghub.errors import LoghubError
from loghub.event import dumps
from loghub.filters import EventFilter
from loghub.handlers.base import OutboxHandler, ReportingHandler
from loghub.handlers.breadcrumb import BreadcrumbHandler
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.handlers.github import GitHubIssueHandler
from loghub.handlers.notify import NotifyHandler
from loghub.handlers.recovery import RecoveryHandler
from loghub.handlers.rotatingfile import RotatingFileHandler
from loghub.handlers.smtp import BatchingSMTPHandler
from loghub.handlers.uncaught import UncaughtHandler
from loghub.ledger.protocol import Item
from loghub.plain import exception_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from loghub.cli.canaries import Canary, Kind
    from loghub.ledger.protocol import Ledger

_THREAD_SECONDS = 5.0
_SHOWN = 4  # kinds of secrets that a line names
_UNMADE = re.compile(r"Unable to configure handler '(.*)'", re.DOTALL)
_FILE_ADVICE = "loghub.RotatingFileHandler with scrub: true writes the same lines without them"
_ADVICE = (  # the first that fits
    (RotatingFileHandler, "set scrub: true"),
    (logging.FileHandler, _FILE_ADVICE),
    (logging.handlers.SMTPHandler, "loghub.BatchingSMTPHandler mails without them"),
)
_UNSEEN = "of what it does with them only what it formats, or writes to its file, was looked at"
_NO_ADVICE = "whoever reads what it writes sees them; take it out, or give it a formatter that hides them"


class _Line(NamedTuple):
    verdict: str  # ok, note, LEAK; none: it was not tried
    sink: str
    text: str
    finds: list[dict[str, str]]


@dataclass
class _Sink:
    """Something that writes or sends.

    Attributes:
        name: What a person calls it.
        promises: Whether it is loghub's to hide secrets there.
        advice: What to do where it does not.
        entries: The user's own `scrub` that hold for it.
        read: Returns what it would have written and sent.
        arrived: Whether anything of what was logged came so far; None: where `read` returns any.
        taken: What its own code could take from the records, if it is not logging's or loghub's.
        missing: Why nothing may have arrived.
    """

    name: str
    promises: bool
    read: Callable[[], list[bytes]]
    advice: str = ""
    entries: set[str] = field(default_factory=set)
    arrived: Callable[[], bool] | None = None
    taken: list[bytes] = field(default_factory=list)
    missing: str = "a level, ignore, before_send or another filter"


@click.group(short_help="Whether secrets stay here.")
def selftest() -> None:
    """Try out, with this configuration, what loghub promises.

    \b
    Example:
      loghub selftest secrets logging.yaml
    """


@selftest.command(short_help="Plant made-up secrets, and see where they show.")
@click.argument("file", default="logging.yaml", metavar="[logging.yaml]")
@click.option("--strict", is_flag=True, help="Exit code 1 also where others show secrets, or nothing arrived.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@where
def secrets(place: Where, file: str, strict: bool, as_json: bool) -> None:
    """Log made-up secrets of every kind through a logging.yaml, and say for each thing it writes whether they show.

    They stand in messages, arguments, extra, causes, notes, local variables, code lines and URLs. Your filters
    (before_send, too), formatters and handlers work as they are, but nothing is sent: issues and mails are only
    made, files go to a temporary folder, and so do journal and ledger. Whatever else wants the network or a
    file is kept from it, and named; what wants to print prints nothing.

    A handler with an emit or handle of its own (neither logging's nor loghub's) sees the records themselves. Its
    code is not run, or runs without network: only what it formats, or writes to its file, was looked at. So it is
    also noted which secrets stood in the records that it got.

    Exit code 1 if something of loghub's shows a secret, or the configuration has no handlers. A handler that is
    not loghub's, or a log file of loghub's without scrub: true, never promised to hide any: that it shows them, or
    could, is noted, and is exit code 1 with --strict. Where nothing arrived (none), nothing was tried: that is exit
    code 1 with --strict, too.

    \b
    Example:
      loghub selftest secrets
      loghub selftest secrets deploy/logging.yaml --strict
    """
    lines = _run(place.config or file)
    if as_json:
        click.echo(dumps([line._asdict() for line in lines], indent=2))
    else:
        for line in lines:
            click.echo(f"{line.verdict:4}  {line.sink}{line.text}")
        if untried := sum(line.verdict == "none" for line in lines):
            were, them = ("was", "it") if untried == 1 else ("were", "them")
            click.echo(f"\n{untried} of these {were} not tried, so nothing is known of {them}.")
    if any(line.verdict == "LEAK" or (strict and (line.finds or line.verdict == "none")) for line in lines):
        click.get_current_context().exit(1)


def _run(path: str) -> list[_Line]:
    config = read_config(path)
    if not config["handlers"]:
        raise click.ClickException(f"{path} has no handlers, so there is nothing that could be tried.")
    folder = os.path.realpath(tempfile.mkdtemp(prefix="loghub-selftest-"))
    with silenced():
        try:
            return _tried(path, config, folder)
        except (click.ClickException, LoghubError):
            raise
        except Exception as error:  # a traceback could show a canary
            *_, last = traceback.extract_tb(error.__traceback__)
            raise click.ClickException(
                f"{path} could not be tried: {type(error).__name__} in {last.name}, {last.filename}:{last.lineno}."
            ) from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _tried(path: str, config: dict[str, Any], folder: str) -> list[_Line]:
    secret = canaries.drawn(24)
    context = click.get_current_context()
    threads = set(threading.enumerate())
    with (
        _environment({"LOGHUB_HOME": os.path.join(folder, "home"), canaries.VARIABLE: secret}),
        sealed(folder) as seal,
        click.Context(context.command, parent=context).scope(),  # what is closed at its end says nothing outside
    ):
        trial = _Trial(path, config, folder, seal)
        try:
            return trial.lines(canaries.environment_kind(secret))
        finally:
            trial.end()
            _wait_for(set(threading.enumerate()) - threads)


def _wait_for(threads: set[threading.Thread]) -> None:
    """Give what handlers have begun in the background a moment to end, while nobody hears it."""
    until = time.monotonic() + _THREAD_SECONDS
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    shared, filters._shared = filters._shared, None  # the environment was read for it long ago
    os.environ.update(variables)
    try:
        yield
    finally:
        filters._shared = shared
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Trial:
    """The user's configuration, set up in a folder of its own with nothing that reaches outside."""

    def __init__(self, path: str, config: dict[str, Any], folder: str, seal: Seal) -> None:
        self.path = path
        self.folder = folder
        self.seal = seal
        self.notes: list[_Line] = []
        self.config = self._placed(config)
        self.handlers = self._configured()
        self.loggers = [logging.getLogger(), *map(logging.getLogger, self.config["loggers"])]

    def lines(self, environment: Kind) -> list[_Line]:
        """Plant, look, and return a line for each sink."""
        sinks = [sink for name, handler in self.handlers.items() for sink in self._sinks(name, handler)]
        sinks += self._memory()
        if not sinks and not self.notes:
            raise click.ClickException(f"{self.path} has no handler that writes or sends, so nothing could be tried.")
        sources = os.path.join(self.folder, "sources")
        os.mkdir(sources)
        entries = [entry for said in self.config["filters"].values() for entry in _entries(said)]
        kinds = [*canaries.KINDS, environment, *canaries.user_kinds(entries)]
        raised: set[str] = set()
        planted = canaries.plant(self._speakers(), kinds, sources, raised)
        for handler in self.handlers.values():
            if not isinstance(handler, ReportingHandler):
                with contextlib.suppress(Exception):  # as logging does at the end of a process
                    handler.flush()
        found = [_judge(sink, planted) for sink in sinks]
        text = ": a filter or a handler of this configuration raised {} where something was logged."
        self.notes += [_Line("note", "logging", text.format(name), []) for name in sorted(raised)]
        kept = [_Line("note", "outside", f": something was kept from {what}.", []) for what in self.seal.kept]
        return found + self.notes + kept

    def _speakers(self) -> list[logging.Logger]:
        """Return who logs: each logger that is named, also by a filter that only lets its records through."""
        names = (said.get("name") for said in self.config["filters"].values())
        named = [logging.getLogger(name) for name in names if isinstance(name, str) and name]
        return [one for one in dict.fromkeys([*self.loggers, *named]) if one.hasHandlers()]

    def end(self) -> None:
        """Take the handlers away again."""
        for handler in self.handlers.values():
            for logger in self.loggers:
                logger.removeHandler(handler)
            with contextlib.suppress(Exception):  # what a handler of somebody's does about its end is not the question
                handler.close()
            if isinstance(handler, ReportingHandler):
                deliverer.known_homes.pop((handler.home.path, handler.home.url), None)
        # The end of the process closes every handler once more, when nothing is sealed.
        known: list[Any] = logging._handlerList  # type: ignore[attr-defined]
        known[:] = [one for one in known if one() not in self.handlers.values()]

    # Setting up -------------------------------------------------------------------------------------------------

    def _placed(self, config: dict[str, Any]) -> dict[str, Any]:
        handlers = {name: self._placed_handler(name, said) for name, said in config["handlers"].items()}
        return {**config, "handlers": handlers}

    def _placed_handler(self, name: str, said: dict[str, Any]) -> dict[str, Any]:
        """Return a handler's options with every place of its own replaced."""
        cls = _class_of(said)
        placed = dict(said)
        if issubclass(cls, ReportingHandler | UncaughtHandler):
            placed["home"] = self._sub("home", name)  # of its own, so that it is seen what this one is told
            placed.pop("ledger", None)
        if issubclass(cls, JSONDetailHandler):
            placed.pop("log_path", None)
            placed["directory"] = self._sub("details", name)
        elif "filename" in said and (issubclass(cls, logging.FileHandler) or cls is object):
            base = os.path.basename(str(said["filename"])) if not _is_reference(said["filename"]) else "log"
            placed["filename"] = os.path.join(self._sub("files", name), base or "log")
        return placed

    def _sub(self, kind: str, name: str) -> str:
        path = os.path.join(self.folder, kind, re.sub(r"\W", "_", name))
        os.makedirs(path, exist_ok=True)
        return path

    def _configured(self) -> dict[str, logging.Handler]:
        """Set the configuration up; leave out, and name, each handler that reaches outside to be made."""
        while True:
            kept = len(self.seal.kept)
            try:
                with _unconnected():
                    configure(self.path, self.config)
            except click.ClickException as error:
                name = _UNMADE.search(error.message)
                if len(self.seal.kept) == kept or name is None or name[1] not in self.config["handlers"]:
                    raise
                self._leave_out(name[1])
                continue
            made = logging._handlers  # type: ignore[attr-defined]
            return {name: made[name] for name in self.config["handlers"] if name in made}

    def _leave_out(self, name: str) -> None:
        self.notes.append(_Line("none", name, " was not looked at: it reaches outside when it is made.", []))
        del self.config["handlers"][name]
        for said in (self.config.get("root") or {}, *self.config["loggers"].values()):
            if name in (said.get("handlers") or ()):
                said["handlers"] = [one for one in said["handlers"] if one != name]

    # Sinks ------------------------------------------------------------------------------------------------------

    def _sinks(self, name: str, handler: logging.Handler) -> Iterator[_Sink]:
        own = _is_own(handler)
        if isinstance(handler, UncaughtHandler | BreadcrumbHandler):
            return  # others write what they add
        if isinstance(handler, logging.NullHandler) and not own:
            return
        owners = [logger.name for logger in self.loggers if handler in logger.handlers]
        entries = self._entries_for(name, handler)
        if isinstance(handler, ReportingHandler):
            self._prepare(handler)
            for sink in _of_reporting(name, handler):
                sink.entries = entries
                yield sink
            if own:
                text = ": its class sees the records themselves; only what loghub keeps and sends was looked at."
                self.notes.append(_Line("note", name, text, []))
            return
        if isinstance(handler, logging.handlers.MemoryHandler) and not own:
            return  # its target writes
        whose = f"{', '.join(owners)}'s " if owners else ""
        scrubs = isinstance(handler, RotatingFileHandler) and handler._scrub is not None
        advice = next((text for cls, text in _ADVICE if isinstance(handler, cls)), _NO_ADVICE)
        sink = _Sink(f"{name} ({whose}{type(handler).__name__})", scrubs, list, advice, entries)
        if not owners and not self._is_target(handler):
            sink.missing = "no logger has it"
        _listen(sink, handler, self._sub("files", name))
        if own:
            _take(sink, handler)
        yield sink

    def _memory(self) -> Iterator[_Sink]:
        """Yield what the reporting handlers keep in their homes; what all of them hide has to be hidden there."""
        reporting = {name: one for name, one in self.handlers.items() if isinstance(one, ReportingHandler)}
        if reporting:
            entries = set.intersection(*(self._entries_for(name, one) for name, one in reporting.items()))
            read = lambda: [part for one in reporting.values() for part in _kept(one)]  # noqa: E731
            arrived = lambda: any(_ledger(one).groups() for one in reporting.values())  # noqa: E731
            yield _Sink("journal and ledger", True, read, entries=entries, arrived=arrived)

    def _is_target(self, handler: logging.Handler) -> bool:
        return any(getattr(one, "target", None) is handler for one in self.handlers.values())

    def _prepare(self, handler: ReportingHandler) -> None:
        handler.destination = None  # whoever makes an issue may ask GitHub for owners
        for one in (*handler.filters, *(each for logger in self.loggers for each in logger.filters)):
            if isinstance(one, EventFilter):
                one.capture.sample = None  # all of them, not a share

    def _entries_for(self, name: str, handler: logging.Handler) -> set[str]:
        """Return the user's own `scrub` of the filters that records for a handler go through."""
        says = [self.config["handlers"][name]]
        says += [self.config["loggers"].get(logger.name) or self.config.get("root") or {} for logger in self.loggers
                 if handler in logger.handlers]  # fmt: skip
        named = [one for said in says for one in said.get("filters") or ()]
        return {entry for one in named for entry in _entries(self.config["filters"].get(one) or {})}


def _class_of(said: dict[str, Any]) -> type:
    """Return a handler's class; `object` for a factory, or what cannot be found (configure will say so)."""
    dotted = said.get("class") or said.get("()")
    try:
        found = logging.config.BaseConfigurator({}).resolve(dotted) if isinstance(dotted, str) else dotted
    except (ValueError, ImportError, AttributeError):
        return object
    return found if isinstance(found, type) else object


def _is_reference(value: object) -> bool:
    return not isinstance(value, str | os.PathLike) or str(value).startswith(("ext://", "cfg://"))


def _entries(said: dict[str, Any]) -> list[str]:
    """Return what a filter's configuration says under `scrub`."""
    if not issubclass(_class_of(said), EventFilter):
        return []
    return filters._patterns(
        "EventFilter", logging.config.BaseConfigurator({"scrub": said.get("scrub") or []}).config["scrub"]
    )


def _stay_away(_: object) -> None:
    """Stand for what would connect."""


@contextlib.contextmanager
def _unconnected() -> Iterator[None]:
    """Let syslog's handler be made without a connection; the others connect when they send."""
    cls: Any = logging.handlers.SysLogHandler
    before = cls.createSocket
    cls.createSocket = _stay_away
    try:
        yield
    finally:
        cls.createSocket = before


# Handlers that are not loghub's, and log files -----------------------------------------------------------------


def _is_own(handler: logging.Handler) -> bool:
    """Whether a handler's records reach code that is neither logging's nor loghub's."""
    names = {"emit", "handle"}
    if isinstance(handler, logging.handlers.BufferingHandler):
        names.add("flush")
    theirs = (one for one in type(handler).__mro__ if one.__module__.partition(".")[0] not in {"logging", "loghub"})
    return any(not names.isdisjoint(vars(one)) for one in (handler, *theirs))


def _listen(sink: _Sink, handler: logging.Handler, folder: str) -> None:
    """Have a handler write where it can be read."""
    if isinstance(handler, logging.handlers.RotatingFileHandler):
        handler.maxBytes = 0  # what is rolled over may be deleted before it was read
    if isinstance(handler, logging.FileHandler):
        sink.read = lambda: _files(handler, folder)
    elif type(handler) in (logging.StreamHandler, logging._StderrHandler):  # type: ignore[attr-defined]
        stream = io.StringIO()
        handler.setStream(stream)  # type: ignore[attr-defined]
        sink.read = lambda: [stream.getvalue().encode(errors="backslashreplace")]
    elif not isinstance(handler, logging.handlers.MemoryHandler):
        sent: list[bytes] = []
        handler.emit = functools.partial(_record, handler, sent)  # type: ignore[method-assign]
        sink.read = lambda: sent
        sink.arrived = lambda: bool(sent)


def _take(sink: _Sink, handler: logging.Handler) -> None:
    """Keep what the code of a handler could take from each record that reaches it."""
    emit = handler.emit

    def take(record: logging.LogRecord) -> None:
        sink.taken.append(_all_of(record))
        with contextlib.suppress(Exception):  # what it is kept from is known
            emit(record)

    handler.emit = take  # type: ignore[method-assign]
    handler.handle = functools.partial(logging.Handler.handle, handler)  # type: ignore[method-assign]


def _all_of(record: logging.LogRecord) -> bytes:
    """Return all that can be read in a record, with the variables in its traceback's frames."""
    texts = [text_of(value, repr) for value in record.__dict__.values()]
    exc = exception_of(record)
    if exc is not None:
        found = traceback.TracebackException(type(exc), exc, traceback_of(record), capture_locals=True)
        texts += found.format()
    return "\n".join([message_of(record), *texts]).encode(errors="backslashreplace")


def _record(handler: logging.Handler, sent: list[bytes], record: logging.LogRecord) -> None:
    """Keep what a handler would send, without sending it."""
    with contextlib.suppress(Exception):  # what cannot be formatted is not sent: logging would print that
        _keep(handler, sent, record)


def _keep(handler: logging.Handler, sent: list[bytes], record: logging.LogRecord) -> None:
    if isinstance(handler, logging.handlers.QueueHandler):
        record = handler.prepare(record)
        sent.append(pickle.dumps({key: repr(value) for key, value in record.__dict__.items()}, 0))
        for target in getattr(getattr(handler, "listener", None), "handlers", ()):
            target.handle(record)
    elif isinstance(handler, logging.handlers.SocketHandler):
        sent.append(handler.makePickle(record))
    elif isinstance(handler, logging.handlers.HTTPHandler):
        sent.append(urllib.parse.urlencode(handler.mapLogRecord(record)).encode())
    else:
        if isinstance(handler, logging.handlers.SMTPHandler):
            sent.append(handler.getSubject(record).encode(errors="backslashreplace"))
        sent.append(handler.format(record).encode(errors="backslashreplace"))


def _files(handler: logging.FileHandler, folder: str) -> list[bytes]:
    handler.close()  # what is compressed in the background is there then
    return [_content(path) for path in _below(folder)]


def _below(folder: str) -> list[str]:
    return [os.path.join(where, name) for where, _, names in os.walk(folder) for name in names]


def _content(path: str) -> bytes:
    import gzip

    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
        return file.read()


# Handlers of loghub's ------------------------------------------------------------------------------------------


def _of_reporting(name: str, handler: ReportingHandler) -> Iterator[_Sink]:
    """Yield what a reporting handler writes and sends."""
    if isinstance(handler, GitHubIssueHandler):
        yield _Sink(f"issue (github:{handler.repo or 'no repository yet'})", True, lambda: _issues(handler))
    elif isinstance(handler, BatchingSMTPHandler):
        yield _Sink(f"mail (smtp:{handler.server or 'no mailhost yet'})", True, lambda: _mails(handler))
    elif isinstance(handler, JSONDetailHandler):
        yield _Sink(f"detail files ({name})", True, lambda: [_content(path) for path in _below(handler.directory)])
    elif isinstance(handler, NotifyHandler):
        yield _Sink(f"notices ({name})", True, lambda: _notices(handler))
    elif isinstance(handler, OutboxHandler | RecoveryHandler):
        yield _Sink(
            f"{name} ({type(handler).__name__})", True, lambda: [dumps(one.event).encode() for one in _told(handler)]
        )


def _ledger(handler: ReportingHandler) -> Ledger:
    handler.home.fold()
    return handler.home.ledger()


def _told(handler: ReportingHandler) -> list[Item]:
    """Return an item for each kept error, as if it were the newest of its group."""
    ledger = _ledger(handler)
    groups = {group.fingerprint: ledger.group(group.fingerprint) for group in ledger.groups()}
    return [
        Item("selftest", group, group.count, group.count, event, logging.CRITICAL, group.first_seen_at)
        for event in ledger.events(10_000)
        if (group := groups.get(event.get("fingerprint", ""))) is not None
    ]


def _issues(handler: GitHubIssueHandler) -> list[bytes]:
    from loghub.github import issue, lifecycle, storm

    items, ledger_id = _told(handler), _ledger(handler).id
    texts: list[str] = []
    for item in items:
        draft = handler.draft(item, ledger_id)
        state = lifecycle.state_of(item.group, ledger_id, draft.body)
        kinds: tuple[issue.CommentKind, ...] = ("milestone", "release", "regression", "return")
        texts += [draft.title, draft.body, *draft.labels, *draft.assignees]
        texts += [issue.comment(kind, state, item.event) for kind in kinds]
    for at in range(0, len(items), storm.LISTED):
        waiting = items[at : at + storm.LISTED]
        texts.append(storm.body(storm.block(storm.state(ledger_id, waiting, time.time()), waiting), 60))
    return [text.encode(errors="backslashreplace") for text in texts]


def _mails(handler: BatchingSMTPHandler) -> list[bytes]:
    parts: list[bytes] = []
    for item in _told(handler):
        message = handler.compose([item], time.time())
        parts.append(message.as_bytes())
        parts += [str(value).encode() for value in message.values()]
        parts += [str(part.get_content()).encode() for part in message.walk() if part.get_content_maintype() == "text"]
    return parts


def _notices(handler: NotifyHandler) -> list[bytes]:
    told = [notice.compose([item], outlooks={}, title_room=250, body_room=30_000) for item in _told(handler)]
    return [f"{title}\n{body}".encode(errors="backslashreplace") for title, body in told]


def _kept(handler: ReportingHandler) -> list[bytes]:
    journal = [_content(path) for path in _below(handler.home.path or "")]
    ledger = _ledger(handler)
    rows = [dumps(event).encode() for event in ledger.events(10_000)]
    rows += [repr(group).encode(errors="backslashreplace") for group in ledger.groups()]
    return [*journal, *rows, *(_content(path) for path in _below(handler.home.path or ""))]


# Judging -------------------------------------------------------------------------------------------------------


def _judge(sink: _Sink, planted: Sequence[Canary]) -> _Line:
    looked_for = [one for one in planted if not one.kind.entry or one.kind.entry in sink.entries]
    parts = sink.read()
    found, taken = canaries.seen(looked_for, parts), canaries.seen(looked_for, sink.taken)
    finds = [{"secret": one.kind.label, "place": one.place} for one in found or taken]
    arrived = any(parts) if sink.arrived is None else sink.arrived()
    if not found and not taken:
        if arrived or sink.taken:
            return _Line("ok", sink.name, "", [])
        return _Line("none", sink.name, f": nothing of what was logged arrived there ({sink.missing}).", [])
    if sink.promises and found:
        return _Line("LEAK", sink.name, f" shows: {_named(found)}", finds)
    if not found:
        text = f" sees the records themselves, and in them: {_named(taken)}; {_UNSEEN}, and that shows none."
    else:
        text = f" does not hide secrets, and shows: {_named(found)}; {sink.advice}."
        text += f" It sees the records themselves: {_UNSEEN}." if taken else ""
    return _Line("note", sink.name, text, finds)


def _named(found: Sequence[Canary]) -> str:
    """Return kinds and places in a few words; --json has them all."""
    places: dict[str, list[str]] = {}
    for one in found:
        places.setdefault(one.kind.label, []).append(one.place)
    if len(places) > _SHOWN and len(found) > _SHOWN * 4:
        often = ", ".join(place for place, _ in Counter(one.place for one in found).most_common())
        return f"{len(found)} secrets of {len(places)} kinds, in: {often}"
    return ", ".join(f"{kind} in the {' and the '.join(where)}" for kind, where in places.items())
