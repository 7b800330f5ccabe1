"""Edits of one document as they meet: what shows, what is in conflict, and who ended it."""

from __future__ import annotations

import pytest

from cluster.kernel.state.attempts import Attempts, Fate
from cluster.kernel.state.contents import Contents
from cluster.kernel.state.edits import Deletion, Edit, EntryBody, FieldEdit, Resolution
from cluster.kernel.state.folded import EMPTY
from cluster.kernel.state.own_policies import Policies
from cluster.kernel.state.stamps import PERSON
from cluster.kernel.state.values import ABSENT, Slot, Value
from tests.support.state_logs import edit_id, log, make_edit, make_field, stamp


def raising(base: Value, mine: Value, theirs: Value) -> Value:
    raise ZeroDivisionError


def folded(*bodies: EntryBody) -> Contents:
    contents = Contents(EMPTY, Policies({"program:raising": raising}).find)
    for entry in log(*bodies):
        contents.apply(entry)
    return contents


def siblings(contents: Contents, field: str, key: str | None = None) -> list[Slot]:
    conflict = contents.conflicts.get((field, key))
    return [each.value for each in conflict.siblings] if conflict else []


def verdict(step: str, mine: Value, base: Value = None, *, seen: int = 0, ordinal: int = 1) -> Edit:
    return make_edit(edit_id(step, ordinal), seen, verdict=make_field("siblings", base, mine))


def resolution(
    value: Slot, *, seen: int, key: str | None = None, step: str = "owner"
) -> Resolution:
    field = "verdict" if key is None else "facts"
    return Resolution(edit_id(step), stamp(9, step), seen, field, key, value)


YES, NO = verdict("a", "yes"), verdict("b", "no")


def test_the_first_of_a_conflict_shows_and_both_have_their_writers() -> None:
    contents = folded(YES, NO)

    assert contents.fields == {"verdict": "yes"}
    [one, other] = contents.conflicts["verdict", None].siblings
    assert (one.value, one.writer.step, one.writer.version) == ("yes", "a", 1)
    assert (other.value, other.writer.step, other.writer.version) == ("no", "b", 2)


def test_a_person_s_edit_ends_the_conflict_that_they_have_seen() -> None:
    contents = folded(YES, NO, verdict(f"{PERSON}1", "maybe", "yes", seen=2))

    assert contents.fields == {"verdict": "maybe"}
    assert contents.conflicts == {}


def test_a_person_s_edit_keeps_the_half_of_it_that_they_have_not_seen() -> None:
    contents = folded(YES, NO, verdict(f"{PERSON}1", "maybe", "yes", seen=1))

    assert siblings(contents, "verdict") == ["maybe", "no"]


def test_an_agent_s_edit_of_what_it_is_shown_ends_no_conflict() -> None:
    contents = folded(YES, NO, verdict("c", "maybe", "yes", seen=2))

    assert siblings(contents, "verdict") == ["maybe", "no"]


def test_a_line_that_an_agent_adds_undoes_no_other_sibling() -> None:
    one, other = make_field("text", "a\n", "b\n", "a\n"), make_field("text", "a\n", "c\n", "a\n")
    by_agent = make_edit(edit_id("s"), notes=one)
    by_person = make_edit(edit_id(f"{PERSON}1"), notes=other)
    line = make_edit(edit_id("r"), 2, notes=make_field("text", "b\n", "b\nmore\n"))

    assert siblings(folded(by_agent, by_person, line), "notes") == ["b\nmore\n", "c\n"]


def test_a_step_s_edit_of_what_shows_takes_the_place_of_its_own_sibling() -> None:
    contents = folded(YES, NO, verdict("b", "maybe", "yes", seen=2, ordinal=2))

    assert (contents.fields, contents.conflicts) == ({"verdict": "maybe"}, {})


def test_a_step_s_next_value_takes_the_place_of_its_sibling() -> None:
    contents = folded(YES, NO, verdict("b", "never", "no", ordinal=2))

    assert siblings(contents, "verdict") == ["yes", "never"]


def test_a_third_value_is_a_third_sibling() -> None:
    assert siblings(folded(YES, NO, verdict("c", "maybe")), "verdict") == ["yes", "no", "maybe"]


@pytest.mark.parametrize("value", ["yes", "no", "neither"])
def test_a_resolution_ends_a_conflict_with_whatever_value(value: str) -> None:
    contents = folded(YES, NO, resolution(value, seen=2))

    assert contents.fields == {"verdict": value}
    assert contents.conflicts == {}


def test_a_sibling_that_the_resolution_s_author_had_not_seen_stays() -> None:
    contents = folded(YES, NO, verdict("c", "maybe"), resolution("no", seen=2))

    assert siblings(contents, "verdict") == ["no", "maybe"]


def test_two_resolutions_at_once_are_a_conflict_again() -> None:
    contents = folded(
        YES, NO, resolution("yes", seen=2), resolution("no", seen=2, step="other owner")
    )

    assert siblings(contents, "verdict") == ["yes", "no"]


def test_an_edit_that_did_not_know_of_the_resolution_is_a_conflict_with_it() -> None:
    contents = folded(YES, NO, resolution("no", seen=2), verdict("c", "maybe", "yes", seen=2))

    assert siblings(contents, "verdict") == ["no", "maybe"]


def test_a_removal_and_an_edit_of_one_key_are_siblings_and_other_keys_merge() -> None:
    first = make_edit(edit_id("a"), facts=make_field("by_key", None, {"x": 1, "y": 1}))
    removed = make_edit(edit_id("b"), 1, facts=make_field("by_key", {"x": 1, "y": 1}, {"y": 1}))
    changed = make_edit(
        edit_id("c"), 1, facts=make_field("by_key", {"x": 1, "y": 1}, {"x": 2, "y": 2})
    )

    contents = folded(first, removed, changed)

    assert contents.fields == {"facts": {"y": 2}}
    assert siblings(contents, "facts", "x") == [ABSENT, 2]
    assert contents.conflicts["facts", "x"].siblings[0].writer.step == "b"


@pytest.mark.parametrize(("value", "facts"), [(7, {"x": 7}), (ABSENT, {})])
def test_a_conflict_of_a_key_is_resolved_at_its_key(value: Slot, facts: Value) -> None:
    contents = folded(
        make_edit(edit_id("a"), facts=make_field("by_key", None, {"x": 1})),
        make_edit(edit_id("b"), facts=make_field("by_key", None, {"x": 2})),
        resolution(value, seen=2, key="x"),
    )

    assert contents.fields == {"facts": facts}
    assert contents.conflicts == {}


def test_a_default_counts_once_however_many_write_first() -> None:
    contents = folded(
        make_edit(edit_id("a"), spent=make_field("total", 100, 120, default=100)),
        make_edit(edit_id("b"), spent=make_field("total", 100, 107, default=100)),
    )

    assert contents.fields == {"spent": 127}


def test_the_later_stamp_wins_though_it_came_first() -> None:
    late = make_edit(edit_id("a"), wall_ms=9, status=make_field("latest", None, "late"))
    early = make_edit(edit_id("b"), wall_ms=5, status=make_field("latest", None, "early"))

    assert folded(late, early).fields == folded(early, late).fields == {"status": "late"}


def test_who_has_seen_the_last_write_comes_after_it_whatever_the_clocks_say() -> None:
    first = make_edit(edit_id("a"), wall_ms=9, status=make_field("latest", None, "first"))
    second = make_edit(edit_id("b"), 1, wall_ms=5, status=make_field("latest", "first", "second"))

    assert folded(first, second).fields == {"status": "second"}


@pytest.mark.parametrize(("person_ms", "agent_ms"), [(1, 9), (9, 1)])
def test_neither_a_person_nor_an_agent_undoes_the_other_s_unseen_value(
    person_ms: int, agent_ms: int
) -> None:
    stop = make_field("latest", None, "stop")
    person = make_edit(edit_id(f"{PERSON}1"), wall_ms=person_ms, status=stop)
    agent = make_edit(edit_id("a"), wall_ms=agent_ms, status=make_field("latest", None, "go"))

    assert siblings(folded(person, agent), "status") == ["stop", "go"]
    assert siblings(folded(agent, person), "status") == ["go", "stop"]


def test_an_unknown_policy_merges_as_siblings_and_is_named() -> None:
    one = FieldEdit("other:policy", {"base": None, "new": 1})
    other = FieldEdit("other:policy", {"base": None, "new": 2})

    contents = folded(make_edit(edit_id("a"), x=one), make_edit(edit_id("b"), x=other))

    assert siblings(contents, "x") == [1, 2]
    assert contents.strangers == {"other:policy"}


def test_a_broken_policy_is_a_conflict_with_its_fault() -> None:
    one = FieldEdit("program:raising", {"base": None, "new": 1})
    other = FieldEdit("program:raising", {"base": None, "new": 2})

    contents = folded(make_edit(edit_id("a"), x=one), make_edit(edit_id("b"), x=other))

    assert siblings(contents, "x") == [1, 2]
    assert len(contents.faults) == 1


def test_a_delta_that_its_policy_can_not_read_is_kept_as_a_sibling() -> None:
    odd = FieldEdit("total", {"by": 3})

    contents = folded(
        make_edit(edit_id("a"), n=make_field("total", None, 1)), make_edit(edit_id("b"), n=odd)
    )

    assert siblings(contents, "n") == [1, {"by": 3}]


def test_each_edit_is_merged_by_the_policy_it_was_made_with() -> None:
    contents = folded(
        make_edit(edit_id("a"), x=make_field("union", None, ["b", "a"])),
        make_edit(edit_id("b"), 1, x=make_field("append", ["a", "b"], ["a", "b", "a"])),
    )

    assert contents.fields == {"x": ["a", "b", "a"]}


def test_what_comes_after_a_deletion_is_ignored() -> None:
    contents = folded(YES, Deletion(edit_id("d"), stamp(2)))

    assert contents.apply(log(NO, after=2)[0]) is Fate.IGNORED
    assert (contents.fields, contents.is_deleted) == ({}, True)


def test_values_that_readers_hold_are_never_changed() -> None:
    contents = folded(make_edit(edit_id("a"), facts=make_field("by_key", None, {"x": 1})))
    held = contents.fields["facts"]

    [entry] = log(make_edit(edit_id("b"), 1, facts=make_field("by_key", {}, {"y": 1})), after=1)
    contents.apply(entry)

    assert held == {"x": 1}
    assert contents.fields["facts"] == {"x": 1, "y": 1}


def test_who_removed_a_key_is_forgotten_in_a_snapshot() -> None:
    contents = folded(
        make_edit(edit_id("a"), facts=make_field("by_key", None, {"x": 1, "y": 2})),
        make_edit(edit_id("b"), 1, facts=make_field("by_key", {"x": 1}, {})),
    )

    assert set(contents.folded(2, Attempts()).writers) == {("facts", None), ("facts", "y")}
