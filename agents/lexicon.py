"""English words by what they do in a sentence, and the stem of all the others.

Plain data for `agents.claims`; no other module looks words up. A word that is in no set here has
content: a claim may use it only where the source does.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _classes(table: dict[str, str]) -> MappingProxyType[str, str]:
    return MappingProxyType({word: name for name, text in table.items() for word in text.split()})


SILENT: Final = _words(
    "a an the this that's these those its their his her our your my it they he she we you i them "
    "him us there here so thus therefore hence also too then simply itself themselves itself "
    "do does doing such very own namely please called named being be been get gets"
)
"""Says nothing that could be wrong. Pronouns are here; `PRONOUNS` are judged by their place."""

PRONOUNS: Final = _words("it they he she this these those its their his her both we")
"""At the head of a sentence they stand for what an earlier one was about."""

PHRASES: Final = (
    ("at most|up to|no more than|not more than|a maximum of|maximum of", "atmost"),
    ("at least|no less than|not less than|no fewer than|a minimum of|minimum of", "atleast"),
    ("no longer|not anymore", "nolonger"),
    ("as well as|and also", "and"),
    ("in order to", "to"),
    ("such as|for example|for instance|e\\.g\\.|i\\.e\\.", ", which"),
    ("due to|because of", "because"),
    ("(?:provided|providing) that", "if"),
)
"""Turns of several words, as regular expressions, and the one word they are read as."""

NAMES: Final = _words("May Will IT US WHO")
"""Written so, inside a sentence, they are names and no function words."""

COPULAS: Final = _words("is are am was were")

PREPOSITIONS: Final = _words(
    "of in on at for by with to from into onto than as over under above below before after "
    "between among against within through during since per across around toward towards upon "
    "via inside outside behind beside besides beyond like unlike despite versus vs because "
    "along up down out off instead about near throughout whose"
)

CONJUNCTIONS: Final = MappingProxyType({"and": "and", "&": "and", "or": "or", "nor": "or"})

BREAKS: Final = _words(
    "but while whereas although though however yet which who whom that where whereby so plus"
)
"""Words after which a clause of its own may begin."""

QUALIFIERS: Final = _classes(
    {
        "never": "never",
        "not": "not no none nobody nothing neither nor cannot hardly scarcely barely non "
        "nowhere unable",
        "without": "without lacks lacking lack except excluding excepting",
        "all": "all every each everything everyone everybody always entire whole entirely fully "
        "completely invariably totally absolutely",
        "any": "any anything anyone either whichever whatever ever",
        "some": "some several certain partly partially part",
        "most": "most mostly majority largely mainly usually typically generally often commonly "
        "normally frequently primarily chiefly",
        "many": "many numerous much lots",
        "few": "few little rarely seldom occasionally sometimes infrequently",
        "only": "only solely exclusively merely just alone",
        "more": "more further additional greater exceeding exceeds",
        "less": "less fewer lesser",
        "at least": "atleast least minimum",
        "at most": "atmost maximum",
        "no longer": "nolonger",
        "may": "may might could possibly perhaps maybe potentially optionally",
        "can": "can able capable",
        "must": "must required requires require needs need needed necessary mandatory",
        "should": "should ought recommended advisable recommends recommend",
        "will": "will shall soon eventually going upcoming planned",
        "would": "would",
        "likely": "probably likely presumably apparently seemingly seems seem appears supposedly "
        "allegedly reportedly arguably theoretically",
        "about": "approximately roughly nearly almost circa ca virtually approx ~",
        "if": "if when whenever unless until once assuming whether otherwise",
        "was": "was were had did wasn weren hadn didn",
        "formerly": "formerly previously originally",
        "same": "same equal equals equally",
        "different": "different other another else",
        "still": "still already",
    }
)
"""Words that change how much a sentence claims: claim and source must have the same ones."""

DOUBTS: Final = _words(
    "say says said claim claims claimed believe believes believed argue argues argued think thinks "
    "thought suggest suggests suggested allege alleges alleged assume assumes assumed suppose "
    "supposes supposed hope hopes hoped expect expects expected propose proposes proposed doubt "
    "doubts doubted deny denies denied refuse refuses refused pretend pretends myth rumour rumor "
    "false untrue wrong incorrect incorrectly wrongly mistaken fail fails failed avoid avoids "
    "avoided prevent prevents prevented stop stops stopped forbid forbids forbidden prohibit "
    "prohibits prohibited disallow disallows ask asks asked try tries tried attempt attempts "
    "attempted rumored rumoured according imagine hypothetically contrary misconception "
    "speculate speculates speculated predict predicts predicted rather"
)
"""Around them a sentence may report what isn't so: a claim may not leave them out."""

FOREIGN: Final = _words(
    "der das und ist nicht ein eine den dem von mit auf wird sind kein nie les des du est une pas "
    "et dans pour que qui ne el los las una es en por para con del il che di della sono het een "
    "niet van zijn um uma como och att inte ett som og ikke nie jest bir bu je nem az egy"
)
"""Little words of other languages: where there are more of them, the rules do not hold."""

GENERIC: Final = _words("function method module class library package object command option")
"""Says nothing beside a name: 'the `heapq` module' is `heapq`."""

_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
)
NUMBERS: Final = MappingProxyType(
    {word: str(number) for number, word in enumerate(_UP_TO_TWENTY.split())}
    | {
        "dozen": "12",
        "hundred": "100",
        "thousand": "1000",
        "million": "1000000",
        "billion": "1000000000",
        "thirty": "30",
        "forty": "40",
        "fifty": "50",
        "sixty": "60",
        "seventy": "70",
        "eighty": "80",
        "ninety": "90",
        "half": "1/2",
        "twice": "x2",
        "double": "x2",
        "doubles": "x2",
        "doubled": "x2",
        "triple": "x3",
    }
)

_VOWEL = re.compile(r"[aeiouy]")
_STEM_MIN = 3


def _bare(word: str) -> str:
    for ending, instead in (("ies", "y"), ("ied", "y"), ("sses", "ss"), ("ing", ""), ("ed", "")):
        if word.endswith(ending):
            rest = word[: -len(ending)] + instead
            if len(rest) < _STEM_MIN or not _VOWEL.search(rest):
                return word
            return rest if instead else _undoubled(rest)
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > _STEM_MIN:
        word = word[:-1]
        if word.endswith(("she", "che", "xe", "zze", "sse")):
            return word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > _STEM_MIN else word


def _undoubled(word: str) -> str:
    """Undo what -ing and -ed did: 'stopp' to 'stop'; 'fall' and 'add' stay."""
    if word[-1] == word[-2] and word[-1] not in "lszaeiou" and len(word) > _STEM_MIN:
        return word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > _STEM_MIN else word


_SAME = MappingProxyType(
    {
        _bare(word): _bare(words.split()[0])
        for words in (
            "return yield",
            "millisecond ms msec",
            "second sec",
            "minute min",
            "hour hr",
            "kilobyte kb",
            "megabyte mb",
            "gigabyte gb",
            "terabyte tb",
            "percent percentage pct",
            "contain include comprise",
            "begin start",
            "big large",
            "bigger larger",
            "biggest largest",
            "small little",
            "fast quick rapid",
            "faster quicker",
            "fastest quickest",
            "error exception",
            "provide offer supply",
            "use utilise utilize employ",
            "create build construct",
            "remove delete",
            "show display",
            "element item",
            "argument parameter",
            "directory folder",
            "allow let permit",
            "run execute",
            "keep maintain",
            "have has having",
            "purchase buy",
            "january jan",
            "february feb",
            "august aug",
            "september sept",
            "october oct",
            "november nov",
            "december dec",
        )
        for word in words.split()
    }
)
"""Stems that may stand for each other, by the one they are read as."""


def stem(word: str) -> str:
    """Return a lower-case word without plural, -ing, -ed and a final e; never -er, -est, un-.

    Words of one meaning have one stem.
    """
    bare = _bare(word)
    return _SAME.get(bare, bare)
