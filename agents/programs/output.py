"""What may be said about a program that ran: what it printed, read in its order, and what it uses.

Pure; `agents.answers.composition` asks it about the sentences of an answer that no document can
support.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

from agents.planning.intent import subject
from agents.programs.names import used_names
from agents.programs.words import stem, stems
from cluster.kernel.vocabulary import Program

_FRAME = (
    "answer summary conclusion explanation overview detail key point source program script code "
    "output print result show display return run execute compute calculate give follow example "
    "value number list time occur occurrence appear element item word string function line "
    "produce confirm step finding research use call import python"
)
FRAME_STEMS = frozenset(stem(word) for word in _FRAME.split())
"""Words about answers and programs; by themselves they say nothing that could be wrong."""
_SMALL_WORDS = (
    "the and are was were for from with that this these those they them their its has have had "
    "been which when where there then than into each also both all out will through you your can "
    "our here while"
)
_SMALL = frozenset(_SMALL_WORDS.split())
"""Words of three letters and more that have no content; shorter ones never count."""
_LENGTH_MIN = 3
_LIMITING_WORDS = (
    "not no never none nor neither without cannot isn aren wasn weren doesn don didn won only "
    "except most least more less fewer largest smallest greatest biggest highest lowest longest "
    "shortest first last best worst maximum minimum max min"
)
_LIMITING = frozenset(_LIMITING_WORDS.split())
"""Words that turn what a sentence says: it may have those that goal, source or output have."""
_ABOUT_OUTPUT = frozenset(stem(word) for word in ("output", "print", "stdout", "result"))
_USING = frozenset(stem(word) for word in ("use", "call", "import", "define", "create", "start"))
_PROGRAM = frozenset(stem(word) for word in ("program", "script", "code", "example", "snippet"))
_NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBER_WORDS = {word: str(number) for number, word in enumerate(_NUMBERS.split())}
_KNOWN_SHARE_MIN = 0.5
_COUNT_DIGITS_MAX = 4
_OUTPUT_LENGTH_MAX = 20_000
"""Of an output what is read: an answer shows less."""
_CITATION = re.compile(r"\s*\[\d{1,3}(?:,\s*\d{1,3})*\](?!\()")
_THOUSANDS = re.compile(r"(?<![\d,.])(\d{1,3}(?:,\d{3})+)(?![\d,])")
_TOKEN = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)*|[^\W\d]\w*(?:-\d+)*|\d+(?:\.\d+)*")
"""`task-2` is one word and no number."""
_MARKED = re.compile(
    r"`{1,3}([^`]{1,400})`{1,3}|[\"“]([^\"”]+)[\"”]|(?<!\w)['‘]([^'’]+)['’](?!\w)"  # noqa: RUF001
)


def is_about_output(sentence: str) -> bool:
    """Say whether a sentence speaks of what was printed or came out."""
    return bool(stems(sentence) & _ABOUT_OUTPUT)


class Printed:
    """A working program's output, as evidence."""

    def __init__(self, program: Program, goal: str) -> None:
        output = program.run.stdout[:_OUTPUT_LENGTH_MAX] if program.run else ""
        self._lines = [_tokens(line) for line in output.splitlines()]
        self._printed = [token for line in self._lines for token in line]
        self._printed_words = frozenset(self._printed)
        self._line_stems = [frozenset(map(stem, line)) for line in self._lines]
        self._labels = _labels(self._lines)
        self._starts = {0, *accumulate(map(len, self._lines))}
        self._used = {name.lower() for name in used_names(program.source)}
        self._goal = _tokens(goal)
        self._words = {*self._goal, *_tokens(program.source), *self._printed}
        self._text = f"{goal}\n{program.source}\n{output}".lower()
        self._stems = stems(f"{goal}\n{program.source}\n{output}") | {*map(stem, self._words)}
        self._subject = {stem(key) for key in subject(goal)}

    def says(self, sentence: str) -> bool:
        """Say whether the output, or the names that the program uses, say a sentence.

        It has at least one number, quoted word or name in code, and all of these are the
        program's. Its numbers stand in the output with the same words before them: side by side,
        or behind the label of their line. What is quoted is printed in that order, and on a line
        with the word that follows. Its other words are mostly those of the goal, the source and
        the output, and all of them where they deny or rank.
        """
        text = " ".join(_CITATION.sub("", sentence).split())
        if text.endswith("?") or not self._are_known(text) or not self._are_bound(text):
            return False
        items = list(self._items(text))
        if None in items:
            return False
        printed = [item for item in items if item] or self._numbers(text)
        quoted = [word for word in _quoted(text) if word in self._printed_words]
        if any(map(_is_number, printed)):
            plain = _MARKED.sub(lambda m: " " if self._stands(m.group()) else m.group(), text)
            return self._has_run(printed) or self._is_labelled(_tokens(plain))
        if quoted:
            left = iter(self._printed)
            return all(word in left for word in quoted)
        return self._has_run(printed) if printed else self._names_what_is_used(text)

    def _numbers(self, text: str) -> list[str]:
        """Return the printed numbers of a text, those too that the goal itself has named."""
        return [word for word in _tokens(text) if _is_number(word) and self._is_printed(word)]

    def denies(self, sentence: str) -> bool:
        """Say whether a sentence on the goal's subject or the output has a number from nowhere."""
        tokens = _tokens(_CITATION.sub("", sentence))
        numbers = {token for token in tokens if _is_number(token)}
        is_on_it = is_about_output(sentence) or bool(stems(sentence) & self._subject)
        return bool(numbers - self._words) and is_on_it

    def _are_known(self, text: str) -> bool:
        """Say whether enough of a sentence's words are those of goal, program and output."""
        words = [word for word in _tokens(_MARKED.sub(" ", text)) if not _is_number(word)]
        if any(word in _LIMITING and word not in self._words for word in words):
            return False
        content = [word for word in words if word not in _LIMITING and not _is_frame(word)]
        known = [word for word in content if stem(word) in self._stems]
        marked = sum(1 for _ in _MARKED.finditer(text))
        return len(known) + marked >= _KNOWN_SHARE_MIN * (len(content) + marked)

    def _are_bound(self, text: str) -> bool:
        """Say whether what is quoted stands on a line with the printed word that follows it."""
        quoted = set(_quoted(text)) & self._printed_words
        waiting: set[str] = set()
        for word in _tokens(text):
            if word in quoted:
                waiting.add(stem(word))
            elif not _is_number(word) and not _is_frame(word):
                if any(stem(word) in line for line in self._line_stems) and not all(
                    any({stem(word), name} <= line for line in self._line_stems) for name in waiting
                ):
                    return False
                waiting = set()
        return True

    def _names_what_is_used(self, text: str) -> bool:
        """Say whether a sentence tells that the program uses a name, and it does.

        A name of the source in any other sentence says nothing about what came out.
        """
        said = stems(text)
        if not (said & _USING and said & _PROGRAM):
            return False
        return any(word in self._used for word in _quoted(text) or _tokens(text))

    def _items(self, sentence: str) -> Iterator[str | None]:
        """Yield what has to stand in the output; None where something stands nowhere."""
        at = 0
        for match in _MARKED.finditer(sentence):
            yield from self._plain_items(sentence[at : match.start()])
            yield from self._marked_items(match.group())
            at = match.end()
        yield from self._plain_items(sentence[at:])

    def _marked_items(self, text: str) -> Iterator[str | None]:
        words = _tokens(text)
        if all(self._is_printed(word) for word in words):
            yield from words
        elif not self._stands(text) and not set(words) <= self._used | set(self._goal):
            yield None

    def _stands(self, marked: str) -> bool:
        """Say whether what is quoted stands in goal, source or output, letter by letter."""
        return marked.strip("`\"“”'‘’").lower() in self._text  # noqa: RUF001

    def _plain_items(self, text: str) -> Iterator[str | None]:
        for word, following in pairwise((*_tokens(text), "")):
            if self._is_asked(word, following) or self._is_counted(word, following):
                continue
            if self._is_printed(word):
                if _is_number(word) or not _is_frame(word):
                    yield word
            elif self._is_printed(_NUMBER_WORDS.get(word, "")):
                yield _NUMBER_WORDS[word]
            elif _is_number(word) or (word in _NUMBER_WORDS and word not in {"one", *self._goal}):
                yield None

    def _is_asked(self, number: str, following: str) -> bool:
        """Say whether it is a number that the goal has before the same word."""
        is_number = _is_number(number) or number in _NUMBER_WORDS
        return is_number and (number, following) in pairwise((*self._goal, ""))

    def _is_counted(self, number: str, following: str) -> bool:
        """Say whether the things are numbered up to it: with `task-5` last, there are five."""
        last = _NUMBER_WORDS.get(number, number)
        name = stem(following)
        return (
            last.isdecimal()
            and len(last) <= _COUNT_DIGITS_MAX
            and f"{name}-{last}" in self._words
            and f"{name}-{int(last) + 1}" not in self._words
        )

    def _is_printed(self, item: str) -> bool:
        is_rounded = "." in item and _is_number(item)
        return item in self._printed_words or (
            is_rounded and any(_is_same(item, token) for token in self._printed_words)
        )

    def _has_run(self, items: Sequence[str]) -> bool:
        """Say whether the items stand side by side, from a line's start on or all that there are.

        A number out of the middle of a line may be another thing's than the sentence says.
        """
        numbers = [item for item in items if _is_number(item)]
        rows = [self._printed, *(line for line in self._lines if len(numbers) > 1)]
        is_all = any(_are_same(numbers, list(filter(_is_number, row))) for row in rows)
        return any(
            _are_same(items, self._printed[at : at + len(items)])
            and (at in self._starts or not numbers or is_all)
            for at in range(len(self._printed))
        )

    def _is_labelled(self, words: Sequence[str]) -> bool:
        """Say whether each number stands behind the label that it has on a line of its own.

        Of "largest value" both words have to be on the line; one label counts for all numbers.
        """
        named = [stem(word) for word in words if stem(word) in self._labels]
        common = set.intersection(*(self._labels[name] for name in named)) if named else set()
        meant = common
        for word in words:
            if not common and stem(word) in self._labels:
                meant = meant & self._labels[stem(word)] or self._labels[stem(word)]
            if self._is_value(word) and not self._is_on(meant, word):
                return False
        return bool(named)

    def _is_value(self, word: str) -> bool:
        return _is_number(word) and word not in self._goal

    def _is_on(self, places: Iterable[int], word: str) -> bool:
        return any(_is_same(word, token) for at in places for token in self._lines[at])


def _labels(lines: Sequence[Sequence[str]]) -> dict[str, set[int]]:
    """Return the words of the lines that have one number, with the places of these lines."""
    found: dict[str, set[int]] = {}
    for at, line in enumerate(lines):
        words = [token for token in line if not _is_number(token)]
        if len(line) - len(words) == 1:
            for word in words:
                found.setdefault(stem(word), set()).add(at)
    return found


def _tokens(text: str) -> list[str]:
    """Return words and numbers, lower-case; `1,000` is `1000`."""
    plain = _THOUSANDS.sub(lambda match: match.group().replace(",", ""), text)
    return _TOKEN.findall(plain.lower())


def _quoted(text: str) -> list[str]:
    """Return the words between quotation marks and backticks, without numbers."""
    found = (word for match in _MARKED.finditer(text) for word in _tokens(match.group()))
    return [word for word in found if not _is_number(word)]


def _is_number(token: str) -> bool:
    return token[-1:].isdigit() and token.lstrip("-")[0].isdigit()


def _is_frame(word: str) -> bool:
    """Say whether a word says nothing of a program that could be right or wrong."""
    is_small = len(word) < _LENGTH_MIN or word in _SMALL or word in _NUMBER_WORDS
    return is_small or stem(word) in FRAME_STEMS


def _is_same(said: str, printed: str) -> bool:
    """Say whether a token is the printed one; a decimal number may be rounded."""
    if said == printed or not ("." in said and _is_number(said) and _is_number(printed)):
        return said == printed
    places = len(said.partition(".")[2])
    try:
        return f"{float(printed):.{places}f}" == said
    except ValueError:
        return False


def _are_same(said: Sequence[str], printed: Sequence[str]) -> bool:
    return len(said) == len(printed) and all(map(_is_same, said, printed))
