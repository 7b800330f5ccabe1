"""An event loop whose time is virtual, and the simulated processes whose callbacks it runs.

Nothing here looks at a real clock, socket or thread: when nothing is ready, time jumps to the next
timer. Every callback belongs to the process in whose context it was made; those of a dead process
are dropped as a kill would drop them, those of a frozen one wait until it is thawed.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar, TypeVarTuple

STEPS_AT_ONCE_MAX = 20_000
"""Callbacks that may run without time passing; beyond, something runs in circles."""

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class Deadlock(RuntimeError):
    """Nothing is ready, no timer is set, and what was waited for has not come."""


class Livelock(RuntimeError):
    """Callbacks make callbacks for ever, and no time passes."""


class Process:
    """One simulated operating system process: its name, and whether it runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_alive = True
        self.is_frozen = False
        self.thawed_at = -1.0
        self.parked: list[asyncio.Handle] = []
        """What became due while it was frozen, in order."""
        self.context = copy_context()
        self.context.run(PROCESS.set, self)

    def __repr__(self) -> str:
        return self.name


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)
"""Whose code is running; None is the world's own."""

WORLD = Context()
"""The context of what belongs to no process."""


class SimTask(asyncio.Task[Any]):
    """A task that hashes by its age, so that sets of tasks have the same order in every run."""

    def __init__(
        self, coro: Generator[Any, None, Any], *, loop: VirtualLoop, **keywords: Any
    ) -> None:
        self.serial = next(loop.numbers)
        self.process = (keywords.get("context") or copy_context()).get(PROCESS)
        super().__init__(coro, loop=loop, **keywords)

    def __hash__(self) -> int:
        return self.serial

    def __eq__(self, other: object) -> bool:
        return self is other


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in order of their time, then of their making."""

    def __init__(self) -> None:
        self._is_running = False
        self._is_closed = False
        super().__init__()
        self._now = 0.0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self.numbers = itertools.count(1)
        self.tasks: list[weakref.ref[SimTask]] = []
        self.steps = 0
        """Callbacks run so far."""
        self.graveyard: list[object] = []
        """What dead processes held: its destruction would run some of their code."""
        self.failures: list[str] = []
        """What no caller will ever see: exceptions of callbacks, and those nobody retrieved."""

    # ---- time and callbacks ----------------------------------------------------------------

    def time(self) -> float:
        """Return the virtual time in seconds since the start."""
        return self._now

    def call_soon(
        self,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run a callback as soon as those before it have run."""
        handle = asyncio.Handle(callback, args, self, context)
        if not self._is_closed:
            self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback after a delay in virtual seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run a callback at an instant of virtual time."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self._is_closed:
            heapq.heappush(self._timers, (when, next(self.numbers), handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, Result] | Coroutine[Any, Any, Result],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[Result]:
        """Start a coroutine as a task of the process that is running."""
        task = SimTask(coro, loop=self, name=name, context=context)  # type: ignore[arg-type]
        self.tasks.append(weakref.ref(task))
        return task

    def run_in_executor(
        self,
        executor: object,
        func: Callable[[*Arguments], Result],
        *args: *Arguments,
    ) -> asyncio.Future[Result]:
        """Run at once what is meant for a thread: its end would come at no virtual time."""
        done: asyncio.Future[Result] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as a thread hands it to whoever waits
            done.set_exception(error)
        return done

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what went wrong out of everybody's sight."""
        task = context.get("task") or context.get("future")
        process = task.process if isinstance(task, SimTask) else PROCESS.get()
        if not self._is_closed and (process is None or process.is_alive):
            error = context.get("exception")
            self.failures.append(f"{process}: {context.get('message')}: {error!r}")

    def get_debug(self) -> bool:
        """Debug mode is off: it would look at the real clock."""
        return False

    def is_running(self) -> bool:
        """Say whether callbacks are being run."""
        return self._is_running

    def is_closed(self) -> bool:
        """Say whether the loop has been closed."""
        return self._is_closed

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: cancelled timers are passed over when they are due."""

    # ---- processes -------------------------------------------------------------------------

    def kill(self, process: Process) -> None:
        """End a process at once: none of its callbacks runs from now on."""
        process.is_alive = False
        tasks = [ref() for ref in self.tasks]
        self.graveyard += [task for task in tasks if task is not None and task.process is process]
        self.graveyard += process.parked
        process.parked.clear()

    def freeze(self, process: Process) -> None:
        """Stop a process; what becomes due for it waits."""
        process.is_frozen = True

    def thaw(self, process: Process) -> None:
        """Let a frozen process run on."""
        process.is_frozen = False
        process.thawed_at = self._now
        self._ready.extend(process.parked)
        process.parked.clear()

    def left_of(self, process: Process) -> list[str]:
        """Return what a process has still under way: its tasks, and its timers."""
        tasks = [task for ref in self.tasks if (task := ref()) is not None and not task.done()]
        timers = [handle for _, _, handle in self._timers if not handle.cancelled()]
        owned: list[str] = [repr(task) for task in tasks if task.process is process]
        owned += [repr(each) for each in timers if each._context.get(PROCESS) is process]  # type: ignore[attr-defined]
        return owned

    # ---- running ---------------------------------------------------------------------------

    def run_until_complete(self, future: Any) -> Any:
        """Run until a coroutine or future is done, and return its result.

        Raises:
            Deadlock: it can't be done any more.
            Livelock: no time passes any more.
        """
        task = future if asyncio.isfuture(future) else self.create_task(future)
        self._is_running = True
        asyncio._set_running_loop(self)
        try:
            while not task.done():
                self._run_once()
        finally:
            asyncio._set_running_loop(None)
            self._is_running = False
        return task.result()

    def _run_once(self) -> None:
        """Run what is due at the next instant at which anything is."""
        ready, timers = self._ready, self._timers
        if not ready:
            while timers and timers[0][2]._cancelled:
                heapq.heappop(timers)
            if not timers:
                raise Deadlock(f"nothing is left to happen at {self._now:.6f} s")
            self._now = max(self._now, timers[0][0])
        steps = 0
        while True:
            while timers and timers[0][0] <= self._now:
                handle = heapq.heappop(timers)[2]
                if not handle._cancelled:
                    ready.append(handle)
            if not ready:
                break
            for _ in range(len(ready)):
                self._run_handle(ready.popleft())
                steps += 1
            if steps > STEPS_AT_ONCE_MAX:
                raise Livelock(f"{steps} callbacks ran at {self._now:.6f} s and more are waiting")
        self.steps += steps

    def _run_handle(self, handle: asyncio.Handle) -> None:
        if handle._cancelled:
            return
        process = handle._context.get(PROCESS)  # type: ignore[attr-defined]
        if process is not None:
            if not process.is_alive:
                return
            if process.is_frozen:
                process.parked.append(handle)
                return
        handle._run()

    def close(self) -> None:
        """Drop everything that has not run; nothing runs from now on."""
        self._is_closed = True
        self._ready.clear()
        self._timers.clear()
