"""Fitting: what goes first, what stays, and that nothing is changed where all of it fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models.context import (
    answer_tokens,
    fitted,
    least_size_of,
    shared_size,
    size_of,
)
from agents.models.port import Message, PromptPart
from agents.prompts import research_prompt
from cluster.kernel.vocabulary import Passage

SYSTEM = Message("system", "You are the Researcher.")
QUESTION = "Which load does the crane lift?"
PASSAGES = [Passage(f"{at}.md", 1, 9, f"passage {at} " * 40) for at in range(1, 5)]

parts = st.builds(
    PromptPart,
    st.text(max_size=40),
    st.integers(0, 4),
    st.sampled_from(["passages", "quotes"]),
    may_be_cut=st.booleans(),
)
prompts = st.lists(
    st.one_of(
        st.builds(Message, st.just("system"), st.text(max_size=20)),
        st.builds(Message.of, st.just("user"), st.lists(parts, min_size=1, max_size=8)),
    ),
    min_size=1,
    max_size=4,
).map(tuple)


def asked(passages: int) -> tuple[Message, ...]:
    return (SYSTEM, research_prompt(QUESTION, QUESTION, PASSAGES[:passages]))


@given(prompts, st.integers(0, 400))
def test_a_prompt_is_never_longer_than_there_is_room_beside_what_has_to_stay(
    messages: tuple[Message, ...], bytes_max: int
) -> None:
    fitting = fitted(messages, bytes_max)

    size = size_of(fitting.messages)
    assert size <= max(bytes_max, least_size_of(messages))


@given(prompts, st.integers(0, 400))
def test_what_has_to_stay_stays_and_all_is_in_its_order(
    messages: tuple[Message, ...], bytes_max: int
) -> None:
    fitting = fitted(messages, bytes_max)

    assert [each.role for each in fitting.messages] == [each.role for each in messages]
    for message, rest in zip(messages, fitting.messages, strict=True):
        assert len(message.parts) == len(rest.parts)
        for part, left in zip(message.parts, rest.parts, strict=True):
            assert left.text == part.text if not part.rank else part.text.startswith(left.text)
            assert part.may_be_cut or left.text in {"", part.text}
        if not message.parts:
            assert rest == message


@given(prompts, st.integers(0, 400))
def test_nothing_is_touched_before_all_of_a_higher_rank_is_gone(
    messages: tuple[Message, ...], bytes_max: int
) -> None:
    fitting = fitted(messages, bytes_max)

    pairs = [
        (part.rank, left.text, part.text)
        for message, rest in zip(messages, fitting.messages, strict=True)
        for part, left in zip(message.parts, rest.parts, strict=True)
    ]
    best_touched = min((rank for rank, left, text in pairs if left != text), default=9)
    assert [left for rank, left, _ in pairs if rank > best_touched and left] == []


@given(prompts)
def test_a_prompt_that_fits_is_the_same_object(messages: tuple[Message, ...]) -> None:
    fitting = fitted(messages, size_of(messages))

    assert fitting.messages is messages
    assert not fitting.left_out


def test_the_passages_of_the_lowest_rank_go_first_and_the_others_keep_their_numbers() -> None:
    messages = asked(4)

    fitting = fitted(messages, size_of(asked(3)))

    assert fitting.messages[1].text == asked(3)[1].text
    assert fitting.left_out == "1 of 4 passages"


def test_the_best_passage_is_cut_behind_a_word_and_never_the_question() -> None:
    messages = asked(2)

    fitting = fitted(messages, least_size_of(messages) + 55)

    text = fitting.messages[1].text
    assert "[1] 1.md, lines 1-9\npassage 1 passage 1 passage 1 passage 1 passage 1\n</pass" in text
    assert "[2]" not in text
    assert text.endswith(f"Question: {QUESTION}")
    assert fitting.left_out == "1 of 2 passages, the ends of 1 of 2 passages"


def test_parts_of_one_rank_are_cut_to_one_size() -> None:
    results = [PromptPart(letter * size, 1, "results", may_be_cut=True) for letter, size in SIZES]

    fitting = fitted((Message.of("user", results),), 40)

    assert fitting.messages[0].text == "a" * 8 + "b" * 16 + "c" * 16
    assert fitting.left_out == "the ends of 2 of 3 results"


SIZES = (("a", 8), ("b", 60), ("c", 30))


def test_a_text_without_blanks_is_cut_where_there_is_no_more_room() -> None:
    part = PromptPart("第一章 " + "字" * 2_000, 1, "results", may_be_cut=True)

    fitting = fitted((Message.of("user", [part]),), 3_000)

    assert 2_990 < size_of(fitting.messages) <= 3_000


def test_half_a_surrogate_pair_of_a_model_is_text_like_any_other() -> None:
    part = PromptPart("\ud83d" * 10, 1, "results", may_be_cut=True)

    assert size_of(fitted((Message.of("user", [part]),), 8).messages) <= 8


@pytest.mark.parametrize(("tokens_max", "kept"), [(900, 900), (1_800, 1_024), (None, 1_024)])
def test_an_answer_has_half_of_the_window_at_the_most(tokens_max: int | None, kept: int) -> None:
    assert answer_tokens(2_048, tokens_max) == kept


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_prompts_share_what_they_begin_with(head: str, one: str, other: str) -> None:
    first = (SYSTEM, Message("user", f"{head}1{one}"))
    second = (SYSTEM, Message("user", f"{head}2{other}"))

    size = size_of((SYSTEM, Message("user", head)))
    assert shared_size(first, second) == size
    assert shared_size(first, first) == size_of(first)
    assert shared_size(first, (Message("user", head),)) == 0
