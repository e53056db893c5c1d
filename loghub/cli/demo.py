"""demo: the whole thing on this machine, with a real application that really fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

import click

import loghub.demo
from loghub import env, history
from loghub.cli import outbox, preview, readers
from loghub.cli.where import close_at_end, load_handlers
from loghub.detail import detail_files

_TOLD_BY_ENVIRONMENT = ("GITHUB_TOKEN", "GH_TOKEN", "GITHUB_REPO", "GITHUB_REPOSITORY", "LOGHUB_HOME", "LOGHUB_LEDGER")


@click.command(short_help="See it happen, on real errors, on this machine.")
@click.option("--send", is_flag=True, help="Open the issues for real: needs GITHUB_TOKEN and GITHUB_REPO.")
@click.option("--orders", default=3000, show_default=True, type=click.IntRange(2, 200_000), help="Repeats of a bug.")
@click.option("--directory", type=click.Path(file_okay=False), help="Where to leave everything; a temporary folder.")
def demo(send: bool, orders: int, directory: str | None) -> None:
    """Run a small shop with threads and two worker processes, in which seven bugs show, one of them often.

    It is set up by the repository's own logging.yaml and nothing else. Afterwards: the bugs, the files, an
    issue and a mail as they would be sent, and statistics. Nothing leaves this machine without --send.

    \b
    Example:
      loghub demo
      GITHUB_REPO=acme/sandbox GITHUB_TOKEN=... loghub demo --send
    """
    folder = os.path.abspath(directory or tempfile.mkdtemp(prefix="loghub-demo-"))
    os.makedirs(folder, exist_ok=True)
    variables = _variables(folder, send=send)
    config = os.path.join(folder, "logging.yaml")
    shutil.copyfile(_own_logging_yaml(), config)
    took = _run_shop(folder, config, orders, variables)
    _heading("What happened")
    click.echo(
        f"A shop with 3 processes, threads and an event loop ran for {took:.1f} s and failed all the time.\n"
        f"Its logging was set up by a copy of the repository's logging.yaml: {config}"
    )
    home = close_at_end(history.open_home(os.path.join(folder, "home"), None))
    ledger = home.ledger()
    _heading("Occurrences -> bugs")
    totals = ledger.totals()
    click.echo(f"{totals['occurrences']:,} errors -> {totals['groups']} bugs\n")
    found = ledger.groups()
    most_first = sorted(found, key=lambda one: -one.count)
    click.echo(readers.groups_table(most_first, history.outlooks(ledger, most_first)))
    _show_files(folder)
    if send:
        _send(config, variables)
    chained = next((one for one in found if one.error_type == "PaymentError"), found[0])
    item = preview.waiting_items(ledger, chained.fingerprint, 1)[0]
    _heading("An issue, exactly as GitHub gets it")
    preview.show_issue([], item, ledger.id)
    _heading("The mail, as it would be sent")
    preview.show_mail(preview.mail_of([], preview.waiting_items(ledger, None, 50)))
    _heading("Statistics")
    click.echo(json.dumps(history.statistics(ledger), indent=2))
    _heading("Go on")
    place = f"--home {home.path}"
    click.echo(f"loghub groups {place}\nloghub show {chained.fingerprint[:7]} {place}\nloghub recent {place}")


def _own_logging_yaml() -> str:
    """Return the logging.yaml that came with loghub: in the wheel, or beside the package in a checkout."""
    package = os.path.dirname(os.path.dirname(loghub.demo.__file__))
    inside = os.path.join(package, "logging.yaml")
    return inside if os.path.exists(inside) else os.path.join(os.path.dirname(package), "logging.yaml")


def _variables(folder: str, *, send: bool) -> dict[str, str]:
    variables = {name: value for name, value in os.environ.items() if name not in _TOLD_BY_ENVIRONMENT}
    variables["LOGHUB_HOME"] = os.path.join(folder, "home")
    if send:
        token = env.read("GITHUB_TOKEN", "GH_TOKEN")
        repo = env.read("GITHUB_REPO", "GITHUB_REPOSITORY")
        if not token or not repo:
            raise click.UsageError(
                "--send needs GITHUB_TOKEN and GITHUB_REPO (owner/name), in the environment or .env."
            )
        variables |= {"GITHUB_TOKEN": token, "GITHUB_REPO": repo}
    return variables


def _run_shop(folder: str, config: str, orders: int, variables: dict[str, str]) -> float:
    """Run the application as a process of its own, from its own folder; return its seconds."""
    program = os.path.join(folder, "shop.py")
    shutil.copyfile(os.path.join(os.path.dirname(loghub.demo.__file__), "shop.py"), program)
    started = time.monotonic()
    with open(os.path.join(folder, "console.log"), "wb") as console:
        command = [sys.executable, program, config, str(orders)]
        done = subprocess.run(  # noqa: S603 - our own program
            command, cwd=folder, env=variables, stdout=console, stderr=console, check=False
        )
    if done.returncode:
        raise click.ClickException(f"The shop ended with {done.returncode}: see {console.name}")
    return time.monotonic() - started


def _show_files(folder: str) -> None:
    details = detail_files(os.path.join(folder, "logs", "errors"))
    logs = sorted(name for name in os.listdir(os.path.join(folder, "logs")) if name.startswith("error.log"))
    _heading("Files")
    click.echo(f"detail files   {len(details)} in {os.path.join(folder, 'logs', 'errors')}")
    if details:
        click.echo(f"   such as     {os.path.basename(details[0][0])}")
    click.echo(f"rotated log    {', '.join(logs)} in {os.path.join(folder, 'logs')}")
    click.echo(f"ledger         {os.path.join(folder, 'home', 'ledger.db')}")
    click.echo(f"console        {os.path.join(folder, 'console.log')}")


def _send(config: str, variables: dict[str, str]) -> None:
    os.environ.update(variables)
    os.chdir(os.path.dirname(config))
    _heading(f"Sent to {variables['GITHUB_REPO']}")
    handlers = load_handlers(config, {})
    left = outbox.drain_home(handlers[0].home, time.monotonic() + 90)
    for group in handlers[0].home.ledger().groups():
        click.echo(f"{group.issue_url or 'not sent'}  {group.count:,} x {group.error_type}")
    for row in left:
        click.echo(f"left: {row['destination']} {row['fingerprint']}: {row['reason']}")


def _heading(text: str) -> None:
    click.echo("\n" + click.style(f"== {text} ", bold=True) + "=" * max(4, 76 - len(text)))
