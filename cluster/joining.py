"""How a client gets to a cluster: the resident one, a given Ray cluster, or one for the duration.

Handed to `cluster.client` by `cluster`, and called by the commands; the only place that knows in
which order the parts of a client are opened and closed. Attaching to a resident cluster imports
neither Ray nor pydantic.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING

from cluster.client import Note
from cluster.driver_link import DriverLink
from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import PlacementError, StoreUnavailable, UsageError, of_start
from cluster.kernel.loopback import is_loopback, reached_at
from cluster.kernel.sections import ModelSettings
from cluster.memory.directory import scope_of
from cluster.memory.feed.redis import RedisTaskFeed
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.kept_scope import read_scope
from cluster.memory.store.redis import RedisStore
from cluster.memory.task_records.redis import RedisTaskRecords
from cluster.placement.ray import probe as ray_probe
from cluster.placement.resident.file import ResidentRecord, read_resident
from cluster.runtime.driver.driver import Driver
from cluster.runtime.messaging.sender import WhyOver
from cluster.settings import Configuration, Secrets, Settings, with_header_values
from cluster.settings.values import ServeSettings
from cluster.supply import Supply, installed_agents
from cluster.transport.nearest import nearest_transport

if TYPE_CHECKING:
    from cluster.placement.local.local_cluster import LocalCluster

_OF_THE_RUN = frozenset(
    {
        "task.deadline_s",
        "task.coherence",
        "task.tokens_max",
        "task.cost_max",
        "network.host",
        "model.api_key_path",
        "answer.verify",
        *(f"serve.{field.name}" for field in fields(ServeSettings)),
    }
)
"""Settings that a resident cluster need not share with the run that uses it."""
_PLACES = frozenset({"ray.address", "store.redis"})
"""Settings that tell where a cluster's tasks are."""
StartStore = Callable[[Note], AbstractContextManager[tuple[str, bool]]]
"""Starts a store until the context ends: its URL, and whether somebody else runs it."""

_REACH_TIMEOUT_S = 2.0
NOT_UP = "no cluster is up that could go on with a task when you have left: run `fleetmind up`"


@asynccontextmanager
async def join(configuration: Configuration, note: Note) -> AsyncIterator[DriverLink]:
    """Attach to the resident cluster, or start one for as long as the context lasts.

    With a Ray address, the cluster's agents are placed in that Ray cluster. A resident cluster
    that was started with other settings than are asked for now is left alone.

    Raises:
        ClusterError: why no cluster can be used, in one sentence, or can't any longer.
    """
    settings = configuration.settings
    resident = None if settings.ray.address else read_resident()
    if resident is not None:
        differing = differences(configuration, resident.settings_json)
        if not differing:
            async with _link_to_resident(resident, settings) as link:
                yield link
            return
        note(f"the resident cluster has another {', '.join(differing)}: starting one for this run")
    why_gone = None
    if resident is not None and not configuration.secrets.redis_url:
        configuration = _with_store_of(resident, configuration, note)
        why_gone = _why_without_store(resident)
    check_can_start(configuration)
    from cluster.placement.local.local_cluster import LocalCluster

    with _in_our_words(why_gone):
        async with AsyncExitStack() as stack:
            starting = LocalCluster(configuration, on_progress=note)
            with of_start():
                cluster = await stack.enter_async_context(starting)
            why_over = _why_ended(cluster, why_gone)
            secrets = Secrets.read_secrets(cluster.secrets_path)
            stack.enter_context(_in_our_words(why_over))
            yield await stack.enter_async_context(link_to(secrets, settings, why_over))


@asynccontextmanager
async def join_resident(configuration: Configuration, _note: Note) -> AsyncIterator[DriverLink]:
    """Attach to the resident cluster, for a task that goes on when its client has left.

    Raises:
        UsageError: none is up, or it was started with other settings than are asked for now.
    """
    resident = read_resident()
    if resident is None:
        raise UsageError(NOT_UP)
    if differing := differences(configuration, resident.settings_json):
        raise UsageError(
            f"the cluster that is up has another {', '.join(differing)}: leave it as it is, or run "
            "`fleetmind down`, and `fleetmind up` with what you want"
        )
    async with _link_to_resident(resident, configuration.settings) as link:
        yield link


@asynccontextmanager
async def attach(configuration: Configuration, note: Note) -> AsyncIterator[DriverLink]:
    """Attach to the resident cluster, or, where none is up, to what the store has of its tasks.

    Settings that only matter to new tasks are not looked at.

    Raises:
        StoreUnavailable: the store does not answer, or can't be started.
        UsageError: the scope of this user's cluster can't be read.
    """
    resident = read_resident()
    if resident is not None:
        if _PLACES.isdisjoint(differences(configuration, resident.settings_json)):
            async with _link_to_resident(resident, configuration.settings) as link:
                yield link
            return
        note("the cluster that is up has another store: these are the tasks of before in this one")
    with ExitStack() as stack:
        url = configuration.secrets.redis_url or _users_store(stack, note)
        secrets = Secrets(redis_url=url, scope=read_scope())
        async with link_to(secrets, configuration.settings) as link:
            yield link


@asynccontextmanager
async def _link_to_resident(
    resident: ResidentRecord, settings: Settings
) -> AsyncIterator[DriverLink]:
    secrets = Secrets.read_secrets(resident.secrets_path)
    why_over = _why_stopped(resident)
    with _in_our_words(why_over):
        async with link_to(secrets, settings, why_over, is_resident=True) as link:
            yield link


def _with_store_of(
    resident: ResidentRecord, configuration: Configuration, note: Note
) -> Configuration:
    """Use the resident cluster's store, which has what was learned."""
    note("it uses the resident cluster's store, which goes with `fleetmind down`")
    url = Secrets.read_secrets(resident.secrets_path).redis_url
    return replace(configuration, secrets=replace(configuration.secrets, redis_url=url))


def _why_stopped(resident: ResidentRecord) -> WhyOver:
    """Return what sees that the resident cluster was stopped; its file goes first of all.

    A Manager that still has a link to us is ending the task, and has the last word.
    """

    def why_over(is_linked: bool) -> str | None:  # noqa: FBT001 - as `WhyOver` is
        is_up = is_linked or read_resident() == resident
        return None if is_up else "the cluster was stopped"

    return why_over


def _why_without_store(resident: ResidentRecord) -> WhyOver:
    """Return what sees that the store of a cluster of our own went with the resident one."""

    def why_over(_is_linked: bool) -> str | None:  # noqa: FBT001 - as `WhyOver` is
        if read_resident() == resident:
            return None
        return "the resident cluster was stopped, and the store that this run uses went with it"

    return why_over


def _why_ended(cluster: LocalCluster, why_gone: WhyOver | None) -> WhyOver:
    """Return what sees that a cluster of our own has ended, or what it needs has gone."""

    def why_over(is_linked: bool) -> str | None:  # noqa: FBT001 - as `WhyOver` is
        if cluster.why_ended is not None:
            return cluster.why_ended
        return None if why_gone is None else why_gone(is_linked)

    return why_over


@contextmanager
def _in_our_words(why_over: WhyOver | None) -> Iterator[None]:
    """Say why the store can't be reached, where that is known; raises PlacementError then."""
    try:
        yield
    except StoreUnavailable as error:
        reason = None if why_over is None else why_over(False)  # noqa: FBT003 - as `WhyOver` is
        if reason is None:
            raise
        raise PlacementError(reason) from error


@asynccontextmanager
async def link_to(
    secrets: Secrets,
    settings: Settings,
    why_over: WhyOver | None = None,
    *,
    is_resident: bool = False,
) -> AsyncIterator[DriverLink]:
    """Connect to a running cluster's store and be ready to talk to its agents.

    No task waits for what ``why_over`` says can't come any more.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    async with AsyncExitStack() as stack:
        store = await RedisStore.connect(secrets.redis_url)
        stack.push_async_callback(store.close)
        clock = SystemClock()
        transport = nearest_transport(secrets.token, settings.network.host, clock.now)
        scope = scope_of(secrets.token, secrets.scope)
        feed, records = RedisTaskFeed(store, scope), RedisTaskRecords(store, scope)
        stack.push_async_callback(feed.close)
        driver = Driver(
            store,
            transport,
            clock,
            scope=scope,
            sampled_share=settings.sampled_share,
            looks_again=settings.answer.verify == "background",
            why_over=why_over,
            feed=feed,
            records=records,
            journal=RedisJournal(store, scope),
        )
        await driver.open()
        stack.push_async_callback(driver.close)
        link = DriverLink(
            store,
            driver,
            records,
            is_resident=is_resident,
            why_over=why_over,
            checks_policies=settings.state.check_policies,
        )
        stack.push_async_callback(link.close)
        yield link


@asynccontextmanager
async def open_store(
    configuration: Configuration, note: Note, start: StartStore | None = None
) -> AsyncIterator[RedisStore]:
    """Connect to the store that the next run will use, starting the embedded one if need be.

    Args:
        configuration: with its address, where it has one.
        note: is told what a user should know.
        start: instead of `cluster.memory.store.users_store.users_store`.

    Raises:
        StoreUnavailable: it does not answer, or can't be started.
    """
    with ExitStack() as stack:
        resident = read_resident()
        url = configuration.secrets.redis_url
        if resident is not None and not differences(configuration, resident.settings_json):
            url = Secrets.read_secrets(resident.secrets_path).redis_url
        elif not url:
            url = _users_store(stack, note, start)
        store = await RedisStore.connect(url)
        if store.warning:
            note(store.warning)
        try:
            yield store
        finally:
            await store.close()


def _users_store(stack: ExitStack, note: Note, start: StartStore | None = None) -> str:
    """Return where the store with the user's data is, until the stack is left."""
    from cluster.memory.store.users_store import users_store

    note("starting the store")
    starting = users_store(note=note) if start is None else start(note)
    with of_start():
        url, is_others = stack.enter_context(starting)
    if is_others:
        note("the store is that of a cluster or command of yours that runs beside")
    return url


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
            address is none of Ray's, the host is none of this machine's, or the sandbox's
            environment or limits will not do.
    """
    supply = installed_agents()
    address = configuration.settings.ray.address
    if not address:
        check_can_listen(configuration.settings.network.host)
    if address not in {"", "auto"}:
        ray_probe.split(address)
    _check_models(configuration, supply)
    if not address:
        # Elsewhere the agents' machines have to have it, not this one: they look for themselves.
        supply.check_sandbox(configuration.settings.sandbox)


def _check_models(configuration: Configuration, supply: Supply) -> None:
    """Say in good time why a model of the settings can't be used; raises UsageError then."""
    secrets = configuration.secrets
    settings = with_header_values(configuration.settings, secrets)
    _check_model(settings.model, secrets.api_key, supply)
    for name, entry in settings.models.items():
        try:
            _check_model(entry, secrets.model_keys.get(name, ""), supply)
        except UsageError as error:
            raise UsageError(f"[models.{name}]: {error}") from error


def _check_model(model: ModelSettings, key: str, supply: Supply) -> None:
    supply.check_model(
        model.uri, base_url=model.base_url, api_key=key, engine=model.engine, headers=model.headers
    )


def check_can_listen(host: str) -> None:
    """Say why agents on this machine can't listen at a host; those of another one are not known.

    Raises:
        UsageError: it is no address of this machine, or this machine does not reach it.
    """
    name = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in name and name == host:
        raise UsageError(f"the host {host!r} can't be listened on: write it as [{host}]")
    try:
        found = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.bind(place)
            tried.listen()
            _check_reached(host, tried)
    except (OSError, UnicodeError) as error:
        number = error.errno if isinstance(error, OSError) else None
        is_name = isinstance(error, socket.gaierror) or not number
        reason = "nothing has that name" if is_name else os.strerror(number or 0)
        raise UsageError(
            f"the host {host!r} can't be listened on ({reason}): network.host, or --host of `up`, "
            "has to be an address of this machine"
        ) from error


def _check_reached(host: str, listening: socket.socket) -> None:
    """Connect to a host of this machine: where that can't be, Ray says so after a minute."""
    try:
        with socket.socket(listening.family, listening.type) as knocking:
            knocking.settimeout(_REACH_TIMEOUT_S)
            knocking.connect(listening.getsockname())
    except OSError as error:
        is_own = is_loopback(reached_at(listening.getsockname()[0]))
        raise UsageError(
            f"the host {host!r} is not reached from this machine ({error.strerror or error}): "
            f"{'bring its loopback interface up' if is_own else 'give an address that it reaches'}"
        ) from error
