"""What is done to a model becomes edits: no more than was done, whoever else edits meanwhile."""

from __future__ import annotations

from copy import deepcopy
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, computed_field

from cluster.kernel.errors import StateInvalid, UsageError
from cluster.kernel.state.edits import FieldEdit
from cluster.kernel.state.values import Value
from cluster.state import SharedState, merge
from cluster.state.editing import (
    Editing,
    StateView,
    edits_between,
    model_of,
    plain_fields,
    policies_of,
)
from tests.support.boards import Board, BoardLog, Fact, changed, longer

FIELDS: dict[str, Value] = {
    "facts": {"sky": {"text": "blue", "votes": []}, "sea": {"text": "wet", "votes": []}},
    "spent": 3,
    "tags": ["a"],
    "log": ["one"],
    "draft": "a\nb\nc\n",
}


def both_at_once(log: BoardLog, first: Editing[Any], second: Editing[Any]) -> Any:
    """The board when two have edited it at the same time."""
    for writer, editing in (("x", first), ("y", second)):
        log.append(writer, editing.finish(), base=0)
    return model_of(Board, log.fields)


def test_an_edit_of_a_number_is_its_increment() -> None:
    editing = Editing(Board, FIELDS)
    editing.model.spent += 120

    assert editing.finish() == {"spent": FieldEdit("total", {"base": 3, "new": 123}, 0)}


def test_an_edit_of_a_dict_is_the_keys_that_were_changed() -> None:
    editing = Editing(Board, FIELDS)
    editing.model.facts["sun"] = Fact(text="hot")
    editing.model.facts["sky"].votes.append(1)
    del editing.model.facts["sea"]

    delta = editing.finish()["facts"].delta

    assert delta["base"] == FIELDS["facts"]
    assert delta["new"] == {
        "sun": {"text": "hot", "votes": []},
        "sky": {"text": "blue", "votes": [1]},
    }


def test_what_was_only_read_is_no_edit() -> None:
    editing = Editing(Board, FIELDS)
    _ = (editing.model.facts, editing.model.tags, editing.model.best)

    assert editing.finish() == {}
    assert editing.reads == {"facts", "tags", "best"}


def test_what_was_changed_and_changed_back_is_no_edit() -> None:
    editing = Editing(Board, FIELDS)
    editing.model.log.append("two")
    editing.model.log.pop()
    editing.model.facts = dict(editing.model.facts)

    assert editing.finish() == {}


def test_an_edit_leaves_the_document_as_it_is() -> None:
    fields = deepcopy(FIELDS)
    editing = Editing(Board, fields)
    editing.model.log.append("two")
    editing.model.facts["sky"].text = "red"
    editing.finish()

    assert fields == FIELDS


def test_an_edit_is_of_what_the_document_was_when_it_began() -> None:
    fields = deepcopy(FIELDS)
    editing = Editing(Board, fields)
    fields["spent"] = 50
    editing.model.spent += 1

    assert editing.finish()["spent"].delta == {"base": 3, "new": 4}


def test_two_edits_at_once_merge_field_by_field() -> None:
    log, first, second = BoardLog(), Editing(Board, {}), Editing(Board, {})
    for editing, name in ((first, "x"), (second, "y")):
        editing.model.facts[name] = Fact(text=name)
        editing.model.spent += 5
        editing.model.log.append(name)
        editing.model.tags |= {name, "both"}
        editing.model.title = name * len(name + name * (name == "y"))

    board = both_at_once(log, first, second)

    assert (board.facts.keys(), board.spent, board.log) == ({"x", "y"}, 10, ["x", "y"])
    assert (board.tags, board.title) == ({"x", "y", "both"}, "yy")


def test_two_edits_at_once_of_what_says_nothing_are_a_conflict() -> None:
    log, first, second = BoardLog(), Editing(Board, {}), Editing(Board, {})
    first.model.note, second.model.note = "x", "y"

    both_at_once(log, first, second)

    [conflict] = log.fold.conflicts
    assert [each.value for each in conflict.siblings] == ["x", "y"]


def test_an_edit_that_is_over_can_not_go_on() -> None:
    editing = Editing(Board, FIELDS)
    editing.finish()

    with pytest.raises(UsageError, match="only shown here"):
        editing.model.spent = 9


def test_what_a_list_must_not_hold_is_found_when_the_edit_ends() -> None:
    editing = Editing(Board, FIELDS)
    wrong: Any = 3
    editing.model.log.append(wrong)

    with pytest.raises(StateInvalid, match=r"Board\.log can't be written"):
        editing.finish()


class Bounded(SharedState):
    """Fields with constraints."""

    ages: dict[str, Annotated[int, Field(ge=0)]]
    ratio: float = 0.0


def test_a_bound_holds_for_what_is_put_into_a_dict_too() -> None:
    editing = Editing(Bounded, {})
    editing.model.ages["x"] = -1

    with pytest.raises(StateInvalid, match=r"Bounded\.ages .* at x: .* greater than or equal to 0"):
        editing.finish()


def test_what_json_can_not_say_is_refused_by_the_name_of_its_field() -> None:
    editing = Editing(Bounded, {})
    editing.model.ratio = float("nan")

    with pytest.raises(UsageError, match=r"Bounded\.ratio: .* no such number"):
        editing.finish()


def test_a_change_that_the_policy_has_no_way_to_is_refused_by_the_name_of_its_field() -> None:
    editing = Editing(Board, FIELDS)
    editing.model.log.clear()

    with pytest.raises(UsageError, match=r"Board\.log: .* only grow"):
        editing.finish()


def test_a_model_that_a_program_made_is_compared_with_the_document() -> None:
    after = Board.model_validate({**plain_fields(model_of(Board, FIELDS)), "spent": 4})

    assert edits_between(FIELDS, after).keys() == {"spent"}


@given(st.dictionaries(st.sampled_from("abc"), st.integers()), st.lists(st.text()), st.text())
def test_edits_lead_from_a_document_to_its_model(
    spent: dict[str, int], lines: list[str], draft: str
) -> None:
    log = BoardLog()
    for step, editing in enumerate([Editing(Board, log.fields), Editing(Board, log.fields)]):
        changed(editing.model, draft=draft, spent=sum(spent.values()) + step)
        editing.model.log += lines
        editing.model.facts |= {key: Fact(text=key, votes=[each]) for key, each in spent.items()}
        wanted = plain_fields(editing.model)
        log = BoardLog()
        log.append("x", editing.finish())

        assert plain_fields(model_of(Board, log.fields)) == wanted


def test_a_document_that_has_not_changed_is_made_a_model_once() -> None:
    view = StateView(Board)
    board = view.at(1, FIELDS)

    assert view.at(1, FIELDS) is board
    assert view.at(2, {**FIELDS, "spent": 4}).spent == 4


def test_a_field_that_has_not_changed_is_validated_once() -> None:
    view = StateView(Board)
    facts = view.at(1, FIELDS).facts

    assert view.at(2, {**FIELDS, "spent": 4}).facts is facts
    assert view.at(3, {**FIELDS, "facts": {}}).facts == {}


class Mood(Enum):
    """A type that JSON doesn't have."""

    CALM = "calm"
    TENSE = "tense"


class Typed(SharedState):
    """Fields of types that JSON doesn't have, and one that needs others to be computed."""

    mood: Mood = Mood.CALM
    price: Decimal = Decimal(0)
    fact: Annotated[Fact, merge.by_key] = Fact(text="")
    steps: tuple[int, ...]
    free: dict[str, Any]

    @computed_field  # type: ignore[prop-decorator]  # as pydantic's documentation says
    @property
    def double(self) -> Decimal:
        return self.price * 2


def test_fields_of_any_type_are_read_as_they_were_written() -> None:
    log, editing = BoardLog(Typed), Editing(Typed, {})
    changed(editing.model, mood=Mood.TENSE, price=Decimal("1.50"), steps=(1, 2))
    editing.model.fact.votes.append(7)
    editing.model.free["a"] = {"b": [1]}
    log.append("x", editing.finish())

    after = model_of(Typed, log.fields)

    assert (after.mood, after.double, after.steps) == (Mood.TENSE, Decimal("3.00"), (1, 2))
    assert (after.fact, after.free) == (Fact(text="", votes=[7]), {"a": {"b": [1]}})


class OlderFact(BaseModel):
    """A fact before it had votes."""

    text: str


class Older(SharedState):
    """The board of an earlier program."""

    facts: Annotated[dict[str, OlderFact], merge.by_key]
    spent: Annotated[str, merge.latest]


class Later(SharedState):
    """The board of a later program."""

    spent: Annotated[float, merge.total]
    due: date | None = None


def test_a_field_that_the_class_does_not_have_stays() -> None:
    log = BoardLog(Older)
    log.append("x", edits_between({}, Board.model_validate({"draft": "kept", "spent": 1})))
    editing = Editing(Later, log.fields)
    editing.model.due = date(2026, 1, 2)
    log.append("y", editing.finish())

    assert log.fields == {"draft": "kept", "spent": 1, "due": "2026-01-02"}


def test_what_an_older_class_does_not_know_of_a_value_stays_in_it() -> None:
    editing = Editing(Older, {"facts": {"sky": {"text": "blue", "votes": [1]}}})
    editing.model.facts["sky"].text = "red"

    assert editing.finish()["facts"].delta["new"] == {"sky": {"text": "red", "votes": [1]}}


def test_a_number_that_became_another_kind_of_number_goes_on_adding_up() -> None:
    editing = Editing(Later, {"spent": 3})
    editing.model.spent += 0.5

    assert editing.finish()["spent"] == FieldEdit("total", {"base": 3, "new": 3.5}, 0.0)


def test_a_field_of_another_type_is_read_where_that_is_possible_and_replaced_by_the_next_edit() -> (
    None
):
    editing = Editing(Later, {"spent": "3"})
    editing.model.spent += 1

    assert editing.finish()["spent"] == FieldEdit("siblings", {"base": "3", "new": 4.0}, 0.0)


def test_a_field_that_can_not_be_read_is_mended_by_assigning_it() -> None:
    editing = Editing(Later, {"spent": "much"})
    editing.model.spent = 1.0

    assert editing.finish()["spent"] == FieldEdit("siblings", {"base": "much", "new": 1.0}, 0.0)


def test_the_policies_of_several_classes_are_those_of_each() -> None:
    policies = policies_of(Board, Older)

    assert policies.find("tests.support.boards:longer") is not None
    assert policies.find("by_key") is not None


def test_two_functions_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(base: Value, mine: Value, theirs: Value) -> Value:
        return base or mine or theirs

    for name in ("__module__", "__qualname__"):
        monkeypatch.setattr(other, name, getattr(longer, name))

    class Twice(SharedState):
        title: Annotated[str, merge.by(other)]

    with pytest.raises(UsageError, match="two functions that merge are called"):
        policies_of(Board, Twice)
