"""How a client gets to a cluster: the resident one, a given Ray cluster, or one for the duration.

Used by `cluster.client` and the commands; the only place that knows in which order the parts of
a client are opened and closed. Attaching to a resident cluster imports neither Ray nor pydantic.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import asdict, replace
from importlib import import_module
from os import PathLike

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.records import LEARNED, name_key
from cluster.memory.store.port import Store
from cluster.memory.store.redis import RedisStore
from cluster.placement.ray import probe as ray_probe
from cluster.placement.resident.file import read_resident
from cluster.runtime.directory import scope_of
from cluster.runtime.driver.driver import Driver
from cluster.runtime.driver.submitted import SubmittedTask
from cluster.settings import Configuration, Secrets, Settings
from cluster.transport.nearest import nearest_transport

Note = Callable[[str], None]

NOTED_FILES = 160
"""So many files later, somebody who waits is told again how far the reading is."""
_AGENTS = "agents"
_CHECK_MODEL = "agents.models.uri"
_FACTORY = "agents.factory"
_OF_THE_RUN = frozenset({"task.deadline_s", "network.host", "model.api_key_path", "answer.verify"})
"""Settings that a resident cluster need not share with the run that uses it."""


class ClusterLink:
    """An open way to a cluster: its store, and a driver that submits to its Managers."""

    def __init__(self, store: Store, driver: Driver) -> None:
        self._store = store
        self._driver = driver

    async def collection(self, paths: Sequence[str | PathLike[str]], note: Note) -> str:
        """Return the id of what the paths hold; of what `fleetmind learn` added, without any.

        Raises:
            UsageError: a path can't be read, or holds no text.
            StoreUnavailable: the store does not answer.
        """
        if not paths:
            [learned] = await self._store.get_many([name_key(LEARNED)])
            return "" if learned is None else learned.decode()
        # With its libraries it takes a third of a second to import.
        from cluster.memory.knowledge.learning import learn

        def progress(done: int, total: int) -> None:
            if done == total or done % NOTED_FILES == 0:
                note(f"reading the knowledge: {done} of {total} files")

        result = await learn(self._store, paths, progress=progress)
        for text in result.notes:
            note(f"not in the knowledge: {text}")
        return result.collection

    async def submit(self, goal: str, *, collection: str, timeout_s: float) -> SubmittedTask:
        """Hand a goal to a Manager; errors as of `Driver.submit`."""
        return await self._driver.submit(goal, collection=collection, timeout_s=timeout_s)


@asynccontextmanager
async def join(configuration: Configuration, note: Note) -> AsyncIterator[ClusterLink]:
    """Attach to the resident cluster, or start one for as long as the context lasts.

    With a Ray address, the cluster's agents are placed in that Ray cluster. A resident cluster
    that was started with other settings than are asked for now is left alone.

    Raises:
        ClusterError: why no cluster can be used, in one sentence.
    """
    settings = configuration.settings
    resident = None if settings.ray.address else read_resident()
    if resident is not None:
        differing = differences(configuration, resident.settings_json)
        if not differing:
            secrets = Secrets.read_secrets(resident.secrets_path)
            async with link_to(secrets, settings) as link:
                yield link
            return
        note(f"the resident cluster has another {', '.join(differing)}: starting one for this run")
        configuration = _with_store_of(resident.secrets_path, configuration, note)
    check_can_start(configuration)
    from cluster.placement.local.local_cluster import LocalCluster

    async with LocalCluster(configuration, on_progress=note) as cluster:
        secrets = Secrets.read_secrets(cluster.secrets_path)
        async with link_to(secrets, settings) as link:
            yield link


def _with_store_of(secrets_path: str, configuration: Configuration, note: Note) -> Configuration:
    """Use the resident cluster's store where no other is named: it has what was learned."""
    if configuration.secrets.redis_url:
        return configuration
    note("it uses the resident cluster's store, which goes with `fleetmind down`")
    url = Secrets.read_secrets(secrets_path).redis_url
    return replace(configuration, secrets=replace(configuration.secrets, redis_url=url))


@asynccontextmanager
async def link_to(secrets: Secrets, settings: Settings) -> AsyncIterator[ClusterLink]:
    """Connect to a running cluster's store and be ready to talk to its agents.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    async with AsyncExitStack() as stack:
        store = await RedisStore.connect(secrets.redis_url)
        stack.push_async_callback(store.close)
        clock = SystemClock()
        transport = nearest_transport(secrets.token, settings.network.host, clock.now)
        driver = Driver(
            store,
            transport,
            clock,
            scope=scope_of(secrets.token),
            sampled_share=settings.sampled_share,
            looks_again=settings.answer.verify == "background",
        )
        await driver.start()
        stack.push_async_callback(driver.close)
        yield ClusterLink(store, driver)


@asynccontextmanager
async def open_store(configuration: Configuration, note: Note) -> AsyncIterator[Store]:
    """Connect to the store that the next run will use, starting the embedded one if need be.

    Raises:
        StoreUnavailable: it does not answer, or can't be started.
    """
    with ExitStack() as stack:
        resident = read_resident()
        url = configuration.secrets.redis_url
        if resident is not None and not differences(configuration, resident.settings_json):
            url = Secrets.read_secrets(resident.secrets_path).redis_url
        elif not url:
            from cluster.memory.store.embedded import EmbeddedRedis

            note("starting the store")
            server = stack.enter_context(EmbeddedRedis())
            url = server.url
            if server.note:
                note(server.note)
        store = await RedisStore.connect(url)
        try:
            yield store
        finally:
            await store.close()


def differences(configuration: Configuration, settings_json: str) -> list[str]:
    """Return the keys that somebody gave and that a cluster with those settings has otherwise."""
    theirs = json.loads(settings_json)
    ours = json.loads(json.dumps(asdict(configuration.settings)))
    given = sorted(configuration.given - _OF_THE_RUN)
    if any(key.startswith("agents.") for key in given):
        given.append("python_path")
    return [key for key in given if _get(ours, key) != _get(theirs, key)]


def _get(settings: Mapping[str, object], key: str) -> object:
    section, _, name = key.partition(".")
    content = settings.get(section)
    return content.get(name) if name and isinstance(content, dict) else content


def check_can_start(configuration: Configuration) -> None:
    """Say in good time why a cluster could not be started: Ray alone takes seconds.

    Raises:
        UsageError: the installed package `agents` is another one, the model can't be used, the
            address is none of Ray's, or the sandbox's environment or limits will not do.
    """
    if not getattr(import_module(_AGENTS), "__fleetmind__", False):
        raise UsageError(
            "the installed package `agents` is not Fleetmind's but probably that of "
            "`openai-agents`, which can't be installed beside it: remove one of the two"
        )
    address = configuration.settings.ray.address
    if address not in {"", "auto"}:
        ray_probe.split(address)
    model = configuration.settings.model
    import_module(_CHECK_MODEL).check_model(
        model.uri, base_url=model.base_url, api_key=configuration.secrets.api_key
    )
    if not address:
        # Elsewhere the agents' machines have to have it, not this one: they look for themselves.
        import_module(_FACTORY).build_sandbox(asdict(configuration.settings.sandbox))
