"""The FIXED object of ``run --json`` and the FIXED kinds of events, as others rely on them.

Written down a second time on purpose: what the program says is held against this.
"""

from __future__ import annotations

from collections.abc import Iterator

Shape = dict[str, "Shape"] | list["Shape"] | tuple[type, ...]
"""An object with exactly these keys, a list of such things, or a value of one of these types."""

_TEXT = (str,)
_COUNT = (int,)
_SECONDS = (float,)
_WHEN = (float, type(None))
_FLAG = (bool,)
_STEP: dict[str, Shape] = {"id": _TEXT, "agent": _TEXT, "instruction": _TEXT, "needs": [_TEXT]}

ANSWERED: Shape = {
    "task": _TEXT,
    "status": _TEXT,
    "answer": _TEXT,
    "citations": [{"source": _TEXT, "start_line": _COUNT, "end_line": _COUNT, "quote": _TEXT}],
    "programs": [
        {
            "step": _TEXT,
            "language": _TEXT,
            "source": _TEXT,
            "exit_code": _COUNT,
            "stdout": _TEXT,
            "stderr": _TEXT,
        }
    ],
    "plan": {"steps": [_STEP]},
    "steps": [
        {
            **_STEP,
            "started_s": _WHEN,
            "finished_s": _WHEN,
            "outcome": _TEXT,
            "attempts": _COUNT,
            "speculated": _FLAG,
            "fallback": _FLAG,
        }
    ],
    "degraded": [_TEXT],
    "claims": [{"text": _TEXT, "support": _TEXT, "citations": [_COUNT], "programs": [_COUNT]}],
    "knowledge": {
        "read": _COUNT,
        "left_out": [{"kind": _TEXT, "count": _COUNT, "reason": _TEXT}],
    },
    "usage": {
        "model_calls": _COUNT,
        "prompt_tokens": _COUNT,
        "completion_tokens": _COUNT,
        "wasted_tokens": _COUNT,
        "saved_tokens": _COUNT,
        "saved_s": _SECONDS,
        "cost": _SECONDS,
        "hedges": _COUNT,
        "speculations": _COUNT,
    },
    "timing": {
        "wall_s": _SECONDS,
        "first_thought_s": _WHEN,
        "critical_path_s": _SECONDS,
        "model_s": _SECONDS,
        "overhead_s": _SECONDS,
    },
    "error": (type(None),),
}
"""Of a task that has its answer."""

EVENT_KEYS = ("at_s", "task", "kind", "agent", "step")
EVENT_KINDS = frozenset({
    "submitted", "routed", "step_planned", "plan_ready", "step_started", "thought", "finding",
    "program", "ran", "hedged", "fell_back", "speculated", "adopted", "discarded", "stale",
    "merged", "conflict", "corrected", "step_finished", "answered", "clarify", "failed",
    "cancelled",
})  # fmt: skip


def departures(value: object, shape: Shape, place: str = "object") -> Iterator[str]:
    """Yield where a value is not of a shape; yields nothing for one that is."""
    if isinstance(shape, tuple):
        if type(value) not in shape:
            yield f"{place} is a {type(value).__name__}"
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{place} is no list"
            return
        for number, item in enumerate(value):
            yield from departures(item, shape[0], f"{place}[{number}]")
    elif not isinstance(value, dict) or value.keys() != shape.keys():
        keys = sorted(value) if isinstance(value, dict) else type(value).__name__
        yield f"{place} has {keys}, not {sorted(shape)}"
    else:
        for key, part in shape.items():
            yield from departures(value[key], part, f"{place}.{key}")
