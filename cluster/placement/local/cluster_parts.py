"""What a running cluster consists of: the store, the local model's server, Ray, the actors.

Owned by `cluster.placement.local.cluster_process`. Ray takes seconds to start, in which the model
is loaded; the actors come last, since they need them all.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NoReturn, TypeVar

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import ClusterError, PlacementError, StoreUnavailable
from cluster.kernel.ids import agent_id
from cluster.kernel.loopback import is_loopback
from cluster.kernel.model_uri import ModelUri
from cluster.kernel.sections import ModelSettings
from cluster.memory.directory import Directory
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.placement.actor.host_spec import HostSpec
from cluster.placement.actor.launcher import LaunchOptions, PlacedAgent, launch, stop
from cluster.placement.local.reports import Ready
from cluster.placement.local.request import SECRETS_FILE, StartRequest
from cluster.placement.ray.session import RaySession, join_ray, start_local_ray
from cluster.runtime.observers.spans import why_no_spans
from cluster.settings import Secrets
from cluster.supply import installed_agents

ModelT = TypeVar("ModelT", bound=ModelSettings)
ResultT = TypeVar("ResultT")
_RAY_FOLDER = "ray"
_WATCH_S = 5.0
_MISSED_MAX = 3
_STORE_ENDS_MAX = 3
"""How often our own store may end by itself within 10 s: a full disk stays full."""


class ClusterParts:
    """Starts the parts and stops them; ``say`` is told what is being done."""

    def __init__(self, request: StartRequest, run_dir: Path, say: Callable[[str], None]) -> None:
        self._request = request
        self._settings = request.settings
        self._run_dir = run_dir
        self._secrets_path = run_dir / SECRETS_FILE
        self._say = say
        self._redis: EmbeddedRedis | None = None
        self._models: list[AbstractAsyncContextManager[str]] = []
        self._ray: RaySession | None = None
        self._placed: list[PlacedAgent] = []
        self._is_scope_kept = False
        """Whether the next cluster finds the tasks of this one."""

    async def start(self) -> Ready:
        """Start everything and return where it is; what was started is left to `stop` or the end.

        Raises:
            ClusterError: what could not be started.
        """
        # The two other processes are started before Ray is: it sets environment variables from its
        # thread, and a process that is just being started may then find its own gone (EFAULT).
        await self._open_store()
        if why := why_no_spans(self._settings.telemetry):
            self._say(why)
        return await self._while_store_runs(self._start_others())

    async def _start_others(self) -> Ready:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._open_models())
                group.create_task(self._alone_in_scope())
                opening = group.create_task(self._open_ray())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        session = opening.result()
        options = LaunchOptions(self._request.namespace, is_pinned=await self._is_pinned(session))
        specs = [
            HostSpec(agent_id(role, replica), self._settings.public_json(), str(self._secrets_path))
            for role, agent in self._settings.agents.items()
            for replica in range(agent.replicas)
        ]
        names = tuple(spec.agent for spec in specs)
        self._say(f"placing {', '.join(names)}")
        self._placed = await launch(session, specs, options)
        return Ready(session.address, session.dashboard_url, names)

    async def lost(self) -> NoReturn:
        """End when the cluster can't go on; until then, a store of our own is kept alive.

        Raises:
            PlacementError: Ray has gone: its agents would still answer, but be restarted no more.
            StoreUnavailable: the store ends again and again.
        """
        await self._while_store_runs(self._ray_lost())
        raise PlacementError("Ray has died, and with it what restarts the agents")

    async def _ray_lost(self) -> None:
        missed = 0
        while missed < _MISSED_MAX:
            await asyncio.sleep(_WATCH_S)
            missed = 0 if await self._has_ray() else missed + 1

    async def _while_store_runs(self, work: Coroutine[object, object, ResultT]) -> ResultT:
        """Work while a store of our own is started again whenever it has ended.

        Raises:
            StoreUnavailable: it can't go on; that is also why the work has failed where it did.
        """
        if self._redis is None:
            return await work
        working = asyncio.ensure_future(work)
        keeping = asyncio.create_task(self._redis.keep_alive(_STORE_ENDS_MAX))
        try:
            await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
            return await (keeping if keeping.done() else working)
        except ClusterError as error:
            if why := self._redis.why_ended():
                raise StoreUnavailable(why) from error
            raise
        finally:
            for task in (working, keeping):
                task.cancel()
            await asyncio.gather(working, keeping, return_exceptions=True)

    async def stop(self, *, is_ordered: bool = True) -> None:
        """Stop in the reverse order, so that nothing loses what it still needs.

        Tasks are cancelled, unless nobody has ordered this: then they are left to the next cluster
        that has the scope, where there will be one.

        Ray of our own is left to the end of the session: it has nothing to save, and ending it in
        an orderly way takes a second and a half.
        """
        if self._ray is not None:
            ends_tasks = is_ordered or not self._is_scope_kept
            await stop(self._ray, self._placed, ends_tasks=ends_tasks)
        for server in self._models:
            await server.__aexit__(None, None, None)
        if self._redis is not None:
            await asyncio.to_thread(self._redis.stop)
        if self._ray is not None and self._ray.is_joined:
            await self._ray.close()

    async def _has_ray(self) -> bool:
        assert self._ray is not None
        try:
            return any(node.is_ours for node in await self._ray.nodes())
        except PlacementError:
            return False

    async def _open_store(self) -> None:
        """Reach the configured store, or start one of our own and note its address."""
        secrets = Secrets.read_secrets(self._secrets_path)
        if secrets.redis_url:
            self._say("connecting to the store")
            from cluster.memory.store.redis import RedisStore  # while Ray starts

            store = await RedisStore.connect(secrets.redis_url)
            if store.warning:
                self._say(store.warning)
            await store.close()
            return
        self._say("starting the store")
        self._redis = EmbeddedRedis(run_root=self._run_dir)
        url = await asyncio.to_thread(self._redis.start)
        if self._redis.note:
            self._say(self._redis.note)
        dataclasses.replace(secrets, redis_url=url).write_secrets(self._secrets_path)

    async def _alone_in_scope(self) -> None:
        """Wait until the leases of a cluster that had this scope and has died are over.

        Ray takes as long to start as that. New agents would fence the old ones in any case, but
        they are not to dial the dead; and a cluster that lives renews its leases.

        Raises:
            PlacementError: another cluster lives in this scope.
            StoreUnavailable: the store does not answer.
        """
        secrets = Secrets.read_secrets(self._secrets_path)
        if not secrets.scope:
            return  # that of a new token is nobody's yet
        self._is_scope_kept = True
        from cluster.memory.store.redis import RedisStore  # while Ray starts

        store = await RedisStore.connect(secrets.redis_url)
        try:
            living = await Directory(store, SystemClock(), scope=secrets.scope).outlast()
        finally:
            await store.close()
        if living:
            where = living[0].address.partition(";")[0]  # what follows is the way on its machine
            raise PlacementError(
                f"another cluster works on the same tasks ({living[0].agent} at {where}): one data "
                "folder is a copy of the other; remove the file `scope` in one of them"
            )

    async def _open_models(self) -> None:
        """Serve the local models; to the agents they are then endpoints like any other."""
        settings = self._settings
        urls: dict[str, str] = {}
        for model in (settings.model, *settings.models.values()):
            if ModelUri.parse(model.uri).is_local and _server_of(model) not in urls:
                urls[_server_of(model)] = await self._served(model)
        self._settings = dataclasses.replace(
            settings,
            model=_at(settings.model, urls),
            models={name: _at(each, urls) for name, each in settings.models.items()},
        )

    async def _served(self, model: ModelSettings) -> str:
        """Start a local model's server and return where it is."""
        name = ModelUri.parse(model.uri).name
        self._say(f"loading the model {name}")
        server = installed_agents().local_server(name, model.engine.server_options)
        base_url = await server.__aenter__()
        self._models.append(server)
        return base_url

    async def _open_ray(self) -> RaySession:
        address, namespace = self._settings.ray.address, self._request.namespace
        if address:
            self._say(f"joining the Ray cluster at {address}")
            self._ray = await join_ray(
                address, namespace=namespace, apart_from=self._request.apart_from
            )
        else:
            self._say("starting Ray")
            self._ray = await start_local_ray(
                self._run_dir / _RAY_FOLDER,
                namespace=namespace,
                has_dashboard=self._request.has_dashboard,
            )
        return self._ray

    async def _is_pinned(self, session: RaySession) -> bool:
        """Say whether all agents stay on this machine: where they listen on loopback.

        Raises:
            PlacementError: they don't, and could not reach what is only here.
        """
        if is_loopback(self._settings.network.host):
            return True
        if len(await session.nodes()) > 1:
            if self._redis is not None:
                raise PlacementError(
                    "the Ray cluster has several machines, and the embedded store is only on "
                    "this one: agents need a Redis that all of them reach, name it with --redis"
                )
            if self._models:
                raise PlacementError(
                    "the Ray cluster has several machines, and the local model is only on this "
                    "one: name an endpoint that all of them reach with --model openai:NAME"
                )
        return False


def _at(model: ModelT, urls: Mapping[str, str]) -> ModelT:
    """Return a model's settings with its server's URL, where it has one here."""
    return dataclasses.replace(model, base_url=urls.get(_server_of(model), model.base_url))


def _server_of(model: ModelSettings) -> str:
    """Return what tells a model's server from others: the same model may have several options."""
    return f"{model.uri} {json.dumps(model.engine.server_options, sort_keys=True)}"
