"""Errors of an application, logged by whatever logger is handed in: at one place each, so that ways can be compared."""

from __future__ import annotations


class CardError(Exception):
    """A class of the application's own."""


class Card:
    """Something with a method, whose class a text does not tell."""

    def charge(self):
        """Fail."""
        raise CardError("declined: 51")


def charged_in_a_chain():
    """Fail for a reason."""
    try:
        {}["card"]
    except KeyError as error:
        raise CardError("no card") from error


def charged_in_a_group():
    """Fail in several ways at once."""
    errors = []
    for act in (Card().charge, charged_in_a_chain):
        try:
            act()
        except CardError as error:
            errors.append(error)
    raise ExceptionGroup("all failed", errors)


def fail(log, act):
    """Log what `act` raises, with a context."""
    try:
        act()
    except Exception:
        log.exception("charge failed", order=7)


def fail_as_error(log, act):
    """The same by ``error``."""
    try:
        act()
    except Exception:
        log.error("charge failed", exc_info=True, order=7)  # noqa: G201 - the form that is compared


def complain(log, act):
    """Log an error without an exception."""
    log.error("charge failed", order=7)


class Plain:
    """The plain call: keywords are its ``extra``, and its place is that of the caller."""

    def __init__(self, log):
        self.log = log

    def _call(self, method, message, exc_info=None, **extra):
        getattr(self.log, method)(message, exc_info=exc_info, extra=extra, stacklevel=3)

    def error(self, message, **said):
        """As of a logger."""
        self._call("error", message, **said)

    def exception(self, message, **said):
        """As of a logger."""
        self._call("error", message, **{"exc_info": True} | said)


CASES = {
    "exception": (fail, Card().charge),
    "exc_info": (fail_as_error, Card().charge),
    "no exception": (complain, None),
    "chained": (fail, charged_in_a_chain),
    "group": (fail, charged_in_a_group),
}

_COMPARED = ("error_type", "error_module", "error_message", "module", "function", "level", "logger", "message",
             "template", "additional_info", "component", "fingerprint", "mechanism", "thread")  # fmt: skip


def compared(event, *, without=()):
    """Return what has to be the same whatever way an event came."""
    found = {key: event[key] for key in _COMPARED if key not in without}
    return found | _errors(event)


def _errors(part):
    frames = [(one["file"], one["function"].rpartition(".")[2], one["line"], one["code"]) for one in part["frames"]]
    return {
        "kind": (part["error_type"], part["error_module"], part["error_message"]),
        "relation": part.get("relation"),
        "frames": frames,
        "causes": [_errors(one) for one in part.get("causes", ())],
        "exceptions": [_errors(one) for one in part.get("exceptions", ())],
    }
