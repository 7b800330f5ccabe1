"""Functions that answer certain goals by themselves: which one answers which, and how it is called.

Read by `agents.factory`, called by `agents.routes`. A function is marked with `@route` and named
in ``[router] functions``; the router sends it the goals that are like its examples.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

from agents.routing.intents import Intent
from cluster.kernel.errors import UsageError
from cluster.kernel.ids import TaskId
from cluster.kernel.routing import Effort

_MARK = "__fleetmind_route__"
EXAMPLES_MIN = 5
"""Of a function: of fewer nobody can tell what else it is meant for."""


@dataclass(frozen=True, slots=True)
class RouteCall:
    """One call of a routed function."""

    task: TaskId
    idempotency_key: str
    """The same each time that the function is called for a task: which happens where the Manager
    that had called it was lost before the answer was durable. Who acts, acts once for each key."""
    timeout_s: float
    """How long it may take; it is cancelled then."""


Answering = Callable[[str, RouteCall], Awaitable[str]]
AnsweringT = TypeVar("AnsweringT", bound=Answering)


@dataclass(frozen=True, slots=True)
class RoutedFunction:
    """A function with what the router knows of it."""

    name: str
    examples: tuple[str, ...]
    function: Answering


def route(name: str, *, examples: Sequence[str]) -> Callable[[AnsweringT], AnsweringT]:
    """Mark a function ``async def f(goal, call)`` as the one that answers goals like the examples.

    It returns the answer, as Markdown; what it raises ends the task as failed. It runs in the
    Manager's process, within the task's deadline, and is told a key under which to act once.

    Args:
        name: of the intent; it is told in the ``routed`` event.
        examples: of goals that are meant for it, at least five, in the words of those who ask.

    Raises:
        UsageError: a name or examples are missing, or the function has another form.
    """
    said = tuple(dict.fromkeys(each.strip() for each in examples if each.strip()))
    if not name.isidentifier():
        raise UsageError(f"@route needs a name like refund, not {name!r}")
    if len(said) < EXAMPLES_MIN:
        raise UsageError(f"@route({name!r}) needs {EXAMPLES_MIN} different examples of goals")

    def mark(function: AnsweringT) -> AnsweringT:
        said_of = getattr(function, "__qualname__", repr(function))
        parameters = inspect.signature(function).parameters.values()
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        takes_two = [each.kind in positional for each in parameters] == [True] * 2
        is_coroutine = bool(inspect.iscoroutinefunction(function))
        if not (is_coroutine and takes_two):
            raise UsageError(
                f"{said_of} is marked with @route({name!r}),"
                " so it has to be `async def` and take (goal, call)"
            )
        setattr(function, _MARK, RoutedFunction(name, said, function))
        return function

    return mark


def intent_of(function: RoutedFunction) -> Intent:
    """Return the intent whose goals a function answers."""
    definition = f"What the function {function.name} does."
    return Intent(function.name, definition, function.name, Effort.INSTANT, function.examples)


def load_functions(paths: Sequence[str]) -> Mapping[str, RoutedFunction]:
    """Return the functions that ``module:function`` names, by the names of their routes.

    Raises:
        UsageError: one can't be imported, is no routed function, or has another one's name.
    """
    found: dict[str, RoutedFunction] = {}
    for path in paths:
        loaded = _load(path)
        if found.setdefault(loaded.name, loaded) is not loaded:
            raise UsageError(f"two functions of [router] functions are @route({loaded.name!r})")
    return found


def _load(path: str) -> RoutedFunction:
    module_name, colon, name = path.partition(":")
    if not (colon and module_name and name.isidentifier()):
        raise UsageError(f"{path!r} is no function; write it as module:function")
    try:
        module = importlib.import_module(module_name)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"the module {module_name!r} of [router] functions can't be imported: "
            f"{type(error).__name__}: {error}"
        ) from error
    marked = getattr(getattr(module, name, None), _MARK, None)
    if marked is None:
        raise UsageError(f"{path} is no routed function: mark it with @route")
    return cast("RoutedFunction", marked)
