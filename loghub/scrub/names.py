"""Which names mean a secret: as keys of dicts, in texts and in the environment."""

from __future__ import annotations

import re
from itertools import pairwise

from loghub.scrub.texts import listed

_NAME_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")

# A word of a name that contains one of these is secret, however it is glued together.
_SECRET_PARTS = re.compile(
    r"passwor[dt]|passwd|passphrase|passcode|passkey|pswd|bindpw|apikey|accesskey|privatekey|secretkey|accountkey|sessionid|sessid"
    r"|sessionkey|credential|csrf|xsrf|(?:token|secret|pwd)$|^cardnumber$|^creditcard$|^ccnumber$|^ccnum$"
)
_SECRET_WORDS = listed("secret authorization cookie setcookie ssn cvv cvc")
# Secret where they end a name: `proxy_auth`, but not `auth_backend`.
_SECRET_ENDS = listed("auth session jwt bearer otp totp pass dbpass userpass psk")
_KEYS_OF = listed(
    """access account aes api app auth consumer decryption deploy encryption fernet hmac jwt license master private rsa
    secret server session shared signing ssh storage subscription webhook"""
)
_SECRET_PAIRS = frozenset((word, "key") for word in _KEYS_OF) | {
    *(("card", "number"), ("card", "no"), ("card", "num"), ("card", "pin"), ("credit", "card"), ("cc", "number")),
    *(("cc", "num"), ("session", "id"), ("session", "cookie"), ("auth", "header"), ("auth", "code"), ("user", "pin")),
    *(("pass", end) for end in ("word", "words", "wd", "phrase", "code", "key", "wort", "1", "2")),
    *((start, "code") for start in ("otp", "totp", "access")),
}
_GRANTING = listed("access api auth refresh session")  # what makes `tokens` more than a number of words
# A name that ends like this is about the secret, not the secret: `token_count`, `password_field`.
_ABOUT = listed(
    """age alg algorithm at attempts audience backend budget class count counter counts dir disabled domain enabled
    endpoint error errors exception expiration expired expires expiry factory field fields file filename format
    generator handler hasher hashers host ids in index invalid issuer kind left len length lifetime limit max method
    methods middleware min mode model name names parser path policy port prefix provider reset required samesite
    scope scopes size status store strength suffix timeout total ttl type types uri url usage used user username
    valid validator validators version"""
)
_SINGULAR = {f"{word}s": word for word in ("secret", "password", "cookie", "key", "credential", "passphrase")}
# Every name that is secret contains one of these, in small letters.
STEMS = (
    *("passw", "passph", "passc", "pass", "pwd", "secret", "token", "key", "credential", "auth", "cookie", "sess"),
    *("pswd", "psk", "bindpw", "access_code", "access-code", "accesscode"),
    *("csrf", "xsrf", "ssn", "cvv", "cvc", "card", "cc_n", "cc-n", "ccn", "pin", "jwt", "bearer", "otp"),
)


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in small letters: of ``dbPassword`` and ``DB-PASSWORDS`` the same."""
    return tuple(_SINGULAR.get(word, word) for word in (part.lower() for part in _NAME_WORDS.findall(name)))


def is_secret_name(name: str) -> bool:
    """Tell whether `name`, in any case and with any separators, names a secret and not something about one."""
    words = words_of(name)
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
