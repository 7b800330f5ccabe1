"""The parts that the simulated model can play: Manager, Researcher and Coder as text functions.

Each reads only the prompt and is tolerant about its wording. What comes out is sound where the
prompt allows it: plans over the roles there are, verbatim sentences with their citations.
"""

from __future__ import annotations

import ast
import json
import re

from agents.sentences import sentences
from agents.wishes import wants_program

_SENTENCES_MAX = 3
_WORDS_MIN = 4
_LINES_MAX = 12
_TINY_PROGRAM = "print(sum(range(10)))\n"

_BULLET = re.compile(
    r"^\s*[-*]\s*[`*\"]*([a-z][a-z0-9_]*)[`*\"]*\s*(?:\([^)]*\))?\s*:", re.MULTILINE
)
_GOAL = re.compile(
    r"^\W*(?:goal|question|instruction|task)\W*:\W*(.+)", re.MULTILINE | re.IGNORECASE
)
_MARKER = re.compile(r"^[ \t]*\[(\d+)\]", re.MULTILINE)
_CITED = re.compile(r"\[\d+\]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_FENCE = re.compile(r"^```[ \t]*(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CONTENT_WORD = re.compile(r"[a-z0-9]{4,}")


def plan(system: str, prompt: str) -> str:
    """Return a plan as one JSON object: research, code if a program is asked for, own agents."""
    goal = goal_of(prompt)
    roles = _roles(f"{system}\n{prompt}")
    steps: list[dict[str, object]] = []

    def add(prefix: str, agent: str, instruction: str) -> None:
        needs = [steps[-1]["id"]] if steps else []
        steps.append({"id": prefix, "agent": agent, "instruction": instruction, "needs": needs})

    if "researcher" in roles:
        add("r1", "researcher", goal)
    if "coder" in roles and (wants_program(goal) or not steps):
        add("c1", "coder", goal)
    for role in roles:
        if role not in {"manager", "researcher", "coder"} and role[:5] in goal.lower():
            add(f"{role[0]}{len(steps) + 1}", role, goal)
    return json.dumps({"steps": steps}, ensure_ascii=False)


def goal_of(prompt: str) -> str:
    """Return the goal that a prompt names, else its first paragraph, on one line."""
    named = _GOAL.search(prompt)
    text = named[1] if named else prompt.strip().split("\n\n", 1)[0]
    return " ".join(text.split())


def _roles(text: str) -> list[str]:
    """Return the roles that a prompt lists; without a list, the standard ones it mentions."""
    lowered = text.lower()
    listed = dict.fromkeys(_BULLET.findall(lowered))
    if "researcher" in listed or "coder" in listed:
        return list(listed)
    return [role for role in ("researcher", "coder") if role in lowered] or ["researcher"]


def research(prompt: str) -> str:
    """Return the sentences of the numbered passages that share most words with the question."""
    markers = list(_MARKER.finditer(prompt))
    if not markers:
        return "There is no passage to answer from."
    ends = [*(marker.start() for marker in markers[1:]), len(prompt)]
    wanted = _content_words(goal_of(prompt[: markers[0].start()] + prompt[markers[-1].end() :]))
    found: list[tuple[int, int, str]] = []
    for marker, end in zip(markers, ends, strict=True):
        for sentence in _sentences(prompt[marker.end() : end]):
            overlap = len(wanted & _content_words(sentence))
            found.append((-overlap, len(found), f"{sentence[:-1]} [{marker[1]}]{sentence[-1]}"))
    best = sorted(found)[:_SENTENCES_MAX]
    kept = [entry for entry in best if entry[0] < 0] or best[:1]
    chosen = [text for _, _, text in sorted(kept, key=lambda entry: entry[1])]
    return " ".join(chosen) or "The passages do not answer this."


def _sentences(passage: str) -> list[str]:
    """Return the whole sentences of a passage, each on one line."""
    found = [" ".join(passage[span.start : span.end].split()) for span in sentences(passage)]
    return [text for text in found if text[-1] in ".!?" and len(text.split()) >= _WORDS_MIN]


def _content_words(text: str) -> set[str]:
    return {word[:6] for word in _CONTENT_WORD.findall(text.lower())}


def code(prompt: str) -> str:
    """Return one fenced program: the prompt's first example that parses, else a tiny program.

    A prompt that shows a failure gets the next candidate instead of the one that failed.
    """
    candidates = [block for label, block in _FENCE.findall(prompt) if _is_python(label, block)]
    if "Traceback" in prompt or "exit code" in prompt.lower():
        candidates = candidates[1:]
    return f"```python\n{candidates[0] if candidates else _TINY_PROGRAM}```\n"


def _is_python(label: str, block: str) -> bool:
    if label.lower() not in {"", "python", "py", "python3"}:
        return False
    try:
        return bool(ast.parse(block).body)
    except (SyntaxError, ValueError):
        return False


def answer(prompt: str) -> str:
    """Return the cited sentences of the findings in a prompt, each once, in their order."""
    cited = dict.fromkeys(
        part.strip(" -*>")
        for line in _FENCE.sub("", prompt).splitlines()
        for part in _SENTENCE_END.split(line)
        if _CITED.search(part) and not part.lstrip().startswith("[")
    )
    return "\n\n".join(list(cited)[:_LINES_MAX]) or f"This is what came of it: {goal_of(prompt)}"
