"""Reading the options of a handler: what dictConfig hands over becomes plain, checked Python values.

Nested values arrive from dictConfig as ConvertingDict and ConvertingList, which resolve ``ext://`` only when
a key is read; `plain` reads them all. Every refusal names the class, the option, the value and what is right.
"""

from __future__ import annotations

import difflib
import inspect
import os
import pkgutil
import re
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from loghub import env
from loghub.errors import OptionValueError, UnknownOptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping


class Takes:
    """Stands in an option's type and says, by keywords of JSON Schema, what the type alone does not say.

    A type says how the option is read: bool by `flag`, int by `whole`, float by `number`, str by `text`,
    Sequence[str] by `names`. With ``type`` among the keywords they stand for the whole of it. `loghub schema` writes
    them down.
    """

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords


MaybeText = Annotated[str, Takes(pattern=r"^$|\S")]
AtLeastOne = Annotated[int, Takes(minimum=1)]
Level = Annotated[int | str, Takes(type=["string", "integer"], minimum=0, pattern=r"\S")]

_TRUE = frozenset({"true", "1", "yes", "on"})
_MAX_REPR = 8_192
_SHELL_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")  # in capitals, as variables of the environment are
_FALSE = frozenset({"false", "0", "no", "off"})


def plain(value: Any) -> Any:
    """Return `value` with every nested container as a plain dict or list, ``ext://`` resolved."""
    if isinstance(value, dict):
        return {key: plain(value[key]) for key in value}
    if isinstance(value, list | tuple):
        return [plain(value[index]) for index in range(len(value))]
    return value


def reject_unknown(owner: object, unknown: Mapping[str, object]) -> None:
    """Raise UnknownOptionError for the first of `unknown`, naming the nearest option that `owner` has."""
    if not unknown:
        return
    known = parameters(type(owner))
    name = next(iter(unknown))
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(sorted(known))}."
    raise UnknownOptionError(f"{type(owner).__name__} has no option {name!r}; {hint}")


def parameters(cls: type) -> dict[str, tuple[type, inspect.Parameter]]:
    """Return the options of a class: each with the class that declares it.

    Classes are asked until one has no ``**rest`` to pass on, or refuses what is left, as ``**unknown``.
    """
    found: dict[str, tuple[type, inspect.Parameter]] = {}
    for one in cls.__mro__:
        if "__init__" not in one.__dict__:
            continue
        declared = inspect.signature(one.__dict__["__init__"]).parameters.values()
        for parameter in declared:
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                found.setdefault(parameter.name, (one, parameter))
        passed_on = [parameter.name for parameter in declared if parameter.kind is parameter.VAR_KEYWORD]
        if passed_on in ([], ["unknown"]):
            break
    return {name: how for name, how in found.items() if name not in ("self", "now")}


def refuse(owner: object, name: str, value: object, right: str) -> NoReturn:
    """Raise OptionValueError: `owner`'s option `name` cannot be `value`; `right` says what it can be."""
    from loghub.scrub.own import clean

    shown = _shown(name, value)
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    owner_name = owner if isinstance(owner, str) else type(owner).__name__
    # What is being handled often holds the value: only what is said here is shown.
    raise OptionValueError(f"{owner_name}: option {name!r} cannot be {shown}; it must be {clean(right)}.") from None


def _shown(name: str, value: object) -> str:
    """Return what a refusal shows of a value: a secret may stand in the wrong place, or be of the wrong form."""
    from loghub.scrub.own import clean, scrubber

    try:
        for variable, held in os.environ.items():  # ext://loghub.env.NAME with the name of another
            if value == held != "" and variable != name and scrubber().is_secret(variable):
                return f"what {variable} holds"
        if value and scrubber().is_secret(name):
            return "[Filtered]"
        return clean(_without_password(repr(value)[:_MAX_REPR]))
    except Exception:
        return f"<unprintable {type(value).__name__} object>"


def _without_password(shown: str) -> str:
    """Take out what stands before the last @, if there is a colon in it: user and password of an address."""
    before, at, host = shown.rpartition("@")
    if ":" not in before:
        return shown
    scheme = before.find("://")
    return f"{before[: scheme + 3] if scheme >= 0 else before[:1]}[Filtered]{at}{host}"


def as_flag(value: object) -> bool | None:
    """Read true/false, 1/0, yes/no, on/off in any case; None where it is none of them."""
    word = str(value).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def flag(owner: object, name: str, value: object) -> bool:
    """Return a yes-or-no option."""
    read = as_flag(value)
    if read is None:
        refuse(owner, name, value, "true or false")
    return read


def number(owner: object, name: str, value: object, minimum: float = 0.0, maximum: float | None = None) -> float:
    """Return a number that is at least `minimum`, and at most `maximum`; digits in a string are taken too."""
    try:
        read = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        read = float("nan")
    if isinstance(value, bool) or not minimum <= read < float("inf") or (maximum is not None and read > maximum):
        right = f"a number of at least {minimum:g}" if maximum is None else f"a number from {minimum:g} to {maximum:g}"
        refuse(owner, name, value, right)
    return read


def whole(owner: object, name: str, value: object, minimum: int = 0) -> int:
    """Return a whole number that is at least `minimum`; digits in a string are taken too."""
    try:
        read = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        read = minimum - 1
    if isinstance(value, bool) or read < minimum or (isinstance(value, float) and value != read):
        refuse(owner, name, value, f"a whole number of at least {minimum}")
    return int(read)


def text(owner: object, name: str, value: object) -> str:
    """Return a string that is not empty, and names no variable as a shell would: it would be taken as it is."""
    if not isinstance(value, str) or not value.strip():
        refuse(owner, name, value, "a text that is not empty")
    if found := _SHELL_VARIABLE.search(value):
        right = f"a text without {found[0]}, which nothing replaces here: say ext://loghub.env.{found[1]} for the whole"
        refuse(owner, name, value, right)
    return value.strip()


def names(owner: object, name: str, value: object) -> list[str]:
    """Return a list of strings; one string is split at commas."""
    read = plain(value)
    if isinstance(read, str):
        read = [part.strip() for part in read.split(",") if part.strip()]
    if not isinstance(read, list) or not all(isinstance(part, str) and part.strip() for part in read):
        refuse(owner, name, value, "a list of texts")
    return [part.strip() for part in read]


def choice(owner: object, name: str, value: object, among: Collection[str]) -> str:
    """Return one of a few words."""
    if not isinstance(value, str) or value not in among:
        refuse(owner, name, value, " or ".join(among))
    return value


def function(owner: object, name: str, value: Any) -> Callable[..., Any]:
    """Return the function that a dotted name means, imported; a callable is taken as it is."""
    from loghub.scrub.own import clean

    found = value
    if not callable(value):
        try:
            found = pkgutil.resolve_name(text(owner, name, value))
        except OptionValueError:
            raise
        except Exception as error:  # whatever importing the module raises
            why = type(error).__name__
            if clean(value) == value:  # the error says it again, in pieces
                why += f": {error}"
            refuse(owner, name, value, f"the dotted name of a function ({why})")
    if not callable(found) or inspect.iscoroutinefunction(found):
        refuse(owner, name, value, "the dotted name of a function that is not async")
    return found  # type: ignore[no-any-return]


def variable_flag(name: str, *, default: bool) -> bool:
    """Return a yes-or-no environment variable.

    Raises:
        OptionValueError: It is set to something else.
    """
    value = env.read(name)
    if value is None:
        return default
    return flag("environment", name, value)
