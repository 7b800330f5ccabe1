"""Agents that decide conflicts of shared state: which method decides which field.

Read by `agents.agent`. Where a field merges in a way that keeps both values, somebody has to say
which one is to stand: the agent with a method ``@merges(Board.verdict)``, or else the Manager.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from agents.planning.lenient_json import Unreadable, read_json
from cluster.kernel.decisions import ConflictDecision, ConflictRequest, Rival
from cluster.kernel.errors import AgentFailed, ClusterError, ModelError, UsageError
from cluster.kernel.turn import Turn

if TYPE_CHECKING:  # an agent that shares nothing can do without pydantic
    from cluster.state.schema import FieldSchema

_log = logging.getLogger(__name__)

DecidingT = TypeVar("DecidingT")
_MARK = "__fleetmind_merges__"

FOR_A_PERSON: Final = object()
"""What a deciding method returns where a person is to decide: the conflict stays open."""

_Decide = Callable[[DecidingT, ConflictRequest, Turn], Coroutine[Any, Any, object]]


def merges(field: object) -> Callable[[_Decide[DecidingT]], _Decide[DecidingT]]:
    """Mark a method ``async def m(self, conflict, turn)`` as the one that decides a field.

    It returns what is to stand: one of ``conflict.rivals``, or another value of the field, or of
    its key where the conflict is within one; or `FOR_A_PERSON`, and the conflict stays open.

    Args:
        field: of a class of shared state, as in ``Board.verdict``.

    Raises:
        UsageError: it is none, or the method has another form.
    """
    from cluster.state.schema import FieldSchema  # whoever has such a field has imported it

    if not isinstance(field, FieldSchema):
        raise UsageError(f"@merges needs a field of shared state, as Board.verdict, not {field!r}")

    def mark(method: _Decide[DecidingT]) -> _Decide[DecidingT]:
        if not _takes_a_conflict(method):
            raise UsageError(
                f"{method.__qualname__} is marked with @merges({field}), so it has to be "
                "`async def` and take (self, conflict, turn)"
            )
        setattr(method, _MARK, field)
        return method

    return mark


def _takes_a_conflict(method: Callable[..., object]) -> bool:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not inspect.iscoroutinefunction(method):
        return False
    parameters = inspect.signature(method).parameters.values()
    return [parameter.kind in positional for parameter in parameters] == [True] * 3


def deciding_methods(owner: type) -> Mapping[str, str]:
    """Return the fields that a class's own methods decide, as ``Board.verdict``, and these.

    Raises:
        UsageError: two methods decide the same field.
    """
    found: dict[str, str] = {}
    for name, method in vars(owner).items():
        field = getattr(method, _MARK, None)
        if field is not None and found.setdefault(str(field), name) != name:
            raise UsageError(
                f"{owner.__name__} has two methods that decide {field}: {found[str(field)]} and "
                f"{name}"
            )
    return found


async def decided(
    method: Callable[[ConflictRequest, Turn], Coroutine[Any, Any, object]],
    request: ConflictRequest,
    turn: Turn,
) -> ConflictDecision:
    """Return what a marked method of an agent decides.

    Raises:
        AgentFailed: the method raised.
        StateInvalid: the field can't have that value.
    """
    field: FieldSchema = getattr(method, _MARK)
    try:
        value = await method(request, turn)
    except ClusterError:
        raise
    except Exception as error:
        # Here and not where turns end: the answer says what stays undecided, and why.
        _log.exception("%s failed at task %s", method.__qualname__, turn.task)
        raise AgentFailed(f"{method.__qualname__} raised {error!r}") from error
    if value is FOR_A_PERSON:
        return ConflictDecision(is_left_open=True)
    if isinstance(value, Rival):
        return ConflictDecision(value.value)
    if not request.has_key:
        return ConflictDecision(json.dumps(field.written(value)))
    entries = field.written({request.key: value})
    assert isinstance(entries, dict), "only a dict has keys that conflict"
    return ConflictDecision(json.dumps(entries[request.key]))


def chosen(text: str, rivals: Sequence[Rival]) -> ConflictDecision:
    """Return what a model has chosen, by its number from 1.

    Raises:
        ModelError: it has chosen none of them.
    """
    try:
        answer = read_json(text, max(text.find("{"), 0)).value
    except Unreadable as error:
        raise ModelError(f"the model chose none of the values: {error}") from error
    number = answer.get("value") if isinstance(answer, dict) else None
    if not isinstance(number, int) or not 1 <= number <= len(rivals):
        raise ModelError(f"the model chose {number!r}, which is none of the values")
    return ConflictDecision(rivals[number - 1].value)


def choice_schema(rivals: int) -> dict[str, object]:
    """Return the JSON schema of a choice among so many values."""
    number = {"type": "integer", "minimum": 1, "maximum": rivals}
    return {
        "type": "object",
        "properties": {"value": number},
        "required": ["value"],
        "additionalProperties": False,
    }
