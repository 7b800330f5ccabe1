"""What the calls of a step add up to, and what was asked for twice. Pure."""

from __future__ import annotations

from dataclasses import replace

from cluster.kernel.events import MODEL, Hedged, Spent
from cluster.kernel.usage import Usage


def spent_too(usage: Usage, spent: Spent | Hedged) -> Usage:
    """Return the sum of what was used before and another call, or a step that is done twice."""
    if isinstance(spent, Hedged):  # that of a call is among what the call has used
        return replace(usage, hedges=usage.hedges + (spent.what != MODEL))
    is_model = spent.on == "model"
    return Usage(
        model_calls=usage.model_calls + is_model,
        prompt_tokens=usage.prompt_tokens + spent.prompt_tokens,
        completion_tokens=usage.completion_tokens + spent.completion_tokens,
        wasted_tokens=usage.wasted_tokens + spent.wasted_tokens,
        saved_tokens=usage.saved_tokens + spent.saved_tokens,
        seconds=usage.seconds + spent.seconds * is_model,
        tool_s=usage.tool_s + spent.seconds * (not is_model),
        saved_s=usage.saved_s + spent.saved_s,
        cost=usage.cost + spent.cost,
        hedges=usage.hedges + spent.hedges,
    )
