"""A turn that remembers what was emitted, on a clock that stands still unless it is moved."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from cluster.kernel.clock import Deadline
from cluster.kernel.events import AgentDetail, FellBack, Routed, StepPlanned, Thought
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.reads import Reads
from cluster.kernel.vocabulary import Step

DetailT = TypeVar("DetailT")
State = TypeVar("State")


class RecordingTurn:
    """Implements `cluster.kernel.turn.Turn`."""

    def __init__(self, agent: str, step: str = "s1", remaining_s: float = 60.0) -> None:
        self.task = TaskId("t" * 32)
        self.step = StepId(step)
        self.agent = AgentId(agent)
        self.deadline = Deadline(remaining_s)
        self.traceparent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
        self.reads = Reads()
        self.emitted: list[AgentDetail | StepPlanned | Routed] = []
        self.now = 0.0
        self.ready: object = None
        """What the agent has prepared."""
        self.pure_method = ""
        """The method that may edit nothing."""

    def remaining_s(self) -> float:
        return self.deadline.remaining_s(self.now)

    async def prepared(self) -> object:
        ready, self.ready = self.ready, None
        return ready

    def emit(self, detail: AgentDetail | StepPlanned | Routed) -> None:
        self.emitted.append(detail)

    def state(
        self, of: type[State], *, key: str = "", scope: str | None = None
    ) -> AbstractAsyncContextManager[State]:
        raise AssertionError(f"{self.agent} edits {of.__name__}, which no test expects")

    async def open(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        raise AssertionError(f"{self.agent} opens {of.__name__}, which no test expects")

    def peek(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        raise AssertionError(f"{self.agent} looks at {of.__name__}, which no test expects")

    @property
    def stale_s(self) -> float:
        return 0.0

    def publish(self, topic: str, value: object) -> None:
        raise AssertionError(f"{self.agent} publishes {value!r} to {topic}, which no test expects")

    def only_reads(self, method: str) -> None:
        self.pure_method = method

    async def ask(self, recipient: str, message: object, timeout_s: float | None = None) -> object:
        raise AssertionError(f"{self.agent} asked {recipient}, which no test expects")

    def all(self, detail_type: type[DetailT]) -> list[DetailT]:
        """The emitted details of a type."""
        return [detail for detail in self.emitted if isinstance(detail, detail_type)]

    def planned(self) -> list[Step]:
        """The steps that were planned, in order."""
        return [detail.planned for detail in self.all(StepPlanned)]

    def thoughts(self) -> str:
        """All that was thought."""
        return "".join(thought.text for thought in self.all(Thought))

    def fell_back(self) -> list[str]:
        """What was replaced by something plainer."""
        return [detail.what for detail in self.all(FellBack)]
