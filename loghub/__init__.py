"""One GitHub issue per bug, from plain `logging`.

Names resolve on first use: importing loghub loads no network, SMTP or database module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from loghub.filters import EventFilter
    from loghub.formatters import JsonFormatter
    from loghub.handlers.breadcrumb import BreadcrumbHandler
    from loghub.handlers.detailfile import JSONDetailHandler
    from loghub.handlers.github import GitHubIssueHandler
    from loghub.handlers.notify import NotifyHandler
    from loghub.handlers.recovery import RecoveryHandler
    from loghub.handlers.rotatingfile import RotatingFileHandler
    from loghub.handlers.smtp import BatchingSMTPHandler
    from loghub.handlers.uncaught import UncaughtHandler
    from loghub.section import from_error_handling_section
    from loghub.seeds.error_handling import attempt_recovery, get_error_statistics, get_recent_errors, log_error
    from loghub.seeds.error_reporter import ErrorReporter, flush, get_error_reporter, report_error

_HOME_OF = {
    "BatchingSMTPHandler": "loghub.handlers.smtp",
    "BreadcrumbHandler": "loghub.handlers.breadcrumb",
    "ErrorReporter": "loghub.seeds.error_reporter",
    "EventFilter": "loghub.filters",
    "GitHubIssueHandler": "loghub.handlers.github",
    "JSONDetailHandler": "loghub.handlers.detailfile",
    "JsonFormatter": "loghub.formatters",
    "NotifyHandler": "loghub.handlers.notify",
    "RecoveryHandler": "loghub.handlers.recovery",
    "RotatingFileHandler": "loghub.handlers.rotatingfile",
    "UncaughtHandler": "loghub.handlers.uncaught",
    "attempt_recovery": "loghub.seeds.error_handling",
    "flush": "loghub.seeds.error_reporter",
    "from_error_handling_section": "loghub.section",
    "get_error_reporter": "loghub.seeds.error_reporter",
    "get_error_statistics": "loghub.seeds.error_handling",
    "get_recent_errors": "loghub.seeds.error_handling",
    "log_error": "loghub.seeds.error_handling",
    "report_error": "loghub.seeds.error_reporter",
}

__all__ = [
    "BatchingSMTPHandler",
    "BreadcrumbHandler",
    "ErrorReporter",
    "EventFilter",
    "GitHubIssueHandler",
    "JSONDetailHandler",
    "JsonFormatter",
    "NotifyHandler",
    "RecoveryHandler",
    "RotatingFileHandler",
    "UncaughtHandler",
    "__version__",
    "attempt_recovery",
    "flush",
    "from_error_handling_section",
    "get_error_reporter",
    "get_error_statistics",
    "get_recent_errors",
    "log_error",
    "report_error",
]


def __getattr__(name: str) -> Any:
    try:
        module = _HOME_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
