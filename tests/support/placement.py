"""Openers, agents and children that stand in for the real ones when placement is tested.

Actors load openers by name, in other processes too; so what they do there is told through the
spec's settings, which hold the path of a file that every start adds a line to.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Failure
from cluster.placement.actor.host_spec import HostSpec
from cluster.placement.local.handover import take_over
from cluster.placement.local.reports import Progress, Ready, Reporter

SHELL = shutil.which("sh") or "sh"
READY = Ready("10.0.0.1:6379", "", ("manager-0",))


class StubHost:
    """A host that only notes that it was started and stopped."""

    def __init__(self, spec: HostSpec) -> None:
        self.journal = Path(spec.settings_json)
        self.fence = asyncio.Event()
        self.tasks_ended_for = ""

    async def start(self) -> str:
        self._note("started")
        return f"stub:{os.getpid()}"

    async def stop(self) -> None:
        self._note("stopped")

    async def end_tasks(self, reason: str) -> None:
        self.tasks_ended_for = reason

    async def fenced(self) -> None:
        await self.fence.wait()

    def _note(self, word: str) -> None:
        with self.journal.open("a", encoding="utf-8") as journal:
            journal.write(f"{word}\n")


opened: list[StubHost] = []
"""The hosts that were opened in this process."""


async def open_stub(spec: HostSpec) -> StubHost:
    """Open a host that serves."""
    host = StubHost(spec)
    opened.append(host)
    return host


async def open_refused(spec: HostSpec) -> StubHost:
    """Fail as a wrong setting does."""
    raise UsageError(f"the class of {spec.agent} is unknown")


async def open_at_second_try(spec: HostSpec) -> StubHost:
    """Fail the first time, as a store that is not there yet does."""
    host = StubHost(spec)
    if not host.journal.exists():
        host.journal.write_text("tried\n", encoding="utf-8")
        raise StoreUnavailable("the store is not there yet")
    return host


async def open_with_a_fault(spec: HostSpec) -> StubHost:
    """Fail as a fault of the program does."""
    raise ZeroDivisionError(spec.agent)


async def open_never(spec: HostSpec) -> StubHost:
    """Take for ever."""
    await asyncio.Event().wait()
    return StubHost(spec)


class EchoAgent:
    """An agent that answers with what it was asked."""

    purpose = "repeats what it hears"

    async def handle(self, message: object, turn: Turn) -> object:
        return message

    def subscribes(self) -> tuple[str, ...]:
        return ()

    def handlers(self) -> Mapping[type, object]:
        return {}

    def pure(self) -> tuple[str, ...]:
        return ()

    def decides(self) -> tuple[str, ...]:
        return ()

    def speeds(self) -> Mapping[str, EndpointSpeed]:
        return {}

    async def warm(self) -> None:
        """Nothing is loaded late."""

    async def close(self) -> None:
        return None


class SilentAgent(EchoAgent):
    """An agent that never answers."""

    async def handle(self, message: object, turn: Turn) -> object:
        await asyncio.Event().wait()
        return message


def build_silent(_class_path: str, **_parts: object) -> SilentAgent:
    """Build an agent, as the factory in the settings does."""
    return SilentAgent()


def build_echo(_class_path: str, **_parts: object) -> EchoAgent:
    """Build an agent, as the factory in the settings does."""
    return EchoAgent()


def child(behaviour: str) -> None:
    """Behave as a process of the cluster, for a `ChildProcess` in a test."""
    reporter = Reporter.take_over_stdout()
    os.write(1, b"something that others print\n")
    reporter.send(Progress("warming up"))
    if behaviour == "fails as it is asked":
        reporter.send(Failure("store", take_over(int(sys.argv[-1]))))
    elif behaviour == "fails":
        reporter.send(Failure("store", "there is no store"))
    elif behaviour == "dies":
        sys.exit("and these are its last words")
    elif behaviour != "hangs":
        reporter.send(READY)
    if behaviour != "is deaf":
        os.write(2, f"was told {sys.stdin.buffer.read()!r}\n".encode())
    while behaviour in {"is deaf", "hangs"}:
        subprocess.run([SHELL, "-c", "sleep 600"], check=False)


if __name__ == "__main__":
    child(sys.argv[1])
