"""Which files are read, and as what."""

from __future__ import annotations

import pytest

from cluster.memory.knowledge.chunking.chunks import FORMATS
from cluster.memory.knowledge.formats import format_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.md", "markdown"),
        ("README.MD", "markdown"),
        ("a.rst", "rst"),
        ("a.html", "html"),
        ("a.py", "python"),
        ("a.txt", "text"),
        ("a.rs", "source"),
        ("a.b.toml", "source"),
        ("LICENSE", "text"),
        ("Makefile", "source"),
        ("a.json", ""),
        ("a.csv", ""),
        ("a.png", ""),
        ("a", ""),
        ("a.", ""),
        (".md", ""),
    ],
)
def test_a_name_tells_the_format(name: str, expected: str) -> None:
    assert format_of(name) == expected


def test_every_format_a_name_can_tell_can_be_split() -> None:
    assert {format_of(name) for name in ("a.md", "a.rst", "a.html", "a.py", "a.txt", "a.c")} == (
        FORMATS
    )
