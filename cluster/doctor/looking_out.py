"""Gathers the facts of the way to what isn't on this machine: proxies, certificates, tokens.

All of it blocks; nothing secret leaves it. Called by `cluster.doctor.examination`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from cluster.doctor.network import ProxyFacts, TokenFacts
from cluster.kernel.errors import PlacementError
from cluster.kernel.loopback import is_loopback_url
from cluster.kernel.model_uri import ModelUri
from cluster.kernel.sections import ModelSettings
from cluster.placement.ray.token import has_token, open_to_others, send_token
from cluster.settings import Configuration, with_header_values
from cluster.supply import installed_agents

_MAIN_MODEL = "model"
"""The name of the model for hard goals, as its section in the settings."""
_CONNECT_TIMEOUT_S = 2.0
_PORTS = {"http": 80, "https": 443, "socks": 1080, "socks4": 1080, "socks5": 1080, "socks5h": 1080}
_SCHEMES = ("http", "https", "all")


def proxy_facts(configuration: Configuration) -> list[ProxyFacts]:
    """Look up the environment's proxies, who is asked by way of them, and try to reach them."""
    proxies = getproxies()
    urls = [url for _, model, _ in models_of(configuration) if (url := _endpoint_of(model))]
    found = []
    for scheme in filter(proxies.get, _SCHEMES):
        hosts = sorted({_host(url) for url in urls if _scheme_for(url, proxies) == scheme})
        found.append(
            ProxyFacts(_variable(scheme), _shown(proxies[scheme]), _reach(proxies[scheme]), hosts)
        )
    return found


def _scheme_for(url: str, proxies: Mapping[str, str]) -> str:
    """Return which of the proxies a URL is asked by way of; empty for none."""
    parts = urlsplit(url)
    if is_loopback_url(url) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    return next((each for each in (parts.scheme, "all") if proxies.get(each)), "")


def _variable(scheme: str) -> str:
    small = f"{scheme}_proxy"
    return small if os.environ.get(small) else small.upper()


def _split(proxy: str) -> tuple[str, str, int]:
    """Return scheme, host and port; raises ValueError where it is no URL."""
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if not parts.hostname:
        raise ValueError("it has no host")
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme, 80)


def _shown(proxy: str) -> str:
    try:
        scheme, host, port = _split(proxy)
    except ValueError:
        return "(no URL)"
    return f"{scheme}://{host}:{port}"


def _reach(proxy: str) -> str:
    try:
        _, host, port = _split(proxy)
        socket.create_connection((host, port), _CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer"
        return f"can't be reached ({reason.lower()})"
    return ""


def certificate_complaint() -> str:
    """Return what is wrong with the file of certificates that the environment names."""
    path = os.environ.get("SSL_CERT_FILE", "")
    if not path or os.access(path, os.R_OK):
        return ""
    return f"SSL_CERT_FILE names {path}, which can't be read: name another file, or unset it"


def token_facts(configuration: Configuration) -> TokenFacts:
    """Look which keys and tokens there are; they are not sent anywhere."""
    keyed: list[str] = []
    keyless: list[str] = []
    unsendable: list[str] = []
    for name, model, key in models_of(configuration):
        url = _endpoint_of(model)
        if not url:
            continue
        if key:
            (keyed if key.isascii() and key.strip().isprintable() else unsendable).append(name)
        elif not is_loopback_url(url):
            keyless.append(name)
    complaint = ""
    if os.environ.get("RAY_AUTH_MODE"):  # without it, to ask imports Ray
        try:
            send_token()
        except PlacementError as error:
            complaint = str(error)
    ray = _ray_token_place() if has_token() else ""
    return TokenFacts(keyless, unsendable, keyed, ray, complaint, *open_to_others())


def _ray_token_place() -> str:
    if os.environ.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN"
    return os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token"


def models_of(configuration: Configuration) -> Iterator[tuple[str, ModelSettings, str]]:
    """Yield each model of the settings with its name and its key, as a run asks it."""
    secrets = configuration.secrets
    settings = with_header_values(configuration.settings, secrets)
    yield _MAIN_MODEL, settings.model, secrets.api_key
    for name, entry in settings.models.items():
        yield f"{_MAIN_MODEL}s.{name}", entry, secrets.model_keys.get(name, "")


def _endpoint_of(model: ModelSettings) -> str:
    """Return the URL of a model's endpoint; empty for what runs here."""
    if not ModelUri.parse(model.uri).is_endpoint:
        return ""
    return model.base_url or installed_agents().PUBLIC_BASE_URL


def _host(url: str) -> str:
    return urlsplit(url).hostname or url
