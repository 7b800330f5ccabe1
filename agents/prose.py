"""Rebuilds a model's Markdown from the sentences that a judge lets pass, with its citations.

Pure. What a judge goes by is the caller's: `agents.researcher` judges by passages,
`agents.composition` by the results of a plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from agents.claims import cited_numbers, without_citations
from agents.sentences import Place, Span, sentences
from cluster.kernel.tasks import Citation

TEXT_LENGTH_MAX = 20_000
"""Of a model's text what is looked at: no answer is longer."""
_FENCE = re.compile(
    r"^[ \t]{0,8}(?P<fence>`{3,20}|~{3,20})[ \t]*(?P<language>[\w+-]*)[^\n]*\n"
    r"(?P<body>.*?)(?:^[ \t]{0,8}(?P=fence)[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
_TERMINAL = ".!?:"


class Judge(Protocol):
    """Decides what of a text passes."""

    def sentence(self, text: str, cited: Sequence[int]) -> Sequence[int] | None:
        """Return the numbers to cite behind a sentence, perhaps none; None drops it.

        ``cited`` are the numbers that the model has put there.
        """
        ...

    def frame(self, text: str) -> bool:
        """Say whether a heading, or a sentence that ends in a colon, claims nothing wrong."""
        ...

    def code(self, body: str) -> bool:
        """Say whether a code block may stay."""
        ...


@dataclass(frozen=True, slots=True)
class Judged:
    """What passed, as Markdown, and how many sentences and code blocks did and did not."""

    text: str
    kept: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block; ``is_closed`` is false where its end is missing."""

    language: str
    body: str
    is_closed: bool = True


class CitationList:
    """Numbers citations from 1 in the order in which they are first used."""

    def __init__(self) -> None:
        self._numbers: dict[Citation, int] = {}

    def number(self, citation: Citation) -> int:
        """Return the number of a citation, always the same."""
        return self._numbers.setdefault(citation, len(self._numbers) + 1)

    def all(self) -> tuple[Citation, ...]:
        """Return the citations in the order of their numbers."""
        return tuple(self._numbers)


def judged(markdown: str, judge: Judge) -> Judged:
    """Return what of a text passes the judge, its structure kept."""
    pieces = list(_pieces(markdown[:TEXT_LENGTH_MAX], judge))
    return Judged(
        _joined(_framed(pieces)),
        sum(piece.kept for piece in pieces),
        sum(piece.dropped for piece in pieces),
    )


def code_blocks(markdown: str) -> list[CodeBlock]:
    """Return the fenced code blocks of a text."""
    return [
        CodeBlock(
            match["language"].lower(),
            match["body"],
            match.group().rstrip().endswith(match["fence"]),
        )
        for match in _FENCE.finditer(markdown[:TEXT_LENGTH_MAX])
    ]


def without_code(markdown: str) -> str:
    """Return a text without its fenced code blocks."""
    return re.sub(r"\n{3,}", "\n\n", _FENCE.sub("", markdown)).strip()


def with_citations(sentence: str, numbers: Sequence[int]) -> str:
    """Return a sentence without its old citations and with new ones, before its full stop."""
    text = " ".join(without_citations(sentence).split())
    marks = "".join(f"[{number}]" for number in numbers)
    if not marks:
        return text
    body = text.rstrip(_TERMINAL)
    return f"{body} {marks}{text[len(body) :]}"


def fenced(body: str, language: str) -> str:
    """Return a code block whose fence is longer than any in its body."""
    longest = max((len(run) for run in re.findall(r"`{3,}", body)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{body.rstrip()}\n{fence}"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A block of the text as it will stand."""

    text: str
    place: Place | None
    """None for code."""
    is_frame: bool = False
    kept: int = 0
    dropped: int = 0


def _pieces(markdown: str, judge: Judge) -> Iterator[_Piece]:
    at = 0
    for match in _FENCE.finditer(markdown):
        yield from _blocks(markdown[at : match.start()], judge)
        is_kept = judge.code(match["body"])
        text = fenced(match["body"], match["language"]) if is_kept else ""
        yield _Piece(text, None, kept=int(is_kept), dropped=int(not is_kept))
        at = match.end()
    yield from _blocks(markdown[at:], judge)


def _blocks(text: str, judge: Judge) -> Iterator[_Piece]:
    for _, spans in groupby(sentences(text), key=lambda span: span.block):
        yield _block(text, list(spans), judge)


def _block(text: str, spans: Sequence[Span], judge: Judge) -> _Piece:
    first = spans[0]
    marker = text[first.block : first.start]
    kept: list[str] = []
    is_frame = False
    for span in spans:
        sentence = text[span.start : span.end]
        is_frame = first.place is Place.HEADING or sentence.rstrip("*_ ").endswith(":")
        numbers = (
            None if first.place is Place.ROW else judge.sentence(sentence, cited_numbers(sentence))
        )
        if numbers is None and is_frame and judge.frame(sentence):
            numbers = ()
        elif numbers is not None and first.place is not Place.HEADING:
            is_frame = False
        if numbers is not None:
            kept.append(with_citations(sentence, numbers))
    is_whole_frame = is_frame and len(spans) == len(kept) == 1
    return _Piece(
        marker.lstrip("\n") + " ".join(kept) if kept else "",
        first.place,
        is_frame=is_whole_frame,
        kept=0 if is_whole_frame else len(kept),
        dropped=0 if first.place is Place.HEADING else len(spans) - len(kept),
    )


def _framed(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Return the pieces without headings and lead-ins that nothing follows any more."""
    kept: list[_Piece] = []
    is_followed = False
    for piece in reversed(pieces):
        is_kept = bool(piece.text) and (is_followed or not piece.is_frame)
        if is_kept:
            kept.append(piece)
        # What stood under a heading that is gone must not stand under the one before it.
        is_followed = is_kept or (is_followed and piece.place is not Place.HEADING)
    return kept[::-1]


def _joined(pieces: Sequence[_Piece]) -> str:
    text = ""
    last: _Piece | None = None
    for piece in pieces:
        if last is not None:
            is_list = piece.place is last.place is Place.ITEM
            text += "\n" if is_list else "\n\n"
        text += piece.text
        last = piece
    return text
