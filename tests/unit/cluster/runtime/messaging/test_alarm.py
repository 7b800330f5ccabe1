"""An alarm rings for each deadline that passes, with one timer of the event loop at a time."""

from __future__ import annotations

import asyncio

import pytest

from cluster.runtime.messaging.alarm import Alarm
from tests.simulation.loop import VirtualLoop


class LoopClock:
    """The clock of the loop that runs."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    wall = now


def on_virtual_time(story: str) -> list[tuple[float, str]]:
    """Play `at:+key` (set to 1 s later), `at:-key` (drop) and `at:x` (close); return what rang."""
    rang: list[tuple[float, str]] = []
    loop = VirtualLoop()

    alarm: Alarm[str] = Alarm(LoopClock(), lambda key: rang.append((loop.time(), key)))

    def play(deed: str) -> None:
        if deed[0] == "+":
            alarm.set(deed[1], loop.time() + float(deed[2:] or 1))
        elif deed[0] == "-":
            alarm.drop(deed[1])
        else:
            alarm.close()

    for line in story.split():
        at, deed = line.split(":")
        loop.call_at(float(at), play, deed)
    over: asyncio.Future[None] = loop.create_future()
    loop.call_at(20.0, over.set_result, None)
    loop.run_until_complete(over)
    loop.close()
    return rang


@pytest.mark.parametrize(
    ("story", "rang"),
    [
        ("0:+a", [(1, "a")]),
        ("0:+a 0:-a", []),
        ("0:+a5 1:+b1", [(2, "b"), (5, "a")]),
        ("0:+a1 0:+b1 0:+c3", [(1, "a"), (1, "b"), (3, "c")]),
        ("0:+a1 0:+b4 0.5:-a", [(4, "b")]),
        ("0:+a1 2:+a1", [(1, "a"), (3, "a")]),
        ("0:+a1 0.5:x 0.6:+b1", []),
    ],
)
def test_it_rings_when_a_deadline_passes(story: str, rang: list[tuple[float, str]]) -> None:
    assert [(round(at, 6), key) for at, key in on_virtual_time(story)] == rang
