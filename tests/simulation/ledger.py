"""What happened in a run, as the oracles need it, and what must never happen at any moment.

The world tells the ledger of every effect: appends to journals, records of steps, executions,
applied envelopes, events that drivers saw. What can be judged at once is judged here; what only
shows at the end is `tests.simulation.oracles`' business. The oracles' numbers are those of
`docs/reliability.md`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from cluster.kernel.envelope import Envelope, Kind, Lane
from cluster.kernel.errors import Cancelled, ClusterError, WireError
from cluster.kernel.events import (
    Answered,
    Event,
    Failed,
    PlanReady,
    StepFinished,
    StepPlanned,
    StepStarted,
)
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.tasks.history import TaskHistory
from cluster.kernel.vocabulary import (
    Assignment,
    ComposeRequest,
    Failure,
    Finding,
    Program,
    Step,
    VerifyRequest,
)
from cluster.memory.journal.port import Ownership
from cluster.runtime.tasks.task_journal import events_of
from cluster.wire.messages import PACKAGE, MessageCodec
from tests.simulation.loop import Process

CODEC = MessageCodec()
RESULTS = (PACKAGE + Finding.__name__, PACKAGE + Program.__name__)
OURS = frozenset({"internal", "wire", "too_large"})
"""Kinds of failures that no fault explains."""
RECORD_PREFIX = "record/"
CANCEL_S = 0.25
CONFIRMED_S = 0.15
"""How old the store's word may be that a Manager owns a task when it begins to think."""
STORE_TROUBLE_S = 3.0
"""So long after a call to the store failed, a process may have missed a record."""


@dataclass(eq=False)
class View:
    """What the driver of a task has seen of it."""

    goal: str
    driver: Process
    timeout_s: float
    task: TaskId = TaskId("")
    events: list[Event] = field(default_factory=list)
    cancelled_at: float | None = None
    ended_at: float = 0.0

    @property
    def is_ended(self) -> bool:
        """Say whether a terminal event was seen."""
        return any(event.is_terminal for event in self.events)


class Ledger:
    """The books of one run; ``violations`` is empty in a good one."""

    def __init__(self) -> None:
        self.is_gentle = False
        """Nothing but models and tools fails."""
        self.ended_at: dict[TaskId, float] = {}
        self.violations: list[str] = []
        self.journals: dict[TaskId, list[Event]] = {}
        self.histories: dict[TaskId, TaskHistory] = {}
        self.views: list[View] = []
        self.executions: defaultdict[tuple[TaskId, StepId], int] = defaultdict(int)
        self.repeated = 0
        """Executions of a step that had been done already, where the store could not say so."""
        self.fenced = 0
        """Writes that were refused because a newer owner or incarnation is there."""
        self.adopted = 0
        self.duplicates = 0
        self.coverage: Counter[str] = Counter()
        """How often each fault came in each state of a plan."""
        self.hedging: Counter[str] = Counter()
        """What became of steps that two replicas did."""
        self.preparing: Counter[str] = Counter()
        """What became of getting ready for steps."""
        self.getting_ready: Counter[tuple[Process, TaskId]] = Counter()
        """How much is being prepared for a task, by each process that lives."""
        self._made: defaultdict[tuple[TaskId, StepId], list[tuple[object, str]]] = defaultdict(list)
        """What each step came to, and with whom: there may have been several attempts."""
        self._step_ended_at: dict[tuple[TaskId, StepId], float] = {}
        self._terms: dict[TaskId, int] = {}
        self._records: dict[str, float] = {}
        """When the record of each step was written, by `task/step`."""
        self._refused: set[str] = set()
        """Steps whose record came from an incarnation that had been replaced."""
        self._looked: dict[tuple[Process, str], float] = {}
        """When the store answered a process that looked for a record, since it last began."""
        self._confirmed: dict[tuple[Process, TaskId], float] = {}
        """When the store last said, in effect, that a process owns a task."""
        self._owners: dict[TaskId, tuple[Process | None, float]] = {}
        """Who has claimed a task last, and when."""
        self._planned_at: dict[TaskId, float] = {}
        self._sealed_at: dict[TaskId, float] = {}
        """When the latest step of a plan was journaled that was still being written."""
        self._trouble_at: dict[str, float] = {}
        self._applied: dict[tuple[Process, str, int, Lane], int] = {}
        self._epochs: dict[tuple[Process, str], int] = {}
        self._applied_ids: set[tuple[Process, bytes]] = set()

    def violate(self, oracle: str, what: str) -> None:
        """Note that something happened that must never happen."""
        self.violations.append(f"{oracle}: {what}")

    def is_adopted(self, task: TaskId) -> bool:
        """Say whether somebody else owned a task before."""
        return self._terms.get(task, 1) > 1

    def term_of(self, task: TaskId) -> int:
        """Return in which term of ownership a task is."""
        return self._terms.get(task, 1)

    # ---- the store -------------------------------------------------------------------------

    def on_effect(
        self, process: Process, name: str, arguments: tuple[Any, ...], result: object, now: float
    ) -> list[Event]:
        """A call took effect at the store, or was refused; return the events it journaled."""
        match name, result:
            case _, ClusterError():
                self.fenced += 1
            case "confirm" | "append", _:
                return self._owned(process, arguments, now)
            case "accept", True:
                self._confirmed[process, arguments[0]] = now
                self._claimed(process, arguments[0], 1, now)
                return self._appended(arguments[0], 1, arguments[2], now)
            case "put_once", False:
                self.fenced += 1
                self._refused.add(_step_of(arguments[1]))
            case "put_once", _:
                self._records[_step_of(arguments[1])] = now
            case "get_many", _:
                for key in arguments[0]:
                    if key.startswith(RECORD_PREFIX):
                        self._looked[process, _step_of(key)] = now
            case "claim", Ownership(term):
                self._claimed_again(process, arguments[0], now)
                self._claimed(process, arguments[0], term, now)
        return []

    def _owned(self, process: Process, arguments: tuple[Any, ...], now: float) -> list[Event]:
        """The owner of a task appended something, or had itself confirmed."""
        task, term = arguments[:2]
        self._confirmed[process, task] = now
        if term != self._terms.get(task):
            self.violate("O2", f"an owner of {task} that was fenced wrote to it")
        if len(arguments) == 2:
            return []
        _, _, index, entries = arguments
        return self._appended(task, index, entries, now)

    def _claimed(self, process: Process, task: TaskId, term: int, now: float) -> None:
        self._terms[task] = term
        self._owners[task] = process, now
        self.adopted += term > 1
        if self.is_gentle and term > 1 and task not in self.ended_at:
            self.violate("O2", f"{process} took {task} from an owner that lives")

    def _claimed_again(self, process: Process, task: TaskId, now: float) -> None:
        """O2: who owns a task does not give it up, but where the store may have said otherwise."""
        owner, since = self._owners.get(task, (None, 0.0))
        trouble_at = self._trouble_at.get(process.name, -STORE_TROUBLE_S)
        may_be_lost = trouble_at > since - STORE_TROUBLE_S or process.thawed_at > since
        if owner is process and not may_be_lost and task not in self.ended_at:
            self.violate("O2", f"{process} gave {task} up, which nobody had taken from it")

    def _appended(
        self, task: TaskId, index: int, entries: Sequence[bytes], now: float
    ) -> list[Event]:
        journal = self.journals.setdefault(task, [])
        events = events_of(entries, CODEC)
        if index <= len(journal):
            there = journal[index - 1 : index - 1 + len(events)]
            if there != events:
                self.violate("O5", f"entry {index} of {task} was written twice: {there}, {events}")
            return []
        for event in events:
            journal.append(event)
            if event.is_terminal:
                self.ended_at[task] = now
            if isinstance(event.detail, Failed) and event.detail.failure.kind in OURS:
                self.violate("O1", f"{task} failed of our own doing: {event.detail.failure}")
            if isinstance(event.detail, StepPlanned):
                self._sealed_at[task] = now
            if isinstance(event.detail, PlanReady):
                self._planned_at[task] = now
                self._planned_once(task, event.detail)
            if isinstance(event.detail, StepFinished):
                self._step_ended_at[task, event.step] = now
                self._reconciled(task, event.step, event.detail)
                self._one_attempts(event, event.detail)
            try:
                self.histories.setdefault(task, TaskHistory()).apply(event)
            except WireError as error:
                self.violate("O1" if event.is_terminal else "O5", str(error))
        return events

    def _reconciled(self, task: TaskId, step: StepId, finished: StepFinished) -> None:
        """O2: a step that was done without some results is done again, or says so.

        Nobody ends it but its owner, who then journals nothing of it any more.
        """
        saw = finished.saw
        if finished.failure is not None and finished.failure.kind == Cancelled.kind:
            self.violate("O2", f"step {step} of {task} was ended, and its task was not")
        if saw is not None and saw.missing and not finished.degraded:
            self.violate("O2", f"step {step} of {task} stands without {', '.join(saw.missing)}")

    def _one_attempts(self, event: Event, finished: StepFinished) -> None:
        """O2: a step's result is what one attempt has made of it, and names who that was."""
        if finished.failure is not None:
            return
        made = self._made[event.task, event.step]
        makers = [agent for value, agent in made if value == finished.value]
        if event.agent not in makers:
            what = f"what {event.agent} made of step {event.step} of {event.task}"
            self.violate("O2", f"{what} is by {' or '.join(makers) or 'nobody'}")

    def _planned_once(self, task: TaskId, ready: PlanReady) -> None:
        """O2: what is asked of an agent is one step, however often its model was asked."""
        steps = Counter((each.agent, each.instruction) for each in ready.plan.steps)
        for (agent, instruction), count in steps.items():
            if count > 1:
                self.violate("O2", f"{task} has {count} steps of the {agent} for {instruction!r}")

    def on_store_trouble(self, process: Process, now: float) -> None:
        """A call of a process to the store failed, or may have."""
        self._trouble_at[process.name] = now

    # ---- executions ------------------------------------------------------------------------

    def _check_end(self, process: Process, task: TaskId, step: StepId, now: float) -> None:
        """O6: where nothing but models fails, work ends soon after its task."""
        ended_at = self.ended_at.get(task, now)
        if self.is_gentle and now > ended_at + CANCEL_S:
            late_s = now - ended_at
            self.violate("O6", f"{process} worked on {step} {late_s:.2f} s after the end of {task}")
        step_ended_at = self._step_ended_at.get((task, step), now)
        if self.is_gentle and now > step_ended_at + CANCEL_S:
            late_s = now - step_ended_at
            self.violate("O6", f"{process} worked on {step} of {task} {late_s:.2f} s after its end")

    def on_start(self, process: Process, assignment: Assignment, task: TaskId, now: float) -> None:
        """An agent begins to work on a step."""
        self._check_end(process, task, assignment.step, now)
        if not any(
            isinstance(event.detail, StepStarted) and event.step == assignment.step
            for event in self.journals.get(task, ())
        ):
            self.violate("O2", f"step {assignment.step} of {task} began before it was journaled")
        name = f"{task}/{assignment.turn_step}"
        looked_at = self._looked.pop((process, name), None)
        recorded_at = self._records.get(name)
        if recorded_at is None:
            return
        self.repeated += 1
        is_excused = now - self._trouble_at.get(process.name, -STORE_TROUBLE_S) < STORE_TROUBLE_S
        is_known = looked_at is None or looked_at > recorded_at or recorded_at < now - CONFIRMED_S
        if is_known and not is_excused:
            self.violate("O2", f"step {name} began at {process} after it was recorded")

    def on_done(
        self, process: Process, task: TaskId, step: StepId, made: object, now: float
    ) -> None:
        """An agent has worked on a step to its end."""
        self._check_end(process, task, step, now)
        self._made[task, step].append((made, process.name))
        self.executions[task, step] += 1

    def on_plan(self, process: Process, task: TaskId, sealed: Sequence[Step], now: float) -> None:
        """A Manager begins to plan, which it must not where it could know of a plan or of steps."""
        confirmed_at = self._confirmed.get((process, task), -CONFIRMED_S)
        planned_at = self._planned_at.get(task, now)
        if planned_at < confirmed_at or planned_at < now - CONFIRMED_S:
            self.violate("O2", f"task {task} was planned again after its plan was journaled")
        history = self.histories.get(task, TaskHistory())
        sealed_at = self._sealed_at.get(task, now)
        is_known = sealed_at < confirmed_at or sealed_at < now - CONFIRMED_S
        if is_known and not set(history.sealed) <= set(sealed):
            self.violate("O2", f"steps of {task} were planned again after they were journaled")
        if confirmed_at < now - CONFIRMED_S:
            self.violate("O2", f"{process} planned {task} without the store's word that it may")

    def on_compose(self, request: ComposeRequest, task: TaskId) -> None:
        """A Manager begins to write the answer: from the journaled results, each once."""
        journaled = {
            event.step: event.detail.failure or event.detail.value
            for event in self.journals.get(task, ())
            if isinstance(event.detail, StepFinished)
        }
        used = {result.step: result.value for result in request.results}
        if len(used) != len(request.results) or used != journaled:
            self.violate("O2", f"the answer of {task} is not made of its journaled results")

    def on_look(self, request: VerifyRequest, task: TaskId) -> None:
        """A Manager looks again at an answer: the journaled one, by the journaled results."""
        self.on_compose(request.composed, task)
        answered = self.journals[task][-1].detail
        if not isinstance(answered, Answered) or answered.answer != request.answer:
            self.violate("O1", f"what was looked at again is not the answer of {task}")

    # ---- delivery --------------------------------------------------------------------------

    def on_applied(
        self,
        process: Process,
        envelope: Envelope,
        newest_epoch: int,
        now: float,
        *,
        is_awaited: bool,
    ) -> None:
        """An envelope reaches its recipient, which knows of this incarnation.

        It has an effect unless it is news of an ask that nobody waits for any longer.
        """
        known = (process, str(envelope.sender))
        self._epochs[known] = newest = max(self._epochs.get(known, 0), newest_epoch)
        if envelope.sender_epoch < newest:
            self.violate("O3", f"{process} applied what a fenced {envelope.sender} sent")
        if envelope.kind is Kind.REPLY and envelope.body_type in RESULTS:
            trouble_at = self._trouble_at.get(envelope.sender, -STORE_TROUBLE_S)
            name = f"{envelope.task}/{envelope.step}"
            is_recorded = name in self._records or name in self._refused
            if not is_recorded and now - trouble_at >= STORE_TROUBLE_S:
                self.violate("O2", f"{envelope.sender} answered {envelope.step} unrecorded")
        key = (process, envelope.sender, envelope.sender_epoch, envelope.lane)
        last = self._applied.get(key, 0)
        if envelope.seq not in {last + 1, 1}:
            self.violate("O3", f"{process} applied {envelope.seq} after {last} of {key[1:]}")
        self._applied[key] = envelope.seq
        if not is_awaited:
            return
        once = (process, bytes(envelope.id))
        if once in self._applied_ids:
            self.violate("O3", f"{process} applied {envelope.kind.name} of {envelope.sender} twice")
        self._applied_ids.add(once)


def _step_of(key: str) -> str:
    """Return the task and step that a record's key names."""
    return key.split("/", 2)[2]


def describe(event: Event) -> str:
    """Return an event as a line of a story."""
    text = f"{event.kind} {event.step}".strip()
    match event.detail:
        case StepStarted(attempt):
            text += f" attempt {attempt} at {event.agent}"
        case StepFinished(outcome, _, Failure(kind, message)):
            text += f" {outcome}: {kind}: {message}"
        case Failed(Failure(kind, message)):
            text += f": {kind}: {message}"
        case StepFinished(value=Finding(said)):
            text += f": {said!r}"
        case StepFinished(value=Program(source)):
            text += f": {source!r}"
    return f"{event.index}. {text}" if event.index else text
