"""Passwords and signatures inside URLs and the DSNs of drivers."""

from __future__ import annotations

import re
import urllib.parse

from loghub.scrub.drawn import looks_random
from loghub.scrub.masked import MASKED
from loghub.scrub.texts import MARK

HOOKS = re.compile(
    r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/[0-9]{1,24}/"
    r"|\.webhook\.office\.com/webhookb2/)([^\s\"'<>)\\]+)",
    re.IGNORECASE,
)
# An authority ends at / ? #; passwords in home-made DSNs do not know that, but do not look like a port.
URL_PASSWORD = re.compile(
    r"(:(?://|\\{1,3}/\\{1,3}/)[^\s/?#:@\"'<>\\\[]{0,256}:)"
    r"([^\s/?#\"'<>\\]{1,4096}(?=@)|(?!/|[0-9]{1,5}[/?#])[^\s\"'<>@\\]{1,64}(?=@))"
)
DSN_PASSWORD = re.compile(
    r"(?<![\w.-])([\w.-]{1,64}+:)([^\s:@/\"']{1,256}+)(?=@(?:tcp|unix|udp)\()"
    r"|(:thin:[\w.$#]{1,64}/)([^\s/@\"']{1,256}+)(?=@)"
)
# A token as the user: Sentry's DSN, a clone's address.
_URL_USER = re.compile(r"(:(?://|\\{1,3}/\\{1,3}/))([\w%.~-]{20,512}+)(?=@|:[^\s/@\"'<>]{0,256}+@)")
# Names that mean a secret only in the query of a URL, and only with a long value.
QUERY = re.compile(
    r"([?&](?:sig|signature|code|key|auth|sid|x-amz-signature|x-goog-signature)=)([^\s&\"'<>#\\]{16,}+)", re.IGNORECASE
)


def replace_passwords(pattern: re.Pattern[str], text: str, found: list[str]) -> str:
    """Replace the last group of `pattern`, unless it is masked already, and add it to `found`."""

    def replaced(match: re.Match[str]) -> str:
        password = match[match.lastindex or 0]
        if MASKED.fullmatch(password):
            return match[0]
        found.extend((password, urllib.parse.unquote(password)))
        return match[0].removesuffix(password) + MARK

    return pattern.sub(replaced, text)


_ENCODED = re.compile(r"%3a%2f%2f[^\s\"'<>&\\]{1,4096}", re.IGNORECASE)


def replace_encoded(text: str, found: list[str]) -> str:
    """Replace passwords and signatures in a URL that is percent-encoded, as within the query of another."""

    def replaced(match: re.Match[str]) -> str:
        plain = clean = urllib.parse.unquote(match[0].replace(MARK, ""))
        for pattern in (URL_PASSWORD, QUERY, HOOKS):
            clean = replace_passwords(pattern, clean, found)
        if clean == plain:
            return match[0]
        return MARK.join([urllib.parse.quote(part, safe="", errors="replace") for part in clean.split(MARK)])

    return _ENCODED.sub(replaced, text)


def replace_users(text: str) -> str:
    """Replace tokens that stand where the user of a URL stands."""
    return _URL_USER.sub(lambda match: match[1] + MARK if looks_random(match[2], strict=False) else match[0], text)
