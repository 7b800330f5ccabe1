"""The workload 'report' on real agents with the policies of a real model, and what must hold of it.

Every answer of the endpoint has a mark in each of its sentences, steps and programs: so that what
came of it can be told from what came of another one.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agents.models.build import model_of
from agents.models.endpoint.options import NO_HEADERS
from agents.models.port import Model
from agents.models.simulated.script import Line, Lines
from benchmarks.model_server import Entry, ModelServer, model_server
from benchmarks.workloads import WORKLOADS, passage_text
from cluster.kernel.events import FellBack, Hedged, Spent, StepPlanned, Thought
from cluster.kernel.sections import (
    NO_ENGINE,
    EngineSettings,
    ModelEntry,
    ModelSettings,
    ModelTier,
)
from cluster.kernel.tail.endpoint_speed import KNOWN_MIN
from tests.support.agents import AgentCluster, ModelByStep, Outcome, endpoint

GOAL = "Write a report on the market with a program that adds up its table."
PAGE = (
    f"{passage_text()}\nThis part says what is known about the whole report and where it was found."
)
ROLES = ("manager", "researcher", "coder")
USUAL = (
    (
        "Nothing of what the model wrote could be confirmed; the documents' own lines stand in its"
        " place."
    ),
    "Nothing in the model's answer is cited; what the findings cite was put after it.",
    "Sentences left out of the answer because no source says them: 1.",
)
"""What is said of a report though nothing goes wrong: its words are no evidence."""
ATTEMPTS_MAX = 3
"""Requests of a call before its first words, hedges aside."""
_LETTERS = "abcdefghij"
_MARK = re.compile(r"mark([a-j]{3})")
_MARKED = {
    "This part says": "This part, {}, says",
    "Find out": "Find out for {}",
    "# adds up": "# {} adds up",
}
_TOKENS_PER_PIECE = 10
_FIRST_TOKEN_S = 0.2
"""What it is known to take: a call that takes longer is hedged."""
_SLOW_FIRST_TOKEN_S = 5.0
"""Of replicas: what fails at one has failed before the call is hedged."""


@dataclass
class MarkedLines(Mapping[str, Mapping[str, Line]]):
    """The words of 'report', marked with the number of the request that they are an answer to."""

    server: ModelServer
    pieces: dict[int, int] = field(default_factory=dict)
    """By request, of how many pieces its answer is."""

    def __getitem__(self, agent: str) -> Mapping[str, Line]:
        number = len(self.server.log) - 1
        lines = {step: _marked(line, number) for step, line in WORKLOADS["report"][agent].items()}
        if line := lines.get(self.server.log[number].step):
            self.pieces[number] = len(line.pieces())
        return lines

    def __iter__(self) -> Iterator[str]:
        return iter(WORKLOADS["report"])

    def __len__(self) -> int:
        return len(WORKLOADS["report"])

    def entry(self, mark: str) -> Entry:
        """Return the request whose answer has a mark."""
        return self.server.log[_number(mark)]

    def is_whole(self, mark: str) -> bool:
        """Say whether all of the answer has been sent that has a mark."""
        return self.entry(mark).tokens == self.pieces[_number(mark)]


def _marked(line: Line, number: int) -> Line:
    mark = "mark" + "".join(_LETTERS[int(digit)] for digit in f"{number:03}")
    text = line.text
    for words, marked in _MARKED.items():
        text = text.replace(words, marked.format(mark))
    return Line(text, line.tokens // _TOKENS_PER_PIECE)


def _number(mark: str) -> int:
    return int("".join(str(_LETTERS.index(letter)) for letter in mark))


def built(base_url: str, first_s: float = _FIRST_TOKEN_S, **others: ModelEntry) -> Model:
    """Return [model] with all its policies, and [models.NAME]; how fast they are is known."""
    main = ModelSettings(uri="openai:simulated", base_url=base_url)
    made = model_of(main, "", others, {}, _adapter)
    for speed in made.speeds.values():
        for _ in range(KNOWN_MIN):
            speed.first_s.add(first_s)
    return made.model


def _entry(base_url: str, tier: ModelTier) -> ModelEntry:
    return ModelEntry(uri="openai:other", base_url=base_url, tier=tier)


def _adapter(
    uri: str,
    *,
    base_url: str = "",
    api_key: str = "",
    engine: EngineSettings = NO_ENGINE,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Model:
    return endpoint(base_url, api_key)  # whatever is named, the server says the same


def _check_nothing_is_mixed(outcome: Outcome, lines: MarkedLines) -> None:
    """Assert that what is used of a call is one whole attempt's, but for a plan whole steps.

    Of a text that its model could not end, whole sentences are, and that is said.
    """
    for text in _results(outcome):
        by_step: dict[str, set[str]] = {}
        for mark in set(_MARK.findall(text)):
            by_step.setdefault(lines.entry(mark).step, set()).add(mark)
        for step, marks in by_step.items():
            assert len(marks) == 1, f"two attempts at {step} are joined in {text!r}"
            may_lack_its_end = step == "plan" or _has_run_out(outcome, step)
            is_whole = may_lack_its_end or all(map(lines.is_whole, marks))
            assert is_whole, f"{step} is cut short in {text!r}"


def _has_run_out(outcome: Outcome, step: str) -> bool:
    """Say whether the user is told that a step's model could not end its text."""
    told = f"{step}: the model ran out of its length"
    return not outcome.has_failed and told in outcome.degraded


def _results(outcome: Outcome) -> Iterator[str]:
    """Yield what a task has used of its model: planned steps, and what it was answered with.

    Sentences that were shown for good before a stream broke stay in the answer, each as it is.
    """
    for event in outcome.events:
        if isinstance(event.detail, StepPlanned):
            yield event.detail.planned.instruction
    if not outcome.has_failed:
        answer = outcome.answer
        thoughts = [e.detail for e in outcome.events if isinstance(e.detail, Thought)]
        final = "".join(thought.text for thought in thoughts if thought.is_final).strip()
        assert final in answer.text
        yield answer.text.replace(final, "", 1)
        yield "\n".join(each.program.source for each in answer.programs)


def _check_void_is_said(outcome: Outcome) -> None:
    """Assert that between the words of two attempts at a call, it is said that there are.

    A step may take several calls: each ends with what it has used. Those of a plan may overlap.
    """
    speaking: dict[str, str] = {}
    for event in outcome.events:
        match event.detail:
            case FellBack() | Spent(on="model"):
                speaking.pop(event.step, None)
            case Thought(text, is_final=False) if event.step != "plan":
                for mark in _MARK.findall(text):
                    assert speaking.setdefault(event.step, mark) == mark, event


def _check_attempts(outcome: Outcome, *servers: ModelServer, waited: int = 0) -> None:
    """Assert that no call has made more requests than it may, but for those that found no room."""
    hedged: Counter[str] = Counter(e.step for e in outcome.events if isinstance(e.detail, Hedged))
    log = [entry for server in servers for entry in server.log]
    calls = Counter((entry.step, str(entry.prompt)) for entry in log)
    for (step, _), requests in calls.items():
        most = ATTEMPTS_MAX + hedged[step] + waited
        assert requests <= most, f"{requests} requests at {step}"


@dataclass(frozen=True)
class Reported:
    """A report task that has ended, and what its endpoints were asked."""

    outcome: Outcome
    url: str
    """Of the endpoint that misbehaves."""
    server: ModelServer
    other: ModelServer

    @property
    def said(self) -> str:
        """What the user is told of what went wrong."""
        if not self.outcome.has_failed:
            return "\n".join(line for line in self.outcome.answer.degraded if line not in USUAL)
        message = self.outcome.failure.message
        assert "\n" not in message
        return message


async def report(
    fault: str,
    place: str,
    folder: Path,
    *,
    beside: str = "",
    timeout_s: float = 60.0,
    text: str = PAGE,
    waited: int = 0,
) -> Reported:
    """Have a report made whose endpoint misbehaves at one place, and check what always holds.

    Args:
        fault: a name of `benchmarks.model_faults`, or the base URL of an endpoint.
        place: the step whose calls go there; none for all.
        folder: for the documents.
        beside: ``small`` where a smaller model works, ``replica`` where another replica does,
            which is not the first to be asked.
        timeout_s: the task's deadline.
        text: of the documents.
        waited: how many requests find no room at the endpoint.
    """
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    async with model_server() as server, model_server() as other, AgentCluster() as cluster:
        server.lines = lines = MarkedLines(server)
        other.lines = _shortened()
        url = fault if "://" in fault else server.fault_url(fault)
        match beside:
            case "small":
                faulty = built(url, small=_entry(other.base_url, "fast"))
            case "replica":  # of two, the second one is asked first
                faulty = built(other.base_url, _SLOW_FIRST_TOKEN_S, replica=_entry(url, "deep"))
            case _:
                faulty = built(url)
        sound = built(server.base_url) if place else faulty
        model = ModelByStep(sound, {place: faulty} if place else {})
        for role in ROLES:
            await cluster.add_real(role, model)
        collection = await cluster.learn(page)
        async with asyncio.timeout(timeout_s):
            outcome = await cluster.outcome(GOAL, timeout_s, collection=collection)
    _check_nothing_is_mixed(outcome, lines)
    _check_void_is_said(outcome)
    _check_attempts(outcome, server, other, waited=waited)
    return Reported(outcome, url, server, other)


def _shortened() -> Lines:
    """Return the words of 'report' without marks, in fewer pieces."""
    return {
        agent: {
            step: Line(line.text, line.tokens // _TOKENS_PER_PIECE) for step, line in of.items()
        }
        for agent, of in WORKLOADS["report"].items()
    }
