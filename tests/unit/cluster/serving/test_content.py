"""The text of an answer: what is said of a task, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from cluster.kernel.events import (
    Answered,
    Clarified,
    Detail,
    Event,
    Failed,
    PlanReady,
    StepFinished,
    Thought,
    WasCancelled,
)
from cluster.kernel.feed import StepThoughts
from cluster.kernel.ids import ANSWER_STEP, PLAN_STEP, AgentId, StepId, TaskId
from cluster.kernel.vocabulary import Answer, Failure, Plan
from cluster.serving.content import (
    ANSWER_CHANGED,
    HELD_CHARS_MAX,
    TAKES_OVER_CHARS,
    AnswerText,
    Piece,
    ReasoningText,
)


def event(detail: Detail, step: str = "answer", agent: str = "manager-1") -> Event:
    """An event of a step."""
    return Event(0.1, TaskId("t"), AgentId(agent), StepId(step), detail)


def final(text: str, agent: str = "manager-1") -> Event:
    """A piece of the answer that was judged."""
    return event(Thought(text, is_final=True), agent=agent)


def told(text: AnswerText, events: Sequence[Event]) -> list[Piece]:
    """All pieces that the events make."""
    return [piece for each in events for piece in text.observe(each)]


def content(pieces: Sequence[Piece]) -> str:
    """The content that pieces join to."""
    return "".join(piece.text for piece in pieces if piece.is_content)


def reasoning(pieces: Sequence[Piece]) -> str:
    """The reasoning that pieces join to."""
    return "".join(piece.text for piece in pieces if not piece.is_content)


@given(st.text(min_size=1), st.lists(st.integers(0, 40)))
def test_content_joins_to_the_answer_wherever_it_was_cut(answer: str, cuts: list[int]) -> None:
    ends = sorted(min(cut, len(answer)) for cut in cuts)
    pieces = [answer[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    events = [*map(final, pieces), event(Answered(Answer(answer)))]

    assert content(told(AnswerText(), events)) == answer


def test_a_judged_piece_is_content_at_once() -> None:
    assert AnswerText().observe(final("Owls.")) == (Piece("Owls.", is_content=True),)


def test_a_piece_of_a_step_is_no_content_though_it_is_final_there() -> None:
    said = AnswerText().observe(event(Thought("Owls.", is_final=True), "r1", "researcher-1"))

    assert content(said) == ""


def test_an_answer_that_does_not_go_on_as_what_was_sent_is_a_failure() -> None:
    text = AnswerText()

    pieces = told(text, [final("Owls."), event(Answered(Answer("Kestrels.")))])

    assert content(pieces) == "Owls."
    assert text.failure is not None
    assert text.failure.kind == ANSWER_CHANGED


def test_what_another_writer_repeats_is_said_once() -> None:
    events = [
        final("Owls hunt. "),
        final("Owls ", "manager-2"),
        final("hunt. At ", "manager-2"),
        final("night.", "manager-2"),
        event(Answered(Answer("Owls hunt. At night."))),
    ]

    pieces = told(AnswerText(), events)

    assert content(pieces) == "Owls hunt. At night."
    assert "" not in [piece.text for piece in pieces]


def test_what_a_writer_of_a_later_term_repeats_is_said_once() -> None:
    text = AnswerText()

    pieces = [*text.observe(final("Owls."), 1), *text.observe(final("Owls. Kestrels."), 2)]

    assert content(pieces) == "Owls. Kestrels."


def test_nothing_is_sent_of_a_draft_that_is_another_one() -> None:
    text = AnswerText()

    pieces = told(text, [final("Owls."), final("Kestrels.", "manager-2")])

    assert content(pieces) == "Owls."


def test_a_question_to_the_user_is_content() -> None:
    assert content(AnswerText().observe(event(Clarified("Which?")))) == "Which?"


def test_a_failed_task_says_why() -> None:
    text = AnswerText()
    failure = Failure("model", "it broke")

    assert text.observe(event(Failed(failure))) == ()
    assert text.failure == failure


def test_a_cancelled_task_says_why() -> None:
    text = AnswerText()

    text.observe(event(WasCancelled("enough")))

    assert text.failure == Failure("cancelled", "enough")


def test_thoughts_that_follow_content_come_after_the_answer() -> None:
    events = [
        event(Thought("first"), "r1", "researcher-1"),
        final("Owls"),
        event(Thought("a draft")),
        event(Answered(Answer("Owls hunt."))),
    ]

    pieces = told(AnswerText(), events)

    assert [piece.is_content for piece in pieces] == [False, True, True, False]
    assert "a draft" in pieces[-1].text


def test_what_is_held_is_bounded() -> None:
    text = AnswerText()
    told(text, [final("Owls"), *[event(Thought("x" * 50_000)) for _ in range(6)]])

    pieces = text.observe(event(Answered(Answer("Owls"))))

    assert len(reasoning(pieces)) == HELD_CHARS_MAX


def test_each_step_thinks_under_its_own_heading() -> None:
    text = ReasoningText()

    said = text.think(event(Thought("hm"), "r1", "researcher-1"), "hm")
    said += text.end_step(StepId("r1"))
    said += text.think(event(Thought("aha"), "c1", "coder-1"), "aha")

    assert said == "**researcher-1, r1**\n\nhm\n\n**coder-1, c1**\n\naha"


def test_a_step_waits_until_who_speaks_has_ended() -> None:
    text = ReasoningText()
    one, other = event(Thought(""), "r1", "researcher-1"), event(Thought(""), "r2", "researcher-2")

    said = [
        text.think(one, "one "),
        text.think(other, "other "),
        text.think(one, "goes on"),
        text.end_step(StepId("r1")),
    ]

    assert said[1:] == ["", "goes on", "\n\n**researcher-2, r2**\n\nother "]


def test_a_step_with_much_to_say_takes_over() -> None:
    text = ReasoningText()
    text.think(event(Thought(""), "r1", "researcher-1"), "one ")

    said = text.think(event(Thought(""), "r2", "researcher-2"), "x" * TAKES_OVER_CHARS)

    assert said.endswith("x" * TAKES_OVER_CHARS)


def test_no_thought_is_lost_where_the_task_ends_while_one_waits() -> None:
    events = [
        event(Thought("one"), "r1", "researcher-1"),
        event(Thought("other"), "r2", "researcher-2"),
        event(Answered(Answer("Owls."))),
    ]

    assert "other" in reasoning(told(AnswerText(), events))


def test_the_plan_has_ended_when_it_is_ready() -> None:
    events = [
        event(Thought("plan"), PLAN_STEP),
        event(Thought("hm"), "r1", "researcher-1"),
        event(PlanReady(Plan()), ""),
    ]

    assert "hm" in reasoning(told(AnswerText(), events))


def test_a_step_that_ends_lets_the_next_one_speak() -> None:
    events = [
        event(Thought("one"), "r1", "researcher-1"),
        event(Thought("other"), "r2", "researcher-2"),
        event(StepFinished("finished"), "r1", "researcher-1"),
    ]

    assert reasoning(told(AnswerText(), events)).endswith("other")


def test_the_end_of_a_step_that_waits_changes_nothing() -> None:
    text = ReasoningText()
    text.think(event(Thought(""), "r1", "researcher-1"), "one")

    assert text.end_step(ANSWER_STEP) == ""


def test_thoughts_of_a_record_have_headings_too() -> None:
    text = ReasoningText()

    said = [text.whole(StepThoughts(step, "coder-1", "hm")) for step in ("c1", "c2")]

    assert said == ["**coder-1, c1**\n\nhm", "\n\n**coder-1, c2**\n\nhm"]
