"""A changed sentence says something else than its passage."""

from __future__ import annotations

import random

import pytest

from benchmarks.changed_sentences import another_identifier


@pytest.mark.parametrize(
    ("sentence", "other", "is_another"),
    [
        ("Only TypeVarTuples of a module can be pickled.", "TypeVarTuple", False),
        ("Only a TypeVarTuple of a module can be pickled.", "TypeVarTuples", False),
        ("Only TypeVarTuples of a module can be pickled.", "ParamSpec", True),
        ("Only get_users of a module can be called.", "get_user", True),
    ],
)
def test_several_of_a_class_are_no_other_identifier(
    sentence: str, other: str, *, is_another: bool
) -> None:
    found = [another_identifier(sentence, other, random.Random(seed)) for seed in range(20)]

    assert any(each is not None and f" {other} " in each for each in found) is is_another
