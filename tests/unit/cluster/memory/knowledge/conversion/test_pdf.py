"""The text of a PDF is had page by page; one that gives none says why."""

from __future__ import annotations

import pytest

from cluster.memory.knowledge.conversion.converted import Converted, Unconvertible
from cluster.memory.knowledge.conversion.pdf import pdf
from cluster.memory.knowledge.omissions import Omission
from tests.support.packed import pdf_of


def test_each_page_is_a_part_with_its_lines() -> None:
    read = pdf(pdf_of("A heap is a tree.\nIt is kept in a list.", "Sorting takes time."))

    pages = ("A heap is a tree.\nIt is kept in a list.", "Sorting takes time.")
    assert read == Converted("text", pages, is_paged=True)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pdf_of("secret", is_locked=True), Omission.ENCRYPTED),
        (b"%PDF-1.4\nnothing more", Omission.BROKEN),
        (pdf_of("first")[:200], Omission.BROKEN),
        (b"<html>404</html>", Omission.BROKEN),
        (pdf_of("", ""), Omission.NO_TEXT),
    ],
)
def test_a_pdf_without_text_for_us_says_why(data: bytes, expected: Omission) -> None:
    with pytest.raises(Unconvertible) as caught:
        pdf(data)

    assert caught.value.omission is expected
