"""How asking GitHub fails, by names.

::

    DeliveryError                        GitHub could not be asked or told now
      BadTokenError            401       no token, or one that GitHub does not know
        ExpiredTokenError      401       it has ended
      ForbiddenError           403       the token lacks a permission, or nobody may
      NotFoundError            404       not there, or hidden from this token
      GoneError                410       issues are disabled, or this one was deleted
      RateLimitedError         403, 429  GitHub asked to be left alone for `retry_after` seconds
      UnknownOutcomeError                a write without a clear reply: look before you try again
      RefusedError
        InvalidError           400, 422  GitHub will not take it as it is

A status counts only with GitHub's JSON around it: the 404 of a proxy says nothing about an issue. No message
holds the token.
"""

from __future__ import annotations

from loghub.errors import DeliveryError, RefusedError


class BadTokenError(DeliveryError):
    """There is no token, or GitHub does not accept it (401)."""


class ExpiredTokenError(BadTokenError):
    """The token has ended (401)."""


class ForbiddenError(DeliveryError):
    """GitHub knows the token and says no (403).

    Args:
        reason: One sentence for a person.
        permission: What the token lacks, such as ``issues=write``, if GitHub names it.
        said: GitHub's own words.
    """

    def __init__(self, reason: str, permission: str | None = None, said: str = "") -> None:
        super().__init__(reason)
        self.permission = permission
        self.said = said


class NotFoundError(DeliveryError):
    """It does not exist, or this token may not know that it does (404)."""


class GoneError(DeliveryError):
    """Issues are disabled in the repository, or the issue was deleted (410)."""


class RateLimitedError(DeliveryError):
    """GitHub's primary or secondary limit; nothing was done, and `retry_after` says how long to keep away."""


class UnknownOutcomeError(DeliveryError):
    """A write got no clear reply: it was done or it was not. Look at GitHub before trying it again."""


class InvalidError(RefusedError):
    """GitHub will never take this as it is (400, 422)."""


def unanswered(what: str, write: bool, retry_after: float | None = None) -> DeliveryError:
    """Return the error of a request without a clear reply; `write`: it may have changed something."""
    if write:
        return UnknownOutcomeError(f"{what}: look whether it was done before trying again.", retry_after)
    return DeliveryError(f"{what}: try again later.", retry_after)
