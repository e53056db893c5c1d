"""Passwords and signatures inside URLs and the DSNs of drivers."""

from __future__ import annotations

import re
import urllib.parse

from loghub.scrub.beside import MASKED
from loghub.scrub.texts import MARK

HOOKS = re.compile(
    r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/[0-9]{1,24}/"
    r"|\.webhook\.office\.com/webhookb2/)([^\s\"'<>)\\]+)",
    re.IGNORECASE,
)
URL_PASSWORD = re.compile(
    r"(://[^\s/?#:@\"'<>\\\[]{0,256}:)"
    r"([^\s/?#\"'<>\\]{1,4096}(?=@)|(?!/|[0-9]{1,5}[/?#])[^\s\"'<>@\\]{1,64}(?=@))"
)
DSN_PASSWORD = re.compile(r"(?<![\w.-])([\w.-]{1,64}+:)([^\s:@/\"']{1,256}+)(?=@(?:tcp|unix|udp)\()")
# Names that mean a secret only in the query of a URL, and only with a long value.
QUERY = re.compile(
    r"([?&](?:sig|signature|code|key|auth|sid|x-amz-signature|x-goog-signature)=)([^\s&\"'<>#\\]{16,}+)", re.IGNORECASE
)


def replace_passwords(pattern: re.Pattern[str], text: str, found: list[str]) -> str:
    """Replace the second group of `pattern`, unless it is masked already."""

    def replaced(match: re.Match[str]) -> str:
        if MASKED.fullmatch(match[2]):
            return match[0]
        found.extend((match[2], urllib.parse.unquote(match[2])))
        return match[1] + MARK

    return pattern.sub(replaced, text)
