"""A limited model: calls at once, who goes first, and that no slot is ever lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from agents.models.policies.limited import LimitedModel
from agents.models.port import Asker, Delta, Finish, Request, StreamItem
from cluster.kernel.errors import ModelError


class HeldModel:
    """Answers a call once the test lets it, and remembers the order in which calls began."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.timeouts: list[float] = []
        self.may_end: dict[str, asyncio.Event] = {}
        self.is_closed = False

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        step = request.asker.step
        self.begun.append(step)
        self.timeouts.append(request.timeout_s)
        await self.may_end.setdefault(step, asyncio.Event()).wait()
        yield Delta(step)
        yield Finish("stop")

    async def warm(self) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        self.is_closed = True

    def end(self, step: str) -> None:
        self.may_end[step].set()


def request(step: str, priority: float = 0.0, timeout_s: float = 60.0) -> Request:
    return Request((), Asker(step=step), timeout_s, priority=priority)


async def said(model: LimitedModel, asked: Request) -> list[StreamItem]:
    async with aclosing(model.stream(asked)) as stream:
        return [item async for item in stream]


def call(model: LimitedModel, asked: Request) -> asyncio.Task[list[StreamItem]]:
    return asyncio.ensure_future(said(model, asked))


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_only_so_many_calls_are_under_way() -> None:
    held = HeldModel()
    model = LimitedModel(held, 2)
    calls = [call(model, request(step)) for step in "abc"]

    await settle()
    assert (held.begun, model.waiting) == (["a", "b"], 1)
    held.end("b")
    await settle()

    assert held.begun == ["a", "b", "c"]
    held.end("a")
    held.end("c")
    assert [len(items) for items in await asyncio.gather(*calls)] == [2, 2, 2]


async def test_the_most_urgent_call_goes_first_and_equals_in_their_order() -> None:
    held = HeldModel()
    model = LimitedModel(held, 1)
    first = call(model, request("first"))
    await settle()
    rest = [
        call(model, request(step, priority))
        for step, priority in (("low", 1.0), ("high", 9.0), ("low again", 1.0))
    ]
    await settle()

    for step in ("first", "high", "low", "low again"):
        held.may_end.setdefault(step, asyncio.Event())
        held.end(step)
    await asyncio.gather(first, *rest)

    assert held.begun == ["first", "high", "low", "low again"]


async def test_a_wait_is_part_of_the_requests_time() -> None:
    held = HeldModel()
    model = LimitedModel(held, 1)
    first = call(model, request("first"))
    await settle()

    with pytest.raises(ModelError, match=r"no call to the model ended within 0\.0 s"):
        await said(model, request("late", timeout_s=0.0))

    assert model.waiting == 0
    held.end("first")
    await first


async def test_a_call_that_has_waited_gets_what_is_left_of_its_time() -> None:
    held = HeldModel()
    model = LimitedModel(held, 1)
    calls = [call(model, request("a")), call(model, request("b"))]
    await settle()

    held.end("a")
    await settle()
    held.end("b")
    await asyncio.gather(*calls)

    assert held.timeouts[1] < 60.0


async def test_a_cancelled_waiter_leaves_no_slot_taken() -> None:
    held = HeldModel()
    model = LimitedModel(held, 1)
    first, waiter, last = (call(model, request(step)) for step in ("first", "waiter", "last"))
    await settle()

    waiter.cancel()
    held.end("first")  # at the same moment: the slot may have been handed to the waiter
    await settle()

    assert held.begun == ["first", "last"]
    held.end("last")
    await asyncio.gather(first, last)
    await said_at_once(model, held)


async def test_a_waiter_cancelled_after_it_was_handed_the_slot_passes_it_on() -> None:
    held = HeldModel()
    model = LimitedModel(held, 1)
    first, waiter = call(model, request("first")), call(model, request("waiter"))
    await settle()

    held.end("first")
    while model.waiting:  # noqa: ASYNC110 - nothing would set an event
        await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(first, waiter, return_exceptions=True)

    await said_at_once(model, held)


async def test_a_call_that_is_closed_early_gives_its_slot_back() -> None:
    held = HeldModel()
    model = LimitedModel(held, 1)
    held.may_end["a"] = asyncio.Event()
    held.end("a")
    async with aclosing(model.stream(request("a"))) as stream:
        await anext(stream)

    await said_at_once(model, held)


async def test_a_call_that_fails_gives_its_slot_back() -> None:
    class Broken(HeldModel):
        async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
            if request.asker.step == "broken":
                raise ModelError("the endpoint failed")
            async for item in super().stream(request):
                yield item

    held = Broken()
    model = LimitedModel(held, 1)
    with pytest.raises(ModelError, match="the endpoint failed"):
        await said(model, request("broken"))

    await said_at_once(model, held)


async def test_one_more_call_than_may_wait_is_refused() -> None:
    held = HeldModel()
    model = LimitedModel(held, 1, waiting_max=1)
    calls = [call(model, request(step)) for step in "ab"]
    await settle()

    with pytest.raises(ModelError, match="1 calls wait for the model already, with 1 at once"):
        await said(model, request("c"))

    for each in calls:
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_closing_it_closes_the_model() -> None:
    held = HeldModel()

    await LimitedModel(held, 1).close()

    assert held.is_closed


async def said_at_once(model: LimitedModel, held: HeldModel) -> None:
    """Fail where a slot is still taken: the call would wait, and its time is up at once."""
    held.may_end["at once"] = asyncio.Event()
    held.end("at once")
    assert len(await said(model, request("at once", timeout_s=0.0))) == 2
