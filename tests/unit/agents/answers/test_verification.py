"""A second look at unverified sentences: what is asked of a model, and what of it is believed."""

from __future__ import annotations

import json

import pytest

from agents import Parts
from agents.answers.decoys import DECOYS
from agents.answers.verification import (
    LOOKED_AT_MAX,
    Doubt,
    Look,
    corrections,
    doubts,
    look_at,
)
from agents.evidence.strictness import SupportMode
from agents.manager import Manager
from cluster.kernel.errors import ModelError
from cluster.kernel.events import Corrected
from cluster.kernel.ids import StepId
from cluster.kernel.second_look import Corrections
from cluster.kernel.vocabulary import (
    Answer,
    Citation,
    Claim,
    ComposeRequest,
    Finding,
    Passage,
    Plan,
    Step,
    StepResult,
    Support,
    VerifyRequest,
)
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import Reply, ScriptedModel

TEXT = (
    "The Zephyr cache keeps at most 512 entries\nin main memory. When it is full, the oldest entry"
    " is evicted. Writes are not blocked."
)
PASSAGE = Passage("docs/zephyr.md", 10, 11, TEXT)
OTHER = Passage("docs/people.md", 3, 3, "Ada Byron wrote the Zephyr cache in 1998.")
KEEPS = "The Zephyr cache keeps at most 512 entries in main memory."
GOAL = "How does the Zephyr cache work?"


DECOY = "The Zephyr cache keeps at most 512 entries in other memory."


def said(quote: str, says: str = "supports", passage: object = 1) -> str:
    item = {"sentence": 1, "says": says, "passage": passage, "quote": quote}
    return json.dumps({"sentences": [item]})


def found(sentence: str, text: str, *passages: Passage) -> tuple[Corrected, ...]:
    """What is believed of a text about one sentence, behind which a decoy stands."""
    shown = passages or (PASSAGE, OTHER)
    return corrections(text, Look(shown, (sentence, DECOY), {0: Doubt(3, sentence)}), GOAL)


def beside_a_decoy(quote: str, *decoy: str) -> str:
    """What a model says that takes a sentence for supported, and the decoy for something."""
    items = json.loads(said(quote))["sentences"]
    items += [{"sentence": 2, "says": says, "passage": 1, "quote": KEEPS} for says in decoy]
    return json.dumps({"sentences": items})


def test_a_sentence_whose_words_stand_in_the_quote_is_paraphrased_by_it() -> None:
    sentence = "At most 512 entries are kept in main memory by it."

    [correction] = found(sentence, said(KEEPS))

    quote = TEXT[: TEXT.index(" When")]
    assert correction == Corrected(
        3, sentence, Support.PARAPHRASED, (Citation("docs/zephyr.md", 10, 11, quote),)
    )


@pytest.mark.parametrize(
    ("sentence", "quote"),
    [
        ("At most 256 entries are kept in main memory.", KEEPS),
        ("At most 512 entries are not kept in main memory.", KEEPS),
        ("At most 512 entries are kept in main memory by Boreas.", KEEPS),
        ("Writes are blocked.", "Writes are not blocked."),
        ("The disk grows quickly under load.", KEEPS),
        ("At most 512 entries are kept in main memory.", "It keeps 512 entries in main memory."),
        ("At most 512 entries are kept in main memory.", ""),
        ("At most 512 entries are kept in main memory.", "..."),
    ],
)
def test_a_model_that_lies_is_not_believed(sentence: str, quote: str) -> None:
    assert found(sentence, said(quote)) == ()


@pytest.mark.parametrize("decoy", [[], ["supports"], ["none", "supports"]])
def test_that_a_word_is_a_synonym_is_believed_of_no_model_that_fell_for_a_decoy(
    decoy: list[str],
) -> None:
    sentence = "The Zephyr cache holds at most 512 entries in main memory."

    assert found(sentence, beside_a_decoy(KEEPS, *decoy)) == ()


@pytest.mark.parametrize("says", ["none", "contradicts"])
def test_it_is_believed_of_one_that_saw_through_them(says: str) -> None:
    sentence = "The Zephyr cache holds at most 512 entries in main memory."

    [correction] = found(sentence, beside_a_decoy(KEEPS, says))

    assert (correction.claim, correction.support) == (3, Support.PARAPHRASED)


@pytest.mark.parametrize(
    "sentence",
    [
        "The Zephyr cache kept at most 256 entries in main memory.",
        "The Zephyr cache could keep at most 512 entries in main memory.",
        "The Zephyr cache keeps at most 512 entries in main memory only at night.",
    ],
)
def test_no_model_is_believed_against_a_guard(sentence: str) -> None:
    assert found(sentence, beside_a_decoy(KEEPS, "none")) == ()


def test_a_quote_is_looked_for_in_the_passage_that_was_named() -> None:
    sentence = "At most 512 entries are kept in main memory."

    assert found(sentence, said(KEEPS, passage=2)) == ()
    assert found(sentence, said(KEEPS, passage=3)) == ()
    assert found(sentence, said(KEEPS, passage="[1]"))


def test_a_quote_does_not_reach_over_a_tag_of_its_file() -> None:
    broken = Passage("a.html", 1, 2, TEXT, breaks=(TEXT.index("at most"),))

    assert found(KEEPS, said(KEEPS), broken) == ()


def test_a_sentence_that_says_otherwise_than_the_quote_is_contradicted() -> None:
    sentence = "The Zephyr cache keeps at most 256 entries in main memory."

    [correction] = found(sentence, said(KEEPS, "contradicts"))

    assert (correction.claim, correction.text) == (3, "")
    assert correction.citations[0].source == "docs/zephyr.md"


@pytest.mark.parametrize(
    "sentence", [KEEPS, "At most 512 entries are kept.", "The disk holds 40 files."]
)
def test_a_contradiction_that_the_quote_does_not_show_is_not_believed(sentence: str) -> None:
    assert found(sentence, said(KEEPS, "contradicts")) == ()


@pytest.mark.parametrize(
    "text",
    [
        *("", "I can't.", "{", "[1, 2]", '{"sentences": 3}', '{"sentences": [{"sentence": 1}]}'),
        said(KEEPS, "none"),
        said(KEEPS).replace('"sentence": 1', '"sentence": 2'),
        said(KEEPS).replace('"sentence": 1', '"sentence": 99'),
        said(KEEPS).replace('"sentence": 1', '"sentence": true'),
        "[" * 5_000,
    ],
)
def test_what_says_nothing_about_a_sentence_changes_nothing(text: str) -> None:
    assert found(KEEPS, text) == ()


def test_only_the_first_word_on_a_sentence_counts() -> None:
    twice = json.loads(said(KEEPS))["sentences"] * 2

    assert len(found(KEEPS, json.dumps(twice))) == 1


def answer(*claims: Claim) -> Answer:
    shown = (f"{claim.text.rstrip('.')} [unverified]." for claim in claims)
    return Answer(" ".join(shown), claims=claims)


def test_the_first_unverified_sentences_are_looked_at_and_no_code() -> None:
    many = [Claim(f"It is number {at}.", Support.UNVERIFIED) for at in range(LOOKED_AT_MAX + 2)]
    quoted = Claim("It is.", Support.QUOTED)
    code = Claim("print(1)", Support.UNVERIFIED)
    whole = answer(quoted, *many)
    whole = Answer(whole.text, claims=(quoted, code, *many))

    assert [doubt.claim for doubt in doubts(whole)] == list(range(2, 2 + LOOKED_AT_MAX))


def test_decoys_are_hidden_among_the_sentences() -> None:
    doubted = answer(*(Claim(f"It is number {at}.", Support.UNVERIFIED) for at in range(3)))

    look = look_at(doubted, [PASSAGE, OTHER])

    assert look is not None
    assert len(look.sentences) == 3 + DECOYS
    assert {look.sentences[at] for at in look.doubts} == {doubt.text for doubt in doubts(doubted)}
    assert list(look.doubts) == [0, 2, 4]


class Bench:
    """A Manager that is asked for a second look at one unverified sentence."""

    def __init__(self, reply: Reply, *, is_strict: bool = False) -> None:
        self.model = ScriptedModel({"manager/verify": reply})
        self.turn = RecordingTurn("manager-0", "verify")
        support = SupportMode.STRICT if is_strict else SupportMode.MARKED
        parts = Parts(self.model, FakeKnowledge(), FakeSandbox(), support=support)
        self.agent = Manager(parts)

    async def look(self, *passages: Passage, effort: str = "", lacks: str = "") -> object:
        step = Step(StepId("r1"), "researcher", "look")
        result = StepResult(step.id, step.agent, Finding("So.", passages=passages))
        composed = ComposeRequest(GOAL, Plan((step,)), (result,), effort=effort, lacks=lacks)
        doubted = answer(Claim("At most 512 entries are kept in main memory.", Support.UNVERIFIED))
        return await self.agent.handle(VerifyRequest(composed, doubted), self.turn)


async def test_the_manager_shows_its_model_the_passages_of_the_findings() -> None:
    bench = Bench(said(KEEPS))

    looked = await bench.look(PASSAGE)

    assert isinstance(looked, Corrections)
    assert [correction.support for correction in looked.found] == [Support.PARAPHRASED]
    [prompt] = bench.model.asked("manager")
    assert prompt.startswith("<passages>\n[1] docs/zephyr.md, lines 10-11\nThe Zephyr cache keeps")
    assert "Sentences:\n1. At most 512 entries are kept in main memory.\n2. " in prompt


async def test_there_is_no_look_without_documents_or_where_only_quotes_are_shown() -> None:
    without, strict = Bench(said(KEEPS)), Bench(said(KEEPS), is_strict=True)

    assert await without.look() == Corrections()
    assert await strict.look(PASSAGE) == Corrections()
    assert without.model.requests == strict.model.requests == []


async def test_no_model_is_asked_once_the_task_has_used_up_what_it_may() -> None:
    bench = Bench(said(KEEPS))

    assert await bench.look(PASSAGE, lacks="2 of the 2 tokens") == Corrections()
    assert bench.model.requests == []


async def test_what_was_answered_at_little_effort_is_looked_at_with_as_little() -> None:
    bench = Bench(said(KEEPS))

    await bench.look(PASSAGE, effort="quick")
    await bench.look(PASSAGE)

    assert [request.tier for request in bench.model.requests] == ["fast", "deep"]


async def test_a_model_that_fails_fails_the_look() -> None:
    with pytest.raises(ModelError):
        await Bench(ModelError("the endpoint is gone")).look(PASSAGE)
