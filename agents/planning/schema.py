"""What a plan is like, for models that can be held to it while they write.

Pure. The Manager sends it with its request; `agents.models.endpoint.chat` passes it on to local
models, whose server makes a grammar of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.planning.intent import questions, wants_program
from cluster.kernel.roles import CODER, MANAGER, RESEARCHER
from cluster.kernel.vocabulary import Role

STEPS_MAX = 4
"""As many as the prompt speaks of: small models go on until they are stopped."""
INSTRUCTION_LENGTH_MAX = 300
_TOKENS_PER_STEP_MIN = 60
_TOKENS_AROUND = 35
"""What a step takes beside its instruction, indented as models like it."""
_CHARACTERS_PER_TOKEN = 4
_INSTRUCTION_LENGTH_MIN = 40


def plan_schema(goal: str, roles: Sequence[Role], tokens_max: int) -> dict[str, object]:
    """Return the JSON schema of a plan over the roles that comes to an end within the tokens.

    It has room for a step for each question of the goal, one for a program where one is asked for,
    and one for each role of the user's own: a small model fills what room it has. Where the goal
    asks for a program in so many words, the last step is the Coder's.
    """
    names = [role.name for role in roles if role.name != MANAGER]
    own = sum(name not in (RESEARCHER, CODER) for name in names)
    needed = len(questions(goal)) + wants_program(goal) + own
    count = max(1, min(STEPS_MAX, needed, tokens_max // _TOKENS_PER_STEP_MIN))
    length = _instruction_length(tokens_max, count)
    if (
        not own
        and count > 1
        and set(names) >= {RESEARCHER, CODER}
        and wants_program(goal, explicitly=True)
    ):
        agents = [*[RESEARCHER] * (count - 1), CODER]
        steps: dict[str, object] = {"prefixItems": [_step([a], length, count) for a in agents]}
    else:
        steps = {"items": _step(names, length, count), "minItems": 1, "maxItems": count}
    return _object(steps={"type": "array", **steps})


def rest_schema(roles: Sequence[Role], tokens_max: int) -> dict[str, object]:
    """Return the JSON schema of the steps that a plan lacks: as many as fit, or none."""
    names = [role.name for role in roles if role.name != MANAGER]
    count = max(1, min(STEPS_MAX, tokens_max // _TOKENS_PER_STEP_MIN))
    step = _step(names, _instruction_length(tokens_max, count), STEPS_MAX)
    return _object(steps={"type": "array", "items": step, "minItems": 0, "maxItems": count})


def _instruction_length(tokens_max: int, count: int) -> int:
    room = (tokens_max // count - _TOKENS_AROUND) * _CHARACTERS_PER_TOKEN
    return max(_INSTRUCTION_LENGTH_MIN, min(INSTRUCTION_LENGTH_MAX, room))


def _step(agents: Sequence[str], length: int, count: int) -> dict[str, object]:
    step_id = {"type": "string", "pattern": "^[a-z][0-9]{1,2}$"}
    return _object(
        id=step_id,
        agent={"enum": list(agents)},
        instruction={"type": "string", "minLength": 1, "maxLength": length},
        needs={"type": "array", "items": step_id, "maxItems": count - 1},
    )


def _object(**members: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }
