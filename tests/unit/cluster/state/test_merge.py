"""What may be said of how a field merges."""

from __future__ import annotations

from functools import partial

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.state.policies import POLICIES
from cluster.state import merge
from tests.support.boards import longer


def test_each_policy_of_the_kernel_has_its_rule() -> None:
    rules = [each for each in vars(merge).values() if isinstance(each, merge.MergeRule)]

    assert {each.name for each in rules} == POLICIES.keys()


def test_an_own_policy_is_named_so_that_others_can_import_it() -> None:
    assert merge.by(longer) == merge.MergeRule("tests.support.boards:longer", longer)


def test_a_function_that_has_no_name_elsewhere_is_refused() -> None:
    def local(base: object, mine: object, theirs: object) -> None:
        del base, mine, theirs

    for function in (local, lambda *_: None, partial(longer, None)):
        with pytest.raises(UsageError, match="top of a module"):
            merge.by(function)


def test_a_function_of_the_script_that_was_started_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(longer, "__module__", "__main__")
    monkeypatch.setattr("__main__.__spec__", None)

    with pytest.raises(UsageError, match="into a module"):
        merge.by(longer)
