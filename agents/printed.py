"""What may be said about a program that ran: what it printed, read in its order, and what it uses.

Pure; `agents.composition` asks it about the sentences of an answer that no document can support.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from agents.candidates import used_names
from agents.claims import Kind, Look, Token, read, without_citations
from agents.lexicon import NUMBERS, stem
from agents.wishes import subject
from cluster.kernel.tasks import Program

_FRAME = (
    "answer summary conclusion explanation overview detail key point source program script code "
    "output print result show display return run execute compute calculate give follow example "
    "value number list time occur occurrence appear element item word string function line "
    "produce confirm step finding research use call import python"
)
FRAME_STEMS = frozenset(stem(word) for word in _FRAME.split())
"""Words about answers and programs; by themselves they say nothing that could be wrong."""
_ABOUT_OUTPUT = frozenset(stem(word) for word in ("output", "print", "stdout", "result"))
_TOKEN = re.compile(r"-?\d+(?:\.\d+)*|[^\W\d]\w*")
_MARKED = re.compile(
    r"`{1,3}([^`]{1,400})`{1,3}|[\"“]([^\"”]+)[\"”]|(?<!\w)['‘]([^'’]+)['’](?!\w)"  # noqa: RUF001
)


def is_about_output(sentence: str) -> bool:
    """Say whether a sentence speaks of what was printed or came out."""
    return any(token.key in _ABOUT_OUTPUT for token in read(sentence).content)


class Printed:
    """A working program's output, as evidence."""

    def __init__(self, program: Program, goal: str) -> None:
        output = program.run.stdout if program.run else ""
        lines = [_TOKEN.findall(line.lower()) for line in output.splitlines()]
        self._tokens = [token for line in lines for token in line]
        self._starts = {sum(map(len, lines[:at])) for at in range(len(lines))}
        self._used = {name.lower() for name in used_names(program.source)}
        self._goal = _TOKEN.findall(goal.lower())
        words = (*self._goal, *_TOKEN.findall(program.source.lower()), *self._tokens)
        self._stems = {stem(word) for word in words}
        self._subject = subject(goal)

    def says(self, sentence: str) -> bool:
        """Say whether the output, or the names that the program uses, say a sentence.

        Its numbers and quoted words have to stand in the output side by side, from the start of a
        line on, or be all the numbers there are. Its other words come from the goal, the source or
        the output.
        """
        claim = read(sentence)
        if claim.is_question or not all(self._is_known(token) for token in claim.tokens):
            return False
        items = list(self._items(without_citations(sentence)))
        if None in items:
            return False
        printed = [item for item in items if item]
        if not printed:
            return any(token.raw.lower() in self._used for token in claim.content)
        return any(self._is_run(printed, at) for at in range(len(self._tokens)))

    def denies(self, sentence: str) -> bool:
        """Say whether a sentence on the goal's subject has a number that stands nowhere."""
        content = read(sentence).content
        numbers = {token.key for token in content if token.look is Look.NUMBER}
        return bool(numbers - self._stems) and any(token.key in self._subject for token in content)

    def _is_known(self, token: Token) -> bool:
        """Say whether a word is one that the goal, the program or its output has."""
        lower = token.raw.lower()
        if token.kind is Kind.QUALIFIER:
            return lower in self._goal or lower in self._tokens
        if token.kind is not Kind.CONTENT or token.look is Look.NUMBER:
            return True
        if token.look is Look.CODE:
            return set(_TOKEN.findall(lower)) <= self._used | set(self._tokens)
        return stem(lower) in self._stems or token.key in FRAME_STEMS

    def _items(self, sentence: str) -> Iterator[str | None]:
        """Yield what has to stand in the output; None where something stands nowhere."""
        at = 0
        for match in _MARKED.finditer(sentence):
            yield from self._plain_items(sentence[at : match.start()])
            yield from self._marked_items(_TOKEN.findall(match.group().lower()))
            at = match.end()
        yield from self._plain_items(sentence[at:])

    def _marked_items(self, words: Sequence[str]) -> Iterator[str | None]:
        if set(words) <= set(self._tokens):
            yield from words
        elif not set(words) <= self._used | set(self._goal):
            yield None

    def _plain_items(self, text: str) -> Iterator[str | None]:
        words = _TOKEN.findall(text.lower())
        for word, following in pairwise((*words, "")):
            is_number = word in NUMBERS or word[-1].isdigit()
            if is_number and self._is_asked(word, following):
                continue
            is_item = is_number or (read(word).content and stem(word) not in FRAME_STEMS)
            if word in self._tokens and is_item:
                yield word
            elif word in NUMBERS and NUMBERS[word] in self._tokens:
                yield NUMBERS[word]
            elif is_number:
                yield None

    def _is_asked(self, number: str, following: str) -> bool:
        """Say whether the goal has the number before the same word."""
        return any(pair == (number, following) for pair in pairwise((*self._goal, "")))

    def _is_run(self, items: Sequence[str], at: int) -> bool:
        if self._tokens[at : at + len(items)] != list(items):
            return False
        numbers = [item for item in items if item[-1].isdigit()]
        all_numbers = [token for token in self._tokens if token[-1].isdigit()]
        return at in self._starts or not numbers or numbers == all_numbers
