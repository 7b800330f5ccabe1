"""The workloads that the model server speaks word by word, with exact token counts.

Selected by the model's name. 'report' and 'uneven' are those that the peers were measured with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from agents.models.simulated.script import Line, Lines

PLAN_TOKENS = 200
ANSWER_TOKENS = 200
SEARCH_S = 0.1
"""What looking something up before each research step takes."""
_SEALED_BEFORE_LAST = 0.39
"""Share of the plan after which the second of its steps is whole; the peers' plan has the same."""

_SENTENCE = "This part says what is known about {} and where it was found."
_TOPICS = ("the market", "the technology", "the rules", "the costs")


def _step(step: str, agent: str, instruction: str, needs: Sequence[str] = ()) -> dict[str, object]:
    return {"id": step, "agent": agent, "instruction": instruction, "needs": list(needs)}


def _plan(steps: Sequence[dict[str, object]]) -> Line:
    """Return a plan whose last step's instruction is so long that the second ends at its share."""
    text = json.dumps({"steps": steps})
    second_ends = text.index("}", text.index("}") + 1) + 1
    missing = max(0, round(second_ends / _SEALED_BEFORE_LAST) - len(text))
    *_, last = steps
    last["instruction"] = f"{last['instruction']} {_prose('the whole report', missing)}"
    return Line(json.dumps({"steps": steps}), PLAN_TOKENS)


def _prose(topic: str, size: int) -> str:
    """Return text of exactly so many characters."""
    sentence = f"{_SENTENCE.format(topic)} "
    return (sentence * (size // len(sentence) + 1))[:size]


def passage_text() -> str:
    """Return what the look-ups find: a sentence about each topic, as the findings say it."""
    return "\n".join(_SENTENCE.format(topic) for topic in _TOPICS)


def _finding(topic: str, tokens: int) -> Line:
    return Line(_prose(topic, tokens * 5) + " [1]", tokens)


def _program(tokens: int) -> Line:
    comment = "# adds up one row of the report's table, as found by research\n"
    body = comment * (tokens * 5 // len(comment))
    return Line(f"```python\n{body}print(sum(range(10)))\n```\n", tokens)


def _lines(plan: Line, findings: Mapping[str, int], programs: Mapping[str, int]) -> Lines:
    answer = Line(_prose("the whole report", ANSWER_TOKENS * 5), ANSWER_TOKENS)
    topics = zip(findings.items(), _TOPICS, strict=False)
    return {
        "manager": {"plan": plan, "answer": answer},
        "researcher": {step: _finding(topic, tokens) for (step, tokens), topic in topics},
        "coder": {step: _program(tokens) for step, tokens in programs.items()},
    }


def _research(steps: Sequence[str]) -> list[dict[str, object]]:
    return [
        _step(step, "researcher", f"Find out about {topic}")
        for step, topic in zip(steps, _TOPICS, strict=False)
    ]


WORKLOADS: Mapping[str, Lines] = {
    "report": _lines(
        _plan(
            [
                *_research(("r1", "r2", "r3")),
                _step("c1", "coder", "Write a program that adds up the table.", ("r1", "r2")),
            ]
        ),
        {"r1": 250, "r2": 250, "r3": 250},
        {"c1": 300},
    ),
    "uneven": _lines(
        _plan(
            [
                *_research(("r1", "r2", "r3")),
                _step("c1", "coder", "Write a program that adds up the table.", ("r1",)),
                _step("c2", "coder", "Write a program that checks the table.", ("r3",)),
            ]
        ),
        {"r1": 80, "r2": 600, "r3": 250},
        {"c1": 500, "c2": 300},
    ),
}
"""Model name -> what is said at each step."""
