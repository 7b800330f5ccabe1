"""The citations of an answer as the annotations of OpenAI's two APIs. Pure.

An answer's text has ``[n]`` where its n-th citation backs it; annotations say where those marks
are, in characters, and what they mean. The quotes themselves stand in the object ``fleetmind``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from urllib.parse import quote

from cluster.kernel.tasks.report import JsonObject
from cluster.kernel.vocabulary import Citation

_MARK = re.compile(r"\[([0-9]{1,4})\](?!\()")
_HAS_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class _Mark(NamedTuple):
    start: int
    end: int
    citation: Citation


def _marks(text: str, citations: Sequence[Citation]) -> Iterator[_Mark]:
    """Yield each mark of a citation; one that has none is said to back the end of the text."""
    marked = set()
    for found in _MARK.finditer(text):
        number = int(found[1])
        if 1 <= number <= len(citations):
            marked.add(number)
            yield _Mark(found.start(), found.end(), citations[number - 1])
    for number, citation in enumerate(citations, 1):
        if number not in marked:
            yield _Mark(len(text), len(text), citation)


def url_citations(text: str, citations: Sequence[Citation]) -> list[JsonObject]:
    """Return the annotations of a chat completion's message."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": mark.start,
                "end_index": mark.end,
                "title": _title(mark.citation),
                "url": _url(mark.citation),
            },
        }
        for mark in _marks(text, citations)
    ]


def file_citations(text: str, citations: Sequence[Citation]) -> list[JsonObject]:
    """Return the annotations of a response's text."""
    return [
        {
            "type": "file_citation",
            "file_id": mark.citation.source,
            "filename": mark.citation.source,
            "index": mark.start,
        }
        for mark in _marks(text, citations)
    ]


def _title(citation: Citation) -> str:
    page = f", page {citation.page}" if citation.page else ""
    lines = f"{citation.start_line}-{citation.end_line}"
    return f"{citation.source}{page}, lines {lines}"


def _url(citation: Citation) -> str:
    """Return the source, which is a path or a URL, with its place in it."""
    source = citation.source
    if not _HAS_SCHEME.match(source):
        source = quote(source)
    place = f"page={citation.page}" if citation.page else f"L{citation.start_line}"
    end = "" if citation.page else f"-L{citation.end_line}"
    return f"{source}#{place}{end}"
