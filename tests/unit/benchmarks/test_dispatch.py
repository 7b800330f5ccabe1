"""How soon steps begin: a plan completes steps piece by piece, and each lag counts from them."""

from __future__ import annotations

import json

import pytest

from benchmarks import dispatch_parts
from benchmarks.dispatch_parts import FAN_OUT, Moments, WrittenPlan


async def test_a_plan_notes_each_of_its_steps_when_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Moments()
    monkeypatch.setattr(dispatch_parts, "moments", seen)
    monkeypatch.setattr(dispatch_parts, "PAUSE_S", 0.0)

    text = "".join([delta.text async for delta in WrittenPlan(7).deltas()])

    steps = json.loads(text)["steps"]
    assert list(seen.written) == [step["id"] for step in steps]
    assert [step["needs"] for step in steps] == [[], *[["r7n0"]] * FAN_OUT, *[[]] * FAN_OUT]
    together = {seen.written[step["id"]] for step in steps[-FAN_OUT:]}
    assert len(together) == 1


def test_a_step_is_released_by_its_last_byte_or_by_the_end_of_what_it_needs() -> None:
    seen = Moments(written={"a": 1.0, "b": 2.0}, ended={"a": 5.0}, needs={"b": "a"})
    durable = {"a": 1.002, "b": 5.003, "of another task": 9.0}

    assert seen.lags_ms(durable) == pytest.approx([2.0, 3.0])
    assert seen.lags_ms(durable, fan_out=True) == pytest.approx([3.0])
    assert seen.lags_ms(durable, fan_out=False) == pytest.approx([2.0])
