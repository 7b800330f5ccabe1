"""The table of worked merges in the docs is what the fold does."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from cluster.kernel.state.edits import Edit
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.values import ABSENT, Slot, Value
from tests.support.state_logs import edit_id, log, make_edit, make_field

DOCS = Path(__file__).parents[5] / "docs" / "memory.md"
REMOVED = "removed"
Row = tuple[str, Sequence[Slot], Sequence[Slot]]
"""A policy; what both saw, what each makes and what everybody sees; what is to be decided."""


def slot(text: str) -> Slot:
    return ABSENT if text == REMOVED else json.loads(text)


def rows() -> Sequence[Row]:
    table = DOCS.read_text(encoding="utf-8").partition("## Worked merges")[2].partition("How each")
    cells = [line.split(" | ") for line in table[0].splitlines() if line.startswith("| `")]
    return [
        (row[0].strip("| `"), [slot(each.strip("`")) for each in row[1:5]], to_decide(row[5]))
        for row in cells
    ]


def to_decide(cell: str) -> Sequence[Slot]:
    return [slot(each) for each in re.findall(r"`([^`]+)`", cell)]


def written(policy: str, base: Value, mine: Value, step: str, seen: int) -> Edit:
    change = make_field(policy, base, mine)
    return make_edit(edit_id(step), seen, wall_ms=seen + 1, place=change)


def test_the_docs_have_an_example_of_every_policy() -> None:
    assert {policy for policy, _, _ in rows()} == {
        "by_key", "union", "append", "text", "total", "maximum", "latest", "siblings",
    }  # fmt: skip


@pytest.mark.parametrize(("policy", "values", "siblings"), rows(), ids=str)
def test_a_worked_merge_is_what_the_fold_does(
    policy: str, values: Sequence[Value], siblings: Sequence[Slot]
) -> None:
    base, first, second, shown = values
    before = [] if base is None else [written(policy, None, base, "before", 0)]
    edits = [
        written(policy, base, made, step, len(before))
        for made, step in ((first, "one"), (second, "other"))
    ]

    fold = Fold()
    fold.extend(log(*before, *edits))

    assert fold.fields["place"] == shown
    assert [[each.value for each in conflict.siblings] for conflict in fold.conflicts] == (
        [siblings] if siblings else []
    )
