"""Places agents as Ray actors and waits until each serves; the only use of `ray.remote`.

One process each. Ray places, names, supervises and shows them; it carries none of their messages,
and none of its retries are used: delivery is ours (reliability of a task never depends on Ray
running a method twice).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cluster.kernel.errors import ClusterError, PlacementError
from cluster.kernel.ids import AgentId
from cluster.placement.actor.actors import DEFAULT_OPENER, DRAIN_S, AgentActor, AgentHealth
from cluster.placement.actor.host_spec import HostSpec
from cluster.placement.ray.session import RaySession, last_line
from cluster.wire.failure import error_from_failure

PLACE_TIMEOUT_S = 60.0
_STEP_S = 0.5
_CALLS_MAX = 8
END_TASKS_S = 2.0
"""How long a stop waits for tasks to be cancelled, which takes milliseconds: where an agent hangs,
time must be left to drain the others."""


@dataclass(frozen=True, slots=True)
class PlacedAgent:
    """An agent that serves: its address when it was placed, and Ray's handle of its actor."""

    agent: AgentId
    address: str
    handle: Any


@dataclass(frozen=True, slots=True)
class LaunchOptions:
    """How agents are placed."""

    namespace: str
    is_pinned: bool = True
    """Whether they stay on the machine of this process, else they are spread over all."""
    opener: str = DEFAULT_OPENER
    timeout_s: float = PLACE_TIMEOUT_S


async def launch(
    session: RaySession, specs: Sequence[HostSpec], options: LaunchOptions
) -> list[PlacedAgent]:
    """Place an actor for each spec and return them, in their order, when all of them serve.

    Raises:
        ClusterError: what kept an agent from serving, as it said itself; PlacementError where Ray
            could not place one, or one did not serve in time. None of them is left then.
    """
    deadline = time.monotonic() + options.timeout_s
    handles = await session.call(_create, specs, options)
    try:
        return await _all_serving(session, specs, handles, deadline)
    except BaseException:
        await session.call(_kill, handles)
        raise


async def stop(
    session: RaySession, agents: Sequence[PlacedAgent], *, ends_tasks: bool = True
) -> None:
    """End the tasks, let the agents leave the directory and end their actors.

    Without ``ends_tasks`` the tasks are left to whoever adopts them.

    Raises:
        PlacementError: Ray did not answer.
    """
    handles = [placed.handle for placed in agents]
    if ends_tasks:
        await session.call(_end_tasks, handles, timeout_s=2 * DRAIN_S)
    await session.call(_drain, handles, timeout_s=2 * DRAIN_S)
    await session.call(_kill, handles)


async def _all_serving(
    session: RaySession, specs: Sequence[HostSpec], handles: list[Any], deadline: float
) -> list[PlacedAgent]:
    """Wait for all starts at once, so that the first failure ends the wait."""
    waiting = {handle.start.remote(): number for number, handle in enumerate(handles)}
    placed: dict[int, PlacedAgent] = {}
    while waiting:
        # In short steps: Ray's thread is free in between, and cancelling takes effect.
        done = await session.call(_some_done, list(waiting))
        for started in done:
            number = waiting.pop(started)
            agent = specs[number].agent
            health = await session.call(_outcome, agent, started)
            placed[number] = PlacedAgent(agent, health.address, handles[number])
        if waiting and time.monotonic() > deadline:
            late = ", ".join(sorted(specs[number].agent for number in waiting.values()))
            raise PlacementError(f"{late} did not start in time: the machine may be overloaded")
    return [placed[number] for number in range(len(specs))]


def _create(specs: Sequence[HostSpec], options: LaunchOptions) -> list[Any]:
    actor = ray.remote(AgentActor)
    return [
        actor.options(**actor_options(spec.agent, options)).remote(spec, options.opener)
        for spec in specs
    ]


def actor_options(agent: AgentId, launch_options: LaunchOptions) -> dict[str, Any]:
    """Return all options of an agent's actor; nothing is left to Ray's defaults."""
    own_node = ray.get_runtime_context().get_node_id()
    return {
        "name": f"fleetmind/{agent}",
        "namespace": launch_options.namespace,
        "get_if_exists": False,
        # It lives as long as the process that placed it: then nothing is ever left behind.
        "lifetime": None,
        "max_restarts": -1,
        # A call that is run again can't be told from a new one.
        "max_task_retries": 0,
        "max_concurrency": _CALLS_MAX,
        "max_pending_calls": -1,
        # Agents wait for models most of their time: cores are shared, not reserved.
        "num_cpus": 0,
        "num_gpus": 0,
        "scheduling_strategy": (
            NodeAffinitySchedulingStrategy(own_node, soft=False)
            if launch_options.is_pinned
            else "SPREAD"
        ),
    }


def _some_done(waiting: list[Any]) -> list[Any]:
    done, _ = ray.wait(waiting, num_returns=1, timeout=_STEP_S)
    return list(done)


def _outcome(agent: AgentId, started: Any) -> AgentHealth:
    try:
        health: AgentHealth = ray.get(started, timeout=_STEP_S)
    except RayError as error:
        raise PlacementError(
            f"Ray could not start {agent}: {last_line(error)} (Fleetmind must be installed on "
            "every machine of the Ray cluster)"
        ) from error
    if health.failure is not None:
        cause = error_from_failure(health.failure)
        raise _with_text(cause, f"{agent} can't start: {cause}")
    return health


def _with_text(error: ClusterError, text: str) -> ClusterError:
    make: Callable[[str], ClusterError] = type(error)
    return make(text)


def _end_tasks(handles: list[Any]) -> None:
    ending = [handle.end_tasks.remote("the cluster was stopped") for handle in handles]
    ray.wait(ending, num_returns=len(handles), timeout=END_TASKS_S)


def _drain(handles: list[Any]) -> None:
    ray.wait(
        [handle.drain.remote() for handle in handles], num_returns=len(handles), timeout=DRAIN_S
    )


def _kill(handles: list[Any]) -> None:
    for handle in handles:
        ray.kill(handle, no_restart=True)
