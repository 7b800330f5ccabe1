"""A cluster of real agents and a slow model, served by a real Ray Serve on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import ray

from benchmarks.model_server_process import ModelServerProcess
from benchmarks.plain_cluster import PlainCluster
from cluster.kernel.sections import ModelSettings
from cluster.placement.local.run_dir import make_run_dir
from cluster.placement.ray.session import RaySession, start_local_ray
from cluster.placement.serving import rollout
from cluster.placement.serving.replica import APPLICATION, deployment_of
from cluster.placement.serving.replica_spec import ReplicaSpec
from cluster.settings.values import ServeSettings, Settings
from tests.support.ray_head import free_ports

ROOT = Path(__file__).resolve().parents[2]
TOKENS = 30
TOKENS_PER_S = 20.0
ANSWER = "The sea of Fleetmind is salt. It is deep."
_SCRIPT = {
    "manager": {
        "plan": {
            "text": json.dumps(
                {
                    "steps": [
                        {"id": "r1", "agent": "researcher", "instruction": "Find out.", "needs": []}
                    ]
                }
            ),
            "tokens": 4,
        },
        "answer": {"text": ANSWER, "tokens": 4},
    },
    "researcher": {"*": {"text": "The sea is known to be salt. " * TOKENS, "tokens": TOKENS}},
}
_REPLICA_PREFIX = f"SERVE_REPLICA::{APPLICATION}#"


@dataclass(frozen=True)
class Served:
    """Where the ingress is, and what is behind it."""

    url: str
    model: ModelServerProcess
    session: RaySession
    spec: ReplicaSpec
    settings: Settings

    async def deploy(self) -> None:
        """Deploy it, or replace all of its replicas."""
        await rollout.deploy(self.session, deployment_of(self.spec, self.settings))

    async def replicas(self) -> list[str]:
        """Return the names of the replicas' actors."""
        named = await self.session.call(lambda: ray.util.list_named_actors(all_namespaces=True))
        return [each["name"] for each in named if each["name"].startswith(_REPLICA_PREFIX)]

    async def kill(self, replica: str) -> None:
        """End a replica as a crash does; Serve starts another one."""
        await self.session.call(lambda: ray.kill(ray.get_actor(replica, namespace="serve")))

    async def model_is_quiet(self) -> None:
        """Return when no request to the model is being answered."""
        while (await asyncio.to_thread(self.model.counts))["running"]:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)


@contextmanager
def served() -> Iterator[Served]:
    """Serve for as long as the context lasts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        script = folder / "script.json"
        script.write_text(json.dumps(_SCRIPT), encoding="utf-8")
        model = stack.enter_context(ModelServerProcess(folder, 0.0, TOKENS_PER_S, script=script))
        settings = _settings()
        where = ModelSettings("openai:simulated", model.base_url)
        agents = ("manager-0", "researcher-0")
        cluster = stack.enter_context(PlainCluster(folder, where, agents, settings))
        session = stack.enter_context(_ray(settings))
        spec = ReplicaSpec(settings.public_json(), str(cluster.folder / "secrets"))
        url = f"http://127.0.0.1:{settings.serve.port}"
        found = Served(url, model, session, spec, settings)
        asyncio.run(found.deploy())
        yield found


def _settings() -> Settings:
    (port,) = free_ports(1)
    settings = Settings(serve=ServeSettings(port=port, replicas=2, drain_s=30.0))
    agents = {
        role: replace(each, concurrency=64)
        for role, each in settings.agents.items()
        if role in {"manager", "researcher"}
    }
    return replace(settings, agents=agents)


@contextmanager
def _ray(settings: Settings) -> Iterator[RaySession]:
    run_dir = make_run_dir()
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), path)))
    try:
        session = asyncio.run(
            start_local_ray(run_dir / "ray", namespace="served", has_dashboard=False)
        )
        asyncio.run(rollout.start_serve(session, settings.serve))
        try:
            yield session
        finally:
            asyncio.run(_end(session))
    finally:
        os.environ.pop("PYTHONPATH")
        if path is not None:
            os.environ["PYTHONPATH"] = path
        shutil.rmtree(run_dir, ignore_errors=True)


async def _end(session: RaySession) -> None:
    await rollout.withdraw(session, 60.0)
    await rollout.stop_serve(session)
    await session.close()


@dataclass(frozen=True)
class SentEvent:
    """One server-sent event."""

    id: str
    data: Any


async def events_of(
    client: httpx.AsyncClient, task: str, after: str = "", *, events_max: int = 0
) -> Sequence[SentEvent]:
    """Read a task's events on a connection of its own, to their end or until it is cut."""
    headers = {"Last-Event-ID": after, "Connection": "close"} if after else {"Connection": "close"}
    found: list[SentEvent] = []
    with suppress(_Cut):
        async with client.stream("GET", f"/v1/tasks/{task}/events", headers=headers) as response:
            response.raise_for_status()
            async for event in _sent(response):
                found.append(event)
                if events_max and len(found) >= events_max:
                    raise _Cut
    return found


class _Cut(Exception):
    """Enough was read."""


async def _sent(response: httpx.Response) -> AsyncIterator[SentEvent]:
    cursor = ""
    async for line in response.aiter_lines():
        if line.startswith("id: "):
            cursor = line.removeprefix("id: ")
        elif line.startswith("data: ") and line != "data: [DONE]":
            yield SentEvent(cursor, json.loads(line.removeprefix("data: ")))
