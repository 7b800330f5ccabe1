"""What a task that ends in nothing better is answered with: the answer its question had before.

Part of a task's context, asked as the task ends. The store may be what is out of reach: nothing
here fails, and nothing waits for long.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from cluster.kernel.errors import ClusterError
from cluster.kernel.events import Submitted
from cluster.kernel.vocabulary import Answer
from cluster.memory.kept_answers import KeptAnswer, KeptAnswers, Question

_log = logging.getLogger(__name__)

FIND_S_MAX = 1.0
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86_400.0


class AnswersOfBefore:
    """Keeps good answers of the team and finds them again.

    A task with a declared workflow, or of one role alone, has none: the same goal may be another
    question to other steps, and nothing that is kept tells them apart.

    Args:
        kept: where they are.
        model: what has written them: another model's answers are not this one's.
    """

    def __init__(self, kept: KeptAnswers, model: str) -> None:
        self._kept = kept
        self._model = model

    async def keep(self, submitted: Submitted, answer: Answer, at_wall_s: float) -> None:
        """Keep an answer from which nothing was left out."""
        if answer.degraded or submitted.workflow is not None:
            return
        try:
            await self._kept.keep(self._question(submitted), KeptAnswer(answer, at_wall_s))
        except ClusterError as error:
            _log.info("an answer was not kept: %s", error)

    async def find(self, submitted: Submitted, why: str, now_wall_s: float) -> Answer | None:
        """Return the answer of before, which says that it is one, and why."""
        if submitted.workflow is not None:
            return None
        try:
            async with asyncio.timeout(FIND_S_MAX):
                found = await self._kept.find(self._question(submitted))
        except (ClusterError, TimeoutError) as error:
            _log.info("no answer of before was looked for: %s", error)
            return None
        if found is None:
            return None
        age = ago(now_wall_s - found.at_wall_s)
        said = f"This is the answer that the same question had {age} ago: {why.rstrip('.')}."
        return replace(found.answer, degraded=(said, *found.answer.degraded))

    def _question(self, submitted: Submitted) -> Question:
        return Question(
            submitted.goal,
            submitted.collection,
            self._model,
            submitted.owner,
            submitted.conversation,
        )


def ago(seconds: float) -> str:
    """Return how long ago something was, as a person would say it."""
    for unit_s, name in ((_DAY_S, "day"), (_HOUR_S, "hour"), (_MINUTE_S, "minute")):
        if seconds >= unit_s:
            count = int(seconds // unit_s)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "less than a minute"
