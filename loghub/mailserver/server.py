"""A mail server: where it is, how to talk to it, and one sentence for each thing that can go wrong there.

`MailServer.session` is a visit: it connects when there is something to say, says it over one connection, and once
more over a new one where the server had enough of the first.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from loghub.errors import DeliveryError, RefusedError
from loghub.mailserver.connection import (
    CONNECTION_SECONDS,
    Connection,
    ConnectionTooLongError,
    NotSMTPError,
)
from loghub.scrub import Scrubber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MEND_SECONDS = 900.0
"""Login and encryption are mended by a person, and guessing faster would lock an account."""

_MENDABLE = frozenset({530, 534, 535, 538})


class Answer(NamedTuple):
    """What the server said about one recipient."""

    code: int
    words: str

    @property
    def is_final(self) -> bool:
        """Whether it will say the same tomorrow."""
        return self.code >= 500 and self.code not in _MENDABLE


@dataclass(frozen=True, slots=True)
class MailServer:
    """A mail server and how to talk to it; what goes wrong there becomes one sentence without a secret.

    Attributes:
        host: Its name or address.
        port: Its port.
        tls: ``ssl``, ``starttls``, ``none``, or ``offered``: STARTTLS if there is a password to protect and the
            server offers it.
        timeout: Seconds to wait for each of its replies.
        key_files: Key and certificate of a client; nothing, one file for both, or two.
        ca_file: Who may have signed its certificate; None: whom this machine trusts.
        credentials: User and password.
        seconds: The longest that a connection may last.
    """

    host: str
    port: int
    tls: str
    timeout: float
    key_files: tuple[str, ...] = ()
    ca_file: str | None = None
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    seconds: float = CONNECTION_SECONDS

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @contextmanager
    def session(self, *, names_host: bool, before: Callable[[], None] = lambda: None) -> Iterator[Session]:
        """Visit the server, and part politely.

        Args:
            names_host: Whether the server may learn this host's name, which it writes into each mail.
            before: Called before each connection and each mail; what it raises ends the visit.
        """
        visit = Session(self, socket.gethostname() if names_host else "", before)
        try:
            yield visit
            visit.part()
        finally:
            visit.close()

    def words(self, *answer: int | bytes | str) -> str:
        """Return the server's answer as one line, without the password should it repeat it."""
        texts = [part.decode(errors="replace") if isinstance(part, bytes) else str(part) for part in answer]
        line = " ".join(texts)
        if self.credentials:  # in base64 it stands in what was sent, too
            password = self.credentials[1]
            line = Scrubber(secrets=lambda: [password]).text(line.replace(password, "***"))
        return " ".join(re.sub(r"[^\x20-\x7e\xa0-\uffff]", " ", line).split())[:300]

    def refusal(self, answers: Sequence[Answer], what: str) -> DeliveryError:
        """Return RefusedError if every answer is final, else DeliveryError."""
        said = f"{self} did not take {what}: {'; '.join(sorted({each.words for each in answers}))}"
        if any(each.code in _MENDABLE for each in answers):
            return DeliveryError(said, MEND_SECONDS)
        return RefusedError(said) if all(each.is_final for each in answers) else DeliveryError(said)

    def connect(self, name: str) -> Connection:
        """Connect and encrypt as far as that is asked for, and log in.

        Raises:
            DeliveryError: It cannot be; in words that tell what to do.
            OSError: As `Connection`.
        """
        # smtplib would ask the resolver for this host's full name, for which no timeout holds.
        known_as = re.sub(r"[^\w.-]", "", name, flags=re.ASCII) or "localhost"
        context = self._context() if self.tls == "ssl" else None
        made = Connection(self.host, self.port, known_as, timeout=self.timeout, context=context, seconds=self.seconds)
        try:
            self._encrypt(made)
            self._log_in(made)
        except BaseException:
            made.close()
            raise
        return made

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.key_files:
            load_key(context, self.key_files)
        return context

    def _encrypt(self, smtp: Connection) -> None:
        smtp.ehlo_or_helo_if_needed()
        offered = smtp.has_extn("starttls")
        if self.tls == "starttls" and not offered:
            raise DeliveryError(
                f"{self} offers no STARTTLS, so nothing was sent; set secure: ssl if it speaks TLS from the "
                "start, or secure: none if mail may travel in the clear.",
                MEND_SECONDS,
            )
        if self.tls == "starttls" or (self.tls == "offered" and offered and self.credentials):
            smtp.starttls(context=self._context())
            smtp.ehlo_or_helo_if_needed()

    def _log_in(self, smtp: Connection) -> None:
        if not self.credentials:
            return
        if self.tls == "offered" and not smtp.is_private:
            raise DeliveryError(
                f"{self} offers no encryption, so the password was not sent; set secure: none if it may "
                "travel in the clear.",
                MEND_SECONDS,
            )
        if not smtp.log_in(*self.credentials):
            raise DeliveryError(
                f"{self} offers no login with a password on this connection; leave credentials out, or set secure to "
                "what it needs for one.",
                MEND_SECONDS,
            )

    # What goes wrong ------------------------------------------------------------------------------------

    def explained(self, error: Exception) -> DeliveryError:
        """Return what `error` means for the mail, in a sentence for a person."""
        match error:
            case smtplib.SMTPRecipientsRefused():
                answers = [self._answer(*each) for each in error.recipients.values()]
                return self.refusal(answers, "the recipients")
            case smtplib.SMTPSenderRefused():
                answer = self._answer(error.smtp_code, error.smtp_error)
                return self.refusal([answer], f"the sender {error.sender}")
            case smtplib.SMTPDataError():
                return self.refusal([self._answer(error.smtp_code, error.smtp_error)], "the mail")
            case smtplib.SMTPResponseException():
                return self._turned_away(error)
        return DeliveryError(self._broken_off(cause_of(error)))

    def answers(self, refused: Mapping[str, tuple[int, bytes]]) -> dict[str, Answer]:
        """Return what was said about recipients, in words."""
        return {address: self._answer(*answer) for address, answer in refused.items()}

    def _answer(self, code: int, words: bytes | str) -> Answer:
        return Answer(code, self.words(code, words))

    def _turned_away(self, error: smtplib.SMTPResponseException) -> DeliveryError:
        words = self.words(error.smtp_code, error.smtp_error)
        if isinstance(error, smtplib.SMTPAuthenticationError) and self.credentials:
            said = f"{self} did not let {self.credentials[0]} log in: {words}"
            return DeliveryError(said, MEND_SECONDS if error.smtp_code >= 500 else None)
        return DeliveryError(f"{self} does not serve: {words}")

    def _broken_off(self, error: BaseException) -> str:
        match error:
            case ssl.SSLCertVerificationError():
                fault = error.verify_message.rstrip(".")
                said = f"the certificate of {self} was not accepted: {fault}; {self._advice()}."
            case ssl.SSLError():
                said = f"{self} and TLS did not work out ({error.reason}); is secure right for this port?"
            case ConnectionTooLongError():
                said = f"{self} took more than {self.seconds:g} s for all its answers together; is it overloaded?"
            case TimeoutError():
                said = f"{self} did not answer within {self.timeout:g} s; are port, secure and timeout right?"
            case NotSMTPError():
                heard = self.words(str(error))
                said = f"{self} does not answer as a mail server does ({heard}); are port and secure right?"
            case ConnectionRefusedError():
                said = f"nothing listens at {self}; is the port right, is the server up?"
            case socket.gaierror():
                said = f"the name {self.host} was not found; is mailhost right, does name resolution work?"
            case smtplib.SMTPServerDisconnected() | ConnectionError():
                said = f"{self} hung up; is secure right for this port?"
            case _:
                said = f"{self} cannot be used: {self.words(str(error))}"
        return said

    def _advice(self) -> str:
        if self.ca_file:
            return f"it has to be signed by a CA of {self.ca_file} (option ca_file)"
        return (
            "if its CA is your own, name the CA's file in the option ca_file or the environment variable SSL_CERT_FILE"
        )


def load_key(context: ssl.SSLContext, key_files: Sequence[str]) -> None:
    """Have a client prove who it is.

    Raises:
        OSError: The files are not there, or are no key and its certificate.
        ValueError: As OSError.
    """
    # An empty password: OpenSSL would ask for one at the terminal.
    context.load_cert_chain(key_files[-1], key_files[0], password="")


def needs_utf8(*addresses: str) -> bool:
    """Return whether a server needs SMTPUTF8 (RFC 6531) for a mail with these on its envelope."""
    return not all(map(str.isascii, addresses))


def _is_farewell(error: smtplib.SMTPException) -> bool:
    """Whether the server ended the connection in an orderly way: it hung up, or said 421 (RFC 5321, section 3.8)."""
    match error:
        case smtplib.SMTPServerDisconnected():
            return not isinstance(cause_of(error), TimeoutError | NotSMTPError)
        case smtplib.SMTPResponseException():
            return error.smtp_code == 421
        case smtplib.SMTPRecipientsRefused():
            return any(code == 421 for code, _ in error.recipients.values())
    return False


def cause_of(error: BaseException) -> BaseException:
    """Return what the network said, where smtplib only says that the server hung up."""
    cause = error.__context__
    return cause if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(cause, OSError) else error


class Session:
    """A visit to a mail server; every method raises nothing but DeliveryError, and what `before` raises."""

    def __init__(self, server: MailServer, name: str, before: Callable[[], None]) -> None:
        self._server = server
        self._name = name
        self._before = before
        self._smtp: Connection | None = None
        self._is_used = False  # a mail was offered on this connection

    @property
    def is_open(self) -> bool:
        """Whether the server still listens; if so, what it refused was that mail only."""
        return self._smtp is not None and self._smtp.is_open

    @property
    def has_time(self) -> bool:
        """Whether there is enough left for more than one mail."""
        return self._smtp is None or self._smtp.left > self._server.seconds / 2

    def connect(self) -> None:
        """Connect, if that is still to be done.

        Raises:
            DeliveryError: No connection came about.
        """
        with self._explaining():
            self._connected()

    def offers(self, extension: str) -> bool:
        """Connect, if that is still to be done, and return whether the server has an extension.

        Raises:
            DeliveryError: No connection came about.
        """
        with self._explaining():
            return self._connected().has_extn(extension)

    def send(self, sender: str, recipients: Sequence[str], content: bytes) -> dict[str, Answer]:
        """Send one mail; return what was said about those recipients for whom it was not taken.

        Raises:
            DeliveryError: Not now.
            RefusedError: Not this mail, for nobody.
        """
        with self._explaining():
            smtp = self._connected()
            self._before()
            try:
                return self._transact(smtp, sender, recipients, content)
            except smtplib.SMTPException as error:
                # Servers take so many mails over one connection and no more. A first one that is not heard, or one
                # of which nobody knows whether it was taken, is for later.
                if not self._is_used or smtp.uncertain or not _is_farewell(error):
                    raise
            return self._transact(self._connected(), sender, recipients, content)

    def part(self) -> None:
        """Say goodbye; how the server takes it does not matter."""
        if self._smtp is not None and self._smtp.is_open:
            with suppress(smtplib.SMTPException, OSError):
                self._smtp.quit()

    def close(self) -> None:
        """Hang up."""
        if self._smtp is not None:
            self._smtp.close()

    def _connected(self) -> Connection:
        if self._smtp is None or not self._smtp.is_open:
            self._before()
            self._is_used = False
            self._smtp = self._server.connect(self._name)
        return self._smtp

    def _transact(self, smtp: Connection, sender: str, recipients: Sequence[str], content: bytes) -> dict[str, Answer]:
        if self._is_used:
            smtp.rset()  # after one that was refused the server may still wait for its rest
        extra = ("SMTPUTF8", "BODY=8BITMIME") if needs_utf8(sender, *recipients) else ()
        try:
            refused = smtp.sendmail(sender, recipients, content, extra)
        except smtplib.SMTPRecipientsRefused as error:
            if not smtp.is_open:
                raise
            refused = error.recipients
        finally:
            self._is_used = True
        return self._server.answers(refused)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (smtplib.SMTPException, OSError, ValueError) as error:  # ValueError: a name that no resolver takes
            raise self._server.explained(error) from None
