"""What the HTTP ingress is measured with: a desk that plays tokens, and a plain Serve deployment.

Both are opened in Ray's processes by name. A request says what is played: ``TOKENS PER_S`` is the
goal of ours, and the query of the plain one; 0 a second is as fast as it can. Each token is the
instant at which it was made, on the clock that all processes of a machine share.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, cast

from fastapi import FastAPI
from ray import serve
from starlette.requests import Request
from starlette.responses import StreamingResponse

from cluster.kernel.clock import SystemClock
from cluster.kernel.events import Answered, Event, Submitted, Thought
from cluster.kernel.ids import ANSWER_STEP, NO_STEP, AgentId, IdSource, TaskId
from cluster.kernel.vocabulary import Answer
from cluster.placement.serving.replica_spec import ReplicaSpec
from cluster.serving.app import build_app
from cluster.serving.ingress import Ingress, OrderDefaults
from cluster.serving.ports import Desk, Gate, TaskOrder
from cluster.serving.sse import frame
from cluster.settings.config_file import from_public_json

OPENER = "benchmarks.serving_parts:open_playing"
PLAIN = "plain"
_MANAGER = AgentId("manager-0")


async def played(tokens: int, per_s: float) -> AsyncIterator[str]:
    """Yield tokens when they are due."""
    began_at = time.monotonic()
    for number in range(tokens):
        due_s = began_at + number / per_s - time.monotonic() if per_s else 0.0
        await asyncio.sleep(max(due_s, 0.0))
        yield f"{time.monotonic():.6f} "


@dataclass(frozen=True, slots=True)
class PlayedTask:
    """A task that thinks what was ordered."""

    id: TaskId
    goal: str

    async def __aiter__(self) -> AsyncIterator[Event]:
        """Yield its events."""
        tokens, per_s = self.goal.split()
        yield Event(0.0, self.id, _MANAGER, NO_STEP, Submitted(self.goal))
        async for token in played(int(tokens), float(per_s)):
            yield Event(0.0, self.id, _MANAGER, ANSWER_STEP, Thought(token, is_reasoning=True))
        yield Event(0.0, self.id, _MANAGER, NO_STEP, Answered(Answer("played")))

    async def close(self) -> None:
        """Nothing runs that has to be ended."""


class PlayingDesk:
    """As much of a desk as a chat needs."""

    def __init__(self) -> None:
        self._ids = IdSource(time.time, random.Random())

    def new_task(self) -> TaskId:
        """Return an id that no task has."""
        return self._ids.task_id()

    async def submit(self, order: TaskOrder, task: TaskId) -> PlayedTask:
        """Play what the goal says."""
        return PlayedTask(task, order.goal)


class OpenGate:
    """Lets everybody on this machine in."""

    async def has_tokens(self) -> bool:
        """Say that there is none."""
        return False

    async def refusal(self, *_: object) -> None:
        """Refuse nothing."""


@dataclass(frozen=True, slots=True)
class PlayingIngress:
    """The application in front of a playing desk."""

    app: FastAPI

    async def close(self) -> None:
        """Nothing is open."""


async def open_playing(spec: ReplicaSpec, host: str) -> PlayingIngress:
    """Open the real application with a desk that only plays."""
    own = replace(from_public_json(spec.settings_json).serve, host=host)
    desk, gate = cast("Desk", PlayingDesk()), cast("Gate", OpenGate())
    ingress = Ingress(desk, gate, own, OrderDefaults(deadline_s=600.0), SystemClock())
    return PlayingIngress(build_app(ingress))


class PlainStream:
    """A stream as the manual of Ray Serve writes one: a generator, one yield a token."""

    async def __call__(self, request: Request) -> StreamingResponse:
        """Play what the query says."""
        tokens, per_s = int(request.query_params["tokens"]), float(request.query_params["per_s"])
        return StreamingResponse(_frames(tokens, per_s), media_type="text/event-stream")


async def _frames(tokens: int, per_s: float) -> AsyncIterator[bytes]:
    async for token in played(tokens, per_s):
        yield frame(_chunk({"reasoning_content": token}))
    yield b"data: [DONE]\n\n"


def _chunk(delta: dict[str, str]) -> dict[str, Any]:
    """Return a chunk of a completion as long as ours are."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    return {
        "id": "chatcmpl-0190a7c46f0d7e5b8a3c1d2e3f405162",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "fleetmind",
        "choices": [choice],
    }


def plain_application(replicas: int, ongoing_max: int) -> serve.Application:
    """Return the plain deployment, with as many replicas and requests as ours."""
    deployment = serve.deployment(
        name=PLAIN,
        num_replicas=replicas,
        max_ongoing_requests=ongoing_max,
        ray_actor_options={"num_cpus": 0},
    )(PlainStream)
    return deployment.bind()
