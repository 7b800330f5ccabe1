"""What any request for an answer is turned into: a model's name, our own options, an order.

Used by the routes of chat completions and of responses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.submission import GOAL_CHARS_MAX
from cluster.kernel.vocabulary import Coherence
from cluster.serving.asides import is_aside
from cluster.serving.ingress import Ingress, namespace_for
from cluster.serving.ports import Caller, TaskOrder
from cluster.serving.problems import Problem
from cluster.serving.task_models import NAMESPACE

TEAM: Final = "fleetmind"
"""The model that is the whole team; one role alone is ``fleetmind/ROLE``."""

Count = Annotated[int, Field(ge=0, le=2**53)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Handling(StrEnum):
    """What becomes of a parameter of OpenAI's API."""

    HONOURED = "honoured"
    IGNORED = "ignored"
    """The answer is the same with it and without."""
    REFUSED = "refused"
    """400, except for values that ask for nothing."""


Unoffered = Mapping[str, tuple[Callable[[object], bool], str]]
"""What asks for something that is not done: which values don't, and what the others are told."""


def is_nothing(value: object) -> bool:
    """Say whether a value asks for nothing."""
    return value in (None, [], {}, False)


def is_one_of(*harmless: object) -> Callable[[object], bool]:
    """Return what says whether a value asks for nothing but what is done anyway."""
    return lambda value: is_nothing(value) or value in harmless


def refuse_unoffered(parameters: Mapping[str, object], unoffered: Unoffered) -> None:
    """Refuse what asks for something that is not done.

    Raises:
        Problem: a parameter does.
    """
    for name, (is_harmless, why) in unoffered.items():
        if not is_harmless(parameters.get(name)):
            raise Problem(400, f"{name}: {why}", param=name, code="unsupported_parameter")


class FleetmindOptions(BaseModel):
    """What can be asked for beside OpenAI's parameters, as the object ``fleetmind``."""

    model_config = ConfigDict(strict=True, extra="forbid")

    namespace: Annotated[str, Field(pattern=f"{NAMESPACE}|^$")] = ""
    """Of the knowledge to answer from."""
    deadline_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """How long it may take."""
    tokens_max: Count = 0
    """What all model calls may use, prompt and completion together; 0 for the server's bound."""
    cost_max: Amount = 0.0
    """As `tokens_max`, in the currency of the models' prices."""
    coherence: Literal["chained", "broadcast"] | None = None
    """When a step begins."""


async def role_of_model(ingress: Ingress, model: str) -> str:
    """Return the role that a model's name asks for alone; empty for the team.

    Raises:
        Problem: there is no such model.
    """
    if model == TEAM:
        return ""
    name, _, role = model.partition("/")
    if name == TEAM and role in await ingress.desk.roles():
        return role
    raise Problem(
        404,
        f"there is no model {model[:100]!r}; GET /v1/models lists those there are",
        param="model",
        code="model_not_found",
    )


def order_of(
    ingress: Ingress,
    caller: Caller,
    messages: Sequence[ChatMessage],
    options: FleetmindOptions,
    *,
    role: str,
    param: str,
) -> TaskOrder:
    """Return the order of a conversation: its last message is the goal.

    Args:
        ingress: has the defaults.
        caller: whose task it is.
        messages: those of the request; ``param`` is where it has them.
        options: our own.
        role: as `role_of_model` gives it.
        param: as above.

    Raises:
        Problem: there is no goal, or the options ask for more than there is.
    """
    goal = _goal(messages, param)
    conversation = tuple(messages[:-1])
    defaults = ingress.defaults
    deadline_s = options.deadline_s or defaults.deadline_s
    if deadline_s > defaults.deadline_s_max:
        raise Problem(
            400,
            f"fleetmind.deadline_s: a task may take {defaults.deadline_s_max:g} s at most",
            param="fleetmind.deadline_s",
            code="invalid_value",
        )
    return TaskOrder(
        goal,
        deadline_s,
        conversation,
        owner=caller.name,
        namespace=namespace_for(caller, options.namespace),
        role=role,
        is_aside=is_aside(goal, conversation),
        tokens_max=int(stricter(options.tokens_max, defaults.tokens_max)),
        cost_max=stricter(options.cost_max, defaults.cost_max),
        coherence=Coherence(options.coherence or defaults.coherence),
    )


def _goal(messages: Sequence[ChatMessage], param: str) -> str:
    last = messages[-1] if messages else None
    if last is None or last.role != "user":
        raise Problem(
            400,
            f"{param}: the last message must be the user's, since it is what is answered",
            param=param,
            code="invalid_value",
        )
    if not last.content.strip():
        raise Problem(400, f"{param}: the last message is empty", param=param, code="invalid_value")
    if len(last.content) > GOAL_CHARS_MAX:
        raise Problem(
            400,
            f"{param}: the last message has more than {GOAL_CHARS_MAX} characters",
            param=param,
            code="string_above_max_length",
        )
    return last.content


def stricter(asked: float, allowed: float) -> float:
    """Return the lower of two bounds, of which 0 is none."""
    return min(filter(None, (asked, allowed)), default=0)
