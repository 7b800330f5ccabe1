"""An answer judged while it is written is the same, and begins with what is shown of it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.answers.composition import Grounds, composed
from agents.answers.draft import AnswerDraft
from agents.answers.outcomes import Outcomes, outcomes_of
from agents.evidence.strictness import SupportMode
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Answer, ComposeRequest, Plan, Step, StepResult
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
MODES = [
    (SupportMode.MARKED, False),
    (SupportMode.AUTO, False),
    (SupportMode.STRICT, False),
    (SupportMode.AUTO, True),
]
"""What a sentence needs to be shown, and whether the embedded model wrote it."""


def draft_of(
    results: Outcomes, goal: str = QUESTION, support: SupportMode = SupportMode.MARKED
) -> AnswerDraft:
    return AnswerDraft(partial(Grounds, goal, results), support)


def shown_of(
    draft: AnswerDraft, text: str, step: int = 1, *, is_embedded: bool = False
) -> list[str]:
    """Read a text as it grows, and return what was shown of it."""
    ends = range(0, len(text) + 1, step)
    read = (draft.read(text[:at], is_embedded=is_embedded) for at in ends)
    return [new for new in read if new]


def judged_whole(
    text: str, goal: str, results: Outcomes, mode: tuple[SupportMode, bool]
) -> Answer | None:
    """Return what judging the text as a whole gives."""
    support, is_embedded = mode
    return composed(
        text,
        goal,
        results,
        is_strict=support.is_strict(is_embedded=is_embedded),
        may_turn_strict=support.may_turn_strict(is_embedded=is_embedded),
    )


def recorded() -> Iterator[tuple[str, str, Outcomes]]:
    for key, task in TASKS.items():
        plan = Plan((Step(StepId("r1"), "researcher", task.goal),))
        result = StepResult(StepId("r1"), "researcher", finding_of(key))
        yield task.answer.reply, task.goal, outcomes_of(ComposeRequest(task.goal, plan, (result,)))


def check(
    text: str, goal: str, results: Outcomes, mode: tuple[SupportMode, bool], step: int
) -> str:
    """Check a draft against judging its text as a whole; return what was shown early."""
    support, is_embedded = mode
    draft = draft_of(results, goal, support)
    shown = "".join(shown_of(draft, text, step, is_embedded=is_embedded))
    answer = draft.answer(text, is_embedded=is_embedded)
    assert answer == judged_whole(text, goal, results, mode)
    assert shown == draft.shown
    assert (answer.text if answer else "").startswith(shown)
    return shown


@pytest.mark.parametrize("mode", MODES)
def test_recorded_answers_are_the_same_judged_as_they_come(mode: tuple[SupportMode, bool]) -> None:
    shown = [check(*each, mode, step=7) for each in recorded()]

    assert sum(map(bool, shown)) >= len(shown) / 3


def test_a_sentence_is_shown_once_the_next_one_has_begun() -> None:
    draft = draft_of(SIZE_AND_AUTHOR)

    assert draft.read(f"{QUOTED} ", is_embedded=False) == ""
    assert draft.read(f"{QUOTED} Ada Byron wrote", is_embedded=False) == QUOTED
    assert draft.read(f"{QUOTED} Ada Byron wrote the Zephyr", is_embedded=False) == ""


def test_a_heading_is_shown_with_what_stands_below_it() -> None:
    draft = draft_of(SIZE_AND_AUTHOR)

    assert draft.read("# Size\n\nThe Zephyr cache", is_embedded=False) == ""
    begun = f"# Size\n\n{QUOTED}\n\nAda Byron wrote it"
    assert draft.read(begun, is_embedded=False) == f"# Size\n\n{QUOTED}"


def test_what_no_source_says_waits_where_the_text_may_turn_strict() -> None:
    text = f"{QUOTED} Few users ever complain. Ada Byron wrote the Zephyr cache in 2019 [2]. And so"

    marked = shown_of(draft_of(SIZE_AND_AUTHOR), text)
    unsure = shown_of(draft_of(SIZE_AND_AUTHOR, support=SupportMode.AUTO), text)

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

    answer = draft.answer(text, is_embedded=False)

    assert answer is not None
    assert answer.text.startswith(shown)


@pytest.mark.parametrize("anew", ["Ada Byron wrote the Zephyr cache in 2019 [2].", ""])
def test_what_was_shown_stays_where_the_text_begins_anew(anew: str) -> None:
    draft = draft_of(SIZE_AND_AUTHOR)
    draft.read(f"{QUOTED} It is said to be", is_embedded=False)

    answer = draft.answer(anew, is_embedded=False)

    assert answer is not None
    assert answer.text.startswith(QUOTED)
    assert ("Ada Byron" in answer.text) == bool(anew)


FREE = "Few users ever complain."


@pytest.mark.parametrize(("first", "then"), [(True, False), (False, True), (True, True)])
def test_what_the_embedded_model_has_begun_or_ends_is_judged_as_its_own(
    first: bool,  # noqa: FBT001 - a parameter of the test
    then: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    draft = draft_of(SIZE_AND_AUTHOR, support=SupportMode.AUTO)
    [shown] = shown_of(draft, f"{QUOTED} Ada Byron wrote the", is_embedded=first)

    answer = draft.answer(f"{FREE} Ada Byron wrote the Zephyr cache.", is_embedded=then)

    assert answer is not None
    assert answer.text.startswith(shown)
    assert "complain" not in answer.text


def test_what_no_model_but_capable_ones_wrote_is_marked() -> None:
    draft = draft_of(SIZE_AND_AUTHOR, support=SupportMode.AUTO)
    shown_of(draft, f"{QUOTED} Ada Byron wrote the")

    answer = draft.answer(FREE, is_embedded=False)

    assert answer is not None
    assert "complain [unverified]" in answer.text


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
    text: str, results: Outcomes, mode: tuple[SupportMode, bool], step: int
) -> None:
    support, is_embedded = mode
    draft = draft_of(results, support=support)
    shown = "".join(shown_of(draft, text, step, is_embedded=is_embedded))

    answer = draft.answer(text, is_embedded=is_embedded)

    assert shown in (answer.text if answer else "")
    whole = judged_whole(text, QUESTION, results, mode)
    assert answer == whole or shown not in (whole.text if whole else "")
