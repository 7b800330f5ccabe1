"""A model's Markdown, judged sentence by sentence and put together again from what may be shown.

Pure. Blocks are found by markdown-it, sentences by `agents.evidence.sentences`. What a judge goes
by is the caller's: `agents.researcher` judges by passages, `agents.answers.composition` by the
results of a plan.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import Protocol

from markdown_it import MarkdownIt
from markdown_it.token import Token

from agents.evidence.alignment import Reason
from agents.evidence.languages import language_of
from agents.evidence.sentences import split
from agents.evidence.words import cited_numbers, without_citations, words
from cluster.kernel.vocabulary import UNVERIFIED_MARK, Citation, Claim, Support

TEXT_LENGTH_MAX = 40_000
"""Of a model's text what is looked at: no answer is longer."""
_MARKER = re.compile(r"[ \t]*(?:>[ \t]?)*(?:[-*+•][ \t]+|\d{1,9}[.)][ \t]+)?(?:\[[ xX]\][ \t]+)?")
_CELL = re.compile(r"(?<!\\)\|")
_STOPS = re.compile(r"(?:[.!?:。！？：]+[*_]*)?$")  # noqa: RUF001
_LEAD_IN_END = (":", "：")  # noqa: RUF001
_BARE_MARK = re.compile(rf"\s*{re.escape(UNVERIFIED_MARK)}")


class BlockKind(Enum):
    """What a block of Markdown is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    ITEM = "item"
    ROW = "row"
    CODE = "code"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class MarkdownBlock:
    """A block as it was written: its marker, and what stands behind it."""

    kind: BlockKind
    marker: str
    body: str
    language: str = ""
    is_head: bool = False
    """Of a row: whether it is its table's head."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a judge says of a sentence."""

    support: Support | None
    """None where it needs no backing; see ``is_shown``."""
    citations: tuple[int, ...] = ()
    """Numbers, from 1, to put behind it."""
    programs: tuple[int, ...] = ()
    reason: Reason | None = None
    is_shown: bool = True
    is_marked: bool = True
    """Whether an unverified sentence gets its mark."""


class Editor(Protocol):
    """Decides what of a text is shown, and as what."""

    def sentence(self, text: str, cited: Sequence[int]) -> Ruling:
        """Rule on a sentence, item or row; ``cited`` are the numbers that stand in it."""
        ...

    def lead_in(self, text: str) -> Ruling:
        """Rule on a heading, or on a sentence that ends in a colon."""
        ...

    def code(self, body: str) -> Ruling:
        """Rule on a code block."""
        ...


@dataclass(frozen=True, slots=True)
class Dropped:
    """A sentence that is not shown, and what a source says otherwise, where one does."""

    text: str
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Judged:
    """What is shown of a text, and what isn't."""

    text: str
    claims: tuple[Claim, ...] = ()
    dropped: tuple[Dropped, ...] = ()


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


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").disable("inline")


def blocks(markdown: str) -> list[MarkdownBlock]:
    """Return the blocks of a text in their order."""
    text = markdown[:TEXT_LENGTH_MAX].replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    tokens = _parser().parse(text)
    found: list[MarkdownBlock] = []
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.map is None:
            continue
        raw = lines[token.map[0] : token.map[1]]
        found += _made(token, before, raw)
    return found


def _made(token: Token, before: Token | None, raw: list[str]) -> Iterator[MarkdownBlock]:
    if token.type in ("fence", "code_block"):
        yield MarkdownBlock(BlockKind.CODE, "", token.content, token.info.split(" ")[0].lower())
    elif token.type == "tr_open":
        yield MarkdownBlock(BlockKind.ROW, "", raw[0].strip())
    elif token.type == "hr":
        yield MarkdownBlock(BlockKind.RULE, "", "---")
    elif token.type == "html_block":
        yield MarkdownBlock(BlockKind.PARAGRAPH, "", "\n".join(raw).strip())
    elif token.type == "inline" and before is not None and before.type == "heading_open":
        yield MarkdownBlock(BlockKind.HEADING, f"{'#' * int(before.tag[1:])} ", token.content)
    elif token.type == "inline" and before is not None and before.type == "paragraph_open":
        match = _MARKER.match(raw[0])
        marker = match.group() if match else ""
        kind = BlockKind.ITEM if before.level else BlockKind.PARAGRAPH
        yield MarkdownBlock(kind, marker, token.content)


def judged(markdown: str, judge: Editor) -> Judged:
    """Return what of a text may be shown, its structure kept; nothing is said twice."""
    language = language_of(markdown)
    seen: set[tuple[str, ...]] = set()
    pieces = [_piece(block, judge, language, seen) for block in _with_heads(blocks(markdown))]
    shown = _framed(pieces)
    return Judged(
        _joined(shown),
        tuple(claim for piece in shown for claim in piece.claims),
        tuple(each for piece in pieces for each in piece.dropped),
    )


def with_citations(sentence: str, numbers: Sequence[int], mark: str = "") -> str:
    """Return a sentence without its old citations and with new ones, before its full stop."""
    text = _BARE_MARK.sub("", " ".join(without_citations(sentence).split()))
    marks = "".join(f"[{number}]" for number in numbers) or mark
    if not marks:
        return text
    at = _STOPS.search(text).start()  # type: ignore[union-attr]  # the end of a text matches
    return f"{text[:at]} {marks}{text[at:]}"


def fenced(body: str, language: str) -> str:
    """Return a code block whose fence is longer than any in its body."""
    longest = max((len(run) for run in re.findall(r"`{3,}", body)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{body.rstrip()}\n{fence}"


def without_code(markdown: str) -> str:
    """Return a text without its code blocks."""
    return _joined(
        [_whole(b) for b in _with_heads(blocks(markdown)) if b.kind is not BlockKind.CODE]
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """A block as it will stand."""

    block: MarkdownBlock
    text: str
    is_frame: bool = False
    """Whether it only introduces what follows."""
    ending: str = ""
    """Its last sentence, where that introduces what follows."""
    claims: tuple[Claim, ...] = ()
    dropped: tuple[Dropped, ...] = ()


def _whole(block: MarkdownBlock) -> _Piece:
    return _Piece(block, f"{block.marker}{block.body}")


def _with_heads(found: Sequence[MarkdownBlock]) -> list[MarkdownBlock]:
    """Return the blocks with the first row of each table marked as its head."""
    return [
        replace(
            block,
            is_head=block.kind is BlockKind.ROW
            and (not at or found[at - 1].kind is not BlockKind.ROW),
        )
        for at, block in enumerate(found)
    ]


def _piece(
    block: MarkdownBlock, judge: Editor, language: str, seen: set[tuple[str, ...]]
) -> _Piece:
    if block.kind is BlockKind.RULE or block.is_head:
        return _Piece(block, block.body, is_frame=True)
    if block.kind is BlockKind.HEADING:
        ruling = judge.lead_in(block.body)
        text = f"{block.marker}{with_citations(block.body, ())}" if ruling.is_shown else ""
        return _Piece(block, text, is_frame=True)
    if block.kind is BlockKind.CODE:
        return _code(block, judge.code(block.body))
    if block.kind is BlockKind.ROW:
        sentences = [block.body]
    else:
        sentences = [block.body[a:b].strip() for a, b in split(block.body, language)]
    return _prose(block, [each for each in sentences if _says(each)], judge, seen)


def _says(sentence: str) -> bool:
    """Say whether more than citations and marks is in it."""
    return any(character.isalnum() for character in without_citations(sentence))


def _code(block: MarkdownBlock, ruling: Ruling) -> _Piece:
    if not ruling.is_shown:
        return _Piece(block, "")
    text = fenced(block.body, block.language)
    if ruling.support is None:
        return _Piece(block, text)
    is_marked = ruling.support is Support.UNVERIFIED and ruling.is_marked
    marks = UNVERIFIED_MARK if is_marked else "".join(f"[{number}]" for number in ruling.citations)
    text = f"{text}\n\n{marks}" if marks else text
    return _Piece(block, text, claims=(_claim(block.body.strip(), ruling),))


def _prose(
    block: MarkdownBlock, sentences: Sequence[str], judge: Editor, seen: set[tuple[str, ...]]
) -> _Piece:
    shown: list[str] = []
    claims: list[Claim] = []
    dropped: list[Dropped] = []
    is_frame = is_ending_free = False
    for sentence in sentences:
        bare = sentence.rstrip("*_ ")
        is_frame = bare.endswith(_LEAD_IN_END)
        cited = cited_numbers(sentence)
        ruling = judge.lead_in(sentence) if is_frame else judge.sentence(sentence, cited)
        is_ending_free = is_frame and ruling.is_shown and ruling.support is None
        key = tuple(word.key for word in words(sentence, language_of(sentence)))
        if not ruling.is_shown:
            dropped.append(Dropped(_bare(sentence), ruling.reason))
        elif not key or key not in seen:
            seen.update({key} if key else ())
            shown.append(_shown(block, sentence, ruling))
            if ruling.support is not None:
                claims.append(_claim(_bare(sentence), ruling))
    is_only_frame = is_frame and len(shown) == 1 and not claims
    ending = shown.pop() if is_frame and is_ending_free and len(shown) > 1 else ""
    text = block.marker + " ".join(shown) if shown else ""
    return _Piece(block, text, is_only_frame, ending, tuple(claims), tuple(dropped))


def _shown(block: MarkdownBlock, sentence: str, ruling: Ruling) -> str:
    is_marked = ruling.support is Support.UNVERIFIED and ruling.is_marked
    mark = UNVERIFIED_MARK if is_marked else ""
    if block.kind is not BlockKind.ROW:
        return with_citations(sentence, ruling.citations, mark)
    row = without_citations(sentence).strip()
    cells = row.strip("|")
    marks = "".join(f"[{number}]" for number in ruling.citations) or mark
    return f"|{cells.rstrip()} {marks} |" if marks else row


def _bare(sentence: str) -> str:
    cells = " ".join(_CELL.sub(" ", sentence).split()) if sentence.startswith("|") else sentence
    return with_citations(cells, ())


def _claim(text: str, ruling: Ruling) -> Claim:
    support = ruling.support or Support.UNVERIFIED
    return Claim(text, support, tuple(n - 1 for n in ruling.citations), ruling.programs)


def _framed(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Return the pieces without headings and lead-ins that nothing follows any more.

    A heading stands for all that is under it, a lead-in for the very next block.
    """
    kept: list[_Piece] = []
    is_next_kept = is_followed = False
    for piece in reversed(pieces):
        is_heading = piece.block.kind is BlockKind.HEADING
        if piece.ending and is_next_kept:
            piece = replace(piece, text=f"{piece.text} {piece.ending}", ending="")  # noqa: PLW2901
        needed = is_followed if is_heading or piece.block.kind is BlockKind.ROW else is_next_kept
        is_next_kept = bool(piece.text) and (needed or not piece.is_frame)
        if is_next_kept:
            kept.append(piece)
        # What stood under a heading that is gone must not stand under the one before it.
        is_followed = is_next_kept or (is_followed and not is_heading)
    return kept[::-1]


_RUNS = (BlockKind.ITEM, BlockKind.ROW)


def _joined(pieces: Sequence[_Piece]) -> str:
    text = ""
    last: _Piece | None = None
    for piece in pieces:
        if last is not None:
            is_run = piece.block.kind is last.block.kind and piece.block.kind in _RUNS
            text += "\n" if is_run and not piece.block.is_head else "\n\n"
        text += piece.text
        if piece.block.is_head:
            text += "\n|" + " --- |" * max(1, len(_CELL.findall(piece.text.strip().strip("|"))) + 1)
        last = piece
    return text
