"""Small files of the formats whose text has to be taken out of them, made from their text."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

FONT = "/MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >>"
_LOCK = "/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{0}> /U <{0}> >> /ID [<{0}> <{0}>]"


def pdf_of(*pages: str, is_locked: bool = False) -> bytes:
    """A PDF with a line of text for each line of a page; with a lock, no password opens it."""
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for at, page in enumerate(pages):
        shown = " T* ".join(f"({line}) Tj" for line in page.splitlines())
        content = f"BT /F1 12 Tf 72 720 Td 14 TL {shown} ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R {FONT} /Contents {5 + 2 * at} 0 R >>",
            f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
        ]
    return _numbered(objects, _LOCK.format("5a" * 32) if is_locked else "")


def _numbered(objects: Sequence[str], trailer: str) -> bytes:
    made = b"%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(made))
        made += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (
        made
        + (
            f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}"
            f"trailer\n<< /Size {len(places) + 1} /Root 1 0 R {trailer} >>\n"
            f"startxref\n{len(made)}\n%%EOF\n"
        ).encode()
    )


def zip_of(members: Mapping[str, str | bytes]) -> bytes:
    """A zip of these members."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def docx_of(body: str, **others: str) -> bytes:
    """A Word file with the XML of its body, and of other parts (``styles="..."``)."""
    wrapped = {"document": f"<w:body>{body}</w:body>", **others}
    return zip_of({
        f"word/{name}.xml": f'<w:{name} xmlns:w="urn:w" xmlns:mc="urn:mc">{content}</w:{name}>'
        for name, content in wrapped.items()
    })  # fmt: skip


def epub_of(*chapters: str, **others: str) -> bytes:
    """An EPUB with the HTML of its chapters; ``encryption="..."`` is a member of META-INF."""
    items = "".join(
        f'<item id="c{at}" href="text/{at}%20.xhtml" media-type="application/xhtml+xml"/>'
        for at in range(len(chapters))
    )
    order = "".join(f'<itemref idref="c{at}"/>' for at in range(len(chapters)))
    return zip_of({
        "META-INF/container.xml": '<container><rootfile full-path="book/root.opf"/></container>',
        **{f"META-INF/{name}.xml": content for name, content in others.items()},
        "book/root.opf": f"<package>{items}{order}</package>",
        **{f"book/text/{at} .xhtml": chapter for at, chapter in enumerate(chapters)},
    })  # fmt: skip
