"""`BatchingSMTPHandler`: one mail for many errors.

Guarantee: at least once. A mail whose acknowledgement was lost is sent again with the same ``Message-ID``. Whom the
server puts off while it takes the mail for others is owed the same mail, and gets it later (`loghub.mailserver.owed`).
"""

from __future__ import annotations

import hashlib
import logging
import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any, cast

from loghub import history, mail, options
from loghub.delivery.leases import LeaseLostError
from loghub.errors import DeliveryError, LedgerError, OptionValueError, RefusedError
from loghub.handlers.digest import DigestHandler
from loghub.mail.template import templates
from loghub.mailserver.options import Credentials, MailHost, Patience, Secure, server_of
from loghub.mailserver.owed import MOST_BYTES, MOST_MAILS, OWED, Owed, OwedMail
from loghub.mailserver.server import Answer, needs_utf8
from loghub.scrub.own import hide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from email.message import EmailMessage
    from email.policy import EmailPolicy

    from loghub.delivery.batch import Batch
    from loghub.history import Outlook
    from loghub.ledger.protocol import Item, Ledger

_MOST_FAULTS = 20
"""So many different ones are said."""

_ADDRESS = re.compile(r"[^\s\x00-\x20\x7f<>()\[\],;:\\\"@]+(@[^\s\x00-\x20\x7f<>()\[\],;\\\"@]+)?")


class BatchingSMTPHandler(DigestHandler):
    """Mails errors: one mail for many, one entry per bug, with its count since the last mail.

    Takes what `logging.handlers.SMTPHandler` takes, in its order, and never sends in the thread that logs.

    Args:
        mailhost: ``host``, ``host:port`` or ``[host, port]``; port 25, or 465 with `secure` ``ssl``. Without
            it nothing is sent, and what waits can be seen.
        fromaddr: The sender, with or without a name.
        toaddrs: The recipients, as a list or in one string with commas.
        subject: A template; knows component, type, module, errors, occurrences, level, environment, release, trend.
            Default: ``{component} Error: {type} in {module}`` for one bug,
            ``{component}: {errors} errors, {occurrences} occurrences`` for more.
        credentials: ``[user, password]``.
        secure: ``starttls``, ``ssl`` (TLS from the first byte) or ``none``; as in the stdlib also ``[]``,
            ``[file with key and certificate]`` or ``[keyfile, certfile]`` for STARTTLS. Default: ``ssl`` on
            port 465, else STARTTLS if there are credentials and the server offers it. Certificates are
            verified.
        timeout: Seconds to wait for each answer of the server; for the acknowledgement of a mail four times that.
        capacity: A mail is sent as soon as that many new bugs wait.
        flush_interval: A new bug is mailed at once if no mail went out for that many seconds; else then, with all
            that waits. The count of a known bug waits for such a mail, or longer.
        flushLevel: A new bug of this level is mailed at once, with all that waits.
        mails_per_hour: The limit for all processes of a ledger.
        html: Whether the mail has an HTML alternative.
        template: A file with a template for the text part, read once.
        html_template: The same for the HTML part.
        ca_file: A file with the certificates (PEM) of the CAs that may have signed the server's, in place of those that
            this machine trusts.
        rest: What every reporting handler takes: `level`, `home`, `ledger`, `shutdown_timeout`.

    Raises:
        UnknownOptionError: An option that does not exist.
        OptionValueError: A value that an option cannot take.
        MissingExtraError: A template is written for Jinja, which is not installed.
    """

    needs = "BatchingSMTPHandler needs a mailhost to send mails to."
    what = "mails"
    limit = "mails_per_hour"

    def __init__(  # noqa: PLR0917  the order of logging.handlers.SMTPHandler
        self,
        mailhost: MailHost | None = None,
        fromaddr: str | Sequence[str] | None = None,
        toaddrs: str | Sequence[str] | None = None,
        subject: str | None = None,
        credentials: Credentials | None = None,
        secure: Secure | None = None,
        timeout: Patience = 5.0,
        *,
        capacity: options.AtLeastOne = 100,
        flush_interval: float = 60.0,
        flushLevel: options.Level = logging.CRITICAL,
        mails_per_hour: options.AtLeastOne = 30,
        html: bool = True,
        template: str | None = None,
        html_template: str | None = None,
        ca_file: str | None = None,
        **rest: Any,
    ) -> None:
        self.subject = _subject(self, subject)
        self.html = options.flag(self, "html", html)
        self.template, self.html_template = templates(self, template, html_template)
        self._faults: set[str] = set()
        self.sender = _sender(self, fromaddr)
        self.recipients = _addresses(self, "toaddrs", toaddrs)
        self.server = server_of(
            self, mailhost=mailhost, secure=secure, credentials=credentials, timeout=timeout, ca_file=ca_file
        )
        if self.server:
            if self.server.credentials:
                hide(self.server.credentials[1])
            for name, value in (("fromaddr", fromaddr), ("toaddrs", self.recipients)):
                if not value:
                    raise OptionValueError(f"{type(self).__name__}: with a mailhost, {name!r} must be set too.")
            self.destination = f"smtp:{self.server}/{_crowd(self.recipients)}"
        super().__init__(capacity, flush_interval, flushLevel, mails_per_hour, **rest)

    def compose(self, items: Sequence[Item], now: float, ledger: Ledger | None = None) -> EmailMessage:
        """Return the mail about `items` as it would be sent at `now`, with or without a mailhost.

        Args:
            items: What it tells.
            now: Epoch seconds.
            ledger: Knows what the occurrences of each bug do; None: that is not said.

        Raises:
            LedgerError: The ledger does not answer. What it cannot write down had better not be sent.
        """
        return mail.compose(
            items,
            fromaddr=str(self.sender),
            toaddrs=[str(address) for address in self.recipients] or [str(self.sender)],
            subject=self.subject,
            html=self.html,
            destination=self.destination or "smtp:",
            now=now,
            names_host=self.names_host,
            outlooks=self._outlooks(items, now, ledger) if ledger else {},
            template=self.template,
            html_template=self.html_template,
            on_fault=self._tell_once,
        )

    def _outlooks(self, items: Sequence[Item], now: float, ledger: Ledger) -> Mapping[str, Outlook]:
        try:
            told = mail.in_order(items)[: mail.MOST_BUGS]
            return history.outlooks(ledger, [item.group for item in told], lambda: now)
        except LedgerError:
            raise
        except Exception as error:  # what counts do is worth less than the mail
            self._tell_once(f"the trend of errors cannot be told in mails ({error!r}).")
            return {}

    def _tell_once(self, reason: str) -> None:
        if reason not in self._faults and len(self._faults) < _MOST_FAULTS:
            self._faults.add(reason)
            self.say(logging.WARNING, reason)

    def handshake(self) -> None:
        """Connect, encrypt and log in as for a mail, but send none.

        Raises:
            DeliveryError: What stands in the way, in one sentence.
        """
        if self.server:
            with self.server.session(names_host=self.names_host) as session:
                session.connect()

    def deliver(self, batch: Batch) -> None:
        """Send what recipients are still owed and is due, then one mail about the batch, over one connection."""
        assert self.server is not None
        with self.server.session(names_host=self.names_host, before=batch.renew) as self._session:
            self._pay(batch)
            if batch.items:
                super().deliver(batch)

    def send(self, batch: Batch) -> None:
        """Send one mail about the whole batch.

        Raises:
            DeliveryError: The mail could not be sent now.
            RefusedError: The server will not take this mail.
        """
        self._session.connect()  # a mail that cannot go now need not be made
        message = self.compose(batch.items, batch.now(), batch.ledger)
        untold, recipients = self._reachable()
        if untold:
            message.replace_header("To", ", ".join(str(address) for address in recipients))
        sender, specs = self.sender.addr_spec, [address.addr_spec for address in recipients]
        content = _as_bytes(message, utf8=needs_utf8(sender, *specs))
        refused = self._session.send(sender, specs, content)
        if len(refused) == len(specs):
            assert self.server is not None
            raise self.server.refusal(list((refused | untold).values()), "the recipients")
        # What is owed is written down before the errors count as told: who dies in between sends them once more.
        later = [address for address, answer in refused.items() if not answer.is_final]
        if later:
            self._owe(batch, OwedMail.put_off(str(message["Message-ID"]), sender, later, content, batch.now()))
        self._tell(len(batch.items), [spec for spec in specs if spec not in refused], untold | refused)

    def _tell(self, bugs: int, told: Sequence[str], refused: Mapping[str, Answer]) -> None:
        self.say(logging.INFO, f"mailed {'1 error' if bugs == 1 else f'{bugs} errors'} to {', '.join(told)}.")
        for address, answer in refused.items():
            after = "" if answer.is_final else "; it is offered again later"
            self.say(logging.WARNING, f"{self.server} did not take a mail for {address}: {answer.words}{after}")

    def _reachable(self) -> tuple[dict[str, Answer], tuple[Address, ...]]:
        """Return who cannot be told by this server, and who can; domains are in ASCII already, names may not be."""
        specs = [address.addr_spec for address in self.recipients]
        if not needs_utf8(self.sender.addr_spec, *specs) or self._session.offers("smtputf8"):
            return {}, self.recipients
        untold = {spec: Answer(550, "the server has no SMTPUTF8") for spec in specs if needs_utf8(spec)}
        if len(untold) == len(specs) or needs_utf8(self.sender.addr_spec):
            raise RefusedError(f"{self.server} offers no SMTPUTF8, which the addresses of this mail need.")
        return untold, tuple(address for address in self.recipients if address.addr_spec not in untold)

    # What some recipients are owed ----------------------------------------------------------------------

    def _pay(self, batch: Batch) -> None:
        """Offer the mails that are owed and due again; whoever was put off meanwhile is not asked twice."""
        owed = self._owed(batch)
        self._wake(batch, owed)
        put_off: dict[str, Answer] = {}
        for each in owed.due(batch.now()):
            if not self._session.has_time:
                break  # for the rest; what is new has to be told, too
            # First it is put off in any case: should the server break off because of it, it stands in nobody's way.
            batch.renew()
            is_in_time = each.again(batch.now())
            self._keep(batch, owed)
            asked = [address for address in each.recipients if address not in put_off]
            answers = self._offer(each, asked) if asked else {}
            put_off |= {address: answer for address, answer in answers.items() if not answer.is_final}
            each.recipients = [address for address in each.recipients if address in put_off]
            if not (each.recipients and is_in_time):
                owed.mails.remove(each)
                said = {address: put_off[address].words for address in each.recipients}
                self._give_up({address: f"for two days it says {words}" for address, words in said.items()})
            self._keep(batch, owed)

    def _offer(self, owed: OwedMail, recipients: Sequence[str]) -> dict[str, Answer]:
        """Send what is owed, say who got it and who never will, and return who did not."""
        try:
            answers = self._session.send(owed.sender, recipients, owed.content)
        except RefusedError as error:
            answers = dict.fromkeys(recipients, Answer(550, str(error)))
        except LeaseLostError:
            raise
        except DeliveryError as error:
            if not self._session.is_open:
                raise
            answers = dict.fromkeys(recipients, Answer(450, str(error)))
        told = [address for address in recipients if address not in answers]
        if told:
            self.say(logging.INFO, f"mailed what was put off to {', '.join(told)}.")
        self._give_up({address: answer.words for address, answer in answers.items() if answer.is_final})
        return answers

    def _owe(self, batch: Batch, one: OwedMail) -> None:
        owed = self._owed(batch)
        for gone in owed.add(one):
            reason = f"more than {MOST_MAILS} mails, or {MOST_BYTES >> 20} MB, are owed"
            self._give_up(dict.fromkeys(gone.recipients, reason))
        self._keep(batch, owed)
        batch.save_memory()

    def _owed(self, batch: Batch) -> Owed:
        return Owed(batch.shared(f"{self.destination}{OWED}"), batch.now())

    def _keep(self, batch: Batch, owed: Owed) -> None:
        """Write down what is owed, and when this handler is to be woken for it."""
        batch.share(f"{self.destination}{OWED}", owed.memory())
        self._wake(batch, owed)

    def _wake(self, batch: Batch, owed: Owed) -> None:
        if owed.wake_at is None:
            batch.memory.pop("wake_at", None)
        else:
            batch.memory["wake_at"] = owed.wake_at

    def _give_up(self, reasons: Mapping[str, str]) -> None:
        for address, reason in reasons.items():
            self.say(logging.WARNING, f"a mail for {address} was put off by {self.server} and is given up: {reason}")


def _as_bytes(message: EmailMessage, *, utf8: bool) -> bytes:
    """Return a mail as it travels; `utf8` leaves what is not ASCII in its headers as it is."""
    return message.as_bytes(policy=cast("EmailPolicy", message.policy).clone(linesep="\r\n", utf8=utf8))


# --- reading the options


def _subject(owner: object, value: object) -> str | None:
    if value is None:
        return None
    template = options.text(owner, "subject", value)
    fault = mail.subject_fault(template)
    return options.refuse(owner, "subject", value, fault) if fault else template


def _addresses(owner: object, name: str, value: object) -> tuple[Address, ...]:
    """Return mail addresses, internationalized domains in ASCII; one string is split at commas."""
    listed = [] if value is None or value == "" else options.plain(value)
    listed = [listed] if isinstance(listed, str) else listed
    right = "mail addresses, such as ops@example.com or Ops <ops@example.com>"
    if not isinstance(listed, list) or not all(isinstance(each, str) and each.strip() for each in listed):
        options.refuse(owner, name, value, right)
    found = [_address(*pair, listed) for pair in getaddresses(listed)]
    if not all(found) or not all(each.isprintable() for each in listed):
        options.refuse(owner, name, value, right)
    return tuple({address.addr_spec: address for address in found if address}.values())


def _sender(owner: object, value: object) -> Address:
    found = _addresses(owner, "fromaddr", value)
    if len(found) > 1:
        options.refuse(owner, "fromaddr", value, "a single address")
    return found[0] if found else Address("loghub", "loghub", "localhost")


def _address(display_name: str, spec: str, listed: list[str]) -> Address | None:
    # A bare name is a mailbox of the server only if it stands alone: getaddresses also finds one in the first
    # half of an unquoted "Doe, Jane <jane@example.com>".
    if not _ADDRESS.fullmatch(spec) or ("@" not in spec and spec not in listed):
        return None
    user, _, domain = spec.partition("@")
    try:
        # A header's encoded words (RFC 2047) are decoded wherever a name or an address is read, to anything.
        name = str(make_header(decode_header(display_name)))
        address = Address(name, user, domain.encode("idna").decode())
    except (ValueError, LookupError, HeaderParseError):
        return None
    is_right = name.isprintable() and "=?" not in name + spec and re.fullmatch(r"[\w.-]*", address.domain, re.ASCII)
    return address if is_right else None


def _crowd(recipients: Sequence[Address]) -> str:
    """Name the recipients: stable whatever their order, and short however many they are."""
    specs = sorted({address.addr_spec.lower() for address in recipients})
    if len(specs) == 1:
        return specs[0]
    return f"{specs[0]}+{len(specs) - 1}-{hashlib.sha256(','.join(specs).encode()).hexdigest()[:8]}"
