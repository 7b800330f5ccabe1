"""What a task may use, and when it is used up."""

from __future__ import annotations

import pytest

from cluster.kernel.tasks.budget import KEPT_FOR_ANSWER, NO_BUDGET, Budget
from cluster.kernel.usage import Usage

LARGE = Usage(prompt_tokens=10**9, completion_tokens=10**9, cost=1e9)


def test_without_bounds_nothing_is_ever_used_up() -> None:
    assert NO_BUDGET.lacks([LARGE]) == ""


def test_prompts_and_completions_of_all_steps_count_together() -> None:
    used = [Usage(prompt_tokens=50, completion_tokens=10), Usage(prompt_tokens=30)]

    assert Budget(tokens_max=90).lacks(used)
    assert not Budget(tokens_max=200).lacks(used)


@pytest.mark.parametrize(("tokens", "is_used_up"), [(84, False), (85, True), (100, True)])
def test_a_share_is_kept_for_the_answer(tokens: int, *, is_used_up: bool) -> None:
    budget = Budget(tokens_max=100)

    assert KEPT_FOR_ANSWER == 0.15
    assert bool(budget.lacks([Usage(prompt_tokens=tokens)])) is is_used_up


@pytest.mark.parametrize(("tokens", "is_used_up"), [(99, False), (100, True)])
def test_the_answer_may_use_all_of_it(tokens: int, *, is_used_up: bool) -> None:
    lacking = Budget(tokens_max=100).lacks([Usage(prompt_tokens=tokens)], for_answer=True)

    assert bool(lacking) is is_used_up


def test_what_is_used_up_is_named_with_its_bound() -> None:
    assert Budget(cost_max=0.5).lacks([Usage(cost=0.6)]) == "0.6 of the 0.5 that the task may cost"
    assert (
        Budget(tokens_max=100).lacks([Usage(prompt_tokens=70, completion_tokens=20)])
        == "90 of the 100 tokens that the task may use"
    )
