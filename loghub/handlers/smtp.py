"""`BatchingSMTPHandler`: one mail for many errors.

Guarantee: at least once. A mail whose acknowledgement was lost is sent again with the same ``Message-ID``.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import re
import smtplib
import socket
import ssl
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any

from loghub import history, mail, options
from loghub.errors import DeliveryError, LedgerError, OptionValueError, RefusedError
from loghub.handlers.digest import DigestHandler
from loghub.mail.template import templates
from loghub.scrub import Scrubber
from loghub.scrub.own import hide

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from email.message import EmailMessage

    from loghub.delivery import Batch
    from loghub.history import Outlook
    from loghub.ledger.protocol import Item, Ledger

# Login and encryption are mended by a person, and guessing faster would lock an account.
_MEND_SECONDS = 900.0
_MENDABLE = frozenset({530, 534, 535, 538})
# Servers look into a mail before they acknowledge it (RFC 5321, section 4.5.3.2.6, grants ten minutes), and
# who gives up too early sends it twice. But other destinations wait meanwhile, and a lease ends.
_PATIENCE = 4.0
_PATIENCE_SECONDS = 30.0

_MOST_FAULTS = 20
"""So many different ones are said."""

_HOST = re.compile(r"[^\s\[\]/@]+")
_ADDRESS = re.compile(r"[^\s\x00-\x20\x7f<>()\[\],;:\\\"@]+(@[^\s\x00-\x20\x7f<>()\[\],;\\\"@]+)?")


class BatchingSMTPHandler(DigestHandler):
    """Mails errors: one mail for many, one entry per bug, with its count since the last mail.

    Takes what `logging.handlers.SMTPHandler` takes, in its order, and never sends in the thread that logs.

    Args:
        mailhost: ``host``, ``host:port`` or ``[host, port]``; port 25, or 465 with `secure` ``ssl``. Without
            it nothing is sent, and what waits can be seen.
        fromaddr: The sender, with or without a name.
        toaddrs: The recipients, as a list or in one string with commas.
        subject: A template with `loghub.mail.SUBJECT_NAMES`. Default: ``{component} Error: {type} in
            {module}`` for one bug, ``{component}: {errors} errors, {occurrences} occurrences`` for more.
        credentials: ``[user, password]``.
        secure: ``starttls``, ``ssl`` (TLS from the first byte) or ``none``; as in the stdlib also ``[]``,
            ``[file with key and certificate]`` or ``[keyfile, certfile]`` for STARTTLS. Default: ``ssl`` on
            port 465, else STARTTLS if there are credentials and the server offers it. Certificates are
            verified; the environment variable ``SSL_CERT_FILE`` can name a CA of your own.
        timeout: Seconds to wait for each answer of the server.
        capacity: A mail is sent as soon as that many new bugs wait.
        flush_interval: A new bug is mailed at once if no mail went out for that many seconds; else then, with all
            that waits. How long the count of a known bug waits for such a mail says `loghub.handlers.digest`.
        flushLevel: A new bug of this level is mailed at once, with all that waits.
        mails_per_hour: The limit for all processes of a ledger.
        html: Whether the mail has an HTML alternative.
        template: A file with a template for the text part, read once: `docs/mail_templates.md` tells what it can name.
        html_template: The same for the HTML part.
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
        mailhost: str | Sequence[Any] | None = None,
        fromaddr: str | None = None,
        toaddrs: str | Sequence[str] | None = None,
        subject: str | None = None,
        credentials: Sequence[str] | None = None,
        secure: str | Sequence[str] | None = None,
        timeout: float = 5.0,
        *,
        capacity: int = 100,
        flush_interval: float = 60.0,
        flushLevel: int | str = logging.CRITICAL,
        mails_per_hour: int = 30,
        html: bool = True,
        template: str | None = None,
        html_template: str | None = None,
        **rest: Any,
    ) -> None:
        self.subject = _subject(self, subject)
        self.html = options.flag(self, "html", html)
        self.template, self.html_template = templates(self, template, html_template)
        self._faults: set[str] = set()
        self.sender = _sender(self, fromaddr)
        self.recipients = _addresses(self, "toaddrs", toaddrs)
        self.server = _server(self, mailhost, secure, credentials, timeout)
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
            with self.server.session(names_host=self.names_host):
                pass

    def send(self, batch: Batch) -> None:
        """Send one mail about the whole batch.

        Raises:
            DeliveryError: The mail could not be sent now.
            RefusedError: The server will not take this mail.
        """
        assert self.server is not None
        message = self.compose(batch.items, batch.now(), batch.ledger)
        batch.renew()
        with self.server.session(names_host=self.names_host) as smtp:
            batch.renew()
            refused = self._send(smtp, message)
        self._tell(len(batch.items), refused)

    def _send(self, smtp: smtplib.SMTP, message: EmailMessage) -> dict[str, str]:
        """Send `message` to everybody whom the server takes; return the others with its words about them."""
        assert self.server is not None
        refused: dict[str, str] = {}
        recipients = self.recipients
        if not smtp.has_extn("smtputf8"):
            # Internationalized domains are in ASCII already; this is about names before the @.
            untold = [address for address in recipients if not address.addr_spec.isascii()]
            refused = {address.addr_spec: "the server has no SMTPUTF8" for address in untold}
            recipients = tuple(address for address in recipients if address not in untold)
            if not recipients or not self.sender.addr_spec.isascii():
                raise RefusedError(f"{self.server} offers no SMTPUTF8, which the addresses of this mail need.")
            message.replace_header("To", ", ".join(str(address) for address in recipients))
        answers = smtp.send_message(message, self.sender.addr_spec, [address.addr_spec for address in recipients])
        return refused | {address: self.server.words(*answer) for address, answer in answers.items()}

    def _tell(self, bugs: int, refused: dict[str, str]) -> None:
        told = [each.addr_spec for each in self.recipients if each.addr_spec not in refused]
        self.say(logging.INFO, f"mailed {'1 error' if bugs == 1 else f'{bugs} errors'} to {', '.join(told)}.")
        for address, words in refused.items():
            self.say(logging.WARNING, f"{self.server} did not take a mail for {address}: {words}")


# --- the server


class _Patient(smtplib.SMTP):
    def data(self, msg: Any) -> tuple[int, bytes]:
        assert self.sock is not None
        usual = self.sock.gettimeout() or 0.0
        self.sock.settimeout(max(usual, min(usual * _PATIENCE, _PATIENCE_SECONDS)))
        answer = super().data(msg)
        self.sock.settimeout(usual)
        return answer


class _PatientTLS(_Patient, smtplib.SMTP_SSL):
    pass


@dataclass(frozen=True, slots=True)
class _Server:
    """A mail server and how to talk to it; what goes wrong there becomes one sentence without a secret.

    `tls` is ``ssl``, ``starttls``, ``none``, or ``offered``: STARTTLS if there is a password to protect and
    the server offers it.
    """

    host: str
    port: int
    tls: str
    key_files: tuple[str, ...]
    credentials: tuple[str, str] | None = field(repr=False)
    timeout: float

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @contextmanager
    def session(self, *, names_host: bool) -> Iterator[smtplib.SMTP]:
        """Connect, encrypt, log in, and part politely.

        Args:
            names_host: Whether the server may learn this host's name, which it writes into each mail.

        Raises:
            DeliveryError: Now it did not work.
            RefusedError: The server refused for good what was done in the session.
        """
        try:
            smtp = self._connect(socket.gethostname() if names_host else "")
            try:
                self._encrypt(smtp)
                self._log_in(smtp)
                yield smtp
                with suppress(smtplib.SMTPException, OSError):  # the mail is accepted, however they part
                    smtp.quit()
            finally:
                smtp.close()
        except (smtplib.SMTPException, OSError) as error:
            raise self._explained(error) from None

    def words(self, *answer: int | bytes | str) -> str:
        """Return the server's answer as one line, without the password should it repeat it."""
        texts = [part.decode(errors="replace") if isinstance(part, bytes) else str(part) for part in answer]
        line = " ".join(texts)
        if self.credentials:  # in base64 it stands in what was sent, too
            password = self.credentials[1]
            line = Scrubber(secrets=lambda: [password]).text(line.replace(password, "***"))
        return " ".join(re.sub(r"[^\x20-\x7e\xa0-\uffff]", " ", line).split())[:300]

    def _connect(self, host: str) -> smtplib.SMTP:
        # smtplib would ask the resolver for this host's full name, for which no timeout holds.
        name = re.sub(r"[^\w.-]", "", host, flags=re.ASCII) or "localhost"
        if self.tls == "ssl":
            return _PatientTLS(self.host, self.port, name, timeout=self.timeout, context=self._context())
        return _Patient(self.host, self.port, name, self.timeout)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self.key_files:
            _load(context, self.key_files)
        return context

    def _encrypt(self, smtp: smtplib.SMTP) -> None:
        smtp.ehlo_or_helo_if_needed()
        offered = smtp.has_extn("starttls")
        if self.tls == "starttls" and not offered:
            raise DeliveryError(
                f"{self} offers no STARTTLS, so nothing was sent; set secure: ssl if it speaks TLS from the "
                "start, or secure: none if mail may travel in the clear.",
                _MEND_SECONDS,
            )
        if self.tls == "starttls" or (self.tls == "offered" and offered and self.credentials):
            smtp.starttls(context=self._context())
            smtp.ehlo()

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        if not self.credentials:
            return
        if self.tls == "offered" and not _is_private(smtp):
            raise DeliveryError(
                f"{self} offers no encryption, so the password was not sent; set secure: none if it may "
                "travel in the clear.",
                _MEND_SECONDS,
            )
        if not smtp.has_extn("auth"):
            raise DeliveryError(
                f"{self} offers no login on this connection; leave credentials out, or set secure to what it "
                "needs for one.",
                _MEND_SECONDS,
            )
        smtp.login(*self.credentials)

    def _explained(self, error: Exception) -> DeliveryError:
        """Return what `error` means for the mail, in a sentence for a person."""
        match error:
            case smtplib.SMTPRecipientsRefused():
                return self._refusal(list(error.recipients.values()), "the recipients")
            case smtplib.SMTPSenderRefused():
                return self._refusal([(error.smtp_code, error.smtp_error)], f"the sender {error.sender}")
            case smtplib.SMTPDataError():
                return self._refusal([(error.smtp_code, error.smtp_error)], "the mail")
            case smtplib.SMTPResponseException():
                return self._turned_away(error)
        # smtplib says "hung up" where the network said more.
        cause = error.__context__ if isinstance(error.__context__, OSError) else error
        return DeliveryError(self._broken_off(cause))

    def _refusal(self, answers: Sequence[tuple[int, bytes | str]], what: str) -> DeliveryError:
        """Return RefusedError if every answer is final, else DeliveryError."""
        said = f"{self} did not take {what}: {'; '.join(sorted({self.words(*each) for each in answers}))}"
        codes = {code for code, _ in answers}
        if codes & _MENDABLE:
            return DeliveryError(said, _MEND_SECONDS)
        return RefusedError(said) if min(codes) >= 500 else DeliveryError(said)

    def _turned_away(self, error: smtplib.SMTPResponseException) -> DeliveryError:
        words = self.words(error.smtp_code, error.smtp_error)
        if isinstance(error, smtplib.SMTPAuthenticationError) and self.credentials:
            return DeliveryError(f"{self} did not let {self.credentials[0]} log in: {words}", _MEND_SECONDS)
        return DeliveryError(f"{self} does not serve: {words}")

    def _broken_off(self, error: BaseException) -> str:
        match error:
            case ssl.SSLCertVerificationError():
                fault = error.verify_message.rstrip(".")
                advice = "if its CA is your own, name the CA's file in the environment variable SSL_CERT_FILE"
                said = f"the certificate of {self} was not accepted: {fault}; {advice}."
            case ssl.SSLError():
                said = f"{self} and TLS did not work out ({error.reason}); is secure right for this port?"
            case TimeoutError():
                said = f"{self} did not answer within {self.timeout:g} s; are port, secure and timeout right?"
            case ConnectionRefusedError():
                said = f"nothing listens at {self}; is the port right, is the server up?"
            case socket.gaierror():
                said = f"the name {self.host} was not found; is mailhost right, does name resolution work?"
            case smtplib.SMTPServerDisconnected() | ConnectionError():
                said = f"{self} hung up; is secure right for this port?"
            case _:
                said = f"{self} cannot be used: {self.words(str(error))}"
        return said


def _is_private(smtp: smtplib.SMTP) -> bool:
    """Whether nobody can listen: the connection is encrypted or stays on this machine."""
    if isinstance(smtp.sock, ssl.SSLSocket):
        return True
    assert smtp.sock is not None
    peer = ipaddress.ip_address(smtp.sock.getpeername()[0].partition("%")[0])
    mapped = getattr(peer, "ipv4_mapped", None)
    return bool((mapped or peer).is_loopback)


# --- reading the options


def _subject(owner: object, value: object) -> str | None:
    if value is None:
        return None
    template = options.text(owner, "subject", value)
    fault = mail.subject_fault(template)
    return options.refuse(owner, "subject", value, fault) if fault else template


def _addresses(owner: object, name: str, value: object) -> tuple[Address, ...]:
    """Return mail addresses, internationalized domains in ASCII; one string is split at commas."""
    listed = options.plain(value) or []
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
        return Address(display_name, user, domain.encode("idna").decode())
    except ValueError:
        return None


def _crowd(recipients: Sequence[Address]) -> str:
    """Name the recipients: stable whatever their order, and short however many they are."""
    specs = sorted({address.addr_spec.lower() for address in recipients})
    if len(specs) == 1:
        return specs[0]
    return f"{specs[0]}+{len(specs) - 1}-{hashlib.sha256(','.join(specs).encode()).hexdigest()[:8]}"


def _server(owner: object, mailhost: object, secure: object, credentials: object, timeout: object) -> _Server | None:
    seconds = options.number(owner, "timeout", timeout, 0.1)
    known = _credentials(owner, credentials)
    tls, key_files = _secure(owner, secure)
    if mailhost is None or mailhost == "":
        return None
    host, port = _host_and_port(owner, mailhost)
    if port == 465 and not isinstance(secure, str):
        tls = "ssl"
    return _Server(host, port or (465 if tls == "ssl" else 25), tls, key_files, known, seconds)


def _host_and_port(owner: object, value: object) -> tuple[str, int]:
    """Return the host, an IPv6 address without its brackets, and the port or 0."""
    read = options.plain(value)
    match _split_at_port(read.strip()) if isinstance(read, str) else read:
        case [str(host), port] if _HOST.fullmatch(host) and re.fullmatch(r"\d{1,5}|None", str(port)):
            number = int(port or 0)
            if number < 65536:
                return host, number
    return options.refuse(owner, "mailhost", value, "a host, host:port or [host, port], with a port below 65536")


def _split_at_port(text: str) -> list[str]:
    found = re.fullmatch(r"\[(.*)\]:?(.*)|([^:]*):([^:]*)", text)
    host, port = [part for part in found.groups() if part is not None] if found else (text, "")
    return [host, port or "0"]


def _credentials(owner: object, value: object) -> tuple[str, str] | None:
    read = options.plain(value)
    if not read or read in ([None, None], ["", ""]):
        return None
    pair = isinstance(read, list) and len(read) == 2
    # What is wrong with a password is said without it. smtplib can only send ASCII.
    if not pair or not all(isinstance(each, str) and each.isascii() and each for each in read):
        raise OptionValueError(
            f"{type(owner).__name__}: option 'credentials' must be a list of two texts of ASCII characters, "
            "[user, password]."
        )
    return read[0], read[1]


def _secure(owner: object, value: object) -> tuple[str, tuple[str, ...]]:
    """Return how to encrypt, and the files of a client certificate."""
    if value is None:
        return "offered", ()
    read = options.plain(value)
    if read in ("starttls", "ssl", "none"):
        return read, ()
    if not isinstance(read, list) or len(read) > 2 or not all(isinstance(each, str) for each in read):
        options.refuse(owner, "secure", value, "starttls, ssl, none, or a list [keyfile, certfile] or []")
    if read:
        try:
            _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), read)
        except (OSError, ValueError) as error:
            options.refuse(owner, "secure", value, f"files with a key and its certificate ({error})")
    return "starttls", tuple(read)


def _load(context: ssl.SSLContext, key_files: Sequence[str]) -> None:
    # An empty password: OpenSSL would ask for one at the terminal.
    context.load_cert_chain(key_files[-1], key_files[0], password="")
