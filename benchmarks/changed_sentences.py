"""Sentences of real texts and changes made to them, each of which makes the sentence wrong.

The corpora of docs/adr/0007, made anew from the same rules: XQuAD's passages, and for identifiers
the docstrings of Python's own library. Used by `benchmarks.bench_evidence`.
"""

from __future__ import annotations

import ast
import random
import re
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

WORDS_MIN = 6
_NUMBER = re.compile(r"(?<![\w.,\[])\d+(?:,\d{3})*(?![\w]|[.,]\d)")
"""A number behind a bracket is none: it reads as a citation."""
_NEGATION = re.compile(r"\b(?:not|never|no longer) |n't\b|\bcannot\b")
_VERB = re.compile(r"\b(is|are|was|were|has|had|can|could|will|may|must|should)\b")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})*")
_WORD = re.compile(r"(?<=[a-z,] )[a-z]{5,}(?=[ ,.])")
_IDENTIFIER = re.compile(
    r"\b[a-z]+(?:_[a-z]+)+\b|\b[A-Z][a-z]+[A-Z]\w+\b|\b[A-Z]\w+(?:Error|Exception)\b"
)
_OF_THE_TEXT = 0.7
"""How often an identifier is replaced by another of the text and not by one made up."""
_UNITS = (
    "seconds minutes hours days weeks months years decades centuries",
    "metres kilometres miles feet inches",
    "meters kilometers",
    "thousand million billion trillion",
    "bytes kilobytes megabytes gigabytes",
    "percent degrees",
    "dollars euros pounds",
    "hectares acres",
    "tons kilograms pounds",
)
_UNIT_GROUPS = {unit: group.split() for group in _UNITS for unit in group.split()}
_UNIT = re.compile(rf"(?<=\d )(?:{'|'.join(_UNIT_GROUPS)})\b")
_TENSES = {"is": "was", "was": "is", "are": "were", "were": "are", "has": "had", "had": "has"}
_TENSE = re.compile(rf"\b(?:{'|'.join(_TENSES)})\b")
_OTHER_SHARE = 0.7
_MODULES_MAX = 60
_DOCSTRINGS_MAX = 400


@dataclass(frozen=True, slots=True)
class Changed:
    """A sentence that says something else than its passage."""

    kind: str
    sentence: str
    passage: str


Change = Callable[[str, str, random.Random], str | None]


def from_texts(texts: list[str], kinds: dict[str, Change], seed: int = 7) -> Iterator[Changed]:
    """Yield the changes of each kind to each sentence that has something to be changed."""
    rng = random.Random(seed)
    for text in texts:
        for sentence in plain_sentences(text):
            for kind, change in kinds.items():
                changed = change(sentence, text, rng)
                if changed is not None and changed != sentence and changed not in text:
                    yield Changed(kind, changed, text)


def plain_sentences(text: str) -> list[str]:
    """Return the sentences of a text by the plainest of rules, independent of the judge's own."""
    paragraphs = [" ".join(each.split()) for each in re.split(r"\n\s*\n", text)]
    pieces = [
        piece
        for paragraph in paragraphs
        if ">>>" not in paragraph and "::" not in paragraph
        for piece in re.split(r"(?<=[a-z0-9)][.!])\s+(?=[A-Z])", paragraph)
    ]
    return [piece for piece in pieces if len(piece.split()) >= WORDS_MIN and piece.endswith(".")]


def _pick(pattern: re.Pattern[str], text: str, rng: random.Random) -> re.Match[str] | None:
    found = list(pattern.finditer(text))
    return rng.choice(found) if found else None


def _replaced(text: str, match: re.Match[str], by: str) -> str:
    return f"{text[: match.start()]}{by}{text[match.end() :]}"


def another_number(sentence: str, _: str, rng: random.Random) -> str | None:
    """Return the sentence with one number changed."""
    match = _pick(_NUMBER, sentence, rng)
    if match is None:
        return None
    value = int(match.group().replace(",", ""))
    return _replaced(sentence, match, str(max(2, value + rng.choice((-3, -1, 1, 2, 5, 10)))))


def another_unit(sentence: str, _: str, rng: random.Random) -> str | None:
    """Return the sentence with the unit behind a number changed."""
    match = _pick(_UNIT, sentence, rng)
    if match is None:
        return None
    return _replaced(
        sentence, match, rng.choice([u for u in _UNIT_GROUPS[match.group()] if u != match.group()])
    )


def another_identifier(sentence: str, text: str, rng: random.Random) -> str | None:
    """Return the sentence with an identifier replaced by another of the text, or a near one."""
    match = _pick(_IDENTIFIER, sentence, rng)
    if match is None:
        return None
    others = sorted({m.group() for m in _IDENTIFIER.finditer(text)} - {match.group()})
    near = match.group().replace("_", "_all_", 1) if "_" in match.group() else "TypeError"
    other = rng.choice(others) if others and rng.random() < _OF_THE_TEXT else near
    if "_" not in other and other.removesuffix("s") == match.group().removesuffix("s"):
        return None  # 'TypeVarTuples' are several of one class, and say the same.
    return _replaced(sentence, match, other)


def negation_in(sentence: str, _: str, rng: random.Random) -> str | None:
    """Return the sentence with a 'not' behind a verb."""
    match = _pick(_VERB, sentence, rng)
    if match is None or _NEGATION.search(sentence):
        return None
    return _replaced(sentence, match, f"{match.group()} not")


def negation_out(sentence: str, _: str, rng: random.Random) -> str | None:
    """Return the sentence without its negation."""
    match = _pick(_NEGATION, sentence, rng)
    if match is None:
        return None
    return _replaced(sentence, match, "can" if match.group() == "cannot" else "")


def another_name(sentence: str, text: str, rng: random.Random) -> str | None:
    """Return the sentence with a name replaced by another of the text."""
    match = _pick(_NAME, sentence, rng)
    others = sorted({m.group() for m in _NAME.finditer(text)} - set(_NAME.findall(sentence)))
    return _replaced(sentence, match, rng.choice(others)) if match and others else None


def another_word(sentence: str, text: str, rng: random.Random) -> str | None:
    """Return the sentence with a word replaced by another of the text."""
    match = _pick(_WORD, sentence, rng)
    others = sorted({m.group() for m in _WORD.finditer(text)} - set(_WORD.findall(sentence)))
    return _replaced(sentence, match, rng.choice(others)) if match and others else None


def _exchanged(pattern: re.Pattern[str], sentence: str, rng: random.Random) -> str | None:
    found = list(pattern.finditer(sentence))
    if len({match.group() for match in found}) < 2:  # noqa: PLR2004
        return None
    first, second = sorted(rng.sample(found, 2), key=lambda match: match.start())
    if first.group() == second.group():
        return None
    return (
        f"{sentence[: first.start()]}{second.group()}{sentence[first.end() : second.start()]}"
        f"{first.group()}{sentence[second.end() :]}"
    )


def names_swapped(sentence: str, _: str, rng: random.Random) -> str | None:
    """Return the sentence with two of its names in each other's place."""
    return _exchanged(_NAME, sentence, rng)


def words_swapped(sentence: str, _: str, rng: random.Random) -> str | None:
    """Return the sentence with two of its words in each other's place."""
    return _exchanged(_WORD, sentence, rng)


def another_tense(sentence: str, _: str, rng: random.Random) -> str | None:
    """Return the sentence in another tense."""
    match = _pick(_TENSE, sentence, rng)
    return _replaced(sentence, match, _TENSES[match.group()]) if match else None


PROSE_KINDS: dict[str, Change] = {
    "number": another_number,
    "unit": another_unit,
    "negation in": negation_in,
    "negation out": negation_out,
    "name": another_name,
    "word": another_word,
    "names swapped": names_swapped,
    "words swapped": words_swapped,
    "tense": another_tense,
}
CODE_KINDS: dict[str, Change] = {"identifier": another_identifier, "number in code": another_number}


def docstrings() -> list[str]:
    """Return docstrings of Python's own library that name things, the same for one version."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    found: list[str] = []
    for path in sorted(folder.glob("*.py"))[: _MODULES_MAX * 4]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8", errors="replace"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                text = ast.get_docstring(node) or ""
                if len(text) > 200 and _IDENTIFIER.search(text):  # noqa: PLR2004
                    found.append(text)
    return random.Random(1).sample(found, min(_DOCSTRINGS_MAX, len(found)))
