"""Kills a start at random moments, by -9, and looks at what is left 15 s later.

``python -m tests.kills --count N --seed S`` runs N rounds one after the other, prints a line for
each and one for all, and exits with 1 where anything was left. A round starts `fleetmind run` or
`fleetmind up` in surroundings of its own, and at a moment drawn from the whole length of a start
kills what was drawn: the command itself, the leader of its cluster's session, the process that
works there, both ends at once as the kernel's killer of whole groups does, or what `up` leaves
running. What has been killed can't clean up, so the others have to. Then, 15 s later at most,

- no process runs that the command has started, directly or not: each has a mark of the round in its
  environment, or was seen as a descendant;
- the round's temporary folder is empty, sockets included, but for our empty folder of runs;
- no lock in the user's folders is held, and no file says that a cluster is up.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import random
import signal
import sys
import time
from asyncio.subprocess import DEVNULL
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cluster.placement.local.process_table import ProcessId
from tests.support.commands import Surroundings, children, surroundings

GONE_S = 15.0
MODEL = "simulated:?ttft_s=60"
RUN = ("run", "why?", "--model", MODEL)
UP = ("up", "--model", MODEL)
Victim = Literal["command", "leader", "worker", "command and leader", "up", "resident"]
Moment = Callable[[Surroundings], Awaitable[object]]
"""Waits until it has come."""
VICTIMS: tuple[Victim, ...] = (
    *("command", "command", "leader", "worker", "command and leader", "up", "resident"),
)
"""Drawn from; the command is what people kill."""
RECORD = Path("STATE", "fleetmind", "cluster.json")
"""In the folder of the surroundings: what says that a cluster is up."""
_POLL_S = 0.05


@dataclass(frozen=True)
class Round:
    """What a round did, and what it has left."""

    victim: Victim
    after_s: float
    gone_s: float
    left: tuple[str, ...]

    def __str__(self) -> str:
        left = "; ".join(self.left) or "nothing"
        return f"{self.victim} after {self.after_s:.2f} s; {self.gone_s:.1f} s later: {left}"


async def start_s() -> float:
    """Return how long a start takes on this machine now."""
    with surroundings() as here:
        began = time.monotonic()
        process = await here.start(*UP, stdout=DEVNULL, stderr=DEVNULL)
        await process.wait()
        took_s = time.monotonic() - began
        await here.fleetmind("down")
        return took_s


async def killed(victim: Victim, moment: Moment) -> Round:
    """Start, kill once the moment has come, wait, and look."""
    with surroundings() as here:
        command = UP if victim in {"up", "resident"} else RUN
        process = await here.start(*command, stdout=DEVNULL, stderr=DEVNULL)
        began = time.monotonic()
        await moment(here)
        after_s = time.monotonic() - began
        here.remember()
        for each in victims(victim, process.pid, here):
            if (found := ProcessId.of(each)) is not None:
                found.send(signal.SIGKILL)
        if process.returncode == 0:  # the start was over: what is there is to be there
            await here.fleetmind("down")
        killed_at = time.monotonic()
        while left := tuple(_remains(here)):
            if time.monotonic() > killed_at + GONE_S:
                break
            await asyncio.sleep(_POLL_S)
        gone_s = time.monotonic() - killed_at
        here.kill()
        await process.wait()
    return Round(victim, after_s, gone_s, left)


def _after(seconds: float) -> Moment:
    return lambda _: asyncio.sleep(seconds)


def victims(victim: Victim, command: int, here: Surroundings) -> list[int]:
    """Return the numbers of the processes; the command's where the others are not there yet."""
    return list(_drawn(victim, command, here)) or [command]


def _drawn(victim: Victim, command: int, here: Surroundings) -> Iterator[int]:
    beneath = [pid for pid in children(command) if _is_leader(pid)]
    match victim, beneath:
        case ("leader" | "resident", [leader, *_]):
            yield leader
        case ("worker", [leader, *_]):
            yield from children(leader)[1:2]  # the first only waits for the leader's death
        case ("command and leader", [leader, *_]):
            yield leader
            yield command
        case ("resident", []) if (resident := _resident(here)) is not None:  # `up` has ended
            yield resident


def _is_leader(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:  # it has ended since it was seen
        return False


def _resident(here: Surroundings) -> int | None:
    try:
        return int(json.loads((here.folder / RECORD).read_bytes())["process"]["pid"])
    except FileNotFoundError:
        return None


def _remains(here: Surroundings) -> Iterator[str]:
    if running := here.running():
        yield from map("process {}".format, running)
        return  # it may be removing the rest
    yield from map("temporary file {}".format, here.files())
    for folder, _, files in os.walk(here.folder):  # passes over a folder that has gone
        for path in (Path(folder, name) for name in files):
            if path.name == RECORD.name:
                yield f"record {path}"
            elif path.name.endswith("lock") and is_held(path):
                yield f"lock {path}"


def is_held(path: Path) -> bool:
    """Say whether a process holds the lock; nobody does where the file has gone."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


async def campaign(count: int, seed: int) -> list[Round]:
    """Run the rounds, and say how each went."""
    drawn = random.Random(seed)
    length_s = await start_s()
    print(f"a start takes {length_s:.1f} s", flush=True)
    rounds = []
    for number in range(count):
        victim, after_s = drawn.choice(VICTIMS), drawn.uniform(0.0, length_s)
        rounds.append(await killed(victim, _after(after_s)))
        print(f"{number + 1}: {rounds[-1]}", flush=True)
    return rounds


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rounds = asyncio.run(campaign(options.count, options.seed))
    bad = [each for each in rounds if each.left]
    slowest_s = max((each.gone_s for each in rounds), default=0.0)
    by_victim = Counter(each.victim for each in rounds)
    print(
        f"{len(rounds)} kills ({dict(by_victim)}), {len(bad)} left something; "
        f"all gone after {slowest_s:.1f} s at most"
    )
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
