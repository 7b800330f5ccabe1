"""The annotations of an answer: where its marks are, and what they mean."""

from __future__ import annotations

import pytest

from cluster.kernel.vocabulary import Citation
from cluster.serving.annotations import file_citations, url_citations

LINES = Citation("birds/my kestrel.md", 3, 4, "hover")
PAGE = Citation("birds.pdf", 1, 2, "dive", page=7)
WEB = Citation("https://birds.example/owls?x=1", 5, 5, "hoot")


@pytest.mark.parametrize(
    ("citation", "url"),
    [
        (LINES, "birds/my%20kestrel.md#L3-L4"),
        (PAGE, "birds.pdf#page=7"),
        (WEB, "https://birds.example/owls?x=1#L5-L5"),
    ],
)
def test_a_citation_has_a_url_with_its_place(citation: Citation, url: str) -> None:
    [annotation] = url_citations("They do [1].", [citation])

    assert annotation["url_citation"] == {
        "start_index": 8,
        "end_index": 11,
        "title": annotation["url_citation"]["title"],  # type: ignore[index] # see the next test
        "url": url,
    }


def test_a_title_names_the_source_and_its_lines() -> None:
    annotations = url_citations("[1] [2]", [LINES, PAGE])

    titles = [each["url_citation"]["title"] for each in annotations]  # type: ignore[index] # a dict
    assert titles == ["birds/my kestrel.md, lines 3-4", "birds.pdf, page 7, lines 1-2"]


def test_a_mark_that_stands_twice_has_two_annotations() -> None:
    annotations = file_citations("They hover [1], and dive [1].", [LINES])

    assert [each["index"] for each in annotations] == [11, 25]


def test_what_is_no_mark_has_none() -> None:
    annotations = file_citations("See [1](x), a[0], [2].", [LINES])

    assert [each["index"] for each in annotations] == [22]


def test_a_citation_without_a_mark_backs_the_end() -> None:
    text = "They hover."

    [annotation] = url_citations(text, [LINES])

    assert annotation["url_citation"]["start_index"] == len(text)  # type: ignore[index] # a dict
