"""`AgentActor`: the body of the Ray actor that hosts one agent.

Ray creates it, restarts it and shows it; messages between agents don't pass through it. Nothing
here imports Ray: `cluster.placement.actor.launcher` makes an actor of the class.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

from cluster.kernel.errors import ClusterError
from cluster.kernel.vocabulary import Failure
from cluster.placement.actor.host_spec import HostSpec
from cluster.wire.failure import failure_from_error

_log = logging.getLogger(__name__)

Opener = Callable[[HostSpec], Awaitable["OpenedHost"]]

DEFAULT_OPENER = "cluster.placement.actor.assembly:open_host"
DRAIN_S = 5.0


class OpenedHost(Protocol):
    """What an opener returns: a host with all its parts, not started yet."""

    async def start(self) -> str:
        """Register in the directory and return the address."""
        ...

    async def stop(self) -> None:
        """Leave the directory and close everything."""
        ...

    async def end_tasks(self, reason: str) -> None:
        """Cancel the tasks it owns: the whole cluster is about to stop."""
        ...

    async def fenced(self) -> None:
        """Return once a newer incarnation of the agent has taken over."""
        ...


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """How an actor's host is.

    ``state`` is one of ``starting``, ``serving``, ``failing`` (it tries again; ``failure`` says
    why), ``fenced`` (a newer incarnation took over) and ``stopped``.
    """

    agent: str
    pid: int
    state: str
    address: str = ""
    failure: Failure | None = None


class AgentActor:
    """Hosts one agent from its construction on; where that fails it tries again, ever more slowly.

    Ray runs the constructor of an asynchronous actor on the actor's event loop, and at a restart
    runs nothing else: so the host is started from there, not from a call. Every start takes a
    higher epoch, by which peers tell it from its predecessor.

    Args:
        spec: the agent and what its host is built from.
        opener: ``module:function`` that builds the host.
    """

    RETRY_FIRST_S: ClassVar[float] = 0.5
    RETRY_MAX_S: ClassVar[float] = 5.0

    def __init__(self, spec: HostSpec, opener: str = DEFAULT_OPENER) -> None:
        os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # read when grpc is imported
        self._spec = spec
        self._agent = agent = spec.agent
        self._opener = opener
        self._host: OpenedHost | None = None
        self._has_tried = asyncio.Event()
        self._health = AgentHealth(agent, os.getpid(), "starting")
        self._serving = asyncio.get_running_loop().create_task(self._serve())

    def __repr__(self) -> str:
        return f"fleetmind/{self._agent}"

    async def start(self) -> AgentHealth:
        """Return how the first attempt went; the caller sets the deadline."""
        await self._has_tried.wait()
        return self._health

    async def health(self) -> AgentHealth:
        """Return how the host is now."""
        return self._health

    async def end_tasks(self, reason: str) -> None:
        """Cancel the tasks that the agent owns; their drivers hear of it while it still serves."""
        if self._host is not None:
            await self._host.end_tasks(reason)

    async def drain(self) -> None:
        """Stop the host and stay idle; a second time changes nothing."""
        self._serving.cancel()
        await asyncio.gather(self._serving, return_exceptions=True)
        await self._close("stopped")

    async def _serve(self) -> None:
        """Start the host, as often as it takes, and end it when it was replaced."""
        delay_s = self.RETRY_FIRST_S
        while not await self._is_open():
            self._has_tried.set()
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, self.RETRY_MAX_S)
        self._has_tried.set()
        assert self._host is not None
        await self._host.fenced()
        # The process stays: exiting would make Ray restart it, and two would replace each other.
        await self._close("fenced")

    async def _is_open(self) -> bool:
        """Try to start the host once and say whether it serves; contains whatever goes wrong."""
        try:
            address = await self._open()
        except ClusterError as error:
            _log.warning("%s can't serve: %s", self._agent, error)
            failure = failure_from_error(error)
        except Exception as error:  # noqa: BLE001 - contained: the actor lives on
            _log.exception("%s can't serve", self._agent)
            failure = failure_from_error(error)
        else:
            self._health = AgentHealth(self._agent, os.getpid(), "serving", address)
            return True
        self._health = AgentHealth(self._agent, os.getpid(), "failing", failure=failure)
        return False

    async def _open(self) -> str:
        # In a thread: importing an agent with its libraries takes up to a second.
        opener = await asyncio.to_thread(_load, self._opener)
        host = await opener(self._spec)
        try:
            address = await host.start()
        except BaseException:
            await host.stop()
            raise
        self._host = host
        # What is loaded by now stays: a full collection that goes through it stops every turn of
        # the agent for a twentieth of a second.
        gc.collect()
        gc.freeze()
        return address

    async def _close(self, state: str) -> None:
        host, self._host = self._host, None
        if host is None:
            return
        self._health = AgentHealth(self._agent, os.getpid(), state)
        try:
            async with asyncio.timeout(DRAIN_S):
                await host.stop()
        except TimeoutError:
            _log.warning("%s did not stop within %g s", self._agent, DRAIN_S)


def _load(name: str) -> Opener:
    module, _, function = name.partition(":")
    opener: Opener = getattr(importlib.import_module(module), function)
    return opener
