"""``fleetmind serve``: the HTTP ingress, in front of the resident cluster or of one of its own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from cluster.cli.console import Console
from cluster.cli.options import Options
from cluster.cli.progress import open_display
from cluster.cli.run import flags_of
from cluster.joining import check_can_start, differences, open_store
from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import PlacementError, UsageError, of_start
from cluster.kernel.loopback import is_every_address, is_loopback
from cluster.memory.kept_scope import kept_scope
from cluster.placement.local.local_cluster import LocalCluster
from cluster.placement.ray.probe import of_resident
from cluster.placement.resident.file import ResidentRecord, read_resident
from cluster.placement.resident.process import OWN_SCOPE
from cluster.placement.serving.control import ServedHttp, check_can_serve
from cluster.placement.serving.listening import url_of
from cluster.placement.serving.process import ServeRequest
from cluster.serving.tokens import TokenBook
from cluster.settings import Configuration, load
from cluster.settings.config_file import from_public_json

Note = Callable[[str], None]

_GONE_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class _ClusterPlace:
    """A cluster that is up: where its Ray is, and its secrets."""

    ray_address: str
    secrets_path: str
    is_private: bool
    """Whether no other user and no other machine has to do with that Ray."""
    resident: ResidentRecord | None = None


def serve(options: Options, console: Console) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind serve``; what can be known at once is raised at once.

    Raises:
        UsageError: a setting is wrong, nothing can listen where the ingress is to, or the address
            is that of the resident cluster.
    """
    configuration = load(options.config, flags_of(options))
    resident = read_resident()
    if resident is not None:
        _check_is_elsewhere(configuration.settings.ray.address, resident)
    is_resident = not configuration.settings.ray.address and resident is not None
    check_can_serve(configuration.settings.serve, may_be_in_use=is_resident)
    return _serve(configuration, console)


def _check_is_elsewhere(address: str, resident: ResidentRecord) -> None:
    """Refuse an address where the resident cluster is: agents would be started beside its own."""
    theirs = from_public_json(resident.settings_json).ray.address
    if address and address in {resident.ray_address, theirs}:
        raise of_resident(address)  # whoever joins it finds out about all other names


async def _serve(configuration: Configuration, console: Console) -> int:
    settings = configuration.settings
    display = open_display(console)
    note = display.note
    try:
        if not is_loopback(settings.serve.host):
            await _check_tokens(configuration, note)
        async with AsyncExitStack() as stack:
            cluster = await stack.enter_async_context(_cluster(configuration, note))
            request = ServeRequest(
                cluster.ray_address,
                settings.public_json(),
                cluster.secrets_path,
                is_private=cluster.is_private,
            )
            served = await stack.enter_async_context(ServedHttp(request, settings.serve, note))
            stack.push(partial(_let_a_second_signal_cut, note, settings.serve.drain_s))
            url = url_of(settings.serve)
            note(f"OpenAI's clients: base_url={url}/v1")
            if is_every_address(settings.serve.host):
                note(f"it listens at every address of this machine, port {settings.serve.port}")
            console.write(f"{url}\n")
            raise PlacementError(await _why_ended(served, cluster.resident))
    finally:
        display.close()


@asynccontextmanager
async def _cluster(configuration: Configuration, note: Note) -> AsyncIterator[_ClusterPlace]:
    """Give the resident cluster, or start one for as long as the context lasts.

    Raises:
        UsageError: the resident one has other settings than are asked for.
        ClusterError: why none can be started.
    """
    up = read_resident()
    resident = None if configuration.settings.ray.address else up
    if resident is not None:
        if differing := differences(configuration, resident.settings_json):
            raise UsageError(
                f"the resident cluster has another {', '.join(differing)}: `fleetmind down` stops "
                "it, or leave that away to serve it as it is"
            )
        is_private = not from_public_json(resident.settings_json).ray.address
        yield _ClusterPlace(resident.ray_address, resident.secrets_path, is_private, resident)
        return
    check_can_start(configuration)
    with kept_scope() as scope:  # the ingress that is started next has the tasks of this one
        if not scope:
            note(OWN_SCOPE)
        secrets = replace(configuration.secrets, scope=scope)
        async with AsyncExitStack() as stack:
            starting = LocalCluster(
                replace(configuration, secrets=secrets),
                on_progress=note,
                apart_from="" if up is None else up.ray_address,
            )
            with of_start():
                own = await stack.enter_async_context(starting)
            is_private = not configuration.settings.ray.address
            yield _ClusterPlace(own.ready.ray_address, str(own.secrets_path), is_private)


async def _why_ended(served: ServedHttp, resident: ResidentRecord | None) -> str:
    """Return why the ingress has ended, when it has.

    That its Ray was taken away it can't say itself, and finds out late.
    """
    ending = asyncio.create_task(served.ended())
    try:
        while not (await asyncio.wait((ending,), timeout=_GONE_POLL_S))[0]:
            if _is_gone(resident):
                break
        else:
            await asyncio.sleep(_GONE_POLL_S)  # it may notice before the cluster's own process does
        if _is_gone(resident):
            await served.kill()
            return "the cluster was stopped: start `fleetmind serve` again"
        return f"the ingress has ended, the reason: {await ending}"
    finally:
        ending.cancel()


def _is_gone(resident: ResidentRecord | None) -> bool:
    return resident is not None and read_resident() != resident


async def _check_tokens(configuration: Configuration, note: Note) -> None:
    async with open_store(configuration, note) as store:
        if not await TokenBook(store, SystemClock()).has_any():
            raise UsageError(
                f"at {configuration.settings.serve.host} others than this machine could ask, and "
                "there is no token yet: `fleetmind tokens add NAME` makes one"
            )


def _let_a_second_signal_cut(
    note: Note, drain_s: float, kind: type[BaseException] | None, *_: object
) -> None:
    """Say what is waited for, and let the next signal end that: the first is on its way here."""
    if kind is not asyncio.CancelledError:
        return  # it has ended by itself
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    note(f"ending: what is under way may go on for {drain_s:g} s, a second Ctrl-C cuts it")
