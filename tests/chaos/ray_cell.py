"""Kills under Ray: a resident cluster with the real agents, as `fleetmind up` starts it.

Its model endpoint is simulated. Agents are killed by their pid, one role after the other, while a
driver submits all the time; Ray restarts them. The driver's ledger and the journals say the rest.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.model_server_process import ModelServerProcess
from cluster.kernel.clock import SystemClock
from cluster.kernel.registration import Registration
from cluster.memory.directory import Directory, scope_of
from cluster.memory.store.redis import RedisStore
from cluster.placement.local.process_table import session_members
from tests.chaos.event_log import EventReader
from tests.chaos.figures import Figures
from tests.chaos.journal_reader import judge_journals
from tests.chaos.task_cell import ROLES
from tests.chaos.task_judge import judge_ends
from tests.chaos.zygote import Zygote
from tests.support.commands import ROOT
from tests.support.resident import ResidentCluster, resident_cluster

TTFT_S = 0.05
TOKENS_PER_S = 300.0
PAUSE_S = (0.2, 2.0)
BACK_S = 60.0
DRAIN_S = 120.0
_LISTENING = "0A"


async def run_ray_cell(_: Zygote, runs: int, seed: int, folder: Path) -> Figures:
    """Kill agents under Ray that often; the folder is made for the cell."""
    # In a thread: the commands of a resident cluster are run synchronously.
    return await asyncio.to_thread(_run, runs, seed, folder)


def _run(runs: int, seed: int, folder: Path) -> Figures:
    (folder / "c").mkdir(parents=True)
    figures = Figures("kills under Ray", seed)
    events = EventReader(folder)
    with ModelServerProcess(folder, TTFT_S, TOKENS_PER_S) as model:
        variables = {
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_API_KEY": "chaos",
            "FLEETMIND_MODEL": "openai:simulated",
        }
        with resident_cluster(folder / "c", **variables) as cluster:
            driver = _driver(cluster, folder)
            try:
                asyncio.run(_kill(cluster, events, figures, runs=runs, seed=seed))
                driver.terminate()
                driver.wait(DRAIN_S)
            finally:
                driver.kill()
                driver.wait()
            asyncio.run(_judge(cluster, events, figures))
    events.close()
    return figures


def _driver(cluster: ResidentCluster, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.ray_driver", str(folder)],
        cwd=ROOT,
        env=cluster.environment,
        stdout=subprocess.DEVNULL,
    )


def _secrets(cluster: ResidentCluster) -> dict[str, str]:
    found: dict[str, str] = json.loads(Path(cluster.resident["secrets_path"]).read_text("utf-8"))
    return found


async def _kill(
    cluster: ResidentCluster, events: EventReader, figures: Figures, *, runs: int, seed: int
) -> None:
    """Kill one role after the other, each time the cluster answers again."""
    rng = random.Random(seed)
    secrets = _secrets(cluster)
    store = await RedisStore.connect(secrets["redis_url"], timeout_s=20.0)
    directory = Directory(store, SystemClock(), scope=scope_of(secrets["token"], secrets["scope"]))
    session = cluster.resident["session"]["pid"]
    try:
        await _answered_since(events, 0.0)
        for number in range(runs):
            await asyncio.sleep(rng.uniform(*PAUSE_S))
            role = ROLES[number % len(ROLES)]
            [before] = await directory.replicas(role, is_fresh=True)
            pid = _listener(before.address, session_members(session))
            killed = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            await _back(directory, before)
            figures.detect_s.append(time.monotonic() - killed)
            await _answered_since(events, killed)
            figures.recover_s.append(time.monotonic() - killed)
            figures.runs += 1
    except TimeoutError:
        figures.stuck += 1
        figures.note(f"the cluster did not answer for {BACK_S:g} s after a kill")
    finally:
        await store.close()


async def _back(directory: Directory, before: Registration) -> None:
    """Wait until an agent's next incarnation is registered."""
    async with asyncio.timeout(BACK_S):
        while True:
            found = await directory.replicas(before.role, is_fresh=True)
            if any(each.epoch > before.epoch for each in found):
                return
            await asyncio.sleep(0.05)


async def _answered_since(events: EventReader, instant: float) -> None:
    """Wait until a task is answered that was submitted after an instant."""
    async with asyncio.timeout(BACK_S):
        while True:
            late = {r["task"] for r in events.find("submitted") if r["t"] > instant}
            if any(r["task"] in late for r in events.find("ended", kind="answered")):
                return
            await asyncio.sleep(0.05)


def _listener(address: str, pids: list[int]) -> int:
    """Return which of the processes listens at an address."""
    port = int(address.partition(";")[0].rpartition(":")[2])
    tables = [Path("/proc/net", name).read_text(encoding="ascii") for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table.splitlines()[1:]]
    sockets = {
        f"socket:[{fields[9]}]"
        for fields in lines
        if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port
    }
    for pid in pids:
        if sockets & _files_of(pid):
            return pid
    raise ProcessLookupError(f"nobody listens at {address}")


def _files_of(pid: int) -> set[str]:
    found: set[str] = set()
    with suppress(OSError):  # it has ended meanwhile
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(link.readlink()))
    return found


async def _judge(cluster: ResidentCluster, events: EventReader, figures: Figures) -> None:
    secrets = _secrets(cluster)
    records = events.read()
    ended = judge_ends(records, figures)
    figures.redeliveries += sum(e["starts"] - e["steps"] for e in ended.values() if e)
    scope = scope_of(secrets["token"], secrets["scope"])
    await judge_journals(ended, secrets["redis_url"], scope, figures)
    if not events.find("drained"):
        figures.stuck += 1
        figures.note("the driver did not come to an end")
