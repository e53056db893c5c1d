"""link: an issue that people have opened is the issue of a bug."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import click

from loghub.cli.where import Where, find_group, where
from loghub.errors import DeliveryError
from loghub.handlers.github import GitHubIssueHandler
from loghub.scrub.own import clean

if TYPE_CHECKING:
    from loghub.handlers.base import OutboxHandler


@click.command(short_help="Say that an issue is about a bug.")
@click.argument("fingerprint")
@click.argument("number", metavar="#N")
@where
def link(place: Where, fingerprint: str, number: str) -> None:
    """Keep a bug in issue #N: it gets the block with the count, and what loghub had opened becomes its duplicate.

    \b
    Example:
      loghub link v1:0123456789abcdef '#12'
    """
    read = re.fullmatch(r"#?([1-9]\d{0,8})", number)
    if read is None:
        raise click.UsageError(f"{number} is no issue's number: give one such as 12 or '#12'.")
    handlers = [one for one in place.handlers() if isinstance(one, GitHubIssueHandler) and one.destination]
    if not handlers:
        raise click.ClickException("There is no repository or no token: set GITHUB_REPO and GITHUB_TOKEN, or --config.")
    group, _ = find_group(place, fingerprint)
    if group.muted_until > time.time():
        raise click.ClickException(f"{group.fingerprint} is muted, so nothing is told of it: loghub unmute it first.")
    for handler in handlers:
        click.echo(_link(handler, group.fingerprint, int(read[1])))


def _link(handler: GitHubIssueHandler, fingerprint: str, number: int) -> str:
    try:
        found = handler.client.issue(number)
    except DeliveryError as error:
        raise click.ClickException(
            f"Issue #{number} of {handler.repo} cannot be linked: {clean(str(error))}"
        ) from error
    if "pull_request" in found:
        raise click.ClickException(f"#{number} of {handler.repo} is a pull request: link an issue.")
    _deliver(handler, fingerprint, number)
    left = [row for row in handler.home.ledger().outbox() if _is_it(row, handler, fingerprint)]
    if left:
        return f"{fingerprint} will be told to {found['html_url']} later: {left[0]['reason'] or 'it waits'}."
    return f"{fingerprint} is {found['html_url']} now."


def _deliver(handler: OutboxHandler, fingerprint: str, number: int) -> None:
    home = handler.home
    home.adopt(force=True)
    if not home.ledger().entrust(str(handler.destination), fingerprint, {"link_to": number}):
        raise click.ClickException(f"{home.path} knows no {fingerprint}: see loghub groups.")
    home.ledger().retry(handler.destination, fingerprint)  # GitHub has answered: nobody need rest any more
    home.round(everything=True)


def _is_it(row: dict[str, object], handler: OutboxHandler, fingerprint: str) -> bool:
    return (row["destination"], row["fingerprint"]) == (handler.destination, fingerprint)
