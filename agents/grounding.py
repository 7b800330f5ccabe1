"""Whether a source says what a sentence claims. Precision first: in doubt it does not.

Pure. A claim is supported by one sentence of the source, or by a part of it that can stand alone.
Its words with content must be there in the same order, with the same numbers, names, negations,
quantities, conditions and tense, bound by the same prepositions. A supported sentence dropped
makes an answer plainer; an unsupported one kept makes it wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from agents import lexicon
from agents.alignment import aligns, parts_of
from agents.claims import TOKENS_MAX, Claim, Kind, Look, Token, read, same, without_generic
from agents.sentences import Span, sentences

_CONTENT_MAX = 60
_LENGTH_MAX = 1_000
_SUBJECT_MAX = 3
_VARIANTS_MAX = 4
_WORDS_PER_KNOWN = 12
"""Of so many words of English at least one is in the lexicon."""
_LATIN_LAST = "\u024f"
_OTHER_SCRIPT_SHARE_MAX = 0.3


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence of a source, and what it may be about where it only says 'it'."""

    span: Span
    claim: Claim
    subject: frozenset[str] = frozenset()
    """Keys of the words that the sentence before it is about."""
    title: frozenset[str] = frozenset()
    """Keys of the words of the heading above it."""
    is_judged: bool = True
    """Whether it is English and short enough for the rules; else only the same words support."""


def supports(sentence: str, passage_text: str, title: str = "") -> bool:
    """Say whether a passage says what the sentence claims."""
    return find_support(sentence, passage_text, title) is not None


def find_support(
    sentence: str, passage_text: str, title: str = "", after: Span | None = None
) -> Span | None:
    """Return the first sentence of the passage that says what the sentence claims.

    Args:
        sentence: one sentence, with or without Markdown and citations.
        passage_text: the source.
        title: the headings above the source, joined with ' > '.
        after: what supports the sentence before this one; only with it may a sentence begin with
            a pronoun.
    """
    claim = read(sentence)
    is_short = len(sentence) <= _LENGTH_MAX and len(claim.tokens) < TOKENS_MAX
    if claim.is_question or not is_short or not 0 < len(claim.content) <= _CONTENT_MAX:
        return None
    for evidence in evidence_of(passage_text, title):
        if claim.plain == evidence.claim.plain:
            return evidence.span
        if claim.is_pronoun_led and not _continues(evidence, after):
            continue
        if _says(claim, evidence):
            return evidence.span
    return None


@lru_cache(maxsize=256)
def evidence_of(text: str, title: str = "") -> tuple[Evidence, ...]:
    """Return the sentences of a source that assert something."""
    heading = frozenset(token.key for token in read(title.rpartition(" > ")[2]).content)
    found: list[Evidence] = []
    subject: frozenset[str] = frozenset()
    spans = sentences(text)
    claims = [read(text[span.start : span.end]) for span in spans]
    is_english = _is_english(claims)
    for span, claim in zip(spans, claims, strict=True):
        if claim.is_question or not claim.content:
            continue
        is_judged = is_english and len(claim.tokens) < TOKENS_MAX
        found.append(Evidence(span, claim, subject, heading, is_judged))
        if not claim.is_pronoun_led:
            subject = _subject(claim)
    return tuple(found)


def _is_english(claims: Sequence[Claim]) -> bool:
    """Say whether the lexicon knows enough of the words for its rules to mean anything."""
    words = [token for claim in claims for token in claim.tokens if token.kind is not Kind.BREAK]
    known = sum(not token.has_content for token in words)
    foreign = sum(token.raw.lower() in lexicon.FOREIGN for token in words)
    others = sum(token.raw[0] > _LATIN_LAST for token in words)
    return (
        foreign <= known
        and known >= len(words) // _WORDS_PER_KNOWN
        and others <= len(words) * _OTHER_SCRIPT_SHARE_MAX
    )


def _continues(evidence: Evidence, after: Span | None) -> bool:
    """Say whether a pronoun at the head of both means the same."""
    return after is not None and evidence.claim.is_pronoun_led and after.start < evidence.span.start


def _subject(claim: Claim) -> frozenset[str]:
    keys: list[str] = []
    for token in claim.tokens:
        if token.has_content and len(keys) < _SUBJECT_MAX:
            keys.append(token.key)
        elif keys:
            break
    return frozenset(keys)


def _says(claim: Claim, evidence: Evidence) -> bool:
    found = evidence.claim
    if not evidence.is_judged or _has_doubt(claim, found):
        return False
    if any(quote.lower() not in found.plain for quote in claim.quotes):
        return False
    missing = [t for t in claim.content if not any(same(t, each) for each in found.content)]
    if len(missing) > _SUBJECT_MAX or any(token.look is Look.NUMBER for token in missing):
        return False
    names = {token.raw for token in (*claim.content, *found.content) if token.look is Look.CODE}
    tokens = without_generic(found.tokens, names)
    parts = list(parts_of(tokens))
    return any(
        aligns(reading, parts, is_whole=is_whole)
        for variant in _variants(without_generic(claim.tokens, names))
        for reading, is_whole in _readings(variant, evidence, is_about=claim.is_pronoun_led)
    )


def _has_doubt(claim: Claim, found: Claim) -> bool:
    said = {token.raw.lower() for token in claim.tokens}
    return any(token.raw.lower() in lexicon.DOUBTS - said for token in found.tokens)


def _variants(tokens: tuple[Token, ...]) -> Iterator[tuple[Token, ...]]:
    """Yield the claim, and the same with an adverbial moved from its end to its head or back."""
    yield tokens
    comma = Token(Kind.BREAK, ",", ",")
    heads = [at for at, token in enumerate(tokens) if at and _opens_adverbial(token)]
    for at in heads[-_VARIANTS_MAX:]:
        yield (*tokens[at:], comma, *tokens[:at])
    if tokens and _opens_adverbial(tokens[0]):
        for at, token in enumerate(tokens):
            if token.kind is Kind.BREAK and token.key == ",":
                yield (*tokens[at + 1 :], *tokens[:at])
                return


def _opens_adverbial(token: Token) -> bool:
    return token.kind is Kind.PREPOSITION or (token.kind is Kind.QUALIFIER and token.key == "if")


def _readings(
    tokens: tuple[Token, ...], evidence: Evidence, *, is_about: bool
) -> Iterator[tuple[tuple[Token, ...], bool]]:
    """Yield the claim, and what is left of it without a subject that the context gives.

    The flag says that the rest must be said from the beginning of the source's sentence on.
    """
    yield tokens, is_about
    context = evidence.subject if evidence.claim.is_pronoun_led else evidence.title
    lead = 0
    for at, token in enumerate(tokens):
        if lead == _SUBJECT_MAX or (token.has_content and token.key not in context):
            return
        if token.has_content:
            lead += 1
            yield tokens[at + 1 :], True
        elif lead:
            return
