"""Tells when what some paths hold has changed: the system's own notice, else by looking often.

Called by `fleetmind learn --watch`. It doesn't say what has changed: the next reading finds that
out, by sizes and times of modification. So a notice may come too often, and one that is lost (the
system's queue is bounded) is made up for by the next.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from pathlib import Path
from typing import Protocol

from cluster.kernel.clock import Clock, SystemClock
from cluster.kernel.errors import ClusterError
from cluster.memory.knowledge.folders import is_foreign_name, is_of_mount

TICK_MS = 1_000
"""How often the paths themselves are looked at."""
QUIET_MS = 200
GATHERED_MS = 2_000
"""Changes are told when there was none for `QUIET_MS`, or the first is so old."""
POLL_MS = 3_000
REARM_S = 300.0
"""Then all is looked at, whatever was told."""

Changes = AbstractSet[tuple[object, str]]
"""What happened, and the path that it happened to; empty after a tick in which nothing did."""
Identity = tuple[int, int]


class FileWatch(Protocol):
    """Watches existing files and folders, from its first tick on, as `watchfiles.awatch` does."""

    def __call__(
        self, *paths: str, is_interesting: Callable[[str], bool], is_polling: bool
    ) -> AsyncGenerator[Changes]:
        """Yield changes, and after each `TICK_MS` without any an empty set.

        Raises:
            OSError: the system has no more watches, or a path is gone.
        """
        ...


def system_watch(
    *paths: str, is_interesting: Callable[[str], bool], is_polling: bool
) -> AsyncGenerator[Changes]:
    """Watch by the means of the system, or by looking at all files every `POLL_MS`."""
    from watchfiles import awatch

    return awatch(
        *paths,
        watch_filter=lambda _, path: is_interesting(path),
        debounce=GATHERED_MS,
        step=QUIET_MS,
        rust_timeout=TICK_MS,
        yield_on_timeout=True,
        force_polling=is_polling,
        poll_delay_ms=POLL_MS,
        ignore_permission_denied=True,
    )


async def changes_below(
    paths: Sequence[str],
    on_polling: Callable[[], None],
    *,
    watch: FileWatch = system_watch,
    clock: Clock | None = None,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[None]:
    """Yield when it watches, and then whenever something may have changed; goes on for ever.

    Whoever reads all files on each of them misses nothing. A path that is replaced is watched in
    its new place, one that is gone is waited for.

    Args:
        paths: files and folders.
        on_polling: called once, where the system has no more watches.
        watch: how.
        clock: what `REARM_S` is measured by.
        pause: waits some seconds.

    Raises:
        ClusterError: the paths can't be watched at all.
    """
    clock = clock or SystemClock()
    is_polling = False
    while True:
        tops = identities(paths)
        if not tops:
            await pause(TICK_MS / 1000)
            continue
        is_interesting = _Interest(tops)
        try:
            ticks = watch(*tops, is_interesting=is_interesting, is_polling=is_polling)
            async with aclosing(ticks), aclosing(_worth(ticks, tops, paths, clock)) as worth:
                async for _ in worth:
                    yield
        except FileNotFoundError:
            await pause(TICK_MS / 1000)
        except (OSError, RuntimeError) as error:  # the system has no more watches, or instances
            if is_polling:
                raise ClusterError(f"the paths can't be watched ({error})") from error
            is_polling = True
            on_polling()


async def _worth(
    ticks: AsyncGenerator[Changes],
    tops: Mapping[str, Identity],
    paths: Sequence[str],
    clock: Clock,
) -> AsyncGenerator[None]:
    """Yield at the first tick and at changes, until the paths have to be watched anew."""
    started = clock.now()
    is_first = True
    async for changes in ticks:
        if changes or is_first:
            is_first = False
            yield
        if clock.now() - started >= REARM_S or identities(paths) != tops:
            return


def identities(paths: Sequence[str]) -> dict[str, Identity]:
    """Return which of the paths are there, resolved, and what tells each from a successor."""
    found = {}
    for path in paths:
        try:
            real = Path(path).resolve()
            status = real.stat()
        except (OSError, RuntimeError):
            continue
        found[str(real)] = (status.st_dev, status.st_ino)
    return found


class _Interest:
    """Says which paths below some others may be knowledge, as `sources` looks into folders."""

    def __init__(self, tops: Mapping[str, Identity]) -> None:
        self._tops = frozenset(tops)
        self._folders = tuple(f"{top.rstrip(os.sep)}{os.sep}" for top in tops)

    def __call__(self, path: str) -> bool:
        """Say whether a path is one of them, or below one and in no hidden or foreign folder."""
        return path in self._tops or any(
            not any(map(_is_passed_over, Path(path.removeprefix(folder)).parts))
            for folder in self._folders
            if path.startswith(folder)
        )


def _is_passed_over(name: str) -> bool:
    # A mounted ConfigMap changes by its link `..data`, which all others lead through.
    return is_foreign_name(name) and not is_of_mount(name)
