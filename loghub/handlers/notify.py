"""`NotifyHandler`: chats, SMS, push and whatever else apprise knows, each channel on its own.

Guarantee: at least once. apprise does not say whether a channel took a notice before it hung up.
"""

from __future__ import annotations

import difflib
import hashlib
import logging
import re
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from loghub import capture, history, notice, options
from loghub.delivery import leases
from loghub.errors import DeliveryError, MissingExtraError, OptionValueError
from loghub.handlers.digest import DigestHandler, is_news, level_option
from loghub.handlers.fanout import Branch, FanOutHandler
from loghub.scrub.own import hide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loghub.delivery.batch import Batch
    from loghub.history import Outlook
    from loghub.ledger.protocol import Item

CALL_SECONDS = 30.0
"""A channel that takes longer is tried again later; meanwhile the others are told."""

MOST_OUTLOOKS = 100
"""Of so many bugs in a digest it is asked what they do."""

_POLL_SECONDS = 0.02
_WORDS = ("new", "spike", "milestones")
_MILESTONES = tuple(10**power for power in range(1, 16))
_SECRET_CHARS = 8

_RULE = rf"({'|'.join(_WORDS)}|[1-9][0-9]{{0,14}})"
Rules = Annotated[
    str | int | Sequence[str | int],
    options.Takes(
        type=["string", "integer", "array"],
        minimum=1,
        pattern=rf"^[\s,]*{_RULE}([\s,]+{_RULE})*[\s,]*$",
        items={"type": ["string", "integer"], "minimum": 1, "pattern": f"^{_RULE}$"},
        minItems=1,
    ),
]


class NotifyHandler(FanOutHandler["Channel"]):
    """Tells channels that apprise knows (extra ``notify``), one digest for many errors.

    Each address is a destination of its own: one that fails is tried again while the others are told.

    Args:
        urls: Addresses as apprise has them, such as ``slack://...``; a list, or one text with spaces between.
        only: Tell only of bugs that are ``new``; that ``spike``; that reach 10, 100, 1000 ... occurrences
            (``milestones``) or a number that is given here. A word, a number, or a list. Default: tell of all, as
            mails do.
        capacity: As soon as so many new bugs wait, a notice goes.
        flush_interval: A new bug is told at once if no notice went out for that many seconds; else then, with all
            that waits.
        flushLevel: A new bug of this level is told at once.
        notices_per_hour: The limit for each channel, for all processes of a ledger.
        rest: What every reporting handler takes: `level`, `home`, `ledger`, `shutdown_timeout`.

    Raises:
        MissingExtraError: apprise is not installed.
        UnknownOptionError: An option that does not exist.
        OptionValueError: A value is malformed; an address is not shown, since it holds secrets.
    """

    needs = "NotifyHandler needs urls, the addresses of channels, to tell anybody."

    def __init__(
        self,
        *,
        urls: str | Sequence[str] | None = (),
        only: Rules | None = None,
        capacity: options.AtLeastOne = 100,
        flush_interval: float = 60.0,
        flushLevel: options.Level = logging.CRITICAL,
        notices_per_hour: options.AtLeastOne = 30,
        **rest: Any,
    ) -> None:
        addresses = _addresses(self, urls)
        rules = _rules(self, only)
        shared: dict[str, Any] = {
            "capacity": options.whole(self, "capacity", capacity, 1),
            "flush_interval": options.number(self, "flush_interval", flush_interval),
            "flushLevel": level_option(self, "flushLevel", flushLevel),
            "notices_per_hour": options.whole(self, "notices_per_hour", notices_per_hour, 1),
        }
        super().__init__(**rest)
        given = {"level": self.level} | {name: rest[name] for name in _SHARED if name in rest}
        made = [Channel(service, address, rules, **shared, **given) for address, service in addresses.items()]
        self.branch_off(made)


_SHARED = ("home", "ledger", "shutdown_timeout")


class Channel(DigestHandler, Branch):
    """One address as a destination. Its name shows the kind of service; the rest of an address is secret."""

    what = "notices"
    limit = "notices_per_hour"

    def __init__(
        self,
        service: Any,
        address: str,
        only: frozenset[str | int],
        *,
        capacity: int,
        flush_interval: float,
        flushLevel: int | str,
        notices_per_hour: int,
        **rest: Any,
    ) -> None:
        self.service = service
        self.only = only
        mark = hashlib.sha256(address.encode()).hexdigest()[:8]
        rule = "".join(f":{one}" for one in sorted(only, key=str))
        self.destination = f"notify:{address.partition('://')[0].lower()}/{mark}{rule}"
        self._call: _Call | None = None
        super().__init__(capacity, flush_interval, flushLevel, notices_per_hour, **rest)

    def _patience(self, item: Item) -> float:
        # What is not wanted is not sent, so looking often wears nobody out.
        return self.flush_interval if self.only else super()._patience(item)

    def deliver(self, batch: Batch) -> None:
        """Tell the channel of what it wants to hear of; the rest counts as told."""
        if self.only:
            outlooks = self._outlooks(batch)
            for item in list(batch.items):
                if not self._is_wanted(item, outlooks.get(item.group.fingerprint)):
                    batch.done(item)
                    batch.items.remove(item)
        if batch.items:
            super().deliver(batch)

    def _outlooks(self, batch: Batch) -> Mapping[str, Outlook]:
        groups = [item.group for item in batch.items[:MOST_OUTLOOKS]]
        return history.outlooks(batch.ledger, groups, batch.now)

    def _is_wanted(self, item: Item, outlook: Outlook | None) -> bool:
        spike = outlook.spike if outlook is not None else None
        if "new" in self.only and is_news(item):
            return True
        if "spike" in self.only and spike is not None and item.memory.get("spike") != spike.since:
            item.memory["spike"] = spike.since  # once for each
            return True
        steps = [one for one in self.only if isinstance(one, int)]
        steps += _MILESTONES if "milestones" in self.only else ()
        return any(item.total - item.count < step <= item.total for step in steps)

    def send(self, batch: Batch) -> None:
        """Send one notice about the whole batch.

        Raises:
            DeliveryError: The channel did not take it.
        """
        title, body = notice.compose(
            batch.items,
            outlooks=self._outlooks(batch),
            title_room=self.service.title_maxlen,
            body_room=self.service.body_maxlen,
        )
        grave = any(item.level >= logging.CRITICAL for item in batch.items)
        batch.renew()
        self._tell(title, body, "failure" if grave else "warning")
        bugs = "1 error" if len(batch.items) == 1 else f"{len(batch.items)} errors"
        self.say(logging.INFO, f"told {self.destination} of {bugs}.")

    @property
    def service_name(self) -> str:
        """Which service it is."""
        return str(self.service.service_name)

    def _tell(self, title: str, body: str, kind: str) -> None:
        if self._call is not None and self._call.is_alive():
            raise DeliveryError(f"{self.destination} has not answered to the notice before yet.")
        self._call = call = _Call(self.service, title, body, kind)
        try:
            call.start()
        except RuntimeError:  # the interpreter ends: no thread can be started any more
            call.run()
        until = time.monotonic() + CALL_SECONDS
        while call.is_alive() and time.monotonic() < until:
            leases.pause(_POLL_SECONDS)
        if call.is_alive():
            raise DeliveryError(f"{self.destination} did not answer within {CALL_SECONDS:g} s.")
        if not call.taken:
            raise DeliveryError(f"{self.destination} did not take a notice: {call.reason}")


class _Call(threading.Thread):
    """One notice on its way: a service that hangs costs a thread, and keeps nobody waiting."""

    def __init__(self, service: Any, title: str, body: str, kind: str) -> None:
        super().__init__(name="loghub-notify", daemon=True)
        self.taken = False
        self.words: list[str] = []
        self._what = service, title, body, kind

    @property
    def reason(self) -> str:
        """What apprise said about it."""
        return " ".join(self.words) or "apprise does not say why."

    def run(self) -> None:
        service, title, body, kind = self._what
        me = threading.get_ident()
        ours = me not in capture.muted_threads  # at the interpreter's end it is the delivery thread itself
        capture.muted_threads.add(me)
        _listening[me] = self.words
        try:
            self.taken = bool(service.notify(title=title, body=body, notify_type=kind, body_format="text"))
        except Exception as error:
            self.words.append(f"{type(error).__name__}: {capture.text_of(error)}")
        finally:
            _listening.pop(me, None)
            if ours:
                capture.muted_threads.discard(me)


_listening: dict[int, list[str]] = {}
"""What apprise says in a thread of ours, by the thread."""


class _Overheard(logging.Filter):
    """What apprise logs about a notice of ours is the reason for a failure, and shown nowhere else."""

    def filter(self, record: logging.LogRecord) -> bool:
        words = _listening.get(record.thread or 0)
        if words is None:
            return True
        if record.levelno >= logging.WARNING and len(words) < 5:
            words.append(record.getMessage()[:300])
        return False


# --- reading the options


def _addresses(owner: object, value: object) -> dict[str, Any]:
    """Return apprise's service for each address."""
    read = [] if value is None else options.plain(value)
    if isinstance(read, str):
        read = read.split()
    if not isinstance(read, list) or not all(isinstance(one, str) and one.strip() for one in read):
        raise OptionValueError(
            f"{type(owner).__name__}: option 'urls' must be a list of addresses, as apprise has them."
        )
    return {one.strip(): _service(owner, number, one.strip()) for number, one in enumerate(read, 1)}


def _service(owner: object, number: int, address: str) -> Any:
    try:
        import apprise
    except ImportError as error:
        raise MissingExtraError(
            f"{type(owner).__name__} needs apprise: pip install 'loghub-handlers[notify]'."
        ) from error
    logger = logging.getLogger("apprise")
    if not any(isinstance(one, _Overheard) for one in logger.filters):
        logger.addFilter(_Overheard())
    me = threading.get_ident()
    _listening[me] = []  # why an address is malformed is said by apprise with the address
    try:
        asset = apprise.AppriseAsset(app_id="loghub", app_desc="loghub", async_mode=False)
        service = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    finally:
        _listening.pop(me, None)
    scheme = address.partition("://")[0] if "://" in address else ""
    if service is None:
        raise OptionValueError(f"{type(owner).__name__}: option 'urls', entry {number}: {_wrong(apprise, scheme)}.")
    made: Any = service
    _hide_parts(address, made.url(privacy=True))
    return made


def _wrong(apprise: Any, scheme: str) -> str:
    if not re.fullmatch(r"[\w+-]{2,30}", scheme):
        return "an address has the form service://..., such as slack://TOKEN/#channel"
    known = {str(one) for one in apprise.Apprise.schemas()} if hasattr(apprise.Apprise, "schemas") else set()
    known = known or set(apprise.plugins.N_MGR.schemas())
    if scheme.lower() in known:
        return f"{scheme}://... lacks something that this service needs, see its page in apprise's documentation"
    near = difflib.get_close_matches(scheme.lower(), known, n=1)
    if not near:  # it may be a token in the wrong place
        return "apprise knows no service of that name; an address has the form service://..."
    return f"apprise knows no service {scheme}://; did you mean {near[0]}://?"


def _hide_parts(address: str, shown: str) -> None:
    """Keep what apprise itself does not show of an address out of everything that loghub says."""
    hide(address)
    for part in re.split(r"[/:@?&=#,\s]+", address.partition("://")[2]):
        if len(part) >= _SECRET_CHARS and part not in shown:
            hide(part)


def _rules(owner: object, value: object) -> frozenset[str | int]:
    read = options.plain(value)
    if read is None:
        return frozenset()
    if isinstance(read, str):
        read = [part for part in re.split(r"[\s,]+", read) if part]
    listed = read if isinstance(read, list) else [read]
    rules = {one if one in _WORDS else _count(owner, one) for one in listed}
    if not rules:
        options.refuse(owner, "only", value, f"{', '.join(_WORDS)}, a number of occurrences, or a list of these")
    return frozenset(rules)


def _count(owner: object, value: object) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[1-9]\d{0,14}", str(value)):
        options.refuse(owner, "only", value, f"{', '.join(_WORDS)}, a number of occurrences, or a list of these")
    return int(str(value))
