"""What a Researcher searches for."""

from __future__ import annotations

from agents.ground import queries_of
from cluster.kernel.conversation import ChatMessage
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Assignment

BEFORE = (
    ChatMessage("user", "Tell me about the Zephyr cache."),
    ChatMessage("assistant", "It holds entries [1]."),
)


def test_what_a_user_asks_is_searched_for_with_what_was_asked_before() -> None:
    asked = "How large is it?"

    queries = queries_of(Assignment(StepId("r1"), asked, asked, conversation=BEFORE))

    assert queries == [asked, f"Tell me about the Zephyr cache. {asked}"]


def test_what_a_manager_has_written_is_searched_for_as_it_is() -> None:
    assignment = Assignment(
        StepId("r1"), "How large is the Zephyr cache?", "How large is it?", conversation=BEFORE
    )

    assert queries_of(assignment) == ["How large is the Zephyr cache?", "How large is it?"]
