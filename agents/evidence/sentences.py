"""Where sentences begin and end in prose, markup, source code, tables and logs.

Pure; gives offsets, so that what is found can be quoted verbatim. Blocks are found line by line,
the sentences of a block by sentencex, whose cuts after 'approx.' and within quotation marks are
taken back. Used on passages and questions; what models write is read by `agents.evidence.markdown`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import sentencex

_FENCE = re.compile(r"\s{0,8}(`{3,20}|~{3,20})")
_RULE = re.compile(r"\s*([-=*_~^\"'#+])\1{2,}\s*$|\s*\.\. (\S|$)|\s*:[\w ]{1,40}:(\s|$)")
_COMMENT = re.compile(r"^\s*(?:#+!?|//+!?|--|;+|\*+/?|/\*+)(?:\s+|$)")
_ITEM = re.compile(r"\s*(?:>\s?)*(?:[-*+•]|\d{1,3}[.)])\s+")
_QUOTED = re.compile(r"\s*(?:>\s?)*")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(?=\S)")
_CODE_KEYWORD = re.compile(
    r"\s*(?:(?:async )?def |class \w+[(:]|import [\w.]+(?: as \w+|(?:, ?[\w.]+)+)?\s*$"
    r"|from [\w.]+ import |@\w|#include|>>>|\.\.\. |\$ |print\(|assert |elif |else:|try:|finally:"
    r"|(?:return|raise|yield|await)\b(?! (?:to|the|an?|from|of|in|its?|this|that|all|when|if)\b)"
    r"|except\b(?! (?:for|the|in|that|when|if)\b)|(?:public|private|static|const|let|var|fn|func"
    r"|function|struct|enum|impl|using)\s+\w[^.]*[=({;]"
    r"|[rbuf]{0,2}(?P<q>['\"])(?!(?P=q)).*(?P=q)[,)]*\s*$)"
)
_CONTROL = re.compile(r"\s*(?:if|for|while|with|async (?:with|for))\b.*:\s*(?:#.*)?$")
_TEST_OR_CALL = re.compile(
    r"\s*(?:(?:if|while|elif) (?:not )?(?!so:|any:|not:)[a-z_]\w*:|[a-z_][\w.]*\([^()]*\);?)\s*$"
)
_VALUE = re.compile(r"\b(?:None|True|False|self|in range|as \w+:)|[\w\])]\s*[<>!]=?\s*[\w(]")
_CODE_MARKS = re.compile(r"(?<![=!<>])=(?!=)|==|[{}\[\]();]|[^\W\d]\.\w|->|::|_\w")
_CODE_END = re.compile(r"[{};(\[]\s*$|\)\s*:?\s*$|^\s*[)\]}]")
_WORDS = re.compile(r"[぀-ヿ㐀-鿿]{2}|(?:(?![぀-ヿ㐀-鿿])[^\W\d_]){2,}")
_RECORD = re.compile(
    r"\s*\[?(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d{1,2}/[A-Z][a-z]{2}/\d{4}:"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d|(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL)\b[\]: ])"
    r"|(?!.*(?:[.!?]\s|\d,\d{3}\b))[^,;\t(){}]+(?P<by>[,;\t])(?=\S)[^,;\t(){}]+"
    r"(?:(?P=by)[^,;\t(){}]*)+$"
)
"""A line of a log, by its time or level, or of a table whose cells are parted by one mark."""
_TAGGED = re.compile(r"\s*</?[^\W\d][\w:.-]{0,80}(?:\s|/?>)")
"""A line of XML that begins with an element or its end."""
_DOCSTRING = re.compile(r"\s*[rRbBuUfF]{0,2}(\"{3}|'{3})")
_UNSPLIT = re.compile(
    r"(?:\b(?:approx|resp|incl|excl|ca|vs|cf|No|Nr|Fig|bzw|z\. ?B|d\. ?h)\.|[\"“(])\s*$"
)
_FULL_STOP = re.compile(r"(?<=[。！？])(?=[^。！？」』”’）\s\[])|(?<=\d\.\d\.)(?=\s+[A-Z])")  # noqa: RUF001
_CITED_NEXT = re.compile(r"\s*(?:\[[1-9]\d{0,2}(?:\s*,\s*\d{1,3})*\])+(?!\()\s*")
_STOP = re.compile(rf"(?:[。！？](?![」』”’）)])(?:{_CITED_NEXT.pattern})?|\]\.(?=\s))\s*")  # noqa: RUF001
"""Ends a sentence whatever follows: sentencex reads on where a number does."""
_THAI = "[\u0e01-\u0e4e]"
_THAI_BLANK = re.compile(rf"(?<={_THAI})[ \t]+(?={_THAI})")
"""Parts clauses and sentences alike: Thai has no full stops."""
_THAI_CITED = re.compile(rf"(?<=\])[ \t]*(?={_THAI})")
_UNSPLIT_LENGTH = 24
_PART_LENGTH = 4_000
"""What sentencex gets at once: its time grows with the square of it."""
_WIDTH_MIN = 60
_SHORT_SHARE = 0.7
_WORDS_OF_PROSE = 4


class Place(Enum):
    """What a sentence is part of."""

    PARAGRAPH = "paragraph"
    ITEM = "item"
    HEADING = "heading"
    ROW = "row"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Span:
    """A sentence's place in its text."""

    start: int
    end: int
    place: Place = Place.PARAGRAPH


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str
    place: Place | None
    """None for a line that says nothing: blank, a rule, a directive."""
    opens: bool
    """Whether a block begins here whatever stands before."""


def sentences(text: str, language: str) -> list[Span]:
    """Return the sentences of a text in their order, without list markers and outer blanks."""
    return [span for block in _blocks(text) for span in _in_block(text, block, language)]


def split(text: str, language: str) -> Iterator[tuple[int, int]]:
    """Yield where the sentences of a paragraph begin and end, with the citations behind them."""
    stop_of = _THAI_CITED if language == "th" else _STOP
    for start, end in _segments(text, language):
        stops = (stop.end() for stop in stop_of.finditer(text, start, end))
        inner = [at for at in stops if text[at:end].strip()]
        yield from pairwise((start, *inner, end))


def _segments(text: str, language: str) -> Iterator[tuple[int, int]]:
    start = 0
    for at in _ends(text, language):
        cited = _CITED_NEXT.match(text, at)
        end = cited.end() if cited else at
        if end <= start or _is_within(text, start, at):
            continue
        yield start, end
        start = end
    if text[start:].strip():
        yield start, len(text)


def _is_within(text: str, start: int, at: int) -> bool:
    """Say whether a cut is none: behind an abbreviation, in a dotted name or in a code span."""
    is_dotted = text[at - 1] == "." and text[at : at + 1].isalnum()
    is_span = text.count("`", start, at) % 2 == 1
    return is_dotted or is_span or bool(_UNSPLIT.search(text, max(start, at - _UNSPLIT_LENGTH), at))


def _ends(text: str, language: str) -> Iterator[int]:
    """Yield where sentences seem to end, at every full stop of Chinese and Japanese too."""
    at = 0
    for first in range(0, len(text), _PART_LENGTH):
        wholes = sentencex.segment(language, text[first : first + _PART_LENGTH])
        for piece in (piece for whole in wholes for piece in _FULL_STOP.split(whole)):
            at += len(piece)
            if at % _PART_LENGTH or at == len(text):
                yield at


def is_code(line: str) -> bool:
    """Say whether a line reads like source code and not like prose."""
    if _is_statement(line):
        return True
    line = line.split("  # ", 1)[0]
    found = len(_WORDS.findall(line))
    marks = len(_CODE_MARKS.findall(re.sub(r"`[^`]*`|\[\d+\]|\([^()]*\)", "", line)))
    if _CODE_END.search(line) and marks and found < _WORDS_OF_PROSE * 3:
        return not re.match(r"\s*[A-Z][a-z]+ [a-z]+ ", line) or bool(re.search(r"[{};]\s*$", line))
    return marks * 3 > found and (marks > 1 or found < _WORDS_OF_PROSE)


def _is_statement(line: str) -> bool:
    if _TEST_OR_CALL.match(line):
        return True
    if _CONTROL.match(line):
        return bool(_VALUE.search(line) or _CODE_MARKS.search(line))
    return bool(_CODE_KEYWORD.match(line))


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    fence = ""
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\r\n")
        match = _FENCE.match(bare)
        if match:
            fence = "" if fence and match.group(1).startswith(fence) else fence or match.group(1)
            place: Place | None = None
        elif fence:
            place = Place.CODE if bare.strip() else None
        else:
            place = _place(bare)
        is_own = place in (Place.CODE, Place.HEADING, Place.ROW, Place.ITEM)
        opens = place is None or is_own or _TAGGED.match(bare) is not None
        yield _Line(start, start + len(bare), bare, place, opens)
        start += len(line)


def _place(line: str) -> Place | None:
    said = _COMMENT.sub("", line, count=1)
    if not said.strip(" \"'") or _RULE.match(line):
        return None
    if _HEADING.match(line) and line.lstrip().startswith(("#", "##")) and not _is_remark(line):
        return Place.HEADING
    if line.lstrip().startswith("|") or _RECORD.match(line):
        return Place.ROW
    if _DOCSTRING.match(line):
        return Place.PARAGRAPH
    is_comment = len(said) < len(line.lstrip()) and not _ITEM.match(line)
    if _is_statement(said) if is_comment else is_code(said):
        return Place.CODE
    return Place.ITEM if _ITEM.match(line) else Place.PARAGRAPH


def _is_remark(line: str) -> bool:
    """Say whether what begins with one # is a comment of source code and no title."""
    body = line.lstrip()
    return body.startswith("# ") and (
        body.rstrip().endswith((".", ",", ";")) or len(body) > _WIDTH_MIN
    )


def _blocks(text: str) -> Iterator[list[_Line]]:
    """Yield runs of lines that may share a sentence."""
    lines = list(_lines(text))
    wrapped_at = _SHORT_SHARE * max([_WIDTH_MIN, *(len(line.text) for line in lines)])
    block: list[_Line] = []
    for line in lines:
        if block and (
            line.opens
            or block[-1].place in (Place.CODE, Place.HEADING, Place.ROW)
            or _is_whole(block[-1], line, wrapped_at)
        ):
            yield block
            block = []
        if line.place is not None:
            block.append(line)
    if block:
        yield block


def _is_whole(last: _Line, line: _Line, wrapped_at: float) -> bool:
    """Say whether a line was not wrapped: it is short, and the next begins like a new one."""
    first = _COMMENT.sub("", line.text, count=1).lstrip()[:1]
    if not (first.isupper() or first == "`"):
        return False
    if last.text.rstrip().endswith((",", ";", "-", "(", "/")):
        return False
    return len(last.text.rstrip()) < wrapped_at


def _in_block(text: str, block: list[_Line], language: str) -> Iterator[Span]:
    first = block[0]
    place = first.place or Place.PARAGRAPH
    at = first.start + _lead(first)
    whole = text[at : block[-1].end].rstrip()
    whole = whole[:-3] if whole.endswith(('"""', "'''")) else whole
    pieces = [(0, len(whole))] if place in (Place.CODE, Place.ROW) else split(whole, language)
    if language == "th":
        pieces = _clauses(whole, pieces)
    for start, end in pieces:
        piece = whole[start:end]
        left = at + start + len(piece) - len(piece.lstrip(" \t\r\n\"'#"))
        right = at + start + len(piece.rstrip(" \t\r\n"))
        if any(character.isalnum() for character in text[left:right]):
            yield Span(left, right, place)


def _clauses(text: str, pieces: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for start, end in pieces:
        blanks = (blank.end() for blank in _THAI_BLANK.finditer(text, start, end))
        yield from pairwise((start, *blanks, end))


def _lead(line: _Line) -> int:
    for marker in (_HEADING, _ITEM, _DOCSTRING, _COMMENT, _QUOTED):
        match = marker.match(line.text)
        if match:
            return match.end()
    return 0
