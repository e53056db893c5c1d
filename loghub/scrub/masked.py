"""What stands where a secret would, and is none: masked already, or a place where a value will be put."""

from __future__ import annotations

import re

from loghub.scrub.texts import MARK, listed

# Words that stand where a value would, and say something about it.
PROSE = listed(
    """a an and are at be but by can cannot could denied did do does empty expected expired failed field for forbidden
    found has hash have incorrect invalid is it its mismatch missing must no not of on or please rejected
    required reset raise return rule rules should that the this to too unauthorized unexpected unknown was were
    when will with wrong you your"""
)
_WORD = re.compile(r"[^\s\"'.,;:!?()\[\]]+")

_PLAIN_WORDS = re.compile(
    r"[A-Za-z]?[a-z]{0,15}(?:[-_. ][A-Za-z]?[a-z]{0,15}){0,2}|[A-Z]{1,15}(?:[-_ ][A-Z]{1,15}){0,2}"
)
_NO_SECRET = re.compile(r"[0-9.:,eE+-]+|(?:~|\.{0,2}/|[A-Za-z]:[\\/]).*|\w+://.*|[0-9A-Za-z.-]+:[0-9]{1,5}", re.DOTALL)
# A name in braces; `{Kovari74x}` is none: ODBC puts its passwords between braces.
_FIELD = r"(?![a-z_]{0,20}[A-Z][A-Za-z_]{0,40}[0-9]{1,9}[a-z])[A-Za-z_]\w{0,80}+"
MASKED = re.compile(
    r"[*•.#_-]+|[xX]{3,}|<[A-Za-z _-]{0,40}>"
    rf"|\{{(?:[0-9]{{0,4}}|{_FIELD}(?>(?:\.{_FIELD}|\[[^\]\s]{{0,40}}\]){{0,8}}))(?:![rsa])?(?::[^{{}}\s]{{0,20}})?\}}"
    rf"|\$\{{?\w{{1,64}}\}}?|%(?:\(\w{{1,64}}\))?[sdr]|\?|:\w{{1,64}}|{MARK}+"
)


def is_prose(text: str) -> bool:
    """Tell whether `text` is a sentence, as those about a field that was filled in wrong."""
    words = _WORD.findall(text.lower())
    return len(words) >= 3 and sum(word in PROSE for word in words) >= 2


def is_distinct(value: str, least: int) -> bool:
    """Tell whether `value` can be removed wherever it stands without removing what is only spelled alike."""
    return len(value) >= least and not _PLAIN_WORDS.fullmatch(value) and not _NO_SECRET.fullmatch(value)


def stands_for(value: str, name: str) -> bool:
    """Tell whether `value` is what a usage text says for the value of an option `name`: ``--api-token TOKEN``."""
    value = value.rstrip("])>,")
    return value.isupper() and value.lower().replace("_", "-") in name.lower().replace("_", "-")
