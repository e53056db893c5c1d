"""Addresses of the network: which are one visitor's, and which lead to this machine alone."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


def network(address: str) -> str:
    """Return what is one visitor: an address, of IPv6 the network of 64 bits that one visitor has to himself.

    All that is no address, such as a socket's path or a proxy's ``unknown``, is one.
    """
    read = _read(address)
    if isinstance(read, IPv6Address):
        return str(ip_network((read, 64), strict=False))
    return "?" if read is None else str(read)


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is one of this machine that nobody else reaches."""
    read = _read(host)
    return host == "localhost" if read is None else read.is_loopback


def _read(address: str) -> IPv4Address | IPv6Address | None:
    try:
        read = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return getattr(read, "ipv4_mapped", None) or read
