"""Secrets out, sizes bounded: what every event goes through before a byte of it is written anywhere.

Four judgements find a secret, each in one place:

* by **shape**: a text that can be nothing else (`_SHAPES`, PEM blocks, passwords in URLs, card numbers);
* by **name**: what stands beside a name like ``password`` or ``X-Api-Key``, as a key of a dict or in a text
  (`is_secret_name`);
* by **value**: loghub's own credentials and the environment's secrets, wherever they stand, also percent- or
  base64-encoded or broken over lines (`_Values`);
* by **acquaintance**: what was found beside a name in one field is removed from every other field of the same
  event, so that ``logger.error("password=%s", password)`` does not leak through ``args``.

Clean texts are the rule: one pattern (`_HINTS`) that looks at each letter once decides which of the real rules
have work. No pattern here can backtrack without bound: what repeats is possessive, bounded, or followed by
what it cannot match itself. Patterns of users are judged before they are taken (`_risk`).

The shapes of tokens are as their issuers document them: GitHub ("About authentication to GitHub"), GitLab
("Token overview"), Slack ("Token types"), Stripe ("API keys"), AWS ("IAM identifiers"), Google Cloud ("API
keys"), npm, PyPI, SendGrid, Twilio, Discord and Telegram; JWT is RFC 7519, PEM RFC 7468, card numbers ISO/IEC
7812.
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
import time
import urllib.parse
import warnings
from collections import Counter, deque
from collections.abc import Mapping
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, cast

from loghub.event import KEYS, Event, Frame, Shared, dumps
from loghub.options import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

PLACEHOLDER = "[Filtered]"

MAX_MESSAGE_CHARS = 8_192
MAX_TRACEBACK_CHARS = 65_536
MAX_VALUE_CHARS = 4_096
MAX_KEY_CHARS = 256
MAX_ENTRIES = 100  # per container
MAX_DEPTH = 6  # containers inside containers
MAX_FRAMES_OUTER = 50
MAX_FRAMES_INNER = 200
MAX_EVENT_BYTES = 256 * 1024  # of JSON
MAX_EVENT_CHARS = 384 * 1024  # of all texts before the last cuts: bounds the time, not the result
MAX_EVENT_NODES = 10_000  # values of all kinds: what is shared a hundredfold is copied a hundredfold
MAX_INT_BITS = 128  # longer whole numbers become text: not every reader of JSON takes them
CUT_MARGIN_CHARS = 8_192  # scrubbed beyond a cut and thrown away, so that no half of a secret stays
ENVIRONMENT_SECONDS = 30.0  # how long the environment is trusted not to have changed
MIN_SECRET_CHARS = 8  # a shorter value in the environment is no secret worth the damage
MAX_PASSES = 8  # until nothing changes; two are the rule
MAX_REMEMBERED = 4_096  # clean short texts and judged names

# While the rules work the placeholder is one character that no text can hold: lone surrogates are escaped first.
_MARK = "\udcff"

_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


_SURROGATES = {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}
_ESCAPES = _SURROGATES | {
    code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
}


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _any_of(words: Mapping[str, str]) -> str:
    """Return a pattern for any of `words`, each with the pattern that must follow it, as a tree of letters.

    A search looks at each letter of a text about once, however many words there are.
    """
    ends = [after for word, after in words.items() if not word]
    if "" in ends:
        return ""
    tails: dict[str, dict[str, str]] = {}
    for word, after in words.items():
        if word:
            tails.setdefault(word[0], {})[word[1:]] = after
    branches = [re.escape(first) + _any_of(rest) for first, rest in sorted(tails.items())]
    return f"(?:{'|'.join(branches + ends)})"


# --------------------------------------------------------------------------------------------------- by name

_NAME_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")

# A word of a name that contains one of these is secret, however it is glued together.
_SECRET_PARTS = re.compile(
    r"password|passwd|passphrase|passcode|apikey|accesskey|privatekey|secretkey|accountkey|sessionid|sessid"
    r"|sessionkey|credential|csrf|xsrf|(?:token|secret|pwd)$|^cardnumber$|^creditcard$|^ccnumber$|^ccnum$"
)
_SECRET_WORDS = _listed("secret authorization cookie setcookie ssn cvv cvc")
# Secret where they end a name: `proxy_auth`, but not `auth_backend`.
_SECRET_ENDS = _listed("auth session jwt bearer otp totp pass dbpass userpass")
_KEYS_OF = _listed(
    """access account aes api app auth consumer decryption deploy encryption hmac jwt license master private rsa secret
    server session shared signing ssh storage subscription webhook"""
)
_SECRET_PAIRS = frozenset((word, "key") for word in _KEYS_OF) | {
    *(("card", "number"), ("card", "no"), ("card", "num"), ("card", "pin"), ("credit", "card"), ("cc", "number")),
    *(("cc", "num"), ("session", "id"), ("session", "cookie"), ("auth", "header"), ("auth", "code"), ("user", "pin")),
}
_GRANTING = _listed("access api auth refresh session")  # what makes `tokens` more than a number of words
# A name that ends like this is about the secret, not the secret: `token_count`, `password_field`.
_ABOUT = _listed(
    """age alg algorithm at attempts audience backend budget class count counter counts dir disabled domain enabled
    endpoint error errors exception expiration expired expires expiry factory field fields file filename format
    generator handler hasher hashers host ids in index invalid issuer kind left len length lifetime limit max method
    methods middleware min mode model name names parser path policy port prefix provider reset required samesite
    scope scopes size status store strength suffix timeout total ttl type types uri url usage used user username
    valid validator validators version"""
)
_SINGULAR = {f"{word}s": word for word in ("secret", "password", "cookie", "key", "credential", "passphrase")}
# Every name that is secret contains one of these, in small letters.
_STEMS = (
    *("passw", "passph", "passc", "pass", "pwd", "secret", "token", "key", "credential", "auth", "cookie", "sess"),
    *("csrf", "xsrf", "ssn", "cvv", "cvc", "card", "cc_n", "cc-n", "ccn", "pin", "jwt", "bearer", "otp"),
)


def _words(name: str) -> tuple[str, ...]:
    return tuple(_SINGULAR.get(word, word) for word in (part.lower() for part in _NAME_WORDS.findall(name)))


def is_secret_name(name: str) -> bool:
    """Tell whether `name`, in any case and with any separators, names a secret and not something about one."""
    words = _words(name)
    if not words or words[-1] in _ABOUT or words[0] in {"is", "has"}:
        return False
    words = words[:-2] if words[-2:] == ("key", "id") else words
    last, before = (words or ("",))[-1], (words[-2:-1] or ("",))[0]
    return (
        last in _SECRET_ENDS
        or words == ("pin",)
        or (last == "tokens" and before in _GRANTING)
        or any(word in _SECRET_WORDS or _SECRET_PARTS.search(word) for word in words)
        or any(pair in _SECRET_PAIRS for pair in pairwise(words))
    )


# ------------------------------------------------------------------------------------------------- by shape


def _word(prefix: str, rest: str) -> str:
    """Return a pattern for `prefix` at the start of a word, or after a line break in a repr, and `rest`."""
    start = re.escape(prefix)  # the look-behind stands after it, or the search would try every place
    return rf"{start}(?:(?<![A-Za-z0-9_-]{start})|(?<=\\[nrt]{start})){rest}"


_SHAPES = re.compile(
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
_HOOKS = re.compile(
    r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/[0-9]{1,24}/"
    r"|\.webhook\.office\.com/webhookb2/)([^\s\"'<>)\\]+)",
    re.IGNORECASE,
)
_PEM_END = r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
_PEM = re.compile(
    r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
    rf"(?:(?:[^-]|-(?!----|--- END))*+{_PEM_END}|(?:[\s\\\"',>|+]*+[A-Za-z0-9+/=]{{8,}}+)*+)"  # or its end was lost
)
# An authority ends at / ? #; passwords in home-made DSNs do not know that, but do not look like a port.
_URL_PASSWORD = re.compile(
    r"(://[^\s/?#:@\"'<>\\\[]{0,256}:)"
    r"([^\s/?#\"'<>\\]{1,4096}(?=@)|(?!/|[0-9]{1,5}[/?#])[^\s\"'<>@\\]{1,64}(?=@))"
)
_DSN_PASSWORD = re.compile(r"(?<![\w.-])([\w.-]{1,64}+:)([^\s:@/\"']{1,256}+)(?=@(?:tcp|unix|udp)\()")
# Names that mean a secret only in the query of a URL, and only with a long value.
_QUERY = re.compile(
    r"([?&](?:sig|signature|code|key|auth|sid|x-amz-signature|x-goog-signature)=)([^\s&\"'<>#\\]{16,}+)", re.IGNORECASE
)
_BEARER = re.compile(r"([bB](?i:earer|asic))(?:[ \t]{1,4}|%20)([A-Za-z0-9._~+/=-]{8,}+)")
_CARD = re.compile(
    r"[2-6](?:(?<![\w.+-].)|(?<=\\[nrt].))(?:[0-9]{12,18}+"
    r"|[0-9]{3}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?|[0-9]{3}([ -])[0-9]{6}\2[0-9]{4,5}+)(?!\w|[.-][0-9])"
)
_NEAR = re.compile(
    r"(?<![a-z])(?P<word>api[ _-]?key|key|token|secret|password|passphrase|credentials?|bearer|aws)(?![a-z])"
    r"[^\w\n\udcff]{1,4}(?:[a-z]{1,12}[^\w\n\udcff]{1,4}){0,3}?(?P<value>[a-z0-9+/_=-]{16,512}+)"
)
_SECRET_KEY_BEFORE = re.compile(r"(?:access|account|api|auth|encryption|master|private|secret|signing)[ _-]?\Z")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# What may follow the stem of a name, were it worth a look: an operator, or a digit on the same line.
_NAME_FOLLOWS = r"(?=[\w-]{0,48}+(?:[\"'\])\\%]|[ \t]{0,8}[=:>\x1b]|[ \t][^\n0-9]{0,80}+[0-9]|[ \t]{1,4}[\"']))"
_DIGITS_FOLLOW = r"[0-9]{3}(?:[0-9]{4}|[ -][0-9]{4})"
_HINT_KINDS = {
    **dict.fromkeys((*_STEMS, "basic", "aws"), "name"),
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
_HINTS = re.compile(
    _any_of(
        {hint: _NAME_FOLLOWS if kind == "name" else "" for hint, kind in _HINT_KINDS.items()}
        | dict.fromkeys("23456", _DIGITS_FOLLOW)
        | {".": r"[a-z0-9_-]{6}\.[a-z0-9_-]{27}", "sk": "[0-9a-f]{32}", "--": "(?=[a-z])"}
    )
)


def _kind(hint: str) -> str:
    if hint == "--":
        return "option"
    return _HINT_KINDS.get(hint) or ("card" if hint[0].isdigit() else "shape")


def _lower(text: str) -> str:
    """Return `text` in small letters, each at its place: only the dotted capital I would become two."""
    low = text.lower()
    return low if len(low) == len(text) else text.replace("\u0130", "I").lower()


def _luhn(digits: str) -> bool:
    doubled = "0246813579"
    last, other = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, last)) + sum(int(doubled[int(digit)]) for digit in other)) % 10 == 0


def _card(found: re.Match[str]) -> str:
    digits = found[0].replace(" ", "").replace("-", "")
    return _MARK if _luhn(digits) and len(set(digits)) > 1 else found[0]


def _looks_random(value: str, *, strict: bool) -> bool:
    """Tell whether `value` was drawn, not written; `strict` leaves hashes and UUIDs alone."""
    digits = sum(map(str.isdigit, value))
    if not digits or digits == len(value) or value.startswith("/"):
        return False
    if _UUID.fullmatch(value) or re.fullmatch(r"[0-9a-z]+", value):
        return not strict and digits * 6 >= len(value)
    if value.lower() == value or value.upper() == value:
        return False
    share = [count / len(value) for count in Counter(value).values()]
    return -sum(part * math.log2(part) for part in share) >= 3.6


def _basic_or_bearer(found: re.Match[str]) -> str:
    value = found[2]
    if found[1].lower() == "bearer":
        secret = any(map(str.isdigit, value)) or len(value) >= 24
    else:
        try:
            secret = b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
        except ValueError:
            secret = False
    return found[0].removesuffix(value) + _MARK if secret else found[0]


# ------------------------------------------------------------------------------------- a name and its value

_COLOUR = r"(?:(?:\x1b|\\x1b|\\033|\\u001b)\[[0-9;]{0,9}m)*"
_COLOUR_END = re.compile(r"[0-9]{0,3}m")
_AFTER_NAME = (
    r"(?P<rest>[\w-]{0,48}+)(?P<end>(?:\\{0,3}[\"'])?[\])]?|%22|(?:%5b)?%5d)" + _COLOUR + r"(?P<op>[ \t]{0,8}(?:"
    # a name with its type
    r":[ \t]{0,4}[\w.]{1,40}+(?:\[[\w., |]{0,40}\])?(?:[ \t]?\|[ \t]?none)?[ \t]{0,4}=(?=[ \t]{0,4}[\"'])"
    r"|:[ \t]{0,4}(?:str|bytes|int|any)[ \t]{0,4}=(?!=)"
    r"|=>|:=|[=!]=|=|:(?!//)|%3d|%3a)|,|>|[ \t]{1,4}(?=[\"']))[ \t]{0,8}(?:%22)?" + _COLOUR
)
_QUOTED = re.compile(
    r"[bBrRuUfF]{0,2}(?:(\"\"\"|''')(?P<triple>.*?)(?:\1|\Z)"
    r"|(\\{1,3}[\"'])(?P<escaped>(?:(?!\3)[^\n])*+)"
    r"|([\"'])(?P<plain>(?:\\.|(?!\5)[^\\\n]|(?<=\\\\)\5(?=\w))*+))",
    re.DOTALL,
)
# Closing and parting characters belong to a bare value only where it goes on behind them.
_BARE = re.compile(
    r"(?:(?!%2[26])[^\s,;&\"'<>()\[\]{}|\\\x1b]"
    rf"|(?<!{_MARK})(?!\\[nrt])"
    r"[,;&\"'()\[\]{}|\\](?=[^\s,;&\"'<>()\[\]{}|\\\x1b])(?![\w.-]{1,64}=))++"
)
_SCHEME = re.compile(
    r"(?:(?P<whole>digest|oauth|hawk|signature|aws4-hmac-sha256)"
    r"|bearer|basic|token|negotiate|ntlm|api-?key|key|bot|jwt|googlelogin)(?:[ \t]{1,4}|%20)",
    re.IGNORECASE,
)
_TO_LINE_END = re.compile(r"[^\n\r\\]+")
_COOKIES = re.compile(r"[\w.%-]{1,128}(?:=\"[^\"\n\r\\]*\"|[^\n\r\"'\\])*+")
_OPTION = re.compile(
    r"(?P<before>--(?P<name>[A-Za-z][\w-]{0,62}+)(?:[ \t]{1,4}|[\"'],[ \t]{0,4}[bu]?(?=[\"']))[\"']?)"
    r"(?P<value>(?<=\")[^\"\n]+|(?<=')[^'\n]+|[^\s\"',\]-][^\s\"',\]]*)"
)
# Masked already, or a place where a value will be put.
_MASKED = re.compile(
    r"[*•.#_-]+|[xX]{3,}|<[A-Za-z _-]{0,40}>|\{[\w.!:\[\]]{0,80}\}|\$\{?\w{1,64}\}?"
    rf"|%(?:\(\w{{1,64}}\))?[sdr]|\?|:\w{{1,64}}|{_MARK}+"
)
_NO_VALUE = _listed("none null true false undefined nil nan [] {} () str bytes secretstr")
_PROSE = _listed(
    """a an and are at be but by can cannot could denied did do does empty expected expired failed field for forbidden
    found has hash have incorrect invalid is it its mismatch missing must no not of on or please rejected required reset
    rule rules should that the this to too unauthorized unexpected unknown was were when will with wrong you your"""
)
_STRONG = re.compile(r"passw|passph|passc|pwd|secret$|api.?key|private|ssn|cvv|cvc|otp", re.IGNORECASE)
_FILE_LINE = re.compile(r"[ |+]*File \"")
_CODE_OPS = _listed("= == != : :=")


def _name_start(low: str, last: int) -> int:
    """Return where the name begins of which a part begins at `last`; the end of a colour is no part of it."""
    at, least = last, max(0, last - 64)
    while at > least and (low[at - 1].isalnum() or low[at - 1] in "_-"):
        at -= 1
    colour = _COLOUR_END.match(low, at, last) if low[at - 1 : at] in {"[", ";"} else None
    return colour.end() if colour else at


def _is_code(text: str, at: int) -> bool:
    """Tell whether `at` is in the source line of a frame in a traceback."""
    start = text.rfind("\n", max(0, at - MAX_VALUE_CHARS), at)
    before = text.rfind("\n", max(0, start - MAX_VALUE_CHARS), max(0, start)) + 1
    return start > 0 and bool(_FILE_LINE.match(text, before))


def _outside_quotes(text: str, at: int, *, name_is_quoted: bool) -> bool:
    """Tell whether the name at `at` of a source line is outside of any string literal but its own."""
    left = text[text.rfind("\n", 0, at) + 1 : at - name_is_quoted]
    return not (left.count('"') % 2 or left.count("'") % 2)


def _container_end(text: str, at: int) -> int | None:
    """Return where the bracket at `at` closes, or None where it does not close soon."""
    depth = 0
    for place in range(at, min(len(text), at + MAX_VALUE_CHARS)):
        depth += (text[place] in "[{(") - (text[place] in ")}]")
        if not depth:
            return place + 1
    return None


class _Named:
    """The name of a secret in a text: where its value is, and whether it has one."""

    def __init__(self, text: str, found: re.Match[str], start: int) -> None:
        self.text = text
        self.found = found
        self.start = start
        self.name = text[start : found.end("rest")].lower()
        self.op = found["op"].strip()
        self.before = text[start - 1 : start]

    def value(self, *, code: bool) -> tuple[int, int] | None:
        """Return the place of the secret, or None; in `code` a bare value is an expression, not a secret."""
        if not self._joined():
            return None
        at = self.found.end()
        quoted = _QUOTED.match(self.text, at)
        if quoted:
            start, end = self._without_scheme(*quoted.span(str(quoted.lastgroup)), quoted=True)
        elif code and self.op in _CODE_OPS and not self.text[at : at + 1].isdigit():
            return None
        else:
            start, end = self._bare(at)
        loose = not quoted and self.op == ":"
        return None if self._innocent(self.text[start:end], loose=loose, scheme=start > at + 1) else (start, end)

    def _joined(self) -> bool:
        """Tell whether what stands between name and value joins them."""
        if self.op == "":  # password 'hunter2'
            return "passw" in self.name
        if self.op == ",":  # ("password", "hunter2")
            return bool(self.found["end"]) and self.text[: self.start].rstrip("b\"'")[-1:] == "("
        if self.op == ">":  # <password>hunter2</password>
            return self.before == "<"
        if self.op == ":" and self.before in {"/", ".", ":"}:  # a path, or the name of a logger
            return self.before == "." and bool(_STRONG.search(self.name))
        return True

    def _bare(self, at: int) -> tuple[int, int]:
        opener = self.text[at : at + 1]
        if opener in {"[", "{"} or (self.op == "=" and opener == "("):
            return at, self._bare_end(_container_end(self.text, at) or at + MAX_VALUE_CHARS)
        cookies = _COOKIES.match(self.text, at) if "cookie" in self.name else None
        if cookies and "=" in cookies[0]:
            return at, self._bare_end(cookies.end())
        start, end = self._without_scheme(at, self._bare_end(at), quoted=False)
        if end > start and self.text[end : end + 1] in {"(", "[", "{"}:  # Basic('bob', 'hunter2')
            end = self._bare_end(_container_end(self.text, end) or end)
        return start, end

    def _bare_end(self, at: int) -> int:
        more = _BARE.match(self.text, at)
        return more.end() if more else at

    def _without_scheme(self, start: int, end: int, *, quoted: bool) -> tuple[int, int]:
        """Leave ``Bearer`` and its kind readable."""
        scheme = _SCHEME.match(self.text, start)
        if not scheme or (quoted and scheme.end() > end):
            return start, end
        if quoted:
            return scheme.end(), end
        rest = (_TO_LINE_END if scheme["whole"] else _BARE).match(self.text, scheme.end())
        return rest.span() if rest else (end, end)

    def _innocent(self, value: str, *, loose: bool, scheme: bool) -> bool:
        """Tell whether `value` is no secret; after a `loose` colon, and no `scheme`, prose may stand."""
        low = value.strip().lower()
        if not low or low in _NO_VALUE or low.rstrip("):,") in _NO_VALUE or _MASKED.fullmatch(value):
            return True
        strong = bool(_STRONG.search(self.name))
        if low.isdigit() and len(low) <= 5 and not strong and "pin" not in self.name:
            return True  # a count or a place
        if not loose:
            return False
        return low.rstrip(".,!") in _PROSE or not (strong or scheme or len(low) > 12 or not low.isalpha())


# ------------------------------------------------------------------------------------------------ by value

_PLAIN_WORDS = re.compile(
    r"[A-Za-z]?[a-z]{0,15}(?:[-_. ][A-Za-z]?[a-z]{0,15}){0,2}|[A-Z]{1,15}(?:[-_ ][A-Z]{1,15}){0,2}"
)
_NO_SECRET = re.compile(r"[0-9.:,eE+-]+|(?:~|\.{0,2}/|[A-Za-z]:[\\/]).*|\w+://.*|[0-9A-Za-z.-]+:[0-9]{1,5}", re.DOTALL)
_NOT_PASSWORDS = frozenset({"PWD", "OLDPWD"})


def _is_distinct(value: str, least: int) -> bool:
    """Tell whether `value` can be removed wherever it stands without removing what is only spelled alike."""
    return len(value) >= least and not _PLAIN_WORDS.fullmatch(value) and not _NO_SECRET.fullmatch(value)


def _environment_secrets() -> frozenset[str]:
    """Return the values of variables whose name says secret, and the passwords in URLs of any variable."""
    secrets: set[str] = set()
    for name, value in os.environ.items():
        if is_secret_name(name) and name not in _NOT_PASSWORDS:
            secrets.add(value.strip())
        if "://" in value:
            secrets.update(found[2] for found in _URL_PASSWORD.finditer(value[:MAX_VALUE_CHARS]))
    return frozenset(value for value in secrets if _is_distinct(value, MIN_SECRET_CHARS))


def _base64_forms(raw: bytes) -> Iterator[str]:
    """Yield what of `raw` stays the same in base64 whatever stands before and after it."""
    for shift, skip in ((0, 0), (1, 2), (2, 3)):
        coded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
        stable = coded[skip : -1 if (len(raw) + shift) % 3 else None]
        if len(stable) >= MIN_SECRET_CHARS:
            yield stable
            yield stable.replace("+", "-").replace("/", "_")


def _forms(secret: str) -> Iterator[str]:
    """Yield `secret` as it stands in texts, URLs, JSON, reprs and base64."""
    yield secret
    quoted = urllib.parse.quote(secret, safe="", errors="replace")
    yield quoted
    yield re.sub("%..", lambda found: found[0].lower(), quoted)
    yield urllib.parse.quote(secret, errors="replace")
    yield urllib.parse.quote_plus(secret, errors="replace")
    yield json.dumps(secret)[1:-1]
    yield repr(secret)[1:-1]
    if len(secret) >= 6:
        yield from _base64_forms(secret.encode("utf-8", "replace"))


_BREAK = r"(?:\\?(?:\r?\n|\\r?\\?n)[ \t>|\\]*+)?"


def _unwrapped(text: str) -> str:
    return "".join([line.strip(" \t\r\\>|") for line in text.replace("\\n", "\n").split("\n")])


class _Values:
    """Values that are secret wherever they stand, in all the forms in which they may stand."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        self._forms = tuple(sorted(forms, key=len, reverse=True))
        self._maybe = re.compile(_any_of({form[:5]: "" for form in forms})) if forms else None

    def replace(self, text: str) -> str:
        """Return `text` with a mark for each value."""
        if self._maybe is None:
            return text
        if self._maybe.search(text):
            for form in self._forms:
                if form in text:
                    text = text.replace(form, _MARK)
        if "\n" in text or "\\n" in text:
            return self._replace_broken(text, _unwrapped(text), self._maybe)
        return text

    def _replace_broken(self, text: str, whole: str, maybe: re.Pattern[str]) -> str:
        """Replace what a line break splits; `whole` is `text` without its breaks."""
        if maybe.search(whole):
            for form in self._forms:
                if form in whole:
                    text = re.sub(_BREAK.join(map(re.escape, form)), _MARK, text)
        return text


# ------------------------------------------------------------------------------------------ what users add

_WINDOW_CHARS = 4_096  # a user's pattern sees this much at a time, so that its worst case stays bearable
_WINDOW_OVERLAP_CHARS = 1_024
_MAX_RISK = 10_000  # ways to match that a pattern may have to try at one place
_SAMPLE = [chr(code) for code in range(256)] + ["\u0151", "\u4e00"]


def _read_extra(entries: Sequence[str]) -> tuple[list[str], list[re.Pattern[str]]]:
    """Return the names and the patterns among `entries`; refuse what is neither."""
    names: list[str] = []
    patterns: list[re.Pattern[str]] = []
    for entry in entries:
        if not isinstance(entry, str) or not re.search(r"[^\W_]", entry):
            refuse("EventFilter", "scrub", entry, "the name of a secret, or a pattern between slashes")
        elif entry.startswith("/"):
            patterns.append(_read_pattern(entry))
        else:
            names.append(entry)
    return names, patterns


def _read_pattern(entry: str) -> re.Pattern[str]:
    source, slash, flags = entry[1:].rpartition("/")
    if not slash or flags not in {"", "i"}:
        refuse("EventFilter", "scrub", entry, "a pattern between slashes, as /acme-[0-9]+/ or /acme-[0-9]+/i")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pattern = re.compile(source, re.IGNORECASE if flags else 0)
        except (re.error, RecursionError, OverflowError) as error:
            refuse("EventFilter", "scrub", entry, f"a pattern that compiles ({error})")
        reason = _risk(source, pattern.flags)
    if reason:
        refuse("EventFilter", "scrub", entry, reason)
    return pattern


def _risk(source: str, flags: int) -> str | None:
    """Return what a pattern would have to be instead, or None where it cannot run away.

    The tree of `re._parser` is walked. A repeated group must be of one length and without alternatives: then there
    is one way to split a text among its rounds. What remains are repeats of single characters; those that can
    give a character to what follows them multiply, and no more than `_MAX_RISK` ways are taken.
    """
    try:
        from re import _parser  # type: ignore[attr-defined]

        tree = _parser.parse(source, flags)
        if tree.getwidth()[0] == 0:
            return "a pattern that cannot match nothing"
        return _Tree(tree, flags).verdict()
    except Exception:  # the tree is CPython's own affair: what cannot be judged is not taken
        return "a simpler pattern, which loghub can judge"


class _Tree:
    """The tree of a pattern, judged by how many ways there may be to match at one place."""

    def __init__(self, tree: Any, flags: int) -> None:
        self.tree = tree
        self.flags = flags
        self.nested = False
        self.doubtful = 1  # ways, where a repeat and what follows it compete for characters
        self.ways = 1  # ways of all repeats

    def verdict(self) -> str | None:
        self._walk(list(self.tree), [])
        if self.nested:
            return "a pattern without a repeat, an alternative or a back-reference inside a repeat"
        if self.doubtful > 1 and self.ways > _MAX_RISK:
            return "a pattern with at most one open repeat such as .* before its end; bound the others, as in .{0,40}"
        return None

    def _walk(self, items: list[Any], after: list[Any]) -> None:
        for place, (op, argument) in enumerate(items):
            follows = items[place + 1 :] + after
            name = str(op)
            if name.endswith("_REPEAT"):
                self._repeat(argument, follows)
            elif name == "SUBPATTERN":
                self._walk(list(argument[3]), follows)
            elif name == "ATOMIC_GROUP":
                self._walk(list(argument), follows)
            elif name == "BRANCH":
                for branch in argument[1]:
                    self._walk(list(branch), follows)
            elif name.startswith("ASSERT"):
                self._walk(list(argument[1]), [(op, argument)])
            elif name.startswith("GROUPREF"):
                self.nested = True

    def _repeat(self, argument: Any, follows: list[Any]) -> None:
        least, most, body = argument
        low, high = body.getwidth()
        if most > 1 and (low != high or self._has(body, "BRANCH", "GROUPREF", "ASSERT")):
            self.nested = True
        self._walk(list(body), follows)
        if least == most or not follows:
            return
        span = min(most, _WINDOW_CHARS) - least + 1
        self.ways *= max(1, span)
        mine, theirs = self._first(list(body)), self._first(follows)
        if mine is None or theirs is None or mine & theirs:
            self.doubtful *= max(1, span)

    def _has(self, body: Any, *names: str) -> bool:
        return any(
            any(word in str(op) for word in names)
            or (str(op) == "SUBPATTERN" and self._has(argument[3], *names))
            or (str(op) == "ATOMIC_GROUP" and self._has(argument, *names))
            for op, argument in body
        )

    def _first(self, items: list[Any]) -> set[str] | None:
        """Return which of the sample characters `items` can begin with; None where nothing need follow."""
        found: set[str] = set()
        for op, argument in items:
            name = str(op)
            if name == "AT":
                continue
            if name.endswith("_REPEAT"):
                first = self._first(list(argument[2]))
                optional = argument[0] == 0
            elif name == "SUBPATTERN":
                first, optional = self._first(list(argument[3])), argument[3].getwidth()[0] == 0
            else:
                first, optional = self._single(op, argument), False
            if first is None:
                return None
            found |= first
            if not optional:
                return found
        return None

    def _single(self, op: Any, argument: Any) -> set[str] | None:
        """Return the sample characters that one item of width 1 matches; None for any other item."""
        if str(op) not in {"LITERAL", "NOT_LITERAL", "IN", "ANY"}:
            return None
        from re import _compiler, _parser  # type: ignore[attr-defined]

        one = _compiler.compile(_parser.SubPattern(self.tree.state, [(op, argument)]), self.flags)
        return {char for char in _SAMPLE if one.match(char)}


def _windows(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    step = _WINDOW_CHARS - _WINDOW_OVERLAP_CHARS
    for start in range(0, max(1, len(text) - _WINDOW_OVERLAP_CHARS), step):
        yield from (found.span() for found in pattern.finditer(text, start, start + _WINDOW_CHARS))


def _replace_pattern(pattern: re.Pattern[str], text: str) -> str:
    kept: list[str] = []
    done = 0
    for start, end in sorted(_windows(pattern, text)):
        if start >= done:
            kept += [text[done:start], _MARK]
        done = max(done, end)
    return "".join(kept) + text[done:]


# ------------------------------------------------------------------------------------------------ the whole


class Scrubber:
    """Takes secrets out of texts and events.

    Args:
        extra: More names of secrets, and patterns between slashes (``/acme-[0-9]+/``) for more values.
        secrets: Returns loghub's own credentials as they are now; called for every event, so it must be quick.
        clock: Seconds that only grow, for looking at the environment again.

    Raises:
        OptionValueError: An entry of `extra` does not compile, or could run away on some text.
    """

    def __init__(
        self,
        extra: Sequence[str] = (),
        secrets: Callable[[], Iterable[str]] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        names, self._patterns = _read_extra(extra)
        self._extra_names = [_words(name) for name in names]
        first_words = {words[0]: "" for words in self._extra_names}
        self._extra_hints = re.compile(_any_of(first_words)) if names else None
        self._named = re.compile(_any_of(dict.fromkeys(_STEMS, "") | first_words) + _AFTER_NAME)
        self._own = secrets
        self._clock = clock
        self._look_again_at = -math.inf
        self._environment: frozenset[str] = frozenset()
        self._known: frozenset[str] = frozenset()
        self._values = _Values(())
        self._judged: dict[str, bool] = {}
        # Short texts that were found clean, as prose and as code: the same frames come again and again.
        self._clean: tuple[set[str], set[str]] = (set(), set())

    def text(self, text: str) -> str:
        """Return `text` with each secret replaced by ``[Filtered]``, lone surrogates escaped. Never raises."""
        try:
            return self.scrub(text, self.current_values()[0], [])
        except Exception:  # a text that cannot be scrubbed is not let through
            return PLACEHOLDER

    def event(self, event: Event) -> Event:
        """Return a copy of `event` that is clean, bounded and plain JSON. Never raises or changes `event`."""
        try:
            return _Copy(self).event(event)
        except Exception as error:
            return _last_words(event, error)

    def is_secret(self, name: str) -> bool:
        """Tell whether `name` names a secret, by loghub's own list or the user's."""
        judged = self._judged.get(name)
        if judged is None:
            judged = is_secret_name(name) or self._is_extra(name)
            if len(self._judged) >= MAX_REMEMBERED:
                self._judged.clear()
            self._judged[name] = judged
        return judged

    def _is_extra(self, name: str) -> bool:
        words = _words(name) if self._extra_names else ()
        return any(
            "".join(extra) == "".join(words)
            or any(words[at : at + len(extra)] == extra for at in range(len(words) - len(extra) + 1))
            for extra in self._extra_names
        )

    def current_values(self) -> tuple[_Values, tuple[set[str], set[str]]]:
        """Return the secret values as of now, and the texts that are known to be clean of them."""
        self._look_at_environment()
        known = self._environment | self._own_secrets()
        if known != self._known:
            self._values, self._clean, self._known = _Values(known), (set(), set()), known
        return self._values, self._clean

    def _look_at_environment(self) -> None:
        try:
            now = self._clock()
            if now >= self._look_again_at:
                self._environment = _environment_secrets()
                self._look_again_at = now + ENVIRONMENT_SECONDS
        except Exception:  # it changed while it was read: what was known is good until the next look
            pass

    def _own_secrets(self) -> frozenset[str]:
        try:
            return frozenset(value for value in self._own() if len(value) >= 4) if self._own else frozenset()
        except Exception:  # a credential that cannot be read now is not about to be sent either
            return frozenset()

    def scrub(self, text: str, values: _Values, found: list[str], *, code: bool = False) -> str:
        """Replace the secrets of `text`; values that stand beside names, or in URLs, are added to `found`."""
        if not text.isascii() and _SURROGATE.search(text):
            text = text.translate(_SURROGATES)
        before = text.replace(PLACEHOLDER, _MARK) if PLACEHOLDER in text else text
        after = self._once(before, values, found, code=code)
        if after == before:
            return text
        for _ in range(MAX_PASSES):  # what is gone may uncover what stood against it
            before, after = after, self._once(after, values, found, code=code)
            if after == before:
                break
        return after.replace(_MARK, PLACEHOLDER)

    def _once(self, text: str, values: _Values, found: list[str], *, code: bool) -> str:
        low = _lower(text)
        hints = set(_HINTS.findall(low))
        if self._extra_hints and self._extra_hints.search(low):
            hints.add("key")
        text = values.replace(text)
        if hints:
            text = self._apply(text, {_kind(hint) for hint in hints}, found, code=code)
        for pattern in self._patterns:
            text = _replace_pattern(pattern, text)
        return text

    def _apply(self, text: str, kinds: set[str], found: list[str], *, code: bool) -> str:
        for kind, rule in _RULES:
            if kind in kinds:
                text = rule(text, found)
        if "name" in kinds:
            text = self._replace_named(text, found, code=code)
            text = _BEARER.sub(_basic_or_bearer, text)
            text = _replace_random(text)
        if "option" in kinds:
            text = _OPTION.sub(self._option, text)
        return _CARD.sub(_card, text) if "card" in kinds else text

    def _option(self, found: re.Match[str]) -> str:
        hidden = self.is_secret(found["name"]) and not _MASKED.fullmatch(found["value"])
        return found["before"] + _MARK if hidden else found[0]

    def _replace_named(self, text: str, found: list[str], *, code: bool) -> str:
        low = _lower(text)
        kept: list[str] = []
        done = 0
        for match in self._named.finditer(low):
            start = _name_start(low, match.start())
            filtered = match.start() < done or text.startswith(_MARK, match.end())
            if filtered or not self._names_secret(text, low, start, match.end("rest")):
                continue
            in_code = (code or _is_code(text, start)) and _outside_quotes(
                text, start, name_is_quoted=match["end"][:1] in {"'", '"'}
            )
            span = _Named(text, match, start).value(code=in_code)
            if span:
                kept += [text[done : span[0]], _MARK]
                done = span[1]
                found.append(text[span[0] : span[1]])
        return "".join(kept) + text[done:] if kept else text

    def _names_secret(self, text: str, low: str, start: int, end: int) -> bool:
        if self.is_secret(text[start:end]):
            return True
        return low[start:end] == "key" and bool(_SECRET_KEY_BEFORE.search(low, max(0, start - 12), start))


def _replace_passwords(pattern: re.Pattern[str], text: str, found: list[str]) -> str:
    """Replace the second group of `pattern`, unless it is masked already."""

    def replaced(match: re.Match[str]) -> str:
        if _MASKED.fullmatch(match[2]):
            return match[0]
        found.extend((match[2], urllib.parse.unquote(match[2])))
        return match[1] + _MARK

    return pattern.sub(replaced, text)


def _replace_random(text: str) -> str:
    """Replace drawn values beside words like token: what neither shape nor ``name=`` gives away."""
    low = _lower(text)
    kept: list[str] = []
    done = 0
    for near in _NEAR.finditer(low):
        start, end = near.span("value")
        before = low[max(0, near.start() - 12) : near.start()]
        strict = near["word"] == "key" and not _SECRET_KEY_BEFORE.search(before)
        if start >= done and _looks_random(text[start:end], strict=strict):
            kept += [text[done:start], _MARK]
            done = end
    return "".join(kept) + text[done:] if kept else text


_RULES: tuple[tuple[str, Callable[[str, list[str]], str]], ...] = (
    ("pem", lambda text, _: _PEM.sub(_MARK, text)),
    ("url", lambda text, found: _replace_passwords(_URL_PASSWORD, text, found)),
    ("dsn", lambda text, found: _replace_passwords(_DSN_PASSWORD, text, found)),
    ("query", lambda text, found: _replace_passwords(_QUERY, text, found)),
    ("hook", lambda text, found: _replace_passwords(_HOOKS, text, found)),
    ("shape", lambda text, _: _SHAPES.sub(_MARK, text)),
)


# --------------------------------------------------------------------------------------------------- events

_KEPT = ("timestamp", "id", "fingerprint")
_CHARS = {
    "error_message": MAX_MESSAGE_CHARS,
    "message": MAX_MESSAGE_CHARS,
    "template": MAX_MESSAGE_CHARS,
    "traceback": MAX_TRACEBACK_CHARS,
}
# In this order the room is given out: what comes last is cut first.
_FIRST = (
    *("error_type", "error_message", "message", "module", "function"),
    *("frames", "traceback", "causes", "exceptions"),
)
_LAST = ("system", "breadcrumbs")
_ORDER = (*_KEPT, *_FIRST, *(key for key in KEYS if key not in _KEPT + _FIRST + _LAST), *_LAST)
_KNOWN = frozenset(_ORDER)
_FRAME_KEYS = frozenset(Frame.__annotations__)
_SHORT_CHARS = 200  # what may be remembered as clean
_FRAME_CHARS = 600  # the same of a frame in a traceback
_SEQUENCES = (list, tuple)
_LISTED = (list, tuple, set, frozenset, deque)
_FRAME_HEADS = re.compile(r'^(?=  File ")', re.MULTILINE)
_CUT = "..."


def cut(text: str, limit: int, head_share: float = 0.5) -> str:
    """Return at most `limit` characters of `text`: its head and its tail, and between them how much was cut."""
    if len(text) <= limit:
        return text
    note = f"{_CUT} ({len(text) - limit} characters cut) {_CUT}"
    room = max(0, limit - len(note) - 8)  # the number grows by what the note takes
    note = f"{_CUT} ({len(text) - room} characters cut) {_CUT}"
    head = int(room * head_share)
    return (text[:head] + note + text[len(text) - (room - head) :])[:limit]


def _class_name(value: object) -> str:
    try:
        return str(type.__getattribute__(type(value), "__name__"))
    except Exception:
        return "object"


def _as_text(value: object) -> str:
    """Return a text as an exact str, and anything else as its repr."""
    return str.__str__(value) if issubclass(type(value), str) else _printed(value)


def _printed(value: object) -> str:
    """Return ``repr(value)`` as an exact str, whatever `value` does about it."""
    try:
        if isinstance(value, bytes | bytearray):
            return repr(value[: MAX_VALUE_CHARS + CUT_MARGIN_CHARS])
        return str.__str__(repr(value))
    except Exception:
        return f"<unprintable {_class_name(value)}>"


def _last_words(event: Event, error: Exception) -> Event:
    """Return what stands for an event that could not be copied at all."""
    said: dict[str, Any] = {"error_message": f"<unprintable event: {type(error).__name__}>"}
    if type(event) is dict:
        for key in _KEPT:
            value = event.get(key)
            if type(value) is str and len(value) <= MAX_KEY_CHARS and value.isprintable():
                said[key] = value
    return cast("Event", said)


class _Copy:
    """One event on its way out: plain, bounded and clean.

    Attributes:
        found: What stood beside the name of a secret so far.
        nodes, chars: How much room is left.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self.scrubber = scrubber
        self.values, self.known = scrubber.current_values()
        self.found: list[str] = []
        self.path: set[int] = set()
        self.nodes = MAX_EVENT_NODES
        self.chars = MAX_EVENT_CHARS

    def event(self, event: Event) -> Event:
        plain = cast("dict[Any, Any]", event)
        copied = {key: self.field(key, plain[key]) for key in _ORDER if key in plain}
        for key in islice((key for key in plain if key not in _KNOWN), MAX_ENTRIES):
            name = self.key(key)
            copied[name] = PLACEHOLDER if self.scrubber.is_secret(name) else self.value(plain[key], 0)
        result = {key: copied.pop(key) for key in plain if key in copied} | copied
        if self.found:
            result = self.forget(result)
        spent = 12 * (MAX_EVENT_CHARS - self.chars) + 64 * (MAX_EVENT_NODES - self.nodes)
        return cast("Event", fit(result) if spent > MAX_EVENT_BYTES // 2 else result)

    def field(self, key: str, value: Any) -> Any:
        if key in _KEPT and type(value) is str and len(value) <= MAX_KEY_CHARS:
            return value if value.isprintable() else value.translate(_ESCAPES)
        if key == "traceback":
            return self.traceback(_as_text(value), _CHARS[key])
        if key in _CHARS:
            return self.text(_as_text(value), _CHARS[key])
        if key == "frames":
            return self.frames(value)
        if type(value) is list and not value:
            return []
        return self.parts(value, 0) if key in {"causes", "exceptions"} else self.value(value, 0)

    # texts

    def text(self, text: str, limit: int = MAX_VALUE_CHARS, head_share: float = 0.5, *, code: bool = False) -> str:
        if text in self.known[code]:
            self.chars -= len(text)
            return text
        if self.chars <= 0 and len(text) > _SHORT_CHARS:
            return f"{_CUT} ({len(text)} characters cut) {_CUT}"
        clean = self.long(text, limit, head_share) if len(text) > limit else self.clean(text, code=code)
        if len(clean) > limit:
            clean = cut(clean, limit, head_share)
        self.chars -= len(clean)
        return clean

    def traceback(self, text: str, limit: int) -> str:
        """Clean a traceback frame by frame: most of them stood in other tracebacks before."""
        if len(text) > limit or self.chars <= 0:
            return self.text(text, limit, 0.25)
        known = self.known[False]
        frames = _FRAME_HEADS.split(text)
        clean = "".join([one if one in known else self.clean(one, remember=_FRAME_CHARS) for one in frames])
        self.chars -= len(clean)
        return cut(clean, limit, 0.25)

    def clean(self, text: str, *, code: bool = False, remember: int = _SHORT_CHARS) -> str:
        clean = self.scrubber.scrub(text, self.values, self.found, code=code)
        if not clean.isprintable() and _CONTROL.search(clean):
            clean = clean.translate(_ESCAPES)
        if clean == text and len(text) <= remember:
            self.remember(text, code=code)
        return clean

    def remember(self, text: str, *, code: bool) -> None:
        if len(self.known[code]) >= MAX_REMEMBERED:
            self.known[code].clear()
        self.known[code].add(text)

    def long(self, text: str, limit: int, head_share: float) -> str:
        """Cut first, because cleaning takes time, but with a margin: half a secret has no shape."""
        if len(text) <= limit + 2 * CUT_MARGIN_CHARS:
            return cut(self.clean(text), limit, head_share)
        room = limit - 64
        head, tail = int(room * head_share), room - int(room * head_share)
        start = self.clean(text[: head + CUT_MARGIN_CHARS])[:-CUT_MARGIN_CHARS][:head]
        end = self.clean(text[-(tail + CUT_MARGIN_CHARS) :])[CUT_MARGIN_CHARS:][-tail:]
        return f"{start}{_CUT} ({len(text) - len(start) - len(end)} characters cut) {_CUT}{end}"

    # any value

    def value(self, value: Any, depth: int) -> Any:
        """Return `value` as JSON can hold it."""
        self.nodes -= 1
        kind = type(value)
        if kind is str:
            return self.text(value)
        if value is None or kind is bool:
            return value
        if kind is Shared:
            return self.shared(value, lambda one: self.inside(one, depth, self.mapping))
        try:
            return self.other(value, kind, depth)
        except Exception:
            return f"<unprintable {_class_name(value)}>"

    def other(self, value: Any, kind: type, depth: int) -> Any:
        if issubclass(kind, int):
            return self.whole(int.__add__(value, 0))
        if issubclass(kind, float):
            number = float.__add__(value, 0.0)
            return number if math.isfinite(number) else repr(number)
        if issubclass(kind, str):
            return self.text(str.__str__(value))
        if issubclass(kind, Mapping):
            return self.inside(value, depth, self.mapping)
        if issubclass(kind, _LISTED):
            return self.inside(value, depth, self.entries)
        return self.text(_printed(value))

    def whole(self, number: int) -> Any:
        if number.bit_length() > MAX_INT_BITS:
            return f"<int of {number.bit_length()} bits>"
        if not 10**12 <= number < 10**19:  # no card has fewer digits, or more
            return number
        text = str(number)
        return number if text in self.known[False] or self.clean(text) != PLACEHOLDER else PLACEHOLDER

    def inside(self, value: Any, depth: int, copy: Callable[[Any, int], Any]) -> Any:
        """Copy a container, unless it is inside itself, too deep, or there is no more room."""
        if id(value) in self.path:
            return f"<circular {_class_name(value)}>"
        if depth >= MAX_DEPTH or self.nodes <= 0 or self.chars <= 0:
            return f"{_CUT} ({len(value)} more)" if len(value) else copy(value, depth)
        self.path.add(id(value))
        try:
            return copy(value, depth + 1)
        finally:
            self.path.discard(id(value))

    def key(self, key: Any) -> str:
        return self.text(_as_text(key), MAX_KEY_CHARS)

    def mapping(self, mapping: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        copied: dict[str, Any] = {}
        pair_is_secret = self.names_a_secret(mapping)
        for key in islice(iter(mapping), MAX_ENTRIES):
            value = mapping[key]
            name = self.key(key)
            while name in copied:
                name += "'"
            secret = self.scrubber.is_secret(name) or (pair_is_secret and name.lower() == "value")
            copied[name] = self.hidden(value) if secret else self.value(value, depth)
        if len(mapping) > len(copied):
            copied[_CUT] = f"({len(mapping) - len(copied)} more)"
        return copied

    def names_a_secret(self, mapping: Mapping[Any, Any]) -> bool:
        """Tell whether `mapping` is one of the pairs ``{"name": "DB_PASSWORD", "value": ...}``."""
        if len(mapping) > 8 or "value" not in mapping:
            return False
        names = (mapping.get("name"), mapping.get("key"))
        return any(type(name) is str and self.scrubber.is_secret(name) for name in names)

    def hidden(self, value: Any) -> Any:
        """Return what is shown of a value under a secret name: whether there is one at all."""
        if value is None or type(value) is bool or (type(value) is str and not value):
            return value
        if type(value) is str and len(value) <= MAX_VALUE_CHARS:
            self.found.append(value)
        return PLACEHOLDER

    def entries(self, entries: Any, depth: int) -> list[Any]:
        """Copy a list, tuple or set; ``("Authorization", "Bearer ...")`` is a key and its value."""
        if type(entries) is tuple and len(entries) == 2 and self.is_key(entries[0]):
            return [self.value(entries[0], depth), self.hidden(entries[1])]
        copied = [self.value(entry, depth) for entry in islice(iter(entries), MAX_ENTRIES)]
        if len(entries) > len(copied):
            copied.append(f"{_CUT} ({len(entries) - len(copied)} more)")
        return copied

    def is_key(self, value: Any) -> bool:
        if type(value) is bytes:
            value = value[:MAX_KEY_CHARS].decode("ascii", "replace")
        return type(value) is str and len(value) <= MAX_KEY_CHARS and self.scrubber.is_secret(value)

    # frames and parts

    def frames(self, frames: Any) -> Any:
        if not issubclass(type(frames), _SEQUENCES):
            return self.value(frames, 0)
        inner = len(frames) - MAX_FRAMES_INNER
        if inner <= MAX_FRAMES_OUTER:
            return [self.frame(frame) for frame in frames]
        outer = [self.frame(frame) for frame in frames[:MAX_FRAMES_OUTER]]
        return [*outer, _gap(inner - MAX_FRAMES_OUTER), *(self.frame(frame) for frame in frames[inner:])]

    def frame(self, frame: Any) -> Any:
        if type(frame) is Shared:
            return self.shared(frame, self.own_frame)
        return self.own_frame(frame) if type(frame) is dict else self.value(frame, 1)

    def own_frame(self, frame: dict[Any, Any]) -> dict[str, Any]:
        self.nodes -= len(frame)
        copied: dict[str, Any] = {}
        for key, value in islice(frame.items(), MAX_ENTRIES):
            name = key if key in _FRAME_KEYS else self.key(key)
            copied[name] = self.text(value, code=key == "code") if type(value) is str else self.value(value, 1)
        return copied

    def shared(self, value: Shared, copy: Callable[[Any], Any]) -> Any:
        """Let `value` stand in this event, too, if it is clean: it stays so until other secrets are known."""
        if value.clean_for is self.known:
            self.nodes -= len(value)
            self.chars -= value.chars
            return value
        before = self.chars
        copied = copy(value)
        if copied != value:
            return copied
        value.chars, value.clean_for = before - self.chars, self.known
        return value

    def parts(self, parts: Any, depth: int) -> Any:
        if not issubclass(type(parts), _SEQUENCES):
            return self.value(parts, depth)
        return self.inside(parts, depth, self.each_part)

    def each_part(self, parts: Any, depth: int) -> list[Any]:
        copied = [self.part(part, depth) for part in parts[:MAX_ENTRIES]]
        if len(parts) > len(copied):
            copied.append({"error_type": _CUT, "error_message": f"{_CUT} ({len(parts) - len(copied)} more)"})
        return copied

    def part(self, part: Any, depth: int) -> Any:
        if type(part) is not dict:
            return self.value(part, depth)
        if id(part) in self.path or self.nodes <= 0:
            return {"error_type": _CUT, "error_message": f"{_CUT} (1 more)"}
        self.path.add(id(part))
        try:
            items = islice(part.items(), MAX_ENTRIES)
            return {self.key(key): self.part_field(key, value, depth) for key, value in items}
        finally:
            self.path.discard(id(part))

    def part_field(self, key: str, value: Any, depth: int) -> Any:
        if key == "frames":
            return self.frames(value)
        if key in {"causes", "exceptions"}:
            return self.parts(value, depth)
        if key == "error_message":
            return self.text(_as_text(value), MAX_MESSAGE_CHARS)
        return self.value(value, depth)

    # what was found in one place is removed in all

    def forget(self, event: dict[str, Any]) -> dict[str, Any]:
        found = {value.strip() for value in self.found} - {PLACEHOLDER, _MARK, ""}
        forms = [form for value in sorted(found, key=len, reverse=True)[:50] for form in _plain_forms(value)]
        kept = {key: event[key] for key in _KEPT if key in event}
        args = event.get("args")
        event = cast("dict[str, Any]", _each_text(event, lambda text: _without(text, forms))) | kept
        if isinstance(args, list):
            pairs = zip(args, event["args"], strict=True)
            event["args"] = [PLACEHOLDER if str(arg) in found else new for arg, new in pairs]
        return event


def _plain_forms(value: str) -> set[str]:
    distinct = _is_distinct(value, 6)
    return {value, json.dumps(value)[1:-1], urllib.parse.quote(value, safe="", errors="replace")} if distinct else set()


def _without(text: str, forms: list[str]) -> str:
    """Return `text` without any of `forms`, its placeholders left whole."""
    if not any(form in text for form in forms):
        return text
    text = text.replace(PLACEHOLDER, _MARK)
    for form in forms:
        text = text.replace(form, _MARK)
    return text.replace(_MARK, PLACEHOLDER)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Return plain data with every text in it, keys left out, changed."""
    if type(value) is str:
        return change(value)
    if isinstance(value, dict):  # a shared one, too, which is not changed itself
        return {key: _each_text(entry, change) for key, entry in value.items()}
    if type(value) is list:
        return [_each_text(entry, change) for entry in value]
    return value


# ---------------------------------------------------------------------------------------- the whole's size


def _gap(count: int) -> dict[str, Any]:
    """Return the frame that stands for `count` frames left out."""
    note = f"{_CUT} ({count} frames cut) {_CUT}"
    return {"file": "", "module": "", "function": note, "line": 0, "code": "", "in_app": False}


def _every_frames(part: Any) -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Yield what has frames, and the frames: the event, its causes, the members of its group."""
    if not isinstance(part, dict):
        return
    if isinstance(part.get("frames"), list):
        yield part, part["frames"]
    for key in ("causes", "exceptions"):
        entries = part.get(key)
        for inner in entries if isinstance(entries, list) else ():
            yield from _every_frames(inner)


def _cut_breadcrumbs(event: dict[str, Any]) -> None:
    crumbs = event.get("breadcrumbs")
    if crumbs:
        count = len(crumbs) if isinstance(crumbs, list | dict) else 1
        event["breadcrumbs"] = [{"message": f"{_CUT} ({count} more)"}]


def _cut_locals(event: dict[str, Any]) -> None:
    for _, frames in _every_frames(event):
        for frame in frames:
            if isinstance(frame, dict) and frame.get("locals"):
                frame["locals"] = {_CUT: f"({len(frame['locals'])} more)"}


def _cut_context(event: dict[str, Any]) -> None:
    for key in list(event):
        if key not in {*_KEPT, *_FIRST, *_CHARS, "breadcrumbs"} and len(dumps(event[key])) > 2_048:
            event[key] = _small(event[key])


def _small(value: Any) -> Any:
    """Return the little that is kept of a context that is too large."""
    if isinstance(value, dict):
        kept = {key: _small(value[key]) if isinstance(value[key], str) else _CUT for key in islice(value, 10)}
        return {**kept, _CUT: f"({len(value) - len(kept)} more)"} if len(value) > len(kept) else kept
    if isinstance(value, list):
        return [f"{_CUT} ({len(value)} more)"]
    return cut(value, 100) if isinstance(value, str) else value


def _cut_outer_frames(event: dict[str, Any]) -> None:
    for part, frames in _every_frames(event):
        if len(frames) > 30:
            part["frames"] = [_gap(len(frames) - 30), *frames[-30:]]


def _cut_parts(event: dict[str, Any]) -> None:
    for key in ("causes", "exceptions"):
        if event.get(key):
            count = len(event[key]) if isinstance(event[key], list) else 1
            event[key] = [{"error_type": _CUT, "error_message": f"{_CUT} ({count} more)"}]


def _cut_texts(event: dict[str, Any]) -> None:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = cut(value, _CHARS.get(key, MAX_VALUE_CHARS) // 8, 0.25)


def _cut_rest(event: dict[str, Any]) -> None:
    """Leave the texts alone: whatever it was, it was made to be too large."""
    for key in [key for key, value in event.items() if not isinstance(value, str)]:
        event[key] = _small(event[key]) if key == "additional_info" else None
    for key in list(event)[len(KEYS) + MAX_ENTRIES :]:
        del event[key]


def fit(event: dict[str, Any]) -> dict[str, Any]:
    """Cut the plain `event` in place until its JSON has at most `MAX_EVENT_BYTES`, the least missed first."""
    steps = (
        _cut_breadcrumbs,
        _cut_locals,
        _cut_context,
        _cut_outer_frames,
        _cut_parts,
        _cut_texts,
        _cut_rest,
    )
    for step in steps:
        if len(dumps(event)) <= MAX_EVENT_BYTES:
            break
        step(event)
    return event
