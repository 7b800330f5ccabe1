"""A change is told once it is watched for, wherever the path is by then; churn beside it isn't."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from cluster.kernel.errors import ClusterError
from cluster.memory.knowledge.watching import REARM_S, Changes, changes_below, identities
from tests.support.clock import ManualClock

QUIET: Changes = frozenset()
Tick = Changes | Exception | Callable[[], None]


class Ended(Exception):
    """The script of a test is over."""


class ScriptedWatch:
    """Watches as a test wants: each tick is what it yields or raises, or calls in between."""

    def __init__(self, *ticks: Tick) -> None:
        self._ticks = [*ticks, Ended()]
        self.starts: list[tuple[tuple[str, ...], bool]] = []
        self.is_interesting: Callable[[str], bool] = bool
        self.polls = 0
        self.pauses: list[float] = []

    async def __call__(
        self, *paths: str, is_interesting: Callable[[str], bool], is_polling: bool
    ) -> AsyncGenerator[Changes]:
        self.starts.append((paths, is_polling))
        self.is_interesting = is_interesting
        while True:
            tick = self._ticks.pop(0)
            if isinstance(tick, Exception):
                raise tick
            if callable(tick):
                tick()
            else:
                yield tick

    def polling(self) -> None:
        self.polls += 1

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        tick = self._ticks.pop(0)
        if isinstance(tick, Exception):
            raise tick
        assert callable(tick)
        tick()


def edited(path: Path) -> Changes:
    return frozenset({("modified", str(path))})


async def told(watch: ScriptedWatch, path: Path, clock: ManualClock | None = None) -> int:
    """How often something was told until the script was over."""
    count = 0
    changes = changes_below(
        [str(path)], watch.polling, watch=watch, clock=clock or ManualClock(), pause=watch.pause
    )
    try:
        async for _ in changes:
            count += 1
    except Ended:
        return count
    raise AssertionError("watching never ends by itself")


async def test_it_is_told_when_watching_begins_and_at_each_change(tmp_path: Path) -> None:
    watch = ScriptedWatch(QUIET, QUIET, edited(tmp_path / "a.md"), QUIET)

    assert await told(watch, tmp_path) == 2
    assert watch.starts == [((str(tmp_path),), False)]


async def test_all_is_looked_at_again_after_a_while(tmp_path: Path) -> None:
    clock = ManualClock()
    watch = ScriptedWatch(QUIET, lambda: clock.advance(REARM_S), QUIET, QUIET)

    assert await told(watch, tmp_path, clock) == 2
    assert len(watch.starts) == 2


async def test_a_file_that_is_replaced_is_watched_in_its_new_place(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("old")

    def replace() -> None:
        (tmp_path / "new").write_text("new")
        (tmp_path / "new").rename(path)

    watch = ScriptedWatch(QUIET, replace, QUIET, QUIET)

    assert await told(watch, path) == 2
    assert len(watch.starts) == 2


async def test_a_path_that_is_gone_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("old")
    watch = ScriptedWatch(QUIET, path.unlink, QUIET, lambda: None, path.touch, QUIET)

    assert await told(watch, path) == 2
    assert len(watch.pauses) == 2


async def test_a_path_that_goes_just_before_it_is_watched_is_waited_for(tmp_path: Path) -> None:
    watch = ScriptedWatch(FileNotFoundError("gone"), lambda: None, QUIET)

    assert await told(watch, tmp_path) == 1
    assert (len(watch.pauses), watch.polls) == (1, 0)


async def test_where_the_system_has_no_more_watches_files_are_looked_at(tmp_path: Path) -> None:
    watch = ScriptedWatch(OSError("OS file watch limit reached"), QUIET, edited(tmp_path))

    assert await told(watch, tmp_path) == 2
    assert [is_polling for _, is_polling in watch.starts] == [False, True]
    assert watch.polls == 1


async def test_where_looking_fails_too_it_is_an_error(tmp_path: Path) -> None:
    watch = ScriptedWatch(OSError("no watches"), OSError("no luck"))
    told = changes_below([str(tmp_path)], watch.polling, watch=watch)

    with pytest.raises(ClusterError, match=r"can't be watched \(no luck\)"):
        await anext(told)


async def test_what_is_never_read_is_not_watched(tmp_path: Path) -> None:
    watch = ScriptedWatch(QUIET)
    await told(watch, tmp_path)

    for name in ("a.md", "sub/a.md", ""):
        assert watch.is_interesting(str(tmp_path / name))
    for name in (".git/index", "sub/.a.md.swp", "node_modules/a/README.md"):
        assert not watch.is_interesting(str(tmp_path / name))
    assert not watch.is_interesting(f"{tmp_path}-other/a.md")
    assert watch.is_interesting(str(tmp_path / "..data"))


def test_a_link_is_watched_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "link").symlink_to("docs")

    assert list(identities([str(tmp_path / "link"), str(tmp_path / "none")])) == [
        str(tmp_path / "docs")
    ]
