"""``fleetmind learn``: add files and folders to what runs without ``--knowledge`` answer from."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

from cluster.cli.console import Console, counted
from cluster.cli.exits import Exit
from cluster.cli.options import Options
from cluster.cli.progress import open_display
from cluster.cli.run import flags_of
from cluster.cli.watch import ReadAgain, Teller, keep_learning
from cluster.joining import open_store
from cluster.memory.knowledge.catalog import adopt_collection
from cluster.memory.knowledge.learning import Learned, LearningProgress
from cluster.memory.knowledge.learning import learn as read
from cluster.memory.knowledge.names import LEARNED, check_namespace
from cluster.memory.knowledge.omissions import left_out_line
from cluster.memory.knowledge.reading import check_paths, check_watchable
from cluster.memory.knowledge.watching import POLL_MS, changes_below
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.settings import Configuration, load

_POLLING = (
    "the system has no more watches (fs.inotify.max_user_watches): "
    f"all files are looked at every {POLL_MS // 1000} s"
)
_MEGABYTE = 1_000_000
_MINUTE_S = 60


def learn(options: Options, console: Console) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind learn``; what is wrong with its arguments is raised at once.

    Raises:
        UsageError: a setting is wrong, or a path can't be read.
    """
    configuration = load(options.config, flags_of(options))
    namespace = check_namespace(LEARNED if options.namespace is None else options.namespace)
    if options.watch:
        check_watchable(options.paths)
    check_paths(options.paths)
    # Absolute, since later runs are in other folders: what they cite must be found from there too.
    paths = tuple(str(Path(path).absolute()) for path in options.paths)
    if options.watch:
        return _watch(configuration, paths, namespace, console)
    return _once(configuration, paths, namespace, console)


async def _once(
    configuration: Configuration, paths: tuple[str, ...], namespace: str, console: Console
) -> int:
    await _learn(configuration, paths, namespace, console)
    return Exit.DONE


async def _watch(
    configuration: Configuration, paths: tuple[str, ...], namespace: str, console: Console
) -> int:
    first = await _learn(configuration, paths, namespace, console)
    console.note("watching: Ctrl-C ends it")

    @asynccontextmanager
    async def open_reading() -> AsyncIterator[ReadAgain]:
        async with open_store(configuration, lambda _: None) as store:
            namespaces = RedisNamespaces(store)
            yield lambda: read(namespaces, paths, name=namespace)

    def changes() -> AsyncGenerator[None]:
        return changes_below(paths, lambda: console.note(_POLLING))

    await keep_learning(open_reading, changes, Teller(console, first, _where(namespace)))


async def _learn(
    configuration: Configuration, paths: tuple[str, ...], namespace: str, console: Console
) -> Learned:
    display = open_display(console)
    started = time.monotonic()

    def progress(done: LearningProgress) -> None:
        display.note(pace(done, time.monotonic() - started))

    try:
        async with open_store(configuration, display.note) as store:
            namespaces = RedisNamespaces(store)
            await adopt_collection(store, namespaces)
            learned = await read(namespaces, paths, name=namespace, progress=progress)
    finally:
        display.close()
    for note in learned.news:
        console.note(note)
    if line := left_out_line(learned.left_out):
        console.note(line)
    console.write(_summary(learned, namespace))
    return learned


def pace(done: LearningProgress, elapsed_s: float) -> str:
    """Return how far the reading is, how fast it goes and how long it will take, in a line."""
    line = f"reading: {done.files:,} of {done.of_files:,} files"
    if not done.size or elapsed_s <= 0:
        return line
    rate = done.size / elapsed_s
    left_s = (done.of_size - done.size) / rate
    left = f"{left_s / _MINUTE_S:.0f} min" if left_s >= 2 * _MINUTE_S else f"{left_s:.0f} s"
    return f"{line}, {rate / _MEGABYTE:.1f} MB/s, {left} left"


def _summary(learned: Learned, namespace: str) -> str:
    gone = f", forgot {learned.removed:,} gone" if learned.removed else ""
    return (
        f"learned {counted(learned.embedded, 'file')}, knew {learned.reused:,} already{gone}; "
        f"in all {counted(learned.files, 'file')} with {counted(learned.passages, 'passage')}"
        f"{_where(namespace)}\n"
    )


def _where(namespace: str) -> str:
    return "" if namespace == LEARNED else f" in {namespace}"
