"""Values that can be nothing else: tokens, keys in PEM, card numbers.

The shapes of tokens are as their issuers document them; `tests/secrets/kinds.py` names the documents. JWT is
RFC 7519, PEM RFC 7468, card numbers ISO/IEC 7812.
"""

from __future__ import annotations

import re
from functools import cache

from loghub.scrub.texts import MARK, any_of

_WORD = "A-Za-z0-9_-"
_HEX = "[0-9a-f]"
_START = rf"(?:(?<![{_WORD}])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{{2}}))"


def _alone(start: str, rest: str) -> str:
    """Return a pattern for `rest`, where `start` before it begins a word, or follows an escape in a repr or a URL."""
    start = re.escape(start)  # the look-behind stands after it, or the search would try every place
    return rf"(?:(?<![{_WORD}]{start})|(?<=\\[nrt]{start})|(?<=%[0-9A-Fa-f]{{2}}{start})){rest}"


def _each(starts: str, rest: str, *, alone: bool = False) -> dict[str, str]:
    return {start: _alone(start, rest) if alone else rest for start in starts.split()}


# How a token begins, and what must follow. A beginning that words share must begin a word here, too.
_TOKENS: dict[str, str] = {
    **_each("ghp_ gho_ ghu_ ghs_ ghr_", rf"[A-Za-z0-9_]{{16,}}+(?>(?:[.-][{_WORD}]{{10,}}+)*)"),
    **_each("github_pat_", "[A-Za-z0-9_]{16,}+"),
    **_each(
        "glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glsoat- glimt- glagent- gloas- glffct-",
        rf"[{_WORD}]{{16,}}+(?:\.[A-Za-z0-9_.]{{2,}})?",
    ),
    "xox": r"[a-z](?:\.[a-z]{1,8})?-[A-Za-z0-9-]{10,}+",
    "xapp-": "[0-9]-[A-Za-z0-9-]{10,}+",
    **_each("sk_live_ sk_test_ rk_live_ rk_test_ pk_live_ pk_test_", "[A-Za-z0-9]{8,}+"),
    "whsec_": "[A-Za-z0-9+/=_-]{16,}+",
    **_each("sk-proj- sk-ant- sk-svcacct- sk-admin- sk-or-", rf"[{_WORD}]{{16,}}+", alone=True),
    **_each("sk-", "(?=[A-Za-z]*[0-9])[A-Za-z0-9]{20,}+", alone=True),
    **_each("SK", rf"{_HEX}{{32}}(?![0-9A-Za-z])", alone=True),
    **_each("AKIA ASIA ABIA", "(?:(?<![A-Z0-9]....)|(?<=%[0-9A-F]{2}....))[A-Z0-9]{16}(?![A-Z0-9])"),
    "AIza": rf"[{_WORD}]{{30,}}+",
    "ya29.": rf"[{_WORD}]{{20,}}+",
    "GOCSPX-": rf"[{_WORD}]{{20,}}+",
    **_each("1//0", rf"[{_WORD}]{{30,}}+", alone=True),
    "npm_": "[A-Za-z0-9]{30,}+",
    "pypi-": rf"(?:AgE[{_WORD}]{{16,}}+|[{_WORD}]{{50,}}+)",
    **_each("SG.", rf"[{_WORD}]{{16,}}+\.[{_WORD}]{{16,}}+", alone=True),
    **_each("eyJ", rf"[{_WORD}]{{8,}}+\.[{_WORD}]{{8,}}+(?:\.[{_WORD}]*+){{0,3}}", alone=True),
    **_each("dckr_pat_ dckr_oat_", rf"[{_WORD}]{{20,}}+"),
    **_each("hf_ api_org_", "[A-Za-z]{30,}+", alone=True),
    **_each("dop_v1_ doo_v1_ dor_v1_", f"{_HEX}{{32,}}+"),
    **_each("shpat_ shpss_ shpca_ shppa_", "[0-9a-fA-F]{32,}+"),
    **_each("sq0atp- sq0csp- sq0idp-", rf"[{_WORD}]{{20,}}+"),
    **_each("EAAA EAAB EAAC EAAE", rf"[{_WORD}]{{54,}}+", alone=True),
    **_each("lin_api_ lin_oauth_ ntn_ gsk_ nfp_ sgp_ fio-u- tskey- bkua_ rnd_ phx_", "[A-Za-z0-9-]{24,}+", alone=True),
    **_each("secret_", "[A-Za-z0-9]{43}(?![A-Za-z0-9])", alone=True),
    **_each("r8_", "[A-Za-z0-9]{36,}+", alone=True),
    **_each("xai- pplx-", "[A-Za-z0-9]{40,}+", alone=True),
    **_each("dapi", f"{_HEX}{{32}}(?:-[0-9])?(?![0-9A-Za-z])", alone=True),
    **_each("key-", f"{_HEX}{{32}}(?![0-9A-Za-z])", alone=True),
    **_each("hvs. hvb. hvr.", rf"[{_WORD}]{{20,}}+", alone=True),
    "glsa_": "[A-Za-z0-9]{20,}+(?:_[A-Za-z0-9]{4,}+)?",
    **_each("glc_", "[A-Za-z0-9+/]{32,}+={0,2}", alone=True),
    **_each("NRAK- NRJS- NRII- NRAA-", rf"[{_WORD}]{{19,}}+"),
    **_each("sntrys_ sntryu_", "[A-Za-z0-9+/=_-]{32,}+"),
    **_each("ATATT3 ATCTT3 ATBB ATTA", "[A-Za-z0-9_=-]{28,}+", alone=True),
    "PMAK-": rf"[{_WORD}]{{24,}}+",
    **_each("figd_ figo_", rf"[{_WORD}]{{30,}}+"),
    **_each("dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", r"[A-Za-z0-9._-]{32,}+", alone=True),
    **_each("pat", rf"[A-Za-z0-9]{{14}}\.{_HEX}{{64}}", alone=True),
    "CCIPAT_": "[A-Za-z0-9_]{32,}+",
    **_each("sbp_ rubygems_ pul-", f"{_HEX}{{40,}}+", alone=True),
    **_each("pscale_tkn_ pscale_pw_ pscale_oauth_", rf"[.{_WORD}]{{30,}}+"),
    "HRKU-": rf"[{_WORD}]{{30,}}+",
    "AGE-SECRET-KEY-1": "[A-Z0-9]{50,}+",
}


@cache
def shapes() -> re.Pattern[str]:
    """Return the pattern of `_TOKENS`, compiled when a text first holds what may be one: it takes its time."""
    return re.compile(any_of(_TOKENS))


@cache
def odd_shapes() -> re.Pattern[str]:
    """Return the pattern of tokens that begin with anything, which takes a multiple of the time."""
    return re.compile(
        "|".join(
            (
                rf"[MNO][{_WORD}]{{22,27}}\.[{_WORD}]{{6}}\.[{_WORD}]{{27,}}+",  # Discord
                rf"(?<![0-9])[0-9]{{8,10}}:AA[{_WORD}]{{30,}}+",  # Telegram
                r"(?:(?<![A-Za-z0-9_~])|(?<=\\[nrt]))[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,}+",  # Microsoft Entra
                rf"{_START}{_HEX}{{32}}-{_HEX}{{8}}-{_HEX}{{8}}(?![{_WORD}])",  # Mailgun
                rf"{_START}{_HEX}{{36}}NRAL(?![A-Za-z0-9])",  # New Relic
                rf"[A-Za-z0-9]{{14}}\.atlasv1\.[{_WORD}]{{50,}}+",  # Terraform
            )
        )
    )


# What a text with such a token holds, in small letters, and what must follow.
SHAPE_HINTS: dict[str, str] = {
    **{start.lower(): "(?=[a-z0-9+/=_.-]{10})" for start in _TOKENS},
    **dict.fromkeys(("sk", "key-"), f"(?={_HEX}{{32}})"),
    "sk-": "(?=[a-z0-9]{20})",
    "secret_": "(?=[a-z0-9]{43})",
    "1//0": "(?=[a-z0-9_-]{30})",
    "pat": r"(?=[a-z0-9]{14}\.[0-9a-f]{64})",
    ":aa": "(?=[a-z0-9_-]{30})",
    "q~": "(?=[a-z0-9_~.-]{31})",
    "-": f"(?={_HEX}{{8}}-{_HEX}{{8}}(?![a-z0-9_-]))",
    "nral": "(?![a-z0-9])",
    ".": r"(?=[a-z0-9_-]{6}\.[a-z0-9_-]{27}|atlasv1\.)",
}

_PEM_END = r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
PEM = re.compile(
    r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
    rf"(?:(?>(?:[^-]++|-(?!----|--- END))*){_PEM_END}"
    r"|(?>(?:[\s\\\"',>|+]*+[A-Za-z0-9+/=]{8,}+)*))"  # or its end was lost
)
CARD = re.compile(
    r"[2-6](?:(?<![\w+-].)(?<![0-9]\..)|(?<=\\[nrt].))(?:[0-9]{12,18}+"
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
