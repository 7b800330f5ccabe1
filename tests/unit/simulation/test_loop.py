"""The virtual event loop: time that jumps, processes that die, freeze and go on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from tests.simulation.loop import Deadlock, Livelock, Process, VirtualLoop

ALMOST_NOTHING_S = 0.001


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop()
    yield made
    made.close()


def later(loop: VirtualLoop, seconds: float) -> asyncio.Future[None]:
    """Return a future that is done after some virtual time."""
    done: asyncio.Future[None] = loop.create_future()
    loop.call_later(seconds, done.set_result, None)
    return done


def start(loop: VirtualLoop, process: Process, work: Coroutine[Any, Any, None]) -> None:
    loop.create_task(work, context=process.context)


def test_an_hour_passes_at_once(loop: VirtualLoop) -> None:
    loop.run_until_complete(later(loop, 3600.0))

    assert loop.time() == 3600.0


def test_timers_run_in_the_order_of_their_time_then_of_their_making(loop: VirtualLoop) -> None:
    ran: list[str] = []
    loop.call_later(2.0, ran.append, "late")
    loop.call_later(1.0, ran.append, "first")
    loop.call_later(1.0, ran.append, "second")
    loop.call_later(1.5, ran.append, "cancelled").cancel()

    loop.run_until_complete(later(loop, 3.0))

    assert ran == ["first", "second", "late"]


def test_a_timeout_is_one_of_virtual_time(loop: VirtualLoop) -> None:
    async def waits() -> None:
        async with asyncio.timeout(5.0):
            await loop.create_future()

    with pytest.raises(TimeoutError):
        loop.run_until_complete(waits())
    assert loop.time() == 5.0


def test_waiting_for_what_nobody_will_do_is_a_deadlock(loop: VirtualLoop) -> None:
    with pytest.raises(Deadlock):
        loop.run_until_complete(loop.create_future())


def test_callbacks_without_end_are_a_livelock(loop: VirtualLoop) -> None:
    def again() -> None:
        loop.call_soon(again)

    again()

    with pytest.raises(Livelock):
        loop.run_until_complete(later(loop, 1.0))


def test_nothing_of_a_dead_process_runs(loop: VirtualLoop) -> None:
    process = Process("one")
    reached: list[str] = []

    async def works() -> None:
        try:
            await later(loop, 1.0)
            reached.append("after")
        finally:
            reached.append("clean-up")

    start(loop, process, works())
    loop.call_later(0.5, loop.kill, process)
    loop.run_until_complete(later(loop, 2.0))

    assert reached == []


def test_a_frozen_process_goes_on_where_it_was(loop: VirtualLoop) -> None:
    process = Process("one")
    reached: list[float] = []

    async def works() -> None:
        for _ in range(3):
            await later(loop, 1.0)
            reached.append(loop.time())

    start(loop, process, works())
    loop.call_later(1.5, loop.freeze, process)
    loop.call_later(9.0, loop.thaw, process)
    loop.run_until_complete(later(loop, 20.0))

    assert reached == [1.0, 9.0, 10.0]


def test_what_a_process_leaves_is_named(loop: VirtualLoop) -> None:
    process = Process("one")

    async def forgets() -> None:
        loop.call_later(60.0, print)

    start(loop, process, forgets())
    loop.run_until_complete(later(loop, ALMOST_NOTHING_S))

    assert len(loop.left_of(process)) == 1


def test_sets_of_tasks_have_the_same_order_in_every_run() -> None:
    def order() -> list[int]:
        loop = VirtualLoop()

        async def nothing() -> None:
            await asyncio.sleep(0)

        tasks = {loop.create_task(nothing(), name=str(number)) for number in range(20)}
        names = [int(task.get_name()) for task in tasks]
        loop.run_until_complete(asyncio.wait(tasks))
        loop.close()
        return names

    assert order() == order()
