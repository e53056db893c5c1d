"""Mail servers on 127.0.0.1: aiosmtpd with STARTTLS, implicit TLS and login, and faults on request.

Use::

    with FakeSMTP(users={"ops": "secret"}, starttls=certificate.server) as server:
        server.faults["RCPT"] = lambda address: "550 no such user" if address.startswith("old") else None
        ...                                     # talk to server.host, server.port
        assert server.mails[0].message["Subject"] == "..."

A fault is the answer to a command (``"451 later"``), or a word for what happens instead: ``"hang"`` (no
answer), ``"drop"`` (the connection is cut), for ``DATA`` also ``"lose"`` (the mail is taken, then the
connection is cut).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any, Self

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

if TYPE_CHECKING:
    from email.message import EmailMessage

Fault = str | Callable[[str], str | None]


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


class FakeSMTP(Controller):
    """A mail server that keeps what it gets.

    Args:
        tls: Speak TLS from the first byte.
        starttls: Offer STARTTLS.
        users: Who may log in, with their passwords; None: there is no login.
        login_in_clear: Offer the login without encryption too.
        utf8: Offer SMTPUTF8.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        users: dict[str, str] | None = None,
        login_in_clear: bool = False,
        utf8: bool = True,
    ) -> None:
        self.mails: list[Mail] = []
        self.logins: list[str] = []
        self.faults: dict[str, Fault] = {}
        self.users = users
        self._listening = socket.create_server(("127.0.0.1", 0))
        super().__init__(
            self,
            hostname="127.0.0.1",
            port=self._listening.getsockname()[1],
            ssl_context=tls,
            server_hostname="fake.example",
            tls_context=starttls,
            enable_SMTPUTF8=utf8,
            authenticator=self._log_in,
            auth_require_tls=not (login_in_clear or tls),
            auth_exclude_mechanism=["LOGIN", "PLAIN"] if users is None else [],
        )

    @property
    def host(self) -> str:
        return self.hostname

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listening, ssl=self.ssl_context)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()
        self._listening.close()

    # What aiosmtpd asks its handler.

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return [
            *(line for line in responses[:-1] if self.users is not None or "AUTH" not in line),
            await self._fault("EHLO", server, hostname) or responses[-1],
        ]

    async def handle_MAIL(self, server, session, envelope, address, options):
        fault = await self._fault("MAIL", server, address)
        if fault:
            return fault
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        fault = await self._fault("RCPT", server, address)
        if fault:
            return fault
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        fault = await self._fault("DATA", server, "")
        if fault and fault != "lose":
            return fault
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
        return await self._fault("QUIT", server, "") or "221 Bye"

    async def _fault(self, verb, server, value):
        fault = self.faults.get(verb)
        answer = fault(value) if callable(fault) else fault
        if answer == "hang":
            await asyncio.Event().wait()
        if answer == "drop":
            server.transport.abort()
        return answer

    def _log_in(self, server, session, envelope, mechanism, data):
        assert isinstance(data, LoginPassword)
        name, password = data.login.decode(), data.password.decode()
        self.logins.append(name)
        if "AUTH" in self.faults:
            return AuthResult(success=False, handled=False, message=self.faults["AUTH"])
        if (self.users or {}).get(name) == password:
            return AuthResult(success=True, auth_data=data)
        # Some servers are as talkative as this one.
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 no {name} with {password} here")
