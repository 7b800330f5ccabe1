"""The book of named bearer tokens, in the central store.

Used by `cluster.cli.tokens`, which adds and revokes, and by `cluster.serving.gate`, which asks
whose a token is. A token is ``fm-NAME-`` and 256 random bits as hexadecimal digits. The book has
its SHA-256 alone: against so many bits no list of likely tokens helps, so a hash that is slow on
purpose, or salted, would only make each request slower.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from typing import Final

from cluster.kernel.clock import Clock
from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.names import check_namespace
from cluster.memory.store.port import Store
from cluster.serving.wire import AccessToken, access_token_from_bytes, access_token_to_bytes

SCOPES: Final = ("ask", "learn", "admin")
TASKS_MAX_MAX: Final = 1_000_000
TOKENS_A_DAY_MAX: Final = 10**15
_SECRET_BYTES = 32
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
_TOKEN = re.compile(r"fm-([a-z0-9][a-z0-9._-]{0,63})-[0-9a-f]{64}", re.ASCII)
_PREFIX = "token/"
_ANY = "tokens/any"
"""Set with the first token and never removed: revoking the last one opens nothing."""
_KEPT_S = 100 * 365 * 24 * 3600.0
"""The store sets a free key only for a time; a token is to stay until it is revoked."""
_NOBODYS = bytes(hashlib.sha256().digest_size)


class TokenBook:
    """All tokens of a cluster. Every method raises `StoreUnavailable` where the store is away."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def add(
        self,
        name: str,
        *,
        scopes: Sequence[str] = ("ask",),
        namespaces: Sequence[str] = (),
        tasks_max: int | None = None,
        tokens_a_day_max: int | None = None,
    ) -> str:
        """Add a token and return it, which nobody can do a second time.

        A limit of None is none; 0 is refused, since whoever says it may mean either.

        Raises:
            UsageError: the name is taken or can't be one, or there is no such scope or limit.
        """
        secret = secrets.token_hex(_SECRET_BYTES)
        token = f"fm-{_checked_name(name)}-{secret}"
        entry = AccessToken(
            name,
            _digest(token),
            _checked_scopes(scopes),
            tuple(dict.fromkeys(check_namespace(each) for each in namespaces)),
            _checked_limit("--tasks-max", tasks_max, TASKS_MAX_MAX),
            _checked_limit("--tokens-a-day", tokens_a_day_max, TOKENS_A_DAY_MAX),
            self._clock.wall(),
        )
        # First: between the two writes nobody may come in for want of a token.
        await self._store.put_many({_ANY: b"1"})
        value = access_token_to_bytes(entry)
        # All use one epoch, so that it is only the free key that counts.
        if not await self._store.put_once(_ANY, _PREFIX + name, 1, value, _KEPT_S):
            raise UsageError(f"there is a token {name!r}: revoke it first, or use another name")
        return token

    async def revoke(self, name: str) -> None:
        """Remove a token.

        Raises:
            UsageError: there is none of that name.
        """
        key = _PREFIX + _checked_name(name)
        if (await self._store.get_many([key]))[0] is None:
            raise UsageError(f"there is no token {name!r}: `fleetmind tokens list` shows them")
        await self._store.delete([key])

    async def entries(self) -> list[AccessToken]:
        """Return all of them by their names; raises WireError where one can't be read."""
        found = await self._store.items(_PREFIX)
        return [access_token_from_bytes(found[key]) for key in sorted(found)]

    async def entry(self, name: str) -> AccessToken | None:
        """Return one by its name; raises WireError where it can't be read."""
        [value] = await self._store.get_many([_PREFIX + name])
        return None if value is None else access_token_from_bytes(value)

    async def has_any(self) -> bool:
        """Say whether there is a token, or was one."""
        return (await self._store.get_many([_ANY]))[0] is not None


def name_in(token: str) -> str:
    """Return whose a token would be; empty where it is none of ours."""
    found = _TOKEN.fullmatch(token)
    return found[1] if found else ""


def is_token_of(entry: AccessToken | None, token: str) -> bool:
    """Say whether a token is the one of an entry, in the same time for all that are not."""
    digest = _NOBODYS if entry is None else entry.digest
    return hmac.compare_digest(digest, _digest(token)) and entry is not None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _checked_name(name: str) -> str:
    if _NAME.fullmatch(name):
        return name
    raise UsageError(
        f"a token can't be called {name[:80]!r}: use up to 64 of a-z 0-9 . _ - and begin with a "
        "letter or a digit"
    )


def _checked_scopes(scopes: Sequence[str]) -> tuple[str, ...]:
    for each in scopes:
        if each not in SCOPES:
            raise UsageError(f"there is no scope {each[:80]!r}: it is one of {', '.join(SCOPES)}")
    if not scopes:
        raise UsageError(f"a token needs a scope: one of {', '.join(SCOPES)}")
    return SCOPES if "admin" in scopes else tuple(each for each in SCOPES if each in scopes)


def _checked_limit(flag: str, number: int | None, highest: int) -> int:
    """Return a limit as an entry has it: 0 for none."""
    if number is None or 1 <= number <= highest:
        return number or 0
    raise UsageError(
        f"{flag} is a number from 1 to {highest}, not {number}: leave it away for no limit"
    )
