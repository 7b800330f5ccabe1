"""A model of shared state is a pydantic model as any other, and reads its fields when asked."""

from __future__ import annotations

from copy import copy, deepcopy
from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from cluster.kernel.errors import StateInvalid, UsageError
from cluster.kernel.state.values import Value
from cluster.state import SharedState, merge
from cluster.state.editing import Editing, model_of
from cluster.state.shared_state import fields_of
from tests.support.boards import Board, Fact, changed

FIELDS: dict[str, Value] = {"facts": {"sky": {"text": "blue"}}, "spent": 3, "tags": ["b", "a"]}


class Parent(SharedState):
    """Names a class that comes after it."""

    child: Annotated[Child | None, merge.latest]


class Child(BaseModel):
    """What was not there yet."""

    name: str = ""


class Page(BaseModel):
    """Holds a board as a part."""

    board: Board


def test_a_model_has_the_fields_of_its_document_and_defaults_for_the_others() -> None:
    board = model_of(Board, FIELDS)

    assert (board.facts, board.spent) == ({"sky": Fact(text="blue")}, 3)
    assert (board.tags, board.draft, board.best) == ({"a", "b"}, "", None)


def test_a_model_of_a_document_equals_one_that_a_program_makes() -> None:
    made = Board.model_validate(
        {"facts": {"sky": Fact(text="blue")}, "spent": 3, "tags": ["a", "b"]}
    )

    assert model_of(Board, FIELDS) == made
    assert copy(model_of(Board, FIELDS)) == deepcopy(model_of(Board, FIELDS)) == made


def test_a_model_is_written_whole_wherever_pydantic_writes_it() -> None:
    whole = Board.model_validate({"spent": 3}).model_dump()

    assert model_of(Board, {"spent": 3}).model_dump() == whole
    assert Page(board=model_of(Board, {"spent": 3})).model_dump() == {"board": whole}
    assert dict(model_of(Board, {"spent": 3})) == whole


def test_a_model_shows_all_its_fields_even_where_one_is_of_no_use() -> None:
    shown = repr(model_of(Board, {"spent": "much", "note": "n"}))

    assert "note='n'" in shown
    assert "Board.spent can't be read" in shown


def test_a_field_that_is_of_no_use_hurts_only_who_reads_it() -> None:
    board = model_of(Board, {"spent": "much", "note": "n"})

    assert board.note == "n"
    with pytest.raises(StateInvalid, match=r"Board\.spent can't be read"):
        _ = board.spent


def test_what_is_only_shown_can_not_be_assigned() -> None:
    with pytest.raises(UsageError, match="only shown here"):
        model_of(Board, FIELDS).spent = 4


def test_a_value_of_another_type_is_refused_where_it_is_assigned() -> None:
    with pytest.raises(StateInvalid, match=r"Board\.spent can't be this: .* valid integer"):
        changed(Editing(Board, FIELDS).model, spent="much")


def test_a_model_of_the_program_itself_fails_as_pydantic_does() -> None:
    with pytest.raises(ValidationError, match="valid integer"):
        changed(Board.model_validate({}), spent="much")


def test_a_class_names_its_fields() -> None:
    assert str(Board.facts) == "Board.facts"
    with pytest.raises(AttributeError):
        _ = Board.nothing  # type: ignore[attr-defined]  # that is what is asked


def test_a_class_may_name_what_comes_after_it() -> None:
    assert model_of(Parent, {"child": {"name": "c"}}).child == Child(name="c")


def test_a_subclass_has_the_fields_of_its_parent() -> None:
    class Larger(Board):
        more: Annotated[int, merge.total] = 7

    assert (model_of(Larger, FIELDS).spent, model_of(Larger, FIELDS).more) == (3, 7)


def test_a_subclass_may_say_anew_what_a_field_is() -> None:
    with pytest.warns(UserWarning, match="shadows"):

        class Other(Board):
            spent: Annotated[int, merge.maximum]

    assert (str(Other.spent), model_of(Other, FIELDS).spent) == ("Other.spent", 3)
    assert (str(Board.spent), fields_of(Other)["spent"].rule) == ("Board.spent", merge.maximum)


def test_a_class_describes_itself_in_json_schema() -> None:
    schema = Board.model_json_schema(mode="serialization")

    assert schema["properties"].keys() == Board.model_fields.keys()
