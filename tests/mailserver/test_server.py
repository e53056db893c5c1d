"""Visits to real mail servers: encryption, login, and each kind of trouble as one sentence after a bounded time."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hmac
import socket
import ssl
import threading
import time

import pytest

from loghub.errors import DeliveryError, OptionValueError, RefusedError
from loghub.mailserver import connection
from loghub.mailserver.connection import Connection, is_loopback
from loghub.mailserver.options import server_of
from loghub.mailserver.server import MEND_SECONDS
from tests.fakes.smtp import FakeSMTP

SECRET = "hunter2-hunter2"
FOREIGN = "grüße-пароль-2"
CONTENT = b"Subject: x\r\n\r\n.leading dot\r\n"


class Owner:
    """A handler as far as options are concerned."""


def read(mailhost="mail.example", **options):
    """Return the server that options name."""
    defaults = {"secure": None, "credentials": None, "timeout": 5.0, "ca_file": None}
    return server_of(Owner(), mailhost=mailhost, **(defaults | options))


def at(running, **options):
    """Return a server that runs."""
    return read([running.host, running.port], **options)


def send(server, *recipients, content=CONTENT, sender="loghub@shop.example", mails=1):
    """Send mails over one connection; return what was said about recipients of the last one."""
    with server.session(names_host=False) as session:
        for _ in range(mails):
            refused = session.send(sender, recipients or ["ops@example.com"], content)
    return refused


@pytest.fixture
def plain():
    """Return a plain mail server."""
    with FakeSMTP() as running:
        yield running


@contextlib.contextmanager
def talking(talk):
    """Listen at a port; whoever connects is served by `talk`, in a thread that is over in the end."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            with contextlib.suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield list(listening.getsockname())
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


# Encryption


def test_in_the_clear(plain):
    """Without an option a mail travels as the server offers it, byte by byte what was given."""
    assert send(at(plain)) == {}
    (mail,) = plain.mails
    assert (mail.content, mail.recipients, mail.encrypted) == (CONTENT, ("ops@example.com",), False)


@pytest.mark.parametrize("secure", ["starttls", [], ()])
def test_starttls_without_login(certificate, secure):
    """A mail is encrypted without credentials too when `secure` says so; the stdlib would not."""
    with FakeSMTP(starttls=certificate.server()) as running:
        send(at(running, secure=secure, ca_file=certificate.ca_file))
    assert running.mails[0].encrypted


def test_starttls_with_login(certificate):
    """With credentials the connection is encrypted first where the server offers it."""
    with FakeSMTP(starttls=certificate.server(), users={"ops": SECRET}) as running:
        send(at(running, credentials=["ops", SECRET], ca_file=certificate.ca_file))
    assert (running.mails[0].encrypted, running.mails[0].user) == (True, "ops")


@pytest.mark.parametrize("secure", ["starttls", []])
def test_starttls_is_a_must(plain, secure):
    """A server without STARTTLS gets nothing when STARTTLS was asked for."""
    with pytest.raises(DeliveryError, match="offers no STARTTLS") as caught:
        send(at(plain, secure=secure))
    assert caught.value.retry_after == MEND_SECONDS
    assert plain.mails == []


def test_implicit_tls(certificate):
    """With ``ssl`` the connection is encrypted from its first byte."""
    with FakeSMTP(tls=certificate.server(), users={"ops": SECRET}) as running:
        send(at(running, secure="ssl", credentials=["ops", SECRET], ca_file=certificate.ca_file))
    assert (running.mails[0].encrypted, running.mails[0].user) == (True, "ops")


def test_client_certificate(certificate, tmp_path):
    """Key and certificate, as the stdlib takes them, identify the client."""
    pair = list(certificate.client(tmp_path))
    with FakeSMTP(starttls=certificate.server(of_clients=True)) as running:
        send(at(running, secure=pair, ca_file=certificate.ca_file))
        assert len(running.mails) == 1
        with pytest.raises(DeliveryError):
            send(at(running, secure="starttls", ca_file=certificate.ca_file))
        assert len(running.mails) == 1


@pytest.mark.parametrize("how", ["ssl", "starttls"])
def test_unknown_certificate(certificate, how):
    """A certificate that cannot be verified stops the mail, and both ways out are named."""
    with FakeSMTP(**{"tls" if how == "ssl" else "starttls": certificate.server()}) as running:
        with pytest.raises(DeliveryError, match=r"certificate of .* was not accepted.*ca_file.*SSL_CERT_FILE"):
            send(at(running, secure=how))
        assert running.mails == []


@pytest.mark.parametrize("how", ["ssl", "starttls"])
def test_environment_names_the_ca(certificate, monkeypatch, how):
    """Without the option the environment variable of OpenSSL counts."""
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca_file)
    with FakeSMTP(**{"tls" if how == "ssl" else "starttls": certificate.server()}) as running:
        send(at(running, secure=how))
    assert running.mails[0].encrypted


def test_certificate_of_another_ca(certificate, tmp_path):
    """With a `ca_file` no other CA counts, not even one that this machine trusts."""
    other = type(certificate)(tmp_path)
    with (
        FakeSMTP(starttls=certificate.server()) as running,
        pytest.raises(DeliveryError, match=f"signed by a CA of {other.ca_file}"),
    ):
        send(at(running, secure="starttls", ca_file=other.ca_file))


def test_certificate_of_another_host(certificate):
    """A certificate for another name is not accepted."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.authority.issue_cert("other.example").configure_cert(context)
    with FakeSMTP(tls=context) as running, pytest.raises(DeliveryError, match=r"was not accepted.*127\.0\.0\.1"):
        send(at(running, secure="ssl", ca_file=certificate.ca_file))


def test_injected_answer_is_discarded(certificate):
    """What somebody adds in the clear to the answer to STARTTLS is not taken for an answer of the server.

    Read as the answer to the second EHLO it would say which logins there are.
    """
    with FakeSMTP(starttls=certificate.server(), users={"ops": SECRET}, mechanisms=("LOGIN",)) as running:
        running.faults["STARTTLS"] = "inject"
        send(at(running, secure="starttls", credentials=["ops", SECRET], ca_file=certificate.ca_file))
    assert running.mechanisms == ["LOGIN"]
    assert running.mails[0].encrypted


def test_tls_to_a_plain_port(plain):
    """TLS where the server speaks plain SMTP is one sentence that points at the option."""
    with pytest.raises(DeliveryError, match="is secure right for this port"):
        send(at(plain, secure="ssl"))


@pytest.mark.parametrize(
    ("peer", "private"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("fe80::1%eth0", False),
        ("::ffff:192.0.2.1", False),
    ],
)
def test_what_is_private(peer, private):
    """A connection in the clear is private only if it stays on this machine."""
    assert is_loopback(peer) is private


# Login


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
@pytest.mark.parametrize("password", [SECRET, FOREIGN])
def test_login(certificate, mechanism, password):
    """Each kind of login works alone, with any password."""
    with FakeSMTP(starttls=certificate.server(), users={"jörg": password}, mechanisms=(mechanism,)) as running:
        send(at(running, credentials=["jörg", password], ca_file=certificate.ca_file))
    assert running.mechanisms == [mechanism]
    assert running.logins == ["jörg"]
    assert len(running.mails) == 1


def test_host_without_md5(certificate, monkeypatch):
    """On a host that must not use MD5 the login takes what else the server offers."""

    def refuse(key, message, digest):
        raise ValueError("[digital envelope routines] unsupported")

    monkeypatch.setattr(connection.hmac, "new", refuse)
    users = {"ops": SECRET}
    with FakeSMTP(starttls=certificate.server(), users=users, mechanisms=("CRAM-MD5", "LOGIN")) as running:
        send(at(running, credentials=["ops", SECRET], ca_file=certificate.ca_file))
        assert running.mechanisms == ["LOGIN"]
    with (
        FakeSMTP(starttls=certificate.server(), users=users, mechanisms=("CRAM-MD5",)) as running,
        pytest.raises(DeliveryError, match="offers no login"),
    ):
        send(at(running, credentials=["ops", SECRET], ca_file=certificate.ca_file))


def test_server_that_fails_at_one_login(certificate):
    """Where one kind of login is refused the next one is tried: not every server can do what it offers."""
    users = {"ops": SECRET}
    with FakeSMTP(starttls=certificate.server(), users=users, mechanisms=("CRAM-MD5", "PLAIN")) as running:
        running.faults["AUTH"] = lambda arg: "504 5.5.4 not today" if arg.startswith("CRAM") else None
        send(at(running, credentials=["ops", SECRET], ca_file=certificate.ca_file))
    assert running.mechanisms == ["PLAIN"]


@pytest.mark.parametrize("password", [SECRET, FOREIGN])
def test_wrong_password(certificate, password):
    """A refused login is tried again slowly, since it can be mended, and no message shows the password."""
    with FakeSMTP(starttls=certificate.server(), users={"ops": "other"}) as running:
        server = at(running, credentials=["ops", password], ca_file=certificate.ca_file)
        with pytest.raises(DeliveryError, match=r"did not let ops log in: 535 5\.7\.8 no ops with \*\*\*") as caught:
            send(server)
    assert not isinstance(caught.value, RefusedError)
    assert caught.value.retry_after == MEND_SECONDS
    assert password not in str(caught.value)
    assert password not in repr(server)


@pytest.mark.shows("mail cut off", "no secret")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("password", [SECRET, FOREIGN])
def test_server_that_repeats_what_was_sent(certificate, mechanism, password):
    """A server that repeats the line with the password gets it into no message, in base64 neither."""
    with FakeSMTP(starttls=certificate.server(), users={"ops": "x"}, mechanisms=(mechanism,)) as running:
        running.faults["AUTH"] = lambda arg: f"535 what is {arg} or {base64.b64encode(password.encode()).decode()}?"
        with pytest.raises(DeliveryError, match="535 what is") as caught:
            send(at(running, credentials=["ops", password], ca_file=certificate.ca_file))
    said = str(caught.value)
    for sent in (password, f"\0ops\0{password}"):
        assert base64.b64encode(sent.encode()).decode() not in said


@pytest.mark.parametrize(("answer", "wait"), [("454 4.7.0 later", None), ("534 5.7.9 stronger", MEND_SECONDS)])
def test_login_not_now(certificate, answer, wait):
    """A login that is refused for now is tried again soon, one that a person has to mend slowly."""
    with FakeSMTP(starttls=certificate.server(), users={"ops": SECRET}) as running:
        running.faults["AUTH"] = answer
        with pytest.raises(DeliveryError, match=answer) as caught:
            send(at(running, credentials=["ops", SECRET], ca_file=certificate.ca_file))
    assert caught.value.retry_after == wait


def test_password_in_the_clear(monkeypatch):
    """Without encryption a password leaves this machine only if ``none`` says so; on it, it may."""
    with FakeSMTP(users={"ops": SECRET}, login_in_clear=True) as running:
        send(at(running, credentials=["ops", SECRET]))
        assert running.logins == ["ops"]
        monkeypatch.setattr(Connection, "is_private", False)
        with pytest.raises(DeliveryError, match="offers no encryption, so the password was not sent") as caught:
            send(at(running, credentials=["ops", SECRET]))
        assert caught.value.retry_after == MEND_SECONDS
        assert running.logins == ["ops"]
        send(at(running, credentials=["ops", SECRET], secure="none"))
        assert running.logins == ["ops", "ops"]


def test_no_login_offered(plain):
    """A server without a login says so in words, not in a traceback."""
    with pytest.raises(DeliveryError, match="offers no login"):
        send(at(plain, credentials=["ops", SECRET]))


# Servers that cost time


@pytest.mark.slow
@pytest.mark.shows("mail hangs", "said")
@pytest.mark.shows("mail cut off", "said")
@pytest.mark.parametrize("verb", ["greeting", "EHLO", "MAIL", "RCPT", "354", "DATA"])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("drop", "hung up"),
        ("hang", r"did not answer within 0\.1 s"),
        ("trickle", r"did not answer within 0\.1 s"),
        ("endless", r"does not answer as a mail server does \(a reply without an end\)"),
        ("flood", r"does not answer as a mail server does \(a line without an end\)"),
        ("garbage", r"does not answer as a mail server does \(.*HTTP/1\.1 400 Bad Request\)"),
    ],
)
def test_broken_off(plain, verb, fault, words):
    """A server that hangs up, falls silent or talks nonsense, at any point, is one sentence; the mail goes later."""
    plain.faults[verb] = fault
    with pytest.raises(DeliveryError, match=words) as caught:
        send(at(plain, timeout=0.1 if fault in ("hang", "trickle") else 5.0))
    assert not isinstance(caught.value, RefusedError)
    assert plain.mails == []


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["greeting", "EHLO", "DATA"])
@pytest.mark.parametrize("fault", ["hang", "trickle", "endless", "flood"])
def test_costly_over_tls(certificate, verb, fault):
    """The same holds on an encrypted connection, of which a socket shows only the half."""
    with FakeSMTP(tls=certificate.server()) as running:
        running.faults[verb] = fault
        with pytest.raises(DeliveryError, match=r"did not answer within|does not answer as a mail server"):
            send(at(running, timeout=0.1, secure="ssl", ca_file=certificate.ca_file))
        running.faults.clear()
        send(at(running, secure="ssl", ca_file=certificate.ca_file))
        assert len(running.mails) == 1


@pytest.mark.shows("mail hangs", "bounded", "ends in time")
def test_each_answer_in_time_but_not_all(plain):
    """A server that is slow every time, though never too slow, costs no more than a connection may last."""

    def think(_):
        time.sleep(0.15)

    plain.faults |= dict.fromkeys(["EHLO", "MAIL", "RCPT", "354"], think)
    server = dataclasses.replace(at(plain), seconds=0.35)
    with pytest.raises(DeliveryError, match=r"took more than 0\.35 s for all its answers together"):
        send(server)
    assert plain.mails == []


@pytest.mark.parametrize("fault", ["hang", "trickle"])
def test_connection_ends_within_an_answer(plain, fault):
    """No answer is waited for beyond the time of the connection, however long `timeout` is."""
    plain.faults["RCPT"] = fault
    server = dataclasses.replace(at(plain, timeout=600.0), seconds=0.5)
    with pytest.raises(DeliveryError, match=r"took more than 0\.5 s for all its answers together"):
        send(server)


@pytest.mark.shows("mail hangs", "bounded")
def test_memory_is_bounded():
    """What a server pours out is not gathered: no more than the longest reply is read."""
    poured = []

    def pour(connection):
        connection.settimeout(5.0)
        with contextlib.suppress(OSError):
            while True:
                poured.append(connection.send(b"220-welcome\r\n" * 1000))

    with talking(pour) as address, pytest.raises(DeliveryError, match="a reply without an end"):
        send(read(address, timeout=5.0))
    assert sum(poured) < 30 << 20  # what the kernel buffers, of which we read 64 KB


@pytest.mark.slow
def test_server_that_does_not_read():
    """A mail that the server does not take off the line ends in time, too."""

    def deaf(connection):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for answer in (b"220 hi", b"250 hi", b"250 ok", b"250 ok", b"354 go"):
            connection.sendall(answer + b"\r\n")
            if not answer.startswith(b"354"):
                connection.recv(4096)
        done.wait(30)

    done = threading.Event()
    with talking(deaf) as address:
        with pytest.raises(DeliveryError, match="did not answer within"):
            send(read(address, timeout=0.2), content=CONTENT + b"x" * 76 * 500_000)
        done.set()


@pytest.mark.slow
@pytest.mark.shows("mail hangs", "nothing twice")
def test_slow_acknowledgement(plain):
    """A server that thinks about a mail for longer than `timeout` is waited for, lest it get it twice."""

    def think(_):
        time.sleep(1.2)

    plain.faults["DATA"] = think
    send(at(plain, timeout=1.0))
    assert len(plain.mails) == 1


@pytest.mark.parametrize("fault", ["drop", "hang", "trickle", "garbage", "421 in a hurry"])
def test_parting_in_anger(plain, fault):
    """What happens after the mail was taken does not matter."""
    plain.faults["QUIT"] = fault
    send(at(plain, timeout=0.5))
    assert len(plain.mails) == 1


@pytest.mark.parametrize("secure", ["none", "ssl"])
def test_no_greeting(secure):
    """A server that accepts the connection and says nothing costs no more than the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(DeliveryError, match=r"within 0\.2 s"):
        send(read(list(silent.getsockname()), timeout=0.2, secure=secure))


@pytest.mark.shows("mail away", "said")
def test_nothing_listens():
    """A port where nothing listens is one sentence."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(DeliveryError, match=f"nothing listens at 127.0.0.1:{port}"):
        send(read(f"127.0.0.1:{port}"))


@pytest.mark.shows("mail away", "said")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "the name mail.example was not found"),
        (OSError(101, "Network is unreachable"), "mail.example:25 cannot be used: .*Network is unreachable"),
        (UnicodeError("label too long"), "mail.example:25 cannot be used: label too long"),
    ],
)
def test_no_way_there(monkeypatch, error, words):
    """Trouble on the way to the server is one sentence."""

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(DeliveryError, match=words):
        send(read("mail.example"))


def test_the_address_that_answers(plain, monkeypatch):
    """Of several addresses of a server the first that answers is taken."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in (dead, (plain.host, plain.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    send(read("mail.example"))
    assert len(plain.mails) == 1


def test_ipv6(certificate):
    """A server at an IPv6 address is reached, in the clear and encrypted, and named with brackets."""
    try:
        running = FakeSMTP(host="::1", starttls=certificate.server())
    except OSError:
        pytest.skip("this machine has no IPv6")
    with running:
        for mailhost in (["::1", running.port], f"[::1]:{running.port}"):
            send(read(mailhost))
        with pytest.raises(DeliveryError, match=rf"the certificate of \[::1\]:{running.port} was not accepted"):
            send(at(running, secure="starttls", ca_file=certificate.ca_file))
        assert len(running.mails) == 2


# Several mails over one connection


def test_one_connection(plain):
    """Several mails of a visit go over one connection, and none of them waits for the next visit."""
    send(at(plain), mails=3)
    assert (len(plain.mails), plain.connections) == (3, 1)


def test_no_connection_without_need(plain):
    """A visit in which there is nothing to say does not connect."""
    with at(plain).session(names_host=False) as session:
        assert session.has_time
        assert not session.is_open
    assert plain.connections == 0


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "354", "DATA"])
def test_after_a_refused_mail(plain, verb):
    """A mail that is refused, at any point, leaves nothing behind for the next one on the connection."""
    refusals = ["554 5.7.1 spam"]
    plain.faults[verb] = lambda _: refusals.pop() if refusals else None
    with at(plain).session(names_host=False) as session:
        if verb == "RCPT":
            assert session.send("a@shop.example", ["one@example.com"], CONTENT)["one@example.com"].is_final
        else:
            with pytest.raises(RefusedError, match=r"554 5\.7\.1 spam"):
                session.send("a@shop.example", ["one@example.com"], CONTENT)
        assert session.is_open
        assert session.send("b@shop.example", ["two@example.com"], CONTENT) == {}
    assert [(mail.sender, mail.recipients) for mail in plain.mails] == [("b@shop.example", ("two@example.com",))]
    assert plain.connections == 1
    assert plain.resets


@pytest.mark.parametrize("fault", ["drop", "421 4.7.0 too many mails"])
def test_limit_of_mails_per_connection(plain, fault):
    """A server that wants no more mails over a connection gets the next one over a new one."""
    plain.limit = (1, fault)
    send(at(plain), mails=3)
    assert (len(plain.mails), plain.connections) == (3, 3)


@pytest.mark.shows("mail cut off", "bounded")
def test_reconnected_once(plain):
    """A server that has enough of the new connection, too, is left alone."""
    with at(plain).session(names_host=False) as session:
        session.send("a@shop.example", ["one@example.com"], CONTENT)
        plain.faults["MAIL"] = "421 enough"
        with pytest.raises(DeliveryError, match="421 enough"):
            session.send("a@shop.example", ["one@example.com"], CONTENT)
    assert (len(plain.mails), plain.connections) == (1, 2)


@pytest.mark.parametrize("first", [None, "550 no such user", "450 later"])
def test_hung_up_among_the_recipients(plain, first):
    """A server that has enough after some recipients has not taken the mail for any of them."""
    plain.faults["RCPT"] = lambda address: "421 closing" if address.startswith("two") else first
    with pytest.raises(DeliveryError, match="421 closing") as caught:
        send(at(plain), "one@example.com", "two@example.com", "three@example.com")
    assert not isinstance(caught.value, RefusedError)
    assert plain.mails == []


@pytest.mark.shows("mail refuses", "bounded")
def test_refused_mail_is_not_tried_twice(plain):
    """A mail that is refused for good is not sent once more because the server hung up after its answer."""
    asked = []
    with at(plain).session(names_host=False) as session:
        session.send("a@shop.example", ["one@example.com"], CONTENT)
        plain.faults["DATA"] = lambda _: asked.append(1) or "554 spam, hanging up"
        with pytest.raises(RefusedError, match="554 spam"):
            session.send("a@shop.example", ["one@example.com"], CONTENT)
    assert len(asked) == 1


def test_long_line():
    """A line that is longer than any of a mail server's is none, although it ends."""
    with (
        talking(lambda connection: connection.sendall(b"220 " + b"x" * 8500 + b"\r\n")) as address,
        pytest.raises(DeliveryError, match="a line without an end"),
    ):
        send(read(address, timeout=5.0))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["lose", "hang"])
def test_not_reconnected_in_doubt(plain, fault):
    """A mail that may have been taken, and a server that hangs, are for later."""
    with at(plain, timeout=0.5).session(names_host=False) as session:
        session.send("a@shop.example", ["one@example.com"], CONTENT)
        plain.faults["DATA"] = fault
        with pytest.raises(DeliveryError):
            session.send("a@shop.example", ["one@example.com"], CONTENT)
    assert plain.connections == 1


# Options


@pytest.mark.parametrize(
    ("mailhost", "secure", "name"),
    [
        ("mail.example", None, "mail.example:25"),
        ("mail.example:587", None, "mail.example:587"),
        (["mail.example", 2525], None, "mail.example:2525"),
        (("mail.example", "2525"), None, "mail.example:2525"),
        (["mail.example", None], None, "mail.example:25"),
        ("mail.example", "ssl", "mail.example:465"),
        ("mail.example", "starttls", "mail.example:25"),
        ("::1", None, "[::1]:25"),
        ("[::1]", None, "[::1]:25"),
        ("[::1]:587", None, "[::1]:587"),
    ],
)
def test_mailhost(mailhost, secure, name):
    """A mail host is a name or an address, with or without a port, in one text or in two parts."""
    assert str(read(mailhost, secure=secure)) == name


@pytest.mark.parametrize(
    ("port", "secure", "tls"),
    [
        (465, None, "ssl"),
        (465, [], "ssl"),
        (465, "none", "none"),
        (465, "starttls", "starttls"),
        (587, None, "offered"),
        (587, [], "starttls"),
        (25, "none", "none"),
    ],
)
def test_secure(port, secure, tls):
    """Port 465 means TLS from the start unless a word says otherwise; a list asks for STARTTLS."""
    assert read(["mail.example", port], secure=secure).tls == tls


@pytest.mark.parametrize("content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_ca_file_is_looked_at(tmp_path, content):
    """A `ca_file` that is not there, or holds no certificate, is refused when the handler is made."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(OptionValueError, match=r"^Owner: option 'ca_file' cannot be .* in PEM \(.+\)\.$"):
        read(ca_file=str(path))


def test_ca_file_that_vanished(certificate, tmp_path):
    """A `ca_file` that is gone when it is needed is one sentence."""
    path = tmp_path / "ca.pem"
    certificate.authority.cert_pem.write_to_path(path)
    with FakeSMTP(tls=certificate.server()) as running:
        server = at(running, secure="ssl", ca_file=str(path))
        path.unlink()
        with pytest.raises(DeliveryError, match=r"cannot be used: .*No such file"):
            send(server)


@pytest.mark.parametrize(
    "credentials",
    [
        ["user", f"{SECRET}\0"],
        ["user", f"{SECRET}\n"],
        ["user", f"{SECRET}\ud800"],
        ["user", SECRET, "x"],
        f"user:{SECRET}",
    ],
)
def test_malformed_credentials_are_not_shown(credentials):
    """What is wrong with credentials is said without them."""
    with pytest.raises(OptionValueError) as caught:
        read(credentials=credentials)
    assert SECRET not in str(caught.value)


def test_cram_md5_is_rfc_2195():
    """The digest is that of the example in RFC 2195, section 2."""
    asked = []
    connection = Connection.__new__(Connection)
    challenge = base64.b64encode(b"<1896.697170952@postoffice.reston.mci.net>")
    connection.docmd = lambda *words: asked.append(words) or ((334, challenge) if len(asked) == 1 else (235, b"ok"))
    assert connection._cram_md5("tim", "tanstaaftanstaaf")[0] == 235
    assert base64.b64decode(asked[1][0]) == b"tim b913a602c7eda7a495b4e6e7334d3890"
    assert hmac.new(b"", b"", "md5").digest_size == 16
