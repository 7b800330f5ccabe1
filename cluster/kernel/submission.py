"""What a driver says to a Manager of a task as a whole: hands it over, has seen it, wants its end.

They cross processes as the protobuf messages of the same names.
"""

from __future__ import annotations

from dataclasses import dataclass

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.events import Submitted
from cluster.kernel.ids import TaskId
from cluster.kernel.vocabulary import Coherence, Plan

GOAL_CHARS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Submission:
    """A task handed to the cluster; the deadline travels in the envelope.

    The goal has at most `GOAL_CHARS_MAX` characters.
    """

    task: TaskId
    goal: str
    collection: str = ""
    is_again: bool = False
    """It may have been accepted before, by a Manager that the driver can't reach any longer."""
    coherence: Coherence = Coherence.CHAINED
    workflow: Plan | None = None
    """The plan, where the user has declared it: then nobody is asked for one."""
    tokens_max: int = 0
    """Of all model calls together; 0 for no bound."""
    cost_max: float = 0.0
    """As `tokens_max`, in the currency of the models' prices."""
    owner: str = ""
    """Whose task it is: the name of a token of the HTTP ingress; empty for this machine's user."""
    is_detached: bool = False
    """It belongs to the cluster: it goes on when whoever submitted it has gone."""
    conversation: tuple[ChatMessage, ...] = ()
    """What was said before the goal, the oldest first."""

    def accepted(self, now_wall_s: float, allowed_s: float) -> Submitted:
        """Return what says that it was accepted; both instants of that are Unix seconds."""
        return Submitted(
            self.goal,
            self.collection,
            now_wall_s,
            now_wall_s + allowed_s,
            self.coherence,
            self.workflow,
            self.tokens_max,
            self.cost_max,
            self.owner,
            self.is_detached,
            self.conversation,
        )


@dataclass(frozen=True, slots=True)
class CancelTask:
    """Asks a Manager to end a task, whoever has submitted it; answered with its terminal event."""

    task: TaskId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """The driver has seen a task's events up to a number of its journal."""

    task: TaskId
    index: int
