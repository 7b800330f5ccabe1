"""What a plan is like, for models that can be held to it while they write.

Pure. The Manager sends it with its request; `agents.models.chat` passes it on to local models,
whose server makes a grammar of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.planning.workflow import MANAGER
from cluster.kernel.tasks import Role

STEPS_MAX = 4
"""As many as the prompt speaks of: small models go on until they are stopped."""
INSTRUCTION_LENGTH_MAX = 300
_TOKENS_PER_STEP_MIN = 60
_TOKENS_AROUND = 35
"""What a step takes beside its instruction, indented as models like it."""
_CHARACTERS_PER_TOKEN = 4
_INSTRUCTION_LENGTH_MIN = 40


def plan_schema(roles: Sequence[Role], tokens_max: int) -> dict[str, object]:
    """Return the JSON schema of a plan over the roles that comes to an end within the tokens."""
    steps = max(1, min(STEPS_MAX, tokens_max // _TOKENS_PER_STEP_MIN))
    room = (tokens_max // steps - _TOKENS_AROUND) * _CHARACTERS_PER_TOKEN
    length = max(_INSTRUCTION_LENGTH_MIN, min(INSTRUCTION_LENGTH_MAX, room))
    step_id = {"type": "string", "pattern": "^[a-z][0-9]{1,2}$"}
    step = _object(
        id=step_id,
        agent={"enum": [role.name for role in roles if role.name != MANAGER]},
        instruction={"type": "string", "minLength": 1, "maxLength": length},
        needs={"type": "array", "items": step_id, "maxItems": steps - 1},
    )
    return _object(steps={"type": "array", "items": step, "minItems": 1, "maxItems": steps})


def _object(**members: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }
