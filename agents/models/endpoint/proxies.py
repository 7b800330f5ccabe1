"""The proxy that the environment names for an endpoint, and how it is asked through one.

HTTP proxies are aiohttp's own business, SOCKS ones that of a library around it. What is on this
machine is never asked through any: a proxy would look for it on its own machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from agents.models.endpoint.unreached import SocksFailed
from cluster.kernel.errors import UsageError
from cluster.kernel.loopback import is_loopback_url

_HTTP = frozenset({"http", "https"})
_SOCKS_4 = frozenset({"socks4", "socks4a"})
_SOCKS = _SOCKS_4 | {"socks", "socks5", "socks5h"}
"""The endpoint's name is looked up by the proxy wherever the protocol allows that: behind one,
names mostly can't be looked up otherwise."""
_SOCKS_PORT = 1080


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that an endpoint is asked through."""

    url: str

    def __str__(self) -> str:
        """Return it without user and password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS, and not HTTP."""
        return urlsplit(self.url).scheme in _SOCKS


def proxy_of(url: str) -> Proxy | None:
    """Return the proxy that the environment names for a URL; none for what is on this machine.

    Raises:
        UsageError: it is of no kind that can be used, or has no host.
    """
    parts = urlsplit(url)
    proxies = getproxies()
    named = proxies.get(parts.scheme) or proxies.get("all") or proxies.get("socks")
    if not named or is_loopback_url(url) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxy = Proxy(named if "://" in named else f"http://{named}")
    scheme = _scheme(proxy.url)
    if not scheme:
        # Without the URL: whatever part of it were printed could be one of the password.
        raise UsageError(
            f"the environment names a proxy for {parts.hostname} that is no URL like"
            " http://USER:PASSWORD@HOST:PORT: write it so, in user and password %2F for / and"
            " likewise for ?, # and @, or list the host in NO_PROXY"
        )
    if scheme not in _HTTP and scheme not in _SOCKS:
        raise UsageError(
            f"the environment names a {scheme} proxy for {parts.hostname}, and only HTTP and SOCKS"
            " proxies can be used: name another one, or list the host in NO_PROXY"
        )
    if not _has_place(proxy.url):
        raise UsageError(
            f"the environment names the proxy {proxy} for {parts.hostname}, which is no URL like"
            " http://HOST:PORT: name another one, or list the host in NO_PROXY"
        )
    return proxy


def connector(proxy: Proxy | None, **options: Any) -> aiohttp.TCPConnector:
    """Return what opens connections, by themselves through a SOCKS proxy.

    The options are those of `aiohttp.TCPConnector`.
    """
    if proxy is None or not proxy.is_socks:
        return aiohttp.TCPConnector(**options)
    from aiohttp_socks import ProxyConnector, ProxyType

    parts = urlsplit(proxy.url)
    return ProxyConnector(
        host=parts.hostname or "",
        port=parts.port or _SOCKS_PORT,
        proxy_type=ProxyType.SOCKS4 if parts.scheme in _SOCKS_4 else ProxyType.SOCKS5,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        rdns=parts.scheme != "socks4",
        **options,
    )


@contextmanager
def told_by_aiohttp(proxy: Proxy | None) -> Iterator[None]:
    """Raise what goes wrong on the way through a SOCKS proxy as an error of aiohttp's.

    Raises:
        SocksFailed: the proxy is at fault.
        aiohttp.ClientConnectionError: the endpoint is, which was reached.
    """
    if proxy is None or not proxy.is_socks:
        yield
        return
    from aiohttp_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

    try:
        yield
    except (ProxyConnectionError, ProxyTimeoutError) as error:
        raise SocksFailed("") from error
    except ProxyError as error:
        raise SocksFailed(str(error)) from error
    except aiohttp.ClientError:
        raise
    except OSError as error:  # as of TLS, which the library doesn't tell apart
        raise aiohttp.ClientConnectionError from error


def _scheme(url: str) -> str:
    """Return the scheme of a proxy's URL; empty where it can't be taken apart safely.

    A password with ``/``, ``?`` or ``#`` in it ends the host's part of a URL: what is before would
    be read as the host, and what is behind printed with it.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return "" if "@" in parts.path + parts.query + parts.fragment else parts.scheme


def _has_place(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
