"""An agent speaks of its own work; what becomes of the task is not its to say."""

from __future__ import annotations

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.events import Answered, Thought
from cluster.kernel.ids import AgentId
from cluster.kernel.turn import agent_detail
from cluster.kernel.vocabulary import Answer

CODER = AgentId("coder-0")


def test_a_thought_may_be_emitted() -> None:
    assert agent_detail(CODER, Thought("hm")) == Thought("hm")


@pytest.mark.parametrize("detail", [Answered(Answer("42")), "a sentence"])
def test_a_fact_of_the_task_may_not_and_the_error_says_what_may(detail: object) -> None:
    with pytest.raises(UsageError, match=r"coder-0 emitted \w+, .*Thought"):
        agent_detail(CODER, detail)
