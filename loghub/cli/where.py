"""Where a verb looks: --home, --ledger, --config, before the verb or after it."""

from __future__ import annotations

import difflib
import logging
import logging.config
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click
import yaml

import loghub
from loghub import history
from loghub.errors import LoghubError
from loghub.handlers.base import ReportingHandler
from loghub.scrub.own import clean
from loghub.section import SECTION, from_error_handling_section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from loghub.delivery.home import Home
    from loghub.ledger.protocol import Group, Ledger

OPTIONS = (
    click.option("--home", metavar="DIR", help="Folder of journal and ledger (LOGHUB_HOME)."),
    click.option("--ledger", metavar="URL", help="sqlite, in the home, or postgresql://... (LOGHUB_LEDGER)."),
    click.option("--config", metavar="FILE", help="A logging.yaml: its handlers, home and ledger count."),
)

_PARTS = frozenset({"version", "disable_existing_loggers", "formatters", "filters", "loggers", "root"})
"""What stands beside ``handlers`` in a logging.yaml."""


@dataclass(frozen=True)
class Where:
    """The place that a verb works on."""

    home: str | None = None
    ledger: str | None = None
    config: str | None = None

    def handlers(self) -> list[ReportingHandler]:
        """Return the reporting handlers of --config; without it a GitHubIssueHandler with its defaults."""
        if self.config is None:
            from loghub.handlers.github import GitHubIssueHandler

            handler = GitHubIssueHandler(**self.named())
            close_at_end(handler.home)
            return [handler]
        found = load_handlers(self.config, self.named())
        if not found:
            raise click.ClickException(f"{self.config} has no handler of loghub: there is nothing to look at.")
        return found

    def open(self, *, make: bool = False) -> Home:
        """Return the home, for reading; of several in --config the first. `make`: one that is not there is made."""
        if self.config is not None and self.home is None:
            first = self.handlers()[0].home
            return close_at_end(history.open_home(first.path, first.url))
        probe = ReportingHandler(**self.named())
        path, url = probe.home.path, probe.home.url
        if not make and url is None and (path is None or not os.path.isdir(path)):
            raise click.ClickException(
                f"There is no home at {path}: nothing was reported there yet. Say where with --home or --config."
            )
        return close_at_end(history.open_home(path, url))

    def named(self) -> dict[str, Any]:
        """Return what was given as options of a handler."""
        return {name: value for name in ("home", "ledger") if (value := getattr(self, name)) is not None}


def where(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the three options, and its function a `Where` as first argument."""

    def call(*, home: str | None, ledger: str | None, config: str | None, **rest: Any) -> Any:
        outer = click.get_current_context().find_object(Where) or Where()
        given = {"home": home, "ledger": ledger, "config": config}
        place = replace(outer, **{name: value for name, value in given.items() if value is not None})
        try:
            return verb(place, **rest)
        except LoghubError as error:
            raise click.ClickException(clean(str(error))) from error

    return in_place_of(verb, call, OPTIONS)


def in_place_of(verb: Callable[..., Any], call: Callable[..., Any], options: Iterable[Any]) -> Callable[..., Any]:
    """Return `call` with name, help and options of the verb that it wraps, and with `options` before those."""
    call.__name__ = verb.__name__
    call.__doc__ = verb.__doc__
    call.__click_params__ = list(getattr(verb, "__click_params__", []))  # type: ignore[attr-defined]
    for option in reversed([*options]):
        call = option(call)
    return call


def find_group(place: Where, fingerprint: str) -> tuple[Group, Ledger]:
    """Return the group whose fingerprint begins so, and the ledger that knows it.

    Raises:
        ClickException: There is none.
    """
    ledger = place.open().ledger()
    group = ledger.group(fingerprint)
    if group is None:
        raise click.ClickException(f"Nothing here has the fingerprint {fingerprint}: see loghub groups.")
    return group, ledger


def read_config(path: str) -> dict[str, Any]:
    """Return what a logging.yaml says, or a configuration with an ``error_handling`` section.

    Raises:
        ClickException: It cannot be read, or is no mapping.
    """
    try:
        with open(path, encoding="utf-8") as file:
            config: Any = yaml.safe_load(file)
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise click.ClickException(clean(f"{path}: it cannot be read: {_unreadable(error)}")) from error
    if not isinstance(config, dict):
        raise click.ClickException(f"{path} is not a logging configuration: it must be a mapping with version: 1.")
    if SECTION in config and "version" not in config:
        try:
            config = from_error_handling_section(config)
        except LoghubError as error:
            raise click.ClickException(f"{path}: {error}") from error
    for part in ("handlers", "loggers", "formatters", "filters"):
        entries = config.setdefault(part, {})
        if not isinstance(entries, dict):
            raise click.ClickException(f"{path}: {part} must be a mapping of names to mappings.")
        for name, said in entries.items():
            if not isinstance(said, dict):
                text = f"{part}: {name} must be a mapping: is it, or what belongs to it, indented wrongly?"
                raise click.ClickException(clean(f"{path}: {text}"))
    _refuse_stray(path, config)
    return dict(config)


def _unreadable(error: OSError | UnicodeError | yaml.YAMLError) -> str:
    """Return why a logging.yaml cannot be read, as one sentence; of YAML with the line."""
    if isinstance(error, OSError):
        return f"{error.strerror or error}."
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"{' '.join(str(error).split())}."
    problem = getattr(error, "problem", None) or "it is no YAML"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}; look at the indentation there."


def _refuse_stray(path: str, config: dict[str, Any]) -> None:
    """Refuse what dictConfig would refuse with the name alone, or with a sentence about its own insides.

    Raises:
        ClickException: A handler without a class, or a name that nothing in the file has.
    """
    if config.get("incremental"):
        return  # such a configuration names handlers of an earlier one
    handlers: dict[str, dict[str, Any]] = config["handlers"]
    for name, said in handlers.items():
        if "class" not in said and "()" not in said:
            above = f": {name} stands beside handlers, not in it; indent it less" if name in _PARTS else ""
            raise click.ClickException(clean(f"{path}: handler {name!r} has no class{above}."))
        _refuse_unknown(path, f"handler {name!r}", "filters", said.get("filters"), config["filters"])
        _refuse_unknown(path, f"handler {name!r}", "formatters", said.get("formatter"), config["formatters"])
    for name, said in (("root", config.get("root")), *config["loggers"].items()):
        if isinstance(said, dict):
            _refuse_unknown(path, f"logger {name!r}", "handlers", said.get("handlers"), handlers)
            _refuse_unknown(path, f"logger {name!r}", "filters", said.get("filters"), config["filters"])


def _refuse_unknown(path: str, owner: str, part: str, named: object, known: dict[str, Any]) -> None:
    for name in [named] if isinstance(named, str) else named if isinstance(named, list) else ():
        if isinstance(name, str) and name not in known and "://" not in name:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise click.ClickException(clean(f"{path}: {owner} names {name!r}, which is not under {part}{hint}"))


def load_handlers(path: str, override: dict[str, Any]) -> list[ReportingHandler]:
    """Make the reporting handlers of a logging.yaml, attached to no logger.

    Raises:
        ClickException: The file or a handler in it is wrong; the sentence names it.
    """
    config = read_config(path)
    chosen = {
        name: {**said, **override}
        for name, said in config.get("handlers", {}).items()
        if reports(path, name, said.get("class") or said.get("()"))
    }
    # Other keys stay: cfg:// may refer to them.
    return configure(path, {**config, "handlers": chosen, "loggers": {}, "root": {}})


def configure(path: str, config: dict[str, Any]) -> list[ReportingHandler]:
    """Do what the application does with a configuration; return the reporting handlers that it has made.

    Raises:
        ClickException: Something in it is wrong; the sentence names it.
    """
    try:
        logging.config.dictConfig({**config, "disable_existing_loggers": False})
    except (ValueError, TypeError, AttributeError, ImportError, OSError) as error:
        raise click.ClickException(clean(f"{path}: {reason(error)}")) from error
    made = logging._handlers  # type: ignore[attr-defined]
    handlers = [made[name] for name in config["handlers"] if isinstance(made.get(name), ReportingHandler)]
    for home in homes_of(handlers):
        close_at_end(home)
    return handlers


def reports(path: str, name: str, dotted: object) -> bool:
    """Return whether a dotted class is a reporting handler.

    Raises:
        ClickException: It is said to be one of loghub's, and loghub has no such class.
    """
    try:
        found = logging.config.BaseConfigurator({}).resolve(str(dotted))
    except (ValueError, ImportError, AttributeError) as error:
        if not str(dotted).startswith("loghub."):
            return False
        near = difflib.get_close_matches(str(dotted), [f"loghub.{one}" for one in loghub.__all__], n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise click.ClickException(f"{path}: handler {name!r}: there is no class {dotted}{hint}") from error
    return isinstance(found, type) and issubclass(found, ReportingHandler)


def reason(error: BaseException) -> str:
    """Return a configuration error with its causes as one sentence: dictConfig hides the real one."""
    parts: list[str] = []
    one: BaseException | None = error
    while one is not None:
        if str(one) not in parts:
            parts.append(str(one))
        one = one.__cause__
    said = ": ".join(part.rstrip(".") for part in parts)
    return said if said.endswith("?") else f"{said}."


def close_at_end(home: Home) -> Home:
    """Have the home let go of its ledger when the verb has ended; return it."""
    click.get_current_context().call_on_close(lambda: home.close(1.0))
    return home


def homes_of(handlers: list[ReportingHandler]) -> list[Home]:
    """Return the homes of `handlers`, each once."""
    return list({id(handler.home): handler.home for handler in handlers}.values())
