"""Watching says each change and each trouble once, and goes on when the store is back."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cluster.cli.console import Console
from cluster.cli.watch import ReadAgain, Teller, keep_learning, retry_s
from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.memory.knowledge.learning import Learned
from cluster.memory.knowledge.omissions import LeftOut, Omission

NOTHING = Learned("default@2", files=3, passages=5, embedded=0, reused=3, removed=0)
CHANGED = Learned("default@3", files=3, passages=5, embedded=1, reused=2, removed=1, changed=1)
GONE = StoreUnavailable("the central store does not answer")


class Ended(Exception):
    """The script of a test is over."""


class Scene:
    """Readings that end as a test wants, one a change, and what is said of them."""

    def __init__(self, *outcomes: Learned | Exception) -> None:
        self._outcomes = [*outcomes, Ended()]
        self.console = Console(io.StringIO(), io.StringIO())
        self.pauses: list[float] = []
        self.stores = 0

    @asynccontextmanager
    async def open_reading(self) -> AsyncIterator[ReadAgain]:
        self.stores += 1
        yield self._read

    async def _read(self) -> Learned:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def changes(self) -> AsyncGenerator[None]:
        while True:
            yield

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def play(self) -> tuple[list[str], list[str]]:
        teller = Teller(self.console, NOTHING, " in notes")
        with pytest.raises(Ended):
            await keep_learning(self.open_reading, self.changes, teller, self.pause)
        out, err = self.console._stdout, self.console.err  # noqa: SLF001 - as the shell sees them
        assert isinstance(out, io.StringIO)
        assert isinstance(err, io.StringIO)
        return out.getvalue().splitlines(), err.getvalue().splitlines()


async def test_each_change_is_a_line_and_nothing_else_is() -> None:
    out, err = await Scene(NOTHING, CHANGED, NOTHING).play()

    assert out == ["learned 1 file, forgot 1 gone; in all 3 files with 5 passages in notes"]
    assert err == []


async def test_a_store_that_is_gone_is_said_once_and_asked_again() -> None:
    scene = Scene(GONE, GONE, GONE, CHANGED)

    out, err = await scene.play()

    assert err == [
        "fleetmind: the central store does not answer; trying again until it answers",
        "fleetmind: the store answers again",
    ]
    assert len(out) == 1
    assert (scene.stores, scene.pauses) == (4, [1.0, 2.0, 4.0])


async def test_after_an_answer_the_store_is_asked_soon_again() -> None:
    scene = Scene(GONE, GONE, NOTHING, GONE, NOTHING)

    await scene.play()

    assert scene.pauses == [1.0, 2.0, 1.0]


async def test_what_is_wrong_with_the_files_is_said_once_until_it_is_mended() -> None:
    wrong = UsageError("the knowledge path 'docs' doesn't exist")

    _, err = await Scene(wrong, wrong, NOTHING, wrong).play()

    assert err == ["fleetmind: the knowledge path 'docs' doesn't exist; watching goes on"] * 2


async def test_what_is_left_out_is_said_when_it_is_another() -> None:
    left_out = Learned(
        *("default@3", 3, 5, 0, 3, 0), left_out=(LeftOut("images", Omission.KIND, 2),)
    )

    _, err = await Scene(NOTHING, left_out, left_out).play()

    assert len(err) == 1
    assert "2 images" in err[0]


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1.0), (3, 8.0), (5, 30.0), (99_999, 30.0)])
def test_the_pauses_grow_up_to_a_limit(failures: int, seconds: float) -> None:
    assert retry_s(failures) == seconds
