"""Finds the sections, paragraphs and listings of reStructuredText.

Called by `cluster.memory.knowledge.chunking.chunks`. Pure.
"""

from __future__ import annotations

import re

from cluster.memory.knowledge.chunking.page import Layout, LineReader, Page, indent_of

_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*$")
_CODE_DIRECTIVE = re.compile(
    r"[ \t]*\.\.[ \t]+(?P<name>code-block|code|sourcecode|ipython|testcode|doctest|parsed-literal)"
    r"::[ \t]*(?P<language>[\w+#-]*)"
)
_OPTION = re.compile(r"[ \t]+:[\w-]+:")
_PYTHON_DIRECTIVES = frozenset({"testcode", "doctest"})


def rst(page: Page) -> Layout:
    """Find the blocks of a reStructuredText page."""
    return _Rst(page).read_all()


class _Rst(LineReader):
    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self._styles: list[tuple[str, bool]] = []
        """Section adornments in the order of their first use, which is their level."""

    def read_all(self) -> Layout:
        return self.read(self._special)

    def _special(self, at: int) -> int:
        if self.paragraph is None and (taken := self._section(at)):
            return taken
        if directive := _CODE_DIRECTIVE.match(self.lines[at]):
            return self._code(at, directive)
        if self._starts_literal(at):
            return self._literal(at)
        return 0

    def _line(self, at: int) -> str:
        return self.lines[at].rstrip() if at < len(self.lines) else ""

    def _section(self, at: int) -> int:
        line, below = self._line(at), self._line(at + 1)
        if _ADORNMENT.match(line):
            if not below.strip() or self._line(at + 2) != line or len(line) < len(below.strip()):
                return 0
            self._enter(at, at + 2, (line[0], True), below)
            return 3
        if line[0].isspace() or not _ADORNMENT.match(below) or len(below) < len(line):
            return 0
        self._enter(at, at + 1, (below[0], False), line)
        return 2

    def _enter(self, first: int, last: int, style: tuple[str, bool], title: str) -> None:
        if style not in self._styles:
            self._styles.append(style)
        plain = title.replace("`", "").replace("*", "").strip()
        self.add_heading(first, last, self._styles.index(style), plain)

    def _code(self, at: int, directive: re.Match[str]) -> int:
        self.end_paragraph(at)
        end = max(self.indented_end(at + 1, indent_of(self.lines[at])), at + 1)
        body = at + 1
        while body < end and _OPTION.match(self.lines[body]):
            body += 1
        by_name = "python" if directive["name"] in _PYTHON_DIRECTIVES else ""
        self.add_listing(body, end - 1, directive["language"] or by_name)
        self.add_code(at, end - 1)
        return end - at

    def _starts_literal(self, at: int) -> bool:
        """Say whether the line ends a paragraph that announces a literal block."""
        line = self._line(at)
        is_directive = line.lstrip().startswith(".. ") and line != ".. ::"
        return line.endswith("::") and not is_directive and not self._line(at + 1).strip()

    def _literal(self, at: int) -> int:
        first = at if self.paragraph is None else self.paragraph
        self.paragraph = first
        end = self.indented_end(at + 1, indent_of(self.lines[at]))
        self.end_paragraph(at + 1)
        if end > at + 1:
            body = at + 1
            while not self.lines[body].strip():
                body += 1
            self.add_listing(body, end - 1, "")
            self.add_code(body, end - 1)
        return max(end, at + 1) - at
