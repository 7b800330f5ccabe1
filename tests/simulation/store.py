"""The simulated store: the in-memory twins behind a connection that fails as a real one does.

A call travels to the server, takes effect there, and its answer travels back. It may be late,
never arrive, take effect without an answer, or take effect after its caller has given up; a caller
may die at each of these boundaries.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from cluster.kernel.errors import ClusterError, StoreUnavailable
from cluster.memory.feed.local import LocalTaskFeed
from cluster.memory.journal.local import LocalJournal
from cluster.memory.store.local import LocalStore
from cluster.memory.task_records.local import LocalTaskRecords
from tests.simulation.faults import Faults
from tests.simulation.loop import WORLD, Process, VirtualLoop
from tests.simulation.network import Note

DELAY_S = (0.0001, 0.0008)
LONG_DELAY_S = (0.02, 0.6)
TIMEOUT_S = 1.0
"""After this a call has failed, whatever became of it."""
LATE_S = (0.2, 2.5)


class _LoopClock:
    """The server's own clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.now = loop.time
        self.wall = loop.time


class StoreServer:
    """What all processes share: keys and journals; it keeps all of them when it restarts."""

    def __init__(self, loop: VirtualLoop, rng: random.Random, faults: Faults, note: Note) -> None:
        self.loop = loop
        self.random = rng
        self.faults = faults
        self.note = note
        self.crc = 0
        self.calls = 0
        self.is_up = True
        self.cut_off: dict[str, int] = {}
        """Names of the processes that can't reach it."""
        self.strangers: dict[Process, str] = {}
        """Processes of which it doesn't get the calls of that name, or with an empty one none."""
        clock = _LoopClock(loop)
        self.local = LocalStore(clock)
        self.journal = LocalJournal(clock)
        self.feed = LocalTaskFeed(clock)
        self.records = LocalTaskRecords(clock)
        self.on_trouble: Callable[[Process], None] = lambda process: None
        self.on_effect: Callable[[Process, str, tuple[Any, ...], object], None] = (
            lambda process, name, arguments, result: None
        )

    def is_reachable(self, process: Process, call: str) -> bool:
        """Say whether a call of a process gets here."""
        is_cut = self.cut_off.get(process.name) or self.strangers.get(process) in {"", call}
        return self.is_up and not is_cut


class SimStore:
    """The central store and its journal (`cluster.memory`) as one process has them."""

    def __init__(self, server: StoreServer, process: Process) -> None:
        self.server = server
        self.process = process

    async def call(
        self, target: object, name: str, *args: Any, part: str = "", **keywords: Any
    ) -> Any:
        """Call a method of what the server has; ``part`` of it tells those of one name apart."""
        server, loop = self.server, self.server.loop
        server.calls += 1
        answer: asyncio.Future[Any] = loop.create_future()
        if server.faults.boundary(self.process, f"before {name}"):
            late = server.faults.happens("store applies late")
            bounds = LATE_S if late else DELAY_S
            if server.faults.happens("store delay"):
                bounds = LONG_DELAY_S
            method = getattr(target, name.removeprefix(part))
            call = _Call(self, method, name, args, keywords, answer, loop.time() + TIMEOUT_S)
            delay_s = server.random.uniform(*bounds)
            if delay_s + DELAY_S[1] >= TIMEOUT_S:
                call.leave_unanswered()
            loop.call_later(delay_s, call.serve, context=WORLD)
        try:
            result = await answer
        finally:
            if not answer.done() or answer.cancelled():
                server.on_trouble(self.process)  # its caller was tired of waiting
        if isinstance(result, ClusterError):
            raise result
        return result

    def _target(self, name: str) -> object:
        local = self.server.local
        return local if hasattr(local, name) else self.server.journal

    def give_up(self, answer: asyncio.Future[Any], name: str) -> None:
        if not answer.done():
            self.server.note(self.process.name, f"store: {name} got no answer")
            self.server.on_trouble(self.process)
            answer.set_result(StoreUnavailable(f"the central store did not answer to {name}"))

    def __getattr__(self, name: str) -> Any:
        """Return a method of the store, or else of the journal, at the other end of the network."""
        target = self._target(name)

        async def call(*args: Any, **keywords: Any) -> Any:
            return await self.call(target, name, *args, **keywords)

        return call

    def part(self, target: object, name: str) -> Any:
        """Return another thing at the other end of the network, its methods named after it."""
        return _Part(self, target, f"{name} ")

    async def close(self) -> None:
        """Nothing to give back."""

    def finish(self, answer: asyncio.Future[Any], name: str, result: object) -> None:
        """Take the answer of the server, unless this process ends at that very moment."""
        is_there = self.server.faults.boundary(self.process, f"after the answer to {name}")
        if is_there and not answer.done():
            answer.set_result(result)


class _Part:
    """A part of the store that has methods named as others of it are."""

    def __init__(self, store: SimStore, target: object, name: str) -> None:
        self._store, self._target, self._name = store, target, name

    def __getattr__(self, name: str) -> Any:
        """Return one of its methods."""

        async def call(*args: Any, **keywords: Any) -> Any:
            named = self._name + name
            return await self._store.call(self._target, named, *args, part=self._name, **keywords)

        return call


@dataclass(slots=True)
class _Call:
    """One call on its way."""

    store: SimStore
    method: Callable[..., Coroutine[Any, Any, Any]]
    name: str
    args: tuple[Any, ...]
    keywords: dict[str, Any]
    answer: asyncio.Future[Any]
    ends_at: float
    """When its caller gives up; a timer of that is set only where it will."""

    def leave_unanswered(self) -> None:
        """Have the caller learn nothing, when its time is up."""
        self.store.server.loop.call_at(
            self.ends_at,
            self.store.give_up,
            self.answer,
            self.name,
            context=self.store.process.context,
        )

    def serve(self) -> None:
        """Take effect at the server, and send the answer."""
        server, process, name = self.store.server, self.store.process, self.name
        if not server.is_reachable(process, name) or server.faults.happens("store unreachable"):
            self.leave_unanswered()
            return
        server.crc = zlib.crc32(repr((name, self.args)).encode(), server.crc)
        result = run_at_once(self.method(*self.args, **self.keywords))
        server.on_effect(process, name, self.args, result)
        if not server.faults.boundary(process, f"after {name}, before its answer"):
            return
        if server.faults.happens("store reply lost"):
            self.leave_unanswered()
            return
        server.loop.call_later(
            server.random.uniform(*DELAY_S),
            self.store.finish,
            self.answer,
            name,
            result,
            context=process.context,
        )


def run_at_once(call: Coroutine[Any, Any, Any]) -> object:
    """Run a method of the in-memory twins, which never waits; return its result or its error."""
    try:
        call.send(None)
    except StopIteration as stop:
        return stop.value
    except ClusterError as error:
        return error
    raise AssertionError("an in-memory method waited")
