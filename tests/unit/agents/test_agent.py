"""Which method handles which message, and what a model call does for user, clock and bill."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

import pytest
from pydantic import BaseModel

import agents
from agents import Agent, Assignment, Finding, Parts, Program, StepResult, Turn, handles
from agents.models import call
from agents.models.port import Deed, Delta, Finish, Note, Request, Restarted, StreamItem
from cluster.kernel.errors import DeadlinePassed, ModelError, UsageError
from cluster.kernel.events import FellBack, Hedged, Spent, Thought
from cluster.kernel.ids import StepId
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import Reply, Said, ScriptedModel


class Review(BaseModel):
    verdict: str


class Reviewer(Agent):
    purpose = "Reviews."

    @handles(Program)
    async def review(self, program: Program, turn: Turn) -> Review:
        return Review(verdict=program.source)

    @handles(Assignment)
    async def refuse(self, assignment: Assignment, turn: Turn) -> Review:
        return Review(verdict="nothing to review")


def agent_of(agent_class: type[Agent], reply: Reply = "") -> tuple[Agent, ScriptedModel]:
    model = ScriptedModel({"reviewer": reply})
    return agent_class(Parts(model, FakeKnowledge(), FakeSandbox())), model


def assignment(*values: object) -> Assignment:
    results = tuple(StepResult(StepId(f"s{n}"), "coder", value) for n, value in enumerate(values))
    return Assignment(StepId("v1"), "review it", "goal", results)


async def test_an_assignment_goes_to_the_method_for_the_type_of_a_result() -> None:
    agent, _ = agent_of(Reviewer)
    sent = assignment(Program("old"), Finding("text"), Program("new"), Finding("more"))

    assert await agent.handle(sent, RecordingTurn("reviewer-0")) == Review(verdict="new")


async def test_an_assignment_without_such_a_result_goes_to_the_method_for_assignments() -> None:
    agent, _ = agent_of(Reviewer)
    reply = await agent.handle(assignment(Finding("text")), RecordingTurn("reviewer-0"))

    assert reply == Review(verdict="nothing to review")


async def test_a_message_that_nothing_handles_is_refused_with_both_types_named() -> None:
    class Narrow(Agent):
        @handles(Program)
        async def review(self, program: Program, turn: Turn) -> None: ...

    agent, _ = agent_of(Narrow)

    with pytest.raises(UsageError, match=r"Narrow handles Program, .* Assignment with Finding"):
        await agent.handle(assignment(Finding("x")), RecordingTurn("reviewer-0"))


def test_the_table_of_handlers_is_inherited_and_can_be_overridden() -> None:
    class Stricter(Reviewer):
        @handles(Program)
        async def judge(self, program: Program, turn: Turn) -> None: ...

    assert Reviewer.handlers() == {Program: "review", Assignment: "refuse"}
    assert Stricter.handlers() == {Program: "judge", Assignment: "refuse"}


def test_two_methods_for_one_type_are_refused() -> None:
    with pytest.raises(UsageError, match="Twice has two methods for Program: first and second"):

        class Twice(Agent):
            @handles(Program)
            async def first(self, program: Program, turn: Turn) -> None: ...

            @handles(Program)
            async def second(self, program: Program, turn: Turn) -> None: ...


class Judge(Reviewer):
    @handles(Program, pure=True)
    async def judge(self, program: Program, turn: Turn) -> Review:
        return Review(verdict="fair")


class Careless(Judge):
    async def judge(self, program: Program, turn: Turn) -> Review:
        return Review(verdict="unfair")


def test_only_what_says_so_itself_is_pure_not_what_takes_its_place() -> None:
    assert (Reviewer.pure(), Judge.pure(), Careless.pure()) == ((), ("Program",), ())


async def test_in_a_pure_method_nothing_can_be_edited() -> None:
    agent, turn = agent_of(Judge)[0], RecordingTurn("reviewer-0")

    await agent.handle(assignment(Program("new")), turn)

    assert turn.pure_method == "Judge.judge"


async def test_in_other_methods_things_may_be_edited_but_for_a_step_that_is_declared_pure() -> None:
    agent, turn = agent_of(Judge)[0], RecordingTurn("reviewer-0")

    await agent.handle(assignment(), turn)
    before = turn.pure_method
    await agent.handle(replace(assignment(), is_pure=True), turn)

    assert (before, turn.pure_method) == ("", "Judge.refuse")


@pytest.mark.parametrize("message_type", [int, str, "Program", list[int]])
def test_a_type_that_is_no_message_is_refused(message_type: type) -> None:
    with pytest.raises(UsageError, match="needs a message type"):
        handles(message_type)


def test_pydantic_models_and_dataclasses_are_message_types() -> None:
    @dataclass
    class Note:
        text: str

    assert callable(handles(Review))
    assert callable(handles(Note))


async def wrong_arity(self: Agent, message: Program) -> None: ...
def not_async(self: Agent, message: Program, turn: Turn) -> None: ...
async def by_keyword(self: Agent, message: Program, *, turn: Turn) -> None: ...


@pytest.mark.parametrize("method", [wrong_arity, not_async, by_keyword, "text"])
def test_a_method_of_another_form_is_refused(method: object) -> None:
    with pytest.raises(UsageError, match=r"take \(self, message, turn\)"):
        handles(Program)(method)  # type: ignore[arg-type]  # that it is wrong is the point


async def test_thinking_shows_every_delta_says_who_asks_and_accounts_for_it() -> None:
    said = (Delta("hm", is_reasoning=True), "Hel", "lo", Finish("stop", 7, 3))
    agent, model = agent_of(Reviewer, said)
    turn = RecordingTurn("reviewer-1", "v1", remaining_s=10)

    text = await agent.think(turn, "You are.", "Do.", wants_json=True, tokens_max=5)

    assert text == "Hello"
    assert turn.all(Thought) == [Thought("hm", is_reasoning=True), Thought("Hel"), Thought("lo")]
    assert turn.all(Spent) == [Spent("model", 0.0, 7, 3, 0)]
    request = model.requests[0]
    assert (request.asker.agent, request.asker.step, request.asker.task) == (
        "reviewer",
        "v1",
        turn.task,
    )
    assert request.asker.traceparent == turn.traceparent
    assert (request.wants_json, request.tokens_max, request.timeout_s) == (True, 5, 9.0)
    assert model.closed_streams == 1


@pytest.mark.parametrize("cuts_loops", [True, False])
async def test_a_model_that_repeats_itself_is_stopped_only_where_it_is_known_to(
    cuts_loops: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    sentence = "The same thing is said over and over. "
    model = ScriptedModel({"reviewer": (*[sentence] * 50, Finish("stop", 1, 50))})
    parts = Parts(model, FakeKnowledge(), FakeSandbox(), cuts_loops=cuts_loops)
    turn = RecordingTurn("reviewer-0")

    text = await Reviewer(parts).think(turn, "system", "user")

    assert text == (sentence if cuts_loops else sentence * 50).strip()
    assert len(turn.all(Thought)) < 10 or not cuts_loops


async def test_a_failed_call_is_accounted_for_as_wasted() -> None:
    agent, model = agent_of(Reviewer, ("some ", "text", ModelError("cut off")))
    turn = RecordingTurn("reviewer-0")

    with pytest.raises(ModelError, match="cut off"):
        await agent.think(turn, "system", "user")

    assert turn.all(Spent) == [Spent("model", 0.0, 2, 2, 2)]
    assert model.closed_streams == 1


async def test_a_stream_without_a_finish_is_an_error() -> None:
    agent, _ = agent_of(Reviewer, ("half an answer",))

    with pytest.raises(ModelError, match="without saying that it was complete"):
        await agent.think(RecordingTurn("reviewer-0"), "system", "user")


async def test_a_call_that_fails_because_its_time_is_up_has_passed_the_deadline() -> None:
    turn = RecordingTurn("reviewer-0", "v1", remaining_s=10)

    def pass_time() -> None:
        turn.now = 9.0

    agent, _ = agent_of(Reviewer, (pass_time, ModelError("it took too long")))

    with pytest.raises(DeadlinePassed, match="it took too long"):
        await agent.think(turn, "system", "user")


async def test_no_call_is_made_when_no_time_is_left() -> None:
    agent, model = agent_of(Reviewer)

    with pytest.raises(DeadlinePassed):
        await agent.think(RecordingTurn("reviewer-0", remaining_s=0), "system", "user")

    assert model.requests == []


async def test_a_model_that_runs_on_is_stopped_once_there_is_enough() -> None:
    agent, model = agent_of(Reviewer, ("{}", *("and so on " for _ in range(1000))))
    turn = RecordingTurn("reviewer-0")

    text = await agent.think(turn, "system", "user", is_enough=lambda piece: "}" in piece)

    assert text.startswith("{}and so on")
    assert len(text) < 300
    assert model.closed_streams == 1
    assert turn.all(Spent)[0].wasted_tokens == 0


@pytest.mark.parametrize("tail", ["", " That", "\n\nIt is"])
@pytest.mark.parametrize("trouble", [ModelError("cut off"), TimeoutError()])
async def test_what_is_complete_is_used_though_the_stream_breaks_after_it(
    tail: str, trouble: Exception
) -> None:
    agent, _ = agent_of(Reviewer, ("{", "}", Delta(tail), trouble))
    turn = RecordingTurn("reviewer-0")

    text = await agent.think(turn, "s", "u", wants_json=True, is_enough=lambda piece: "}" in piece)

    assert text == "{}" + tail
    assert turn.all(Spent)[0].wasted_tokens == 0


@pytest.mark.parametrize("pieces", [("{",), ("{}", "\n</think>"), ("<think>", "{}")])
async def test_what_is_not_complete_is_lost_with_the_stream(pieces: tuple[str, ...]) -> None:
    agent, _ = agent_of(Reviewer, (*pieces, ModelError("cut off")))

    with pytest.raises(ModelError, match="cut off"):
        await agent.think(
            RecordingTurn("reviewer-0"), "s", "u", is_enough=lambda piece: "}" in piece
        )


class NotedModel(ScriptedModel):
    """Says in between what a policy would."""

    def __init__(self, *items: StreamItem) -> None:
        super().__init__({})
        self._items = items

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        for item in self._items:
            yield item


async def test_nothing_of_an_attempt_that_was_given_up_is_in_the_text() -> None:
    items = (Delta("<think>old"), Restarted("it stalled"), Delta("new. {}"), Finish("stop", 1, 2))
    agent = Reviewer(Parts(NotedModel(*items), FakeKnowledge(), FakeSandbox()))
    turn, ending = RecordingTurn("reviewer-0"), Collected()
    ending("old")

    assert await agent.think(turn, "s", "u", is_enough=ending) == "new. {}"
    assert ending.text == "new. {}"
    assert turn.all(FellBack) == [FellBack("model", "it stalled")]


async def test_what_policies_did_is_told_and_counted() -> None:
    items = (
        Note(Deed.HEDGED, "no token in 2 s", 2.0),
        Note(Deed.FELL_BACK, "the endpoint is gone", wasted_tokens=7),
        Note(Deed.CUT_SHORT, saved_tokens=40, saved_s=1.5),
        Note(Deed.FITTED, "2 of 14 passages were too many"),
        Note(Deed.WAITED, "the endpoint was not ready"),
        Delta("Blue."),
        Finish("stop", 9, 1),
    )
    agent = Reviewer(Parts(NotedModel(*items), FakeKnowledge(), FakeSandbox()))
    turn = RecordingTurn("reviewer-0")

    assert await agent.think(turn, "s", "u") == "Blue."
    assert turn.all(Hedged) == [Hedged("model", 2.0, "no token in 2 s")]
    assert turn.all(FellBack) == [
        FellBack("model", "the endpoint is gone"),
        FellBack("model", "2 of 14 passages were too many"),
        FellBack("model", "the endpoint was not ready"),
    ]
    [spent] = turn.all(Spent)
    assert (spent.wasted_tokens, spent.saved_tokens, spent.saved_s, spent.hedges) == (7, 40, 1.5, 1)
    assert (spent.prompt_tokens, spent.completion_tokens) == (9, 1)


class StallingModel(ScriptedModel):
    """Says what it is to say and then nothing any more, not even that it has ended."""

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        async for item in super().stream(request):
            yield item
        await asyncio.Event().wait()


async def test_a_stream_that_stalls_after_there_is_enough_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(call, "_TAIL_WAIT_S", 0.0)
    model = StallingModel({"reviewer": ("{}", " so")})
    agent = Reviewer(Parts(model, FakeKnowledge(), FakeSandbox()))

    text = await agent.think(
        RecordingTurn("reviewer-0"), "s", "u", wants_json=True, is_enough=lambda p: "}" in p
    )

    assert text in {"{}", "{} so"}


async def test_a_text_that_comes_to_no_end_is_no_text() -> None:
    agent, _ = agent_of(Reviewer, tuple(["words without end. " * 1_000] * 20))

    with pytest.raises(ModelError, match="characters and come to no end"):
        await agent.think(RecordingTurn("reviewer-0"), "s", "u")


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        ("It holds 10 items. It costs 10", "It holds 10 items."),
        ("它有十项。它的价格是", "它有十项。"),
        ("It holds 10", "It holds 10"),
    ],
)
async def test_text_that_was_broken_off_ends_with_its_last_whole_sentence_and_that_is_said(
    said: str, whole: str
) -> None:
    agent, _ = agent_of(Reviewer, (said, Finish("length", 1, 9)))
    turn = RecordingTurn("reviewer-0")

    assert await agent.think(turn, "s", "u") == whole
    reason = "the model ran out of its length (9 tokens) before its text had ended"
    assert turn.all(FellBack) == [FellBack("model", reason)]


async def test_text_that_is_whole_before_it_is_broken_off_lacks_nothing() -> None:
    agent, _ = agent_of(Reviewer, ("{} and", Finish("length", 1, 9)))
    turn = RecordingTurn("reviewer-0")

    assert await agent.think(turn, "s", "u", is_enough=lambda piece: "}" in piece) == "{} and"
    assert turn.all(FellBack) == []


async def test_reasoning_within_the_text_is_not_part_of_the_answer() -> None:
    agent, _ = agent_of(Reviewer, "<think>Let me see.</think>\n\nBlue.")

    assert await agent.think(RecordingTurn("reviewer-0"), "s", "u") == "Blue."


class Collected:
    """Has enough once a brace was closed; keeps what it was given."""

    def __init__(self) -> None:
        self.text = ""

    def reset(self) -> None:
        self.text = ""

    def __call__(self, piece: str) -> bool:
        self.text += piece
        if "!" in self.text:
            raise ValueError(self.text)
        return "}" in self.text


async def test_reasoning_within_the_text_is_shown_as_such_and_not_judged() -> None:
    agent, _ = agent_of(Reviewer, ("<thi", "nk>{}", "!</th", "ink>Blue", ". {}", Finish("stop")))
    turn, ending = RecordingTurn("reviewer-0"), Collected()

    assert await agent.think(turn, "s", "u", is_enough=ending) == "Blue. {}"
    assert ending.text == "Blue. {}"
    assert [each.text for each in turn.all(Thought) if not each.is_reasoning] == ["Blue", ". {}"]


@pytest.mark.parametrize("draft", ["{}", "!", "{} " + "Or not? " * 1_000, "Hm. " * 2_000])
async def test_text_that_turns_out_to_be_reasoning_is_void(draft: str) -> None:
    pieces = ("The example is ", draft, ".\n</think>\n\n", "{1}", *["more"] * 100)
    agent, model = agent_of(Reviewer, pieces)
    ending = Collected()

    text = await agent.think(
        RecordingTurn("reviewer-0"), "s", "u", wants_json=True, is_enough=ending
    )

    assert text.startswith("{1}")
    assert len(text) < 300
    assert ending.text == "\n\n{1}"
    assert model.closed_streams == 1


async def test_what_is_refused_counts_at_the_end_where_it_was_no_reasoning() -> None:
    agent, _ = agent_of(Reviewer, ("Look: !", " and on", Finish("stop")))
    turn = RecordingTurn("reviewer-0")

    with pytest.raises(ValueError, match="Look: !"):
        await agent.think(turn, "s", "u", is_enough=Collected())
    assert turn.thoughts() == "Look: ! and on"


async def test_what_begins_as_it_was_asked_for_is_refused_at_once() -> None:
    agent, _ = agent_of(Reviewer, ("{!", "and on", Finish("stop")))
    turn = RecordingTurn("reviewer-0")

    with pytest.raises(ValueError, match=r"\{!"):
        await agent.think(turn, "s", "u", wants_json=True, is_enough=Collected())
    assert turn.thoughts() == "{!"


class Acted(Collected):
    """Keeps what it was given each time it might act on it."""

    def __init__(self) -> None:
        super().__init__()
        self.settled: list[str] = []

    def settle(self) -> None:
        self.settled.append(self.text)


@pytest.mark.parametrize(
    ("pieces", "settled"),
    [
        (("{", "1", "}"), ["{", "{1", "{1}"]),
        (("Look: {", "}"), []),
        (("Look: {", Delta("Hm.", is_reasoning=True), "}"), ["Look: {", "Look: {}"]),
        (("<think>{", "}</think>", "{2", "}"), ["{2", "{2}"]),
        (("So {1", "}\n</think>\n", "{2", "}"), ["\n", "\n{2", "\n{2}"]),
        (("{1", Restarted("it stalled"), "So {2}"), ["{1"]),
    ],
)
async def test_text_is_acted_on_only_where_it_can_be_no_reasoning(
    pieces: tuple[Said, ...], settled: list[str]
) -> None:
    agent, _ = agent_of(Reviewer, (*pieces, Finish("stop")))
    ending = Acted()

    await agent.think(RecordingTurn("reviewer-0"), "s", "u", wants_json=True, is_enough=ending)

    assert ending.settled == settled


async def test_closing_an_agent_closes_its_parts() -> None:
    agent, model = agent_of(Reviewer)

    await agent.close()

    assert model.is_closed
    assert isinstance(agent.parts.sandbox, FakeSandbox)
    assert agent.parts.sandbox.is_closed


def test_the_package_says_whose_it_is() -> None:
    assert agents.__fleetmind__ is True


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("agents", {"ray", "grpc", "redis", "aiohttp", "pydantic", "numpy", "markdown_it"}),
        (
            "agents.manager, agents.researcher, agents.coder, agents.factory",
            # Numpy may come: the knowledge of every agent's process needs it as well.
            {"ray", "grpc", "redis", "aiohttp", "pydantic"},
        ),
    ],
)
def test_importing_the_agents_is_light(modules: str, heavy: set[str]) -> None:
    program = f"import sys, {modules}; print(*({heavy!r} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)

    assert (done.stdout, done.stderr) == (b"\n", b"")
