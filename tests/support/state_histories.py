"""Random logs of shared state: authors that lag behind each other, crash and are run again."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.edits import (
    Deletion,
    Edit,
    Entry,
    EntryBody,
    FieldEdit,
    Resolution,
    Reversal,
    Seal,
    Withdrawal,
)
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.policies import POLICIES
from cluster.kernel.state.stamps import PERSON, EditId, Stamp
from cluster.kernel.state.values import Value

STEPS = [StepId(name) for name in ("a", "b", "c", f"{PERSON}1")]
LAG_MAX = 6
"""How many entries an author may not have seen."""


def by_key(rng: random.Random, base: Value) -> Value:
    made = dict(base) if isinstance(base, dict) else {}
    key = rng.choice("xyz")
    if rng.random() < 0.25:
        made.pop(key, None)
    else:
        made[key] = rng.randrange(3)
    return made


def union(rng: random.Random, base: Value) -> Value:
    made = [*base] if isinstance(base, list) else []
    return [each for each in [*made, rng.choice("abc")] if rng.random() > 0.2]


def append(rng: random.Random, base: Value) -> Value:
    return [*(base if isinstance(base, list) else []), rng.randrange(3)]


def text(rng: random.Random, base: Value) -> Value:
    lines = str(base or "one\ntwo\nthree\nfour").split("\n")
    lines[rng.randrange(len(lines))] = rng.choice(["new", "newer", "newest\nline"])
    return "\n".join(lines)


def total(rng: random.Random, base: Value) -> Value:
    return (base if isinstance(base, int) else 0) + rng.randrange(-2, 3)


def number(rng: random.Random, base: Value) -> Value:
    return rng.randrange(9)


WRITING: dict[str, Callable[[random.Random, Value], Value]] = {
    "by_key": by_key,
    "union": union,
    "append": append,
    "text": text,
    "total": total,
    "maximum": number,
    "latest": number,
    "siblings": number,
}
"""What an author makes of what they saw; a field has its policy's name."""


@dataclass
class History:
    """Writes a log, entry by entry."""

    rng: random.Random
    bodies: list[EntryBody] = field(default_factory=list)
    _attempts: dict[StepId, tuple[int, int]] = field(default_factory=dict)

    def write(self, *, has_seals: bool, has_deletions: bool) -> None:
        draw = self.rng.random()
        step = self.rng.choice(STEPS)
        if draw < 0.65 or not self.bodies:
            self._edit(step)
        elif draw < 0.75:
            self.bodies.append(self.rng.choice(self.bodies))
        elif draw < 0.82:
            self._run_again(step)
        elif draw < 0.88:
            version = self.rng.randrange(1, len(self.bodies) + 1)
            self.bodies.append(Reversal(self._id(step), self._stamp(step), version))
        elif draw < 0.93:
            self._resolve(step)
        elif draw < 0.96 and has_seals:
            self.bodies.append(Seal(self.rng.randrange(len(self.bodies) + 2)))
        elif has_deletions:
            self.bodies.append(Deletion(self._id(step), self._stamp(step)))

    def _seen(self) -> Fold:
        lag = self.rng.randrange(LAG_MAX)
        fold = Fold()
        fold.extend(log_of(self.bodies)[: max(0, len(self.bodies) - lag)])
        return fold

    def _edit(self, step: StepId) -> None:
        seen = self._seen()
        fields = {}
        for policy in self.rng.sample([*WRITING], 2):
            base = seen.fields.get(policy)
            try:
                delta = POLICIES[policy].difference(base, WRITING[policy](self.rng, base))
            except UsageError:
                continue
            if delta is not None:
                fields[policy] = FieldEdit(policy, delta)
        self.bodies.append(Edit(self._id(step), self._stamp(step), seen.version, fields))

    def _resolve(self, step: StepId) -> None:
        seen = self._seen()
        for each in seen.conflicts[:1]:
            value = self.rng.choice(each.siblings).value
            self.bodies.append(
                Resolution(
                    self._id(step), self._stamp(step), seen.version, each.field, each.key, value
                )
            )

    def _run_again(self, step: StepId) -> None:
        generation, _ = self._attempts.get(step, (1, 0))
        self._attempts[step] = generation + 1, 0
        if self.rng.random() < 0.5:
            self.bodies.append(Withdrawal(TaskId("t"), step, generation + 1))

    def _id(self, step: StepId) -> EditId:
        generation, ordinal = self._attempts.get(step, (1, 0))
        self._attempts[step] = generation, ordinal + 1
        # Now and then one of an attempt that has been replaced gets through.
        late = generation > 1 and self.rng.random() < 0.1
        return EditId(TaskId("t"), step, generation - late, ordinal + 1)

    def _stamp(self, step: StepId) -> Stamp:
        return Stamp(self.rng.randrange(100), 0, step)


def log_of(bodies: Sequence[EntryBody]) -> list[Entry]:
    return [Entry(version, body) for version, body in enumerate(bodies, 1)]


def bodies(
    *, has_seals: bool = True, has_deletions: bool = True
) -> st.SearchStrategy[list[EntryBody]]:
    """Logs of up to 40 entries, from a seed: hypothesis can't tell a good entry from a bad one."""

    def made(seed: int, length: int) -> list[EntryBody]:
        history = History(random.Random(seed))
        for _ in range(length):
            history.write(has_seals=has_seals, has_deletions=has_deletions)
        return history.bodies

    return st.builds(made, st.integers(0, 2**32), st.integers(1, 40))
