"""What calls cost."""

from __future__ import annotations

from contextlib import aclosing

from agents.models.policies.priced import PricedModel
from agents.models.port import Delta, Finish, Request
from tests.support.scripted_model import ScriptedModel


async def test_a_finish_says_what_its_tokens_cost() -> None:
    model = PricedModel(ScriptedModel({"": (Delta("a"), Finish("stop", 2_000, 500))}), 0.25, 2.0)

    async with aclosing(model.stream(Request(()))) as stream:
        [_, finish] = [item async for item in stream]

    assert finish == Finish("stop", 2_000, 500, cost=(2_000 * 0.25 + 500 * 2.0) / 1_000_000)


async def test_what_was_written_in_vain_is_paid_for_too() -> None:
    finish = Finish("stop", 2_000, 500, void_tokens=900)
    model = PricedModel(ScriptedModel({"": (finish,)}), 0.25, 2.0)

    async with aclosing(model.stream(Request(()))) as stream:
        [priced] = [item async for item in stream]

    assert isinstance(priced, Finish)
    assert priced.cost == (2_000 * 0.25 + (500 + 900) * 2.0) / 1_000_000
