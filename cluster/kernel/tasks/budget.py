"""What a task may use of tokens and money, and what is still left of it.

Pure; asked by the task engine before each call that the owner begins. A share is kept for the
answer, so that what was done is told. A call that is under way is not cut short: a budget can be
overdrawn by the calls that run when it ends, and by no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cluster.kernel.usage import Usage

KEPT_FOR_ANSWER = 0.15
"""The part of the budget that is left to the answer."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds of a task; 0 is none."""

    tokens_max: int = 0
    """Prompt and completion together."""
    cost_max: float = 0.0
    """In the currency of the models' prices."""

    def lacks(self, spent: Iterable[Usage], *, for_answer: bool = False) -> str:
        """Return what is used up, as a sentence's object; empty where there is something left.

        Args:
            spent: by everything that was done for the task so far.
            for_answer: whether it is the answer that is to be begun.
        """
        part = 1.0 if for_answer else 1.0 - KEPT_FOR_ANSWER
        used = tuple(spent)
        tokens = sum(each.prompt_tokens + each.completion_tokens for each in used)
        if self.tokens_max and tokens >= self.tokens_max * part:
            return f"{tokens} of the {self.tokens_max} tokens that the task may use"
        cost = sum(each.cost for each in used)
        if self.cost_max and cost >= self.cost_max * part:
            return f"{cost:.4g} of the {self.cost_max:g} that the task may cost"
        return ""


NO_BUDGET = Budget()
