"""What a goal asks of a program: the names it has to use, the values it has to work on.

Pure. `agents.programs.candidates` judges programs by it.
"""

from __future__ import annotations

import builtins
import re
import sys
from dataclasses import dataclass
from keyword import iskeyword

from agents.planning.intent import program_wish, subject

_CODE_SPAN = re.compile(r"(?<!`)`{1,3}([^`\n]{1,80})`{1,3}")
_DOTTED = re.compile(r"\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\b|\b\w+_\w+\b|\b[A-Za-z_]\w*(?=\(\))")
_WORD = re.compile(r"[A-Za-z_]\w*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")
_LIST = re.compile(r"-?\d+(?:\.\d+)?(?:\s{0,3}(?:,|\band\b|\bor\b|;){1,2}\s{0,3}-?\d+(?:\.\d+)?)+")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_TEXT = re.compile(
    r"\b(?:of|in|for|from|to|string|text|word|words|sentence|input|on)\s+"
    r"(?:\w+\s+){0,2}?[\"'“‘]([^\"'“”‘’\n]{2,200})[\"'”’]"  # noqa: RUF001
)
_FIRST_NUMBER_WORD = 2
_NUMBER_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_COUNT_WORD = rf"\d{{1,4}}|{'|'.join(_NUMBER_WORDS)}"
_RANK = (
    "largest smallest biggest greatest longest shortest highest lowest most least first last best "
    "worst nearest closest newest oldest latest"
)
_COUNT = re.compile(
    rf"\b(?P<before>{_COUNT_WORD})\s+(?:{'|'.join(_RANK.split())})\b"
    rf"|\b(?:top|{'|'.join(_RANK.split())})\s+(?P<after>{_COUNT_WORD})\b",
    re.IGNORECASE,
)
_WORDS_TOO = (
    "abc array ast calendar cmd code codes copy email errno glob html imp io keyword locale "
    "logging mailbox marshal numbers operator parser platform profile queue random re resource "
    "sched secrets select selectors shelve signal site statistics string struct symbol syslog "
    "test this threading time timeit token trace types typing warnings wave"
)
_NO_WORDS = (
    "deque defaultdict namedtuple heappush heappop heapify heapreplace heappushpop nlargest "
    "nsmallest bisect_left bisect_right insort lru_cache groupby islice starmap takewhile "
    "dropwhile itemgetter attrgetter dataclass timedelta strptime strftime fsum isqrt gcd lcm "
    "hypot enumerate frozenset isinstance bytearray memoryview"
)
_MEANT = (sys.stdlib_module_names - frozenset(_WORDS_TOO.split())) | frozenset(_NO_WORDS.split())
"""Names of Python that nobody writes by chance; others are asked for where they look like code."""
_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True, slots=True)
class Brief:
    """What a program is asked for."""

    names: frozenset[str] = frozenset()
    """Modules, classes and functions that it has to use."""
    library: frozenset[str] = frozenset()
    """Those of the names that are written behind a module's: its own, not to be made anew."""
    one_of: frozenset[str] = frozenset()
    """Of these it has to use at least one, where there are any."""
    values: tuple[str, ...] = ()
    """Numbers in lists and quoted texts that it has to work on."""
    about: frozenset[str] = frozenset()
    """Stems of the words that it is about."""
    count: str = ""
    """How many results are asked for, as in "the two largest"; empty where it isn't said. A program
    of the model can get them without that number in it; an example of another number doesn't."""


def brief_of(instruction: str, goal: str, known: frozenset[str] = frozenset()) -> Brief:
    """Return what a step's instruction and its goal ask of a program.

    The sentences that ask for the program count; what the others name is asked for only where
    those name nothing. ``known`` are names that the documents use in code: where the goal writes
    them like a word with a capital, they are meant.
    """
    wishes = tuple(dict.fromkeys((program_wish(instruction), program_wish(goal))))
    names = next((found for text in wishes if (found := _names(text, known))), frozenset())
    others = frozenset() if names else _names(instruction, known) or _names(goal, known)
    about = next((found for text in (*wishes, instruction, goal) if (found := subject(text))), None)
    is_one = len(others) == 1 or len(_dotted(instruction, goal)) == 1
    required = names or (others if is_one else frozenset())
    return Brief(
        required,
        required & {code[-1] for code in _dotted(instruction, goal)},
        frozenset() if is_one else others,
        tuple(dict.fromkeys(value for text in wishes for value in _values(text, known))),
        about or frozenset(),
        next((count for text in (*wishes, goal) if (count := _count(text))), ""),
    )


def names_in_code(text: str) -> frozenset[str]:
    """Return the names in the code spans of a Markdown text."""
    spans = _CODE_SPAN.findall(text)
    return frozenset(name for code in spans for name in _WORD.findall(code) if not iskeyword(name))


def _names(text: str, known: frozenset[str]) -> frozenset[str]:
    """Return what a text names of Python and of what the documents use."""
    names = {part for code in _written(text) if _is_known(code, known) for part in _parts(code)}
    for word in _WORD.findall(_CODE_SPAN.sub(" ", text)):
        is_meant = not word.islower() and len(word) > 1 and (word in known or word in _BUILTINS)
        if (word in _MEANT or is_meant) and not iskeyword(word):
            names.add(word)
    return frozenset(name for name in names if name.lower() != "python")


def _values(text: str, known: frozenset[str]) -> list[str]:
    lists = _LIST.findall(_THOUSANDS.sub("", text))
    numbers = [number for each in lists for number in _NUMBER.findall(each)]
    others = [
        code.partition("(")[0]
        for code in _written(text)
        if not _is_known(code, known) and not _is_syntax(code)
    ]
    return [*numbers, *(match.strip() for match in _TEXT.findall(text)), *others]


def _count(text: str) -> str:
    """Return the number in "the two largest", "top 5" and the like, as digits."""
    match = _COUNT.search(text)
    if match is None:
        return ""
    word = (match["before"] or match["after"]).lower()
    return word if word.isdigit() else str(_NUMBER_WORDS.index(word) + _FIRST_NUMBER_WORD)


def _written(text: str) -> list[str]:
    """Return what is written as code: spans, and words with dots, underscores or brackets."""
    return [*_CODE_SPAN.findall(text), *_DOTTED.findall(_CODE_SPAN.sub(" ", text))]


def _dotted(*texts: str) -> set[tuple[str, ...]]:
    """Return the names of the standard library that are written with their module."""
    codes = (tuple(_parts(code)) for text in texts for code in _written(text))
    return {code for code in codes if len(code) > 1 and code[0] in sys.stdlib_module_names}


def _parts(code: str) -> list[str]:
    """Return the names that a piece of code begins with; Python's keywords name nothing."""
    return [name for name in _WORD.findall(code.partition("(")[0]) if not iskeyword(name)]


def _is_syntax(code: str) -> bool:
    """Say whether a piece of code has nothing but keywords, as in "`async with`"."""
    found = _WORD.findall(code)
    return bool(found) and all(map(iskeyword, found))


def _is_known(code: str, known: frozenset[str]) -> bool:
    parts = _parts(code)
    return bool(parts) and (
        parts[0] in sys.stdlib_module_names
        or any(part in known or part in _BUILTINS or part in _MEANT for part in parts)
    )
