"""Which attempts at steps have edited a document, so that each edit counts once. Pure.

Of each step the latest attempt counts, wherever in the log its earlier ones stand; of an attempt
each ordinal counts once.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.stamps import AttemptKey, EditId
from cluster.kernel.state.values import Value

ATTEMPTS_MAX = 1_000
"""Steps that a snapshot remembers, those that have edited it last. The store refuses what comes
from an attempt that has a later one for as long as tasks live, so this is the second lock."""


class Fate(Enum):
    """What becomes of an entry."""

    COUNTS = "counts"
    REPLACED = "replaced"
    """Its step has been run again, or is about to be."""
    REPEATED = "repeated"
    """It stands in the log already."""
    REVERSED = "reversed"
    IGNORED = "ignored"
    """The document had been deleted, or nobody here knows what it means."""


class Attempts:
    """The generation of each step that counts, and the ordinals that it has written."""

    def __init__(self) -> None:
        self._known: dict[AttemptKey, tuple[int, set[int]]] = {}

    def copy(self) -> Attempts:
        """Return the same to go on with apart."""
        attempts = Attempts()
        attempts._known = {key: (at, set(ordinals)) for key, (at, ordinals) in self._known.items()}
        return attempts

    def raise_to(self, key: AttemptKey, generation: int) -> bool:
        """Let earlier generations of a step not count; say whether some of their edits did."""
        known = self._known.get(key)
        if known is not None and generation <= known[0]:
            return False
        self._known[key] = (generation, set())
        return known is not None and bool(known[1])

    def admit(self, edit: EditId) -> Fate | None:
        """Take an edit in; a later generation counts from then on.

        Returns:
            None, and nothing changes, where that would leave out edits which have been taken in:
            `raise_to`, and fold them anew.
        """
        task, step, generation, ordinal = edit
        known = self._known.get((task, step))
        if known is None or (generation > known[0] and not known[1]):
            self._known[task, step] = generation, {ordinal}
            return Fate.COUNTS
        at, ordinals = known
        if generation != at:
            return Fate.REPLACED if generation < at else None
        if ordinal in ordinals:
            return Fate.REPEATED
        ordinals.add(ordinal)
        return Fate.COUNTS

    def has(self, edit: EditId) -> bool:
        """Say whether an edit has been taken in, and counts as far as generations go."""
        at, ordinals = self._known.get(edit.attempt_key, (0, set()))
        return edit.generation == at and edit.ordinal in ordinals

    def touch(self, key: AttemptKey) -> None:
        """Let a step be the last to be forgotten, and drop those over the bound."""
        self._known[key] = self._known.pop(key)
        while len(self._known) > ATTEMPTS_MAX:
            del self._known[next(iter(self._known))]

    def to_plain(self) -> Value:
        """Return them as a plain value, ordinals as runs."""
        return [
            [task, step, at, [[*run] for run in _runs(ordinals)]]
            for (task, step), (at, ordinals) in self._known.items()
        ]

    @classmethod
    def from_plain(cls, plain: Value) -> Attempts:
        """Read them; raises `ValueError` where they are damaged."""
        attempts = cls()
        for each in plain if isinstance(plain, list) else [plain]:
            match each:
                case [str(task), str(step), int(at), list(runs)]:
                    ordinals = {ordinal for run in runs for ordinal in _run(run)}
                    attempts._known[TaskId(task), StepId(step)] = at, ordinals
                case _:
                    raise ValueError(f"not the attempts at a step: {each!r:.80}")
        return attempts


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers as runs, each with its first and its last."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs


def _run(plain: Value) -> range:
    match plain:
        case [int(first), int(last)]:
            return range(first, last + 1)
    raise ValueError(f"not a run of ordinals: {plain!r:.80}")
