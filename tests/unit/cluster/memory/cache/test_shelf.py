"""A namespace on a host stays what the store has, whatever is written while it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.cache import care
from cluster.memory.cache import copy as copies
from cluster.memory.cache.copy import Copy
from cluster.memory.cache.segment import Segment
from cluster.memory.cache.shelf import Shelf
from cluster.memory.namespaces.port import NamespaceLog
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder
from tests.support.knowledge import CountingNamespaces, learned

READS_MAX = 20


class SlowNamespaces(CountingNamespaces):
    """Counts the reads of logs, of which it bears some, and holds up a read of documents."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.reads = 0
        self.is_reading = asyncio.Event()
        self.held: asyncio.Event | None = None
        """What the answer to the next read of the log waits for."""

    async def entries(self, name: str, after: int = 0, *, documents_max: int = 0) -> NamespaceLog:
        self.reads += 1
        if self.reads > READS_MAX:
            raise StoreUnavailable("it was asked too often")
        await asyncio.sleep(0)
        log = await super().entries(name, after, documents_max=documents_max)
        held, self.held = self.held, None
        if held is not None:
            self.is_reading.set()
            await held.wait()
        return log


class NewerSegments:
    """Another segment is always there to be taken, until it is asked for, when there is none."""

    def has_newer(self, _segment: Segment | None) -> bool:
        return True

    async def newest(self) -> Segment | None:
        return None


async def inline(function: Callable[..., Any], *args: Any) -> Any:
    """Compute on the event loop."""
    return function(*args)


@pytest.fixture
def namespaces() -> SlowNamespaces:
    return SlowNamespaces(ManualClock())


def shelf_of(namespaces: SlowNamespaces, collection: str) -> Shelf:
    name = collection.rpartition("@")[0]
    return Shelf(name, namespaces, HashingEmbedder(), inline, clock=ManualClock(), root=None)


def replaced(monkeypatch: pytest.MonkeyPatch, shelf: Shelf) -> None:
    """Have the next look after a namespace take another copy of it."""
    monkeypatch.setattr(shelf, "segments", NewerSegments())


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10.0):
        while not is_so():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0)


async def test_replacing_ends_where_the_store_has_gone_back_meanwhile(
    namespaces: SlowNamespaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = shelf_of(namespaces, await learned(namespaces, tmp_path, heaps="Sand."))
    await shelf.refresh()
    for text in ("A heap of sand.", "Hay.", "A heap of hay."):
        await learned(namespaces, tmp_path, heaps=text)
        await shelf.refresh()

    namespaces.empty()
    await learned(namespaces, tmp_path, heaps="A heap of straw.")
    shelf.hear()
    replaced(monkeypatch, shelf)
    shelf.tend()
    await until(lambda: shelf.view is not None and shelf.view.version == 1)
    for _ in range(10 * READS_MAX):
        await asyncio.sleep(0)

    assert namespaces.reads < READS_MAX


async def test_what_another_store_had_at_a_version_is_not_taken_over(
    namespaces: SlowNamespaces, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path / "a", one="A heap of sand.")
    before = shelf_of(namespaces, collection)
    await before.refresh()
    namespaces.empty()
    name = (await learned(namespaces, tmp_path / "b", other="A heap of sand.")).rpartition("@")[0]

    assert before.copy is not None
    copy = Copy(name, namespaces, HashingEmbedder(), inline, known=before.copy.alive)
    await copy.advance()
    [found] = copy.view.search("heap", np.zeros(64, dtype=np.float32), 5)

    assert found.source == f"{tmp_path}/b/other.md"


async def test_what_is_written_during_the_first_reading_is_read_after_it(
    namespaces: SlowNamespaces, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps="A heap of sand.")
    shelf = shelf_of(namespaces, collection)
    held = namespaces.held = asyncio.Event()
    reading = asyncio.create_task(shelf.refresh())
    await namespaces.is_reading.wait()

    await learned(namespaces, tmp_path, more="A heap of hay.")
    shelf.hear()
    held.set()
    await reading

    await until(lambda: shelf.view is not None and shelf.view.version == 2)


async def test_it_is_busy_until_who_waits_has_gone_on(
    namespaces: SlowNamespaces, tmp_path: Path
) -> None:
    collection = await learned(namespaces, tmp_path, heaps="A heap of sand.")
    shelf = shelf_of(namespaces, collection)
    waiting = asyncio.create_task(shelf.refresh())

    busy = []
    while not waiting.done():
        busy.append(shelf.is_busy)
        await asyncio.sleep(0)

    assert all(busy)
    assert not shelf.is_busy


async def test_what_was_heard_while_a_copy_is_replaced_is_read_into_the_new_one(
    namespaces: SlowNamespaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = shelf_of(namespaces, await learned(namespaces, tmp_path, heaps="Sand."))
    await shelf.refresh()
    before = shelf.copy

    replaced(monkeypatch, shelf)
    replacing = await held(namespaces, shelf.tend)
    await learned(namespaces, tmp_path, more="A heap of hay.")
    reading = await held(namespaces, shelf.hear)
    replacing.set()
    await until(lambda: shelf.copy is not before)
    reading.set()

    await until(lambda: shelf.view is not None and shelf.view.version == 2)


async def test_tidying_reads_nothing_from_the_store_and_leaves_out_what_is_dead(
    namespaces: SlowNamespaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(care, "WASTE_MIN", 0)
    shelf = shelf_of(namespaces, await learned(namespaces, tmp_path, heaps="Sand.", one="Hay."))
    for text in ("A heap of sand.", "Hay.", "A heap of hay."):
        await shelf.refresh()
        await learned(namespaces, tmp_path, heaps=text)
    await shelf.refresh()
    reads = namespaces.reads

    shelf.tend()
    await until(lambda: passages_held(shelf) == 2)

    assert namespaces.reads == reads
    assert texts_found(shelf, "hay") == {"Hay.", "A heap of hay."}


async def test_what_comes_and_goes_while_it_is_tidied_is_found_or_not(
    namespaces: SlowNamespaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "KNOWN_PER_STEP", 1)
    texts = {f"number{number}": f"Hay {number}." for number in range(20)}
    shelf = shelf_of(namespaces, await learned(namespaces, tmp_path, **texts))
    await shelf.refresh()
    assert shelf.copy is not None
    await learned(namespaces, tmp_path, number0="Straw.", number19="Hay again.", more="Much hay.")

    tidying = asyncio.create_task(shelf.copy.tidy())
    await asyncio.sleep(0)
    await shelf.refresh()
    assert not tidying.done()
    await tidying

    rest = {f"Hay {number}." for number in range(1, 19)}
    assert texts_found(shelf, "hay") == {*rest, "Hay again.", "Much hay."}
    await learned(namespaces, tmp_path, number19="Gone.", more="Gone as well.")
    await shelf.refresh()
    assert texts_found(shelf, "hay") == rest


def passages_held(shelf: Shelf) -> int:
    return shelf.copy.passages if shelf.copy is not None else 0


def texts_found(shelf: Shelf, question: str) -> set[str]:
    assert shelf.view is not None
    found = shelf.view.search(question, np.zeros(64, dtype=np.float32), 50)
    return {each.text for each in found}


async def held(namespaces: SlowNamespaces, begin: Callable[[], None]) -> asyncio.Event:
    """Begin a reading of the log, and return what its answer waits for."""
    namespaces.is_reading.clear()
    event = namespaces.held = asyncio.Event()
    begin()
    await namespaces.is_reading.wait()
    return event
