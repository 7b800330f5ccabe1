"""What a durable event costs: one append through the journal on the embedded Redis, synced to disk.

The event is the end of a research step, encoded as the Manager encodes it; the clock runs from the
event to the acknowledged append. Each round starts new tasks and alternates between the embedded
server's own setting and the weaker ``everysec``, whose difference is what the disk's sync costs.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from redis import Redis

from benchmarks.harness import Figure, Goal, sample_figure
from cluster.kernel.events import Event, StepFinished
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.vocabulary import Citation, Finding
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore
from cluster.wire.messages import MessageCodec

EVENTS_PER_TASK = 16
TASKS_PER_ROUND = 16
AT_ONCE = 64
OWNER = Owner(AgentId("manager-0"), 1)
QUOTE = "The share of renewable energy in gross electricity use rose to 51.8 percent in 2023."
FINDING = Finding(
    text=" ".join(f"{QUOTE} [{number}]" for number in range(1, 9)),
    citations=tuple(Citation(f"energy/report-{n}.md", n, n + 1, QUOTE) for n in range(1, 9)),
)


def _event(task: TaskId, index: int) -> Event:
    detail = StepFinished("finished", value=FINDING)
    return Event(0.5 * index, task, AgentId("researcher-0"), StepId("r1"), detail, index)


ENTRY = MessageCodec().encode(_event(TaskId("alone-0"), 1))[1]


@dataclass(slots=True)
class Samples:
    """Times of single appends, in milliseconds."""

    alone: list[float] = field(default_factory=list)
    everysec: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    """The same bytes added to a file of our own beside the server's, and synced."""
    at_once: list[float] = field(default_factory=list)
    """Each while `AT_ONCE` tasks append at the same time, synced."""


async def _append_ms(journal: RedisJournal, codec: MessageCodec, task: TaskId) -> list[float]:
    """Return how long each of the appends to a new task took, one after another."""
    await journal.claim(task, OWNER)
    taken = []
    for index in range(1, EVENTS_PER_TASK + 1):
        event = _event(task, index)
        started = time.perf_counter()
        _, entry = codec.encode(event)
        await journal.append(task, 1, index, [entry])
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def _synced_write_ms(file: int, content: bytes) -> float:
    started = time.perf_counter()
    os.write(file, content)
    os.fdatasync(file)
    return (time.perf_counter() - started) * 1000


async def _measure(url: str, folder: Path, rounds: int) -> Samples:
    samples, codec = Samples(), MessageCodec()
    store = await RedisStore.connect(url, connections_max=AT_ONCE)
    journal = RedisJournal(store, "bench")

    async def appends(name: str) -> list[float]:
        return await _append_ms(journal, codec, TaskId(name))

    with Redis.from_url(url) as admin, (folder / "floor").open("wb", buffering=0) as file:
        await appends("warm-up")
        for number in range(rounds * TASKS_PER_ROUND):
            samples.alone += await appends(f"alone-{number}")
            admin.config_set("appendfsync", "everysec")
            samples.everysec += await appends(f"everysec-{number}")
            admin.config_set("appendfsync", "always")
            for _ in range(EVENTS_PER_TASK):
                samples.floor.append(_synced_write_ms(file.fileno(), ENTRY))
        for number in range(rounds):
            together = (appends(f"at-once-{number}-{other}") for other in range(AT_ONCE))
            for taken in await asyncio.gather(*together):
                samples.at_once += taken
    await store.close()
    return samples


@contextmanager
def _server() -> Iterator[tuple[str, Path]]:
    """Run the embedded server with its data on the disk of this checkout, not in memory.

    Gives its URL and the folder of its data.
    """
    build = Path("build")
    build.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="journal-", dir=build) as folder,
        EmbeddedRedis(data_root=Path(folder).resolve()) as server,
    ):
        yield server.url, Path(folder)


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `journal`."""
    with _server() as (url, folder):
        samples = uvloop.run(_measure(url, folder, 2 if is_quick else 14))
    note = f"{len(ENTRY)} bytes, one in flight, fsync always"
    return [
        sample_figure("journal.append_ms", "ms", samples.alone, Goal("<=", 1.0), note=note),
        sample_figure(
            "journal.append_everysec_ms",
            "ms",
            samples.everysec,
            note="the same while the disk is synced once a second",
        ),
        sample_figure(
            "journal.synced_write_ms",
            "ms",
            samples.floor,
            note="floor: the same bytes written to a file and synced, no server",
        ),
        sample_figure(
            "journal.append_at_once_ms",
            "ms",
            samples.at_once,
            note=f"{AT_ONCE} tasks append at once, fsync always: syncs are shared",
        ),
    ]
