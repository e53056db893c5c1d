"""Values that can be nothing else: tokens, keys in PEM, card numbers.

The shapes of tokens are as their issuers document them: GitHub ("About authentication to GitHub"), GitLab
("Token overview"), Slack ("Token types"), Stripe ("API keys"), AWS ("IAM identifiers"), Google Cloud ("API
keys"), npm, PyPI, SendGrid, Twilio, Discord and Telegram; JWT is RFC 7519, PEM RFC 7468, card numbers ISO/IEC
7812.
"""

from __future__ import annotations

import re

from loghub.scrub.texts import MARK


def _word(prefix: str, rest: str) -> str:
    """Return a pattern for `prefix` at the start of a word, or after a line break in a repr, and `rest`."""
    start = re.escape(prefix)  # the look-behind stands after it, or the search would try every place
    return rf"{start}(?:(?<![A-Za-z0-9_-]{start})|(?<=\\[nrt]{start})){rest}"


SHAPES = re.compile(
    "|".join(
        (
            r"gh[pousr]_[A-Za-z0-9_]{16,}+(?:[.-][A-Za-z0-9_-]{10,}+)*+",
            r"github_pat_[A-Za-z0-9_]{16,}+",
            r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|soat|imt|agent|oas|ffct)-[A-Za-z0-9_-]{16,}+(?:\.[A-Za-z0-9_.]{2,})?",
            r"xox[a-z](?:\.[a-z]{1,8})?-[A-Za-z0-9-]{10,}+",
            r"xapp-[0-9]-[A-Za-z0-9-]{10,}+",
            r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}+",
            r"whsec_[A-Za-z0-9+/=_-]{16,}+",
            _word("sk-", r"(?:proj|ant|svcacct|admin|or)-[A-Za-z0-9_-]{16,}+"),
            _word("sk-", r"(?=[A-Za-z]*[0-9])[A-Za-z0-9]{20,}+"),
            _word("SK", r"[0-9a-f]{32}(?![0-9A-Za-z])"),
            r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA)[A-Z0-9]{16}(?![A-Z0-9])",
            r"AIza[A-Za-z0-9_-]{30,}+",
            r"ya29\.[A-Za-z0-9_-]{20,}+",
            r"GOCSPX-[A-Za-z0-9_-]{20,}+",
            r"npm_[A-Za-z0-9]{30,}+",
            r"pypi-(?:AgE[A-Za-z0-9_-]{16,}+|[A-Za-z0-9_-]{50,}+)",
            _word("SG.", r"[A-Za-z0-9_-]{16,}+\.[A-Za-z0-9_-]{16,}+"),
            _word("eyJ", r"[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){0,3}"),
            r"[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}+",
            r"(?<![0-9])[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}+",
        )
    )
)
_PEM_END = r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
PEM = re.compile(
    r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
    rf"(?:(?:[^-]|-(?!----|--- END))*+{_PEM_END}|(?:[\s\\\"',>|+]*+[A-Za-z0-9+/=]{{8,}}+)*+)"  # or its end was lost
)
# An authority ends at / ? #; passwords in home-made DSNs do not know that, but do not look like a port.
CARD = re.compile(
    r"[2-6](?:(?<![\w.+-].)|(?<=\\[nrt].))(?:[0-9]{12,18}+"
    r"|[0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?|[0-9]{3}([ -])[0-9]{6}\2[0-9]{4,5}+)(?!\w|[.-][0-9])"
)


def _luhn(digits: str) -> bool:
    doubled = "0246813579"
    last, other = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, last)) + sum(int(doubled[int(digit)]) for digit in other)) % 10 == 0


def card(found: re.Match[str]) -> str:
    """Return what stands for a match of `CARD`: only with the right check digit it is a card's."""
    digits = found[0].replace(" ", "").replace("-", "")
    return MARK if _luhn(digits) and len(set(digits)) > 1 else found[0]
