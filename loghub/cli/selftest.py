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
import time
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from loghub import delivery, filters
from loghub.cli import canaries
from loghub.cli.sealed import Seal, sealed
from loghub.cli.where import Where, configure, read_config, where
from loghub.event import dumps
from loghub.filters import EventFilter
from loghub.handlers.base import OutboxHandler, ReportingHandler
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.handlers.github import GitHubIssueHandler
from loghub.handlers.rotatingfile import RotatingFileHandler
from loghub.handlers.smtp import BatchingSMTPHandler
from loghub.handlers.uncaught import UncaughtHandler
from loghub.ledger.protocol import Item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from loghub.cli.canaries import Canary, Kind
    from loghub.ledger.protocol import Ledger

_SHOWN = 4  # kinds of secrets that a line names
_UNMADE = re.compile(r"Unable to configure handler '(.*)'", re.DOTALL)
_FILE_ADVICE = "loghub.RotatingFileHandler with scrub: true writes the same lines without them"
_ADVICE = (  # the first that fits
    (RotatingFileHandler, "set scrub: true"),
    (logging.FileHandler, _FILE_ADVICE),
    (logging.handlers.SMTPHandler, "loghub.BatchingSMTPHandler mails without them"),
)
_NO_ADVICE = "whoever reads what it writes sees them; take it out, or give it a formatter that hides them"


class _Line(NamedTuple):
    verdict: str  # ok, note, LEAK
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
    """

    name: str
    promises: bool
    read: Callable[[], list[bytes]]
    advice: str = ""
    entries: set[str] = field(default_factory=set)


@click.group(short_help="Whether secrets stay here.")
def selftest() -> None:
    """Try out, with this configuration, what loghub promises.

    \b
    Example:
      loghub selftest secrets logging.yaml
    """


@selftest.command(short_help="Plant made-up secrets, and see where they show.")
@click.argument("file", default="logging.yaml", metavar="[logging.yaml]")
@click.option("--strict", is_flag=True, help="Exit code 1 also where another's handler shows secrets.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@where
def secrets(place: Where, file: str, strict: bool, as_json: bool) -> None:
    """Log made-up secrets of every kind through a logging.yaml, and say for each thing it writes whether they show.

    They stand in messages, arguments, extra, causes, notes, local variables, code lines and URLs. Your filters
    (before_send, too), formatters and handlers work as they are, but nothing is sent: issues and mails are only
    made, files go to a temporary folder, and so do journal and ledger. Whatever else wants the network or a
    file is kept from it, and named.

    Exit code 1 if something of loghub's shows a secret. A handler that is not loghub's, or a log file of loghub's
    without scrub: true, never promised to hide any: that it shows them is noted, and is exit code 1 with --strict.

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
    if any(line.verdict == "LEAK" or (strict and line.finds) for line in lines):
        click.get_current_context().exit(1)


def _run(path: str) -> list[_Line]:
    config = read_config(path)
    folder = os.path.realpath(tempfile.mkdtemp(prefix="loghub-selftest-"))
    secret = canaries.drawn(24)
    try:
        with (
            _environment({"LOGHUB_HOME": os.path.join(folder, "home"), canaries.VARIABLE: secret}),
            sealed(folder) as seal,
        ):
            trial = _Trial(path, config, folder, seal)
            try:
                return trial.lines(canaries.environment_kind(secret))
            finally:
                trial.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
        sources = os.path.join(self.folder, "sources")
        os.mkdir(sources)
        entries = [entry for said in self.config["filters"].values() for entry in _entries(said)]
        kinds = [*canaries.KINDS, environment, *canaries.user_kinds(entries)]
        loggers = [one for one in self.loggers if one.handlers or one is logging.getLogger()]
        planted = canaries.plant(loggers, kinds, sources)
        for handler in self.handlers.values():
            if not isinstance(handler, ReportingHandler):
                handler.flush()
        found = [_judge(sink, planted) for sink in sinks]
        kept = [_Line("note", "outside", f": something was kept from {what}.", []) for what in self.seal.kept]
        return found + self.notes + kept

    def end(self) -> None:
        """Take the handlers away again."""
        for handler in self.handlers.values():
            for logger in self.loggers:
                logger.removeHandler(handler)
            with contextlib.suppress(Exception):  # what a handler of somebody's does about its end is not the question
                handler.close()
            if isinstance(handler, ReportingHandler):
                delivery._homes.pop((handler.home.path, handler.home.url), None)

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
        self.notes.append(_Line("note", name, " was not looked at: it reaches outside when it is made.", []))
        del self.config["handlers"][name]
        for said in (self.config.get("root") or {}, *self.config["loggers"].values()):
            if name in (said.get("handlers") or ()):
                said["handlers"] = [one for one in said["handlers"] if one != name]

    # Sinks ------------------------------------------------------------------------------------------------------

    def _sinks(self, name: str, handler: logging.Handler) -> Iterator[_Sink]:
        if isinstance(handler, logging.NullHandler | UncaughtHandler):
            return
        owners = [logger.name for logger in self.loggers if handler in logger.handlers]
        entries = self._entries_for(name, handler)
        if isinstance(handler, ReportingHandler):
            self._prepare(handler)
            for sink in _of_reporting(name, handler):
                sink.entries = entries
                yield sink
            return
        whose = f"{', '.join(owners)}'s " if owners else ""
        title = f"{name} ({whose}{type(handler).__name__})"
        if not owners and not self._is_target(handler):
            self.notes.append(_Line("note", title, ": no logger has it, so nothing came.", []))
        scrubs = isinstance(handler, RotatingFileHandler) and handler._scrub is not None
        advice = next((text for cls, text in _ADVICE if isinstance(handler, cls)), _NO_ADVICE)
        yield _Sink(title, scrubs, _reader(handler, self._sub("files", name)), advice, entries)

    def _memory(self) -> Iterator[_Sink]:
        """Yield what the reporting handlers keep in their homes; what all of them hide has to be hidden there."""
        reporting = {name: one for name, one in self.handlers.items() if isinstance(one, ReportingHandler)}
        if reporting:
            entries = set.intersection(*(self._entries_for(name, one) for name, one in reporting.items()))
            read = lambda: [part for one in reporting.values() for part in _kept(one)]  # noqa: E731
            yield _Sink("journal and ledger", True, read, entries=entries)

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


def _reader(handler: logging.Handler, folder: str) -> Callable[[], list[bytes]]:
    """Have a handler write where it can be read; return what reads it."""
    if isinstance(handler, logging.FileHandler):
        return lambda: _files(handler, folder)
    if type(handler) in (logging.StreamHandler, logging._StderrHandler):  # type: ignore[attr-defined]
        stream = io.StringIO()
        handler.setStream(stream)  # type: ignore[attr-defined]
        return lambda: [stream.getvalue().encode(errors="backslashreplace")]
    if isinstance(handler, logging.handlers.MemoryHandler):
        return list  # its target writes
    sent: list[bytes] = []
    handler.emit = functools.partial(_record, handler, sent)  # type: ignore[method-assign]
    return lambda: sent


def _record(handler: logging.Handler, sent: list[bytes], record: logging.LogRecord) -> None:
    """Keep what a handler would send, without sending it."""
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
    elif isinstance(handler, OutboxHandler):
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
    if not any(parts):
        return _Line(
            "note", sink.name, ": nothing came to look at (a level, ignore, before_send or another filter).", []
        )
    found = canaries.seen(looked_for, parts)
    finds = [{"secret": one.kind.label, "place": one.place} for one in found]
    if not found:
        return _Line("ok", sink.name, "", [])
    if sink.promises:
        return _Line("LEAK", sink.name, f" shows: {_named(found)}", finds)
    return _Line("note", sink.name, f" does not hide secrets, and shows: {_named(found)}; {sink.advice}.", finds)


def _named(found: Sequence[Canary]) -> str:
    """Return kinds and places in a few words; --json has them all."""
    places: dict[str, list[str]] = {}
    for one in found:
        places.setdefault(one.kind.label, []).append(one.place)
    if len(places) > _SHOWN and len(found) > _SHOWN * 4:
        often = ", ".join(place for place, _ in Counter(one.place for one in found).most_common())
        return f"{len(found)} secrets of {len(places)} kinds, in: {often}"
    return ", ".join(f"{kind} in the {' and the '.join(where)}" for kind, where in places.items())
