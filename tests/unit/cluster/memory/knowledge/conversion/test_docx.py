"""A Word file becomes Markdown."""

from __future__ import annotations

import pytest

from cluster.memory.knowledge.conversion import docx as module
from cluster.memory.knowledge.conversion.converted import Unconvertible
from cluster.memory.knowledge.conversion.docx import docx
from cluster.memory.knowledge.omissions import Omission
from tests.support.packed import docx_of, zip_of


def markdown_of(body: str, **others: str) -> list[str]:
    read = docx(docx_of(body, **others))
    assert read.format == "markdown"
    return [line for line in read.parts[0].splitlines() if line]


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_paragraphs_headings_and_lists_are_kept() -> None:
    assert markdown_of(
        paragraph("Heaps", '<w:pStyle w:val="Heading2"/>')
        + paragraph("A heap is a tree.")
        + paragraph("small", "<w:numPr/>")
    ) == ["## Heaps", "A heap is a tree.", "- small"]


def test_a_paragraph_of_several_runs_is_one_line_but_for_its_breaks() -> None:
    runs = "<w:r><w:t>one</w:t><w:tab/><w:t>two</w:t></w:r><w:r><w:br/><w:t>three</w:t></w:r>"

    assert markdown_of(f"<w:p>{runs}</w:p>") == ["one\ttwo", "three"]


def test_headings_are_known_by_the_names_of_their_styles() -> None:
    styles = '<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    body = paragraph("Haufen", '<w:pStyle w:val="berschrift1"/>')

    assert markdown_of(body, styles=styles) == ["# Haufen"]


def test_a_table_has_a_line_for_each_row() -> None:
    cell = "<w:tc>{}</w:tc>"
    row = "<w:tr>{}</w:tr>"
    first = row.format(cell.format(paragraph("name")) + cell.format(paragraph("age")))
    second = row.format(cell.format(paragraph("Ada") + paragraph("L.")) + cell.format(""))

    assert markdown_of(f"<w:tbl>{first}{second}</w:tbl>") == ["| name | age |", "| Ada L. |  |"]


def test_text_that_stands_twice_or_was_deleted_is_read_once_or_not_at_all() -> None:
    again = f"<mc:Fallback>{paragraph('box')}</mc:Fallback>"
    deleted = "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"

    assert markdown_of(paragraph("box") + again + f"<w:p>{deleted}</w:p>") == ["box"]


def test_notes_stand_at_the_end() -> None:
    notes = f"<w:footnote>{paragraph('a note')}</w:footnote>"

    assert markdown_of(paragraph("text"), footnotes=notes) == ["text", "a note"]


@pytest.mark.parametrize("data", [b"plain text", zip_of({"a.txt": "text"})])
def test_what_is_no_word_file_is_broken(data: bytes) -> None:
    with pytest.raises(Unconvertible) as caught:
        docx(data)

    assert caught.value.omission is Omission.BROKEN


def test_a_text_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TEXT_CHARS_MAX", 3)

    with pytest.raises(Unconvertible):
        docx(docx_of(paragraph("text")))
