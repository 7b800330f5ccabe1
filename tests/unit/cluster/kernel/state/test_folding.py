"""The laws of the fold: all readers of a log agree, whatever way it came to them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state import folding
from cluster.kernel.state.attempts import Fate
from cluster.kernel.state.edits import (
    Deletion,
    Edit,
    Entry,
    EntryBody,
    FieldEdit,
    Resolution,
    Reversal,
    Seal,
    Unread,
    Withdrawal,
)
from cluster.kernel.state.folded import Folded
from cluster.kernel.state.folding import EARLY_MAX, Fold
from cluster.kernel.state.values import Value, canonical
from tests.support.state_histories import bodies, log_of
from tests.support.state_logs import edit_id, log, make_edit, make_field, stamp

NOTHING = Unread("nothing", {"type": "nothing"})


def fold_of(entries: Iterable[Entry], snapshot: Folded | None = None) -> Fold:
    fold = Fold() if snapshot is None else Fold(snapshot)
    fold.extend(entries)
    return fold


def bytes_of(fold: Fold) -> bytes:
    return canonical(fold.folded().to_plain())


def shown(fold: Fold) -> bytes:
    """What a reader sees: all but which attempts there were."""
    plain = fold.folded().to_plain()
    assert isinstance(plain, dict)
    return canonical({**plain, "attempts": None})


def spent(step: str, amount: int, ordinal: int = 1, *, generation: int = 1) -> Edit:
    made_by = edit_id(step, ordinal, generation=generation)
    return make_edit(made_by, spent=make_field("total", 0, amount))


# --------------------------------------------------------------------------------- laws


@given(bodies())
def test_equal_logs_give_equal_bytes_at_once_or_entry_by_entry(log: list[EntryBody]) -> None:
    one, other = fold_of(log_of(log)), Fold()
    for entry in log_of(log):
        other.extend([entry])

    assert bytes_of(one) == bytes_of(other)
    assert one.history == other.history


@given(bodies(), st.integers(0, 2**32))
def test_loss_repetition_and_disorder_on_the_way_change_nothing(
    log: list[EntryBody], seed: int
) -> None:
    entries, rng, fold = log_of(log), random.Random(seed), Fold()
    while fold.version < len(entries):
        on_the_way = entries[fold.version :] + rng.sample(entries, len(entries) // 2)
        arrived = [each for each in on_the_way if rng.random() < 0.7]
        rng.shuffle(arrived)
        fold.extend(arrived)

    assert bytes_of(fold) == bytes_of(fold_of(entries))


@given(bodies())
def test_a_snapshot_and_the_rest_fold_like_the_whole(log: list[EntryBody]) -> None:
    entries, whole = log_of(log), Fold()
    for entry in entries:
        whole.extend([entry])
        stored = json.loads(canonical(whole.snapshot.to_plain()))
        late = fold_of(entries[: entry.version], Folded.from_plain(stored))

        assert bytes_of(late) == bytes_of(whole)


@given(bodies(), st.integers(1, 5))
def test_what_is_kept_between_seals_makes_them_no_other(log: list[EntryBody], every: int) -> None:
    kept, afresh = Fold(), Fold()
    with pytest.MonkeyPatch.context() as patch:
        for entry in log_of(log):
            patch.setattr(folding, "MARK_ENTRIES", every)
            kept.extend([entry])
            patch.setattr(folding, "MARK_ENTRIES", EARLY_MAX)
            afresh.extend([entry])
            if isinstance(entry.body, Seal):
                afresh = fold_of((each.entry for each in afresh.history), afresh.snapshot)
            assert bytes_of(kept) == bytes_of(afresh)
            assert kept.history == afresh.history


@given(bodies(has_deletions=False), st.integers(0, 40), st.integers(0, 2))
def test_what_was_applied_to_a_branch_is_not_folded_again(
    log: list[EntryBody], known: int, repeats: int
) -> None:
    edits = {each.id: each for each in log if isinstance(each, Edit) and each.id.generation == 1}
    entries = log_of([*edits.values(), *[*edits.values()][:repeats]])
    fold = fold_of(entries[:known])
    branch = fold.branch()
    for entry in entries[known:]:
        branch.apply(entry)
    fold.extend(entries[known:], branch)
    assert bytes_of(fold) == bytes_of(fold_of(entries))
    assert fold.history == fold_of(entries).history


@given(bodies(has_seals=False), st.data())
def test_a_step_that_is_run_again_is_as_if_it_had_written_nothing(
    log: list[EntryBody], data: st.DataObject
) -> None:
    step = data.draw(st.sampled_from("abc"))
    at = data.draw(st.integers(0, len(log)))
    withdrawal = Withdrawal(TaskId("t"), StepId(step), 99)
    authored = (Edit, Resolution, Reversal, Deletion)

    withdrawn = fold_of(log_of([*log[:at], withdrawal, *log[at:]]))
    unwritten = [
        NOTHING if isinstance(each, authored) and each.id.step == step else each for each in log
    ]

    assert shown(withdrawn) == shown(fold_of(log_of([*unwritten[:at], NOTHING, *unwritten[at:]])))


@given(bodies(has_seals=False))
def test_a_later_generation_replaces_the_earlier_ones_wherever_they_stand(
    log: list[EntryBody],
) -> None:
    latest: dict[str, int] = {}
    for each in log:
        if isinstance(each, Edit | Resolution | Reversal | Deletion):
            latest[each.id.step] = max(each.id.generation, latest.get(each.id.step, 0))
        elif isinstance(each, Withdrawal):
            latest[each.step] = max(each.before_generation, latest.get(each.step, 0))
    kept = [
        NOTHING
        if isinstance(each, Edit | Resolution | Reversal | Deletion)
        and each.id.generation < latest[each.id.step]
        else each
        for each in log
    ]

    assert shown(fold_of(log_of(log))) == shown(fold_of(log_of(kept)))


@given(bodies(has_seals=False, has_deletions=False), st.data())
def test_an_edit_that_stands_there_twice_counts_once(
    log: list[EntryBody], data: st.DataObject
) -> None:
    again = data.draw(st.sampled_from(log))
    assume(isinstance(again, Edit))

    repeated = fold_of(log_of([*log, again]))

    assert shown(repeated) == shown(fold_of(log_of([*log, NOTHING])))


@given(bodies(has_seals=False), st.data())
def test_an_edit_that_is_undone_is_as_if_it_had_not_been_written(
    log: list[EntryBody], data: st.DataObject
) -> None:
    version = data.draw(st.integers(1, len(log)))
    edit = log[version - 1]
    assume(isinstance(edit, Edit))
    assert isinstance(edit, Edit)
    empty = replace(edit, fields={})

    undone = fold_of(log_of([*log, Reversal(edit_id("undoing"), stamp(0), version)]))
    emptied = fold_of(log_of([*log[: version - 1], empty, *log[version:], NOTHING]))

    # A repetition is undone by its first copy's reversal only.
    assume(undone.history[version - 1].fate is Fate.REVERSED)
    assert shown(undone) == shown(emptied)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_totals_of_steps_that_crash_and_are_run_again_count_each_step_once(
    amounts: list[int], rng: random.Random
) -> None:
    log: list[EntryBody] = []
    for number, amount in enumerate(amounts):
        for generation in range(1, rng.randrange(2, 4)):
            log += [spent(f"s{number}", amount, generation=generation)] * rng.randrange(1, 3)
    last = [spent(f"s{number}", amount, generation=3) for number, amount in enumerate(amounts)]
    rng.shuffle(log)

    assert fold_of(log_of([*log, *last])).fields["spent"] == sum(amounts)


# ------------------------------------------------------------------------------- examples


def test_what_was_spent_in_an_attempt_that_died_is_not_spent() -> None:
    fold = fold_of(log(spent("a", 120), spent("b", 7), spent("a", 120, generation=2)))

    assert fold.fields == {"spent": 127}
    assert [each.fate for each in fold.history] == [Fate.REPLACED, Fate.COUNTS, Fate.COUNTS]


def test_an_attempt_that_was_withdrawn_writes_in_vain() -> None:
    withdrawal = Withdrawal(TaskId("t"), StepId("a"), 2)

    fold = fold_of(log(spent("a", 120), withdrawal, spent("a", 30, 2)))

    assert fold.fields == {}
    assert fold.history[2].fate is Fate.REPLACED


def test_a_reversal_of_a_reversal_brings_the_edit_back() -> None:
    undo, redo = Reversal(edit_id("p"), stamp(2), 1), Reversal(edit_id("p", 2), stamp(3), 3)

    assert fold_of(log(spent("a", 5), spent("b", 1), undo)).fields == {"spent": 1}
    assert fold_of(log(spent("a", 5), spent("b", 1), undo, redo)).fields == {"spent": 6}


def test_a_deletion_that_is_undone_lets_the_edits_after_it_count() -> None:
    deletion = Deletion(edit_id("p"), stamp(2))
    deleted: list[EntryBody] = [spent("a", 5), deletion, spent("b", 1)]
    undone = [*deleted, Reversal(edit_id("p", 2), stamp(3), 2)]

    gone, back = fold_of(log(*deleted)), fold_of(log(*undone))

    assert (gone.is_deleted, gone.fields, gone.history[2].fate) == (True, {}, Fate.IGNORED)
    assert (back.is_deleted, back.fields) == (False, {"spent": 6})


@pytest.mark.parametrize(
    "late",
    [Reversal(edit_id("p"), stamp(2), 1), Withdrawal(TaskId("t"), StepId("a"), 2)],
)
def test_what_is_sealed_can_not_be_undone_any_more(late: EntryBody) -> None:
    fold = fold_of(log(spent("a", 5), Seal(1), late))

    assert fold.fields == {"spent": 5}
    assert (fold.snapshot.version, fold.version) == (1, 3)


def test_a_withdrawal_that_stands_before_the_seal_has_reached_what_is_sealed() -> None:
    withdrawal = Withdrawal(TaskId("t"), StepId("a"), 2)

    fold = fold_of(log(spent("a", 5), spent("b", 1), withdrawal, Seal(2)))

    assert fold.snapshot.fields == fold.fields == {"spent": 1}


def test_what_was_sealed_long_ago_still_counts_once_and_by_its_latest_attempt() -> None:
    sealed: list[EntryBody] = [spent("a", 5, generation=2), Seal(1), spent("b", 1), Seal(3)]

    late = [spent("a", 5, generation=2), spent("a", 9), spent("b", 1)]

    assert fold_of(log(*sealed, *late)).fields == {"spent": 6}


@pytest.mark.parametrize("version", [1, 2, 3, 99])
def test_a_reversal_of_itself_or_of_what_is_not_there_yet_undoes_nothing(version: int) -> None:
    reversal = Reversal(edit_id("p"), stamp(2), version)

    fold = fold_of(log(reversal, spent("a", 5), Seal(0)))

    assert fold.fields == {"spent": 5}
    assert {each.fate for each in fold.history} == {Fate.COUNTS}


def test_a_seal_ahead_of_itself_seals_what_is_before_it() -> None:
    fold = fold_of(log(spent("a", 5), Seal(99), spent("b", 1)))

    assert fold.snapshot.version == 1
    assert fold.fields == {"spent": 6}


def test_an_entry_that_came_before_its_predecessor_waits_for_it() -> None:
    one, two, three = log(spent("a", 1), spent("b", 2), spent("c", 4))
    fold = Fold()

    assert not fold.extend([three, two])
    assert (fold.version, fold.fields) == (0, {})
    assert fold.extend([one])
    assert (fold.version, fold.fields) == (3, {"spent": 7})
    assert not fold.extend([one, two, three])


def test_entries_beyond_the_bound_are_read_again_and_not_kept() -> None:
    entries = log(*[spent(f"s{number}", 1) for number in range(EARLY_MAX + 2)])
    fold = fold_of(entries[1:])

    fold.extend(entries[:1])
    assert fold.version == EARLY_MAX + 1

    fold.extend(entries[fold.version :])
    assert fold.fields == {"spent": EARLY_MAX + 2}


def test_what_can_be_undone_is_an_entry_that_somebody_made_after_the_seal() -> None:
    entries = log(spent("a", 1), Seal(1), spent("b", 2))
    fold = fold_of(entries)

    assert fold.undoable(3) == entries[2]
    for version in (1, 2, 4):
        with pytest.raises(UsageError):
            fold.undoable(version)


def test_the_latest_stamp_is_known_from_a_snapshot_too() -> None:
    late = make_edit(edit_id("a"), wall_ms=9, status=make_field("latest", None, "x"))
    fold = fold_of(log(late, spent("b", 1), Seal(2)))

    assert fold.stamp == stamp(9, "a")
    assert Fold(fold.snapshot).stamp == fold.stamp


def test_fields_and_entries_that_this_program_does_not_know_are_kept_and_named() -> None:
    odd = FieldEdit("other:policy", {"base": None, "new": {"x": 1}})
    fold = fold_of(log(make_edit(edit_id("a"), of_another_version=odd), NOTHING, Seal(2)))

    assert fold.snapshot.fields == {"of_another_version": {"x": 1}}
    assert fold.unknown == {"other:policy", "nothing"}


def test_a_conflict_names_its_field_and_key() -> None:
    one: Value = {"x": 1, "y": 1}
    fold = fold_of(
        log(
            make_edit(edit_id("a"), b=make_field("by_key", None, one)),
            make_edit(edit_id("b"), b=make_field("by_key", None, {"y": 2, "x": 2})),
        )
    )

    assert [(each.field, each.key) for each in fold.conflicts] == [("b", "x"), ("b", "y")]
    assert fold.faults == ()
