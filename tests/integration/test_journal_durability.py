"""What a journal keeps when the embedded server is killed, its file cut off, or its disk full."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore
from tests.support.redis import kept_alive, until_it_answers

pytestmark = pytest.mark.integration

TASK = TaskId("task")
OWNER = Owner(AgentId("manager-0"), 1)
ROOM_MIB = 2


async def test_nothing_acknowledged_is_lost_however_often_the_server_is_killed(
    tmp_path: Path,
) -> None:
    kills, writers = 10, 8
    acknowledged: Counter[TaskId] = Counter()
    is_over = asyncio.Event()

    async def write(journal: RedisJournal, task: TaskId) -> None:
        """Append until it is over, repeating what was not answered."""
        while not is_over.is_set():
            index = acknowledged[task] + 1
            with suppress(StoreUnavailable):
                await journal.append(task, 1, index, [entry_of(task, index)])
                acknowledged[task] = index
            await asyncio.sleep(0)

    async with kept_alive(tmp_path) as url:
        store = await RedisStore.connect(url)
        journal = RedisJournal(store, "c")
        tasks = [TaskId(f"task-{number}") for number in range(writers)]
        for task in tasks:
            await journal.claim(task, Owner(AgentId("manager-0"), 1))
        pid = await until_it_answers(url)
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(write(journal, task))
            for kill in range(kills):
                enough = acknowledged.total() + 10 + 7 * kill
                while acknowledged.total() < enough:  # noqa: ASYNC110 - of eight writers at once
                    await asyncio.sleep(0)
                os.kill(pid, signal.SIGKILL)
                pid = await until_it_answers(url, pid)
            is_over.set()
        journals = {task: await journal.read(task) for task in tasks}
        await store.close()
    for task, entries in journals.items():
        assert len(entries) == acknowledged[task]
        assert list(entries) == [entry_of(task, at) for at in range(1, len(entries) + 1)]


def entry_of(task: TaskId, index: int) -> bytes:
    return f"{task}/{index}".encode() * 40


async def test_an_append_that_was_cut_off_in_the_file_is_there_as_a_whole_or_not_at_all(
    tmp_path: Path,
) -> None:
    pair = [b"3", b"4"]
    written: list[int] = []

    async def grow(url: str) -> None:
        store = await RedisStore.connect(url)
        journal = RedisJournal(store, "c")
        await journal.claim(TASK, OWNER)
        for index, entries in ((1, [b"1", b"2"]), (3, pair)):
            await journal.append(TASK, 1, index, entries)
            written.append(append_only_file(tmp_path).stat().st_size)
        await store.close()

    async def look(url: str) -> tuple[bytes, ...]:
        store = await RedisStore.connect(url)
        journal = RedisJournal(store, "c")
        found = await journal.read(TASK)
        await journal.append(TASK, 1, 3, pair)
        assert await journal.read(TASK) == (b"1", b"2", *pair)
        await store.close()
        return found

    with EmbeddedRedis(data_root=tmp_path) as server:
        await grow(server.url)
    shutil.copy(append_only_file(tmp_path), whole := tmp_path / "whole")
    before, after = written
    for length in [*range(before, after, 23), after]:
        shutil.copy(whole, append_only_file(tmp_path))
        os.truncate(append_only_file(tmp_path), length)
        with EmbeddedRedis(data_root=tmp_path) as server:
            found = await look(server.url)
        assert found == ((b"1", b"2", *pair) if length == after else (b"1", b"2"))


def append_only_file(data_root: Path) -> Path:
    """The file that grows: newer servers have several."""
    return max(data_root.rglob("*.aof"), key=lambda path: path.stat().st_size)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount(folder, f"size={ROOM_MIB}m"):
        pytest.skip("mounting needs the rights of root")
    yield folder
    subprocess.run([shutil.which("umount") or "", "-l", str(folder)], check=True)


def mount(folder: Path, options: str) -> bool:
    """Mount an empty file system in memory, and say whether that was possible."""
    command = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    return os.geteuid() == 0 and subprocess.run(command, check=False).returncode == 0


async def test_a_full_disk_acknowledges_nothing_and_loses_nothing(small_disk: Path) -> None:
    entry = bytes(range(256)) * 64
    async with kept_alive(small_disk) as url:
        store = await RedisStore.connect(url)
        journal = RedisJournal(store, "c")
        await journal.claim(TASK, OWNER)
        acknowledged = 0
        with suppress(StoreUnavailable):
            for index in range(1, ROOM_MIB * 2**20 // len(entry) + 1):
                await journal.append(TASK, 1, index, [entry])
                acknowledged = index
        assert 0 < acknowledged < ROOM_MIB * 2**20 // len(entry)
        await until_it_answers(url)
        assert await journal.read(TASK) == (entry,) * acknowledged
        with pytest.raises(StoreUnavailable):
            await journal.append(TASK, 1, acknowledged + 1, [entry])
        assert await asyncio.to_thread(mount, small_disk, f"remount,size={4 * ROOM_MIB}m")
        await until_it_answers(url)
        await journal.append(TASK, 1, acknowledged + 1, [entry])
        assert await journal.read(TASK) == (entry,) * (acknowledged + 1)
        await store.close()
