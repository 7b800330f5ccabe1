"""The answer made of a model's text: what backs each sentence, and what else it has to show."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from agents import Answer, Citation, Finding, Passage, Program, Run, StepResult
from agents.answers.composition import ASTRAY, OWN_WORDS, UNCITED, composed, floor, reserved
from agents.answers.outcomes import Outcomes, outcomes_of
from agents.researcher import UNBACKED
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import (
    Absence,
    Basis,
    Claim,
    ComposeRequest,
    Plan,
    Step,
    StepProgram,
    Support,
)

QUESTION = "How many entries does the Zephyr cache hold?"
GOAL = f"{QUESTION} Compute twice that."
LIMITS = Passage(
    "docs/zephyr.md",
    10,
    11,
    "The Zephyr cache holds 512 entries. Each entry of it\nexpires after 30 minutes unread.",
)
PERSON = Passage("docs/people.md", 3, 3, "Ada Byron wrote the Zephyr cache in 2019.")
HOLDS = Citation("docs/zephyr.md", 10, 10, "The Zephyr cache holds 512 entries.")
WROTE = Citation("docs/people.md", 3, 3, "Ada Byron wrote the Zephyr cache in 2019.")
SIZE = Claim("The Zephyr cache holds 512 entries.", Support.QUOTED, (0,))
FINDING = Finding(
    "The Zephyr cache holds 512 entries [1].", (HOLDS,), claims=(SIZE,), passages=(LIMITS,)
)
AUTHOR = Finding(
    "Ada Byron wrote the Zephyr cache in 2019 [1].",
    (WROTE,),
    claims=(Claim("Ada Byron wrote the Zephyr cache in 2019.", Support.QUOTED, (0,)),),
    passages=(PERSON,),
)
OWN = Finding("Caches are fast.", degraded=(UNBACKED,), basis=Basis.MODEL)
PROGRAM = Program("print(2 * 512)\n", Run(0, "1024\n", ""))
SHOWN = "```python\nprint(2 * 512)\n```\n\nIt printed:\n\n```text\n1024\n```"


class Review(BaseModel):
    verdict: str


def outcomes(**values: object) -> Outcomes:
    agents = {"r": "researcher", "c": "coder", "v": "reviewer"}
    steps = tuple(Step(StepId(name), agents[name[0]], f"do {name}") for name in values)
    results = tuple(StepResult(step.id, step.agent, values[step.id]) for step in steps)
    return outcomes_of(ComposeRequest(QUESTION, Plan(steps), results))


def answer_of(
    text: str,
    goal: str = QUESTION,
    *,
    is_strict: bool = False,
    may_turn_strict: bool = False,
    **values: object,
) -> Answer:
    """Return the answer; whatever it is, its claims must point at what it has."""
    found = composed(
        text, goal, outcomes(**values), is_strict=is_strict, may_turn_strict=may_turn_strict
    )
    assert found is not None
    check(found)
    return found


def check(answer: Answer) -> None:
    passages = [*FINDING.passages, *AUTHOR.passages]
    for claim in answer.claims:
        assert all(0 <= at < len(answer.citations) for at in claim.citations)
        assert all(0 <= at < len(answer.programs) for at in claim.programs)
    for quote in answer.citations:
        assert any(quote.quote in each.text and quote.source == each.source for each in passages)


def test_each_sentence_says_what_backs_it() -> None:
    answer = answer_of(
        "# Answer\n\nThe Zephyr cache holds 512 entries [1]. Few users ever complain. The Zephyr "
        "cache holds 600 entries [1]. The program printed 1024.",
        r1=FINDING,
        c1=PROGRAM,
    )

    assert answer.text == (
        "# Answer\n\nThe Zephyr cache holds 512 entries [1]. Few users ever complain [unverified]. "
        f"The program printed 1024.\n\n{SHOWN}"
    )
    assert answer.claims == (
        SIZE,
        Claim("Few users ever complain.", Support.UNVERIFIED),
        Claim("The program printed 1024.", Support.QUOTED, programs=(0,)),
    )
    assert answer.programs == (StepProgram(StepId("c1"), PROGRAM),)
    assert answer.degraded == (
        (
            "Left out of the answer, because a source says otherwise (another number): "
            '"The Zephyr cache holds 600 entries."'
        ),
    )


def test_strictly_only_what_stands_in_the_results_is_left() -> None:
    answer = answer_of(
        "# Answer\n\nThe Zephyr cache holds 512 entries [1]. Few users ever complain. The Zephyr "
        "cache does not hold 512 entries [1]. The program printed 1024.",
        r1=FINDING,
        c1=PROGRAM,
        is_strict=True,
    )

    assert answer.text == (
        "# Answer\n\nThe Zephyr cache holds 512 entries [1]. The program printed 1024.\n\n" + SHOWN
    )
    assert answer.degraded == (
        (
            "Left out of the answer, because a source says otherwise (a negation on one side only):"
            ' "The Zephyr cache does not hold 512 entries."'
        ),
        "Sentences left out of the answer because no source says them: 1.",
    )


@pytest.mark.parametrize("text", ["", "[1]", "# Answer", "The Zephyr cache holds 600 entries [1]."])
def test_a_text_of_which_nothing_is_left_is_no_answer(text: str) -> None:
    assert composed(text, QUESTION, outcomes(r1=FINDING)) is None


def test_a_sentence_is_judged_by_the_passages_of_all_findings() -> None:
    text = "Each entry expires after 30 minutes unread [2]. Ada Byron wrote it in 2019 [1]."

    answer = answer_of(text, r1=FINDING, r2=AUTHOR)

    first, second = answer.citations
    assert first.quote == "Each entry of it\nexpires after 30 minutes unread."
    assert (first.start_line, first.end_line) == (10, 11)
    assert second == WROTE
    assert [claim.citations for claim in answer.claims] == [(0,), (1,)]
    assert "[unverified]" not in answer.text


def test_a_wrong_number_is_put_right() -> None:
    answer = answer_of(
        "Ada Byron wrote the Zephyr cache in 2019 [1]. The Zephyr cache holds 512 entries [9].",
        r1=FINDING,
        r2=AUTHOR,
    )

    assert answer.text == (
        "Ada Byron wrote the Zephyr cache in 2019 [1]. The Zephyr cache holds 512 entries [2]."
    )
    assert answer.citations == (WROTE, HOLDS)


def test_nothing_is_said_twice_and_headings_without_content_go() -> None:
    once = "The Zephyr cache holds 512 entries [1]."

    answer = answer_of(
        f"## Size\n\n{once}\n\n## Again\n\n- {once}\n\n## Price\n\nThe Zephyr cache holds 7 "
        "entries [1].",
        r1=FINDING,
    )

    assert answer.text == f"## Size\n\n{once}"
    assert answer.claims == (SIZE,)


def test_what_a_program_did_not_print_is_dropped() -> None:
    answer = answer_of(
        "The Zephyr cache holds 512 entries [1]. The program printed 1025.",
        GOAL,
        r1=FINDING,
        c1=PROGRAM,
    )

    assert "1025" not in answer.text
    assert "another number" in answer.degraded[0]


def test_findings_are_put_after_an_answer_that_cites_nothing() -> None:
    answer = answer_of("The program printed 1024.", r1=FINDING, c1=PROGRAM)

    assert answer.text.startswith(
        "The program printed 1024.\n\nThe Zephyr cache holds 512 entries [1]."
    )
    assert answer.degraded == (UNCITED,)
    assert answer.claims == (Claim("The program printed 1024.", Support.QUOTED, (), (0,)), SIZE)


@pytest.mark.parametrize(
    "text",
    [
        "The documents do not say how many entries it holds.",
        "Die Dokumente sagen dazu nichts.",
        "文档中没有提到这一点。",
    ],
)
def test_a_denial_is_shown_without_a_mark_or_the_findings(text: str) -> None:
    answer = answer_of(text, r1=FINDING)

    assert (answer.text, answer.claims) == (text, ())


def test_what_an_own_agent_said_backs_the_answer() -> None:
    review = Review(verdict="The program is short.")

    answer = answer_of("The program is short.", c1=PROGRAM, v1=review)

    assert answer.text == f"The program is short.\n\n{SHOWN}"
    assert answer.claims == (Claim("The program is short.", Support.QUOTED),)


def test_without_documents_nothing_is_marked_and_it_is_said_whose_words_they_are() -> None:
    answer = answer_of("Caches are fast stores [1].\n\n```sh\nls\n```", r1=OWN)
    computed = answer_of("Doubling is easy. The program printed 1024.", GOAL, c1=PROGRAM)

    assert answer.text == "Caches are fast stores.\n\n```sh\nls\n```"
    assert (answer.claims, answer.degraded) == ((), (UNBACKED,))
    assert computed.text == f"Doubling is easy. The program printed 1024.\n\n{SHOWN}"
    assert computed.degraded == (OWN_WORDS,)


def test_an_answer_that_no_document_backs_says_so_in_its_text() -> None:
    own = answer_of("Caches are fast stores.", r1=OWN)
    cited = answer_of("The Zephyr cache holds 512 entries [1].", r1=OWN, r2=FINDING)

    said = reserved(own, outcomes(r1=OWN))
    assert said.text == f"{own.text}\n\n*{UNBACKED}*"
    assert replace(said, text=own.text) == own
    assert reserved(cited, outcomes(r1=OWN, r2=FINDING)) == cited


def test_a_plan_that_came_to_no_program_alone_says_in_its_text_why() -> None:
    why = "No program is offered. After 2 attempts of the model, it still fails."
    none = Program("", degraded=(why,), absence=Absence.NOT_RUN)

    answer = floor(outcomes(c1=none))

    assert (answer.text, answer.degraded) == (why, (why,))


def test_code_that_never_ran_does_not_pass_beside_a_program_that_did() -> None:
    answer = answer_of(
        "The Zephyr cache holds 512 entries [1].\n\n```python\nprint(3 * 512)\n```",
        r1=FINDING,
        c1=PROGRAM,
    )

    assert "3 * 512" not in answer.text


def test_a_program_that_the_model_shows_without_its_output_is_shown_once() -> None:
    text = f"It computes twice that.\n\n```python\n{PROGRAM.source}```\n"

    answer = answer_of(text, GOAL, c1=PROGRAM)

    assert answer.text.count(PROGRAM.source.strip()) == 1
    assert "1024" in answer.text


def test_what_a_program_printed_is_shown_though_its_comment_says_the_same() -> None:
    source = "print(2 * 512)  # -> 1024\n"
    program = replace(PROGRAM, source=source)

    answer = answer_of(f"It computes twice that.\n\n```python\n{source}```\n", GOAL, c1=program)

    assert "It printed:\n\n```text\n1024" in answer.text


@pytest.mark.parametrize("is_written", [True, False])
def test_code_that_nobody_ran_is_left_out_without_a_program(*, is_written: bool) -> None:
    code = "```python\nprint(max(numbers))\n```"
    own = Finding(f"Take the largest.\n\n{code}", degraded=(UNBACKED,), basis=Basis.MODEL)
    none = Program("", degraded=("No program is offered. The model wrote none.",))
    results = outcomes(r=own, c=none)

    answer = composed(f"Take the largest.\n\n{code}" if is_written else "", QUESTION, results)
    answer = answer or floor(results)

    assert "max(numbers)" not in answer.text
    assert "Take the largest" in answer.text


WRONG = "The Zephyr cache holds {} entries [{}]."


@pytest.mark.parametrize(("wrong", "is_strict"), [(2, False), (3, True)])
def test_a_text_with_many_wrong_citations_is_judged_strictly(
    wrong: int,
    is_strict: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    said = [WRONG.format(512, 1), *(WRONG.format(100 + at, at + 1) for at in range(wrong))]

    answer = answer_of(
        f"{' '.join(said)} Few users ever complain.", r1=FINDING, may_turn_strict=True
    )

    assert answer.text.startswith("The Zephyr cache holds 512 entries [1].")
    assert ("Few users ever complain [unverified]." in answer.text) is not is_strict
    assert (ASTRAY in answer.degraded) is is_strict


def test_the_floor_is_the_findings_with_their_claims_the_others_and_the_programs() -> None:
    results = outcomes(r1=FINDING, r2=AUTHOR, c1=PROGRAM, v1=Review(verdict="fine"))

    answer = floor(results, "It failed.")

    check(answer)
    assert answer.text == (
        "The Zephyr cache holds 512 entries [1].\n\nAda Byron wrote the Zephyr cache in 2019 [2]."
        f'\n\n**v1**: {{"verdict":"fine"}}\n\n{SHOWN}'
    )
    assert [claim.citations for claim in answer.claims] == [(0,), (1,)]
    assert answer.degraded == ("It failed.",)


SAID = st.sampled_from(
    [
        "The Zephyr cache holds 512 entries",
        "The Zephyr cache holds 600 entries",
        "Each entry of it expires after 30 minutes unread",
        "Ada Byron wrote the Zephyr cache in 2019",
        "Few users ever complain",
        "The documents do not mention a price",
        "The program printed 1024",
        "Is it fast",
        "",
    ]
)
CITED = st.lists(st.integers(1, 9), max_size=2).map(lambda ns: "".join(f" [{n}]" for n in ns))
LINE = st.builds(
    lambda head, said, cited, end: f"{head}{said}{cited}{end}",
    st.sampled_from(["", "- ", "# ", "1. ", "> ", "```\n", "| "]),
    SAID,
    CITED,
    st.sampled_from([".", ":", "", ". ", "?", " |"]),
)


@given(st.lists(LINE, max_size=9), st.sampled_from(["\n", "\n\n"]), st.booleans(), st.booleans())
def test_whatever_a_model_writes_its_claims_and_quotes_hold(
    lines: list[str],
    gap: str,
    is_strict: bool,  # noqa: FBT001 - drawn
    may_turn_strict: bool,  # noqa: FBT001 - drawn
) -> None:
    results = outcomes(r1=FINDING, r2=AUTHOR, c1=PROGRAM)

    answer = composed(
        gap.join(lines), QUESTION, results, is_strict=is_strict, may_turn_strict=may_turn_strict
    )

    if answer is not None:
        check(answer)
        assert "600 entries" not in "".join(claim.text for claim in answer.claims)
        shown = Support.QUOTED if is_strict else Support.UNVERIFIED
        assert all(
            c.support is Support.QUOTED or shown is not Support.QUOTED for c in answer.claims
        )


def test_a_lead_in_goes_with_the_code_that_it_introduces() -> None:
    text = (
        "Here is a program that shows it:\n\n```python\nprint(1)\n```\n\n"
        "Ada Byron wrote the Zephyr cache in 2019 [2]. A program would be:\n\n```\nx()\n```\n\n"
        "It prints the following output:\n\n```\n1\n```\n\n"
        "The Zephyr cache holds 512 entries [1]."
    )

    answer = answer_of(text, GOAL, r1=FINDING, r2=AUTHOR, c1=PROGRAM)

    assert answer.text == (
        "Ada Byron wrote the Zephyr cache in 2019 [1].\n\n"
        f"The Zephyr cache holds 512 entries [2].\n\n{SHOWN}"
    )


def test_a_sentence_copied_from_a_finding_keeps_its_level_and_its_source() -> None:
    said = "Entries that nobody reads leave the cache half an hour later."
    claim = Claim(said, Support.PARAPHRASED, (0,))
    finding = Finding(f"{said[:-1]} [1].", (HOLDS,), claims=(claim,), passages=(LIMITS,))

    answer = answer_of(said, r1=finding)

    assert answer.text == f"{said[:-1]} [1]."
    assert [each.support for each in answer.claims] == [Support.PARAPHRASED]


def test_a_program_does_not_stand_below_the_words_that_nothing_was_found() -> None:
    nothing = Finding("The documents have nothing.", basis=Basis.NOTHING)

    assert floor(outcomes(r1=nothing, c1=PROGRAM)).text == SHOWN
    assert floor(outcomes(r1=nothing)).text == "The documents have nothing."
