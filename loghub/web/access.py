"""Who may see the pages and change something: passwords, sessions, roles, and tokens against forged requests.

Nothing here registers itself with an application, so it stands beside what the application has: the session holds one
entry of ours, and requests are checked by the blueprint's own hooks. Passwords are kept as argon2id hashes
(RFC 9106); a login that fails takes as long as one that does not.
"""

from __future__ import annotations

import contextlib
import functools
import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import Response, abort, current_app, redirect, request, session, url_for
from flask_wtf.csrf import generate_csrf, validate_csrf  # type: ignore[import-untyped]  # it has no annotations
from wtforms.validators import ValidationError

from loghub.errors import LedgerError, OptionValueError
from loghub.web.addresses import network
from loghub.web.visitors import Visitors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flask.blueprints import BlueprintSetupState

    from loghub.web.site import Site

VIEWER, ADMIN = "viewer", "admin"

SESSION_SECONDS = 12 * 3600
ATTEMPTS, NAME_ATTEMPTS, ALL_ATTEMPTS, ATTEMPTS_SECONDS = 5, 30, 100, 300.0
"""So many logins may fail from one address, for one name, and in all, in any such time."""

MAX_PASSWORD_CHARS = 1024

MAX_BODY_BYTES = (64 << 10) + 1
"""Of a form; and of a report, with the byte by which it is seen to be too large."""

_SAFE = ("GET", "HEAD", "OPTIONS")
_KEY, _CSRF = "loghub", "loghub_csrf"
_ENDED = "web sessions ended"
"""Where the ledger remembers them: other processes may show the same pages."""

_UNSIGNED = "The pages need the application's secret_key, which signs sessions and forms: set app.secret_key."

_hasher = PasswordHasher()
_NOBODY = _hasher.hash(secrets.token_hex())


def hashed(password: str) -> str:
    """Return a password as it may be stored."""
    return _hasher.hash(password)


class Password:
    """A password that is known, or of which the hash is.

    Args:
        given: Either of them; a hash begins with ``$argon2``.

    Raises:
        OptionValueError: It is no hash that can be checked.
    """

    def __init__(self, given: str) -> None:
        self._given = given.encode()
        self._hash = given if given.startswith("$argon2") else hashed(given[:MAX_PASSWORD_CHARS])
        try:
            _hasher.check_needs_rehash(self._hash)
        except InvalidHashError as error:
            raise OptionValueError("loghub.web: a password begins like an argon2 hash, and is none.") from error

    def is_it(self, password: str) -> bool:
        """Return whether this is the password."""
        return _fits(self._hash, password)

    def mark(self, key: object) -> str:
        """Return what sessions that are begun with it hold: with another password another text, which tells neither."""
        return hmac.digest(str(key).encode(), self._given, "sha256").hex()[:32]


@dataclass
class Access:
    """The rules of one blueprint.

    Attributes:
        site: Whose ledger counts the attempts.
        passwords: Of each role, whose name is also the one to log in with.
        open: Everybody who comes is an admin: the host application's own decorators, or the loopback, keep others out.
        login_required: The host's decorator for what may be seen; None: ours.
        admin_required: The host's decorator for what changes something; None: ours.
        visitors: The rules for who comes without a login.
        is_admin: With the host's decorators: whether who asks is shown what changes something; None: everybody is.
    """

    site: Site
    passwords: Mapping[str, Password] = field(default_factory=dict)
    open: bool = False
    login_required: Callable[[Any], Any] | None = None
    admin_required: Callable[[Any], Any] | None = None
    visitors: Visitors = field(default_factory=Visitors)
    is_admin: Callable[[], object] | None = None
    _ended: dict[str, float] = field(default_factory=dict, init=False)  # sessions, and when

    @property
    def has_login(self) -> bool:
        """Whether there is a login page."""
        return not self.open and self.login_required is None

    def see(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a view that shows something."""
        return self._guarded(view, self.login_required, VIEWER)

    def change(self, view: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a view that changes something."""
        view = self._guarded(view, self.admin_required, ADMIN)
        return _decorated(self.login_required, view) if self.login_required is not None else view

    def _guarded(self, view: Callable[..., Any], theirs: Callable[[Any], Any] | None, role: str) -> Callable[..., Any]:
        if theirs is not None:
            return _decorated(theirs, view)

        @functools.wraps(view)
        def checked(*args: Any, **named: Any) -> Any:
            who = self.role()
            if who is None:
                path = request.script_root + request.full_path.rstrip("?")  # below a mount, as `url_for` has it
                if wants_json() or request.method not in _SAFE:
                    abort(401)
                return redirect(url_for("loghub.login", next=path))
            if role == ADMIN and who != ADMIN:
                abort(403)
            return view(*args, **named)

        return checked

    # Sessions -----------------------------------------------------------------------------------------------

    def role(self) -> str | None:
        """Return what who asks may do: `ADMIN`, `VIEWER`, or None: nothing.

        With a host's decorators, which decide, it is what he is shown.
        """
        if self.open or self.login_required is not None:
            return ADMIN if self.is_admin is None or self.is_admin() else VIEWER
        held = session.get(_KEY)
        if not isinstance(held, dict) or held.get("role") not in self.passwords:
            return None
        fresh = 0 <= self.site.now() - held.get("at", 0) < SESSION_SECONDS
        # Whoever changes a password ends the sessions that were begun with the old one.
        same = hmac.compare_digest(str(held.get("of")), self._mark(held["role"]))
        return str(held["role"]) if fresh and same and not self._has_ended(str(held.get("id"))) else None

    def log_in(self, name: str, password: str, address: str) -> float | None:
        """Begin a session.

        Returns:
            None: it has begun. 0.0: name or password is wrong. Else: seconds to wait before the next attempt.
        """
        ledger, now = self.site.ledger(), self.site.now()
        known = name if name in self.passwords else "?"
        budgets = {
            f"web login from {network(address)}": ATTEMPTS,
            f"web login as {known}": NAME_ATTEMPTS,
            "web login": ALL_ATTEMPTS,
        }
        for budget, most in budgets.items():
            if wait := ledger.spend(budget, most, ATTEMPTS_SECONDS, now):
                return wait
        if known == "?":
            _fits(_NOBODY, password)
            return 0.0
        if not self.passwords[name].is_it(password):
            return 0.0
        for budget in budgets:
            ledger.refund(budget)
        session.pop(_CSRF, None)
        session[_KEY] = {"role": name, "at": now, "of": self._mark(name), "id": secrets.token_hex(8)}
        return None

    def _mark(self, role: str) -> str:
        return self.passwords[role].mark(current_app.secret_key)

    def log_out(self) -> None:
        """End the session, also for who has a copy of its cookie, and in other processes that show the same home."""
        ended, now = session.pop(_KEY, None), self.site.now()
        if not isinstance(ended, dict) or "id" not in ended:
            return
        with contextlib.suppress(LedgerError):  # then it has ended here
            self._ended |= self.site.home.ledger().memory(_ENDED)
        self._ended = {one: at for one, at in self._ended.items() if now - at < SESSION_SECONDS} | {ended["id"]: now}
        with contextlib.suppress(LedgerError):
            self.site.home.ledger().remember(_ENDED, self._ended)

    def _has_ended(self, session_id: str) -> bool:
        if session_id in self._ended:
            return True
        with contextlib.suppress(LedgerError):
            return session_id in self.site.home.ledger().memory(_ENDED)
        return False

    # Forged requests ------------------------------------------------------------------------------------------

    def token(self) -> str:
        """Return what a form that changes something has to bring, as ``csrf_token``."""
        _require_secret()
        return str(generate_csrf(token_key=_CSRF))

    def check_forged(self) -> None:
        """Refuse a request that changes something and does not come from a form of ours; read no more than such has."""
        request.max_content_length = min(request.max_content_length or MAX_BODY_BYTES, MAX_BODY_BYTES)
        if request.method in _SAFE or (request.endpoint or "").rpartition(".")[2] in _cookieless:
            return
        _require_secret()
        try:
            validate_csrf(request.form.get("csrf_token") or request.headers.get("X-CSRF-Token"), token_key=_CSRF)
        except ValidationError:
            abort(400, "The form is too old, or not of this page: reload the page and try again.")


def _require_secret() -> None:
    if not current_app.secret_key:  # it may be set after the blueprint is registered
        current_app.logger.error(_UNSIGNED)
        abort(500, _UNSIGNED)


def _decorated(theirs: Callable[[Any], Any], view: Callable[..., Any]) -> Callable[..., Any]:
    """Return a view behind a decorator of the host's, by its own name: Flask goes by that, and not all hand it on."""
    guarded: Callable[..., Any] = theirs(view)
    return guarded if guarded is view else functools.update_wrapper(guarded, view)


def cookieless(view: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a view that needs no token against forged requests: it does nothing for a cookie, or asks for the origin."""
    _cookieless.add(view.__name__)  # the application may put something of its own in front of it
    return view


def leave_forms_to_us(state: BlueprintSetupState) -> None:
    """Tell Flask-WTF of a host application that forms of ours bring our own token, and some requests none.

    Its protection knows one token for all forms, and refuses what brings another. It may be set up after us.
    """
    app, ours = state.app, state.blueprint

    def leave() -> None:
        if (protection := app.extensions.get("csrf")) is not None:
            protection.exempt(ours)

    app.before_request(leave)
    leave()


_cookieless: set[str] = set()


def _fits(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password[:MAX_PASSWORD_CHARS])
    except VerificationError:
        return False


def wants_json() -> bool:
    """Return whether a program asks, not a person with a browser."""
    path = request.script_root + request.path
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return path.startswith(url_for("loghub.index") + "api/") or best == "application/json"


def is_local(target: str) -> bool:
    """Return whether a path leads to this very site, so that one may be sent there after the login."""
    return target.startswith("/") and not target.startswith(("//", "/\\")) and not any(ord(one) < 32 for one in target)


def headers(response: Response) -> Response:
    """Add what keeps a page from running or showing what it should not."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "loghub.static":  # the same for everybody: it is kept, and asked after
        response.headers["Cache-Control"] = "no-cache"
    elif not response.cache_control.max_age:
        response.headers["Cache-Control"] = "no-store"
    return response


_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
