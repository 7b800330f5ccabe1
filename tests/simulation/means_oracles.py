"""What must hold of bounds, routes, plainer models and answers of before; told by `means`.

B1 no step begins, and no model writes the answer, once the journal says that the task has used up
its bound; what a step has used is journaled with it, whoever has its result and from where. B2 a
task whose user is asked has no plan. B3 an answer of before is a whole one to the same question,
and says so. B4 what was given up is told with the answer: by plainer models, the plan and the
steps, whoever has journaled it. B5 a goal is answered where its journal says that it goes, and a
function is called under one key. B6 what a model has taken back is nobody's result.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.models.port import Asker
from agents.routing.functions import RouteCall
from cluster.kernel.errors import ModelError
from cluster.kernel.events import (
    Answered,
    Clarified,
    Event,
    PlanReady,
    Routed,
    StepFinished,
    StepPlanned,
    StepStarted,
    Submitted,
)
from cluster.kernel.ids import NO_AGENT, PLAN_STEP, StepId, TaskId
from cluster.kernel.tasks.budget import KEPT_FOR_ANSWER
from cluster.kernel.usage import Usage
from cluster.kernel.vocabulary import Answer, ComposeRequest
from cluster.memory.kept_answers import Question
from cluster.runtime.tasks.task_journal import events_of
from tests.simulation.ledger import CODEC, Ledger
from tests.simulation.loop import Process

_CALL = re.compile(r"by call (\d+)")
_WRITTEN = re.compile(r"The answer was written by call (\d+)")
_REMEMBERED = re.compile(r"This was known before as number (\d+)")
KEPT_PREFIX = "answer/"


@dataclass(frozen=True, slots=True)
class _Call:
    """One call of a model."""

    task: TaskId
    step: StepId


class MeansBooks:
    """Who said what of a task, so that its journal can be judged."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.tallies: Counter[str] = Counter()
        self._calls: dict[int, _Call] = {}
        self._reasons: dict[int, str] = {}
        """Why a plainer model answered a call."""
        self._planning: defaultdict[tuple[Process, TaskId, int], list[str]] = defaultdict(list)
        """The same, of the calls that a term of ownership has planned with."""
        self._sealed: defaultdict[TaskId, list[str]] = defaultdict(list)
        """The same, as the journal has it with steps of a plan that is not whole."""
        self._remembered: list[Question] = []
        self._keys: dict[TaskId, str] = {}
        self._taken_back: set[int] = set()

    # ---- what happens ----------------------------------------------------------------------

    def on_call(self, asker: Asker, call: int) -> None:
        """A model is asked."""
        self._calls[call] = _Call(TaskId(asker.task), StepId(asker.step))

    def fell_back(self, process: Process, asker: Asker, call: int) -> str:
        """Return why a plainer model answers a call."""
        reason = self._reasons[call] = f"a plain model answers in place of a deep one, call {call}!"
        if asker.step == PLAN_STEP:
            task = TaskId(asker.task)
            self._planning[process, task, self._ledger.term_of(task)].append(reason)
        return reason

    def taken_back(self, call: int) -> ModelError:
        """Return the error of a call whose model takes back what it has said."""
        self._taken_back.add(call)
        error = ModelError("the endpoint took its answer back")
        error.is_withdrawal = error.is_askers_fault = True
        return error

    def remembered(self, question: Question) -> str:
        """Return the text of an answer of before to a question."""
        self._remembered.append(question)
        return f"This was known before as number {len(self._remembered) - 1}."

    def on_function(self, call: RouteCall, name: str) -> None:
        """B5: a function is called for what its journal sends there, under one key."""
        self.tallies["function calls"] += 1
        if self._keys.setdefault(call.task, call.idempotency_key) != call.idempotency_key:
            self._ledger.violate("B5", f"{name} was called under two keys for {call.task}")
        if self._route(call.task) != name:
            self._ledger.violate("B5", f"{name} was called for {call.task}, which goes elsewhere")

    def on_compose(self, request: ComposeRequest, task: TaskId) -> None:
        """B5, B1: the answer comes from where the goal goes, and of no model beyond the bound."""
        if request.route != self._route(task):
            self._ledger.violate("B5", f"the answer of {task} is asked of {request.route!r}")
        if self._is_used_up(self._ledger.journals.get(task, ()), 1.0) and not request.lacks:
            self._ledger.violate("B1", f"the answer of {task} is begun beyond its bound")

    def on_event(self, process: Process, event: Event) -> None:
        """A fact was journaled."""
        task, term = event.task, self._ledger.term_of(event.task)
        match event.detail:
            case StepPlanned(_, degraded):
                self._sealed[task] += degraded
            case PlanReady(plan, degraded) if plan.steps:
                self._told(task, self._planning.pop((process, task, term), ()), degraded)
                self._told(task, self._sealed.pop(task, ()), degraded)
            case Answered(answer):
                self._check_taken_back(task, answer.text)
            case StepFinished(failure=None) as finished:
                self._check_taken_back(task, repr(finished.value))
                self._on_finished(task, event.step, finished)

    def _check_taken_back(self, task: TaskId, text: str) -> None:
        if used := self._taken_back & {int(call) for call in _CALL.findall(text)}:
            self._ledger.violate("B6", f"{task} uses the calls {used}, which were taken back")

    def _on_finished(self, task: TaskId, step: StepId, finished: StepFinished) -> None:
        calls = map(int, _CALL.findall(repr(finished.value)))
        said = [call for call in calls if self._calls.get(call) == _Call(task, step)]
        self._told(task, self._why(said), finished.degraded)
        if said and not (finished.spent and finished.spent.model_calls):
            self._ledger.violate("B1", f"step {step} of {task} doesn't say what it has used")

    def on_put(self, items: Mapping[str, bytes]) -> None:
        """B3: an answer that is kept is one that a task has ended with, and nothing is amiss."""
        for key, entry in items.items():
            if not key.startswith(KEPT_PREFIX):
                continue
            [event] = events_of([entry], CODEC)
            assert isinstance(event.detail, Answered)
            self.tallies["answers kept"] += 1
            ends = [events[-1].detail for events in self._ledger.journals.values() if events]
            answers = [end.answer for end in ends if isinstance(end, Answered)]
            if event.detail.answer.degraded or event.detail.answer not in answers:
                self._ledger.violate("B3", f"{event.detail.answer.text!r} is kept")

    def _why(self, calls: Iterable[int]) -> list[str]:
        return [self._reasons[call] for call in calls if call in self._reasons]

    def _told(self, task: TaskId, reasons: Iterable[str], degraded: Sequence[str]) -> None:
        """B4: each of these is among what the answer is to say."""
        for reason in reasons:
            self.tallies["plainer models told"] += 1
            if not any(reason in text for text in degraded):
                self._ledger.violate("B4", f"{task} doesn't say that {reason}")

    # ---- what came of it -------------------------------------------------------------------

    def judge(self) -> None:
        """Judge all journals."""
        for task, events in self._ledger.journals.items():
            self._judge_budget(task, events)
            last = events[-1].detail if events else None
            if isinstance(last, Clarified):
                self._judge_question(task, events)
            elif isinstance(last, Answered):
                self._judge_answer(task, events, last.answer)

    def _judge_budget(self, task: TaskId, events: Sequence[Event]) -> None:
        """B1, by the journal alone; who has a step gets it again where its agent was restarted."""
        agents = defaultdict[StepId, str](lambda: NO_AGENT)
        for number, event in enumerate(events):
            if not isinstance(event.detail, StepStarted):
                continue
            is_again = agents[event.step] == event.agent
            agents[event.step] = event.agent
            if not is_again and self._is_used_up(events[:number], 1.0 - KEPT_FOR_ANSWER):
                self._ledger.violate("B1", f"step {event.step} of {task} began beyond its bound")
        self.tallies["bounds reached"] += self._is_used_up(events, 1.0 - KEPT_FOR_ANSWER)

    def _is_used_up(self, events: Sequence[Event], part: float) -> bool:
        """Say whether what ended has used so much of what the task may use, as its journal says."""
        submitted = events[0].detail if events else None
        if not isinstance(submitted, Submitted):
            return False
        used = [
            event.detail.spent or Usage()
            for event in events
            if isinstance(event.detail, PlanReady | StepFinished)
        ]
        tokens = sum(each.prompt_tokens + each.completion_tokens for each in used)
        cost = sum(each.cost for each in used)
        tokens_max, cost_max = submitted.tokens_max * part, submitted.cost_max * part
        return bool((tokens_max and tokens >= tokens_max) or (cost_max and cost >= cost_max))

    def _judge_question(self, task: TaskId, events: Sequence[Event]) -> None:
        """B2: nothing was planned."""
        self.tallies["clarified"] += 1
        if any(isinstance(event.detail, PlanReady | StepPlanned | StepStarted) for event in events):
            self._ledger.violate("B2", f"the user of {task} is asked, and there is a plan")

    def _judge_answer(self, task: TaskId, events: Sequence[Event], answer: Answer) -> None:
        question = self._question_of(answer, task)
        if question is None:
            lost = [text for text in _given_up(events) if text not in answer.degraded]
            if lost:
                self._ledger.violate("B4", f"the answer of {task} doesn't say {lost}")
            written = map(int, _WRITTEN.findall(answer.text))
            self._told(task, self._why(written), answer.degraded)
            return
        self.tallies["answers of before"] += 1
        submitted = events[0].detail
        assert isinstance(submitted, Submitted)
        if question != (submitted.goal, submitted.collection):
            self._ledger.violate("B3", f"{task} is answered as {question} was")
        if not answer.degraded:
            self._ledger.violate("B3", f"{task} is answered as before, and it isn't said")

    def _question_of(self, answer: Answer, task: TaskId) -> tuple[str, str] | None:
        """Return which question had an answer before this task; None where it is this one's."""
        if found := _REMEMBERED.search(answer.text):
            question = self._remembered[int(found[1])]
            return question.goal, question.collection
        written = _WRITTEN.search(answer.text)
        other = self._calls[int(written[1])].task if written else task
        if other == task:
            return None
        submitted = self._ledger.journals[other][0].detail
        assert isinstance(submitted, Submitted)
        return submitted.goal, submitted.collection

    def _route(self, task: TaskId) -> str:
        """Return where the journal says that a goal goes."""
        details = [event.detail for event in self._ledger.journals.get(task, ())]
        routes = [detail.route for detail in details if isinstance(detail, Routed)]
        return routes[-1] if routes else ""


def _given_up(events: Sequence[Event]) -> list[str]:
    """Return what the plan and the steps of a task have to say beside the answer."""
    details = [event.detail for event in events]
    return [
        text
        for detail in details
        if isinstance(detail, PlanReady | StepFinished)
        for text in detail.degraded
    ]
