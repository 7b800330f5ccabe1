"""Sections, literal blocks and code directives of reStructuredText."""

from __future__ import annotations

from cluster.memory.knowledge.chunking.page import Page
from cluster.memory.knowledge.chunking.rst import rst


def headings(text: str) -> list[tuple[str, ...]]:
    return [block.path for block in rst(Page.of(text)).blocks if block.is_heading]


def test_levels_follow_the_order_in_which_the_adornments_are_first_used() -> None:
    text = "===\nTop\n===\n\nOne\n---\n\nOne A\n~~~~~\n\nTwo ``x``\n---------\n"

    assert headings(text) == [("Top",), ("Top", "One"), ("Top", "One", "One A"), ("Top", "Two x")]


def test_a_transition_and_a_table_border_are_no_headings() -> None:
    assert headings("Text\n\n----\n\nText\n\n===  ===\na    b\n===  ===\n") == []


def test_an_underline_that_is_too_short_makes_no_heading() -> None:
    assert headings("A long title\n---\n") == []


def test_a_code_directive_is_a_listing_without_its_options() -> None:
    text = "Text\n\n.. code-block:: Python\n   :linenos:\n\n   import os\n\n   os.name\n\nText\n"

    (listing,) = rst(Page.of(text)).listings

    assert (listing.start_line, listing.end_line, listing.language) == (6, 8, "python")
    assert listing.source == "   import os\n\n   os.name"


def test_a_paragraph_that_ends_in_two_colons_announces_a_listing() -> None:
    page = Page.of("Like\nthis::\n\n    x = 1\n\n    print(x)\n\nText\n")

    layout = rst(page)

    assert [(each.source, each.language) for each in layout.listings] == [
        ("    x = 1\n\n    print(x)", "")
    ]
    assert [page.content[b.start : b.end].strip() for b in layout.blocks] == [
        "Like\nthis::",
        "x = 1\n\n    print(x)",
        "Text",
    ]


def test_two_colons_with_nothing_below_announce_nothing() -> None:
    assert rst(Page.of("Text::\n\nText\n")).listings == []
    assert rst(Page.of("Text::")).listings == []


def test_a_directive_without_a_body_is_a_block_of_its_own() -> None:
    page = Page.of("Text\n\n.. code-block:: python\n\nText\n")

    layout = rst(page)

    assert layout.listings == []
    assert len(layout.blocks) == 3
