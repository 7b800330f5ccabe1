"""What a goal asks for, read from its words: a program or not, and about what.

Pure heuristics in one place. `agents.planning` decides with them whether the standard workflow has
a Coder, `agents.coder` and `agents.programs.candidates` what a program must be about.
"""

from __future__ import annotations

import re

from agents.evidence.languages import language_of
from agents.evidence.sentences import sentences
from agents.evidence.words import stem, words

_MAKE = (
    r"(?:write|implement|creat\w+|make|build|develop|produce|generate|show|give|provide|add|print|"
    r"demonstrat\w+|illustrat\w+|prov\w+|need|want|include|including|with|schreib\w*|zeig\w*)"
)
_PROGRAM = (
    r"(?:programs?|programmes?|scripts?|code|snippets?|one-liners?|programm\w*|skript\w*|"
    r"implementations?|(?:python|runnable|executable|working|code) (?:examples?|demos?|classe?s?)|"
    r"python functions?|functions? (?:that|which|to|for)|algorithms?)"
)
_CLAUSE = r"(?:^|[.,;:!?]\s+|\b(?:and|then|also|please|to|me|you) )"
_SHOWS = r"(?:prints?|shows?|computes?|calculates?|counts?|finds?|sorts?|returns?|outputs?)"
_EXPLICIT = (
    rf"\b{_MAKE}\b[^.!?;]{{0,60}}?\b{_PROGRAM}\b",
    rf"\b{_PROGRAM} (?:that|which|to|for|in|using|with)\b[^.!?;]{{0,80}}\b{_SHOWS}\b",
    r"\b(?:run|execute|test|try) (?:it|this|that|them|the (?:program|code|script))\b",
    rf"{_CLAUSE}(?:implement|compute|calculate|simulate|code up|program)\b",
    rf"^(?:a |the |short |simple |python )*{_PROGRAM} (?:for|to|that|which|in)\b",
)
_VERBS = (
    "use|using|demonstrate|count|sort|find|print|solve|evaluate|convert|parse|generate|plot|"
    "reverse|merge|sum|add up|multiply"
)
_IMPLICIT = (
    rf"(?:^|[.,;:!?]\s+|\b(?:and|then|also|please) )(?:{_VERBS})\b",
    r"\bhow (?:do|can|could|would|should|to)\b.{0,80}\b(?:in|with|using) (?:code|\w+\(\)|`)",
    r"\bin python\b",
)
_REFUSAL = (
    rf"\b(?:no|without(?: any| a)?|not (?:need|want|write|include)(?: any| a)?|(?:do not|don't) "
    rf"(?:write|need|want|show|include)(?: any| a| me)*) (?:\w+ )?{_PROGRAM}"
)


def _pattern(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)


_IS_EXPLICIT = _pattern(*_EXPLICIT)
_IS_WISH = _pattern(*_EXPLICIT, *_IMPLICIT)
_IS_REFUSED = _pattern(_REFUSAL)
_GOAL_LENGTH_MAX = 20_000
_FORM = (
    "write program script code snippet python show print run execute create make give explain "
    "describe what how why answer question document source cite citation short small simple "
    "example please use work result output demonstrate illustrate implement find help want know "
    "compute calculate stdout line task goal research passage runnable tell me"
)
_ABOUT_THE_FORM = frozenset(stem(word, "en") for word in _FORM.split())


def wants_program(goal: str, *, explicitly: bool = False) -> bool:
    """Say whether a goal asks for something to be programmed or computed.

    Words such as 'write a program', 'script', 'code', 'run it', 'implement', 'compute' say so, and
    with ``explicitly`` only these. Otherwise so do 'use', 'count', 'sort', 'in Python' where they
    open a sentence or a clause. 'No code' and the like say the opposite.
    """
    goal = goal[:_GOAL_LENGTH_MAX]
    if _IS_REFUSED.search(goal):
        return False
    return bool((_IS_EXPLICIT if explicitly else _IS_WISH).search(goal))


def program_wish(goal: str) -> str:
    """Return the sentences of a goal that ask for a program; all of it where none stands out."""
    goal = goal[:_GOAL_LENGTH_MAX]
    asking = [
        goal[span.start : span.end]
        for span in sentences(goal, language_of(goal))
        if _IS_EXPLICIT.search(goal[span.start : span.end])
    ]
    return "\n".join(asking) or goal


def questions(text: str) -> list[str]:
    """Return the sentences of a text that ask or order something else than a program."""
    text = text[:_GOAL_LENGTH_MAX]
    found = (text[span.start : span.end] for span in sentences(text, language_of(text)))
    return [each for each in found if subject(each) and not _IS_EXPLICIT.search(each)] or [text]


def subject(text: str) -> frozenset[str]:
    """Return the stems of what a question or an order is about, without words for its form."""
    sample = text[:_GOAL_LENGTH_MAX]
    said = words(sample, language_of(sample))
    keys = {word.key for word in said if word.has_content and not word.guard}
    return frozenset(
        key for key in keys if key not in _ABOUT_THE_FORM and (len(key) > 1 or key.isdecimal())
    )
