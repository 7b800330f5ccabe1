"""A POST to an address that a caller names: none that only this machine or its network reaches.

Used by `cluster.serving.webhooks`. The name is resolved once, all of its addresses are looked at,
and the connection goes to one of these: a name that means something else a moment later (DNS
rebinding) is not asked again. No redirect is followed and no proxy is used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from cluster.kernel.errors import DeliveryError, UsageError

POST_S = 10.0
"""How long it may take altogether, the look-up of the name included."""
_PORTS = {"https": 443, "http": 80}
_ALSO_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            # NAT64, 6to4 and Teredo: where one leads is said by the IPv4 address within.
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "2002::/16",
            "2001::/32",
            "192.88.99.0/24",
            # Protocol assignments, where a cloud has its metadata; not all Pythons say so.
            "192.0.0.0/24",
        ),
    )
)

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a host and port; raises OSError."""


def check_url(url: str, listed: Collection[str]) -> str:
    """Return the URL as it is, where it may be called as far as can be seen without a look-up.

    Args:
        url: what a caller names.
        listed: hosts that may be called whatever their addresses are, and without TLS.

    Raises:
        UsageError: why it may not.
    """
    parts, host = _parts(url)
    if host in listed:
        return url
    if parts.scheme != "https":
        raise UsageError("the URL has to begin with https://")
    if _is_address(host) and not is_public(host):
        raise UsageError("the URL leads to an address that is not public")
    return url


def is_public(address: str) -> bool:
    """Say whether an IP address is one that the whole internet reaches, and nothing nearer."""
    ip = ipaddress.ip_address(address)
    if any(ip in each for each in _ALSO_NOT_PUBLIC):
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id or ip.is_site_local:
            return False
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


async def look_up(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]


async def pinned_post(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    listed: Collection[str] = (),
    lookup: Lookup = look_up,
) -> int:
    """Send a body and return the status of the answer, of which nothing else is read.

    Raises:
        UsageError: the URL may not be called.
        DeliveryError: there was no answer.
    """
    parts, host = _parts(check_url(url, listed))
    try:
        async with asyncio.timeout(POST_S):
            addresses = await lookup(host, parts.port or _PORTS[parts.scheme])
            if not addresses:
                raise OSError(f"{host} has no address")
            if host not in listed and not all(map(is_public, addresses)):
                raise UsageError("the URL leads to an address that is not public")
            connector = aiohttp.TCPConnector(resolver=_Pinned(host, addresses), force_close=True)
            async with (
                aiohttp.ClientSession(connector=connector, trust_env=False) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                return answer.status
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise DeliveryError(f"no answer from {host}: {type(error).__name__}") from error


class _Pinned(AbstractResolver):
    """Knows the addresses of one host, and looks nothing up."""

    def __init__(self, host: str, addresses: Sequence[str]) -> None:
        self._host = host
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - as its base has it
    ) -> list[ResolveResult]:
        """Return what was looked at; raises OSError for another host."""
        if host.lower().removesuffix(".") != self._host:
            raise OSError(f"{host} was not looked up")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Do nothing: nothing is held."""


def _parts(url: str) -> tuple[SplitResult, str]:
    """Return a URL's parts and its host in small letters; raises UsageError where it has none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, SplitResult("", "", "", "", "")
    is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not host or port == 0 or parts.scheme not in _PORTS or not is_plain:
        raise UsageError("the URL can't be read: it is as in https://example.org/hook")
    if parts.username is not None or parts.password is not None:
        raise UsageError("the URL must have no user and no password")
    return parts, host.lower().removesuffix(".")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
