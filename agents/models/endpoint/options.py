"""Options that a user adds to every request of a model: which can be added, and which are ours.

Pure. Called by `agents.models.uri` before a model is built; `agents.models.endpoint.chat` makes the
parts of a request that are ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from cluster.kernel.errors import UsageError

_OURS: Mapping[str, str] = {
    "model": "[model] uri names it",
    "messages": "the agents write them",
    "stream": "answers are always streamed",
    "stream_options": "the usage is always asked for",
    "n": "one answer is read",
    "n_cmpl": "one answer is read",
    "tools": "no agent calls any",
    "tool_choice": "no agent calls any",
    "functions": "no agent calls any",
    "function_call": "no agent calls any",
    "response_format": "the agents ask for what they read",
    "max_tokens": "[model] tokens_max bounds it",
    "max_completion_tokens": "[model] tokens_max bounds it",
    "n_predict": "[model] tokens_max bounds it",
    "truncate_prompt_tokens": "[model] fit shortens prompts, and says so",
    "prediction": "[model.engine] predicted_outputs switches it on",
}
"""What a request says that nobody else may, each with what decides it instead."""


def check_options(options: Mapping[str, object]) -> None:
    """Look whether options can be part of every request.

    Raises:
        UsageError: one is ours to say, or what they hold is no JSON.
    """
    for name in options:
        if name in _OURS:
            raise UsageError(f"engine.options.{name} is not for options: {_OURS[name]}")
    try:
        json.dumps(options, allow_nan=False)
    except ValueError as error:
        raise UsageError(f"engine.options can't be sent as JSON: {error}") from error
