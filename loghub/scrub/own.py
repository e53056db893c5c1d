"""loghub's own credentials, and its own words: log lines, errors and reasons go through here."""

from __future__ import annotations

from functools import cache

from loghub import env
from loghub.scrub.masked import is_distinct
from loghub.scrub.scrubber import Scrubber

_MIN_CHARS = 8
_MIN_TOKEN_CHARS = 20  # GitHub's have 40 and more
_MAX_HELD = 64
_held: tuple[str, ...] = ()


def hide(secret: str) -> None:
    """Have `secret`, a credential that a handler was given, replaced wherever it would come out from now on.

    The last few are kept: tokens change. What may be a word of a text is not hidden.
    """
    global _held  # noqa: PLW0603 - a new tuple each time: other threads read it meanwhile
    if secret not in _held and (len(secret) >= _MIN_TOKEN_CHARS or is_distinct(secret, _MIN_CHARS)):
        _held = (secret, *_held[: _MAX_HELD - 1])


def credentials() -> list[str]:
    """Return loghub's own credentials as they are now."""
    return [*env.read_all("GITHUB_TOKEN", "GH_TOKEN"), *_held]


@cache
def scrubber() -> Scrubber:
    """Return what cleans loghub's own words, and lines of log files; nothing of a user's is in it."""
    return Scrubber(secrets=credentials)


def clean(text: str) -> str:
    """Return `text`, something that loghub says, without secrets. Never raises."""
    return scrubber().text(text)
