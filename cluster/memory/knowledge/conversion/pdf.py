"""The text of a PDF, page by page, by PDFium: native code, which isn't safe with threads.

Called in the child process, and nowhere else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cluster.memory.knowledge.conversion.converted import TEXT_CHARS_MAX, Converted, Unconvertible
from cluster.memory.knowledge.omissions import Omission

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

PAGES_MAX = 10_000
_PASSWORD_ERROR = 4
"""PDFium's FPDF_ERR_PASSWORD."""
_SECURITY_ERROR = 5
_HYPHEN = re.compile("[\ufffe\x02](?:\r\n|\n|\r)?")
"""What PDFium puts in the place of a hyphen that parts a word at the end of a line."""
_LINE_BREAK = re.compile(r"\r\n|\r|\f|\v")


def pdf(data: bytes) -> Converted:
    """Return the text of a PDF.

    Raises:
        Unconvertible: it is none, wants a password, or has no text.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        is_locked = getattr(error, "err_code", 0) in {_PASSWORD_ERROR, _SECURITY_ERROR}
        raise Unconvertible(Omission.ENCRYPTED if is_locked else Omission.BROKEN) from error
    try:
        pages = _pages(document)
    except pypdfium2.PdfiumError as error:
        raise Unconvertible(Omission.BROKEN) from error
    finally:
        document.close()
    if not any(page.strip() for page in pages):
        raise Unconvertible(Omission.NO_TEXT)
    return Converted("text", tuple(pages), is_paged=True)


def _pages(document: PdfDocument) -> list[str]:
    pages: list[str] = []
    chars = 0
    if len(document) > PAGES_MAX:
        raise Unconvertible(Omission.UNPACKS_TOO_LARGE)
    for page in document:
        text_page = page.get_textpage()
        pages.append(_plain(text_page.get_text_range()))
        text_page.close()
        page.close()
        chars += len(pages[-1])
        if chars > TEXT_CHARS_MAX:
            raise Unconvertible(Omission.UNPACKS_TOO_LARGE)
    return pages


def _plain(text: str) -> str:
    """Return the text with words joined over the ends of lines, and line breaks as elsewhere."""
    return _LINE_BREAK.sub("\n", _HYPHEN.sub("", text))
