"""Which of the agents there are a model meant, where it named another one.

Pure. Called by `agents.planning.mending`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from agents.planning.intent import wants_program
from cluster.kernel.ids import role_of
from cluster.kernel.roles import CODER, MANAGER, RESEARCHER
from cluster.kernel.vocabulary import Role

# The beginnings of words by which models call the two standard roles.
_KIN = {
    CODER: (
        *("cod", "program", "develop", "engineer", "python", "script", "software", "implement"),
        *("execut", "comput", "calculat", "debug", "test"),
    ),
    RESEARCHER: (
        *("research", "search", "writ", "analy", "find", "retriev", "read", "librar", "docu"),
        *("expert", "knowledge", "fact", "compar", "investigat"),
    ),
}
_COMPOSING = ("manage", "summar", "answer", "compos", "synthes", "aggregat", "final", "report")
_WORD = re.compile(r"[^\W_]+")
_STEM_LENGTH = 5
_TELLING_MIN = 4


def named_role(agent: str, roles: Sequence[Role]) -> Role | None:
    """Return the role that a text names, be it as an agent's id or with words around it."""
    spelled = agent.strip().casefold()
    names = {role.name.casefold(): role for role in roles}
    words = _words(spelled)
    found = (names[name] for name in (spelled, role_of(spelled), *words) if name in names)
    return next(found, None)


def composes(agent: str) -> bool:
    """Say whether a text names who writes the answer, which is the Manager's own work."""
    words = _words(agent)
    return any(word.startswith(_COMPOSING) for word in words) or agent == MANAGER


def nearest_role(agent: str, instruction: str, roles: Sequence[Role]) -> Role | None:
    """Return the role that a step for an unknown agent goes to; None where none is left."""
    names = {role.name: role for role in roles}
    words = _words(agent)
    for name, beginnings in _KIN.items():
        if name in names and any(word.startswith(beginnings) for word in words):
            return names[name]
    stems = _stems(words)
    likeness = {role.name: len(stems & _stems(_words(role.purpose))) for role in roles}
    best = max(likeness, key=lambda name: likeness[name], default="")
    if likeness.get(best):
        return names[best]
    order = (CODER, RESEARCHER) if wants_program(instruction, explicitly=True) else (RESEARCHER,)
    return next((names[name] for name in (*order, CODER) if name in names), None)


def echoes(instruction: str, role: Role) -> bool:
    """Say whether an instruction has no word but those that say what its agent is for."""
    words = _words(instruction)
    telling = [word for word in words if len(word) >= _TELLING_MIN or not _is_latin(word)]
    known = {word[:_STEM_LENGTH] for word in _words(role.purpose)}
    return all(word[:_STEM_LENGTH] in known for word in telling or words)


def _is_latin(word: str) -> bool:
    return word.isascii() and word.isalpha()


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold()))


def _stems(words: Iterable[str]) -> set[str]:
    return {word[:_STEM_LENGTH] for word in words if len(word) >= _STEM_LENGTH}
