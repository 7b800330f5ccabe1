"""A notebook becomes Markdown: its code in fences, from which programs are taken."""

from __future__ import annotations

import json

import pytest

from cluster.memory.knowledge.chunking.chunks import chunks_of
from cluster.memory.knowledge.conversion.converted import Unconvertible
from cluster.memory.knowledge.conversion.notebook import notebook
from cluster.memory.knowledge.omissions import Omission


def notebook_of(*cells: dict[str, object], **metadata: object) -> bytes:
    return json.dumps({"nbformat": 4, "metadata": metadata, "cells": cells}).encode()


def text_of(data: bytes) -> str:
    return notebook(data).parts[0]


def test_texts_are_kept_and_code_is_fenced_without_its_outputs() -> None:
    read = text_of(
        notebook_of(
            {"cell_type": "markdown", "source": ["# Heaps\n", "A heap is a tree."]},
            {"cell_type": "code", "source": "print(1)\n", "outputs": [{"text": "1"}]},
            {"cell_type": "code", "source": ""},
        )
    )

    assert read == "# Heaps\nA heap is a tree.\n\n```python\nprint(1)\n```\n"


def test_a_cell_of_python_is_an_example_that_can_be_run() -> None:
    read = notebook(notebook_of({"cell_type": "code", "source": "print(max([1, 3, 2]))"}))

    assert "code" in {chunk.kind for chunk in chunks_of(read.parts[0], read.format)}


def test_a_fence_in_the_code_does_not_end_it() -> None:
    read = text_of(notebook_of({"cell_type": "code", "source": 's = """\n```\n"""'}))

    assert read.startswith("````python\n")


def test_the_language_is_the_one_that_the_notebook_names() -> None:
    cell: dict[str, object] = {"cell_type": "code", "source": "1"}

    assert text_of(notebook_of(cell, language_info={"name": "Julia"})).startswith("```julia")
    assert text_of(notebook_of(cell, kernelspec={"language": "R"})).startswith("```r")
    assert text_of(notebook_of(cell, kernelspec={"language": "a\n# b"})).startswith("```python")


def test_old_notebooks_are_read() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": "Heaps"},
        {"cell_type": "code", "input": ["x = 1"]},
    ]
    old = json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}).encode()

    assert text_of(old) == "## Heaps\n\n```python\nx = 1\n```\n"


@pytest.mark.parametrize(
    "data", [b"no JSON", b"[]", b'{"cells": []}', b"[" * 100_000, b"\xff\xfe{", b""]
)
def test_what_is_no_notebook_is_broken(data: bytes) -> None:
    with pytest.raises(Unconvertible) as caught:
        notebook(data)

    assert caught.value.omission is Omission.BROKEN


def test_cells_of_a_strange_shape_are_passed_over() -> None:
    strange: list[object] = [1, {"cell_type": "code", "source": {"a": 1}}, {"source": [1, "x"]}]
    data = json.dumps({"nbformat": 4, "metadata": [], "cells": strange}).encode()

    assert text_of(data) == "x\n"
