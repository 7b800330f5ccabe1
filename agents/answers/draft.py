"""An answer that is still being written: judged sentence by sentence, and shown where it is sure.

Pure; `agents.answers.writing` feeds it from a thread. Judging remembers what it has judged, so that
at the end only the last sentence is left, and the answer is what judging the whole text at once
gives. What is shown before is what every way of judging it leaves, and stands in the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from agents.evidence.languages import LANGUAGES, language_of
from agents.evidence.markdown import BlockKind, blocks
from agents.evidence.sentences import split
from agents.evidence.strictness import SupportMode
from agents.evidence.words import without_citations
from cluster.kernel.vocabulary import Answer

_BEGUN_MIN = 12
"""Letters and digits of a sentence that show that the one before it has ended, and where."""
_PROSE = (BlockKind.PARAGRAPH, BlockKind.ITEM)


class Judging(Protocol):
    """What a text is held against; remembers what it has judged. See `composition.Grounds`."""

    def prose(self, text: str, *, is_strict: bool) -> str:
        """Return what is shown of a text, by itself; empty where that makes no answer."""
        ...

    def answer(
        self, text: str, *, is_strict: bool = False, may_turn_strict: bool = False
    ) -> Answer | None:
        """Return the answer in a text; None where nothing is left of it."""
        ...


class AnswerDraft:
    """The text so far, and what of it has been shown.

    Args:
        lay_out: makes what the text is held against; called with the first text, which may be
            empty, since that takes a while.
        support: what a sentence needs to be shown. Where it turns strict because too much of the
            text's citations is wrong, only the text's end tells.
    """

    def __init__(self, lay_out: Callable[[], Judging], support: SupportMode) -> None:
        self._lay_out = lay_out
        self._support = support
        self._laid_out: Judging | None = None
        self._shown = ""
        self._source = ""
        """The model's text that what is shown was made of."""
        self._is_source_embedded = False
        """Whether the embedded model wrote it: then the answer it stands in is judged so."""

    @property
    def shown(self) -> str:
        """What has been shown: the answer's text begins with it."""
        return self._shown

    def read(self, text: str, *, is_embedded: bool, is_shown: bool = True) -> str:
        """Take the text so far; return what more of the answer is sure now, if it is shown.

        ``is_embedded`` says whether the embedded model wrote it.
        """
        grounds = self._grounds()
        text = self._continued(text)
        sure = _ended(text)
        if not sure.startswith(self._source):
            return ""
        is_embedded |= self._is_source_embedded
        is_strict = self._support.is_strict(is_embedded=is_embedded)
        modes = {is_strict, is_strict or self._support.may_turn_strict(is_embedded=is_embedded)}
        proses = {grounds.prose(sure, is_strict=mode) for mode in modes}
        prose = proses.pop()
        if not is_shown or proses or not prose.startswith(self._shown) or not _is_split_alike(sure):
            return ""
        new = prose[len(self._shown) :]
        if new:
            self._shown, self._source = prose, sure
            self._is_source_embedded = is_embedded
        return new

    def answer(self, text: str, *, is_embedded: bool) -> Answer | None:
        """Return the answer in the whole text; None where nothing is left of it.

        Where the text isn't what was shown any more (a model began anew), it follows that, and is
        judged as the embedded model's if one of the two is.
        """
        text = self._continued(text)
        is_embedded |= self._is_source_embedded
        answer = self._judged(text, is_embedded=is_embedded)
        if answer is not None and answer.text.startswith(self._shown):
            return answer
        if not self._shown:
            return answer
        # What has come since has made something else of the paragraph, as the head of a table.
        rest = text[len(self._source) :]
        return self._judged(f"{self._source}\n\n{rest}", is_embedded=is_embedded)

    def _judged(self, text: str, *, is_embedded: bool) -> Answer | None:
        return self._grounds().answer(
            text,
            is_strict=self._support.is_strict(is_embedded=is_embedded),
            may_turn_strict=self._support.may_turn_strict(is_embedded=is_embedded),
        )

    def _continued(self, text: str) -> str:
        text = text.lstrip()
        return text if text.startswith(self._source) else f"{self._source}\n\n{text}"

    def _grounds(self) -> Judging:
        if self._laid_out is None:
            self._laid_out = self._lay_out()
        return self._laid_out


def _ended(text: str) -> str:
    """Return a text without its last sentence; empty where that can't be told yet."""
    found = blocks(text)
    if not found or found[-1].kind not in _PROSE:
        return ""
    body = found[-1].body
    start, _ = max(split(body, language_of(text)), default=(0, 0))
    last = body[start:].strip()
    whole = text.rstrip()
    is_begun = sum(map(str.isalnum, without_citations(last))) >= _BEGUN_MIN
    if not is_begun or "\n" in last or not whole.endswith(last):
        return ""
    return whole[: len(whole) - len(last)].rstrip()


def _is_split_alike(text: str) -> bool:
    """Say whether its sentences are the same whatever the language of the whole turns out to be."""
    bodies = [block.body for block in blocks(text) if block.kind in _PROSE]
    return all(
        len({tuple(split(body, language)) for language in LANGUAGES}) == 1 for body in bodies
    )
