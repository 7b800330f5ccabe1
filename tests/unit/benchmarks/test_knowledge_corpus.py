"""Passages of the knowledge bench: of one size, without markup, each once, in a settled order."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from pathlib import Path

import pytest

from benchmarks.knowledge_corpus import (
    PASSAGE_CHARS_MAX,
    PASSAGE_CHARS_MIN,
    documents,
    fresh,
    make,
    packed,
    paragraphs,
    texts_below,
)

SENTENCE = "Each of these sentences says something about heaps, number {}."


def sentences(first: int, last: int) -> list[str]:
    return [SENTENCE.format(number) for number in range(first, last)]


def wheel(folder: Path, name: str, texts: list[str]) -> Path:
    """A wheel with the description of one service."""
    path = folder / name
    shapes = {str(number): {"documentation": text} for number, text in enumerate(texts)}
    with zipfile.ZipFile(path, "w") as archive:
        data = gzip.compress(json.dumps({"shapes": shapes}).encode())
        archive.writestr("botocore/data/heaps/2026-01-01/service-2.json.gz", data)
        archive.writestr("botocore/data/heaps/2026-01-01/paginators-1.json", "{}")
    return path


def test_texts_are_found_under_their_keys_at_any_depth() -> None:
    value = {"a": {"doc": "one", "name": "x"}, "b": [{"doc": ["two", "three"]}, "y"], "doc": {}}

    assert list(texts_below(value, frozenset({"doc"}))) == ["one", "two", "three"]


def test_paragraphs_are_lines_without_tags() -> None:
    text = "<p>A heap of <b>sand</b> &amp; gravel,\n here.</p><ul><li>short</li></ul> x < y"

    assert list(paragraphs([text])) == ["A heap of sand & gravel, here."]


def test_what_was_seen_is_left_out() -> None:
    seen = {"a"}

    assert list(fresh(["a", "b", "b"], seen)) == ["b"]
    assert seen == {"a", "b"}


def test_passages_are_runs_of_lines_of_a_fitting_size() -> None:
    made = list(packed(sentences(0, 100)))

    assert all(PASSAGE_CHARS_MIN <= len(each) <= PASSAGE_CHARS_MAX for each in made)
    assert "\n".join(made).splitlines() == sentences(0, len("\n".join(made).splitlines()))


def test_a_long_line_is_split_between_its_sentences() -> None:
    made = list(packed([" ".join(sentences(0, 50))]))

    assert len(made) > 1
    assert all(re.match("Each.*[.]$", each) for each in made)
    assert all(PASSAGE_CHARS_MIN <= len(each) <= PASSAGE_CHARS_MAX for each in made)


def test_a_line_that_cannot_be_split_is_left_out() -> None:
    assert list(packed(["x" * (PASSAGE_CHARS_MAX + 1)])) == []


def test_each_passage_is_made_once_in_the_order_of_its_hash(tmp_path: Path) -> None:
    first = wheel(tmp_path, "a.whl", sentences(0, 60))
    second = wheel(tmp_path, "b.whl", sentences(0, 60))

    assert len(list(documents(first))) == 1
    assert make([first, second]) == make([first])
    assert make([first]) != sorted(make([first]))


@pytest.mark.parametrize("name", ["setup.py", "botocore/data/heaps/endpoints.json"])
def test_other_files_are_not_read(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr(name, "{}")

    assert list(documents(tmp_path / "a.whl")) == []
