"""wait_for_network: real sockets that open late, or never."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing

import pytest

from loghub import procedures
from loghub.errors import ProcedureError
from loghub.procedures import clock


@pytest.fixture(params=[("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)], ids=["IPv4", "IPv6"])
def late(request):
    """A socket that is bound and does not listen yet: connections are refused."""
    address, family = request.param
    with closing(socket.socket(family, socket.SOCK_STREAM)) as bound:
        bound.bind((address, 0))
        yield bound


def test_open(late, time):
    """An open port is found at once."""
    late.listen()
    host, port = late.getsockname()[:2]
    assert procedures.wait_for_network({}, host=host, port=port) is True
    assert not time.slept


def test_opens_late(late, time, monkeypatch):
    """A port that opens while it is waited for is found at the next try."""
    host, port = late.getsockname()[:2]

    def sleep(seconds):
        time.sleep(seconds)
        if len(time.slept) == 4:
            late.listen()

    monkeypatch.setattr(clock, "sleep", sleep)
    assert procedures.wait_for_network({}, host=host, port=port) is True
    assert time.slept == [0.5, 1.0, 2.0, 4.0]


def test_never_opens(late, time):
    """When the patience has ended the last refusal is told; waits grow to their bound, and end with the patience."""
    host, port = late.getsockname()[:2]
    began = time()
    with pytest.raises(ProcedureError) as caught:
        procedures.wait_for_network({}, host=host, port=port, patience=30, longest_wait=8)
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    assert str(caught.value).startswith(f"{shown} could not be reached within 30 s; the last try: ConnectionRefusedErr")
    assert time.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 6.5]
    assert time() - began == 30


def test_jitter(late, time, monkeypatch):
    """A wait is drawn at random, never zero and never above its bound."""
    bounds = []
    monkeypatch.setattr(clock, "uniform", lambda least, most: bounds.append((least, most)) or least)
    host, port = late.getsockname()[:2]
    with pytest.raises(ProcedureError):
        procedures.wait_for_network({}, host=host, port=port, patience=3, first_wait=1, longest_wait=2)
    assert bounds[:3] == [(0.125, 1), (0.25, 2), (0.25, 2)]
    assert all(0 < wait <= 2 for wait in time.slept)


def test_no_patience(late, time):
    """Without patience there is one try."""
    host, port = late.getsockname()[:2]
    with pytest.raises(ProcedureError):
        procedures.wait_for_network({}, host=host, port=port, patience=0)
    assert not time.slept


def test_name_comes_late(late, time, monkeypatch):
    """A name that cannot be resolved yet is tried again, as a name server that is out of reach makes all names."""
    late.listen()
    address, port = late.getsockname()[:2]
    real = socket.getaddrinfo

    def resolve(host, *args, **kwargs):
        if len(time.slept) < 3:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return real(address if host == "shop.example" else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert procedures.wait_for_network({}, host="shop.example", port=port) is True
    assert len(time.slept) == 3


def test_no_such_name(time):
    """A name that never resolves is told by what the resolver says."""
    with pytest.raises(ProcedureError, match=r"nowhere\.invalid:443 could not be reached within 1 s; .*gaierror"):
        procedures.wait_for_network({}, host="nowhere.invalid", patience=1)


def test_several_addresses(time, monkeypatch):
    """Of several addresses one that refuses does not hide one that accepts; each has its share of the time."""
    with ExitStack() as stack:
        opened = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
        closed = stack.enter_context(closing(socket.socket(socket.AF_INET6, socket.SOCK_STREAM)))
        closed.bind(("::1", 0))
        found = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", closed.getsockname()),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", opened.getsockname()),
        ]
        limits = []
        real = socket.socket.settimeout
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        monkeypatch.setattr(
            socket.socket, "settimeout", lambda self, seconds: (limits.append(seconds), real(self, seconds))
        )
        assert procedures.wait_for_network({}, host="both.example", timeout=4.0) is True
        assert limits == [2.0, 2.0]
