"""Identifiers of agents, tasks, steps and envelopes, and where new ones come from.

Kernel vocabulary: every layer uses these names; nothing here imports anything of ours.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NewType

AgentId = NewType("AgentId", str)
"""A named agent: its role and replica number, as in ``researcher-1``."""

TaskId = NewType("TaskId", str)
"""A task, as text: 32 hexadecimal digits of a time-ordered id."""

StepId = NewType("StepId", str)
"""A step of one task's plan, unique within it; ``plan`` and ``answer`` are the Manager's own."""

EnvelopeId = NewType("EnvelopeId", bytes)
"""Sixteen bytes, time-ordered (the layout of UUIDv7, RFC 9562 section 5.7)."""

PLAN_STEP = StepId("plan")
ANSWER_STEP = StepId("answer")
VERIFY_STEP = StepId("verify")
"""The second look, which follows the answer."""
NO_TASK = TaskId("")
NO_STEP = StepId("")
NO_ENVELOPE = EnvelopeId(b"")
NO_AGENT = AgentId("")


_VERSION_AND_VARIANT = 7 << 76 | 0b10 << 62


def agent_id(role: str, replica: int) -> AgentId:
    """Return the id of one replica of a role."""
    return AgentId(f"{role}-{replica}")


def role_of(agent: str) -> str:
    """Return the role of an agent id; a bare role is returned as it is."""
    role, dash, replica = agent.rpartition("-")
    return role if dash and replica.isdigit() else agent


class IdSource:
    """Makes time-ordered ids from a wall clock and a random source that are passed in.

    Below the milliseconds they count on from 73 random bits (RFC 9562 section 6.2, method 2), so
    those of one source differ whatever its clock does.
    """

    __slots__ = ("_tail", "_wall_s")

    def __init__(self, wall_s: Callable[[], float], rng: random.Random) -> None:
        self._wall_s = wall_s
        high, low = rng.getrandbits(12), rng.getrandbits(61)
        self._tail = _VERSION_AND_VARIANT | high << 64 | low

    def envelope_id(self) -> EnvelopeId:
        """Return a new 16-byte id: 48 bits of Unix milliseconds, version 7, what tells them apart.

        The clock may go back: then the time is that of the clock, and the order is lost.
        """
        self._tail += 1
        return EnvelopeId((int(self._wall_s() * 1000) << 80 | self._tail).to_bytes(16))

    def task_id(self) -> TaskId:
        """Return a new task id."""
        return TaskId(self.envelope_id().hex())
