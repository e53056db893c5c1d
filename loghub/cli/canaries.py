"""Canaries: made-up secrets of every kind, planted wherever an error can carry one, and looked for afterwards.

Each is new at every run and stands in one place only, so that whoever finds one knows where it came from.
"""

from __future__ import annotations

import base64
import functools
import html
import json
import logging
import quopri
import re
import secrets
import string
import urllib.parse
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

VARIABLE = "LOGHUB_SELFTEST_PASSWORD"
"""The environment variable that holds the environment's canary: one value, wherever it stands."""

PLACES = (
    *("message", "arguments", "extra", "exception", "cause", "note", "local variable", "code line"),
    "URL",
)
_WHOLE_CHARS = 24  # of what is longer, each half is a find
_LETTERS = string.ascii_letters + string.digits


class Kind(NamedTuple):
    """A kind of secret.

    Attributes:
        label: What people call it.
        name: Under which it stands, as a key, a variable and in a URL's query.
        before: What stands before it in a text.
        make: Returns a new one, and what of it must not be seen.
        entry: The entry of a filter's `scrub` that it is about; empty: everybody hides it.
    """

    label: str
    name: str
    before: str
    make: Callable[[], tuple[str, tuple[str, ...]]]
    entry: str = ""


class Canary(NamedTuple):
    """One planted secret: of which kind, where, what stands there, and what of it must not be seen."""

    kind: Kind
    place: str
    value: str
    secrets: tuple[str, ...]

    @property
    def text(self) -> str:
        """How it stands in a text."""
        return f"{self.kind.before}{self.value}"


def drawn(count: int, letters: str = _LETTERS) -> str:
    """Return so many random characters, a small letter, a capital and a digit among them where there may be."""
    while True:
        text = "".join(secrets.choice(letters) for _ in range(count))
        if letters != _LETTERS or (re.search("[a-z]", text) and re.search("[A-Z]", text) and re.search("[0-9]", text)):
            return text


def _plain(prefix: str, count: int, letters: str = _LETTERS) -> Callable[[], tuple[str, tuple[str, ...]]]:
    def make() -> tuple[str, tuple[str, ...]]:
        secret = drawn(count, letters)
        return prefix + secret, (secret,)

    return make


def _aws() -> tuple[str, tuple[str, ...]]:
    key_id, key = "AKIA" + drawn(16, string.ascii_uppercase + "234567"), drawn(40)
    return f"aws_access_key_id={key_id} aws_secret_access_key={key}", (key_id, key)


def _jwt() -> tuple[str, tuple[str, ...]]:
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": drawn(24)})
    )
    signature = drawn(43)
    return f"{head}.{body}.{signature}", (body, signature)


def _pem() -> tuple[str, tuple[str, ...]]:
    lines = [drawn(64) for _ in range(4)]
    return "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"]), tuple(lines)


def _card() -> tuple[str, tuple[str, ...]]:
    digits = "4" + drawn(14, string.digits)
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(digits)]
    check = -sum(number - 9 * (number > 9) for number in doubled) % 10
    return f"{digits}{check}", (f"{digits}{check}",)


def _basic() -> tuple[str, tuple[str, ...]]:
    secret = drawn(20)
    coded = base64.b64encode(f"shop:{secret}".encode()).decode()
    return f"Basic {coded}", (secret, coded)


def _around(before: str, after: str, count: int, letters: str = _LETTERS) -> Callable[[], tuple[str, tuple[str, ...]]]:
    def make() -> tuple[str, tuple[str, ...]]:
        secret = drawn(count, letters)
        return f"{before}{secret}{after}", (secret,)

    return make


KINDS = (
    Kind("GitHub token", "value", "cloning with ", _plain("ghp_", 36)),
    Kind("fine-grained GitHub token", "value", "cloning with ", _plain("github_pat_", 60)),
    Kind("AWS key pair", "credentials", "", _aws),
    Kind("JWT", "value", "signed in by ", _jwt),
    Kind("private key", "private_key", "read ", _pem),
    Kind("Stripe key", "value", "charging with ", _plain("sk_live_", 24)),
    Kind("Slack token", "value", "posting with ", _plain("xoxb-", 40)),
    Kind("Google API key", "value", "asking with ", _plain("AIza", 35)),
    Kind("bearer header", "authorization", "Authorization: ", _plain("Bearer ", 40)),
    Kind("basic header", "authorization", "Authorization: ", _basic),
    Kind("password in a URL", "dsn", "connecting to ", _around("postgresql://shop:", "@db.internal:5432/shop", 20)),
    Kind("webhook's address", "value", "posting to ", _around("https://hooks.slack.com/services/T00/B00/", "", 24)),
    Kind("cookie", "cookie", "Cookie: ", _around("sessionid=", "; theme=dark", 32)),
    Kind("card number", "value", "paid with ", _card),
    Kind("password", "password", "password=", _plain("", 20)),
    Kind("API key", "x_api_key", "X-Api-Key: ", _plain("", 32)),
)


def environment_kind(value: str) -> Kind:
    """Return the kind of what stands in an environment variable with a secret name: only its value gives it away."""
    return Kind("environment's secret", "value", "found ", lambda: (value, (value,)))


def user_kinds(entries: Iterable[str]) -> Iterator[Kind]:
    """Yield a kind for each entry of a filter's `scrub`, as far as a sample of a pattern can be made."""
    for entry in dict.fromkeys(entries):
        if not entry.startswith("/"):
            yield Kind(f"your {entry}", entry, f"{entry}=", _plain("", 20), entry)
            continue
        source, _, flags = entry[1:].rpartition("/")
        pattern = re.compile(source, re.IGNORECASE if flags else 0)
        if sample_of(pattern):
            yield Kind(f"your {entry}", "value", "found ", _sampled(pattern), entry)


def _sampled(pattern: re.Pattern[str]) -> Callable[[], tuple[str, tuple[str, ...]]]:
    def make() -> tuple[str, tuple[str, ...]]:
        sample = sample_of(pattern)
        return sample, (sample,)

    return make


def sample_of(pattern: re.Pattern[str]) -> str:
    """Return a random text that `pattern` takes out as a whole; empty where none was found that is long enough."""
    from re import _parser  # type: ignore[attr-defined]

    try:
        tree = _parser.parse(pattern.pattern, pattern.flags)
        for _ in range(20):
            text = _text_of(tree)
            if len(text) >= 6 and any(found[0] == text for found in pattern.finditer(f"found {text}")):
                return text
    except Exception:  # the tree is CPython's own affair: what cannot be read has no sample
        pass
    return ""


def _text_of(tree: Any) -> str:
    return "".join(_item(str(op), argument) for op, argument in tree)


def _item(op: str, argument: Any) -> str:
    text = ""  # of an anchor or an assertion: whether it holds shows in the end
    if op == "LITERAL":
        text = chr(argument)
    elif op == "ANY":
        text = drawn(1, string.ascii_lowercase)
    elif op == "IN":
        text = secrets.choice(_members(argument))
    elif op.endswith("_REPEAT"):
        least, most, body = argument
        text = "".join(_text_of(body) for _ in range(max(least, min(int(most), 12))))
    elif op in {"SUBPATTERN", "ATOMIC_GROUP"}:
        text = _text_of(argument[3] if op == "SUBPATTERN" else argument)
    elif op == "BRANCH":
        text = _text_of(secrets.choice(argument[1]))
    return text


def _members(items: Any) -> str:
    listed = "".join(
        chr(argument) if str(op) == "LITERAL" else "".join(map(chr, range(argument[0], min(argument[1], 126) + 1)))
        for op, argument in items
        if str(op) in {"LITERAL", "RANGE"}
    )
    if not listed or str(items[0][0]) == "NEGATE":
        classes = {str(argument) for op, argument in items if str(op) == "CATEGORY"}
        listed = string.digits if "CATEGORY_DIGIT" in classes else _LETTERS
    return listed


# Planting ------------------------------------------------------------------------------------------------------


def plant(loggers: Sequence[logging.Logger], kinds: Sequence[Kind], folder: str, raised: set[str]) -> list[Canary]:
    """Log each kind by each logger, with an exception and without; return what was planted.

    No class of exception that anybody ignores, and three levels, so that what passes any of them is seen.

    Args:
        loggers: Who logs.
        kinds: What is planted.
        folder: For the source files whose lines hold some.
        raised: Takes the names of the errors that logging raised in the one who logs.
    """
    planted: list[Canary] = []
    for number, kind in enumerate(kinds):
        own = {place: Canary(kind, place, *kind.make()) for place in PLACES}
        planted += own.values()
        for logger in loggers:
            for log in _calls(logger, own, f"{folder}/shop_{_word(number)}.py"):
                try:
                    log()
                except Exception as error:  # a filter of somebody's
                    raised.add(type(error).__name__)
    return planted


def _word(number: int) -> str:
    return string.ascii_lowercase[number // 26] + string.ascii_lowercase[number % 26]


def _calls(logger: logging.Logger, own: dict[str, Canary], path: str) -> Iterator[Callable[[], None]]:
    """Yield what logs: one error with all that belongs to it, and plain records."""
    name = re.sub(r"\W", "_", own["extra"].kind.name)
    source = (
        f"def charge(error):\n    {name} = {own['code line'].value!r}; raise error\n\n\n"
        f"def order(error, {name}):\n    charge(error)\n\n\n"
        "def tell(logger, level, text, value, extra):\n    logger.log(level, text, value, extra=extra)\n\n\n"
        "class OrderError(Exception):\n    pass\n"
    )
    with open(path, "w", encoding="utf-8") as file:
        file.write(source)
    functions: dict[str, Any] = {"__name__": "shop"}
    exec(compile(source, path, "exec"), functions)  # noqa: S102 - our own lines
    extra = {_free(own["extra"].kind.name): own["extra"].value}
    text = f"{own['message'].text} and {own['arguments'].kind.before}%s"
    yield functools.partial(_log_error, logger, own, functions, extra)
    for level in (logging.ERROR, logging.INFO):
        yield functools.partial(functions["tell"], logger, level, text, own["arguments"].value, extra)


def _log_error(
    logger: logging.Logger, own: dict[str, Canary], functions: dict[str, Any], extra: dict[str, str]
) -> None:
    address = urllib.parse.quote(own["URL"].value, safe="")
    error: Exception = functions["OrderError"](
        f"{own['exception'].text} at https://shop.example/pay?{own['URL'].kind.name}={address}"
    )
    error.add_note(own["note"].text)
    error.__cause__ = LookupError(own["cause"].text)
    try:
        functions["order"](error, own["local variable"].value)
    except type(error):
        assert error.__traceback__ is not None
        logger.critical(
            f"{own['message'].text} and {own['arguments'].kind.before}%s",  # noqa: G004 - as people do
            own["arguments"].value,
            # Without the frame of this function, whose variables hold all of them.
            exc_info=(type(error), error, error.__traceback__.tb_next),
            extra=extra,
        )


def _free(name: str) -> str:
    """Return a key that logging takes as an extra."""
    return f"{name}_" if name in logging.makeLogRecord({}).__dict__ or name in {"message", "asctime"} else name


# Looking -------------------------------------------------------------------------------------------------------


def seen(canaries: Sequence[Canary], parts: Iterable[bytes]) -> list[Canary]:
    """Return which of `canaries` stand in `parts`, plainly, encoded, broken over lines or by half."""
    whole = b"\n".join(parts)
    texts = (whole, re.sub(rb"=\r?\n|\\r|\\n|[\s\\|>]+", b"", whole), quopri.decodestring(whole))
    return [
        one
        for one in canaries
        if any(form in text for secret in one.secrets for piece in _pieces(secret) for form in _forms(piece)
               for text in texts)
    ]  # fmt: skip


def _pieces(secret: str) -> tuple[str, ...]:
    half = len(secret) // 2
    return (secret,) if len(secret) < _WHOLE_CHARS else (secret[:half], secret[half:])


def _forms(piece: str) -> set[bytes]:
    raw = piece.encode()
    texts = {
        piece,
        urllib.parse.quote(piece, safe=""),
        urllib.parse.quote_plus(piece),
        html.escape(piece),
        json.dumps(piece)[1:-1],
        repr(piece)[1:-1],
        raw.hex(),
        raw.hex().upper(),
    }
    return {text.encode() for text in texts} | set(_base64_forms(raw))


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """Yield what of `raw` is the same in base64 whatever stands around it."""
    for shift, skip in ((0, 0), (1, 2), (2, 3)):
        coded = base64.b64encode(b"\0" * shift + raw).rstrip(b"=")
        stable = coded[skip : -1 if (len(raw) + shift) % 3 else None]
        if len(stable) >= 8:
            yield stable
            yield stable.replace(b"+", b"-").replace(b"/", b"_")
