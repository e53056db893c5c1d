"""Who comes without a login: pages that report their errors, and what reads the metrics.

Nothing here is a secret that a browser keeps: a public key stands in the page's source, and an origin is what a browser
says. They keep out what is not meant to come; budgets bound what does.
"""

from __future__ import annotations

import hmac
import math
import re
import threading
from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from loghub import env, options
from loghub.web.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask import Request, Response

REPORTS_PER_MINUTE = 60
ALL_REPORTS_PER_MINUTE = 1200

KEY_HEADER = "X-Loghub-Key"
PREFLIGHT_SECONDS = 86_400

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]*,]+)(:\d{1,5})?", re.ASCII)
_PORTS = {"http": ":80", "https": ":443"}
_SHOWN_CHARS = 100


class RefusedVisitError(Exception):
    """A request is refused.

    Args:
        status: Of the response.
        reason: One sentence, which may be shown to whoever asked.
        retry_after: Seconds after which it would not be.
    """

    def __init__(self, status: int, reason: str, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class Visitors:
    """The rules for them.

    Args:
        allowed_origins: Origins whose pages may report, such as ``https://shop.example``; a list, or a text with
            commas; ``*``: all. None: env LOGHUB_ALLOWED_ORIGINS. Pages of the own host may in any case, and so may
            what says no origin: it is no browser.
        public_key: What a report has to bring, in the header X-Loghub-Key or as ``key`` of ``error_info``; None: env
            LOGHUB_PUBLIC_KEY, else nothing.
        reports_per_minute: Of one address.
        all_reports_per_minute: Of all addresses together.
        metrics_token: Who brings it as ``Authorization: Bearer`` may read the metrics without a login; None: env
            LOGHUB_METRICS_TOKEN, else nobody.

    Raises:
        OptionValueError: A value is malformed.
    """

    def __init__(
        self,
        allowed_origins: Sequence[str] | str | None = None,
        public_key: str | None = None,
        reports_per_minute: int = REPORTS_PER_MINUTE,
        all_reports_per_minute: int = ALL_REPORTS_PER_MINUTE,
        metrics_token: str | None = None,
    ) -> None:
        said = env.read("LOGHUB_ALLOWED_ORIGINS") if allowed_origins is None else allowed_origins
        self.origins = frozenset(_origin(one) for one in options.names(_OWNER, "allowed_origins", said or []))
        self.public_key = _secret("public_key", public_key, "LOGHUB_PUBLIC_KEY")
        self.metrics_token = _secret("metrics_token", metrics_token, "LOGHUB_METRICS_TOKEN")
        self.budget = Budget(
            options.whole(_OWNER, "reports_per_minute", reports_per_minute, 1),
            options.whole(_OWNER, "all_reports_per_minute", all_reports_per_minute, 1),
        )
        self.answered: Counter[int] = Counter()
        """Answers to reports, by status."""
        self._lock = threading.Lock()

    def count(self, status: int) -> None:
        """Count an answer to a report."""
        with self._lock:
            self.answered[status] += 1

    # Origins -------------------------------------------------------------------------------------------------

    def check_origin(self, request: Request) -> None:
        """Refuse what a page of a foreign site sends.

        Raises:
            RefusedVisitError: The request says an origin that may not report.
        """
        origin = request.headers.get("Origin")
        if origin is not None and not self.is_own(origin, request) and not self._is_allowed(origin):
            raise RefusedVisitError(
                403, f"Pages of {origin[:_SHOWN_CHARS]!r} may not report here: name it in LOGHUB_ALLOWED_ORIGINS."
            )

    def share(self, request: Request, response: Response) -> Response:
        """Add what lets a page of an allowed origin read the answer; it is asked for without cookies."""
        response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin is not None and self._is_allowed(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "Retry-After"
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    def preflight(self, request: Request, response: Response) -> Response:
        """Answer a browser that asks whether a page may report."""
        self.share(request, response)
        if "Access-Control-Allow-Origin" in response.headers:
            response.headers["Access-Control-Allow-Methods"] = "POST"
            response.headers["Access-Control-Allow-Headers"] = f"Content-Type, {KEY_HEADER}"
            response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response

    @staticmethod
    def is_own(origin: str, request: Request) -> bool:
        """Whether an origin is the host that was asked.

        Its scheme counts only for the port that it stands for: behind a proxy that nobody told us of, TLS looks like
        none.
        """
        scheme, _, host = origin.lower().partition("://")
        port = _PORTS.get(scheme, ":")
        return bool(host) and host.removesuffix(port) == request.host.lower().removesuffix(port)

    def _is_allowed(self, origin: str) -> bool:
        return "*" in self.origins or _plain(origin) in self.origins

    # Keys and budgets ----------------------------------------------------------------------------------------

    def check_key(self, request: Request, key: str | None) -> None:
        """Refuse what does not bring the public key, if there is one.

        Raises:
            RefusedVisitError: It brings none, or another.
        """
        brought = request.headers.get(KEY_HEADER) or key
        if self.public_key is None or _same(brought, self.public_key):
            return
        what = "Another public key is asked for" if brought else "A public key is asked for"
        raise RefusedVisitError(403, f"{what}: send it as header {KEY_HEADER}, or as key in error_info.")

    def spend(self, request: Request) -> None:
        """Take a report from the budgets.

        Raises:
            RefusedVisitError: They are spent.
        """
        wait = self.budget.spend(request.remote_addr or "")
        if wait:
            seconds = math.ceil(wait)
            raise RefusedVisitError(429, f"Too many reports: wait {seconds} seconds.", seconds)

    def may_read_metrics(self, request: Request) -> bool:
        """Whether a request brings the metrics' token."""
        scheme, _, brought = request.headers.get("Authorization", "").partition(" ")
        return self.metrics_token is not None and scheme.lower() == "bearer" and _same(brought, self.metrics_token)


_OWNER = "loghub.web"


def _same(brought: str | None, wanted: str) -> bool:
    return brought is not None and hmac.compare_digest(brought.encode(errors="replace"), wanted.encode())


def _secret(name: str, given: str | None, variable: str) -> str | None:
    value = env.read(variable) if given is None else given
    return None if value is None else options.text(_OWNER, name, value)


def _plain(origin: str) -> str:
    """Return an origin as browsers write it."""
    origin = origin.lower()
    return origin.removesuffix(_PORTS.get(urlsplit(origin).scheme, " ")) if _ORIGIN.fullmatch(origin) else origin


def _origin(said: str) -> str:
    if said not in ("*", "null") and not _ORIGIN.fullmatch(said.lower()):
        right = "origins such as https://shop.example or http://localhost:3000, without a path"
        options.refuse(_OWNER, "allowed_origins", said, right)
    return _plain(said)
