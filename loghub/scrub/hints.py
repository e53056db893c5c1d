"""Which rules have work in a text: one pattern that looks at each letter about once.

Clean texts are the rule, and most of them end here.
"""

from __future__ import annotations

import re

from loghub.scrub.names import STEMS
from loghub.scrub.texts import any_of

# What may follow the stem of a name, were it worth a look: an operator, or a digit on the same line.
_NAME_FOLLOWS = r"(?=[\w-]{0,48}+(?:[\"'\])\\%]|[ \t]{0,8}[=:>\x1b]|[ \t][^\n0-9]{0,80}+[0-9]|[ \t]{1,4}[\"']))"
_DIGITS_FOLLOW = r"[0-9]{3}(?:[0-9]{4}|[ -][0-9]{4})"
_HINT_KINDS = {
    **dict.fromkeys((*STEMS, "basic", "aws"), "name"),
    **dict.fromkeys(("://",), "url"),
    **dict.fromkeys(("@tcp(", "@unix(", "@udp("), "dsn"),
    **dict.fromkeys(
        (f"{start}{name}=" for start in "?&" for name in ("sig", "signature", "code", "key", "auth", "sid")), "query"
    ),
    **dict.fromkeys(("?x-amz-s", "&x-amz-s", "?x-goog-s", "&x-goog-s"), "query"),
    **dict.fromkeys(("hooks.slack.com/", "api/webhooks/", "webhook.office.com/"), "hook"),
    **dict.fromkeys(("--begin", "-- begin"), "pem"),
    **dict.fromkeys(("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "xox", "xapp-", "whsec_", "sk-"), "shape"),
    **dict.fromkeys((f"{kind}k_{mode}_" for kind in "srp" for mode in ("live", "test")), "shape"),
    **dict.fromkeys(("akia", "asia", "abia", "aiza", "ya29.", "gocspx-", "npm_", "pypi-", "sg.", "eyj"), "shape"),
    **dict.fromkeys((":aa", "glpat-", "gldt-", "glrt-", "glrtr-", "glcbt-", "glptt-", "glft-", "glsoat-"), "shape"),
    **dict.fromkeys(("glimt-", "glagent-", "gloas-", "glffct-"), "shape"),
}
# What the rules look for, as small letters: a text without any of these is clean.
HINTS = re.compile(
    any_of(
        {hint: _NAME_FOLLOWS if kind == "name" else "" for hint, kind in _HINT_KINDS.items()}
        | dict.fromkeys("23456", _DIGITS_FOLLOW)
        | {".": r"[a-z0-9_-]{6}\.[a-z0-9_-]{27}", "sk": "[0-9a-f]{32}", "--": "(?=[a-z])"}
    )
)


def kind_of(hint: str) -> str:
    """Return which kind of rule a match of `HINTS` calls for."""
    if hint == "--":
        return "option"
    return _HINT_KINDS.get(hint) or ("card" if hint[0].isdigit() else "shape")
