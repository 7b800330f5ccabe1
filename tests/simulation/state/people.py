"""People that edit, undo, decide and delete documents, and readers that look at them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from cluster.kernel.errors import ClusterError, StoreUnavailable
from cluster.kernel.ids import TaskId
from cluster.kernel.state.edits import Edit
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents
from cluster.state.editing import Editing
from tests.simulation.loop import Process
from tests.simulation.state.board import PLACES, Board, Left, Place, leave
from tests.simulation.state.world import HOSTS, StateWorld

ACTS = (2, 8)
KINDS = ("edit", "edit", "edit", "edit", "revert", "resolve", "delete")
PATIENCE_S = 1.5
OPENED_S = 2.5
LOOKED_AT_EVERY_S = (0.1, 1.2)


@dataclass(frozen=True, slots=True)
class Act:
    """What a person is going to do."""

    at: float
    kind: str
    place: Place
    task: TaskId


class Person:
    """Does what is left to be done, from the driver, whichever process that is."""

    def __init__(self, world: StateWorld, seed: int, tasks: Sequence[TaskId]) -> None:
        self._world = world
        self._random = rng = random.Random(f"state person {seed}")
        acts = [
            Act(
                rng.uniform(0.0, world.horizon_s * 0.9),
                rng.choice(KINDS),
                rng.choice(PLACES),
                rng.choice(tasks),
            )
            for _ in range(rng.randint(*ACTS))
        ]
        self.left = sorted(acts, key=lambda act: act.at)

    async def run(self, process: Process) -> None:
        """Act, one after the other."""
        documents = self._world.documents[process]
        while self.left:
            act = self.left[0]
            await asyncio.sleep(max(0.0, act.at - self._world.loop.time()))
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._act(process, documents, act)
            except (ClusterError, TimeoutError) as error:
                self._world.note(process, f"could not {act.kind} {act.place}: {error!r}")
            self.left.pop(0)

    async def _act(self, process: Process, documents: Documents, act: Act) -> None:
        name = act.place.name(act.task)
        if act.kind == "delete":
            if act.place.scope == "cluster":
                await documents.delete(name)
            return
        document = await documents.open(name, ttl_s=act.place.ttl_s)
        person = documents.person("ann")
        if act.kind == "edit":
            await self._edit(process, documents, document, act)
            return
        if act.kind == "resolve" and document.conflicts:
            conflict = self._random.choice(document.conflicts)
            document.resolve(person, conflict, conflict.siblings[-1].value)
        elif act.kind == "revert":
            history = document.fold.history
            edits = [each.entry.version for each in history if isinstance(each.entry.body, Edit)]
            if edits:
                document.revert(person, self._random.choice(edits))
        await document.flushed()
        self._world.note(process, f"did {act.kind} {name}")

    async def _edit(
        self, process: Process, documents: Documents, document: Document, act: Act
    ) -> None:
        person = documents.person("ann")
        marks = [self._world.mark() for _ in range(self._random.choice((1, 1, 1, 4)))]
        for mark in marks:
            seen, editing = document.version, Editing(Board, document.fields)
            await asyncio.sleep(self._random.choice((0.0, 0.0, 0.1)))
            leave(mark, editing.model, self._random)
            document.edit(person, editing.finish(), at=seen)
            self._world.note(process, f"left {mark} on {document.name}")
        await document.flushed()
        for mark in marks:
            self._world.ledger.on_acknowledged(Left(document.name, mark))


class Reader:
    """Looks at the documents of a process, as long as it runs."""

    def __init__(self, world: StateWorld, process: Process) -> None:
        self._world = world
        self._process = process
        self._documents = world.documents[process]
        self._random = random.Random(f"reader {process} {world.rng.random()}")

    async def run(self) -> None:
        """Look until the process leaves; some processes look at all there is, others don't."""
        rng = self._random
        opened = rng.sample(PLACES[1:], rng.randint(0, 2)) if self._process.name in HOSTS else []
        for place in opened:
            await self._open(place)
        while self._world.is_serving(self._process):
            for keeper in list(self._documents._keepers.values()):
                self._world.ledger.on_look(self._process, keeper.document)
            await asyncio.sleep(rng.uniform(*LOOKED_AT_EVERY_S))

    async def _open(self, place: Place) -> None:
        try:
            await self._documents.open(place.name(TaskId("t0")), ttl_s=place.ttl_s)
        except StoreUnavailable as error:
            self._world.note(self._process, f"could not open {place}: {error}")
        except ClusterError:
            return  # it is leaving
