"""A ladder of models: who is asked next, what is said of it, and that nothing is ever mixed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, closing

import pytest

from agents.models.policies.fallback import (
    FallbackModel,
    Rung,
    ladder,
    silent_max_s,
)
from agents.models.port import Deed, Delta, Finish, Note, Repeats, Request, Restarted, StreamItem
from cluster.kernel.errors import ModelError
from cluster.kernel.sections import ModelTier
from cluster.kernel.time_shares import CALL_SILENT_SHARE
from tests.simulation.calls.timed_model import Due, TimedModel, spoken
from tests.simulation.loop import VirtualLoop
from tests.support.scripted_model import Reply, ScriptedModel

DONE = Finish("stop", prompt_tokens=10, completion_tokens=5)
TIERS: tuple[ModelTier, ...] = ("deep", "local", "fast", "deep")
BROKEN = (Delta("half an "), ModelError("it broke off"))


class SilentModel:
    """Never says anything."""

    def __init__(self) -> None:
        self.is_closed = False

    async def stream(self, _: Request) -> AsyncGenerator[StreamItem, None]:
        try:
            await asyncio.Event().wait()
            yield DONE
        finally:
            self.is_closed = True

    async def warm(self) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        """Nothing to give back."""


def says(reply: Reply, tier: ModelTier = "deep", name: str = "") -> Rung:
    return Rung(name or tier, tier, ScriptedModel({"": reply}))


async def said(
    *rungs: Rung, request: Request | None = None, falls_back: bool = True
) -> list[StreamItem]:
    model = FallbackModel(rungs, falls_back=falls_back)
    async with aclosing(model.stream(request or Request(()))) as stream:
        return [item async for item in stream]


async def test_the_first_model_answers_where_it_can() -> None:
    fast = says("b", "fast")

    assert await said(says("a"), fast) == [Delta("a"), DONE]
    assert not fast.model.requests  # type: ignore[attr-defined]  # a scripted model


async def test_where_it_fails_the_next_one_answers_and_it_is_said() -> None:
    items = await said(says(ModelError("it is down")), says("b", "fast"))

    match items:
        case [Note(Deed.FELL_BACK, reason), Delta("b"), Finish()]:
            assert reason == "fast answers in place of deep: it is down"
        case _:
            pytest.fail(f"another stream: {items}")


async def test_what_broke_off_is_void() -> None:
    items = await said(says(BROKEN), says("whole", "fast"))

    kinds = [type(item) for item in items]
    assert kinds == [Delta, Restarted, Delta, Finish]
    assert items[2:] == [Delta("whole"), DONE]


async def test_what_was_used_already_is_not_made_void() -> None:
    used = Request(())
    used.commitment.make()

    with pytest.raises(ModelError, match="it broke off"):
        await said(says(BROKEN), says("whole", "fast"), request=used)


async def test_a_refused_goal_is_asked_of_nobody_else() -> None:
    refusal = ModelError("no such goals")
    refusal.is_withdrawal = refusal.is_askers_fault = True
    fast = says("b", "fast")

    with pytest.raises(ModelError, match="no such goals") as caught:
        await said(says(refusal), fast)
    assert caught.value.is_withdrawal
    assert not fast.model.requests  # type: ignore[attr-defined]  # a scripted model


async def test_what_a_model_takes_back_by_its_own_fault_another_one_says() -> None:
    unusable = ModelError("it wants to call a tool")
    unusable.is_withdrawal = True

    items = await said(says((Delta("half an "), unusable)), says("whole", "fast"))

    assert [type(item) for item in items] == [Delta, Restarted, Delta, Finish]


async def test_each_model_leaves_a_request_to_those_after_it_but_for_the_one_that_runs_here() -> (
    None
):
    rungs = [says(ModelError(f"{tier} is down"), tier) for tier in ("deep", "fast", "local")]

    with pytest.raises(ModelError):
        await said(*rungs)

    requests = [rung.model.requests[0] for rung in rungs]  # type: ignore[attr-defined]  # scripted
    assert [request.attempts_kept for request in requests] == [1, 0, 0]
    assert [request.repeats for request in requests] == [
        Repeats.BOUNDED,
        Repeats.BOUNDED,
        Repeats.UNTIL_ROOM,
    ]
    assert len({id(request.tally) for request in requests}) == 1


async def test_all_that_failed_are_named() -> None:
    with pytest.raises(ModelError, match=r"b is down; before it: a is down"):
        await said(says(ModelError("a is down.")), says(ModelError("b is down."), "fast"))


async def test_a_silent_model_leaves_time_for_the_next_one() -> None:
    silent = SilentModel()

    items = await said(
        Rung("slow", "deep", silent), says("b", "local"), request=Request((), timeout_s=0.2)
    )

    assert items[1:] == [Delta("b"), DONE]
    assert silent.is_closed


def test_no_model_is_asked_once_the_time_is_over() -> None:
    down = TimedModel(lambda _: [Due(1.0, ModelError("it is down"))])
    small = TimedModel(lambda _: spoken(0.1, "b"))
    model = FallbackModel([Rung("large", "deep", down), Rung("small", "fast", small)])

    loop = VirtualLoop()

    async def listen_slowly() -> None:
        is_over = asyncio.Event()
        async with aclosing(model.stream(Request((), timeout_s=5.0))) as stream:
            async for _ in stream:
                loop.call_later(5.0, is_over.set)
                await is_over.wait()

    with closing(loop), pytest.raises(ModelError, match=r"^it is down$"):
        loop.run_until_complete(listen_slowly())

    assert not small.requests


async def test_only_one_is_asked_where_falling_back_is_switched_off() -> None:
    with pytest.raises(ModelError, match="it is down"):
        await said(says(ModelError("it is down")), says("b", "fast"), falls_back=False)


async def test_a_call_for_a_plain_model_never_reaches_the_large_one() -> None:
    deep = says("a")

    easy = Request((), tier="fast")
    assert await said(deep, says("c", "local"), says("b", "fast"), request=easy) == [
        Delta("b"),
        DONE,
    ]
    assert not deep.model.requests  # type: ignore[attr-defined]  # a scripted model


async def test_each_model_stops_where_its_own_bound_is() -> None:
    model = ScriptedModel({"": "a"})

    await said(Rung("m", "deep", model, tokens_max=7), request=Request((), tokens_max=100))

    assert [request.tokens_max for request in model.requests] == [7]


@pytest.mark.parametrize(
    ("wanted", "places"), [("deep", (0, 3, 2, 1)), ("fast", (2, 1)), ("local", (1,))]
)
def test_the_wanted_tier_comes_first_and_then_the_plainer_ones(
    wanted: ModelTier, places: tuple[int, ...]
) -> None:
    assert ladder(TIERS, wanted) == places


def test_where_there_is_no_plain_model_a_better_one_is_asked() -> None:
    assert ladder(("deep", "fast"), "local") == (1, 0)


def test_only_the_last_one_may_be_silent_all_the_time() -> None:
    assert silent_max_s(10.0, is_last=False) == 10.0 * CALL_SILENT_SHARE
    assert silent_max_s(10.0, is_last=True) == 10.0
