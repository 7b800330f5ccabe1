"""What the calls of a step and of a task add up to, and what was asked for twice. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from cluster.kernel.events import MODEL, Event, Hedged, PlanReady, Spent, StepFinished
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


def in_all(usages: Iterable[Usage]) -> Usage:
    """Return the sum."""
    used = tuple(usages)
    return Usage(*(sum(getattr(each, field.name) for each in used) for field in fields(Usage)))


def journaled(events: Iterable[Event]) -> list[Usage]:
    """Return what the plan and each step that has ended have used, as a journal has it."""
    return [
        event.detail.spent
        for event in events
        if isinstance(event.detail, PlanReady | StepFinished) and event.detail.spent
    ]
