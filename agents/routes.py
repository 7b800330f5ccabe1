"""Goals that need no team: what is decided about them, planned for them, and answered at once.

Asked by `agents.manager` before it plans, and again when it answers. Wrong is worse than slow: what
is not clearly one of the easy kinds goes to the team, and so does what this cluster can't do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Final, Protocol, cast

from agents.planning.workflow import standard_workflow
from agents.routing.arithmetic import computed
from agents.routing.functions import RouteCall, RoutedFunction
from cluster.kernel.errors import AgentFailed, ClusterError, DeadlinePassed
from cluster.kernel.events import Routed
from cluster.kernel.roles import CODER, MANAGER, RESEARCHER
from cluster.kernel.routing import TEAM, Decision, Effort, Router
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Answer, Plan, PlanRequest

ARITHMETIC: Final = "arithmetic"
CHAT: Final = "chat"
ASIDE: Final = "aside"
"""The request of a program that shows the conversation: nobody plans for it."""
NOBODY: Final = Plan(())
"""The plan of a goal that the answer is all there is to do for."""


class WarmRouter(Router, Protocol):
    """A router that gets ready aside."""

    def warm(self) -> Future[None]:
        """Begin to; what is returned ends with it, or holds what went wrong."""
        ...


class Routes:
    """Decides where goals go, and answers those that go to no agent.

    Args:
        router: tells intents apart.
        functions: of the user, by the names of their routes.
    """

    def __init__(self, router: WarmRouter, functions: Mapping[str, RoutedFunction]) -> None:
        self._router = router
        self._functions = functions

    def warm(self) -> Future[None]:
        """Begin to get the router ready; until it is, the team gets what is no calculation."""
        return self._router.warm()

    def decide(self, request: PlanRequest) -> Decision:
        """Return where a goal goes, as far as this cluster can go there."""
        began_at = time.perf_counter()
        if computed(request.goal) is not None:
            seconds = time.perf_counter() - began_at
            return Decision(ARITHMETIC, ARITHMETIC, 1.0, Effort.INSTANT, seconds)
        decision = self._router.decide(request.goal)
        is_possible = (
            decision.route == CHAT
            or decision.route in self._functions
            # What is looked up without a plan has to be understood by itself.
            or (
                decision.route == RESEARCHER
                and not request.conversation
                and bool(self._researched(request).steps)
            )
        )
        return decision if is_possible else replace(decision, route=TEAM, effort=Effort.DEEP)

    def plan(self, decision: Decision, request: PlanRequest) -> Plan | None:
        """Return the plan of a goal that needs none to be thought of; None where the team plans."""
        if decision.route == TEAM:
            return None
        return self._researched(request) if decision.route == RESEARCHER else NOBODY

    async def answer(self, route: str, goal: str, turn: Turn) -> Answer | None:
        """Return the answer that no model gives; None where one has to.

        Raises:
            AgentFailed: the function has failed.
            DeadlinePassed: it took too long.
        """
        if route == ARITHMETIC:
            result = computed(goal)
            return None if result is None else Answer(result.text)
        function = self._functions.get(route)
        return None if function is None else Answer(await _called(function, goal, turn))

    def _researched(self, request: PlanRequest) -> Plan:
        """Return one look into the documents; no step where there are none, or nobody to look.

        Nor where the user has agents of their own: who knows what those would have had to do.
        """
        has_own = any(role.name not in {MANAGER, RESEARCHER, CODER} for role in request.roles)
        if not request.collection or has_own:
            return NOBODY
        roles = [role for role in request.roles if role.name == RESEARCHER]
        return standard_workflow(request.goal, roles, has_knowledge=True)


def aside() -> Decision:
    """Return where an aside goes: whoever has submitted it has said that it is one."""
    return Decision(ASIDE, ASIDE, 1.0, Effort.QUICK)


def routed(decision: Decision) -> Routed:
    """Return the fact that a decision is."""
    return Routed(
        decision.intent,
        decision.route,
        decision.confidence,
        decision.effort.value,
        decision.seconds,
    )


async def _called(function: RoutedFunction, goal: str, turn: Turn) -> str:
    timeout_s = turn.remaining_s()
    try:
        async with asyncio.timeout(timeout_s):
            said = await function.function(goal, RouteCall(turn.task, turn.task, timeout_s))
    except TimeoutError as error:
        raise DeadlinePassed(f"the function {function.name} took too long") from error
    except ClusterError:
        raise
    except Exception as error:
        raise AgentFailed(f"the function {function.name} failed: {type(error).__name__}") from error
    if not isinstance(answered := cast("object", said), str):
        kind = type(answered).__name__
        raise AgentFailed(f"the function {function.name} returned a {kind} and no text")
    return said
