"""The shares of a deadline fit into each other, and stand in one table."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from cluster.kernel import time_shares
from cluster.kernel.time_shares import CALL_GRACE_SHARE, CALL_SHARE
from tests.architecture.graph import sources, tree

SHARES = {name: share for name, share in vars(time_shares).items() if name.endswith("_SHARE")}


@pytest.mark.parametrize("name", SHARES)
def test_a_share_is_a_part_of_the_whole(name: str) -> None:
    assert 0.0 < SHARES[name] < 1.0


def test_a_call_and_its_grace_leave_time_to_do_without_its_answer() -> None:
    assert CALL_SHARE + CALL_GRACE_SHARE < 1.0


def test_what_is_left_is_shared_out_by_the_table_alone() -> None:
    factors = {factor for module in sources() for factor in factors_of_time_left(tree(module))}

    assert factors - {"share"} <= {*SHARES, "1 - ANSWER_SHARE"}  # `share` is that of the context


def factors_of_time_left(module: ast.Module) -> Iterator[str]:
    """What the time left is multiplied by, by itself or by `TaskContext.share`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("context.share"):
            yield ast.unparse(node.args[0])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            left, right = ast.unparse(node.left), ast.unparse(node.right)
            for time, factor in ((left, right), (right, left)):
                if time.endswith(("remaining_s()", "left_s")):
                    yield factor
