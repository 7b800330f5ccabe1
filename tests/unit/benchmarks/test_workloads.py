"""The workloads have the token counts that the peers were measured with."""

from __future__ import annotations

import json

import pytest

from benchmarks.workloads import WORKLOADS


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("report", {"plan": 200, "r1": 250, "r2": 250, "r3": 250, "c1": 300, "answer": 200}),
        (
            "uneven",
            {"plan": 200, "r1": 80, "r2": 600, "r3": 250, "c1": 500, "c2": 300, "answer": 200},
        ),
    ],
)
def test_every_step_is_streamed_in_its_number_of_tokens(name: str, tokens: dict[str, int]) -> None:
    lines = [part for steps in WORKLOADS[name].values() for part in steps.items()]

    assert {step: len(line.pieces()) for step, line in lines} == tokens


def test_the_plan_of_report_is_sound_and_its_second_step_is_whole_as_early_as_the_peers() -> None:
    line = WORKLOADS["report"]["manager"]["plan"]
    steps = json.loads(line.text)["steps"]

    assert [(step["id"], step["agent"], step["needs"]) for step in steps] == [
        ("r1", "researcher", []),
        ("r2", "researcher", []),
        ("r3", "researcher", []),
        ("c1", "coder", ["r1", "r2"]),
    ]
    pieces = line.pieces()
    sealed = next(n for n in range(200) if "".join(pieces[:n]).count("}") == 2)
    assert sealed == pytest.approx(0.39 * 200, abs=2)
