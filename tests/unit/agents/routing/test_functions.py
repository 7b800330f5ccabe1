"""Functions that answer goals: how they are marked, found and refused."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from agents import RouteCall, route
from agents.routing.functions import intent_of, load_functions
from cluster.kernel.errors import UsageError

EXAMPLES = ["I want my money back", "refund my order", "give me a refund", "return it", "undo it"]


@route("refund", examples=EXAMPLES)
async def refund(goal: str, call: RouteCall) -> str:
    return goal + call.task


@route("refund", examples=EXAMPLES)
async def other(goal: str, call: RouteCall) -> str:
    return goal + call.task


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("a_shop")
    module.refund, module.other, module.plain = refund, other, len  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_shop", module)


def test_a_marked_function_is_found_by_its_route() -> None:
    [found] = load_functions(["a_shop:refund"]).values()

    assert (found.name, found.examples, found.function) == ("refund", tuple(EXAMPLES), refund)


def test_its_examples_are_an_intent_of_its_own() -> None:
    intent = intent_of(load_functions(["a_shop:refund"])["refund"])

    assert (intent.name, intent.route, intent.utterances) == ("refund", "refund", tuple(EXAMPLES))


@pytest.mark.parametrize(
    ("paths", "complaint"),
    [
        (["a_shop"], "write it as module:function"),
        (["no_such_module_here:f"], "the module 'no_such_module_here' of"),
        (["a_shop:plain"], "a_shop:plain is no routed function: mark it with @route"),
        (["a_shop:gone"], "a_shop:gone is no routed function"),
        (["a_shop:refund", "a_shop:other"], "two functions of [router] functions are @route"),
    ],
)
def test_what_cannot_be_used_is_named(paths: list[str], complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_functions(paths)

    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("name", "examples", "complaint"),
    [
        ("a refund", EXAMPLES, "@route needs a name like refund"),
        ("refund", EXAMPLES[:4], "needs 5 different examples"),
        ("refund", [*EXAMPLES[:4], " return it ", "return it"], "needs 5 different examples"),
    ],
)
def test_a_route_has_a_name_and_examples(name: str, examples: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        route(name, examples=examples)


def test_only_a_coroutine_function_of_two_arguments_can_be_marked() -> None:
    def blocking(goal: str, call: RouteCall) -> str:
        return goal + call.task

    async def lone(goal: str) -> str:
        return goal

    for function in (blocking, lone):
        with pytest.raises(UsageError, match="has to be `async def` and take"):
            route("refund", examples=EXAMPLES)(function)  # type: ignore[type-var]
