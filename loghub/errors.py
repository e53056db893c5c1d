"""What loghub raises, drawn as a tree.

::

    LoghubError
      UnknownOptionError     TypeError    an option that no handler of this class has
      OptionValueError       ValueError   an option's value is malformed
      UnsetVariableError     ValueError   ext://loghub.env.NAME, and NAME is not set
      MissingExtraError      ImportError  an optional dependency is not installed
      BadCursorError         ValueError   a list is to go on at a place that there is not
      BadFilterError         ValueError   what is looked for is written in a way that means nothing
      AmbiguousKeyError      ValueError   the beginning of a fingerprint or an id is that of several
      ActionError             ValueError   what a person has asked for cannot be done
      BadReportError         ValueError   what a browser posted is no report
      DetailFileError                     a file is no detail file, or a damaged one
      ProcedureError                      a recovery procedure did not help, and says why
      LedgerError                         the ledger cannot be used
      DeliveryError                       not delivered now, try again later
        RefusedError                      never deliverable as it is: a dead letter

Every message is one sentence that says what is wrong and what to do about it.
"""

from __future__ import annotations


class LoghubError(Exception):
    """The base of everything that loghub raises on purpose."""


class UnknownOptionError(LoghubError, TypeError):
    """A handler was given an option that it does not have."""


class OptionValueError(LoghubError, ValueError):
    """A handler was given a value that its option cannot take."""


class UnsetVariableError(LoghubError, ValueError):
    """An environment variable that the configuration names is not set."""


class MissingExtraError(LoghubError, ImportError):
    """A feature needs a package that is not installed; the message names the extra."""


class BadCursorError(LoghubError, ValueError):
    """A list is to go on at a place that is none of it."""


class BadFilterError(LoghubError, ValueError):
    """What is looked for is written in a way that means nothing."""


class AmbiguousKeyError(LoghubError, ValueError):
    """The beginning of a fingerprint or an id is that of several."""


class ActionError(LoghubError, ValueError):
    """What a person has asked for cannot be done."""


class BadReportError(LoghubError, ValueError):
    """What a browser, or a stranger, posted is no report; the message may be shown to whoever posted it."""


class DetailFileError(LoghubError):
    """A file is no detail file, or a damaged one."""


class ProcedureError(LoghubError):
    """A recovery procedure did not help; the message is the sentence that is logged and kept with the bug."""


class LedgerError(LoghubError):
    """The ledger is corrupt, newer than this loghub, or out of reach."""


class DeliveryError(LoghubError):
    """A destination could not be told now.

    Args:
        reason: One sentence for a person.
        retry_after: Seconds that the destination asked to be left alone, or None for the usual backoff.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RefusedError(DeliveryError):
    """A destination will never take this as it is; it becomes a dead letter that a person can see."""
