"""HTML without its tags: the same lines, titles from headings, and what may be quoted."""

from __future__ import annotations

import pytest

from cluster.kernel.vocabulary import Passage
from cluster.memory.knowledge.chunking.chunks import HTML, chunks_of
from cluster.memory.knowledge.chunking.html_page import html_page
from cluster.memory.knowledge.records import CODE, TEXT, Chunk

PAGE = """<!DOCTYPE html>
<html><head><title>Site</title>
<style>p { color: red }</style><script>if (a < b) { "</p>" }</script></head>
<body>
<h1>Site</h1><p>First <b>bold</b> text &amp; more.</p>
<ul><li>one</li><li>two</li></ul>
<!-- a comment
on two lines -->
<p
  class="x > y">Second
paragraph.</p>
</body></html>
"""


def text_chunks(content: str) -> list[Chunk]:
    return [chunk for chunk in chunks_of(content, HTML) if chunk.kind == TEXT]


def examples_in(content: str) -> list[str]:
    return [chunk.text for chunk in chunks_of(content, HTML) if chunk.kind == CODE]


def test_tags_comments_scripts_and_styles_are_left_out_and_lines_keep_their_numbers() -> None:
    lines = html_page(PAGE)[0].lines()

    assert [(at, line.strip()) for at, line in enumerate(lines, 1) if line.strip()] == [
        (2, "Site"),
        (5, "Site First bold text & more."),
        (6, "one two"),
        (10, "Second"),
        (11, "paragraph."),
    ]


def test_runs_between_tags_are_what_may_be_quoted() -> None:
    (chunk,) = text_chunks("<p>First <b>bold</b> text &amp; more.</p>")
    passage = Passage("x.html", 1, 1, chunk.text, breaks=chunk.breaks)

    assert passage.text == "First bold text & more."
    assert passage.runs == ("First ", "bold", " text & more.")


def test_inline_tags_part_no_words_and_others_do() -> None:
    (chunk,) = text_chunks("a<i>b</i>c<br>d<p>e</p>f<table><tr><td>g</td><td>h</td></tr></table>")

    assert chunk.text == "abc d e f g h"


def test_headings_make_titles_and_the_page_title_is_not_repeated() -> None:
    filler = "<p>" + "word " * 100 + "</p>"
    content = f"<title>Site</title><h1>Site</h1>{filler}<h2>Part <i>A</i></h2>{filler}"

    assert [chunk.title for chunk in text_chunks(content)] == ["Site", "Site > Part A"]


def test_what_is_no_tag_stays_text() -> None:
    for content in ("a < b and c", "1 <2", "never ends <p class='x", "<!-- never ends", "<"):
        (chunk,) = text_chunks(content)
        assert chunk.text == content


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("if a <b> c </b>", "if a c"),
        ("x <y and it's so.</p><p>Don't lose this.</p>", "x Don't lose this."),
        ('a <y "quoted> text" and more', 'a text" and more'),
        ("a <p class='x>y'>b</p>", "a b"),
        ('a <p class = "x>y" id=z/>b</p>', "a b"),
        ("a <p class=it's>b</p> c'", "a b c'"),
        ("a <p class='never ends>b</p>", "a b"),
        ("a <!--> b <!---> c <!-- d --!> e", "a  b  c  e"),
        ("a </> b </ c> d <?php echo 1 ?> e", "a  b  d  e"),
        ("a <!-- never <b>ends</b>", "a <!-- never ends"),
        ("<title>the <b> tag</title>c", "the <b> tag c"),
        ("<script>'</scripts>'</script >a", "a"),
        ("<textarea>a <p> b</textarea>", "a <p> b"),
        ("<title>never closed <p>a</p>", "never closed a"),
        ('<?xml version="1.0"?><script src="x"/><p>a</p>', "a"),
        ("<svg/>a<iframe>b</iframe>c", "a c"),
        ("1 < 2 <3 a<= b <\u00e9", "1 < 2 <3 a<= b <\u00e9"),
    ],
)
def test_tags_end_where_a_browser_has_them_end(content: str, shown: str) -> None:
    page = html_page(content)[0].content

    assert " ".join(page.split()) == " ".join(shown.split())


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (
            "&lt;p&gt; &amp;amp; &copy 2024 &notit; &#8364;&#x20AC;",
            "<p> &amp; \u00a9 2024 \u00acit; \u20ac\u20ac",
        ),
        ("a&nbsp;b &unknown; AT&T", "a\u00a0b &unknown; AT&T"),
        ("a&#10;b&#13;c&NewLine;d", "a b c d"),
        (f"&#{'9' * 5_000}; &#{'0' * 5_000}65;", "\ufffd A"),
        ("&#0; &#xD800; &#x110000;", "\ufffd \ufffd \ufffd"),
        ("&l<b></b>t;", "&lt;"),
    ],
)
def test_character_references_are_what_a_browser_shows(content: str, shown: str) -> None:
    page = html_page(content)[0]

    assert (page.content, len(page.starts)) == (shown, 1)


def test_a_quote_of_html_has_no_character_references() -> None:
    (chunk,) = text_chunks(
        "<h1>A &amp; B</h1>\n<p>Use &lt;em&gt; &mdash; it&#39;s &quot;soft&quot;.</p>"
    )

    assert chunk.text == 'A & B\nUse <em> \u2014 it\'s "soft".'
    assert (chunk.title, chunk.start_line, chunk.end_line) == ("A & B", 1, 2)


def test_a_listing_is_unescaped_and_freed_of_its_tags() -> None:
    content = (
        '<pre><code class="language-python">\n<span class="k">if</span> 1 &lt; 2:\n'
        "    print(&quot;yes&quot;)\n</code></pre>"
    )

    assert examples_in(content) == ['if 1 < 2:\n    print("yes")\n']


def test_a_session_as_sphinx_writes_it_becomes_a_program() -> None:
    content = (
        '<div class="highlight-python3"><div class="highlight"><pre>'
        '<span class="gp">&gt;&gt;&gt; </span>max([1, 2])\n2\n</pre></div></div>'
    )

    assert examples_in(content) == ["print(repr(max([1, 2])))\n"]


def test_a_listing_in_another_language_is_no_example() -> None:
    content = (
        '<div class="highlight-python"><pre>print(1)</pre></div>'
        '<div class="highlight-ruby"><pre>print(2)</pre></div>'
        '<pre class="language-js">print(3)</pre>'
    )

    assert examples_in(content) == ["print(1)\n"]
