"""Messages without the values in them."""

from __future__ import annotations

import re

MAX_TEXT = 2000
"""Characters of a message that count."""


def normalize(text: str) -> str:
    """Take the values out of a message: what stays is what every occurrence of the same message has.

    ``user 42 not found in '/srv/a.db'`` becomes ``user <num> not found in <str>``. Words stay. It counts the
    first `MAX_TEXT` characters, takes time in proportion to them, and is idempotent.
    """
    text = text[:MAX_TEXT]
    for _ in range(_ROUNDS):
        before = text
        text = _VALUE.sub(_placeholder, " ".join(_COLOUR.sub("", text).split()))[:MAX_TEXT].rstrip()
        if text == before:
            break
    return text


def shape(text: str) -> str:
    """Return `normalize`, with one sign for every value and for every run of values: what is hashed."""
    return _RUN.sub("<*>", _PLACEHOLDER.sub("<*>", normalize(text)))


def _placeholder(match: re.Match[str]) -> str:
    return match[0] if match.lastgroup == "kept" else f"<{match.lastgroup}>"


_ROUNDS = 10
# Also as a scrubbed event has it: without control characters.
_COLOUR = re.compile(
    r"(?:\x1b|\\x1b|\\033)(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b\\]*(?:\x07|\\x07|\x1b\\)?)|\[\d{1,3}(?:;\d{1,3})*m"
)
_RUN = re.compile(r"<\*>(?:[^\w<]*<\*>)+")
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:\s?[ap]m\b)?"
_ZONE = r"(?:\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?"
_UNIT = (
    r"(?:%|°[CF]?|[nuµm]?s|sec(?:ond)?s?|min(?:ute)?s?|h(?:ou)?rs?|h|d|days?|weeks?|months?|years?"
    r"|eur(?:os?)?|usd|gbp|chf|dollars?|€|\$|£|¥|milliseconds?|microseconds?|bytes?|[kmgt]i?b(?:ytes?|/s|ps)?|b|[kmg]?hz|px)"
)
# One alternative per kind of value; at each place of the text the first that fits is taken. Alternatives that
# run over words begin only where a word begins, and none has a repeat within a repeat over the same
# characters: that keeps the time linear.
_KINDS = {
    "kept": r"<(?:NAMES)>",
    "url": r"(?<![a-z0-9])[a-z][a-z0-9+.-]{1,15}://[^\s'\"<>`]*[^\s'\"<>`.,;:!?)\]}]",
    "bytes": r"(?<!\w)b(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")",
    "str": r"(?<!\w)'(?>(?:[^'\\]++|\\.|'(?=\w))*)'|\"(?:[^\"\\]|\\.)*\""
    r"|(?<!`)`[^`]+`(?!`)|“[^”]{0,300}”|«[^»]{0,300}»",
    "data": (
        r"\{\s*(?:\}|['\"<\d\[{](?:.*\}|.*$))"
        r"|\[\s*(?:\]|\[.*\]|['\"({<\d-][^\[\]]*(?:\]|\[.*\])|\w[^\[\],]*,[^\[\]]*\])"
    ),
    "object": r"<(?=[a-z_][\w.]*[\s:(])[^<>]*(?:>|<.*>)",
    "email": r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "uuid": r"(?<![0-9a-z])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-z])",
    "mac": r"(?<![0-9a-z:])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![0-9a-z:])",
    "date": (
        r"(?<!\w)(?:\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?/[a-z]{3}/\d{4}:\d\d:\d\d:\d\d|\d\d?/\d\d?/\d{2,4}"
        r"|\d\d?\.\d\d?\.\d{4})(?:[T ]" + _CLOCK + r")?" + _ZONE
        + r"|(?<!\w)(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?,?\s)?(?:\d{1,2}[\s-])?"
        + _MONTH + r"[\s-]\d{1,4}(?:,?\s\d{4})?(?:,?\s" + _CLOCK + r")?(?:\s\d{4})?" + _ZONE
    ),
    "time": r"(?<![\w:.])" + _CLOCK + _ZONE + r"(?![\w:])",
    "ip": (
        r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5}|/\d\d?)?(?![\w.]\d)"
        r"|\[?(?<![\w:.])(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}"
        r"|(?:[0-9a-f]{1,4}:){1,7}:|::(?:[0-9a-f]{1,4}:){0,5}[0-9a-f]{1,4})(?![\w:])(?:%\w+)?(?:\]:\d{1,5})?"
    ),
    "path": (
        r"(?<!\w)[a-z]:[\\/](?:[^\\/:*?\"<>|]{1,99}[\\/])*[^\s\\/:*?\"<>|',;)\]]*|\\\\[\w.$-]+(?:\\[\w.$-]+)+"
        r"|(?<![\w<>/.~])(?:~\w*|\.\.?)?/[\w.@%+~-]+(?:/[\w.@%+~-]*)*(?:\?[\w.%+~=&;:/-]+)?"
        r"|(?<![\w.@%+/-])(?:[\w.@%+-]+/)+[\w@%+-]+\.[a-z]\w{0,4}\b"
        r"|(?<![\w.-])[\w-]+(?:\.[\w-]+)*\.(?:SUFFIXES)\b(?!\.\w)"
    ),
    "host": (
        r"(?<![\w.-])(?:localhost|(?:[a-z0-9-]+\.)+(?:com|net|org|edu|gov|local|localdomain|internal|lan|intra|corp|cloud"
        r"|example|invalid|svc|eu|uk|de|fr|io|dev)\b|(?:[a-z0-9-]+\.)+[a-z]{2,}(?=:\d))(?::\d{1,5}\b)?"
    ),
    "hex": r"(?<![0-9a-z])(?:0x[0-9a-f]+|(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,})(?![0-9a-z])",
    "token": (
        r"\[Filtered\]|(?<![\w-])(?:(?-i:[A-Z]{1,6}(?:[/_-]\d{1,9})+(?![\w/-])|[A-Z]{20,}+(?!\w))"
        r"|(?=(?:[a-z-]{0,64}\d){4})(?=[\d-]{0,64}[a-z])(?:[a-z0-9]{16,}+|[a-z0-9]++(?:-[a-z0-9]++)+(?<=[\w-]{16}))(?![\w-])={0,2}"
        r"|(?-i:(?=[A-Z]{0,64}\d)[A-Z0-9]{16,}+(?!\w))|eyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?|(?=[a-z_-]*\d+[a-z_-]+\d)[\w-]{8,}={0,2}"
        r"|(?=[a-z+/_-]*\d)(?=\d*[a-z])[\w+/-]{32,}={0,2})"
    ),
    "value": r"(?<=\w=)[^\s,;&)\]}'\"<>=][^\s,;&)\]}'\"<>]*",
    "duration": (
        r"(?<!\w)\d+h(?:\s?\d+m(?:in)?)?(?:\s?\d+s)?(?!\w)|(?<!\w)\d+m(?:in)?\s?\d+s(?!\w)"
        r"|(?:(?<![\w.-])[+-])?\d+(?:[.,_]\d+)*\s?" + _UNIT + r"(?![\w])"
    ),
    "num": r"(?:(?<![\w.-])[+-]|(?<!\w)#|(?<![\w.-])v(?=\d+\.)|[€$£¥]\s?)?\d+(?:[.,_]\d+)*"
    r"(?:e[+-]?\d+|-?(?:rc|alpha|beta|dev|post|[ab])[.-]?\d+)?",
}  # fmt: skip
_SUFFIXES = (
    "py|pyc|so|dll|exe|sh|js|ts|css|html?|xml|json|ya?ml|toml|ini|cfg|conf|env|sql|db|sqlite3?|csv|tsv|xlsx?|docx?"
    "|pdf|txt|log|md|png|jpe?g|gif|svg|webp|mp[34]|wav|zip|gz|tar|tgz|bz2|xz|7z|parquet|pkl|bin|dat|tmp|bak|lock|pid"
    "|sock|pem|crt|key"
)
_PLACEHOLDER = re.compile(rf"<(?:{'|'.join(list(_KINDS)[1:])})>")
# Nothing below begins at a blank, within a word, or with a plain word; to say so at once makes it three times as fast.
_SKIPPED = (
    r"\s|(?<=\w)[^\W\d]"
    r"|(?<!=)(?!jan|feb|mar|apr|may|ju[nl]|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun|localhost)[a-z]+(?:[\s,;!?]|$)"
)
_VALUE = re.compile(
    f"(?!{_SKIPPED})(?:"
    + "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items())
    .replace("NAMES", "|".join(list(_KINDS)[1:]))
    .replace("SUFFIXES", _SUFFIXES)
    + ")",
    re.IGNORECASE,
)
