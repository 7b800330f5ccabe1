"""Which classes can be shared, and how their fields begin."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

import pytest
from pydantic import BaseModel, Field, create_model, model_validator

from cluster.kernel.errors import StateInvalid, UsageError
from cluster.state import SharedState, merge
from cluster.state.shared_state import fields_of
from tests.support.boards import Board, Fact


def of_one_field(annotation: Any, default: Any = ...) -> type[SharedState]:
    """A class with one field, `it`."""
    fields: Mapping[str, Any] = {"it": (annotation, default)}
    return create_model("Note", __base__=SharedState, **fields)


class Holder(BaseModel):
    """A model with what has no order, inside."""

    names: set[str] = set()


class Aliased(BaseModel):
    """A model that others call by other names."""

    due: str = Field(alias="dueDate")


def unwritable(name: str, value: object) -> str:
    """What is said of a value that a field can't have."""
    with pytest.raises(StateInvalid) as refused:
        fields_of(Board)[name].written(value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("verdict", 5, "Board.verdict can't be written: Input should be a valid string"),
        ("log", ["a", 5], "Board.log can't be written: at 1: Input should be a valid string"),
        ("log", [object()], "Board.log can't be written: at 0: Input should be a valid string"),
        (
            "facts",
            {"x": Fact.model_construct(text=5)},
            "Board.facts can't be written: text should be str, and 5 is int",
        ),
        ("spent", "5", "Board.spent can't be written: spent should be int, and '5' is str"),
    ],
)
def test_what_can_not_be_written_is_said_in_plain_words(
    name: str, value: object, said: str
) -> None:
    assert unwritable(name, value) == said


def test_a_class_says_of_each_field_how_it_merges() -> None:
    rules = {name: field.rule.name for name, field in fields_of(Board).items()}

    assert rules["facts"] == "by_key"
    assert rules["title"] == "tests.support.boards:longer"


def test_a_field_that_says_nothing_loses_nothing() -> None:
    assert fields_of(Board)["note"].rule == merge.siblings


def test_a_field_without_a_default_begins_empty() -> None:
    defaults = {name: field.default for name, field in fields_of(Board).items()}

    assert defaults == {
        **dict.fromkeys(["draft", "status", "title", "note"], ""),
        **dict.fromkeys(["best", "verdict"]),
        "facts": {},
        "tags": [],
        "log": [],
        "spent": 0,
    }


def test_a_default_is_the_plain_value_of_what_the_class_declares() -> None:
    fields = fields_of(of_one_field(datetime, datetime(2026, 1, 2, tzinfo=UTC)))

    assert fields["it"].default == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("annotation", "rule"),
    [
        (list[int], merge.by_key),
        (dict[str, int], merge.union),
        (str, merge.append),
        (int, merge.text),
        (str, merge.total),
        (bool, merge.maximum),
        (int | str, merge.total),
    ],
)
def test_a_rule_that_does_not_fit_its_type_is_refused(
    annotation: Any, rule: merge.MergeRule
) -> None:
    with pytest.raises(UsageError, match=rf"Note\.it can't merge by {rule.name}: that is for a"):
        of_one_field(Annotated[annotation, rule])


@pytest.mark.parametrize(
    ("annotation", "rule"),
    [
        (Fact | None, merge.by_key),
        (set[str] | None, merge.union),
        (float | None, merge.total),
        (Any, merge.by_key),
    ],
)
def test_a_rule_that_may_fit_its_type_is_taken(annotation: Any, rule: merge.MergeRule) -> None:
    assert fields_of(of_one_field(Annotated[annotation, rule], None))["it"].rule == rule


def test_a_field_merges_in_one_way() -> None:
    with pytest.raises(UsageError, match="says twice how it merges"):
        of_one_field(Annotated[int, merge.total, merge.latest])


def test_a_rule_within_a_type_is_refused_since_it_would_not_be_seen() -> None:
    with pytest.raises(UsageError, match="put Annotated around it all"):
        of_one_field(Annotated[int, merge.total] | None)


def test_a_field_has_one_name() -> None:
    with pytest.raises(UsageError, match=r"Note\.it has an alias"):
        of_one_field(int, Field(alias="that"))


def test_a_model_within_a_field_may_have_aliases() -> None:
    field = fields_of(of_one_field(dict[str, Aliased]))["it"]

    assert field.seen({"a": {"due": "now"}}) == {"a": {"due": "now"}}


def test_a_field_that_can_begin_as_nothing_needs_a_default() -> None:
    with pytest.raises(UsageError, match=r"Note\.it has no default .* give it one"):
        of_one_field(Literal["open", "done"])


@pytest.mark.parametrize(
    ("default", "why"),
    [
        (Field(default_factory=uuid4), "another value each time"),
        (float("inf"), "no such number"),
        (Field(default=1.0, exclude=True), "left out"),
        (Field(default=1.0, frozen=True), "frozen"),
    ],
)
def test_a_default_that_others_would_not_see_is_refused(default: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        of_one_field(Any, default)


def test_a_set_within_a_value_is_refused_since_it_has_no_order_to_share() -> None:
    with pytest.raises(UsageError, match="use lists there"):
        of_one_field(dict[str, Holder])


def test_a_class_that_validates_itself_as_a_whole_is_refused() -> None:
    with pytest.raises(UsageError, match="validates the whole model"):

        class Whole(SharedState):
            low: int

            @model_validator(mode="after")
            def check(self) -> Whole:
                return self


def test_a_set_is_written_in_one_order_everywhere() -> None:
    assert fields_of(Board)["tags"].written({"b", "c", "a"}) == ["a", "b", "c"]


def test_a_value_that_the_type_refuses_is_named_with_its_place_and_the_reason() -> None:
    with pytest.raises(StateInvalid, match=r"Board\.facts can't be read: at x\.text: .* string"):
        fields_of(Board)["facts"].read({"x": {"text": 3}})


def test_a_value_read_shares_nothing_with_the_document_that_could_be_changed() -> None:
    field = fields_of(of_one_field(dict[str, Any]))["it"]
    plain: Any = {"a": [1]}

    field.read(plain)["a"].append(2)

    assert plain == {"a": [1]}
