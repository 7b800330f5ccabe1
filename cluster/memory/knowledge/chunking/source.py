"""Finds the functions and classes of Python, the paragraphs of other source, the rows of tables.

Called by `cluster.memory.knowledge.chunking.chunks`. Pure.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cluster.memory.knowledge.chunking.page import (
    CHARS_MAX,
    PROMPT,
    TITLE_CHARS_MAX,
    Block,
    Layout,
    LineReader,
    Listing,
    Page,
)
from cluster.memory.knowledge.chunking.syntax import syntax_of

PYTHON_CHARS_MAX = 400_000
"""A larger file is split like any source: its syntax tree takes 100 times its size, and no signal
is heard while it is made, up to 4 s for a megabyte."""
PROGRAM_CHARS_MAX = 4_000
"""A file up to this size may be an example as a whole."""

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def python(page: Page) -> Layout:
    """Find the blocks of a Python file: its definitions, and what lies between them."""
    tree = syntax_of(page.content) if len(page.content) <= PYTHON_CHARS_MAX else None
    if tree is None:
        return source(page)
    layout = Layout(blocks=list(_blocks(page, tree.body, 0, len(page.starts), ())))
    layout.listings.extend(_sessions(page))
    if not layout.listings and len(page.content) <= PROGRAM_CHARS_MAX:
        layout.listings.append(Listing(1, len(page.starts), page.content, "python"))
    return layout


def source(page: Page) -> Layout:
    """Find the paragraphs of a source in any language."""
    return _Source(page).read_all()


def table(page: Page) -> Layout:
    """Find the rows of a table; the first one, which names the columns, stands above all others."""
    layout = source(page)
    if not layout.blocks:
        return layout
    first = page.content[layout.blocks[0].start : layout.blocks[0].end].lstrip().splitlines()[0]
    header = " ".join(first.split())[:TITLE_CHARS_MAX]
    return Layout([replace(block, path=(header,)) for block in layout.blocks])


class _Source(LineReader):
    def read_all(self) -> Layout:
        return self.read(self._special)

    def _special(self, at: int) -> int:
        end = at
        while end < len(self.lines) and self.lines[end].strip():
            end += 1
        self.add_code(at, end - 1)
        return end - at


def _blocks(
    page: Page, body: Sequence[ast.stmt], first: int, end: int, path: tuple[str, ...]
) -> Iterator[Block]:
    """Tile the lines from ``first`` to before ``end`` (from 0) with the statements of a body."""
    starts = []
    for above, node in zip([first, *(each.lineno - 1 for each in body)], body, strict=False):
        starts.append(max(first, _first_line(page, node, above)))
    if not starts or starts[0] > first:
        yield _block(page, first, starts[0] if starts else end, path, is_heading=bool(path))
    for node, start, stop in zip(body, starts, [*starts[1:], end], strict=True):
        if start >= stop:
            continue
        if not isinstance(node, _Definition):
            yield _block(page, start, stop, path)
            continue
        inner = (*path, node.name[:TITLE_CHARS_MAX])
        is_large = page.ends[stop - 1] - page.starts[start] > CHARS_MAX
        if is_large and isinstance(node, ast.ClassDef):
            yield from _blocks(page, node.body, start, stop, inner)
        else:
            yield _block(page, start, stop, inner, is_heading=True)


def _block(
    page: Page, first: int, end: int, path: tuple[str, ...], *, is_heading: bool = False
) -> Block:
    start, stop = page.starts[first], page.ends[end - 1]
    return Block(start, stop, path, is_heading=is_heading, is_prose=False)


def _first_line(page: Page, node: ast.stmt, above: int) -> int:
    """Return the line, from 0, where a statement begins: its decorators and comments included.

    Its comments lie below the line ``above``, where the statement before it begins.
    """
    line = node.lineno
    if isinstance(node, _Definition) and node.decorator_list:
        line = min(line, node.decorator_list[0].lineno)
    line -= 1
    while line > above and page.line(line - 1).lstrip().startswith("#"):
        line -= 1
    return line


def _sessions(page: Page) -> Iterator[Listing]:
    """Find the interactive sessions in docstrings and comments."""
    reader = LineReader(page)
    end = 0
    for at, line in enumerate(reader.lines):
        if at < end or not PROMPT.match(line):
            continue
        end = at
        while end < len(reader.lines) and _goes_on(reader.lines[end]):
            end += 1
        reader.add_listing(at, end - 1, "pycon")
    yield from reader.layout.listings


def _goes_on(line: str) -> bool:
    return bool(line.strip()) and not line.strip().startswith(('"""', "'''"))
