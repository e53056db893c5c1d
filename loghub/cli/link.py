"""link: an issue that people have opened is the issue of a bug."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from loghub import actions
from loghub.cli.where import Where, find_group, where
from loghub.errors import ActionError, DeliveryError
from loghub.scrub.own import clean

if TYPE_CHECKING:
    from loghub.handlers.github import GitHubIssueHandler


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
    try:
        read = actions.issue_number(number)
    except ActionError as error:
        raise click.UsageError(str(error)) from error
    handlers = actions.trackers(place.handlers())
    if not handlers:
        raise click.ClickException("There is no repository or no token: set GITHUB_REPO and GITHUB_TOKEN, or --config.")
    group, _ = find_group(place, fingerprint)
    actions.refuse_muted(group, time.time())
    for handler in handlers:
        click.echo(_link(handler, group.fingerprint, read))


def _link(handler: GitHubIssueHandler, fingerprint: str, number: int) -> str:
    try:
        found = handler.client.issue(number)
    except DeliveryError as error:
        raise click.ClickException(
            f"Issue #{number} of {handler.repo} cannot be linked: {clean(str(error))}"
        ) from error
    if "pull_request" in found:
        raise click.ClickException(f"#{number} of {handler.repo} is a pull request: link an issue.")
    home, destination = handler.home, str(handler.destination)
    actions.entrust(home, destination, fingerprint, {"link_to": number})
    home.ledger().retry(destination, fingerprint)  # GitHub has answered: nobody need rest any more
    home.round(everything=True)
    if left := actions.left(home, destination, fingerprint):
        return f"{fingerprint} will be told to {found['html_url']} later: {left}."
    return f"{fingerprint} is {found['html_url']} now."
