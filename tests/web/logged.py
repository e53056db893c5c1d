"""A home in which an application has really logged errors, and its pages."""

from __future__ import annotations

import contextlib
import html
import json
import logging
import re

from argon2 import PasswordHasher

from loghub.filters import EventFilter
from loghub.handlers.breadcrumb import BreadcrumbHandler
from loghub.handlers.detailfile import JSONDetailHandler
from loghub.handlers.github import GitHubIssueHandler
from loghub.web import create_app
from tests import shop

PASSWORDS = {"admin": "a good one", "viewer": "another one"}
# Cheaper than a real one: who verifies it does as the hash says.
HASHES = {role: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(one) for role, one in PASSWORDS.items()}


class Logged:
    """An application with handlers, the errors that it has logged, and pages over them.

    Args:
        folder: For home and detail files.
        handlers: Further ones, besides one for details and one for breadcrumbs.
        options: Of the EventFilter.
    """

    def __init__(self, folder, handlers=(), **options):
        self.home = str(folder / "home")
        self.details = folder / "errors"
        self.log = logging.Logger("shop.orders")  # noqa: LOG001 - one that no other test sees
        said = EventFilter(
            **{"component": "shop", "release": "2.4.0", "environment": "staging", "include_locals": True, **options}
        )
        files = JSONDetailHandler(self.details, home=self.home)
        self.handlers = [files, *handlers]
        for one in [BreadcrumbHandler(), *self.handlers]:
            one.addFilter(said)
            self.log.addHandler(one)
        self.app = create_app(
            self.home, admin_password=HASHES["admin"], viewer_password=HASHES["viewer"], handlers=self.handlers
        )

    def fail(self, act=shop.charged_in_a_chain, message="order %d failed", number=7, **extra):
        """Log what `act` raises."""
        try:
            act()
        except Exception:
            self.log.exception(message, number, extra=extra)

    def filenames(self):
        """Return the names of the detail files, the oldest first."""
        return [path.name for path in sorted(self.details.iterdir(), key=lambda path: path.stat().st_mtime_ns)]

    def put(self, name="error_20260102_030405_Alien_0123abcd.json", **event):
        """Put a detail file there that loghub has not written; return its name."""
        (self.details / name).write_text(json.dumps({"error_type": "Alien", **event}), "ascii")
        return name

    def client(self, name="admin"):
        """Return a browser in which somebody has logged in; None: nobody."""
        client = self.app.test_client()
        if name is not None:
            form = {"csrf_token": token_of(client.get("/login")), "name": name, "password": PASSWORDS[name]}
            assert client.post("/login", data=form).status_code == 303
        return client

    def ledger(self):
        """Return the ledger with all that was logged."""
        home = self.handlers[0].home
        home.fold()
        return home.ledger()

    def fingerprint(self):
        """Return the fingerprint of the only group."""
        (group,) = self.ledger().groups()
        return group.fingerprint


@contextlib.contextmanager
def logged(folder, handlers=(), **options):
    """Yield a `Logged`; its handlers are closed at the end."""
    made = Logged(folder, handlers, **options)
    try:
        yield made
    finally:
        for handler in list(made.log.handlers):
            made.log.removeHandler(handler)
            handler.close()


def github(fake, folder):
    """Return a handler that opens issues at a stand-in."""
    return GitHubIssueHandler(home=str(folder / "home"), repo="acme/shop", token=fake.token, api_url=fake.url)


def token_of(page):
    """Return the token in a page's form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    return found[1] if found else ""


def post(client, path, page=None, **form):
    """Send a form that stands on a page; follow to where it leads."""
    form["csrf_token"] = token_of(client.get(page or path))
    return client.post(path, data=form, follow_redirects=True)


def texts(page):
    """Return a page's texts, as a reader sees them, in one line."""
    text = re.sub(r"<(script|style).*?</\1>", "", page.get_data(as_text=True), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
