"""What a feed is given: thoughts in pieces, facts in order, each with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kernel.events import Detail, Event, FellBack, StepStarted, Thought, WasCancelled
from cluster.kernel.feed import Cursor
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks import feed_batches
from cluster.kernel.tasks.feed_batches import BATCH_MAX, HELD_S, THOUGHT_CHARS_MAX, FeedBatches

TASK = TaskId("0" * 32)


def event(detail: Detail, step: str = "a", index: int = 0, agent: str = "researcher-0") -> Event:
    return Event(1.0, TASK, AgentId(agent), StepId(step), detail, index)


def thought(text: str, step: str = "a", **said: bool) -> Event:
    return event(Thought(text, **said), step)


def texts(events: tuple[Event, ...]) -> list[str]:
    return [each.detail.text for each in events if isinstance(each.detail, Thought)]


def test_thoughts_of_a_step_are_one_entry_that_is_held_back_for_a_while() -> None:
    batches = FeedBatches(3)
    batches.add(thought("one "), 10.01)
    batches.add(thought("two"), 10.05)

    assert batches.take(10.09) is None
    batch = batches.take(10.01 + HELD_S)

    assert batch is not None
    assert batch.first == Cursor(3, 1)
    assert batch.events == (thought("one two"),)
    assert batches.due_at() is None


def test_what_several_tasks_think_is_due_at_the_same_moment() -> None:
    one, other = FeedBatches(1), FeedBatches(1)
    one.add(thought("a"), 10.01)
    other.add(thought("b"), 10.07)

    assert one.due_at() == other.due_at() == pytest.approx(10.1)


def test_steps_that_think_at_once_have_an_entry_each() -> None:
    batches = FeedBatches(1)
    for text, step in (("a", "a"), ("x", "b"), ("b", "a"), ("y", "b")):
        batches.add(thought(text, step), 0.0)

    batch = batches.take(1.0)

    assert batch is not None
    assert batch.events == (thought("ab"), thought("xy", "b"))


def test_what_is_said_otherwise_or_by_another_or_after_a_fact_is_another_entry() -> None:
    batches = FeedBatches(1)
    batches.add(thought("a"), 0.0)
    batches.add(thought("b", is_reasoning=True), 0.0)
    batches.add(thought("c", is_final=True), 0.0)
    batches.add(event(Thought("d", is_final=True), agent="researcher-1"), 0.0)
    batches.add(event(FellBack("model", "away")), 0.0)
    batches.add(event(Thought("e", is_final=True), agent="researcher-1"), 0.0)

    batch = batches.take(1.0)

    assert batch is not None
    assert texts(batch.events) == ["a", "b", "c", "d", "e"]
    assert [each.kind for each in batch.events][4] == "fell_back"


def test_a_batch_says_how_much_of_the_journal_is_in_the_feed_by_then() -> None:
    batches = FeedBatches(2, index=4)
    batches.add(thought("first"), 0.0)
    first = batches.take(1.0)
    for index in range(5, 5 + BATCH_MAX + 1):
        batches.add(event(StepStarted(), index=index), 1.0)
    second, third = batches.take(1.0), batches.take(1.0 + HELD_S)

    assert first is not None
    assert second is not None
    assert third is not None
    assert [each.index for each in (first, second, third)] == [4, 4 + BATCH_MAX, 5 + BATCH_MAX]
    assert [each.first.number for each in (first, second, third)] == [1, 2, 2 + BATCH_MAX]


def test_the_end_is_handed_out_at_once_and_nothing_follows_it() -> None:
    batches = FeedBatches(1)
    batches.add(thought("so"), 5.0)
    batches.add(event(WasCancelled(), "", 2), 5.0)
    batches.add(thought("too late"), 5.0)

    batch = batches.take(5.0)

    assert batch is not None
    assert batch.is_final
    assert [each.kind for each in batch.events] == ["thought", "cancelled"]
    assert batches.take(99.0) is None


def test_a_thought_that_was_handed_out_grows_no_more() -> None:
    batches = FeedBatches(1)
    batches.add(thought("one"), 0.0)
    first = batches.take(1.0)
    batches.add(thought("two"), 1.0)
    second = batches.take(2.0)

    assert first is not None
    assert second is not None
    assert texts(first.events) + texts(second.events) == ["one", "two"]


def test_thoughts_are_dropped_where_too_many_wait_and_facts_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_batches, "WAITING_CHARS_MAX", 10)
    batches = FeedBatches(1)
    batches.add(thought("12345678"), 0.0)
    batches.add(thought("90ab"), 0.0)
    batches.add(event(StepStarted(), index=1), 0.0)

    batch = batches.take(1.0)
    batches.add(thought("cd"), 1.0)
    later = batches.take(2.0)

    assert batch is not None
    assert later is not None
    assert texts(batch.events) == ["12345678"]
    assert batch.events[-1].index == 1
    assert texts(later.events) == ["cd"]


def test_of_judged_text_a_piece_that_was_dropped_takes_all_that_follows_along() -> None:
    batches = FeedBatches(1)
    batches.add(thought("The sea ", is_final=True), 0.0)
    batches.add(event(StepStarted(), index=1), 0.0)
    batches.drop_thoughts()
    batches.add(thought("is blue.", is_final=True), 0.0)
    batches.add(thought("hm"), 0.0)

    batch = batches.take(1.0)

    assert batch is not None
    assert texts(batch.events) == ["hm"]


@given(factor=st.integers(1, 1000), pieces=st.lists(st.text(max_size=50), max_size=8))
def test_no_text_is_lost_and_no_entry_too_long(factor: int, pieces: list[str]) -> None:
    batches = FeedBatches(1)
    pieces = [piece * factor for piece in pieces]
    for piece in pieces:
        batches.add(thought(piece), 0.0)

    said: list[str] = []
    while (batch := batches.take(1.0)) is not None:
        said += texts(batch.events)

    assert "".join(said) == "".join(pieces)
    assert max(map(len, said), default=0) <= THOUGHT_CHARS_MAX
