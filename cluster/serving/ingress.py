"""What the routes of the ingress share: the cluster, who may do what, the limits; who is calling.

Made by whoever deploys the application, handed to `cluster.serving.app.build_app`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cluster.kernel.clock import Clock
from cluster.kernel.errors import DeadlinePassed, StoreUnavailable
from cluster.kernel.feed import TaskRecord
from cluster.kernel.ids import TaskId
from cluster.kernel.loopback import is_loopback
from cluster.kernel.vocabulary import Coherence
from cluster.serving.failure_log import FailureLog
from cluster.serving.ports import Caller, Desk, Gate
from cluster.serving.problems import Problem, too_many
from cluster.serving.webhooks import Webhooks
from cluster.settings.values import ServeSettings

GATE_WAIT_S: Final = 8.0
"""How long it may take to find out who may do what: above the store's own deadline for one answer,
and below what several of them might take one after the other."""
ENDING_WAIT_S: Final = 120.0
"""How long what is done for a request that is over may take: above the sum of its own deadlines,
the longest of which are the 30 s for a Manager's word."""
_TASK = re.compile(r"[0-9a-f]{32}")
_BEARER = HTTPBearer(auto_error=False, description="A token of `fleetmind tokens add`.")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


@dataclass(frozen=True, slots=True)
class OrderDefaults:
    """What holds of a task where its request says nothing."""

    deadline_s: float = 300.0
    deadline_s_max: float = 24 * 3600.0
    tokens_max: int = 0
    cost_max: float = 0.0
    """Of both, 0 is no bound; what a request asks for may be less, never more."""
    coherence: Coherence = Coherence.CHAINED


class Endings:
    """What is still to be done for requests that are over; it is awaited before the process ends.

    Whoever asked has gone, and a server may cancel again and again what runs for them.
    """

    __slots__ = ("_running",)

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    async def finish(self, work: Coroutine[None, None, None]) -> None:
        """Do it to its end, even where whoever waits for it is cancelled.

        Raises:
            DeadlinePassed: it took longer than `ENDING_WAIT_S`, and was cancelled.
        """
        doing = asyncio.create_task(_in_time(work))
        self._running.add(doing)
        doing.add_done_callback(self._running.discard)
        await asyncio.shield(doing)

    async def wait(self, timeout_s: float) -> None:
        """Wait for all of them; what is not done in time is cancelled."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)
        for each in list(self._running):
            each.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Ingress:
    """What every route needs."""

    desk: Desk
    gate: Gate
    settings: ServeSettings
    defaults: OrderDefaults
    clock: Clock
    endings: Endings = field(default_factory=Endings)
    failures: FailureLog = field(default_factory=FailureLog)
    webhooks: Webhooks | None = None
    """None where nobody can be told of the end of a task."""

    async def admit(self, caller: Caller, task: TaskId, timeout_s: float) -> None:
        """Count a task that is about to begin; whoever counts it and begins it not, releases it.

        Raises:
            Problem: the caller may have no more of them just now.
            StoreUnavailable: nobody can say so in time.
        """
        until = self.clock.wall() + timeout_s
        async with _gate_in_time():
            reached = await self.gate.refusal(caller, task, until)
        if reached is not None:
            raise too_many(
                reached.message,
                retry_after_s=reached.retry_after_s,
                may_be_repeated=reached.may_pass_soon,
                code="limit_of_token",
            )

    async def known_record(
        self, caller: Caller, task: str, *, may_be_anothers: bool = False
    ) -> TaskRecord | None:
        """Return the record of a task of a caller; None where there is none, or it is another's."""
        record = await self.desk.record(TaskId(task)) if _TASK.fullmatch(task) else None
        if record is None or not (may_be_anothers or record.summary.owner == caller.name):
            return None
        return record


def namespace_for(caller: Caller, asked: str, param: str = "fleetmind.namespace") -> str:
    """Return the namespace of a task's knowledge; a token's first one where none is asked for.

    Raises:
        Problem: it is none of the caller's.
    """
    if not caller.namespaces or asked in caller.namespaces:
        return asked
    if asked:
        raise Problem(
            403,
            "the token may not use this namespace",
            kind="permission_error",
            param=param,
            code="namespace_not_allowed",
        )
    return caller.namespaces[0]


def caller_with(ingress: Ingress, scope: str) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency that finds who is calling, and that they have a scope.

    Where no token was ever made and the ingress listens on loopback, whoever calls may do all; but
    no page of a browser may, which reaches loopback too, unless its origin is allowed.

    Raises:
        Problem: from the dependency: 401 for no token or a wrong one, 403 for a lack of scope.
        StoreUnavailable: from the dependency: nobody can say so in time.
    """

    async def caller(request: Request, credentials: _Credentials) -> Caller:
        found = None
        async with _gate_in_time():
            if is_loopback(ingress.settings.host) and not await ingress.gate.has_tokens():
                _refuse_pages(request, ingress.settings.origins)
                found = Caller("")  # whatever they send as a token: clients can't do without one
            elif credentials is not None:
                found = await ingress.gate.caller(credentials.credentials)
        if found is None:
            raise _unknown(is_named=credentials is not None)
        if scope not in found.scopes:
            raise Problem(
                403,
                f"the token has no scope {scope!r}",
                kind="permission_error",
                code="insufficient_permissions",
            )
        return found

    return caller


async def _in_time(work: Coroutine[None, None, None]) -> None:
    try:
        async with asyncio.timeout(ENDING_WAIT_S):
            await work
    except TimeoutError:
        raise DeadlinePassed(
            f"what is done for a request that is over took longer than {ENDING_WAIT_S:g} s"
        ) from None


@asynccontextmanager
async def _gate_in_time() -> AsyncIterator[None]:
    """Bound what the gate may take: its store has a deadline for each answer alone."""
    try:
        async with asyncio.timeout(GATE_WAIT_S):
            yield
    except TimeoutError:
        raise StoreUnavailable(
            f"the store did not say within {GATE_WAIT_S:g} s who may do what"
        ) from None


def _unknown(*, is_named: bool) -> Problem:
    message = (
        "the token is not known, or was revoked"
        if is_named
        else "a token is needed, as in 'Authorization: Bearer TOKEN'"
    )
    return Problem(
        401,
        message,
        kind="authentication_error",
        code="invalid_api_key",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _refuse_pages(request: Request, origins: tuple[str, ...]) -> None:
    """Refuse a page of elsewhere, and a name of elsewhere that was made to mean this machine."""
    origin = request.headers.get("origin", "")
    if origin and origin not in origins and "*" not in origins and not _is_own(request, origin):
        raise Problem(403, "pages of this origin may not call", kind="permission_error")
    if not is_loopback(_named_host(request)):
        raise Problem(403, "without a token, only localhost is answered", kind="permission_error")


def _is_own(request: Request, origin: str) -> bool:
    return origin.partition("://")[2] == request.headers.get("host")


def _named_host(request: Request) -> str:
    """Return the host that a request names, empty where that can't be read.

    Of such a request Starlette's URL has the server's own host, which is on loopback.
    """
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""
