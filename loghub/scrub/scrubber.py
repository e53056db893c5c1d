"""All rules together, on a text or an event."""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Any

from loghub.event import SURROGATES
from loghub.scrub.acquaintance import forget
from loghub.scrub.beside import names_pattern, replace_named
from loghub.scrub.commands import SEPARATOR, replace_in_commands, replace_options
from loghub.scrub.copying import Copy, last_words
from loghub.scrub.drawn import BEARER, basic_or_bearer, replace_random
from loghub.scrub.hints import hints_in, kind_of
from loghub.scrub.names import is_secret_name, words_of
from loghub.scrub.patterns import read_extra, replace_pattern
from loghub.scrub.phrases import replace_phrases
from loghub.scrub.shapes import CARD, PEM, card, odd_shapes, shapes
from loghub.scrub.size import MAX_REMEMBERED
from loghub.scrub.texts import MARK, PLACEHOLDER, SURROGATE, any_of, lower
from loghub.scrub.urls import (
    DSN_PASSWORD,
    HOOKS,
    QUERY,
    URL_PASSWORD,
    replace_encoded,
    replace_passwords,
    replace_users,
)
from loghub.scrub.values import Values, environment_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from loghub.event import Event

ENVIRONMENT_SECONDS = 30.0  # how long the environment is trusted not to have changed
_TEXTS = (str, bytes)
_TOLD_DEPTH = 3  # dicts within dicts beside a line
MAX_PASSES = 8  # until nothing changes; two are the rule


_RULES: tuple[tuple[str, Callable[[str, list[str]], str]], ...] = (
    ("pem", lambda text, _: PEM.sub(MARK, text)),
    ("url", lambda text, found: replace_passwords(URL_PASSWORD, text, found)),
    ("url", lambda text, _: replace_users(text)),
    ("encoded", replace_encoded),
    ("dsn", lambda text, found: replace_passwords(DSN_PASSWORD, text, found)),
    ("query", lambda text, found: replace_passwords(QUERY, text, found)),
    ("hook", lambda text, found: replace_passwords(HOOKS, text, found)),
    ("odd shape", lambda text, _: odd_shapes().sub(MARK, shapes().sub(MARK, text))),
    ("shape", lambda text, _: shapes().sub(MARK, text)),
    ("command", replace_in_commands),
)


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
        names, self._patterns = read_extra(extra)
        self._extra_names = [words_of(name) for name in names]
        first_words = {words[0]: "" for words in self._extra_names}
        self._extra_hints = re.compile(any_of(first_words)) if names else None
        self._named = names_pattern(first_words)
        self._own = secrets
        self._clock = clock
        self._look_again_at = -math.inf
        self._environment: frozenset[str] = frozenset()
        self._known: frozenset[str] = frozenset()
        self._values = Values(())
        self._judged: dict[str, bool] = {}
        # Short texts that were found clean, as prose and as code: the same frames come again and again.
        self._clean: tuple[set[str], set[str]] = (set(), set())

    def text(self, text: str) -> str:
        """Return `text` with each secret replaced by ``[Filtered]``, lone surrogates escaped. Never raises."""
        try:
            return self.scrub(text, self.current_values()[0], [])
        except Exception:  # a text that cannot be scrubbed is not let through
            return PLACEHOLDER

    def line(self, line: str, *told: Mapping[str, Any]) -> str:
        """Return the `line` of a log file as `text` does, without what stands under secret names in `told`, either."""
        try:
            found: list[str] = []
            for one in told:
                self._take(one, found, _TOLD_DEPTH)
            clean = self.scrub(line, self.current_values()[0], found)
            return str(forget({"line": clean}, found)["line"]) if found else clean
        except Exception:
            return PLACEHOLDER

    def event(self, event: Event) -> Event:
        """Return a copy of `event` that is clean, bounded and plain JSON. Never raises or changes `event`."""
        try:
            return Copy(self).event(event)
        except Exception as error:
            return last_words(event, error)

    def _take(self, told: Mapping[Any, Any], found: list[str], depth: int) -> None:
        """Add the texts under secret names in `told` to `found`."""
        for name, value in told.items():
            if type(value) is dict and depth:
                self._take(value, found, depth - 1)
            elif type(value) in _TEXTS and type(name) is str and self.is_secret(name):
                found.append(value if type(value) is str else repr(value)[2:-1])

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
        words = words_of(name) if self._extra_names else ()
        return any(
            "".join(extra) == "".join(words)
            or any(words[at : at + len(extra)] == extra for at in range(len(words) - len(extra) + 1))
            for extra in self._extra_names
        )

    def current_values(self) -> tuple[Values, tuple[set[str], set[str]]]:
        """Return the secret values as of now, and the texts that are known to be clean of them."""
        self._look_at_environment()
        known = self._environment | self._own_secrets()
        if known != self._known:
            self._values, self._clean, self._known = Values(known), (set(), set()), known
        return self._values, self._clean

    def _look_at_environment(self) -> None:
        try:
            now = self._clock()
            if now >= self._look_again_at:
                self._environment = environment_secrets()
                self._look_again_at = now + ENVIRONMENT_SECONDS
        except Exception:  # it changed while it was read: what was known is good until the next look
            pass

    def _own_secrets(self) -> frozenset[str]:
        try:
            return frozenset(value for value in self._own() if len(value) >= 4) if self._own else frozenset()
        except Exception:  # a credential that cannot be read now is not about to be sent either
            return frozenset()

    def scrub(self, text: str, values: Values, found: list[str], *, code: bool = False) -> str:
        """Replace the secrets of `text`; values that stand beside names, or in URLs, are added to `found`."""
        if not text.isascii() and SURROGATE.search(text):
            text = text.translate(SURROGATES)
        before = text.replace(PLACEHOLDER, MARK) if PLACEHOLDER in text else text
        after = self._once(before, values, found, code=code)
        if after == before:
            return text
        for _ in range(MAX_PASSES):  # what is gone may uncover what stood against it
            before, after = after, self._once(after, values, found, code=code)
            if after == before:
                return after.replace(MARK, PLACEHOLDER)
        return PLACEHOLDER  # secrets without end, one against the other: nothing of it is let through

    def command(self, arguments: list[str], found: list[str]) -> list[str]:
        """Replace the secrets that the arguments of a command are together; alone they were looked at already."""
        joined = replace_in_commands(SEPARATOR.join(arguments), found)
        clean = replace_options(joined, self.is_secret, found).replace(MARK, PLACEHOLDER).split(SEPARATOR)
        return clean if len(clean) == len(arguments) else [PLACEHOLDER] * len(arguments)

    def _once(self, text: str, values: Values, found: list[str], *, code: bool) -> str:
        low = lower(text)
        hints = hints_in(low)
        if self._extra_hints and self._extra_hints.search(low):
            hints.add("key")
        text = values.replace(text)
        if hints:
            text = self._apply(text, {kind_of(hint) for hint in hints}, found, code=code)
        for pattern in self._patterns:
            text = replace_pattern(pattern, text)
        return text

    def _apply(self, text: str, kinds: set[str], found: list[str], *, code: bool) -> str:
        for kind, rule in _RULES:
            if kind in kinds:
                text = rule(text, found)
        if "phrase" in kinds:
            text = replace_phrases(text, self.is_secret, found)
        if "name" in kinds or "phrase" in kinds:
            text = replace_named(text, self._named, self.is_secret, found, code=code)
            text = BEARER.sub(basic_or_bearer, text)
            text = replace_random(text)
        if "option" in kinds:
            text = replace_options(text, self.is_secret, found)
        return CARD.sub(card, text) if "card" in kinds else text
