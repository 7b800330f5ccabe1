"""What the steps of a drafted plan wait for: the names they use, and no waiting in a circle.

Pure. Called by `agents.planning.mending`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from agents.planning.drafts import Draft, slug
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Step

_SEPARATORS = re.compile(r"[,;|&\s]+")
_NO_NEED = frozenset({"", "none", "null", "nil", "nothing", "no", "and", "step", "steps", "n-a"})

Edge = tuple[StepId, str]
"""A step, and what it was to wait for."""


class Names:
    """What the drafts call each other, and which steps of the plan are meant by it.

    A draft that became no step stands for the steps that it needs itself. A step that had to be
    called otherwise than its draft goes by both names.
    """

    def __init__(self, drafts: Sequence[Draft], ids: Mapping[int, StepId]) -> None:
        self._drafts = drafts
        self._ids = ids
        self._by_id: dict[str, list[int]] = {}
        self._by_agent: dict[str, list[int]] = {}
        for index, draft in enumerate(drafts):
            self._by_id.setdefault(draft.id.casefold(), []).append(index)
            self._by_agent.setdefault(draft.agent.casefold(), []).append(index)
        self._by_id.pop("", None)
        self._has_numbers = any(name.isdecimal() for name in self._by_id)
        for index, step_id in ids.items():
            self._by_id.setdefault(step_id.casefold(), [index])

    def needs_of(self, step_id: StepId) -> tuple[tuple[StepId, ...], tuple[str, ...]]:
        """Return the steps that a step waits for, and the names in its needs that are none."""
        named = self.named_by(step_id)
        needs = tuple(StepId(name) for name, is_step in named.items() if is_step)
        return needs, tuple(name for name, is_step in named.items() if not is_step)

    def named_by(self, step_id: StepId) -> dict[str, bool]:
        """Return what a step waits for in its order, and of each whether the drafts have it."""
        own = [index for index, kept in self._ids.items() if kept == step_id]
        seen = set(own)
        waiting = [word for index in own for word in self._words(index)]
        named: dict[str, bool] = {}
        for word in waiting:  # It grows: a draft that is no step passes its needs on.
            meant = self._meant(word)
            if not meant:
                named.setdefault(word, False)
            for index in meant:
                if index in self._ids:
                    named[self._ids[index]] = True
                elif index not in seen:
                    seen.add(index)
                    waiting.extend(self._words(index))
        named.pop(step_id, None)
        return named

    def names_an_agent(self, step_id: StepId) -> bool:
        """Say whether a step waits for all that an agent does: what is drafted later, too."""
        own = [index for index, kept in self._ids.items() if kept == step_id]
        words = [word.casefold() for index in own for word in self._words(index)]
        return any(
            word in self._by_agent and word not in self._by_id and not word.isdecimal()
            for word in words
        )

    def _words(self, index: int) -> Iterator[str]:
        """Yield the names in a draft's needs; a text that is no name may hold several."""
        for need in self._drafts[index].needs:
            whole = slug(need)
            words = [whole] if self._meant(whole) else map(slug, _SEPARATORS.split(need))
            yield from (word for word in words if word.casefold() not in _NO_NEED)

    def _meant(self, word: str) -> Sequence[int]:
        """Return the drafts with an id; else the one at a place from 1; else those of an agent."""
        name = word.casefold()
        if name in self._by_id:
            return self._by_id[name]
        if name.isdecimal() and not self._has_numbers and 1 <= int(name) <= len(self._drafts):
            return (int(name) - 1,)
        return self._by_agent.get(name, ()) if name else ()


def acyclic(steps: Sequence[Step]) -> tuple[list[Step], list[Edge]]:
    """Return the steps without the needs that would close a circle, and these needs.

    The needs are taken in their order: it is the last one of a circle that goes.
    """
    needs: dict[StepId, list[StepId]] = {step.id: [] for step in steps}
    broken: list[Edge] = []
    for step in steps:
        for need in step.needs:
            if _reaches(need, step.id, needs):
                broken.append((step.id, need))
            else:
                needs[step.id].append(need)
    return [replace(step, needs=tuple(needs[step.id])) for step in steps], broken


def startable(steps: Iterable[Step]) -> frozenset[StepId]:
    """Return the steps that may have begun where all may that need nothing but such steps.

    The others wait for a step that isn't there, or in a circle.
    """
    waiting = list(steps)
    begun: set[StepId] = set()
    while True:
        new = {step.id for step in waiting if begun.issuperset(step.needs)}
        if not new:
            return frozenset(begun)
        begun |= new
        waiting = [step for step in waiting if step.id not in new]


def _reaches(start: StepId, goal: StepId, needs: Mapping[StepId, Sequence[StepId]]) -> bool:
    """Say whether a step waits for another one, directly or through others."""
    waiting, seen = [start], {start}
    for step_id in waiting:
        new = [need for need in needs[step_id] if need not in seen]
        seen.update(new)
        waiting.extend(new)
    return goal in seen
