"""Mail servers on loopback: aiosmtpd with STARTTLS, implicit TLS and login, and faults on request.

Use::

    with FakeSMTP(users={"ops": "secret"}, starttls=certificate.server) as server:
        server.faults["RCPT"] = lambda address: "550 no such user" if address.startswith("old") else None
        ...                                     # talk to server.host, server.port
        assert server.mails[0].message["Subject"] == "..."

Faults stand under a command's name, or ``greeting``; ``DATA`` is the end of a mail's text, ``354`` the command
before it. A fault is the answer (``"451 later"``; after ``421``, or if it ends in "hanging up", the server does
that), or a word for what happens instead: ``hang`` (no answer), ``drop`` (the connection is cut), ``garbage`` (no
answer of a mail server), ``trickle`` (a byte now and then, for ever), ``endless`` (an answer without an end),
``flood`` (a line without an end); for ``DATA`` also ``lose`` (the mail is taken, then the connection is cut), for
``STARTTLS`` ``inject`` (somebody adds an answer in the clear). Before ``__enter__`` nothing listens at the port.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any, Self

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

if TYPE_CHECKING:
    from email.message import EmailMessage

Fault = str | Callable[[str], str | None]
GARBAGE = b"\x80\x02HTTP/1.1 400 Bad Request"
INJECTED = "\r\n250-fake.example\r\n250 AUTH PLAIN"


@dataclass(frozen=True)
class Mail:
    """One mail that a server took, as it came over the wire."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    encrypted: bool
    user: str | None
    options: tuple[str, ...]

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)


class Certificate:
    """A certificate for localhost and 127.0.0.1 from a CA of its own."""

    def __init__(self, folder) -> None:
        self.authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca_file)

    def server(self, *, of_clients: bool = False) -> ssl.SSLContext:
        """Return what a server needs; `of_clients` makes it ask for a certificate of this CA."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        if of_clients:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, folder) -> tuple[str, str]:
        """Write a client's key and certificate; return their two paths."""
        issued = self.authority.issue_cert("client@localhost")
        issued.private_key_pem.write_to_path(folder / "key.pem")
        issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        return str(folder / "key.pem"), str(folder / "cert.pem")


class _Conversation(SMTP):
    """What one client says, and what it hears: faults of those commands for which aiosmtpd asks nobody."""

    def __init__(self, fake, **options):
        self.fake = fake
        self.greeted = False
        self.taken = 0
        self.injects = False
        super().__init__(fake, **options)

    async def push(self, status):
        if not self.greeted:
            self.greeted = True
            status = await self.fake.fault("greeting", self, "") or status
        if self.injects:
            self.injects = False
            status += INJECTED
        await super().push(status)
        if isinstance(status, str) and (status.startswith("421") or status.endswith("hanging up")):
            self.transport.close()

    async def smtp_HELO(self, hostname):
        await self._answer("EHLO", hostname, super().smtp_HELO)

    async def smtp_EHLO(self, hostname):
        await self._answer("EHLO", hostname, super().smtp_EHLO)

    async def smtp_STARTTLS(self, arg):
        if self.fake.faults.get("STARTTLS") == "inject":
            self.injects = True
            await super().smtp_STARTTLS(arg)
        else:
            await self._answer("STARTTLS", arg, super().smtp_STARTTLS)

    async def smtp_AUTH(self, arg):
        await self._answer("AUTH", arg, super().smtp_AUTH)

    async def smtp_RSET(self, arg):
        self.fake.resets += 1
        await self._answer("RSET", arg, super().smtp_RSET)

    async def smtp_DATA(self, arg):
        await self._answer("354", arg, super().smtp_DATA)

    async def _answer(self, verb, arg, otherwise):
        fault = await self.fake.fault(verb, self, arg)
        await (self.push(fault) if fault else otherwise(arg))


class FakeSMTP(Controller):
    """A mail server that keeps what it gets.

    Args:
        tls: Speak TLS from the first byte.
        starttls: Offer STARTTLS.
        users: Who may log in, with their passwords; None: there is no login.
        login_in_clear: Offer the login without encryption too.
        utf8: Offer SMTPUTF8.
        mechanisms: Which logins to offer.
        host: Where to listen.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        users: dict[str, str] | None = None,
        login_in_clear: bool = False,
        utf8: bool = True,
        mechanisms: tuple[str, ...] = ("LOGIN", "PLAIN"),
        host: str = "127.0.0.1",
    ) -> None:
        self.mails: list[Mail] = []
        self.logins: list[str] = []
        self.mechanisms: list[str] = []
        self.faults: dict[str, Fault] = {}
        self.limit: tuple[int, str] | None = None  # so many mails over a connection, then this fault
        self.connections = 0
        self.resets = 0
        self._conversations: list[_Conversation] = []
        self.users = users
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol's number asyncio turns Nagle's algorithm off, which costs 40 ms for every EHLO.
        self._listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listening.bind((host, 0))
        super().__init__(
            self,
            hostname=host,
            port=self._listening.getsockname()[1],
            ssl_context=tls,
            server_hostname="fake.example",
            tls_context=starttls,
            enable_SMTPUTF8=utf8,
            authenticator=self._log_in,
            auth_require_tls=not (login_in_clear or tls),
            auth_exclude_mechanism={"LOGIN", "PLAIN", "CRAM-MD5"} - set(mechanisms if users is not None else ()),
        )

    @property
    def host(self) -> str:
        return self.hostname

    def factory(self) -> SMTP:
        self.connections += 1
        self._conversations.append(_Conversation(self, **self.SMTP_kwargs))
        return self._conversations[-1]

    async def _hang_up(self) -> None:
        tasks = [each._handler_coroutine for each in self._conversations if each._handler_coroutine]
        for each in self._conversations:
            if each.transport is not None and not each.transport.is_closing():  # else Python 3.11.2 raises
                each.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listening, ssl=self.ssl_context)

    def __enter__(self) -> Self:
        self.start()
        self.connections = 0  # aiosmtpd tries whether it works
        return self

    def __exit__(self, *failure: object) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(10)
        self.stop()
        self._listening.close()

    # What aiosmtpd asks its handler.

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return [line for line in responses if self.users is not None or "AUTH" not in line]

    async def handle_MAIL(self, server, session, envelope, address, options):
        fault = await self.fault("MAIL", server, address)
        if fault:
            return fault
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        fault = await self.fault("RCPT", server, address)
        if fault:
            return fault
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        fault = await self.fault("DATA", server, "")
        if fault and fault != "lose":
            return fault
        server.taken += 1
        self.mails.append(
            Mail(
                envelope.mail_from,
                tuple(envelope.rcpt_tos),
                envelope.original_content,
                encrypted=session.ssl is not None or self.ssl_context is not None,
                user=session.auth_data.login.decode() if session.auth_data else None,
                options=tuple(envelope.mail_options),
            )
        )
        if fault == "lose":
            server.transport.abort()
        return "250 OK"

    async def handle_QUIT(self, server, session, envelope):
        return await self.fault("QUIT", server, "") or "221 Bye"

    async def fault(self, verb, conversation, value):
        """Do what is asked for under `verb`; return what else to answer, or None."""
        fault = self.faults.get(verb)
        if self.limit and verb in ("MAIL", "RSET") and conversation.taken >= self.limit[0]:
            fault = self.limit[1]
        answer = fault(value) if callable(fault) else fault
        if answer == "drop":
            conversation.transport.abort()
        if answer in ("hang", "drop"):
            await asyncio.Event().wait()  # it ends with the connection
        if answer in ("trickle", "endless", "flood"):
            await self._go_on(conversation, answer)
        return GARBAGE if answer == "garbage" else answer

    async def _go_on(self, conversation, how):
        data, pause = {"trickle": (b"2", 0.02), "endless": (b"250-more\r\n" * 99, 0), "flood": (b"x" * 9999, 0)}[how]
        while not conversation._writer.is_closing():
            conversation._writer.write(data)
            await conversation._writer.drain()
            await asyncio.sleep(pause)

    async def auth_CRAM__MD5(self, server, args):
        challenge = b"<1896.697170952@fake.example>"
        name, _, digest = (await server.challenge_auth(challenge)).decode().rpartition(" ")
        self.logins.append(name)
        self.mechanisms.append("CRAM-MD5")
        right = hmac.new((self.users or {}).get(name, "").encode(), challenge, "md5").hexdigest()
        known = LoginPassword(name.encode(), b"")
        return AuthResult(success=digest == right, handled=False, auth_data=known)

    def _log_in(self, server, session, envelope, mechanism, data):
        assert isinstance(data, LoginPassword)
        name, password = data.login.decode(), data.password.decode()
        self.logins.append(name)
        self.mechanisms.append(mechanism)
        if (self.users or {}).get(name) == password:
            return AuthResult(success=True, auth_data=data)
        # Some servers are as talkative as this one.
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 no {name} with {password} here")
