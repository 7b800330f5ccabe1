"""A peer beside us: its program as a process that runs rounds, and the figures they come to.

The programs are in `benchmarks.peers`, run by the interpreters that `make bench-peers` sets up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Figure, Goal, not_run, ratio_figure, sample_figure

FOLDER = Path("build/peers")
BODY_BYTES = (100, 500)
START_TIMEOUT_S = 60.0
ROUND_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
OURS = "ours"


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer, what we want to be over it, and how many messages a round of it is."""

    name: str
    goal: Goal
    messages: int

    @property
    def interpreter(self) -> Path:
        """Python with the peer installed."""
        return FOLDER / self.name / "bin" / "python"

    @property
    def is_installed(self) -> bool:
        """Whether `make bench-peers` has got to its end."""
        return (FOLDER / self.name / "ready").exists()


PEERS = (Peer("xoscar", Goal(">=", 2.5), 5000), Peer("autogen", Goal(">=", 12), 1000))

Rates = dict[tuple[str, int], list[float]]
"""Messages a second of each side by its name and the bytes of a body, one for each round."""


class PeerFailed(Exception):
    """A peer's program ended, or said nothing for too long."""


class RunningPeer:
    """A peer's program, which runs a round when it is told to."""

    def __init__(self, peer: Peer, process: Process) -> None:
        self.peer = peer
        self.version = ""
        self.how = ""
        self._process = process

    async def read_about(self) -> None:
        """Wait until it is up, and note what it says of itself."""
        about = json.loads(await self._line(START_TIMEOUT_S))
        self.version, self.how = about["version"], about["how"]

    async def rate(self, body_bytes: int, count: int) -> float:
        """Return messages a second of one round."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{body_bytes} {count}\n".encode())
        return float(await self._line(ROUND_TIMEOUT_S))

    async def _line(self, timeout_s: float) -> bytes:
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise PeerFailed(f"{self.peer.name} said nothing for {timeout_s:g} s") from None
        if not line:
            raise PeerFailed(f"{self.peer.name} ended too early")
        return line


@contextlib.asynccontextmanager
async def running(peer: Peer) -> AsyncIterator[RunningPeer]:
    """Start a peer's program, and end it.

    Raises:
        PeerFailed: it does not come up.
    """
    process = await asyncio.create_subprocess_exec(
        *(peer.interpreter, "-m", f"benchmarks.peers.{peer.name}_peer"), stdin=PIPE, stdout=PIPE
    )
    try:
        started = RunningPeer(peer, process)
        await started.read_about()
        yield started
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def figure_name(peer: Peer, body_bytes: int) -> str:
    """Return the name under which a ratio is published."""
    return sized(f"messaging.throughput_vs_{peer.name}", body_bytes)


def sized(name: str, body_bytes: int) -> str:
    """Return a figure's name with the size of the body, where it isn't the usual one."""
    return name if body_bytes == BODY_BYTES[0] else f"{name}.{body_bytes}"


def figures_of(peer: Peer, rates: Rates, *, version: str, how: str) -> list[Figure]:
    """Return a peer's figures: for each size of body the ratio, and its own rate."""
    figures = []
    for size in BODY_BYTES:
        figures += [
            ratio_figure(
                figure_name(peer, size),
                peer.goal,
                rates[OURS, size],
                rates[peer.name, size],
                peer=peer.name,
                peer_version=version,
                note=f"{size}-byte bodies; {how}",
            ),
            sample_figure(
                sized(f"messaging.per_s.{peer.name}", size),
                "1/s",
                rates[peer.name, size],
                peer=peer.name,
                note=f"{size}-byte bodies, 64 in flight",
            ),
        ]
    return figures


def not_run_figures(peer: Peer, why: str) -> list[Figure]:
    """Return the figures of a peer that wasn't measured."""
    return [not_run(figure_name(peer, size), str(peer.goal), why) for size in BODY_BYTES]
