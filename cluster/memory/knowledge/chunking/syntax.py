"""Python source as a syntax tree, without a word on standard error. Pure: nothing is executed."""

from __future__ import annotations

import ast
import warnings


def parsed(source: str) -> ast.Module | None:
    """Return the program's tree, None where it is no Python that can run as a program."""
    return _tree(source, is_compiled=True)


def syntax_of(source: str) -> ast.Module | None:
    """Return the tree of a file, None where it is no Python.

    Nothing is compiled: the names of functions hold those of their classes, which adds up to
    gigabytes where these are long.
    """
    return _tree(source, is_compiled=False)


def _tree(source: str, *, is_compiled: bool) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
            if is_compiled:
                compile(tree, "<example>", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return tree if tree.body else None
