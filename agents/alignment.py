"""Lays a claim along a source's sentence, word by word: the same words must say the same there.

Pure; the strict half of `agents.grounding`, which says what is compared with what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents import lexicon
from agents.claims import Kind, Look, Qualifier, Token, qualifiers, same

_CUTS_MAX = 12
_RANGE_REACH = 4
_SKIPPED_MAX = 12
_SKIPPED_BY_PREPOSITION_MAX = 3

_BINDING = frozenset({"of", "than", "as", "to", "like", "unlike", "per", "for", "with", "from"})
_NARROWING = _BINDING | {"in", "among", "on", "at", "within", "between"}
_CONTRASTS = frozenset({"while", "whereas", "but"})
_WIDE = frozenset({"all", "only", "never", "any", "most"})
_GLUE = frozenset({"if", "only", "without"})


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a source's sentence that can stand alone, and what follows it there."""

    tokens: tuple[Token, ...]
    rest: tuple[Token, ...]
    qualifiers: tuple[Qualifier, ...]
    is_first: bool


def aligns(claim: tuple[Token, ...], parts: list[Part], *, is_whole: bool) -> bool:
    """Say whether one of the parts of a sentence says what the claim says.

    With ``is_whole`` it must do so from the sentence's beginning on.
    """
    wanted = [token for token in claim if token.has_content]
    if not wanted or not all(
        any(same(token, each) for each in parts[0].tokens) for token in wanted
    ):
        return False
    claimed = qualifiers(claim)
    return any(
        _Alignment(claim, part).exists(is_whole=is_whole)
        for part in parts
        if part.qualifiers == claimed and (part.is_first or not is_whole)
    )


def parts_of(tokens: tuple[Token, ...]) -> Iterator[Part]:
    """Yield the sentence, then its parts that can stand alone, long ones first."""
    cuts = [0, *_cuts(tokens)[:_CUTS_MAX], len(tokens)]
    for length in range(len(cuts) - 1, 0, -1):
        for at in range(len(cuts) - length):
            part = tokens[cuts[at] : cuts[at + length]]
            yield Part(part, tokens[cuts[at + length] :], qualifiers(part), at == 0)


def _cuts(tokens: tuple[Token, ...]) -> list[int]:
    cuts: list[int] = []
    is_conditional = False
    for at, token in enumerate(tokens):
        is_first = not any(each.kind is not Kind.SILENT for each in tokens[:at])
        if is_first and token.kind is Kind.QUALIFIER and token.key in _GLUE:
            is_conditional = True
        if token.key in {";", "."} and token.kind is Kind.BREAK:
            is_conditional = False
        may_cut = token.kind is Kind.BREAK and token.key != "'s" and token.form != "or"
        if token.kind is Kind.CONJUNCTION:
            may_cut = token.key == "and" and not _is_range(tokens[max(0, at - _RANGE_REACH) : at])
        if at and may_cut and not is_conditional and not _is_glued(tokens[at + 1 :]):
            cuts.append(at)
    return cuts


def _is_glued(following: tuple[Token, ...]) -> bool:
    """Say whether what follows restricts what stands before it."""
    for token in following:
        if token.kind in (Kind.SILENT, Kind.BREAK, Kind.CONJUNCTION):
            continue
        return token.kind is Kind.QUALIFIER and token.key in _GLUE
    return False


class _Alignment:
    """A claim laid along a part of a source's sentence, word by word, in order."""

    def __init__(self, claim: tuple[Token, ...], part: Part) -> None:
        self._claim = claim
        self._part = part.tokens
        self._rest = part.rest
        self._wanted = [at for at, token in enumerate(claim) if token.has_content]
        self._keys = {claim[at].key for at in self._wanted}

    def exists(self, *, is_whole: bool) -> bool:
        """Say whether every word finds its place and every gap between two is harmless."""
        first = self._wanted[0]
        reached = {
            at
            for at in self._places(first)
            if self._leads(self._claim[:first], self._part[:at], is_whole=is_whole)
            or (not is_whole and self._has_aside(at))
        }
        for last, at in zip(self._wanted, self._wanted[1:], strict=False):
            if not reached:
                return False
            gap = self._claim[last + 1 : at]
            reached = {
                place
                for place in self._places(at)
                if any(
                    before < place and self._joins(gap, self._part[before + 1 : place])
                    for before in reached
                )
            }
        return any(self._ends((*self._part[at + 1 :], *self._rest)) for at in reached)

    def _places(self, at: int) -> list[int]:
        token = self._claim[at]
        return [place for place, each in enumerate(self._part) if same(token, each)]

    def _leads(self, claim: tuple[Token, ...], found: tuple[Token, ...], *, is_whole: bool) -> bool:
        """Say whether what stands before the first word leaves it what it is."""
        tail = _after_break(found)
        if _skipped(tail) or (is_whole and _skipped(found)) or _conjunction(found) == "or":
            return False
        if _is_range(found) != _is_range(claim):
            return False
        return _governing(claim) == _governing(tail)

    def _has_aside(self, at: int) -> bool:
        """Say whether a word is what ', which ...' right behind it is about."""
        following = [token.key for token in self._part[at + 1 : at + 3]]
        return following[:1] == [","] and following[1:] in (["which"], ["who"])

    def _joins(self, claim: tuple[Token, ...], found: tuple[Token, ...]) -> bool:
        """Say whether two words of the claim are bound in the source as they are in the claim."""
        skipped = _skipped(found)
        if len(skipped) > _SKIPPED_MAX or any(token.key in self._keys for token in skipped):
            return False
        tail = _after_break(found)
        if not self._may_skip(found, tail) or not _same_conjunction(claim, found, skipped):
            return False
        if _is_range(found) != _is_range(claim):
            return False
        if _has_copula(claim) != _has_copula(tail):
            return False
        governing = _governing(claim)
        return governing == _governing(tail) or (
            bool(skipped) and governing == _governing(tail, is_over_word=True)
        )

    def _may_skip(self, found: tuple[Token, ...], tail: tuple[Token, ...]) -> bool:
        skipped = _skipped(found)
        if not skipped:
            return True
        if found[0].key == "'s":
            return False
        if len(tail) < len(found):
            return not _skipped(tail)
        if found[0] in skipped or any(token.look is Look.NUMBER for token in skipped):
            return False
        is_led = found[0].kind is Kind.PREPOSITION
        return len(skipped) <= (_SKIPPED_BY_PREPOSITION_MAX if is_led else 1)

    def _ends(self, found: tuple[Token, ...]) -> bool:
        """Say whether what follows the last word takes nothing back."""
        if not found:
            return True
        following = found[0]
        if following.has_content and not following.is_adverb:
            return False
        if "or" in (following.key, following.form) or following.key == "'s":
            return False
        if following.kind is Kind.PREPOSITION:
            return following.key not in (_NARROWING if self._is_superlative() else _BINDING)
        return True

    def _is_superlative(self) -> bool:
        return any(
            token.key in _WIDE if token.kind is Kind.QUALIFIER else token.raw.endswith("est")
            for token in self._claim
        ) or not self._keys.isdisjoint({"first", "last", "sole"})


def _skipped(tokens: Sequence[Token]) -> list[Token]:
    return [token for token in tokens if token.has_content and not token.is_adverb]


def _after_break(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    for at in range(len(tokens) - 1, -1, -1):
        if tokens[at].kind in (Kind.BREAK, Kind.CONJUNCTION):
            return tokens[at + 1 :]
    return tokens


def _is_range(tokens: Sequence[Token]) -> bool:
    return any(token.key == "between" for token in tokens)


def _has_copula(tokens: Sequence[Token]) -> bool:
    return any(token.raw.lower() in lexicon.COPULAS for token in tokens)


def _conjunction(tokens: Sequence[Token]) -> str:
    """Return 'and' or 'or' as the last list among the tokens says; empty where there is none.

    A contrast is an 'and'.
    """
    for token in reversed(tokens):
        if token.kind is Kind.CONJUNCTION:
            return token.key
        if token.kind is Kind.BREAK and (token.form or token.key in _CONTRASTS):
            return token.form or "and"
    return ""


def _same_conjunction(
    claim: Sequence[Token], found: Sequence[Token], skipped: Sequence[Token]
) -> bool:
    claimed, there = _conjunction(claim), _conjunction(found)
    if claimed or not skipped:
        return claimed == there
    return there != "or"


def _governing(tokens: Sequence[Token], *, is_over_word: bool = False) -> tuple[str, ...]:
    """Return the prepositions that govern what follows; at most one word may lie between."""
    found: list[str] = []
    words = 0
    for token in reversed(tokens):
        if token.kind is Kind.PREPOSITION:
            found.append(token.key)
        elif token.has_content and not token.is_adverb:
            words += 1
            if found or not is_over_word or words > 1:
                break
        elif found and token.kind is not Kind.SILENT:
            break
    return tuple(reversed(found))
