"""For every format: passages are verbatim runs of the file's lines, and nothing gets lost."""

from __future__ import annotations

import html

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cluster.memory.knowledge.chunking.chunks import FORMATS, HTML, chunks_of
from cluster.memory.knowledge.chunking.html_page import html_page
from cluster.memory.knowledge.chunking.pack import CHARS_MIN
from cluster.memory.knowledge.chunking.page import CHARS_MAX, Page
from cluster.memory.knowledge.decoding import with_lf_ends
from cluster.memory.knowledge.records import CODE, TEXT, Chunk

LINES = [
    "",
    "  ",
    "\t",
    "Title",
    "=====",
    "-----",
    "# H",
    "## H2 ##",
    "***",
    "- item",
    "> q",
    "| a |",
    "```python",
    "```",
    "~~~",
    "    code",
    "\tx = 1",
    ".. code-block:: python",
    "   import os",
    ">>> 1 + 1",
    "2",
    "... x",
    "Text::",
    "One. Two! Three? " * 9,
    "x" * 1500,
    "word " * 400,
    "def f():",
    "    return 1",
    "class A:",
    "    def g(self): pass",
    "# c",
    "@dec",
    "a\x0cb",
    "caf\u00e9\u2028z \u0085 y",
    "<p>",
    "</p>",
    "<h1>t</h1>",
    "<b>x</b> y<br>z",
    "&amp; &lt;",
    "<script>a = '<p>'</script>",
    "<!-- c\nd -->",
    "<pre>&gt;&gt;&gt; 1\n1</pre>",
    "<li>q",
    "<a href='x>y'>l</a>",
    '<div class="highlight-python">',
    "<",
    "a < b",
    "---",
    "+++",
]
files = st.lists(st.sampled_from(LINES) | st.text(max_size=30), max_size=40).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n", "\r"]).map(lambda end: end.join(lines))
)

runs = st.sampled_from([" ", "\t", "\x0c", "x", ".", "~", "a b ", "\u3000", "\u3002"])
long_lines = st.lists(
    st.tuples(runs, st.integers(1, 2_500)).map(lambda run: run[0] * run[1]), max_size=6
).map("".join)
long_files = st.lists(long_lines, min_size=1, max_size=3).map("\n".join)


def page_of(content: str, file_format: str) -> Page:
    text = with_lf_ends(content)
    return html_page(text)[0] if file_format == HTML else Page.of(text)


def lines_of(page: Page, chunk: Chunk) -> str:
    return page.content[page.starts[chunk.start_line - 1] : page.ends[chunk.end_line - 1]]


def texts_of(content: str, file_format: str) -> list[Chunk]:
    return [chunk for chunk in chunks_of(content, file_format) if chunk.kind == TEXT]


@given(files, st.sampled_from(sorted(FORMATS)))
@example("\r<!-- c\nd -->\r", HTML)
@settings(max_examples=120)
def test_a_passage_is_a_verbatim_run_of_the_lines_it_names(content: str, file_format: str) -> None:
    page = page_of(content, file_format)

    for chunk in texts_of(content, file_format):
        lines = lines_of(page, chunk)
        assert chunk.text in lines
        assert lines.strip().startswith(chunk.text.split("\n")[0].strip()[:1])
        assert chunk.text.strip()


@pytest.mark.parametrize("file_format", sorted(FORMATS))
def test_the_lines_that_are_named_are_those_that_sed_counts(file_format: str) -> None:
    *_, last = texts_of("a = 1\rb = 2\n" * 200 + "the_last = 3", file_format)

    assert last.text.endswith("the_last = 3")
    assert last.end_line == 201


@pytest.mark.parametrize("file_format", sorted(FORMATS))
def test_the_lines_of_an_old_mac_are_counted(file_format: str) -> None:
    *_, last = texts_of("a = 1\r" * 200 + "the_last = 3\r", file_format)

    assert last.text.endswith("the_last = 3")
    assert last.end_line == 201


@given(files, st.sampled_from(sorted(FORMATS)))
@settings(max_examples=120)
def test_passages_hold_every_character_once_and_in_order(content: str, file_format: str) -> None:
    page = page_of(content, file_format)

    held = "".join(chunk.text for chunk in texts_of(content, file_format))

    assert "".join(held.split()) == "".join(page.content.split())


@given(long_files, st.sampled_from(sorted(FORMATS)))
@example(" " * 1_300 + "x", "text")
@example(" " * 400 + "x" * 850, "text")
@settings(max_examples=150)
def test_long_lines_are_cut_ever_further_on(content: str, file_format: str) -> None:
    page = page_of(content, file_format)
    at = 0

    for chunk in texts_of(content, file_format):
        start = page.content.index(chunk.text, at)
        assert chunk.text.strip()
        assert chunk.text in lines_of(page, chunk)
        assert not page.content[at:start].strip()
        at = start + len(chunk.text)
    assert not page.content[at:].strip()


@given(files)
@settings(max_examples=120)
def test_what_stands_between_two_tags_stands_in_the_lines_of_the_html_file(content: str) -> None:
    file = Page.of(with_lf_ends(content))

    for chunk in texts_of(content, HTML):
        ends = (*chunk.breaks, len(chunk.text))
        for start, end in zip((0, *ends), ends, strict=False):
            assert chunk.text[start:end].strip() in html.unescape(lines_of(file, chunk))


@given(files)
def test_html_without_its_tags_has_as_many_lines_as_before(content: str) -> None:
    assert len(html_page(content)[0].starts) == len(Page.of(content).starts)


@given(files, st.sampled_from(sorted(FORMATS)))
def test_no_passage_is_longer_than_a_screen(content: str, file_format: str) -> None:
    for chunk in texts_of(content, file_format):
        assert len(chunk.text) <= CHARS_MIN + CHARS_MAX + 50


@given(files, st.sampled_from(sorted(FORMATS)))
def test_every_example_compiles(content: str, file_format: str) -> None:
    for chunk in chunks_of(content, file_format):
        if chunk.kind == CODE:
            compile(chunk.text, "<example>", "exec")


@pytest.mark.parametrize("file_format", sorted(FORMATS))
def test_an_empty_file_has_no_passages(file_format: str) -> None:
    assert chunks_of("", file_format) == []
    assert chunks_of(" \n\n\t\n", file_format) == []


@pytest.mark.parametrize("file_format", sorted(FORMATS))
def test_large_and_hostile_files_are_split_in_linear_time(file_format: str) -> None:
    hostile = ["word " * 20_000, "<a " * 20_000, "`" * 60_000, "(" * 60_000, "<!--" * 20_000]
    hostile += ["# " + "[](" * 20_000, "a::\n" * 5_000, "<br>" * 5_000, "=\n" * 5_000]

    for content in hostile:
        assert chunks_of(content, file_format) is not None


LINE_CHARS = 1_000_000
LONG_LINES = {
    "an indentation": "{ }x",
    "a wide blank": "x{ }x",
    "letters": "x{x}",
    "a fence that is none": "{~}`",
    "an underline that is none": "{=}x",
    "links that are none": "# {[a](}",
    "tags that never end": "{<a }",
    "quotes that never end": "<a {'>' <a }\"",
    "values that never end": "{<a x='>' }",
    "values in values": "{<a x='><b y=\">' z=}",
    "comments that never end": "{<!-- }",
    "elements that never end": "{<title><textarea>}",
    "numbers without end": "{&#1}",
    "a number without end": "&#{1};",
    "ends of sentences": "{.'}",
}


def filled(pattern: str) -> str:
    """The pattern with what stands in braces repeated up to a megabyte."""
    before, _, rest = pattern.partition("{")
    repeated, _, after = rest.partition("}")
    return before + repeated * (LINE_CHARS // len(repeated)) + after


@pytest.mark.timeout(60)  # a second each at most, where every character is seen a few times only
@pytest.mark.parametrize("pattern", LONG_LINES.values(), ids=LONG_LINES)
def test_a_line_of_a_megabyte_is_split(pattern: str) -> None:
    for file_format in sorted(FORMATS - {"python"}):
        assert chunks_of(filled(pattern), file_format) is not None


@pytest.mark.timeout(60)
def test_elements_within_elements_are_read_once() -> None:
    names = [f"x{number}" for number in range(20_000)]
    nested = "".join(f"<{name}>" for name in names) + "text " * 40_000

    assert chunks_of(nested + "".join(f"</{name}>" for name in reversed(names)), HTML)
    assert chunks_of("<pre>" + "<code>" * 150_000 + "x = 1", HTML)
