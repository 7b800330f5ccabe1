"""Calls of models that reason: whether all of their bound went into it, and what is done then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agents.models.call import Thinking
from agents.models.policies.fallback import FallbackModel, Rung
from agents.models.policies.hedged import HedgedModel
from agents.models.policies.uncapped import UncappedModel
from agents.models.port import Deed, Delta, Finish, Message, Note, Request, Restarted, StreamItem
from cluster.kernel.errors import ModelError
from cluster.kernel.events import Spent
from tests.conformance.model_contract import Script, ScriptedModel, text_of
from tests.support.recording_turn import RecordingTurn

REQUEST = Request((Message("user", "How many rows?"),), timeout_s=5.0, tokens_max=900)
WHOLE: Script = (Delta("Nine."), Finish("stop", 7, 2))
OUT = Finish("length", 7, 900)
SPENT = "the model spent all of its 900 tokens on reasoning, and was asked again without that bound"
THOUGHT = Delta("Hm. ", is_reasoning=True)


async def said(
    model: ScriptedModel, tokens_max: int | None = None, request: Request = REQUEST
) -> list[StreamItem]:
    request.tally.count()  # as the adapter does
    return [item async for item in UncappedModel(model, tokens_max).stream(request)]


def fresh(**changes: object) -> Request:
    request = Request(REQUEST.messages, timeout_s=5.0, tokens_max=900)
    return replace(request, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "spent",
    [
        [THOUGHT, OUT],
        [Delta("<think>\nDraft: {}\n"), Delta("Nine, or "), OUT],
        [THOUGHT, Delta(" \n"), OUT],
        [Delta("So: "), Restarted("it broke"), THOUGHT, OUT],
    ],
)
async def test_a_call_that_came_to_reasoning_alone_is_made_again_without_its_bound(
    spent: Script,
) -> None:
    model = ScriptedModel([spent, WHOLE])

    items = await said(model, request=fresh())

    assert Restarted(SPENT, is_counted=True) in items
    assert text_of(items) == "Nine."
    assert items[-1] == Finish("stop", 14, 2, void_tokens=900)
    assert [call.tokens_max for call in model.calls] == [900, None]
    assert model.calls[1].timeout_s <= REQUEST.timeout_s


async def test_reasoning_that_is_not_shown_counts_as_wasted() -> None:
    model = ScriptedModel([[OUT], WHOLE])

    items = await said(model, request=fresh())

    assert items[0] == Note(Deed.FELL_BACK, SPENT, wasted_tokens=900)
    assert text_of(items) == "Nine."


async def test_it_is_made_again_once() -> None:
    model = ScriptedModel([[THOUGHT, OUT]])

    items = await said(model, request=fresh())

    assert len(model.calls) == 2
    assert items[-1] == replace(OUT, prompt_tokens=14, void_tokens=900)


async def test_later_calls_go_without_the_bound_from_the_start() -> None:
    inner = ScriptedModel([[THOUGHT, OUT], WHOLE])
    model = UncappedModel(inner, 4_000)

    for _ in range(2):
        _ = [item async for item in model.stream(fresh())]

    assert [call.tokens_max for call in inner.calls] == [900, 4_000, 4_000]


async def test_a_thought_before_a_text_that_was_cut_teaches_nothing() -> None:
    cut: Script = [Delta("<think>Hm.</think>\nNine, as"), Delta(" the table says"), OUT]
    inner = ScriptedModel([cut, [THOUGHT, Delta("Ni"), OUT], WHOLE])
    model = UncappedModel(inner)

    items = [[item async for item in model.stream(fresh())] for _ in range(3)]

    assert items[:2] == [cut, [THOUGHT, Delta("Ni"), OUT]]
    assert [call.tokens_max for call in inner.calls] == [900, 900, 900]


async def test_blanks_that_fill_the_bound_are_no_reasoning() -> None:
    blank: Script = [Delta(" "), Finish("length", 7, 1)]
    inner = ScriptedModel([blank, WHOLE])
    model = UncappedModel(inner)

    items = [[item async for item in model.stream(fresh(tokens_max=1))] for _ in range(2)]

    assert items == [blank, list(WHOLE)]
    assert [call.tokens_max for call in inner.calls] == [1, 1]


async def test_more_tokens_than_the_blanks_that_were_shown_are_reasoning() -> None:
    model = ScriptedModel([[Delta("\n\n"), OUT], WHOLE])

    assert Restarted(SPENT, is_counted=True) in await said(model, request=fresh())


@pytest.mark.parametrize(
    "script",
    [
        WHOLE,
        [Delta("Nine, as"), OUT],
        [THOUGHT, Finish("stop", 7, 1)],
        [Delta("<think>Hm.</think>Ni"), Finish("stop", 7, 1)],
    ],
)
async def test_a_call_that_ended_otherwise_is_made_once_with_its_bound(script: Script) -> None:
    inner = ScriptedModel([script])
    model = UncappedModel(inner)

    for _ in range(2):
        assert [item async for item in model.stream(fresh())] == list(script)
    assert [call.tokens_max for call in inner.calls] == [900, 900]


async def test_what_the_user_has_bounded_stays_bounded() -> None:
    model = ScriptedModel([[THOUGHT, OUT]])

    assert await said(model, tokens_max=900, request=fresh()) == [THOUGHT, OUT]


async def test_a_call_without_a_bound_has_used_up_the_model_s_own() -> None:
    model = ScriptedModel([[THOUGHT, OUT]])

    assert await said(model, request=fresh(tokens_max=None)) == [THOUGHT, OUT]


async def test_no_more_requests_are_made_than_the_call_may() -> None:
    model = ScriptedModel([[THOUGHT, OUT]])

    assert await said(model, request=fresh(attempts_max=1)) == [THOUGHT, OUT]


async def test_a_request_that_is_kept_for_another_tier_may_be_used() -> None:
    model, request = ScriptedModel([[THOUGHT, OUT], WHOLE]), fresh(attempts_kept=1)
    request.tally.count()

    assert text_of(await said(model, request=request)) == "Nine."


async def test_it_is_made_again_where_another_replica_or_tier_is_left_to_ask() -> None:
    spent, other = ScriptedModel([[THOUGHT, OUT], WHOLE]), ScriptedModel([[Delta("Ten.")]])
    replicas = HedgedModel([UncappedModel(other), UncappedModel(spent)])  # the second has its turn
    tiers = FallbackModel([Rung("a", "deep", replicas), Rung("b", "fast", other)])

    request = fresh()
    request.tally.count()  # as the adapter does

    items = [item async for item in tiers.stream(request)]

    assert text_of(items) == "Nine."
    assert [call.tokens_max for call in spent.calls] == [900, None]
    assert not other.calls


@pytest.mark.parametrize("thoughts", [[], [THOUGHT]])
async def test_what_it_has_cost_counts_beside_what_the_tier_before_has_lost(
    thoughts: Script,
) -> None:
    broken = ScriptedModel([[*[Delta("No ")] * 5, ModelError("it broke")]])
    spent = ScriptedModel([[*thoughts, OUT], WHOLE])
    tiers = FallbackModel([Rung("a", "deep", broken), Rung("b", "fast", UncappedModel(spent))])
    turn = RecordingTurn("researcher-1")

    await Thinking(turn, fresh()).run(tiers)

    [cost] = [each for each in turn.emitted if isinstance(each, Spent)]
    assert cost.completion_tokens == 5 + 900 + 2


async def test_what_is_in_use_is_not_asked_for_again() -> None:
    model, request = ScriptedModel([[THOUGHT, OUT]]), fresh()
    request.commitment.make()

    assert await said(model, request=request) == [THOUGHT, OUT]
