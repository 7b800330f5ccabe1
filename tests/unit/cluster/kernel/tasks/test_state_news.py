"""What others have written since a step read a document is news to it, and nothing else is."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.reads import Saw, SeenField, SeenState
from cluster.kernel.state.edits import (
    Deletion,
    Edit,
    EntryBody,
    FieldEdit,
    Resolution,
    Reversal,
    Seal,
)
from cluster.kernel.state.edits import Withdrawal as Withdrawn
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.values import Value
from cluster.kernel.tasks.staleness import Accepted, News, StateNews
from cluster.kernel.tasks.staleness import verdict as decided
from cluster.kernel.tasks.state_news import state_news
from tests.support.state_histories import bodies
from tests.support.state_logs import edit_id, log, make_edit, make_field, stamp

BOARD = "task/t/Board"
OWN = TaskId("t"), StepId("own")
FACTS: dict[str, Value] = {"a": 1}


def seen(version: int, *fields: str) -> SeenState:
    return SeenState(BOARD, version, tuple(SeenField(name, version) for name in fields))


def news(state: SeenState, *written: EntryBody, is_gone: bool = False) -> StateNews:
    fold = Fold()
    fold.extend(log(*written))
    return state_news(state, fold, OWN, is_gone=is_gone)


def spent(
    step: str, amount: int, ordinal: int = 1, base_version: int = 0, *, generation: int = 1
) -> Edit:
    made_by = edit_id(step, ordinal, generation=generation)
    return make_edit(made_by, base_version, spent=make_field("total", 0, amount))


def facts(step: str, base: Value, mine: Value, base_version: int = 0) -> Edit:
    return make_edit(edit_id(step), base_version, facts=make_field("by_key", base, mine))


def verdict(step: str, mine: Value, base_version: int = 0) -> Edit:
    return make_edit(edit_id(step), base_version, verdict=make_field("siblings", None, mine))


def test_a_document_at_the_version_that_was_read_has_no_news() -> None:
    assert news(seen(1, "facts"), facts("b", {}, FACTS)) == StateNews(BOARD, 1, 1)


def test_a_field_that_others_have_edited_since_has_changed() -> None:
    made = news(seen(1, "facts", "spent"), spent("b", 1), facts("c", {}, FACTS))
    assert (made.changed, made.from_version, made.to_version) == (("facts",), 1, 2)


def test_a_field_that_was_not_read_has_not_changed() -> None:
    assert news(seen(1, "spent"), spent("b", 1), facts("c", {}, FACTS)).changed == ()


def test_what_the_step_has_written_itself_is_no_change() -> None:
    made = news(seen(1, "spent"), spent("b", 1), spent("own", 5, 1, 1))
    assert (made.changed, made.written, made.merged) == ((), frozenset(["spent"]), ())


def test_each_field_is_compared_with_the_version_at_which_it_was_read() -> None:
    fields = SeenField("facts", 1), SeenField("spent", 3)
    made = news(
        SeenState(BOARD, 1, fields),
        facts("b", {}, FACTS),
        spent("b", 1),
        spent("c", 1),
        spent("d", 1),
    )
    assert made.changed == ("spent",)


def test_an_edit_that_says_what_was_there_is_no_change() -> None:
    written = facts("b", {}, FACTS), facts("c", {}, FACTS)
    assert news(seen(1, "facts"), *written).changed == ()


def test_what_was_taken_back_before_the_result_came_is_no_change() -> None:
    undone = Reversal(edit_id("person"), stamp(2), 2)
    assert news(seen(1, "spent"), spent("b", 1), spent("c", 1), undone).changed == ()


def test_what_is_taken_back_after_it_was_read_has_changed() -> None:
    again = Withdrawn(TaskId("t"), StepId("b"), 2)
    assert news(seen(1, "spent"), spent("b", 1), again).changed == ("spent",)


def test_a_step_of_others_that_is_run_again_changes_what_it_had_written() -> None:
    again = spent("b", 7, generation=2)
    assert news(seen(1, "spent"), spent("b", 1), again).changed == ("spent",)


def test_what_an_earlier_attempt_at_the_step_wrote_is_no_change() -> None:
    again = spent("own", 7, 1, 1, generation=2)
    made = news(seen(1, "spent"), spent("own", 1), again)
    assert (made.changed, *made.written) == ((), "spent")


def test_a_conflict_in_a_field_that_was_read_is_a_change() -> None:
    made = news(seen(1, "verdict"), verdict("b", "yes"), verdict("c", "no"))
    assert made.changed == ("verdict",)


def test_a_conflict_that_was_decided_is_a_change() -> None:
    decided = Resolution(edit_id("person"), stamp(3), 2, "verdict", None, "no")
    made = news(seen(2, "verdict"), verdict("b", "yes"), verdict("c", "no"), decided)
    assert made.changed == ("verdict",)


def test_edits_of_one_field_that_did_not_see_each_other_are_merged() -> None:
    before = news(seen(0), spent("b", 1), spent("own", 5, 1, 0))
    after = news(seen(0), spent("own", 5), spent("b", 1))
    assert (before.merged, after.merged) == (("spent",), ("spent",))


def test_an_edit_by_somebody_who_had_seen_the_steps_own_is_not_merged_with_it() -> None:
    assert news(seen(0), spent("own", 5), spent("b", 1, 1, 1)).merged == ()


def test_a_field_in_conflict_is_not_merged() -> None:
    made = news(seen(0), verdict("b", "yes"), verdict("own", "no"))
    assert (made.merged, *made.written) == ((), "verdict")


def test_a_document_that_was_deleted_is_gone() -> None:
    written = spent("b", 1), Deletion(edit_id("person"), stamp(2))
    assert news(seen(1, "spent"), *written, is_gone=True).is_gone
    assert not news(seen(0, "spent"), is_gone=True).is_gone, "it was gone when it was read"


def test_a_log_that_begins_anew_is_another_document() -> None:
    assert news(seen(9, "spent"), spent("b", 1)).is_gone


def test_what_is_sealed_is_told_by_who_wrote_it_last() -> None:
    written = facts("b", {}, FACTS), spent("c", 1), spent("own", 5, 1, 2), Seal(3)
    made = news(seen(1, "facts", "spent"), *written)
    assert made.changed == (), "the step's own edit hides the other one of a total"
    assert made.written == {"spent"}
    assert news(seen(1, "spent"), *written[:2], Seal(2)).changed == ("spent",)
    assert news(seen(2, "facts"), *written).changed == ()


@settings(max_examples=300)
@given(bodies(), st.integers(0, 2**32))
def test_no_field_has_changed_where_nobody_else_has_written(
    written: list[EntryBody], seed: int
) -> None:
    rng = random.Random(seed)
    fold = Fold()
    fold.extend(log(*written))
    fields = [*fold.fields]
    at = fold.version
    more = [spent("own", rng.randint(1, 9), ordinal, at) for ordinal in range(1, rng.randint(2, 5))]
    fold.extend(log(*more, after=at))

    assert state_news(seen(at, *fields), fold, OWN, is_gone=False).changed == ()


POLICIES = {"facts": "by_key", "spent": "total", "said": "append", "tags": "union"}
EMPTY: dict[str, Value] = {"facts": {}, "spent": 0, "said": [], "tags": []}
UNTOUCHED_RUNS = 2_000


def write(rng: random.Random, fold: Fold, step: str, names: list[str]) -> None:
    """Edit fields, as an author who has seen some of the log."""
    fields: dict[str, FieldEdit] = {}
    for name in names:
        number = rng.randint(1, 10**9)
        mine: Value = {f"k{number}": number} if name == "facts" else [number]
        mine = number if name == "spent" else mine
        fields[name] = make_field(POLICIES[name], EMPTY[name], mine)
    made_by = edit_id(step, fold.version + 1)
    edit = Edit(made_by, stamp(1, step), rng.randint(0, fold.version), fields)
    fold.extend(log(edit, after=fold.version))


def test_no_step_is_done_again_whose_reads_nobody_else_has_touched() -> None:
    rng = random.Random(12)
    names = sorted(POLICIES)
    for _ in range(UNTOUCHED_RUNS):
        fold = Fold()
        write(rng, fold, "b", names)
        read = rng.sample(names, rng.randint(0, 3))
        written = rng.sample(names, rng.randint(0, 2))
        at = fold.version
        for _ in range(rng.randint(1, 3)):
            write(rng, fold, "own", written)
            write(rng, fold, "c", [name for name in names if name in written or name not in read])
        state = seen(at, *read)

        news_ = News((state_news(state, fold, OWN, is_gone=False),))
        made = decided(StepId("own"), Saw((state,)), news_, 0)

        assert isinstance(made, Accepted)
        assert made.degraded == ()
