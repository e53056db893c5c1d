"""Seed A's functions: an error is told by hand, and the answer is its issue's URL.

Where the application has handlers of loghub's, they take the record, as they take every other. Where nothing of loghub
is configured, the environment alone is enough (``GITHUB_TOKEN``, ``GITHUB_REPO``, ``ERROR_REPORTING_...``): then the
first report makes a `GitHubIssueHandler` of the reporter's own. An `ErrorReporter` that was told a token, a repository
or an option has its own in any case.
"""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any

from loghub import env, fingerprint, options
from loghub.delivery import waiting
from loghub.description import text_of
from loghub.errors import LedgerError
from loghub.filters import EventFilter
from loghub.seeds import reach
from loghub.seeds import record as records
from loghub.seeds.own import OwnHandler
from loghub.seeds.record import log, say

if TYPE_CHECKING:
    import logging

    from loghub.delivery.home import Home
    from loghub.handlers.github import GitHubIssueHandler

TIMEOUT_SECONDS = 10.0
_MAX_SECONDS = 3600.0
_UNKNOWN = "unknown"


class ErrorReporter:
    """Reports errors that the application hands over.

    Args:
        github_token: Needs Issues: write; None: env GITHUB_TOKEN, then GH_TOKEN.
        github_repo: ``owner/name``; None: env GITHUB_REPO, then GITHUB_REPOSITORY.
        enabled: Whether anything is reported; None: env ERROR_REPORTING_ENABLED, or true.
        include_system_info: Whether issues say Python, platform and host; None: env
            ERROR_REPORTING_INCLUDE_SYSTEM_INFO, or true.
        auto_label: Whether issues are labelled with the component, too; None: env ERROR_REPORTING_AUTO_LABEL, or true.

    Raises:
        OptionValueError: A value that is given here is malformed. (What the environment says is told when it is used.)
    """

    def __init__(
        self,
        github_token: str | None = None,
        github_repo: str | None = None,
        enabled: bool | None = None,
        include_system_info: bool | None = None,
        auto_label: bool | None = None,
    ) -> None:
        self._enabled = None if enabled is None else options.flag(self, "enabled", enabled)
        self._options: dict[str, Any] = {"token": github_token, "repo": github_repo, "auto_label": auto_label}
        self._is_told = any(one is not None for one in (*self._options.values(), include_system_info))
        said = None if include_system_info is None else EventFilter(include_system_info=include_system_info)
        self._own = OwnHandler(said, **self._options)
        if self._is_told and self.enabled:
            self._own.ready()

    @property
    def enabled(self) -> bool:
        """Whether anything is reported.

        Raises:
            OptionValueError: ERROR_REPORTING_ENABLED is neither yes nor no.
        """
        if self._enabled is not None:
            return self._enabled
        return options.variable_flag("ERROR_REPORTING_ENABLED", default=True)

    @property
    def github_repo(self) -> str | None:
        """Where issues are opened, ``owner/name``; None: nowhere."""
        handlers = [handler for _, handler in self._destinations()]
        return next((one.repo for one in handlers), None) or self._options["repo"] or _environment_repo()

    @property
    def has_token(self) -> bool:
        """Whether there is a token to open issues with."""
        return bool(self._destinations()) or bool(self._options["token"] or env.read("GITHUB_TOKEN", "GH_TOKEN"))

    def status(self, issues: int | None = None) -> dict[str, Any]:
        """Return ``enabled``, ``github_repo``, ``has_token`` and ``reported_errors_count``: bugs that have an issue.

        Args:
            issues: So many have one, where the caller has counted; None: those in the homes that are reported to.

        Raises:
            OptionValueError: ERROR_REPORTING_ENABLED is neither yes nor no.
            LedgerError: The ledger cannot be used now.
        """
        if issues is None:
            homes = {id(home): home for home, _ in self._destinations()}
            issues = sum(home.ledger().figures()["issues"] for home in homes.values())
        return {
            "enabled": self.enabled,
            "github_repo": self.github_repo,
            "has_token": self.has_token,
            "reported_errors_count": issues,
        }

    def report_error(  # noqa: PLR0917 - the seed's
        self,
        exception: BaseException | None = None,
        error_type: str | None = None,
        error_message: str | None = None,
        traceback_str: str | None = None,
        source_component: str = _UNKNOWN,
        context: dict[str, Any] | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> str | None:
        """Report an error, and wait for its issue. Nothing is raised, whatever is handed over.

        With nothing to report given, the exception that is being handled is reported.

        Args:
            exception: What was caught. The other three are for errors of which only texts are left.
            error_type: Name of its class.
            error_message: What it says.
            traceback_str: Its stack as Python, a browser or another language prints it.
            source_component: Which part of the system; ``unknown`` leaves it to the configuration.
            context: What else is known; secrets in it are hidden.
            timeout: Seconds to wait for an issue that is not there yet; 0 in code that must not wait. It is opened in
                any case, also later.

        Returns:
            The issue's URL; None: reporting is off, there is no token, or the issue was not opened in time.
        """
        try:
            seconds = _seconds(timeout)
            told = error_type, error_message, traceback_str
            record = _record(exception, told, source_component, context)
            return None if record is None else self._report(record, seconds)
        except Exception as error:  # objects of the application may do anything; the caller has an error already
            say(f"report_error failed: {type(error).__name__}: {text_of(error)}")
            return None

    def _report(self, record: logging.LogRecord, seconds: float) -> str | None:
        until = time.monotonic() + seconds
        enabled = self.enabled
        if not enabled:
            record.__dict__["loghub_skip"] = True  # log files may still see it
        own = (self._own.ready(),) if enabled and self._needs_own() else ()
        if not records.send(record, *own) or not enabled:
            return None
        mark = fingerprint.of_record(record)
        return waiting.wait_for(lambda: self._look(mark, until), seconds) or None

    def _look(self, mark: str, until: float) -> str | None:
        """Return the issue's URL; empty if it will not be known in time, None if it may."""
        destinations = self._destinations()
        try:
            for home, handler in destinations:
                if url := reach.issue_url(home, handler, mark):
                    return url
            told = any(home.ledger().group(mark) is not None for home in {home for home, _ in destinations})
        except LedgerError as error:
            say(f"no issue is known: {error}")
            return ""
        late = time.time() + max(0.0, until - time.monotonic())
        return "" if not destinations or (told and waiting.is_idle(late)) else None

    def _destinations(self) -> list[tuple[Home, GitHubIssueHandler]]:
        """Return the handlers that open issues for this reporter."""
        found = list(reach.issue_handlers())
        return [pair for pair in found if pair[1] is self._own.made] if self._is_told else found

    def _needs_own(self) -> bool:
        """Whether no handler of the application's takes the record."""
        return self._is_told or not reach.is_taken(log)


_default = ErrorReporter()


def get_error_reporter() -> ErrorReporter:
    """Return the reporter that takes everything from the environment, the same one in the whole process."""
    return _default


def report_error(  # noqa: PLR0917 - the seed's
    exception: BaseException | None = None,
    error_type: str | None = None,
    error_message: str | None = None,
    traceback_str: str | None = None,
    source_component: str = _UNKNOWN,
    context: dict[str, Any] | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> str | None:
    """Report an error and return its issue's URL, as `ErrorReporter.report_error` of `get_error_reporter`."""
    return _default.report_error(
        exception, error_type, error_message, traceback_str, source_component, context, timeout
    )


def flush(timeout: float = 2.0) -> bool:
    """Deliver what waits, mails that wait for their interval too, for at most so many seconds.

    Returns:
        Whether nothing is left; False also where it went in vain just now.
    """
    return waiting.flush(_seconds(timeout))


def _record(
    exception: object, told: tuple[object, ...], component: object, context: object
) -> logging.LogRecord | None:
    """Return the record of what is reported: an exception, or `told`: its class, message, traceback; None: nothing."""
    name = text_of(component or _UNKNOWN)
    # The seed's default says nothing: then the configuration does.
    said = records.context(context) | ({"_loghub_program": name} if name == _UNKNOWN else {"component": name})
    what = ("Error",) if name == _UNKNOWN else ("Error in %s", name)
    kind, message, traceback = (text_of(one) if one is not None else "" for one in told)
    if exception is None and not (kind or message or traceback):
        exception = sys.exc_info()[1]
    if isinstance(exception, BaseException):
        return records.of_exception(exception, said, *what)
    if exception is not None:
        say(f"report_error takes an exception as its first argument, not {type(exception).__name__}: told as a text.")
        if isinstance(exception, type) and issubclass(exception, BaseException):
            kind = kind or exception.__name__
        else:
            message = message or text_of(exception)
    if not (kind or message or traceback):
        say("report_error was given nothing to report: give it an exception, or error_type and error_message.")
        return None
    return records.of_text(kind, message, traceback, said, *what)


def _seconds(timeout: object) -> float:
    """Return for how long to wait; what is no such number is told, and means not at all."""
    try:
        seconds = float(timeout)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if math.isnan(seconds):
        say(f"timeout must be a number of seconds, not {text_of(timeout, repr)[:80]}: nothing is waited for.")
        return 0.0
    return min(max(seconds, 0.0), _MAX_SECONDS)


def _environment_repo() -> str | None:
    return env.read("GITHUB_REPO", "GITHUB_REPOSITORY")
