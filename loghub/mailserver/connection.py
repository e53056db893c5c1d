"""One connection to a mail server that costs a bounded time and memory, whatever the server does.

smtplib waits for each piece of an answer anew: a server that trickles a byte now and then, or never ends its
answer, would hold the delivery thread for ever. No second thread can watch over it, since none can be started
at the end of a process; so what smtplib reads from is replaced by a reader that knows how much time is left.
"""

from __future__ import annotations

import base64
import hmac
import ipaddress
import smtplib
import socket
import ssl
import time
from typing import Any

REPLY_BYTES = 64 << 10
"""The longest reply that is read; that to EHLO seldom has one thousand bytes."""

CONNECTION_SECONDS = 45.0
"""The longest that a connection lasts: below the lease of a minute that is renewed before it."""

# Servers look into a mail before they acknowledge it (RFC 5321, section 4.5.3.2.6, grants ten minutes), and
# who gives up too early sends it twice. But other destinations wait meanwhile, and a lease ends.
_PATIENCE = 4.0
_PATIENCE_SECONDS = 30.0

_RECV_BYTES = 4096
_SEND_BYTES = 16 << 10
_LEAST_SECONDS = 0.05


class ConnectionTooLongError(TimeoutError):
    """The connection has lasted for as long as it may."""


class NotSMTPError(OSError):
    """What came is no reply of a mail server; the argument says what it is."""


class Connection(smtplib.SMTP):
    """A connection that ends in time.

    Args:
        host: The server.
        port: Its port.
        name: What this host calls itself.
        timeout: Seconds to wait for each reply, up to its last byte.
        context: TLS from the first byte, with this.
        seconds: The longest that all of it may last.

    Raises:
        smtplib.SMTPException: The server refused, or hung up; ``__context__`` may say more.
        OSError: No connection came about.
    """

    def __init__(
        self,
        host: str,
        port: int,
        name: str,
        *,
        timeout: float,
        context: ssl.SSLContext | None = None,
        seconds: float = CONNECTION_SECONDS,
    ) -> None:
        self.ends_at = time.monotonic() + seconds
        self._tls = context
        self._usual = self._patience = timeout
        self.uncertain = False  # whether a mail may have been accepted, and nobody said so
        super().__init__(host, port, name, timeout)

    @property
    def is_open(self) -> bool:
        """Whether the server can be told more."""
        return self.sock is not None

    @property
    def is_private(self) -> bool:
        """Whether nobody can listen: the connection is encrypted or stays on this machine."""
        assert self.sock is not None
        return isinstance(self.sock, ssl.SSLSocket) or is_loopback(self.sock.getpeername()[0])

    @property
    def left(self) -> float:
        """How long it may still last, in seconds."""
        return self.ends_at - time.monotonic()

    def _time_for(self, seconds: float) -> float:
        if self.left <= 0:
            raise ConnectionTooLongError
        return min(seconds, max(self.left, _LEAST_SECONDS))

    # What smtplib calls ---------------------------------------------------------------------------------

    def _get_socket(self, host: str, port: int, _: float) -> socket.socket:
        raw = self._reach(host, port)
        if self._tls is None:
            return raw
        try:
            raw.settimeout(self._time_for(self._usual))
            return self._tls.wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise

    def _reach(self, host: str, port: int) -> socket.socket:
        """Connect to the first of the host's addresses that answers; all of them together get the time that is left."""
        failure = OSError("it has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            made = None
            try:
                made = socket.socket(family, kind, protocol)
                made.settimeout(self._time_for(self._usual))
                made.connect(address)
                return made
            except OSError as error:
                failure = error
                if made is not None:
                    made.close()
        raise failure

    def send(self, s: Any) -> None:
        """Send a command or a mail; all of it within the time that is left."""
        data = s.encode(self.command_encoding) if isinstance(s, str) else bytes(s)
        for start in range(0, len(data), _SEND_BYTES):
            if self.sock is not None:
                try:
                    self.sock.settimeout(self._time_for(self._patience))
                except ConnectionTooLongError:
                    self.close()
                    raise
            super().send(data[start : start + _SEND_BYTES])

    def getreply(self) -> tuple[int, bytes]:
        """Return code and text of the next reply."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("not connected")
        if not isinstance(self.file, _Replies):
            # STARTTLS sets it to None. So what came in the clear after the answer to it, from whomever, is not
            # taken for an answer on the encrypted connection (as in CVE-2011-0411).
            self.file = _Replies(self, self.sock)
        replies = self.file
        replies.begin(self._patience)
        code, text = super().getreply()
        if not 200 <= code < 600:
            self.close()
            raise NotSMTPError(replies.newest[:60].decode("ascii", "replace"))
        # For the handshake of TLS, before which nobody asks us.
        self.sock.settimeout(min(self._usual, max(self.left, _LEAST_SECONDS)))
        return code, text

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Send a mail, and wait longer for its acknowledgement than for other replies."""
        self._patience = max(self._usual, min(self._usual * _PATIENCE, _PATIENCE_SECONDS))
        self.uncertain = True
        try:
            answer = super().data(msg)
        except smtplib.SMTPDataError:
            self.uncertain = False
            raise
        finally:
            self._patience = self._usual
        self.uncertain = False
        return answer

    # Login ----------------------------------------------------------------------------------------------

    def log_in(self, user: str, password: str) -> bool:
        """Log in with whatever the server offers of CRAM-MD5, PLAIN and LOGIN; False: it offers none of them.

        `smtplib.SMTP.login` can only send ASCII (RFC 4616, section 2, has UTF-8), and fails where the host has no
        MD5, whatever else the server offers.

        Raises:
            smtplib.SMTPAuthenticationError: The server said no.
        """
        offered = self.esmtp_features.get("auth", "").upper().split()
        ways = {"CRAM-MD5": self._cram_md5, "PLAIN": self._plain, "LOGIN": self._login}
        chosen = [way for name, way in ways.items() if name in offered and (name != "CRAM-MD5" or _has_md5())]
        code, words = 0, b""
        for way in chosen:
            code, words = way(user, password)
            if code in (235, 503):  # 503: it knows us already
                return True
            if code < 500:  # not now
                break
        if chosen:
            raise smtplib.SMTPAuthenticationError(code, words)
        return False

    def _cram_md5(self, user: str, password: str) -> tuple[int, bytes]:
        code, words = self.docmd("AUTH", "CRAM-MD5")
        if code != 334:
            return code, words
        try:
            challenge = base64.b64decode(words, validate=True)
        except ValueError:
            return self.docmd("*")
        return self.docmd(_base64(f"{user} {hmac.new(password.encode(), challenge, 'md5').hexdigest()}"))

    def _plain(self, user: str, password: str) -> tuple[int, bytes]:
        return self.docmd("AUTH", "PLAIN " + _base64(f"\0{user}\0{password}"))

    def _login(self, user: str, password: str) -> tuple[int, bytes]:
        # Some servers know the name only as an answer, not after AUTH LOGIN.
        answer = self.docmd("AUTH", "LOGIN")
        for told in (user, password):
            if answer[0] != 334:
                break
            answer = self.docmd(_base64(told))
        return answer


class _Replies:
    """What smtplib reads the lines of replies from: each reply has an end in time and in bytes."""

    def __init__(self, connection: Connection, sock: socket.socket) -> None:
        self._connection = connection
        self._sock = sock
        self._came = bytearray()
        self._until = 0.0
        self._room = 0
        self.newest = b""

    def begin(self, seconds: float) -> None:
        """Expect a reply within that time."""
        self._until = time.monotonic() + seconds
        self._room = REPLY_BYTES

    def readline(self, limit: int) -> bytes:
        """Return the next line, or what was left of one when the server hung up."""
        while (end := self._came.find(b"\n") + 1) == 0:
            if len(self._came) >= limit:
                raise NotSMTPError("a line without an end")
            received = self._receive()
            if not received:
                end = len(self._came)
                break
            self._came += received
        if end > limit:
            raise NotSMTPError("a line without an end")
        line = bytes(self._came[:end])
        del self._came[:end]
        self._room -= end
        if self._room < 0:
            raise NotSMTPError("a reply without an end")
        self.newest = line
        return line

    def _receive(self) -> bytes:
        over = TimeoutError if self._until < self._connection.ends_at else ConnectionTooLongError
        left = min(self._until, self._connection.ends_at) - time.monotonic()
        if left <= 0:
            raise over
        self._sock.settimeout(left)
        try:
            return self._sock.recv(_RECV_BYTES)
        except TimeoutError:
            raise over from None

    def close(self) -> None:
        """Nothing: the socket is the connection's."""


def is_loopback(address: str) -> bool:
    """Return whether an IP address, perhaps with a zone, is this machine's own."""
    peer = ipaddress.ip_address(address.partition("%")[0])
    return bool((getattr(peer, "ipv4_mapped", None) or peer).is_loopback)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _has_md5() -> bool:
    try:
        hmac.new(b"", b"", "md5")
    except ValueError:  # a host under FIPS 140
        return False
    return True
