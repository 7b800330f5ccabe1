"""A dict of a document is a dict of its values, whichever way it is read, and knows its changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy, deepcopy
from typing import Annotated, Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from cluster.kernel.errors import StateInvalid
from cluster.kernel.state.values import Value
from cluster.state import SharedState, merge
from cluster.state.editing import Editing, model_of
from cluster.state.entries import Entries, EntrySource
from cluster.state.shared_state import fields_of
from tests.support.boards import Board, Fact

PLAIN: dict[str, Value] = {key: {"text": key, "votes": []} for key in "abc"}
FACTS = {key: Fact(text=key) for key in "abc"}


class Numbered(BaseModel):
    """Gets a number of its own where it has none."""

    text: str = ""
    number: str = Field(default_factory=lambda: str(uuid4()))


class Register(SharedState):
    """Holds what is numbered, and plain numbers."""

    entries: Annotated[dict[str, Numbered], merge.by_key]
    counts: Annotated[dict[str, int], merge.by_key]


def entries() -> Entries:
    return Entries(EntrySource(fields_of(Board)["facts"], PLAIN, is_open=True))


@pytest.mark.parametrize(
    "read",
    [
        dict,
        lambda facts: {**facts},
        lambda facts: {key: facts[key] for key in facts},
        lambda facts: {key: facts.get(key) for key in facts},
        lambda facts: dict(zip(facts, facts.values(), strict=True)),
        lambda facts: dict(facts.items()),
        lambda facts: facts | {},
        lambda facts: {} | facts,
        lambda facts: facts.copy(),
        copy,
        deepcopy,
        lambda facts: {key: facts.pop(key) for key in "abc"},
        lambda facts: dict(reversed([facts.popitem() for _ in "abc"])),
        lambda facts: {key: facts.setdefault(key, None) for key in "abc"},
    ],
)
def test_it_is_a_dict_of_values_whichever_way_it_is_read(
    read: Callable[[Any], dict[str, Fact]],
) -> None:
    assert read(entries()) == FACTS


def test_it_equals_a_dict_of_the_same_values_and_looks_like_one() -> None:
    assert entries() == FACTS
    assert entries() != {}
    assert repr(entries()) == repr(FACTS)


def test_it_is_written_by_pydantic_and_json_as_a_dict() -> None:
    board = model_of(Board, {"facts": dict(PLAIN)})
    counts = model_of(Register, {"counts": {"a": 1}}).counts

    assert board.model_dump()["facts"] == PLAIN
    assert json.loads(board.model_dump_json())["facts"] == PLAIN
    assert json.dumps(counts) == '{"a": 1}'


def test_what_is_not_there_is_missing_as_in_a_dict() -> None:
    facts = entries()

    with pytest.raises(KeyError):
        _ = facts["z"]
    with pytest.raises(KeyError):
        facts.pop("z")
    assert (facts.pop("z", None), facts.get("z"), facts.setdefault("z", 1)) == (None, None, 1)


def test_an_entry_that_was_read_is_the_same_object_the_next_time() -> None:
    facts = entries()

    assert facts["a"] is facts["a"] is facts.get("a") is next(iter(facts.values()))


def test_an_entry_that_was_not_changed_is_the_document_s_own() -> None:
    facts = entries()
    facts["a"].votes.append(1)
    _ = facts["b"]

    written = facts.written()

    assert written["a"] == {"text": "a", "votes": [1]}
    assert written["b"] is PLAIN["b"]
    assert written["c"] is PLAIN["c"]


def test_an_entry_that_is_of_no_use_hurts_only_who_reads_it() -> None:
    editing = Editing(Board, {"facts": {"a": {"text": 1}, "b": {"text": "b"}}})

    assert editing.model.facts["b"].text == "b"
    editing.model.facts["c"] = Fact(text="c")
    with pytest.raises(StateInvalid, match=r"Board\.facts can't be read: at a\.text"):
        _ = editing.model.facts["a"]
    assert editing.finish()["facts"].delta["new"] == {"c": {"text": "c", "votes": []}}


def test_an_entry_may_be_mended_by_replacing_it() -> None:
    editing = Editing(Board, {"facts": {"a": {"text": 1}}})
    editing.model.facts["a"] = Fact(text="a")

    assert editing.finish()["facts"].delta["new"] == {"a": {"text": "a", "votes": []}}


@pytest.mark.parametrize(("key", "value"), [(3, Fact(text="x")), ("x", 3), ("x", {"text": "x"})])
def test_what_a_dict_must_not_hold_is_found_when_it_is_written(key: Any, value: Any) -> None:
    facts = entries()
    facts[key] = value

    with pytest.raises(StateInvalid, match=r"Board\.facts can't be written"):
        facts.written()


def test_an_entry_that_has_become_invalid_in_place_is_refused() -> None:
    editing = Editing(Board, {"facts": PLAIN})
    editing.model.facts["b"].text = 3  # type: ignore[assignment]  # a program's error
    with pytest.raises(StateInvalid):
        editing.finish()


def test_what_a_class_adds_to_an_entry_by_itself_is_no_edit() -> None:
    editing = Editing(Register, {"entries": {"a": {"text": "a"}, "b": {"text": "b"}}})
    assert len(editing.model.entries.values()) == 2

    assert editing.finish() == {}


def test_a_dict_may_be_assigned_to_itself() -> None:
    editing = Editing(Board, {"facts": PLAIN})
    editing.model.facts |= {"d": Fact(text="d")}

    assert editing.finish()["facts"].delta == {
        "base": {},
        "new": {"d": {"text": "d", "votes": []}},
    }


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["set", "del", "vote", "read", "update", "merge", "clear"]),
        st.sampled_from("abd"),
    )
)


@given(ACTIONS)
def test_whatever_is_done_to_it_is_what_would_be_done_to_a_dict(
    actions: list[tuple[str, str]],
) -> None:
    facts: dict[str, Fact] = entries()
    model = deepcopy(FACTS)
    for each in (facts, model):
        for number, (action, key) in enumerate(actions):
            if action == "set":
                each[key] = Fact(text=str(number))
            elif action == "update":
                each.update({key: Fact(text=str(number))})
            elif action == "merge":
                each |= [(key, Fact(text=str(number)))]
            elif action == "clear":
                each.clear()
            elif action == "del":
                each.pop(key, None)
            elif key in each and action == "vote":
                each[key].votes.append(number)
            else:
                each.get(key)

    assert isinstance(facts, Entries)
    assert facts.written() == {key: fact.model_dump() for key, fact in model.items()}
    assert facts == model
