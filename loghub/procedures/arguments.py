"""The arguments of procedures, read as the options of handlers are: a typo is one clear sentence."""

from __future__ import annotations

import difflib
import functools
import inspect
import json
import os
import re
import shlex
from typing import TYPE_CHECKING, Any, ParamSpec

from loghub import options
from loghub.errors import OptionValueError, UnknownOptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Reader = Callable[[str, str, Any], Any]

P = ParamSpec("P")

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*[.:][^\W\d]\w*(\.[^\W\d]\w*)*")
# Of systemd.unit(5), "Unit names"; one that begins with a hyphen looks like an option.
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}")


def procedure(**readers: Reader) -> Callable[[Callable[P, bool]], Callable[P, bool]]:
    """Make a procedure of a function: each argument goes through the reader of its name first.

    A reader takes the procedure's name, the argument's and the value, and returns the value as the function wants it
    or raises OptionValueError; `loghub.options` has those for texts and numbers. What a reader returns, it takes again.
    """

    def decorate(function: Callable[P, bool]) -> Callable[P, bool]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> bool:
            kwargs.update(check(run, kwargs))
            return function(*args, **kwargs)

        vars(run)["readers"] = readers
        return run

    return decorate


def check(function: Callable[..., object], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Check what a procedure is to be called with, besides the event, without calling it.

    Of a procedure made elsewhere only the names can be checked.

    Args:
        function: Any callable ``(event, **with) -> bool``.
        arguments: Its ``with``.

    Returns:
        The arguments as the procedure sees them; those that were not given are not there.

    Raises:
        UnknownOptionError: The procedure has no such argument.
        OptionValueError: An argument is missing, or its value is malformed.
    """
    owner = getattr(function, "__name__", type(function).__name__)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # built in, and does not say what it takes
        return dict(arguments)
    if parameters and parameters[0].kind in _POSITIONAL:
        del parameters[0]  # the event
    named = {one.name: one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    if not any(one.kind is one.VAR_KEYWORD for one in parameters):
        _refuse_unknown(owner, named, arguments)
    for name, parameter in named.items():
        if name not in arguments and parameter.default is parameter.empty:
            raise OptionValueError(f"{owner}: option {name!r} is missing.")
    readers = getattr(function, "readers", {})
    return {name: readers[name](owner, name, value) if name in readers else value for name, value in arguments.items()}


def _refuse_unknown(owner: str, known: Mapping[str, object], given: Mapping[str, object]) -> None:
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(sorted(known)) or 'none'}."
            raise UnknownOptionError(f"{owner} has no option {name!r}; {hint}")


def optional(reader: Reader) -> Reader:
    """Return a reader that lets None pass."""
    return lambda owner, name, value: None if value is None else reader(owner, name, value)


def path(owner: str, name: str, value: object) -> str:
    """Return the path of a database's file."""
    given = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(given, str) or not given.strip() or "\0" in given or given.startswith((":memory:", "file:")):
        options.refuse(owner, name, value, "the path of a file")
    return given


def host(owner: str, name: str, value: object) -> str:
    """Return a host's name or address; the brackets of an IPv6 address may be there."""
    read = options.text(owner, name, value).removeprefix("[").removesuffix("]")
    try:
        read.encode("idna")  # as the resolver will
    except UnicodeError:
        read = ""
    if not read or "/" in read or any(letter.isspace() or letter == "\0" for letter in read):
        options.refuse(owner, name, value, "the name or the address of a host, without scheme and path")
    return read


def port(owner: str, name: str, value: object) -> int:
    """Return the number of a TCP port."""
    read = options.whole(owner, name, value, 1)
    if read > 65_535:
        options.refuse(owner, name, value, "a whole number from 1 to 65535")
    return read


def function(owner: str, name: str, value: object) -> Any:
    """Return a callable, or its dotted name as it is: its module is imported when it is called, not before."""
    if callable(value) or (isinstance(value, str) and _DOTTED.fullmatch(value)):
        return value
    return options.refuse(owner, name, value, "a function's dotted name, such as 'shop.camera:reopen'")


def mapping(owner: str, name: str, value: object) -> dict[str, Any]:
    """Return arguments by name."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        options.refuse(owner, name, value, "arguments by name, such as {'index': 0}")
    return dict(options.plain(value))


def command(owner: str, name: str, value: object) -> list[str]:
    """Return a program and its arguments; no shell will read them."""
    read = options.plain(value)
    if isinstance(read, str):
        try:
            words = shlex.split(read)
        except ValueError:  # a quotation that does not end
            words = read.split()
        options.refuse(owner, name, value, f"a list, as no shell reads it: {json.dumps(words, ensure_ascii=False)}")
    if not isinstance(read, list) or not read or not all(isinstance(one, str) and "\0" not in one for one in read):
        options.refuse(owner, name, value, 'a list of texts, such as ["service", "camera", "restart"]')
    if not read[0].strip():
        options.refuse(owner, name, value, "a list that begins with a program")
    return read


def unit(owner: str, name: str, value: object) -> str:
    """Return the name of a systemd unit."""
    read = options.text(owner, name, value)
    if not _UNIT.fullmatch(read):
        options.refuse(owner, name, value, "the name of a systemd unit, such as 'camera.service'")
    return read


def at_least(reader: Callable[[str, str, Any, Any], Any], minimum: float) -> Reader:
    """Return `options.number` or `options.whole` with a minimum."""
    return lambda owner, name, value: reader(owner, name, value, minimum)


_DEEPEST = 20


def own_copy(value: Any, depth: int = 0) -> Any:
    """Return `value` with its dicts and lists copied, which a procedure may change; what they hold is itself.

    A camera in them, or a method of one, is the one that the application uses, and often cannot be copied.
    """
    if depth < _DEEPEST and type(value) is dict:
        return {key: own_copy(each, depth + 1) for key, each in value.items()}
    if depth < _DEEPEST and type(value) is list:
        return [own_copy(each, depth + 1) for each in value]
    return value


def stable(value: Any, depth: int = 0) -> str:
    """Return a text for `value` that is the same in all processes: it never holds the address of an object."""
    if depth < _DEEPEST and isinstance(value, dict):
        return f"{{{','.join(sorted(f'{key!r}:{stable(each, depth + 1)}' for key, each in value.items()))}}}"
    if depth < _DEEPEST and isinstance(value, list | tuple):
        return f"[{','.join(stable(each, depth + 1) for each in value)}]"
    if value is None or isinstance(value, str | bytes | int | float | os.PathLike):
        return repr(value)
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}:{named.__qualname__}"
