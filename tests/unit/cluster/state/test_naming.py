"""What documents are called, and whose they are."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.ids import TaskId
from cluster.kernel.reads import class_of
from cluster.state import SharedState
from cluster.state.naming import document_name

TASK = TaskId("t1")


class Board(SharedState):
    facts: list[str]


class Prices(SharedState, scope="cluster", ttl_s=60.0):
    known: dict[str, int]


class Quotes(Prices):
    """Of the same scope and life as what it is made of."""


def test_a_document_of_a_task_has_its_name() -> None:
    assert document_name(Board, task=TASK) == "task/t1/Board"
    assert document_name(Board, "north", TASK) == "task/t1/Board/north"


def test_a_document_of_the_cluster_is_the_same_for_every_task() -> None:
    assert document_name(Prices, task=TASK) == document_name(Prices) == "cluster/Prices"
    assert document_name(Quotes, "eur") == "cluster/Quotes/eur"
    assert Quotes.__shared_ttl_s__ == 60.0


def test_a_scope_may_be_said_where_it_is_used() -> None:
    assert document_name(Board, scope="cluster") == "cluster/Board"
    assert document_name(Prices, task=TASK, scope="task") == "task/t1/Prices"


def test_the_name_says_the_class() -> None:
    names = [document_name(Board, "k", TASK), document_name(Prices), document_name(Prices, "k")]
    assert [class_of(name) for name in names] == ["Board", "Prices", "Prices"]


@pytest.mark.parametrize("key", ["a/b", 5, 0, None])
def test_what_is_no_key_is_refused(key: Any) -> None:
    with pytest.raises(UsageError, match="a key of shared state"):
        document_name(Board, key, TASK)


def test_where_there_is_no_task_its_documents_are_refused() -> None:
    with pytest.raises(UsageError, match="Board is shared within a task"):
        document_name(Board)


@pytest.mark.parametrize("of", [dict, "Board", Board(facts=[])])
def test_what_is_no_shared_state_is_refused(of: Any) -> None:
    with pytest.raises(UsageError, match="a subclass of SharedState"):
        document_name(of, task=TASK)


def test_another_scope_is_refused() -> None:
    with pytest.raises(UsageError, match="task, cluster, not 'world'"):
        document_name(Board, scope="world")
    with pytest.raises(UsageError, match="task, cluster, not 'world'"):
        type("Odd", (SharedState,), {}, scope="world")


def test_a_life_is_longer_than_nothing() -> None:
    with pytest.raises(UsageError, match=r"Odd\.ttl_s must be over 0 s"):
        type("Odd", (SharedState,), {}, ttl_s=0.0)
