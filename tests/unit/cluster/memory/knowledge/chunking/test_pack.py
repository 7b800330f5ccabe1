"""Small blocks are joined, large ones cut where a reader would, and titles stay true."""

from __future__ import annotations

from cluster.memory.knowledge.chunking.pack import pack, trimmed
from cluster.memory.knowledge.chunking.page import Block, Outline, Page, line_block

SENTENCE = "This sentence is exactly long enough to be counted with. "


def blocks_of(page: Page, *paths: tuple[str, ...]) -> list[Block]:
    return [line_block(page, at, at, path) for at, path in enumerate(paths)]


def test_lines_end_at_line_feeds_and_at_no_other_character() -> None:
    page = Page.of("a\nb\nc\rd\x0ce\u2028f")

    assert page.lines() == ["a", "b", "c\rd\x0ce\u2028f"]
    assert [page.line_number(offset) for offset in (0, 2, 4, 6)] == [1, 2, 3, 3]


def test_small_neighbours_are_joined_under_the_headings_they_share() -> None:
    page = Page.of("one\ntwo\nthree")

    (chunk,) = pack(page, blocks_of(page, ("A", "B"), ("A", "C"), ("A", "C", "D")))

    assert (chunk.start_line, chunk.end_line, chunk.title) == (1, 3, "A")
    assert chunk.text == "one\ntwo\nthree"


def test_a_heading_begins_a_passage_where_enough_stands_before_it() -> None:
    page = Page.of("\n".join([SENTENCE * 6, "Heading", SENTENCE]))
    first, heading, last = blocks_of(page, ("A",), ("B",), ("B",))

    chunks = pack(page, [first, Block(heading.start, heading.end, ("B",), is_heading=True), last])

    assert [(chunk.start_line, chunk.title) for chunk in chunks] == [(1, "A"), (2, "B")]


def test_prose_that_is_too_long_is_cut_at_the_end_of_a_sentence() -> None:
    page = Page.of(SENTENCE * 50)

    chunks = pack(page, [line_block(page, 0, 0)])

    assert len(chunks) > 1
    assert all(chunk.text.endswith("with.") for chunk in chunks)
    assert all(300 <= len(chunk.text) <= 1200 for chunk in chunks)


def test_code_that_is_too_long_is_cut_between_lines() -> None:
    line = "    value = compute(1.5). then. more"
    page = Page.of("\n".join([line] * 60))

    chunks = pack(page, [Block(0, len(page.content), is_prose=False)])

    assert len(chunks) > 1
    assert all(set(chunk.text.split("\n")) == {line} for chunk in chunks)


def test_blocks_that_lie_far_apart_are_not_joined() -> None:
    page = Page.of("one" + "\n" * 20 + "two")

    chunks = pack(page, [Block(0, 3), Block(23, 26)])

    assert [chunk.text for chunk in chunks] == ["one", "two"]


def test_breaks_are_counted_from_the_passage_and_only_within_it() -> None:
    page = Page.of("one two three")

    (chunk,) = pack(page, [Block(4, 13)], breaks=[0, 4, 7, 7, 13])

    assert (chunk.text, chunk.breaks) == ("two three", (3,))


def test_the_first_line_keeps_its_indentation_where_it_has_a_meaning() -> None:
    page = Page.of("x\n    indented  \n")
    flat = Page(page.content, page.starts, page.ends, keeps_indent=False)

    assert page.content[slice(*trimmed(page, 2, 16))] == "    indented"
    assert page.content[slice(*trimmed(flat, 2, 16))] == "indented"


def test_trimming_never_looks_behind_its_start() -> None:
    page = Page.of("    indented")

    assert trimmed(page, 2, 12) == (4, 12)
    assert trimmed(page, 12, 12) == (12, 12)
    assert trimmed(page, 0, 3) == (0, 0)


def test_an_indentation_wider_than_a_screen_is_left_out() -> None:
    page = Page.of(" " * 1_300 + "x")

    (chunk,) = pack(page, [line_block(page, 0, 0)])

    assert (chunk.text, chunk.start_line, chunk.end_line) == ("x", 1, 1)


def test_a_wide_indentation_before_a_long_word_is_no_passage_of_its_own() -> None:
    page = Page.of(" " * 400 + "x" * 850)

    assert [chunk.text for chunk in pack(page, [line_block(page, 0, 0)])] == ["x" * 850]


def test_an_outline_closes_deeper_sections_and_drops_a_repeated_title() -> None:
    outline = Outline()
    outline.enter(1, "A")
    outline.enter(2, "B")
    outline.enter(3, "B")

    assert outline.path == ("A", "B")

    outline.enter(2, "C")

    assert outline.path == ("A", "C")
