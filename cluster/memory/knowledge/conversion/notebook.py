"""The text of a Jupyter notebook, as Markdown: its texts as they are, its code in fences.

Outputs are left out. Called in the child process.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from cluster.memory.knowledge.conversion.converted import Converted, Unconvertible
from cluster.memory.knowledge.omissions import Omission

_FENCE = re.compile(r"`{3,}")
_LANGUAGE = re.compile(r"[\w+#-]{1,30}")


def notebook(data: bytes) -> Converted:
    """Return the text of a notebook.

    Raises:
        Unconvertible: it is none.
    """
    try:
        read = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unconvertible(Omission.BROKEN) from error
    if not isinstance(read, dict) or not isinstance(read.get("nbformat"), int):
        raise Unconvertible(Omission.BROKEN)
    language = _language(read.get("metadata"))
    shown = (_shown(cell, language) for cell in _cells(read))
    return Converted("markdown", ("\n\n".join(text for text in shown if text.strip()) + "\n",))


def _cells(read: dict[str, object]) -> Iterator[dict[str, object]]:
    """Yield the cells; before format 4 they lay in worksheets."""
    holders = read.get("worksheets")
    for holder in holders if isinstance(holders, list) else [read]:
        cells = holder.get("cells") if isinstance(holder, dict) else None
        for cell in cells if isinstance(cells, list) else ():
            if isinstance(cell, dict):
                yield cell


def _shown(cell: dict[str, object], language: str) -> str:
    """Return a cell as Markdown."""
    text = _text(cell.get("source", cell.get("input"))).strip("\n")
    if cell.get("cell_type") == "heading" and isinstance(level := cell.get("level"), int):
        return f"{'#' * max(1, min(level, 6))} {text}"
    if cell.get("cell_type") != "code" or not text.strip():
        return text
    longest = max((len(ticks) for ticks in _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _text(source: object) -> str:
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def _language(metadata: object) -> str:
    """Return the language that the notebook says its code is in."""
    known = metadata if isinstance(metadata, dict) else {}
    for holder, key in (("language_info", "name"), ("kernelspec", "language")):
        said = known.get(holder)
        name = said.get(key) if isinstance(said, dict) else None
        if isinstance(name, str) and _LANGUAGE.fullmatch(name):
            return name.lower()
    return "python"
