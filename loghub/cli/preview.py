"""preview: the exact issue, or the mail, without sending anything."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import click

from loghub import history
from loghub.cli.where import Where, where
from loghub.event import dumps
from loghub.handlers.github import GitHubIssueHandler
from loghub.handlers.smtp import BatchingSMTPHandler
from loghub.ledger.protocol import Item

if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import EmailMessage

    from loghub.handlers.base import ReportingHandler
    from loghub.ledger.protocol import Group, Ledger


@click.command(short_help="The issue or mail as it would be sent.")
@click.argument("fingerprint", required=False)
@click.option("--mail", "as_mail", is_flag=True, help="The mail instead of the issue.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@where
def preview(place: Where, fingerprint: str | None, as_mail: bool, as_json: bool) -> None:
    """Print the issue of a group (the newest, or the one given) exactly as GitHub would get it.

    With --mail: the mail about it, or about all groups if none is given. Nothing is sent.

    \b
    Example:
      loghub preview
      loghub preview v1:3f2a --mail --config logging.yaml
    """
    ledger = place.open().ledger()
    items = waiting_items(ledger, fingerprint, 50 if as_mail else 1)
    if not items:
        raise click.ClickException("There is no such group here: see loghub groups.")
    handlers = place.handlers() if place.config else []
    if as_mail:
        show_mail(mail_of(handlers, items), as_json=as_json)
    else:
        show_issue(handlers, items[0], ledger.id, as_json=as_json)


def waiting_items(ledger: Ledger, fingerprint: str | None, limit: int) -> list[Item]:
    """Return groups as a destination that knows nothing of them would be told."""
    found = [ledger.group(fingerprint)] if fingerprint else ledger.groups(limit)
    return [_item(ledger, whole) for group in found if group and (whole := ledger.group(group.fingerprint))]


def _item(ledger: Ledger, group: Group) -> Item:
    kept = history.recent(ledger, 1, group.fingerprint)
    level = logging.getLevelNamesMapping().get(group.level, logging.ERROR)
    return Item("preview", group, group.count, group.count, kept[0] if kept else {}, level, group.first_seen_at)


def mail_of(handlers: Sequence[ReportingHandler], items: Sequence[Item]) -> EmailMessage:
    """Return the mail about `items`, by the first mail handler, or one with its defaults."""
    chosen = next((one for one in handlers if isinstance(one, BatchingSMTPHandler)), None)
    return (chosen or BatchingSMTPHandler()).compose(items, time.time())


def show_mail(message: EmailMessage, *, as_json: bool = False) -> None:
    """Print headers and the text for people."""
    part = message.get_body(("plain",))
    text = str(part.get_content()) if part is not None else ""
    if as_json:
        headers = {name: str(value) for name, value in message.items()}
        click.echo(dumps({"headers": headers, "text": text}, indent=2))
        return
    for name, value in message.items():
        click.echo(f"{name}: {value}")
    click.echo("\n" + text)


def show_issue(handlers: Sequence[ReportingHandler], item: Item, ledger_id: str, *, as_json: bool = False) -> None:
    """Print title, labels and body."""
    chosen = next((one for one in handlers if isinstance(one, GitHubIssueHandler)), None)
    draft = (chosen or GitHubIssueHandler()).draft(item, ledger_id)
    if as_json:
        click.echo(dumps({"title": draft.title, "labels": draft.labels, "body": draft.body}, indent=2))
        return
    click.echo(f"Title:  {draft.title}\nLabels: {', '.join(draft.labels)}\n\n{draft.body}")
