"""A sentence as what it claims: words with content in their order, and what binds them.

Pure. `agents.grounding` compares a claim with the sentences of a source on this form; what each
kind of word means is in `agents.lexicon`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache

from agents import lexicon


class Kind(Enum):
    """What a token does in its sentence."""

    CONTENT = "content"
    PREPOSITION = "preposition"
    CONJUNCTION = "conjunction"
    BREAK = "break"
    QUALIFIER = "qualifier"
    COPULA = "copula"
    SILENT = "silent"


class Look(Enum):
    """How a token with content is written."""

    WORD = "word"
    NUMBER = "number"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number, piece of code or mark; ``key`` is what it is compared by."""

    kind: Kind
    key: str
    raw: str
    look: Look = Look.WORD
    form: str = ""
    """Of a verb in -ed: ``past`` or ``participle``; empty for all others."""

    @property
    def has_content(self) -> bool:
        """Say whether a claim with this token needs a source with it."""
        return self.kind is Kind.CONTENT

    @property
    def is_adverb(self) -> bool:
        """Say whether it may be left out: an adverb that no set of the lexicon knows."""
        return self.kind is Kind.CONTENT and self.look is Look.WORD and self.raw.endswith("ly")


Qualifier = tuple[str, str]
"""A class of `lexicon.QUALIFIERS` and the key of the word it stands before."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence's tokens, and what of its text is compared letter by letter."""

    tokens: tuple[Token, ...]
    plain: str
    """Its text without markup, in lower case."""
    quotes: tuple[str, ...] = ()
    is_question: bool = False

    @property
    def content(self) -> tuple[Token, ...]:
        """The tokens with content."""
        return tuple(token for token in self.tokens if token.has_content)

    @property
    def is_pronoun_led(self) -> bool:
        """Say whether it is about what another sentence names."""
        return bool(self.tokens) and self.tokens[0].raw.lower() in lexicon.PRONOUNS


_CITATION = re.compile(
    r"\s*\[([1-9]\d{0,2}(?:\s*[,;–-]\s*[1-9]\d{0,2})*)\](?!\()"  # noqa: RUF001
)
_LINK = re.compile(r"!?\[([^\[\]]{0,400})\]\([^()\s]{0,400}\)")
_ROLE = re.compile(r":[\w:]{1,30}:(?=`)")
_EMPHASIS = re.compile(r"(\*{1,3}|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w))")
_CODE_SPAN = re.compile(r"(?<!`)`{1,3}[^`]{1,400}`{1,3}")
_QUOTE = re.compile(r"[\"“”]([^\"“”]{2,200})[\"“”]")
_PHRASES = tuple(
    (re.compile(rf"\b(?:{phrase})(?!\w)", re.IGNORECASE), word) for phrase, word in lexicon.PHRASES
)
_TOKEN = re.compile(
    r"(?P<code>(?<!`)`{1,3}[^`]{1,400}`{1,3}"
    r"|[^\W\d]\w*(?:\.[^\W\d]\w*)+(?:\([^()\s]{0,80}\))?|\w*[^\W_]_\w+|_\w+"
    r"|[^\W\d]\w*\([^()\s]{0,80}\)|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*)"
    r"|(?P<number>(?:(?<![\w)])[-+−])?\d+(?:[,_]\d+)*(?:[.:/-]\d+)*(?:st|nd|rd|th)?)"  # noqa: RUF001
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)?)"  # noqa: RUF001
    r"|(?P<mark>\s[-–—]\s|—|[,;|:().!?%$€£°+*/=<>≤≥≠→~&])"  # noqa: RUF001
)
_NUMBER = re.compile(r"\d+")
_SHORT = {"ca": "can", "wo": "will", "sha": "shall"}
_BE = {"is", "are", "was", "were", "be", "been", "being", "am", "a", "an", "the", "gets", "get"}
_BE_REACH = 3
TOKENS_MAX = 160
"""Of a sentence no more is read; one that has as many is too long to be judged."""
_LENGTH_MAX = 4_000


@lru_cache(maxsize=4096)
def read(sentence: str) -> Claim:
    """Return what a sentence claims; markup and citations of the form [1] say nothing."""
    text = without_citations(_LINK.sub(r"\1", " ".join(sentence[:_LENGTH_MAX].split())))
    text = _outside_code(_ROLE.sub("", text), lambda prose: _EMPHASIS.sub("", prose))
    plain = text.replace("`", "").lower().strip(" .!;:")
    quotes = tuple(match.group(1).strip(" .,") for match in _QUOTE.finditer(text))
    for phrase, word in _PHRASES:
        text = phrase.sub(word, text)
    tokens = _formed(tuple(_tokens(text))[:TOKENS_MAX])
    return Claim(_resolved(tokens), plain, quotes, text.rstrip().endswith("?"))


def without_citations(text: str) -> str:
    """Return a text without citations such as [1] and [2, 3]; an index in code is none."""
    return _outside_code(text, lambda prose: _CITATION.sub("", prose))


def cited_numbers(text: str) -> list[int]:
    """Return the numbers of the citations in a text, each once; of a range its two ends."""
    found: list[str] = []

    def note(prose: str) -> str:
        for match in _CITATION.finditer(prose):
            found.extend(_NUMBER.findall(match.group(1)))
        return ""

    _outside_code(text, note)
    return list(dict.fromkeys(map(int, found)))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Return the text with what lies between its code spans changed."""
    pieces: list[str] = []
    at = 0
    for code in _CODE_SPAN.finditer(text):
        pieces += (change(text[at : code.start()]), code.group())
        at = code.end()
    return "".join((*pieces, change(text[at:])))


def qualifiers(tokens: Sequence[Token]) -> tuple[Qualifier, ...]:
    """Return the qualifiers among the tokens, sorted, each with the word it stands before."""
    found: list[Qualifier] = []
    following = ""
    for token in reversed(tokens):
        if token.has_content and not token.is_adverb:
            following = token.key
        elif token.kind is Kind.QUALIFIER:
            found.append((token.key, following))
    return tuple(sorted(found))


def without_generic(tokens: tuple[Token, ...], names: AbstractSet[str]) -> tuple[Token, ...]:
    """Return the tokens with 'module', 'function' and the like silent beside one of the names."""
    made = list(tokens)
    for at, token in enumerate(tokens):
        if token.has_content and token.raw.lower().removesuffix("s") in lexicon.GENERIC:
            beside = (*tokens[max(0, at - 1) : at], *tokens[at + 1 : at + 2])
            if any(each.raw in names for each in beside):
                made[at] = replace(token, kind=Kind.SILENT)
    return tuple(made)


def same(claimed: Token, found: Token) -> bool:
    """Say whether a source's token is what a claim's token says."""
    if claimed.look is Look.CODE or found.look is Look.CODE:
        return _same_code(claimed.raw, found.raw)
    return claimed.key == found.key and claimed.look is found.look and claimed.form == found.form


def _same_code(claimed: str, found: str) -> bool:
    if found in (claimed, claimed.lower()):
        return True
    head = found.partition("(")[0]
    return "(" not in claimed and (head == claimed or head.endswith("." + claimed))


def _tokens(text: str) -> Iterator[Token]:
    is_first = True
    for match in _TOKEN.finditer(text):
        raw = match.group().strip()
        if match.lastgroup == "code":
            code = " ".join(raw.strip("`").split()).removesuffix("()")
            yield Token(Kind.CONTENT, code, code, Look.CODE)
        elif match.lastgroup == "number":
            key = raw.replace(",", "").replace("_", "").replace("−", "-")  # noqa: RUF001
            yield Token(Kind.CONTENT, key, raw, Look.NUMBER)
        elif match.lastgroup == "word":
            yield from _words(raw.replace("’", "'"), is_first=is_first)  # noqa: RUF001
        else:
            yield _mark(raw)
        is_first = False


def _mark(raw: str) -> Token:
    if raw in "%$€£°+*/=<>≤≥≠→":
        return Token(Kind.CONTENT, lexicon.stem("percent") if raw == "%" else raw, raw)
    if raw == "&":
        return Token(Kind.CONJUNCTION, "and", raw)
    if raw == "~":
        return Token(Kind.QUALIFIER, "about", raw)
    return Token(Kind.BREAK, raw, raw)


def _words(raw: str, *, is_first: bool) -> Iterator[Token]:
    """Yield a word; a contraction as the words it is made of."""
    base, apostrophe, ending = raw.partition("'")
    lower = base.lower()
    if not apostrophe:
        yield _word(raw, is_first=is_first)
    elif ending == "t" and lower.endswith("n"):
        lower = lower if lower == "can" else lower[:-1]
        yield _word(_SHORT.get(lower, lower), is_first=False)
        yield _word("not", is_first=False)
    elif ending == "s" and lower not in lexicon.SILENT and lower not in lexicon.BREAKS:
        yield _word(base, is_first=is_first)
        yield Token(Kind.BREAK, "'s", "'s")
    else:
        yield _word(base, is_first=is_first)
        meant = {"s": "is", "re": "are", "m": "am", "ll": "will", "d": "would"}.get(ending)
        if meant:
            yield _word(meant, is_first=False)


def _word(raw: str, *, is_first: bool) -> Token:
    lower = raw.lower()
    if raw in lexicon.NAMES and not is_first:
        return Token(Kind.CONTENT, lower, raw)
    if lower in lexicon.NUMBERS:
        return Token(Kind.CONTENT, lexicon.NUMBERS[lower], raw, Look.NUMBER)
    if lower in lexicon.CONJUNCTIONS:
        return Token(Kind.CONJUNCTION, lexicon.CONJUNCTIONS[lower], raw)
    if lower in lexicon.QUALIFIERS and not (raw == "None" and not is_first):
        return Token(Kind.QUALIFIER, lexicon.QUALIFIERS[lower], raw)
    kinds = (
        (lexicon.COPULAS, Kind.COPULA),
        (lexicon.PREPOSITIONS, Kind.PREPOSITION),
        (lexicon.BREAKS, Kind.BREAK),
        (lexicon.SILENT, Kind.SILENT),
    )
    for words, kind in kinds:
        if lower in words:
            return Token(kind, lower, raw)
    return Token(Kind.CONTENT, lexicon.stem(lower), raw)


def _formed(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Note of each verb in -ed whether it says what was, or how something is."""
    made: list[Token] = []
    for at, token in enumerate(tokens):
        lower = token.raw.lower()
        if token.has_content and token.look is Look.WORD and lower.endswith("ed"):
            before = {each.raw.lower() for each in tokens[max(0, at - _BE_REACH) : at]}
            form = "participle" if before & _BE else "past"
            made.append(replace(token, form=form if token.key != lower else ""))
        else:
            made.append(token)
    return tuple(made)


def _resolved(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Let each comma of a list know whether the list says 'and' or 'or'."""
    made = list(tokens)
    conjunction = ""
    for at in range(len(made) - 1, -1, -1):
        token = made[at]
        if token.kind is Kind.CONJUNCTION:
            conjunction = token.key
        elif token.kind is Kind.COPULA or (token.kind is Kind.BREAK and token.key != ","):
            conjunction = ""
        elif token.key == "," and conjunction:
            made[at] = replace(token, form=conjunction)
    return tuple(made)
