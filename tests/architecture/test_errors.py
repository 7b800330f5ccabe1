"""The error tree: errors travel between processes whole, and each can be told from the others."""

from __future__ import annotations

import ast
import pickle  # noqa: TID251 - Ray and multiprocessing pickle errors; it must not hurt them
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.kernel import errors
from cluster.kernel.errors import ClusterError

ROOT = Path(__file__).resolve().parents[2]


def tree(root: type[ClusterError]) -> Iterator[type[ClusterError]]:
    """An error class and everything below it that the project declares."""
    if root.__module__ == errors.__name__:
        yield root
    for child in root.__subclasses__():
        yield from tree(child)


ERRORS = list(tree(ClusterError))


@pytest.mark.parametrize("error_class", ERRORS, ids=lambda error_class: error_class.__name__)
def test_an_error_survives_pickling_whole(error_class: type[ClusterError]) -> None:
    error = error_class("the tank of agent coder-0 is empty: fill it")

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - its own bytes

    assert type(copy) is error_class
    assert str(copy) == "the tank of agent coder-0 is empty: fill it"
    assert (copy.args, vars(copy)) == (error.args, vars(error))


def test_each_kind_names_one_error() -> None:
    kinds = Counter(vars(error_class).get("kind", "missing") for error_class in ERRORS)

    assert [kind for kind, count in kinds.items() if count > 1] == []
    assert "missing" not in kinds


def test_the_error_tree_grows_in_one_place() -> None:
    known = {error_class.__name__ for error_class in ERRORS}
    elsewhere = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for package in ("agents", "cluster")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path != Path(errors.__file__)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        if any(isinstance(base, ast.Name) and base.id in known for base in node.bases)
    ]

    assert elsewhere == []
