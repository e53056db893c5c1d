"""EventFilter: what is said about every event, under ``filters:`` in a logging.yaml."""

from __future__ import annotations

import fnmatch
import logging
import os
import random
import sys
from typing import TYPE_CHECKING, Annotated, Any

from loghub import env, options
from loghub.capture import Capture, in_app_rule
from loghub.container import in_container
from loghub.fingerprint import VERSION, VERSIONS
from loghub.release import find_release
from loghub.scrub import Scrubber
from loghub.scrub.own import credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loghub.event import Event

_Share = options.Takes(maximum=1, pattern=r"^\s*\+?((0+(\.\d*)?|\.\d+)([eE]-\d+)?|0*1(\.0*)?)\s*$")


class EventFilter(logging.Filter):
    """Says what is true of every event; lets every record pass (what is ignored is only not reported).

    Args:
        name: Look only at records of this logger and its children, and let no others pass, as `logging.Filter` does.
        component: Which part of the system (env LOGHUB_COMPONENT; else the logger's first name).
        environment: production, staging, ...
        release: What is deployed; found by itself (platform, file REVISION, package, .git).
        project_root: Only frames of files below it are the application's.
        in_app: Modules that are the application's in any case.
        not_in_app: Modules that are not.
        scrub: More key names to be hidden, and ``/patterns/`` of values.
        ignore: Exception classes (dotted; subclasses count) and logger names (with ``*``) not to report.
        before_send: Dotted name of a function that gets each event and returns it, changed or not, or None.
        include_system_info: Whether events say Python, platform, container and the host's name (env
            ERROR_REPORTING_INCLUDE_SYSTEM_INFO).
        include_locals: Whether frames carry their local variables.
        sample_rate: The share of records to report, 0.0 to 1.0.
        grouping: Which rules say what is the same bug: ``v1``, or ``v0`` (class, message and first frames, as
            simple reporters do it). Groups of another version stay as they are.

    Raises:
        UnknownOptionError: There is no such option.
        OptionValueError: A value is malformed.
    """

    def __init__(
        self,
        name: Annotated[str, options.Takes(type="string")] = "",
        *,
        component: str | None = None,
        environment: str = "production",
        release: str | None = None,
        project_root: str | None = None,
        in_app: Sequence[str] = (),
        not_in_app: Sequence[str] = (),
        scrub: Sequence[str] = (),
        ignore: Sequence[str] = (),
        before_send: str | Callable[[Event], Event | None] | None = None,
        include_system_info: bool | None = None,
        include_locals: bool = False,
        sample_rate: Annotated[float, _Share] = 1.0,
        grouping: Annotated[str, options.Takes(enum=list(VERSIONS))] = VERSION,
        **unknown: object,
    ) -> None:
        super().__init__(name)
        options.reject_unknown(self, unknown)
        if project_root is not None and not os.path.isdir(options.text(self, "project_root", project_root)):
            options.refuse(self, "project_root", project_root, "a directory that exists")
        if include_system_info is None:
            include_system_info = options.variable_flag("ERROR_REPORTING_INCLUDE_SYSTEM_INFO", default=True)
        self.capture = Capture(
            component=_text_or_none(self, "component", component) or env.read("LOGHUB_COMPONENT"),
            environment=options.text(self, "environment", environment),
            release=_text_or_none(self, "release", release) or find_release(project_root),
            is_in_app=in_app_rule(
                project_root,
                options.names(self, "in_app", in_app),
                options.names(self, "not_in_app", not_in_app),
            ),
            scrubber=Scrubber(_patterns(self, scrub), secrets=credentials),
            ignored=_ignore_rule(options.names(self, "ignore", ignore)),
            before_send=None if before_send is None else options.function(self, "before_send", before_send),
            sample=_sampler(self, sample_rate),
            system=system_info() if options.flag(self, "include_system_info", include_system_info) else None,
            include_locals=options.flag(self, "include_locals", include_locals),
            grouping=options.choice(self, "grouping", grouping, VERSIONS),
        )

    def filter(self, record: logging.LogRecord) -> bool:
        """Look at the record once for all handlers; True unless a logger `name` was given and does not fit."""
        if self.nlen and not super().filter(record):
            return False
        try:
            self.capture.sight(record)
        except Exception:  # logging calls filters outside of every handler's own try
            try:  # noqa: SIM105 - suppress needs stack of its own
                self.capture.complain(record)
            except RecursionError:  # the application is at the end of its stack
                pass
        return True


def shared_capture() -> Capture:
    """Return the Capture of handlers that have no EventFilter: its defaults."""
    global _shared  # noqa: PLW0603 - made on first use, one per process
    if _shared is None:
        _shared = EventFilter().capture
    return _shared


_shared: Capture | None = None


def system_info() -> dict[str, Any]:
    """Return seed A's facts about interpreter and machine; cheap, and nothing that names a person."""
    if hasattr(os, "uname"):
        name = os.uname()
        platform, machine = f"{name.sysname}-{name.release}-{name.machine}", name.machine
    else:
        platform, machine = sys.platform, os.environ.get("PROCESSOR_ARCHITECTURE", "")
    return {
        "python_version": ".".join(map(str, sys.version_info[:3])),
        "platform": platform,
        "architecture": machine,
        "docker": in_container(),
    }


def _text_or_none(owner: object, name: str, value: object) -> str | None:
    return None if value is None else options.text(owner, name, value)


def _patterns(owner: object, scrub: Sequence[str]) -> list[str]:
    """Read `scrub`; one pattern may have commas of its own."""
    if isinstance(scrub, str) and scrub.startswith("/"):
        return [scrub]
    return options.names(owner, "scrub", scrub)


def _sampler(owner: object, rate: object) -> Callable[[], bool] | None:
    share = options.number(owner, "sample_rate", rate, maximum=1)
    return None if share == 1 else lambda: random.random() < share  # noqa: S311 - a sample, no secret


def _ignore_rule(names: Sequence[str]) -> Callable[[str, BaseException | None, str], bool] | None:
    """Return the rule for `ignore`; a class is known by its names, so nothing is imported for it."""
    if not names:
        return None
    exact = set(names)

    def rule(logger: str, exc: BaseException | None, named: str) -> bool:
        if any(fnmatch.fnmatchcase(logger, name) for name in exact):
            return True
        if exc is None:
            return bool(named) and not exact.isdisjoint((named, named.removeprefix("builtins.")))
        ours = [cls for name in exact if (cls := _loaded_class(name)) is not None]
        return isinstance(exc, tuple(ours)) or any(not exact.isdisjoint(_names_of(cls)) for cls in type(exc).__mro__)

    return rule


def _loaded_class(name: str) -> type | None:
    """Return the class of this name if its module is loaded: ``requests.Timeout`` was defined elsewhere."""
    module, _, attribute = name.rpartition(".")
    found = getattr(sys.modules.get(module), "__dict__", {}).get(attribute)
    return found if isinstance(found, type) else None


def _names_of(cls: type) -> tuple[str, ...]:
    dotted = f"{cls.__module__}.{cls.__qualname__}"
    return (dotted, cls.__qualname__) if cls.__module__ == "builtins" else (dotted,)
