"""serve: the pages, the REST endpoint and what browsers report, on this machine."""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
import signal
import sys
from typing import Any

import click

from loghub import env, own_log
from loghub.cli.where import Where, homes_of, where
from loghub.delivery import deliverer
from loghub.errors import MissingExtraError
from loghub.web.addresses import is_loopback

_COUNT = click.IntRange(1)
_MOST_BODY_BYTES = 1 << 20  # waitress keeps a body before anybody looks at it; pages take less

_MOST_CONNECTIONS, _IDLE_SECONDS, _LOOK_SECONDS = 500, 10, 2
"""Whoever opens some and says nothing keeps nobody else out for long."""


@click.command(short_help="Show errors on a page; take what browsers report.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0: any free one.")
@click.option("--no-login", is_flag=True, help="Ask for no password; only for an address of this machine alone.")
@click.option("--https", is_flag=True, help="A proxy in front speaks TLS: browsers keep the session's cookie to that.")
@click.option(
    "--proxies", default=0, type=click.IntRange(0, 10), help="So many proxies in front: believe X-Forwarded-*."
)
@click.option("--prefix", metavar="/PATH", help="The path below which a proxy shows it.")
@click.option(
    "--allow-origin", "origins", multiple=True, metavar="ORIGIN", help="Its pages may report; again for more."
)
@click.option("--reports-per-minute", default=60, show_default=True, type=_COUNT, help="Of pages, by address.")
@click.option("--all-reports-per-minute", default=1200, show_default=True, type=_COUNT, help="Of all addresses.")
@click.option(
    "--source-maps", multiple=True, metavar="PREFIX=FOLDER",
    help="Scripts whose URL begins so have their source maps there; again for more.",
)  # fmt: skip
@where
def serve(
    place: Where,
    *,
    host: str,
    port: int,
    no_login: bool,
    https: bool,
    proxies: int,
    prefix: str | None,
    origins: tuple[str, ...],
    reports_per_minute: int,
    all_reports_per_minute: int,
    source_maps: tuple[str, ...],
) -> None:
    """Show errors, groups and what waits on a page, and take what browsers report.

    Pages of origins in LOGHUB_ALLOWED_ORIGINS, or of --allow-origin, may report, and those of the own host.
    Source maps are those of --source-maps, or of LOGHUB_SOURCE_MAPS ("prefix=folder, ...").

    The password of admin is LOGHUB_ADMIN_PASSWORD; else it is asked for once, and its hash is kept in the home.

    \b
    Example:
      LOGHUB_ADMIN_PASSWORD=... loghub serve
      loghub serve --config logging.yaml --host 0.0.0.0 --https --proxies 1
      loghub serve --no-login
    """
    try:
        from waitress import server as waitress

        from loghub.web import create_app
    except ImportError as error:
        raise MissingExtraError("loghub serve needs waitress: pip install 'loghub-handlers[web]'.") from error
    if no_login and not is_loopback(host):
        raise click.UsageError(f"--no-login is for this machine alone, and {host} can be reached by others.")
    deliverer.by_hand = False
    handlers = place.handlers()
    for handler in handlers:
        logging.getLogger().addHandler(handler)
    own = logging.StreamHandler()
    own.addFilter(lambda record: record.name == own_log.log.name)  # not what browsers report
    own_log.log.addHandler(own)
    home = homes_of(handlers)[0]
    app = create_app(
        home.path,
        home.url,
        admin_password=None if no_login else _password(home.path or ""),
        handlers=handlers,
        no_login=no_login,
        https=https,
        proxies=proxies,
        url_prefix=prefix,
        allowed_origins=origins or None,
        reports_per_minute=reports_per_minute,
        all_reports_per_minute=all_reports_per_minute,
        source_maps={prefix: folder for prefix, _, folder in (one.partition("=") for one in source_maps)},
    )
    try:
        server: Any = waitress.create_server(
            app,
            host=host,
            port=port,
            ident=None,
            clear_untrusted_proxy_headers=False,
            max_request_body_size=_MOST_BODY_BYTES,
            connection_limit=_MOST_CONNECTIONS,
            channel_timeout=_IDLE_SECONDS,
            cleanup_interval=_LOOK_SECONDS,
            asyncore_use_poll=True,  # select knows fewer of them
        )
    except OSError as error:
        raise click.ClickException(f"Nothing can listen at {host}:{port}: {error.strerror or error}.") from error
    listens = getattr(server, "effective_listen", None) or [(host, server.effective_port)]  # a name may have several
    click.echo(f"http://{_shown(host)}:{listens[0][1]}{prefix or ''}/  (Ctrl-C ends it)")
    if no_login:
        click.echo("No password is asked: whoever uses this machine sees and changes everything.", err=True)
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # waitress ends as at Ctrl-C, and what waits is delivered
    server.run()


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _password(home: str) -> str:
    """Return the admin's password or its hash: from the environment, the home, or asked for once."""
    from loghub.web import kept
    from loghub.web.access import hashed

    if found := env.read("LOGHUB_ADMIN_PASSWORD") or kept.read(home, kept.HASH):
        return found
    if not sys.stdin.isatty():
        raise click.ClickException("There is no password for admin: set LOGHUB_ADMIN_PASSWORD.")
    password = getpass.getpass("A password for admin (8 characters or more): ")
    if len(password) < 8:
        raise click.ClickException("That is shorter than 8 characters: start again.")
    if getpass.getpass("Once more: ") != password:
        raise click.ClickException("These are two passwords: start again.")
    path = os.path.join(home, kept.HASH)
    try:
        made = kept.keep(home, kept.HASH, hashed(password))
    except OSError as error:
        raise click.ClickException(
            f"The password's hash cannot be kept in {path} ({error.strerror or error}): set LOGHUB_ADMIN_PASSWORD."
        ) from error
    click.echo(f"Its hash is in {path}.")
    return made
