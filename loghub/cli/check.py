"""check: whether everything that a logging.yaml names is there and works; one clear line each."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from loghub.cli.where import Where, configure, load_handlers, read_config, reports, where
from loghub.errors import DeliveryError, LedgerError, LoghubError
from loghub.event import dumps
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.handlers.github import GitHubIssueHandler
from loghub.handlers.smtp import BatchingSMTPHandler

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loghub.handlers.base import ReportingHandler

LOW_DISK_BYTES = 500 << 20
CLOCK_SECONDS = 120


class Finding(NamedTuple):
    """One line: how it is, what was looked at, what was found."""

    verdict: Literal["ok", "note", "FAIL"]
    subject: str
    text: str


@click.command(short_help="Check settings, token, permissions, mail server, disk.")
@click.argument("file", default="logging.yaml", metavar="[logging.yaml]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@where
def check(place: Where, file: str, as_json: bool) -> None:
    """Check each setting of a logging.yaml, the token and what it may do, labels, mail server, clock, disk.

    Nothing is sent. Exit code 1 if anything fails.

    \b
    Example:
      loghub check
      loghub check deploy/logging.yaml
    """
    findings = list(_look(place, place.config or file))
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
        yield Finding("FAIL", path, error.message)
        return
    yield Finding("ok", path, f"{len(config['handlers'])} handlers can be made.")
    if not handlers:
        yield Finding("FAIL", path, "no handler of loghub in it: add one under handlers, and name it under root.")
    elif not _attached(config, handlers):
        yield Finding("FAIL", path, "no logger names a handler of loghub: add it to root: handlers.")
    seen: set[int] = set()
    for handler in handlers:
        if not handler.enabled:
            yield Finding("note", _name(handler), "switched off by ERROR_REPORTING_ENABLED.")
        if id(handler.home) not in seen:
            seen.add(id(handler.home))
            yield from _home(handler)
        if isinstance(handler, GitHubIssueHandler):
            yield from _github(handler)
        elif isinstance(handler, BatchingSMTPHandler):
            yield from _mail(handler)
        elif isinstance(handler, JSONDetailHandler):
            yield from _folder(_name(handler), handler.directory)


def _placed(config: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Return `config` with what was said on the command line in each reporting handler."""
    handlers = {
        name: {**said, **override} if override and reports("", name, said.get("class") or said.get("()")) else said
        for name, said in config["handlers"].items()
    }
    return {**config, "handlers": handlers}


def _attached(config: dict[str, Any], handlers: list[ReportingHandler]) -> bool:
    named = set((config.get("root") or {}).get("handlers") or ())
    for said in config["loggers"].values():
        named.update(said.get("handlers") or ())
    return any(handler.name in named for handler in handlers)


def _home(handler: ReportingHandler) -> Iterator[Finding]:
    home = handler.home
    if home.path is None:
        yield Finding("FAIL", "home", "there is no home directory: set LOGHUB_HOME to a folder that can be written.")
        return
    yield from _folder("home", home.path)
    try:
        home.adopt(force=True)
        totals = home.ledger().totals()
    except LedgerError as error:
        yield Finding("FAIL", "ledger", str(error))
        return
    yield Finding("ok", "ledger", f"{totals['groups']:,} groups, {totals['occurrences']:,} errors.")
    if totals["dropped"]:
        yield Finding("note", "ledger", f"{totals['dropped']:,} errors could not be written and are not counted.")
    rows = home.ledger().outbox()
    dead = sum(row["state"] == "dead" for row in rows)
    if dead:
        yield Finding("note", "outbox", f"{dead} dead letters: see loghub outbox.")


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
        yield Finding(
            "ok", "mail", f"{handler.server} takes our login; mails go to {len(handler.recipients)} address(es)."
        )


def _github(handler: GitHubIssueHandler) -> Iterator[Finding]:
    if not handler.repo:
        yield Finding("note", "github", "no repository: set GITHUB_REPO (owner/name); until then errors are only kept.")
        return
    try:
        token = handler.token()
    except DeliveryError as error:
        yield Finding("FAIL", "github", str(error))
        return
    if not token:
        yield Finding("note", "github", "no token: set GITHUB_TOKEN; until then errors are counted and kept.")
        return
    yield from _token_file(handler)
    try:
        found = handler.client.repository()
    except LoghubError as error:
        yield Finding("FAIL", "github", str(error))
        return
    yield from _repository(handler, found)
    yield from _scopes(handler.client.replied)
    yield from _clock(handler.client.replied)


def _token_file(handler: GitHubIssueHandler) -> Iterator[Finding]:
    path = handler.token_file
    if path and stat.S_IMODE(os.stat(path).st_mode) & 0o077:
        yield Finding("note", "github", f"{path} can be read by others: chmod 600 it.")


def _repository(handler: GitHubIssueHandler, found: dict[str, Any]) -> Iterator[Finding]:
    name = found.get("full_name") or handler.repo
    if found.get("archived"):
        yield Finding("FAIL", "github", f"{name} is archived: no issue can be opened in it.")
    if found.get("has_issues") is False:
        yield Finding("FAIL", "github", f"issues are disabled in {name}: enable them in its settings.")
    if not found.get("private") and not handler.allow_public:
        yield Finding("FAIL", "github", f"{name} is public and allow_public is false: nothing would be sent.")
    elif not found.get("private"):
        yield Finding("note", "github", f"{name} is public: everybody can read the issues.")
    if (found.get("permissions") or {}).get("push"):
        yield Finding("ok", "github", f"{name} takes issues with labels {', '.join(handler.labels)}.")
    else:
        yield Finding("note", "github", f"the token may not push to {name}: GitHub drops the labels of new issues.")


def _scopes(headers: Mapping[str, str]) -> Iterator[Finding]:
    scopes = headers.get("X-OAuth-Scopes")
    if scopes:
        yield Finding(
            "note", "github", f"a classic token with scopes {scopes}: a fine-grained one with Issues: write is enough."
        )


def _clock(headers: Mapping[str, str]) -> Iterator[Finding]:
    try:
        ahead = time.time() - parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except ValueError:
        return
    if abs(ahead) > CLOCK_SECONDS:
        yield Finding(
            "FAIL", "clock", f"this machine's clock is {abs(ahead):,.0f} s {'ahead' if ahead > 0 else 'behind'}."
        )
    else:
        yield Finding("ok", "clock", "agrees with GitHub's.")


def _name(handler: ReportingHandler) -> str:
    return handler.name or type(handler).__name__
