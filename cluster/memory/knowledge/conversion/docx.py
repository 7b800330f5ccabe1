"""The text of a Word file, as Markdown: its headings, paragraphs, lists, tables and notes.

Called in the child process. Text that was deleted while changes were tracked is left out; headers,
footers and comments are not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cluster.memory.knowledge.conversion.converted import TEXT_CHARS_MAX, Converted, Unconvertible
from cluster.memory.knowledge.conversion.package import Attributes, Package, parse_xml
from cluster.memory.knowledge.omissions import Omission

_BODY = "word/document.xml"
_STYLES = "word/styles.xml"
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")
_HEADING = re.compile(r"heading ([1-9])$", re.IGNORECASE)
_LEVELS_MAX = 6
_BREAKS = {"br": "\n", "cr": "\n", "tab": "\t", "noBreakHyphen": "-"}
_REPEATED = frozenset({"Fallback"})
"""It holds, for old programs, what stands beside it once more."""


def docx(data: bytes) -> Converted:
    """Return the text of a Word file.

    Raises:
        Unconvertible: it is none, or is too large when unpacked.
    """
    package = Package(data)
    body = _Body(_heading_levels(package))
    for name in (_BODY, *filter(package.has, _NOTES)):
        parse_xml(package.read(name), body)
    return Converted("markdown", ("\n".join(body.lines),))


def _heading_levels(package: Package) -> dict[str, int]:
    """Return the levels of the styles that are headings, whatever language their ids are in."""
    levels = {"Title": 1, **{f"Heading{level}": level for level in range(1, _LEVELS_MAX + 1)}}
    style = ""

    def enter(attributes: Mapping[str, str]) -> None:
        nonlocal style
        style = attributes.get("styleId", "")

    def name(attributes: Mapping[str, str]) -> None:
        called = attributes.get("val", "")
        if match := _HEADING.match(called):
            levels[style] = min(int(match[1]), _LEVELS_MAX)
        elif called.lower() == "title":
            levels[style] = 1

    if package.has(_STYLES):
        parse_xml(package.read(_STYLES), Attributes({"style": enter, "name": name}))
    return levels


class _Body:
    """Collects the lines of the text; `Elements` of `package`."""

    def __init__(self, levels: Mapping[str, int]) -> None:
        self.lines: list[str] = []
        self._levels = levels
        self._paragraphs: list[list[str]] = []
        """Those that are open: a text box lies in a paragraph and holds others."""
        self._mark = ""
        self._cells: list[str] | None = None
        """Of the current row of a table; None outside of one."""
        self._is_text = False
        self._repeated = 0
        self._chars = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in _REPEATED or self._repeated:
            self._repeated += 1
        elif name == "p":
            self._paragraphs.append([])
            self._mark = ""
        elif name == "pStyle":
            level = self._levels.get(attributes.get("val", ""), 0)
            self._mark = f"{'#' * level} " if level else self._mark
        elif name == "numPr":
            self._mark = self._mark or "- "
        elif name == "tr":
            self._cells = []
        elif name == "tc" and self._cells is not None:
            self._cells.append("")
        elif name in _BREAKS:
            self.text(_BREAKS[name], is_text=True)
        self._is_text = name == "t" and not self._repeated

    def end(self, name: str) -> None:
        self._is_text = False
        if self._repeated:
            self._repeated -= 1
        elif name == "p" and self._paragraphs:
            self._end_paragraph("".join(self._paragraphs.pop()).strip())
        elif name == "tr" and self._cells is not None:
            self.lines.append(f"| {' | '.join(self._cells)} |")
            self._cells = None
        elif name == "tbl":
            self.lines.append("")

    def text(self, data: str, *, is_text: bool = False) -> None:
        if not (self._is_text or is_text) or not self._paragraphs:
            return
        self._chars += len(data)
        if self._chars > TEXT_CHARS_MAX:
            raise Unconvertible(Omission.UNPACKS_TOO_LARGE)
        self._paragraphs[-1].append(data)

    def _end_paragraph(self, text: str) -> None:
        if self._cells:
            self._cells[-1] = " ".join(f"{self._cells[-1]} {text}".split())
        elif text:
            self.lines += [self._mark + text, ""]
