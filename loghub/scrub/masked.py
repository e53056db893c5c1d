"""What stands where a secret would, and is none: masked already, or a place where a value will be put."""

from __future__ import annotations

import re

from loghub.scrub.texts import MARK

# A name in braces; `{Kovari74x}` is none: ODBC puts its passwords between braces.
_FIELD = r"(?![a-z_]{0,20}[A-Z][A-Za-z_]{0,40}[0-9]{1,9}[a-z])[A-Za-z_]\w{0,80}+"
MASKED = re.compile(
    r"[*•.#_-]+|[xX]{3,}|<[A-Za-z _-]{0,40}>"
    rf"|\{{(?:[0-9]{{0,4}}|{_FIELD}(?:\.{_FIELD}|\[[^\]\s]{{0,40}}\]){{0,8}}+)(?:![rsa])?(?::[^{{}}\s]{{0,20}})?\}}"
    rf"|\$\{{?\w{{1,64}}\}}?|%(?:\(\w{{1,64}}\))?[sdr]|\?|:\w{{1,64}}|{MARK}+"
)


def stands_for(value: str, name: str) -> bool:
    """Tell whether `value` is what a usage text says for the value of an option `name`: ``--api-token TOKEN``."""
    value = value.rstrip("])>,")
    return value.isupper() and value.lower().replace("_", "-") in name.lower().replace("_", "-")
