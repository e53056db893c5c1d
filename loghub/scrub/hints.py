"""Which rules have work in a text: one pattern that looks at each letter about once.

Clean texts are the rule, and most of them end here.
"""

from __future__ import annotations

import re

from loghub.scrub.commands import COMMAND_HINTS
from loghub.scrub.names import STEMS
from loghub.scrub.phrases import PHRASE_HINTS
from loghub.scrub.shapes import SHAPE_HINTS
from loghub.scrub.texts import any_of

# What may follow the stem of a name, were it worth a look: an operator, or a digit on the same line.
_NAME_FOLLOWS = (
    r"(?=[\w-]{0,48}+(?:[\"'\])\\%]|&(?:quot|#3)|(?:,|\r?\n)[ \t]{0,40}+value"
    r"|[ \t]{0,8}[=:>\x1b]|[ \t][^\n0-9]{0,80}+[0-9]|[ \t]{1,4}[\"']))"
)
_DIGITS_FOLLOW = r"[0-9]{3}(?:[0-9]{4}|(?=[ -][0-9]{4}))"
_HINT_KINDS = {
    **dict.fromkeys((*STEMS, "basic", "aws"), "name"),
    **dict.fromkeys(("://", ":\\/\\/"), "url"),
    "%3a%2f%2f": "encoded",
    **dict.fromkeys(("@tcp(", "@unix(", "@udp(", ":thin:"), "dsn"),
    **dict.fromkeys(
        (f"{start}{name}=" for start in "?&" for name in ("sig", "signature", "code", "key", "auth", "sid")), "query"
    ),
    **dict.fromkeys(("?x-amz-s", "&x-amz-s", "?x-goog-s", "&x-goog-s"), "query"),
    **dict.fromkeys(("hooks.slack.com/", "api/webhooks/", "webhook.office.com/"), "hook"),
    **dict.fromkeys(("--begin", "-- begin"), "pem"),
    **dict.fromkeys(COMMAND_HINTS, "command"),
    **dict.fromkeys(PHRASE_HINTS, "phrase"),
}
# What the rules look for, as small letters: a text without any of these is clean.
_HINTS = re.compile(
    any_of(
        {hint: _NAME_FOLLOWS if kind == "name" else "" for hint, kind in _HINT_KINDS.items()}
        | dict.fromkeys("23456", _DIGITS_FOLLOW)
        | {"--": "(?=[a-z])"}
        | SHAPE_HINTS
    )
)


# A search goes on behind what it found: what begins within the name of a secret, as in ``ccnpm_``, takes another one.
_HIDDEN = re.compile(any_of(dict.fromkeys(COMMAND_HINTS, "") | SHAPE_HINTS))


# A hint that holds one of these may hide what tells of an odd shape.
_ODD = re.compile(r"[.-]|^(?::aa|q~|nral)")


def hints_in(low: str) -> set[str]:
    """Return what is found in a text in small letters."""
    found = set(_HINTS.findall(low))
    return found | set(_HIDDEN.findall(low)) if found else found


def kind_of(hint: str) -> str:
    """Return which kind of rule a hint calls for."""
    if hint == "--":
        return "option"
    if hint[0] in "23456":
        return "card"
    return _HINT_KINDS.get(hint) or ("odd shape" if _ODD.search(hint) else "shape")
