"""Which hosts only this machine can reach, and how they are reached: never through a proxy.

Asked by whatever opens a connection. A proxy of the environment would look for the host on its own
machine. Nothing is sent here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import MutableMapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

_NAME = "localhost"
_NAMES = frozenset(
    {
        *(_NAME, "localhost.localdomain", "localhost4", "localhost4.localdomain4"),
        *("localhost6", "localhost6.localdomain6", "ip6-localhost", "ip6-loopback"),
    }
)
"""What systems call it in their file of hosts."""
_NET = "127"
_OCTETS = 3
_EXCEPTIONS = ("no_proxy", "NO_PROXY")
"""Of the environment's proxies; where both are set, most libraries read the first only."""


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach what listens there."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        name = host.lower().removesuffix(".")
        return name in _NAMES or name.endswith(f".{_NAME}") or _is_short_loopback(name)
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _is_short_loopback(name: str) -> bool:
    """Say whether a name is a loopback address as only C's `inet_aton` reads it, such as 127.1."""
    first, *others = name.split(".")
    return first == _NET and 0 < len(others) < _OCTETS and all(map(str.isdecimal, others))


def is_every_address(host: str) -> bool:
    """Say whether what listens there does so at every address of its machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def reached_at(host: str) -> str:
    """Return where this machine reaches what listens at a host of its own; without brackets."""
    bare = host.strip("[]")
    if not is_every_address(bare):
        return bare
    return "::1" if ":" in bare else "127.0.0.1"


def is_loopback_url(url: str) -> bool:
    """Say whether a URL leads to this machine whoever asks; 0.0.0.0 does, since it is asked for."""
    host = urlsplit(url).hostname or ""
    return is_loopback(host) or is_every_address(host)


def opener_for(url: str) -> OpenerDirector:
    """Return what opens a URL as `urllib.request.urlopen` does, by the proxies it should take."""
    # With its libraries it takes 30 ms to import, and most who ask about hosts open nothing.
    from urllib.request import ProxyHandler, build_opener

    return build_opener(ProxyHandler({})) if is_loopback_url(url) else build_opener()


def except_from_proxies(url: str, environment: MutableMapping[str, str]) -> None:
    """Name a URL's host among those that no proxy is asked for, where it is on this machine.

    For libraries that know of proxies from the environment alone.
    """
    host = urlsplit(url).hostname or ""
    if not is_loopback(host):
        return
    named = next(filter(None, map(environment.get, _EXCEPTIONS)), "")
    if named != "*":
        environment.update(dict.fromkeys(_EXCEPTIONS, ",".join(filter(None, (named, host)))))
