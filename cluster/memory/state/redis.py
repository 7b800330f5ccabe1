"""Logs of shared state on Redis: a script for each method, run through a `RedisStore`.

What the keys are is said in `cluster.memory.state.scripts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cluster.kernel.ids import NO_STEP, NO_TASK, StepId, TaskId
from cluster.memory.namespaces.redis_feed import RedisFeed
from cluster.memory.state import scripts
from cluster.memory.state.entries import (
    Appended,
    Begun,
    LogEntry,
    LogHead,
    LogPage,
    LogSnapshot,
    PendingEdit,
    StepKey,
)
from cluster.memory.state.limits import (
    LOG_BYTES_MAX,
    UPKEEP_BYTES_MAX,
    checked_edits,
    checked_snapshot,
    deleted,
    done,
    ended,
    overfull,
    overtaken,
)
from cluster.memory.state.marks import StepMarks
from cluster.memory.state.port import task_prefix
from cluster.memory.store.port import checked_ttl_s
from cluster.memory.store.redis import RedisStore

NAMES_PER_LOOK = 1_000

_ROOM: Final = "state:"
_NAMES: Final = "state:names"
_FEED: Final = "state:feed"
_BEGUN: Final = "state:begun"
_END_OF_TEXT: Final = b"\xff"
"""Is in no UTF-8, and after all of it."""

_StreamEntry = tuple[bytes, tuple[bytes, bytes]]
"""The id, and one field: its name and its value."""


class RedisStateLog:
    """`cluster.memory.state.port.StateLog` on the server of a `RedisStore`.

    Args:
        store: whose connections are used; it stays its owner's, to be closed by them.
    """

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    async def begin(self, task: TaskId, step: StepId, marks: StepMarks | None = None) -> Begun:
        """Begin a new attempt at a step: from now on earlier ones write nothing."""
        keys, arguments = _keys(task=task), [str(step)]
        if marks is not None:
            keys += map(self._store.script_key, (marks.record, marks.attempt))
            arguments += [str(_milliseconds(marks.kept_s))]
        told = await self._store.run_script(scripts.BEGIN, keys, arguments)
        if told == b"ended":
            raise ended(task)
        if told == b"done":
            raise done(step)
        generation, documents = told
        return Begun(generation, tuple(each.decode() for each in documents))

    async def settle(self, task: TaskId, step: StepId) -> None:
        """Note that no attempt at the step will follow, since its result is recorded."""
        arguments = [step, _open_name(StepKey(task, step))]
        await self._store.run_script(scripts.SETTLE, _keys(task=task), arguments)

    async def append(
        self,
        document: str,
        step: StepKey,
        edits: Sequence[PendingEdit],
        *,
        ttl_s: float | None = None,
        incarnation: int = 0,
        is_upkeep: bool = False,
    ) -> Appended:
        """Give edits the next versions, all in one step and in their order."""
        arguments: list[bytes | int | str] = [
            document,
            step.step,
            _open_name(step),
            step.generation,
            "" if ttl_s is None else _milliseconds(ttl_s),
            incarnation or "",
            LOG_BYTES_MAX + UPKEEP_BYTES_MAX * is_upkeep,
        ]
        for each in checked_edits(document, edits):
            arguments += (each.ordinal, each.data)
        keys = _keys(document, step.task, step.step)
        match await self._store.run_script(scripts.APPEND, keys, arguments):
            case b"overtaken":
                raise overtaken(step)
            case b"deleted":
                raise deleted(document)
            case b"overfull":
                raise overfull(document)
            case version, added, found:
                return Appended(version, added, int(found))
        raise AssertionError("the script has no other replies")

    async def read(self, document: str, after: int = 0) -> LogPage:
        """Return a page of what is newer than a version."""
        return _page(await self._store.run_script(scripts.READ, _keys(document), [after, ""]))

    async def put_snapshot(self, document: str, incarnation: int, snapshot: LogSnapshot) -> bool:
        """Let a snapshot stand for the entries up to its version, which become history."""
        checked_snapshot(document, snapshot)
        told = await self._store.run_script(
            scripts.PUT_SNAPSHOT, _keys(document), (incarnation, snapshot.version, snapshot.data)
        )
        return bool(told)

    async def history(self, document: str, after: int = 0) -> LogPage:
        """Return the entries that are still kept, those of before the snapshot too, in pages."""
        arguments = (after, "history")
        return _page(await self._store.run_script(scripts.READ, _keys(document), arguments))

    async def heads(self, documents: Sequence[str]) -> dict[str, LogHead]:
        """Return where logs are, all at one moment."""
        keys = [_keys(each)[0] for each in documents]
        told = await self._store.run_script(scripts.HEADS, keys, []) if keys else []
        return {name: _head(*facts) for name, facts in zip(documents, told, strict=True)}

    async def names(self, prefix: str = "") -> list[str]:
        """Return the documents whose names begin so, sorted; no deleted ones."""
        start, end = _range(prefix)
        found: list[str] = []
        while True:
            arguments = (start, end, NAMES_PER_LOOK)
            told = await self._store.run_script(scripts.NAMES, [_NAMES, _ROOM], arguments)
            names, are_there = told
            found += [
                name.decode() for name, is_there in zip(names, are_there, strict=True) if is_there
            ]
            if len(names) < NAMES_PER_LOOK:
                return found
            start = b"(" + names[-1]

    async def delete(self, document: str) -> LogHead:
        """Delete a document, its log and its history; what is deleted, or isn't there, stays so."""
        return _head(*await self._store.run_script(scripts.DELETE, _keys(document), [document]))

    async def expire(self, task: TaskId, ttl_s: float) -> None:
        """Note that a task has ended: its documents are kept for that time from now."""
        arguments = (_milliseconds(ttl_s), *_range(task_prefix(task)))
        await self._store.run_script(scripts.EXPIRE, _keys(task=task), arguments)

    async def begun(self) -> set[TaskId]:
        """Return the tasks that have begun a step, and whose end was not noted."""
        told = await self._store.run_script(scripts.BEGUN, [_BEGUN, _ROOM], [])
        return {TaskId(each.decode()) for each in told}

    async def feed(self) -> RedisFeed:
        """Open a feed of the names of documents that are appended to, or deleted."""
        return await RedisFeed.open(self._store, _FEED)


def _keys(document: str = "", task: TaskId = NO_TASK, step: StepId = NO_STEP) -> list[str]:
    """Return the keys that every script has; a step that is of no task stands for one."""
    parts = (f"head:{document}", f"log:{document}", f"open:{document}", f"task:{task or step}")
    return [*(_ROOM + each for each in parts), _NAMES, f"{_ROOM}expiring", _FEED, _ROOM]


def _open_name(step: StepKey) -> str:
    return f"{step.task}\0{step.step}" if step.is_redoable else ""


def _range(prefix: str) -> tuple[bytes, bytes]:
    """Return from where to where the names with a prefix are."""
    start = b"[" + prefix.encode()
    return start, start + _END_OF_TEXT


def _head(version: bytes | None, incarnation: bytes | None, deleted: bytes | None) -> LogHead:
    return LogHead(int(version or 0), int(incarnation or 0), deleted is not None)


def _page(told: tuple[int, bytes, int, int, int, bytes, Sequence[_StreamEntry]]) -> LogPage:
    version, incarnation, is_deleted, settled, at, data, entries = told
    return LogPage(
        LogHead(version, int(incarnation), bool(is_deleted)),
        settled,
        LogSnapshot(at, data) if at else None,
        tuple(LogEntry(int(id_.partition(b"-")[0]), entry) for id_, (_, entry) in entries),
    )


def _milliseconds(ttl_s: float) -> int:
    return max(1, round(checked_ttl_s(ttl_s) * 1000))
