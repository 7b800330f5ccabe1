"""The conflicts of shared state that a task is to decide: shown, decided, or said to be open.

One `ConflictDesk` a run, which looks at the documents that the results of steps say they were made
from. Who decides what is said in `cluster.kernel.state.deciding`. A decision has an identity made
of what it decides: of two Managers that make it, in the course of an adoption, the first counts.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cluster.kernel.clock import Deadline
from cluster.kernel.decisions import ConflictDecision, ConflictRequest, Rival
from cluster.kernel.errors import AgentFailed, ClusterError
from cluster.kernel.events import ConflictSide, StateConflicted, StepFinished
from cluster.kernel.ids import NO_STEP, NO_TASK, StepId
from cluster.kernel.reads import class_of
from cluster.kernel.roles import MANAGER
from cluster.kernel.state.conflicts import Conflict, Sibling
from cluster.kernel.state.deciding import (
    LeftOpen,
    Settled,
    deciding_task,
    judged,
    resolution_step,
)
from cluster.kernel.state.stamps import Writer
from cluster.kernel.state.values import ABSENT, Slot, canonical_text
from cluster.kernel.time_shares import DECIDE_SHARE
from cluster.memory.state.entries import StepKey
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.document import Document, trusted_conflicts
from cluster.runtime.tasks.context import TaskContext
from cluster.runtime.tasks.task_story import TaskStory
from cluster.wire.failure import failure_from_error

_log = logging.getLogger(__name__)

LOOK_S = 1.0
"""So long the store may take to say what a document is like."""
DECIDE_S = 20.0
"""So long a decision may take."""
SHOWN_CHARS = 200

AskManager = Callable[[ConflictRequest, StepId, Deadline], Awaitable[ConflictDecision]]
"""Has the Manager of the task decide."""


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A conflict as it was seen."""

    document: Document
    conflict: Conflict
    version: int
    step: StepId
    """What its decision is called."""

    @property
    def place(self) -> str:
        """Where it is."""
        field, key = self.conflict.field, self.conflict.key
        return field if key is None else f"{field}[{key}]"

    def told(self, reason: str = "") -> str:
        """Return the sentence that an answer is given with while nobody has decided.

        Args:
            reason: why who was asked has not, if that is known.
        """
        why = f": {reason.rstrip('.')}" if reason else ""
        differing = " and ".join(_author(each.writer) for each in self.conflict.siblings)
        return (
            f"What {differing} have written to {self.place} of {self.document.name} differs, and "
            f"nobody has decided between them yet{why}."
        )


class ConflictDesk:
    """Looks for conflicts, has each decided once, and knows which are open.

    Args:
        story: of the task.
        context: what its owner works with.
        ask_manager: has the Manager decide what belongs to nobody else.
    """

    def __init__(self, story: TaskStory, context: TaskContext, ask_manager: AskManager) -> None:
        self._story = story
        self._context = context
        self._ask_manager = ask_manager
        self._seen: set[StepId] = set()
        self._reasons: dict[StepId, str] = {}
        """Why a decision failed."""
        self._deciding: set[asyncio.Task[None]] = set()

    async def look(self) -> Sequence[OpenConflict]:
        """Return what is in conflict; what is so newly is shown, and begun to be decided."""
        open_ones = await self._open_ones()
        for found in open_ones:
            if found.step not in self._seen:
                self._seen.add(found.step)
                self._story.begin(_shown(found), NO_STEP, self._context.agent)
                work = asyncio.create_task(self._decide(found), name=f"decide {found.step}")
                self._deciding.add(work)
                work.add_done_callback(self._deciding.discard)
        return open_ones

    async def undecided(self) -> tuple[str, ...]:
        """Return what is said of the conflicts that are open when the answer is written."""
        open_ones = await self.look()
        if self._deciding:
            timeout_s = min(DECIDE_S, self._context.remaining_s() * DECIDE_SHARE)
            await asyncio.wait(list(self._deciding), timeout=timeout_s)
            open_ones = await self._open_ones()
        return tuple([found.told(self._reasons.get(found.step, "")) for found in open_ones])

    async def close(self) -> None:
        """Decide nothing any more."""
        deciding = list(self._deciding)
        for work in deciding:
            work.cancel()
        await asyncio.gather(*deciding, return_exceptions=True)

    # ---- finding ---------------------------------------------------------------------------

    async def _open_ones(self) -> Sequence[OpenConflict]:
        documents = await asyncio.gather(*map(self._current, self._names()))
        return [found for each in documents if each is not None for found in self._own(each)]

    def _names(self) -> list[str]:
        """Return the documents that results were made from; an earlier owner's count as well."""
        names: dict[str, None] = {}
        for event in self._story.journal.events:
            detail = event.detail
            if isinstance(detail, StepFinished) and detail.saw is not None:
                names |= dict.fromkeys(each.document for each in detail.saw.states)
        return list(names)

    async def _current(self, name: str) -> Document | None:
        documents = self._context.documents
        if documents is None:
            return None
        try:
            async with asyncio.timeout(LOOK_S):
                return await documents.open(name, is_fresh=True)
        except (ClusterError, TimeoutError) as error:
            _log.info("%s can't be looked at for conflicts: %s", name, error)
            return None

    def _own(self, document: Document) -> list[OpenConflict]:
        """Return the conflicts of a document that are this task's business."""
        name = document.name
        return [
            OpenConflict(
                document,
                conflict,
                document.version,
                resolution_step(name, document.incarnation, conflict),
            )
            for conflict in trusted_conflicts(document)
            if deciding_task(name, conflict) == self._context.trace.task
        ]

    # ---- deciding --------------------------------------------------------------------------

    async def _decide(self, found: OpenConflict) -> None:
        """Have a conflict decided; it stays open where nobody can, or where that fails."""
        document = found.document
        document.readers.count += 1
        try:
            async with asyncio.timeout(DECIDE_S):
                await self._resolve(found)
        except TimeoutError:
            self._leave(found, f"the decision took longer than {DECIDE_S:g} s")
        except ClusterError as error:
            self._leave(found, str(error))
        except Exception as error:  # noqa: BLE001 - a handler's, and the task goes on
            _log.exception("%s of %s could not be decided", found.place, document.name)
            self._reasons[found.step] = failure_from_error(error).message
        finally:
            document.readers.count -= 1

    def _leave(self, found: OpenConflict, reason: str) -> None:
        self._reasons[found.step] = reason
        _log.warning("%s of %s stays undecided: %s", found.place, found.document.name, reason)

    async def _resolve(self, found: OpenConflict) -> None:
        judgement = judged(found.conflict)
        if isinstance(judgement, LeftOpen):
            return
        value: Slot
        if isinstance(judgement, Settled):
            value = judgement.sibling.value
        else:
            decision = await self._asked(found)
            if decision.is_left_open:
                return
            value = json.loads(decision.value) if decision.value else ABSENT
        if found.conflict not in found.document.conflicts:
            return  # somebody has decided it, or there is more to decide now
        attempt = EditAttempt(StepKey(NO_TASK, found.step), self._context.agent)
        found.document.resolve(attempt, found.conflict, value, at=found.version)
        await attempt.flushed()

    async def _asked(self, found: OpenConflict) -> ConflictDecision:
        """Return what the owner of the field decides: the agent that says so, else the Manager."""
        context = self._context
        request = _request(found, self._story.submitted.goal)
        deadline = context.deadline.sooner(DECIDE_S, context.clock.now())
        role = await self._owner(f"{request.state}.{request.field}")
        if role is None:
            return await self._ask_manager(request, found.step, deadline)
        agent = await context.asker.replica_of(role, frozenset())
        reply = await context.asker.ask(context.envelope(agent, request, found.step, deadline))
        if not isinstance(reply, ConflictDecision):
            raise AgentFailed(f"{agent} answered a conflict with {type(reply).__name__}")
        return reply

    async def _owner(self, field: str) -> str | None:
        registered = await self._context.directory.all()
        roles = {each.role for each in registered if field in each.decides} - {MANAGER}
        return min(roles, default=None)


def _author(writer: Writer) -> str:
    author = writer.stamp.author or "nobody"
    return author if writer.is_person or not writer.step else f"{author} ({writer.step})"


def _shown(found: OpenConflict) -> StateConflicted:
    conflict = found.conflict
    sides = tuple([_side(each) for each in conflict.siblings])
    return StateConflicted(found.document.name, conflict.field, conflict.key or "", sides)


def _side(sibling: Sibling) -> ConflictSide:
    writer = sibling.writer
    value = _json(sibling.value)[:SHOWN_CHARS]
    return ConflictSide(value, writer.stamp.author, writer.step, writer.version)


def _request(found: OpenConflict, goal: str) -> ConflictRequest:
    conflict, name = found.conflict, found.document.name
    rivals = tuple(
        [
            Rival(_json(each.value), each.writer.stamp.author, each.writer.step)
            for each in conflict.siblings
        ]
    )
    return ConflictRequest(
        name,
        class_of(name),
        conflict.field,
        conflict.key is not None,
        conflict.key or "",
        rivals,
        goal,
    )


def _json(value: Slot) -> str:
    return "" if value is ABSENT else canonical_text(value)
