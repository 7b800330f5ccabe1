"""Checks of values that name something elsewhere: model URIs, URLs; and which setting has which.

Each takes the value and its origin (a flag, a variable, a key of a file), and returns nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from cluster.kernel.errors import UsageError
from cluster.kernel.model_uri import ModelUri
from cluster.settings.bounds import (
    check_coherence,
    check_cost,
    check_deadline,
    check_port,
    check_replicas,
    check_tokens,
)

_REDIS_SCHEMES = ("redis", "rediss", "unix")
_WEB_SCHEMES = ("http", "https")


def check_model_uri(value: object, origin: str) -> None:
    """Raise UsageError unless it is a model URI."""
    try:
        ModelUri.parse(str(value))
    except UsageError as error:
        raise UsageError(f"{origin}: {error}") from error


def check_redis_url(value: object, origin: str) -> None:
    """Raise UsageError unless it is a Redis URL; the sentence never shows a password."""
    address = _split(str(value))
    if (
        address is None
        or address.scheme not in _REDIS_SCHEMES
        or not (address.hostname or address.path)
    ):
        raise UsageError(
            f"{origin}: not a Redis URL; allowed are redis://HOST:PORT/DB, rediss://HOST:PORT/DB "
            "and unix:///PATH"
        )


def check_base_url(value: object, origin: str) -> None:
    """Raise UsageError unless it is the URL of a web server, free of credentials."""
    address = _split(str(value))
    if address is None or address.scheme not in _WEB_SCHEMES or not address.hostname:
        shown = str(value).partition("?")[0]  # a query may hold a key
        raise UsageError(f"{origin}: {shown!r} is no URL such as http://127.0.0.1:8000/v1")
    if "@" in address.netloc:
        raise UsageError(f"{origin}: a URL with a password is not taken; set OPENAI_API_KEY")


def check_origins(value: object, origin: str) -> None:
    """Raise UsageError unless each is an origin as browsers name it, or ``*``."""
    for each in value if isinstance(value, Sequence) else ():
        if each != "*" and not _is_origin(str(each)):
            raise UsageError(
                f"{origin}: {each!r} is no origin: it is like https://chat.example.org, without a "
                "path, or * for all"
            )


def check_hosts(value: object, origin: str) -> None:
    """Raise UsageError unless each is the name or address of a host, and nothing more."""
    for each in value if isinstance(value, Sequence) else ():
        address = _split(f"//{each}" if ":" not in str(each) else f"//[{each}]")
        if address is None or address.netloc.strip("[]") != each or not address.hostname:
            raise UsageError(
                f"{origin}: {each!r} is no host: it is a name or an address without scheme and port"
            )


def without_credentials(url: str) -> str:
    """Return the URL without user, password, query and fragment; empty stays empty."""
    address = _split(url)
    if address is None or not address.scheme:
        return ""
    place = address.netloc.rpartition("@")[2]
    return f"{address.scheme}://{place}{address.path}"


def _is_origin(text: str) -> bool:
    address = _split(text)
    if address is None or address.scheme not in _WEB_SCHEMES or not address.hostname:
        return False
    return text == f"{address.scheme}://{address.netloc}"


def _split(url: str) -> SplitResult | None:
    try:
        address = urlsplit(url)
        address.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        return None
    return address


CHECKS: Mapping[str, Callable[[object, str], None]] = {
    "model.uri": check_model_uri,
    "model.base_url": check_base_url,
    "store.redis": check_redis_url,
    "task.deadline_s": check_deadline,
    "task.coherence": check_coherence,
    "task.tokens_max": check_tokens,
    "task.cost_max": check_cost,
    "serve.origins": check_origins,
    "serve.port": check_port,
    "serve.replicas": check_replicas,
    "serve.webhook_hosts": check_hosts,
}
"""By key of the settings; keys without a check take any text."""
