"""Tries what a cluster is made of, each as a run would: Ray, the store, the sandbox, the models.

What fails says so itself, as `ClusterError`; here it becomes a diagnosis. Called by
`cluster.doctor.examination`, which cuts off what takes too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

from cluster.client import Note
from cluster.doctor.diagnosis import Diagnosis
from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import ClusterError
from cluster.kernel.loopback import is_loopback
from cluster.kernel.sections import ModelSettings
from cluster.placement.ray import probe
from cluster.serving.tokens import TokenBook
from cluster.settings import Configuration, Settings
from cluster.supply import installed_agents

_AUTO = "auto"


async def try_ray(settings: Settings) -> Diagnosis:
    """Import Ray, in a process of its own, and knock at the address of the settings."""
    check, address = "ray", settings.ray.address
    try:
        loaded = f"Ray {await probe.load_version()} can be loaded"
        if address == _AUTO:
            loaded += "; whether one runs on this machine is seen when it is joined"
        elif address:
            await probe.check_answers(address)
            loaded += f", and a cluster answers at {address}"
    except ClusterError as error:
        return Diagnosis.of(check, [str(error)], [], "")
    return Diagnosis.of(check, [], [], loaded)


async def try_store(configuration: Configuration) -> Diagnosis:
    """Open the store as a run would, and look whether the ingress finds the tokens it needs.

    No data are made for it, and none taken over from an older version: see `tried_store`.
    """
    check, warnings, left = "store", list[str](), list[int]()
    looking = _tokens_in_store(configuration, warnings.append, left.append)
    try:
        # On a thread: to start the embedded server blocks.
        count = await asyncio.to_thread(asyncio.run, looking)
    except ClusterError as error:
        return Diagnosis.of(check, [str(error)], [], "")
    named = configuration.settings.store.redis
    where = f"{f'Redis at {named}' if named else 'the embedded Redis'} answers"
    if left:  # and not known are the tokens
        takes = f"the next run starts with a copy of what Redis {left[0]} has kept"
        return Diagnosis.of(check, [], warnings, f"{where}, {takes}")
    host = configuration.settings.serve.host
    if not (count or is_loopback(host)):
        warnings.append(
            f"`fleetmind serve` at {host} would refuse to start, for there is no token yet: "
            "`fleetmind tokens add NAME` makes one"
        )
    tokens = f"it has {count} tokens for the ingress" if count else "no token for the ingress"
    return Diagnosis.of(check, [], warnings, f"{where}, {tokens}")


async def _tokens_in_store(
    configuration: Configuration, warn: Callable[[str], None], will_take_over: Callable[[int], None]
) -> int:
    """Return how many tokens the store has.

    Args:
        configuration: of the run.
        warn: is told what the store may lose on purpose.
        will_take_over: is told the version whose data the next run starts with, and this one not.
    """
    from cluster.joining import open_store  # with grpc and redis
    from cluster.memory.store.users_store import tried_store

    def start(note: Note) -> AbstractContextManager[tuple[str, bool]]:
        return tried_store(note=note, will_take_over=will_take_over)

    async with open_store(configuration, lambda _text: None, start) as store:
        if store.warning:
            warn(store.warning)
        return len(await TokenBook(store, SystemClock()).entries())


async def try_sandbox(settings: Settings) -> Diagnosis:
    """Run a program of one line as any program is run."""
    check = "sandbox"
    if not settings.sandbox.enabled:
        return Diagnosis.of(check, [], [], "running programs is switched off in the settings")
    try:
        sandbox = installed_agents().check_sandbox(settings.sandbox)
        because = await asyncio.to_thread(lambda: sandbox.unavailable_because)
        await sandbox.close()
    except ClusterError as error:
        because = str(error)
    return Diagnosis.of(check, [because] if because else [], [], "a program ran in it")


async def try_model(name: str, model: ModelSettings, key: str, timeout_s: float) -> Diagnosis:
    """Have a model say one token, by the way that every call takes."""
    try:
        asked = await installed_agents().ask_one_token(model, key, timeout_s)
    except ClusterError as error:
        return Diagnosis.of(name, [f"{model.uri}: {error}"], [], "")
    where = f" at {model.shown_base_url}" if model.base_url else ""
    return Diagnosis.of(
        name, [], [], f"{model.uri}{where} answered a call of one token in {asked:.2f} s"
    )
