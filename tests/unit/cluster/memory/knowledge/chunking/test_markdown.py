"""Headings, fences, front matter and indented code of Markdown."""

from __future__ import annotations

from textwrap import dedent

from cluster.memory.knowledge.chunking.markdown import markdown
from cluster.memory.knowledge.chunking.page import Layout, Page


def read(text: str) -> tuple[Page, Layout]:
    page = Page.of(dedent(text))
    return page, markdown(page)


def headings(text: str) -> list[tuple[str, ...]]:
    return [block.path for block in read(text)[1].blocks if block.is_heading]


def test_headings_of_both_kinds_make_the_path() -> None:
    text = """\
        Top
        ===

        ## Second [link](x.md) with `code` ##

        Third
        -----

        # Next
        """

    assert headings(text) == [
        ("Top",),
        ("Top", "Second link with code"),
        ("Top", "Third"),
        ("Next",),
    ]


def test_a_hash_in_a_fence_or_without_a_space_is_no_heading() -> None:
    assert headings("```\n# comment\n```\n\n#hashtag\n") == []


def test_a_rule_after_a_list_or_a_table_is_no_heading() -> None:
    assert headings("- item\n---\n\n| a |\n---\n") == []


def test_a_fence_is_one_block_and_a_listing_with_its_language() -> None:
    page, layout = read("Before:\n\n```python title=x\nimport os\n\nprint(os.name)\n```\nAfter\n")

    (listing,) = layout.listings
    assert [page.content[b.start : b.end].split("\n")[0] for b in layout.blocks] == [
        "Before:",
        "```python title=x",
        "After",
    ]
    assert (listing.start_line, listing.end_line, listing.language) == (4, 6, "python")
    assert listing.source == "import os\n\nprint(os.name)"
    assert listing.context.startswith("Before:")


def test_a_fence_that_is_never_closed_reaches_to_the_end() -> None:
    _, layout = read("~~~py\nx = 1\n\n# no heading\n")

    assert [listing.source for listing in layout.listings] == ["x = 1\n\n# no heading"]
    assert len(layout.blocks) == 1


def test_a_longer_fence_holds_a_shorter_one() -> None:
    _, layout = read("````\n```\nx\n```\n````\n")

    assert [listing.source for listing in layout.listings] == ["```\nx\n```"]


def test_front_matter_is_one_block_without_headings() -> None:
    page, layout = read("---\ntitle: x\n# y\n---\n\nText\n")

    assert [page.content[b.start : b.end] for b in layout.blocks] == [
        "---\ntitle: x\n# y\n---",
        "Text",
    ]


def test_code_that_is_indented_is_a_listing_across_its_blank_lines() -> None:
    _, layout = read("Text\n\n    x = 1\n\n    print(x)\n\nText\n")

    assert [(each.start_line, each.end_line) for each in layout.listings] == [(3, 5)]


def test_a_session_between_paragraphs_is_a_listing() -> None:
    _, layout = read("Text\n\n>>> 1 + 1\n2\n\nText\n")

    assert [(each.source, each.language) for each in layout.listings] == [(">>> 1 + 1\n2", "pycon")]
