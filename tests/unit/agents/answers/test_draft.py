"""An answer judged while it is written is the same, and what is shown of it stands in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.answers.composition import Grounds, composed
from agents.answers.draft import AnswerDraft
from agents.answers.outcomes import Outcomes, outcomes_of
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import ComposeRequest, Plan, Step, StepResult
from tests.unit.agents.answers.test_composition import (
    AUTHOR,
    FINDING,
    OWN,
    PROGRAM,
    QUESTION,
    SHOWN,
    outcomes,
)
from tests.unit.agents.languages.test_levels import TASKS, finding_of

QUOTED = "The Zephyr cache holds 512 entries [1]."
SIZE_AND_AUTHOR = outcomes(r1=FINDING, r2=AUTHOR)
MODES = [(False, False), (False, True), (True, False)]
"""Whether it is strict, and whether it may turn so."""


def draft_of(
    results: Outcomes, goal: str = QUESTION, *, is_strict: bool = False, may_turn: bool = False
) -> AnswerDraft:
    lay_out = partial(Grounds, goal, results)
    return AnswerDraft(lay_out, is_strict=is_strict, may_turn_strict=may_turn)


def shown_of(draft: AnswerDraft, text: str, step: int = 1) -> list[str]:
    """Read a text as it grows, and return what was shown of it."""
    read = (draft.read(text[:at]) for at in range(0, len(text) + 1, step))
    return [new for new in read if new]


def recorded() -> Iterator[tuple[str, str, Outcomes]]:
    for key, task in TASKS.items():
        plan = Plan((Step(StepId("r1"), "researcher", task.goal),))
        result = StepResult(StepId("r1"), "researcher", finding_of(key))
        yield task.answer.reply, task.goal, outcomes_of(ComposeRequest(task.goal, plan, (result,)))


def check(text: str, goal: str, results: Outcomes, mode: tuple[bool, bool], step: int) -> str:
    """Check a draft against judging its text as a whole; return what was shown early."""
    is_strict, may_turn = mode
    draft = draft_of(results, goal, is_strict=is_strict, may_turn=may_turn)
    shown = "".join(shown_of(draft, text, step))
    answer = draft.answer(text)
    whole = composed(text, goal, results, is_strict=is_strict, may_turn_strict=may_turn)
    assert answer == whole
    assert shown == draft.shown
    assert shown in (answer.text if answer else "")
    return shown


@pytest.mark.parametrize("mode", MODES)
def test_recorded_answers_are_the_same_judged_as_they_come(mode: tuple[bool, bool]) -> None:
    shown = [check(*each, mode, step=7) for each in recorded()]

    assert sum(map(bool, shown)) >= len(shown) / 3


def test_a_sentence_is_shown_once_the_next_one_has_begun() -> None:
    draft = draft_of(SIZE_AND_AUTHOR)

    assert draft.read(f"{QUOTED} ") == ""
    assert draft.read(f"{QUOTED} Ada Byron wrote") == QUOTED
    assert draft.read(f"{QUOTED} Ada Byron wrote the Zephyr") == ""


def test_a_heading_is_shown_with_what_stands_below_it() -> None:
    draft = draft_of(SIZE_AND_AUTHOR)

    assert draft.read("# Size\n\nThe Zephyr cache") == ""
    assert draft.read(f"# Size\n\n{QUOTED}\n\nAda Byron wrote it") == f"# Size\n\n{QUOTED}"


def test_what_no_source_says_waits_where_the_text_may_turn_strict() -> None:
    text = f"{QUOTED} Few users ever complain. Ada Byron wrote the Zephyr cache in 2019 [2]. And so"

    marked = shown_of(draft_of(SIZE_AND_AUTHOR), text)
    unsure = shown_of(draft_of(SIZE_AND_AUTHOR, may_turn=True), text)

    assert [each.strip() for each in marked][:2] == [
        QUOTED,
        "Few users ever complain [unverified].",
    ]
    assert unsure == [QUOTED]


def test_a_sentence_that_a_source_denies_is_never_shown() -> None:
    text = f"{QUOTED} The Zephyr cache holds 600 entries [1]. Ada Byron wrote the Zephyr cache."

    assert shown_of(draft_of(SIZE_AND_AUTHOR), text) == [QUOTED]


@pytest.mark.parametrize(
    "later",
    [
        " Look, a table here | x\n--- | ---\n1 | 2",
        " And some more of it\n---\n\nThat was it.",
    ],
)
def test_what_was_shown_stays_whatever_its_paragraph_turns_into(later: str) -> None:
    draft = draft_of(SIZE_AND_AUTHOR)
    text = QUOTED + later
    [shown] = shown_of(draft, text)

    answer = draft.answer(text)

    assert answer is not None
    assert shown in answer.text


@pytest.mark.parametrize("anew", ["Ada Byron wrote the Zephyr cache in 2019 [2].", ""])
def test_what_was_shown_stays_where_the_text_begins_anew(anew: str) -> None:
    draft = draft_of(SIZE_AND_AUTHOR)
    draft.read(f"{QUOTED} It is said to be")

    answer = draft.answer(anew)

    assert answer is not None
    assert answer.text.startswith(QUOTED)
    assert ("Ada Byron" in answer.text) == bool(anew)


PARTS = st.sampled_from(
    [
        QUOTED,
        "Ada Byron wrote the Zephyr cache in 2019 [2].",
        "The Zephyr cache holds 600 entries [1].",
        "Ada Byron wrote the cache [7].",
        "Few users ever complain.",
        "The documents do not say more.",
        "In short:",
        "- Each entry of it expires after 30 minutes unread [1].",
        "## The size",
        "The program printed 1024.",
        "| Cache | Entries |\n| --- | --- |\n| Zephyr | 512 |",
        SHOWN,
        "approx. 5 of them, e.g. the first",
        "---",
    ]
)
TEXTS = st.lists(st.tuples(PARTS, st.sampled_from([" ", "\n", "\n\n"])), max_size=9).map(
    lambda parts: "".join(part + between for part, between in parts)
)
RESULTS = st.sampled_from(
    [SIZE_AND_AUTHOR, outcomes(r1=FINDING, c1=PROGRAM), outcomes(r1=OWN), outcomes(c1=PROGRAM)]
)


@settings(max_examples=150, deadline=None)
@given(TEXTS, RESULTS, st.sampled_from(MODES), st.sampled_from([3, 11]))
def test_what_is_shown_of_any_text_stands_in_its_answer(
    text: str, results: Outcomes, mode: tuple[bool, bool], step: int
) -> None:
    is_strict, may_turn = mode
    draft = draft_of(results, is_strict=is_strict, may_turn=may_turn)
    shown = "".join(shown_of(draft, text, step))

    answer = draft.answer(text)

    assert shown in (answer.text if answer else "")
    whole = composed(text, QUESTION, results, is_strict=is_strict, may_turn_strict=may_turn)
    assert answer == whole or shown not in (whole.text if whole else "")
