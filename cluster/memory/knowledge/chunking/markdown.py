"""Finds the headings, paragraphs and listings of Markdown.

Called by `cluster.memory.knowledge.chunking.chunks`. Lists, tables and quotes are paragraphs: what
matters is where they may be cut. Pure.
"""

from __future__ import annotations

import re

from cluster.memory.knowledge.chunking.page import Layout, LineReader, Page, indent_of

_ITEM = r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?"
# Possessive: tildes belong to the fence or to the line's rest; trying all ways takes minutes.
_FENCE = re.compile(_ITEM + r"(?P<fence>`{3,}+|~{3,}+)(?P<info>[^`]*+)$")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_NO_TITLE = re.compile(r"[ \t]*(?:[-*+>|]|\d{1,9}[.)][ \t])")
_FRONT_MATTER = re.compile(r"(?:---|\+\+\+)[ \t]*$")
_LANGUAGE = re.compile(r"[ \t]*\{?\.?([\w+#-]+)")
_LINK = re.compile(r"!?\[([^\]\[]*)\]\([^()]*\)")
_CODE_INDENT = 4
_SETEXT_LINES_MAX = 3


def markdown(page: Page) -> Layout:
    """Find the blocks of a Markdown page."""
    return _Markdown(page).read_all()


class _Markdown(LineReader):
    def read_all(self) -> Layout:
        return self.read(self._special)

    def _special(self, at: int) -> int:
        line = self.lines[at]
        if at == 0 and _FRONT_MATTER.match(line) and (taken := self._front_matter()):
            return taken
        if fence := _FENCE.match(line):
            return self._fenced(at, fence)
        if heading := _ATX.match(line):
            self.end_paragraph(at)
            self.add_heading(at, at, len(heading[1]), _plain(line[heading.end() :]))
            return 1
        if self.paragraph is not None:
            return self._underline(at)
        return self._indented(at) if indent_of(line) >= _CODE_INDENT else 0

    def _front_matter(self) -> int:
        fence = self.lines[0].rstrip()
        for at in range(1, len(self.lines)):
            if self.lines[at].rstrip() == fence:
                self.add_code(0, at)
                return at + 1
        return 0

    def _fenced(self, at: int, fence: re.Match[str]) -> int:
        self.end_paragraph(at)
        closing = re.compile(rf"[ \t]*{fence['fence'][0]}{{{len(fence['fence'])},}}[ \t]*$")
        last = at + 1
        while last < len(self.lines) and not closing.match(self.lines[last]):
            last += 1
        language = _LANGUAGE.match(fence["info"])
        self.add_listing(at + 1, last - 1, language[1] if language else "")
        last = min(last, len(self.lines) - 1)
        self.add_code(at, last)
        return last - at + 1

    def _underline(self, at: int) -> int:
        first = self.paragraph
        line = _SETEXT.match(self.lines[at])
        if line is None or first is None or at - first > _SETEXT_LINES_MAX:
            return 0
        if _NO_TITLE.match(self.lines[at - 1]):
            return 0
        self.paragraph = None
        title = " ".join(each.strip() for each in self.lines[first:at])
        self.add_heading(first, at, 1 if line[1][0] == "=" else 2, _plain(title))
        return 1

    def _indented(self, at: int) -> int:
        end = self.indented_end(at, _CODE_INDENT - 1)
        self.add_listing(at, end - 1, "")
        self.add_code(at, end - 1)
        return end - at


def _plain(title: str) -> str:
    title = title.strip().rstrip("#")
    return _LINK.sub(r"\1", title).replace("`", "").replace("*", "").strip()
