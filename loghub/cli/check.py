"""check: whether everything that a logging.yaml names is there and works; one clear line each."""

from __future__ import annotations

import logging
import os
import pkgutil
import shutil
import tempfile
from typing import TYPE_CHECKING, Any, Literal

import click

from loghub.capture import OWN_LOGGER
from loghub.cli import check_github
from loghub.cli.finding import Finding
from loghub.cli.table import count
from loghub.cli.where import Where, configure, homes_of, load_handlers, read_config, reports, where
from loghub.errors import DeliveryError, LedgerError
from loghub.event import dumps
from loghub.handlers.base import ReportingHandler
from loghub.handlers.breadcrumb import BreadcrumbHandler
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.handlers.github import GitHubIssueHandler
from loghub.handlers.notify import NotifyHandler
from loghub.handlers.recovery import RecoveryHandler
from loghub.handlers.smtp import BatchingSMTPHandler
from loghub.handlers.uncaught import UncaughtHandler
from loghub.scrub.own import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOW_DISK_BYTES = 500 << 20


@click.command(short_help="Check settings, token, permissions, mail server, disk.")
@click.argument("file", default="logging.yaml", metavar="[logging.yaml]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@where
def check(place: Where, file: str, as_json: bool) -> None:
    """Check each setting of a logging.yaml, the token and what it may do, labels, mail server, clock, disk.

    Nothing is sent or changed. Exit code 1 if anything fails.

    \b
    Example:
      loghub check
      loghub check deploy/logging.yaml
    """
    findings = [one._replace(text=clean(one.text)) for one in _look(place, place.config or file)]
    if as_json:
        click.echo(dumps([one._asdict() for one in findings], indent=2))
    else:
        for one in findings:
            click.echo(f"{one.verdict:4}  {one.subject}: {one.text}")
    if any(one.verdict == "FAIL" for one in findings):
        click.get_current_context().exit(1)


def _look(place: Where, path: str) -> Iterator[Finding]:
    try:
        config = read_config(path)
        load_handlers(path, {})  # names a class of loghub's that is misspelt better than logging does
        handlers = configure(path, _placed(config, place.named()))
    except click.ClickException as error:
        yield Finding("FAIL", path, error.message.removeprefix(f"{path}: "))
        return
    yield Finding("ok", path, f"{count(len(config['handlers']), 'handler')} can be made.")
    if not handlers:
        yield Finding("FAIL", path, "no handler of loghub in it: add one under handlers, and name it under root.")
    elif not _attached(config, handlers):
        yield Finding("FAIL", path, "no logger names a handler of loghub: add it to root: handlers.")
    else:
        yield from (Finding("note", path, text) for text in _missed(config, handlers))
    seen: set[int] = set()
    for handler in handlers:
        if not handler.enabled:
            yield Finding("note", _name(handler), "switched off by ERROR_REPORTING_ENABLED.")
        if id(handler.home) not in seen:
            seen.add(id(handler.home))
            yield from _home(handler)
        for kind, look in _LOOKS:
            if isinstance(handler, kind):
                yield from look(handler)


def _placed(config: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Return `config` with what was said on the command line in each reporting handler."""
    handlers = {
        name: {**said, **override} if override and reports("", name, said.get("class") or said.get("()")) else said
        for name, said in config["handlers"].items()
    }
    return {**config, "handlers": handlers}


def _attached(config: dict[str, Any], handlers: list[ReportingHandler]) -> bool:
    named = {name for said in ((config.get("root") or {}), *config["loggers"].values()) for name in _named(said)}
    return any(handler.name in named for handler in handlers)


def _named(said: dict[str, Any]) -> list[str]:
    return list(said.get("handlers") or ())


def _missed(config: dict[str, Any], handlers: list[ReportingHandler]) -> Iterator[str]:
    """Yield what is allowed, and has errors missed, or counted where nobody looks."""
    if config.get("disable_existing_loggers", True):
        yield (
            "loggers that exist before it is loaded, and are not named in it, are switched off, so that "
            "their errors are not reported: say disable_existing_loggers: false."
        )
    if not any(_writes(handler) for handler in _reached(logging.getLogger(OWN_LOGGER))):
        yield (
            "what loghub says of itself ('Error reporter: ...') is written nowhere: name a handler that writes, "
            "such as logging.StreamHandler, under root."
        )
    ours = {handler.name for handler in handlers}
    for name, said in config["loggers"].items():
        if said.get("propagate", True) is False and ours.isdisjoint(_named(said)):
            yield f"logger {name} does not propagate and names no handler of loghub: its errors are not reported."
    if len(homes := homes_of(handlers)) > 1:
        places = ", ".join(dict.fromkeys(str(home.path) for home in homes))
        yield (
            f"the handlers count in {len(homes)} places, each by itself, in {places}: "
            "say home and ledger once, as LOGHUB_HOME and LOGHUB_LEDGER."
        )


def _reached(logger: logging.Logger) -> Iterator[logging.Handler]:
    one: logging.Logger | None = logger
    while one is not None:
        yield from one.handlers
        one = one.parent if one.propagate else None


def _writes(handler: logging.Handler) -> bool:
    """Return whether a handler does something with a line that is no error."""
    return not isinstance(handler, ReportingHandler | BreadcrumbHandler | UncaughtHandler | logging.NullHandler)


def _home(handler: ReportingHandler) -> Iterator[Finding]:
    home = handler.home
    if home.path is None:
        yield Finding("FAIL", "home", "there is no home directory: set LOGHUB_HOME to a folder that can be written.")
        return
    yield from _folder("home", home.path)
    try:
        home.adopt(force=True)
        ledger = home.ledger()
        totals = ledger.totals()
    except LedgerError as error:
        yield Finding("FAIL", "ledger", str(error))
        return
    answers = "" if home.url is None else f"{ledger.where} answers: "
    yield Finding(
        "ok", "ledger", f"{answers}{count(totals['groups'], 'group')}, {count(totals['occurrences'], 'error')}."
    )
    if totals["dropped"]:
        yield Finding("note", "ledger", f"{totals['dropped']:,} errors could not be written and are not counted.")
    rows = home.ledger().outbox()
    dead = sum(row["state"] == "dead" for row in rows)
    if dead:
        yield Finding("note", "outbox", f"{count(dead, 'dead letter')}: see loghub outbox.")


def _folder(subject: str, path: str) -> Iterator[Finding]:
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(b"x")
    except OSError as error:
        why = error.strerror or error
        yield Finding("FAIL", subject, f"{path} cannot be written ({why}): give it to this user, or name another.")
        return
    free = shutil.disk_usage(path).free
    verdict: Literal["ok", "note"] = "ok" if free > LOW_DISK_BYTES else "note"
    yield Finding(verdict, subject, f"{path} can be written, {free / 2**30:,.1f} GiB free.")


def _mail(handler: BatchingSMTPHandler) -> Iterator[Finding]:
    if handler.destination is None:
        yield Finding("note", "mail", "no mailhost: mails are kept and shown by loghub preview --mail.")
        return
    try:
        handler.handshake()
    except DeliveryError as error:
        yield Finding("FAIL", "mail", str(error))
    else:
        told = "1 address" if len(handler.recipients) == 1 else f"{len(handler.recipients)} addresses"
        yield Finding("ok", "mail", f"{handler.server} takes our login; mails go to {told}.")


def _details(handler: JSONDetailHandler) -> Iterator[Finding]:
    yield from _folder(_name(handler), handler.directory)


def _channels(handler: NotifyHandler) -> Iterator[Finding]:
    if not handler.branches:
        yield Finding("note", _name(handler), handler.needs)
    for channel in handler.branches:
        yield Finding("ok", _name(handler), f"{channel.destination} is an address of {channel.service_name}.")


def _procedures(handler: RecoveryHandler) -> Iterator[Finding]:
    if not handler.branches:
        yield Finding("note", _name(handler), "no procedures: nothing is recovered from.")
    for branch in handler.branches:
        procedure = branch.procedure
        yield Finding("ok", _name(handler), f"{procedure.name} can be run for {', '.join(procedure.on)}.")
        if missing := _missing(procedure.arguments):
            yield Finding("FAIL", _name(handler), f"{procedure.name} cannot work: {missing}.")
        for name in sorted(procedure.kinds.names):
            if not (_is_exception(name) or name in logging.root.manager.loggerDict):
                text = f"{name} is no exception class that can be imported, and no logger that is known yet."
                yield Finding("note", _name(handler), text)


def _missing(arguments: dict[str, Any]) -> str:
    """Return what a ready-made procedure would call and is not there; empty if all is."""
    for key in ("function", "call"):
        if isinstance(named := arguments.get(key), str):
            try:
                pkgutil.resolve_name(named)
            except Exception as error:  # whatever importing the module raises
                return f"{key} {named} is not there ({type(error).__name__})"
    command = arguments.get("command")
    if isinstance(command, list) and command and shutil.which(str(command[0])) is None:
        return f"there is no program {command[0]}"
    return ""


def _is_exception(name: str) -> bool:
    try:
        found = pkgutil.resolve_name(name if "." in name else f"builtins.{name}")
    except (ValueError, ImportError, AttributeError):
        return False
    return isinstance(found, type) and issubclass(found, BaseException)


def _name(handler: ReportingHandler) -> str:
    return handler.name or type(handler).__name__


_LOOKS: tuple[tuple[type[ReportingHandler], Callable[[Any], Iterator[Finding]]], ...] = (
    (GitHubIssueHandler, check_github.look),
    (BatchingSMTPHandler, _mail),
    (JSONDetailHandler, _details),
    (NotifyHandler, _channels),
    (RecoveryHandler, _procedures),
)
