"""The parts that the simulated model can play: Manager, Researcher and Coder as text functions.

Pure and deterministic. Used by `agents.models.simulated.model` and by the benchmarks' model server,
so that both say the same. Each reads only a prompt as `agents.prompts` writes them, and is tolerant
about its wording. What comes out is sound where the prompt allows it: plans over the roles there
are, sentences of the passages word for word, programs that were shown as examples.
"""

from __future__ import annotations

import ast
import json
import re

from agents.evidence.languages import language_of
from agents.evidence.sentences import Place, sentences
from agents.evidence.topic import NOT_FOUND
from agents.models.port import Request
from agents.models.simulated.script import ANY_STEP, NO_LINES, Line, Lines
from agents.planning.intent import wants_program
from cluster.kernel.roles import CODER, MANAGER, RESEARCHER

_PROSE = (Place.PARAGRAPH, Place.ITEM)
_SENTENCES_MAX = 3
_WORDS_MIN = 4
_CITED_MAX = 12
_TINY_PROGRAM = "print(sum(range(10)))\n"
_STANDARD = (RESEARCHER, CODER)
_STEM = 5
"""Letters that the goal must share with a role of the user's own for it to get a step."""

_PART = re.compile(r"\s*You are the (\w+)", re.IGNORECASE)
_DATA = re.compile(r"^<(\w+)>$.*?^</\1>$", re.MULTILINE | re.DOTALL)
_FAILED = re.compile(r"^<program>$(.*?)^</program>$", re.MULTILINE | re.DOTALL)
_LABELLED = re.compile(
    r"^\W*(?:goal|question|instruction|task)\W*:(.+)", re.MULTILINE | re.IGNORECASE | re.DOTALL
)
_BULLET = re.compile(r"^\s*[-*]\s*[`*\"]*([a-z][\w-]*)[`*\"]*\s*:", re.MULTILINE)
_PASSAGE = re.compile(r"^\[(\d+)\][^\n]*\n(.*?)(?=^\[\d+\]|^</|\Z)", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```[ \t]*(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"^(?:Quotes:|\[\d+\] .*)$", re.MULTILINE)
_CITED = re.compile(r"\[\d+\]")
_RIVALS = "<rivals>"
_CONTENT_WORD = re.compile(r"[a-z0-9]{4,}")


def reply(request: Request, lines: Lines = NO_LINES) -> Line:
    """Return what is said to a request: the scripted line, else what the agent's part comes to."""
    agent = _agent_of(request)
    scripted = lines.get(agent, {})
    line = scripted.get(request.asker.step) or scripted.get(ANY_STEP)
    if line is not None:
        return line
    prompt = "\n\n".join(message.text for message in request.messages if message.role != "system")
    if agent == MANAGER and _RIVALS in prompt:
        return Line(json.dumps({"value": 1}))  # what stands there already
    if agent == MANAGER:
        is_plan = request.asker.step == "plan" or request.wants_json
        system = "\n".join(text.text for text in request.messages if text.role == "system")
        return Line(plan(system, prompt) if is_plan else answer(prompt))
    if agent == RESEARCHER:
        return Line(research(prompt))
    if agent == CODER:
        return Line(code(prompt))
    return Line(f"The {agent or 'agent'} has read this and has nothing to add.")


def _agent_of(request: Request) -> str:
    """Return the role that the system prompt's first words name, else the one that asks."""
    for message in request.messages:
        if message.role == "system" and (match := _PART.match(message.text)):
            return match[1].lower()
    return request.asker.agent.lower()


def plan(system: str, prompt: str) -> str:
    """Return a plan as one JSON object: research, code if a program is asked for, own agents."""
    goal = goal_of(prompt)
    roles = _roles(f"{system}\n{prompt}")
    agents = [role for role in roles if role == RESEARCHER]
    if CODER in roles and (wants_program(goal) or not agents):
        agents.append(CODER)
    own = (role for role in roles if role not in {MANAGER, *_STANDARD})
    agents += [role for role in own if role[:_STEM] in goal.lower()]
    steps: list[dict[str, object]] = []
    for number, agent in enumerate(agents, start=1):
        needs = [steps[-1]["id"]] if steps else []
        step_id = f"{agent[0]}{number}"
        steps.append({"id": step_id, "agent": agent, "instruction": goal, "needs": needs})
    return json.dumps({"steps": steps}, ensure_ascii=False)


def goal_of(prompt: str) -> str:
    """Return the goal, question or task that a prompt names, else its first paragraph; one line."""
    told = _DATA.sub("", prompt).strip()
    named = _LABELLED.search(told)
    return " ".join((named[1] if named else told.partition("\n\n")[0]).split())


def _roles(text: str) -> list[str]:
    """Return the roles that a prompt lists; without a list, the standard ones it mentions."""
    lowered = text.lower()
    listed = list(dict.fromkeys(_BULLET.findall(lowered)))
    if any(role in listed for role in _STANDARD):
        return listed
    return [role for role in _STANDARD if role in lowered] or [_STANDARD[0]]


def research(prompt: str) -> str:
    """Return the sentences of the numbered passages that share most words with the question."""
    wanted = _content_words(goal_of(prompt))
    found: list[tuple[int, int, str]] = []
    for number, passage in _PASSAGE.findall(prompt):
        for sentence in _whole_sentences(passage):
            overlap = len(wanted & _content_words(sentence))
            if overlap:
                found.append((-overlap, len(found), f"{sentence[:-1]} [{number}]{sentence[-1]}"))
    best = sorted(found)[:_SENTENCES_MAX]
    return " ".join(text for _, _, text in sorted(best, key=lambda entry: entry[1])) or NOT_FOUND


def _whole_sentences(passage: str) -> list[str]:
    """Return the whole sentences of a passage, each on one line."""
    found = [
        " ".join(passage[span.start : span.end].split())
        for span in sentences(passage, language_of(passage))
        if span.place in _PROSE
    ]
    return [text for text in found if text[-1] in ".!?" and len(text.split()) >= _WORDS_MIN]


def _content_words(text: str) -> set[str]:
    return {word[:6] for word in _CONTENT_WORD.findall(text.lower())}


def code(prompt: str) -> str:
    """Return one fenced program: the first example that parses and has not failed, else a tiny."""
    failed = {block for shown in _FAILED.findall(prompt) for _, block in _FENCE.findall(shown)}
    candidates = (
        block
        for label, block in _FENCE.findall(prompt)
        if block not in failed and _is_python(label, block)
    )
    return f"```python\n{next(candidates, _TINY_PROGRAM)}```\n"


def _is_python(label: str, block: str) -> bool:
    if label.lower() not in {"", "python", "py", "python3"}:
        return False
    try:
        return bool(ast.parse(block).body)
    except (SyntaxError, ValueError):
        return False


def answer(prompt: str) -> str:
    """Return the cited sentences of the results in a prompt, each once, in their order."""
    results = _QUOTED.sub("", prompt)
    spans = sentences(results, language_of(results))
    found = (" ".join(results[span.start : span.end].split()) for span in spans)
    cited = list(dict.fromkeys(text for text in found if _CITED.search(text)))
    return "\n\n".join(cited[:_CITED_MAX]) or f"This is what came of it: {goal_of(prompt)}"
