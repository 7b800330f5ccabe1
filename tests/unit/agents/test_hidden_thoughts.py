"""Thoughts without an opening tag, with drafts in them: no draft is ever taken for the reply."""

from __future__ import annotations

import pytest

from agents import Assignment, Parts, Program, Run
from agents.coder import Coder
from agents.models.port import Finish
from cluster.kernel.events import ProgramWritten, Thought
from cluster.kernel.ids import StepId
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import Reply, Said, ScriptedModel

GOAL = "Write a program that prints the sum of 2 and 3."
DRAFT = "print(2 * 3)\n"
GOOD = "print(2 + 3)\n"
PREFACES = ("Okay.\n", "They want a sum. First try:\n", "Hm. " * 800 + "\n")


def block(source: str) -> str:
    return f"```python\n{source}```\n"


def cut(text: str) -> tuple[Said, ...]:
    """A reply as it is streamed, three characters at a time."""
    return (*(text[at : at + 3] for at in range(0, len(text), 3)), Finish("stop"))


class Bench:
    def __init__(self, *replies: Reply) -> None:
        self.model = ScriptedModel({"coder": list(replies)})
        works = FakeSandbox(lambda source: Run(0, "6\n" if source == DRAFT else "5\n", ""))
        self.coder = Coder(Parts(self.model, FakeKnowledge(), works))
        self.turn = RecordingTurn("coder-0", "c1")

    async def ask(self) -> str:
        """Return the source of the program that is offered."""
        self.turn = RecordingTurn("coder-0", "c1")
        sent = Assignment(StepId("c1"), GOAL, GOAL, (), "c")
        program = await self.coder.handle(sent, self.turn)
        assert isinstance(program, Program)
        return program.source


@pytest.mark.parametrize("preface", PREFACES)
@pytest.mark.parametrize("opening", ["", "<think>\n"])
async def test_a_program_within_a_thought_is_never_run(preface: str, opening: str) -> None:
    thought = f"{opening}{preface}{block(DRAFT)}No, that multiplies.\n</think>\n\n"
    bench = Bench(cut(f"{thought}{block(GOOD)}"))

    for _ in range(2):
        assert await bench.ask() == GOOD
        assert [each.source for each in bench.turn.all(ProgramWritten)] == [GOOD]
    if opening:
        shown = [each.text for each in bench.turn.all(Thought) if not each.is_reasoning]
        assert DRAFT not in "".join(shown)


async def test_a_short_preface_is_trusted_once_a_whole_reply_has_had_no_thought_in_it() -> None:
    whole, endless = cut(f"Here it is:\n{block(GOOD)}"), ("It is:\n", block(GOOD), "So " * 300)
    bench = Bench(whole, (*endless, Exception("it was read on")))

    assert await bench.ask() == GOOD
    assert await bench.ask() == GOOD
    assert bench.coder.has_plain_replies
