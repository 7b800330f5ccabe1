"""Policies of a program's own: called with copies, and to blame for what they do wrong."""

from __future__ import annotations

from itertools import count

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.state.merging import CannotMerge, Clash, Merged, Policy
from cluster.kernel.state.own_policies import MergeFunction, Policies
from cluster.kernel.state.policies import POLICIES
from cluster.kernel.state.values import Value

NAME = "program.merges:own"


def own(function: MergeFunction, *, is_checked: bool = False) -> Policy:
    found = Policies({NAME: function}, is_checked=is_checked).find(NAME)
    assert found is not None
    return found


def longer(base: Value, mine: Value, theirs: Value) -> Value:
    del base
    return max(str(mine), str(theirs), key=len)


def test_an_own_policy_is_given_base_mine_and_theirs() -> None:
    policy = own(lambda base, mine, theirs: [base, mine, theirs])

    assert policy.merge("theirs", {"base": "base", "new": "mine"}).value == [
        "base",
        "mine",
        "theirs",
    ]


def test_it_is_not_asked_where_nobody_else_has_changed_anything() -> None:
    delta = own(longer).difference("long", "s")
    assert delta == {"base": "long", "new": "s"}

    assert own(longer).merge("long", delta) == Merged("s")


def test_what_it_can_not_merge_is_a_clash_without_a_fault() -> None:
    def refusing(base: Value, mine: Value, theirs: Value) -> Value:
        raise CannotMerge

    made = own(refusing).merge(3, {"base": 1, "new": 2})

    assert made == Merged(3, (Clash(None, 2),), is_written=False)


@pytest.mark.parametrize(
    "function",
    [
        lambda base, mine, theirs: mine // (base - 1),
        lambda base, mine, theirs: float("nan"),
        lambda base, mine, theirs: object(),
    ],
)
def test_one_that_raises_or_makes_no_value_is_broken_and_loses_nothing(
    function: MergeFunction,
) -> None:
    made = own(function).merge(3, {"base": 1, "new": 2})

    assert (made.value, made.clashes) == (3, (Clash(None, 2),))
    assert made.fault is not None
    assert NAME in str(made.fault)


def test_one_that_makes_two_values_of_the_same_is_found_where_it_is_checked() -> None:
    numbers = count()

    made = own(lambda base, mine, theirs: next(numbers), is_checked=True).merge(
        3, {"base": 1, "new": 2}
    )

    assert made.fault is not None
    assert made.value == 3


def test_one_that_edits_what_it_is_given_edits_copies() -> None:
    def greedy(base: Value, mine: Value, theirs: Value) -> Value:
        assert isinstance(mine, list)
        assert isinstance(theirs, list)
        theirs.extend(mine)
        return theirs

    theirs: Value = [1]

    assert own(greedy).merge(theirs, {"base": [], "new": [2]}).value == [1, 2]
    assert theirs == [1]


def test_a_delta_that_is_not_its_own_is_told() -> None:
    with pytest.raises(CannotMerge):
        own(longer).merge(1, {"items": []})


def test_the_eight_are_known_and_others_are_not() -> None:
    policies = Policies()

    assert all(policies.find(name) is policy for name, policy in POLICIES.items())
    assert policies.find("program.merges:other") is None


def test_an_own_policy_can_not_take_the_name_of_one_of_the_eight() -> None:
    with pytest.raises(UsageError):
        Policies({"total": longer})


def test_a_policy_that_is_not_known_is_looked_for_once() -> None:
    asked: list[str] = []

    def find(name: str) -> MergeFunction | None:
        asked.append(name)
        return longer if name == NAME else None

    policies = Policies(find_function=find)

    found = [policies.find(name) for name in (NAME, "other:own", "newer", NAME, "other:own")]
    assert [each is not None for each in found] == [True, False, False, True, False]
    assert asked == [NAME, "other:own"]


def test_what_a_class_has_by_a_name_counts_over_what_was_found() -> None:
    policies = Policies(find_function=lambda name: longer)
    policies.find(NAME)

    policies.learn({NAME: lambda base, mine, theirs: "learned"})

    policy = policies.find(NAME)
    assert policy is not None
    assert policy.merge("theirs", {"base": "base", "new": "mine"}).value == "learned"
