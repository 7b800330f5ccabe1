"""Splits a file into passages along its structure; the way in to the formats' modules.

Called by `cluster.memory.knowledge.documents`. What holds for every format: the text of a passage
of kind ``text`` is a verbatim run of the file's lines ``start_line`` to ``end_line``, white space
at its ends left out; together they hold every character that isn't white space, in order, none
twice. Of HTML that is said of the page as a browser shows it: without its tags, comments, scripts
and styles, and with the characters that its references stand for. Passages of kind ``code`` come on
top: programs that can be run, made from the listings of the same file. Pure.
"""

from __future__ import annotations

from cluster.memory.knowledge.chunking.examples import examples
from cluster.memory.knowledge.chunking.html_page import html_page
from cluster.memory.knowledge.chunking.markdown import markdown
from cluster.memory.knowledge.chunking.pack import pack
from cluster.memory.knowledge.chunking.page import Page, plain_text
from cluster.memory.knowledge.chunking.rst import rst
from cluster.memory.knowledge.chunking.source import python, source, table
from cluster.memory.knowledge.decoding import with_lf_ends
from cluster.memory.knowledge.records import Chunk

CHUNKER_VERSION = 4
"""To be raised with every change of what a file is split into, the text of packed ones included:
stored documents are split anew."""

_FORMATS = {
    "markdown": markdown,
    "rst": rst,
    "text": plain_text,
    "python": python,
    "source": source,
    "table": table,
}
HTML = "html"
FORMATS = frozenset({*_FORMATS, HTML})


def chunks_of(content: str, file_format: str) -> list[Chunk]:
    """Return the passages of a file, then the runnable examples in it.

    Args:
        content: the whole text; its lines end where `with_lf_ends` ends them.
        file_format: one of `FORMATS`.
    """
    content = with_lf_ends(content)
    if file_format == HTML:
        page, layout, breaks = html_page(content)
    else:
        page, breaks = Page.of(content), []
        layout = _FORMATS[file_format](page)
    return [*pack(page, layout.blocks, breaks), *examples(layout.listings)]
