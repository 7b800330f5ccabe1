"""An answer with what a second look at it has found. Pure.

`cluster.kernel.tasks.report` folds the corrections in; `agents.answers.verification` asks for none
that would find no place in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cluster.kernel.events import Corrected
from cluster.kernel.vocabulary import UNVERIFIED_MARK, Answer, Citation, Claim, Support

_TAIL_MAX = 6
"""Of a sentence, how many characters may follow its mark: its full stop, the end of emphasis."""
_BARE_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,9}[.)])?[ \t]*")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a marked sentence stands in a text, and where its mark does."""

    start: int
    mark: int
    end: int


def spot_of(claim: Claim, text: str) -> Spot | None:
    """Return where an unverified sentence stands with its mark; None for what isn't a sentence."""
    said = claim.text
    for tail in range(min(_TAIL_MAX, len(said)) + 1):
        head = said[: len(said) - tail]
        shown = f"{head} {UNVERIFIED_MARK}{said[len(head) :]}"
        start = text.find(shown)
        if start >= 0:
            return Spot(start, start + len(head) + 1, start + len(shown))
    return None


def corrected(answer: Answer, corrections: Iterable[Corrected]) -> Answer:
    """Return an answer with the corrections in it; those of what isn't unverified are left out.

    A contradicted sentence is gone, and ``degraded`` says so; the others have their citation in
    the place of their mark.
    """
    text, degraded = answer.text, list(answer.degraded)
    citations = list(answer.citations)
    claims: list[Claim | None] = list(answer.claims)
    for each in sorted(corrections, key=lambda correction: correction.claim):
        claim = claims[each.claim] if 0 <= each.claim < len(claims) else None
        if claim is None or claim.support is not Support.UNVERIFIED:
            continue
        spot = spot_of(claim, text)
        if not each.text:
            claims[each.claim] = None
            text = _without(text, spot) if spot else text
            degraded.append(
                "Left out of the answer at a second look, because a source says otherwise:"
                f' "{claim.text}"'
            )
            continue
        numbers = [_number(citation, citations) for citation in each.citations]
        cited = tuple(number - 1 for number in numbers)
        claims[each.claim] = replace(claim, support=each.support, citations=cited)
        if spot and each.support is not Support.UNVERIFIED:
            marks = "".join(f"[{number}]" for number in numbers)
            text = _marked(text, spot, marks)
    kept = tuple(claim for claim in claims if claim is not None)
    return replace(
        answer, text=text, citations=tuple(citations), degraded=tuple(degraded), claims=kept
    )


def _number(citation: Citation, citations: list[Citation]) -> int:
    if citation not in citations:
        citations.append(citation)
    return citations.index(citation) + 1


def _marked(text: str, spot: Spot, marks: str) -> str:
    """Put other marks in the place of the mark."""
    head, rest = text[: spot.mark], text[spot.mark + len(UNVERIFIED_MARK) :]
    return f"{head}{marks}{rest}" if marks else f"{head.rstrip(' ')}{rest}"


def _without(text: str, spot: Spot) -> str:
    """Take a sentence out, and its line where nothing else stands there."""
    start = text.rfind("\n", 0, spot.start) + 1
    end = text.find("\n", spot.end)
    end = len(text) if end < 0 else end
    is_first = _BARE_ITEM.fullmatch(text, start, spot.start) is not None
    if is_first and not text[spot.end : end].strip():
        left, rest = text[:start], text[end + 1 :]
        rest = rest.lstrip("\n") if left.endswith("\n\n") else rest
        return f"{left}{rest}".strip("\n")
    left, rest = text[: spot.start], text[spot.end :]
    return left + rest.lstrip(" ") if is_first else left.rstrip(" ") + rest
