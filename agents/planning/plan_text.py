"""The Manager's plan: read from a model's text while it streams, judged, or made by rule.

Pure. `PlanReader` takes the text piece by piece, skips prose and code fences, and gives each step
as its closing brace arrives; what can't become a sound plan is refused at once, in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import ijson  # type: ignore[import-untyped]  # it ships no types
from ijson.common import ObjectBuilder  # type: ignore[import-untyped]  # as above

from agents.wishes import wants_program
from cluster.kernel.ids import ANSWER_STEP, PLAN_STEP, StepId, role_of
from cluster.kernel.tasks import Plan, Role, Step

STEPS_MAX = 12
INSTRUCTION_LENGTH_MAX = 2_000
TEXT_LENGTH_MAX = 65_536
MANAGER = "manager"
RESEARCHER = "researcher"
CODER = "coder"

_ASSIGNMENT = "Assignment"
_GIVES = {RESEARCHER: "Finding", CODER: "Program"}
"""What a step of a standard role comes to."""
_DEPTH_MAX = 6
_STEP_DEPTH = 3
_MEMBERS_MAX = 6
_PARTS_MAX = 64
_PREFACE_LENGTH_MAX = 1_500
_NO_STEPS = "the JSON object is no plan: it does not begin with a list of steps"
_PROSE_LENGTH_MAX = 3_000
_JSON_START = re.compile(r"\{\s{0,40}\"\w{1,40}\"\s{0,40}:")
_JSON_START_LENGTH = 124
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_OWN_STEPS = frozenset({PLAN_STEP, ANSWER_STEP})


class UnsoundPlan(ValueError):
    """A text is no plan that could be carried out; the message says what is wrong with it."""


class PlanReader:
    """Reads one plan over the given roles from a streamed text.

    Raises:
        UnsoundPlan: from every method, as soon as it is certain that no sound plan will come.
    """

    def __init__(self, roles: Sequence[Role]) -> None:
        self._roles = {role.name: role for role in roles}
        self._steps: dict[StepId, Step] = {}
        self._length = 0
        self._prose = ""
        self._prose_length = 0
        self._json: _StepsJson | None = None
        self.is_complete = False
        """Whether the plan's JSON object is closed."""

    def feed(self, text: str) -> list[Step]:
        """Take the next piece of text; return the steps that it completed."""
        self._length += len(text)
        if self._length > TEXT_LENGTH_MAX:
            raise UnsoundPlan(f"the plan is longer than {TEXT_LENGTH_MAX} characters")
        if self.is_complete:
            return []
        if self._json is None:
            text = self._skip_prose(text)
        if self._json is None:
            return []
        objects = self._json.feed(text)
        self.is_complete = self._json.is_complete
        return [self._add(each) for each in objects]

    def plan(self) -> Plan:
        """Return the whole plan."""
        if not self.is_complete:
            raise UnsoundPlan(
                "the plan breaks off" if self._json else "there is no JSON object in the text"
            )
        if not self._steps:
            raise UnsoundPlan("the plan has no steps")
        plan = Plan(tuple(self._steps.values()))
        check_needs(plan)
        for step in plan.steps:
            self._check_input(step)
        return plan

    def _skip_prose(self, text: str) -> str:
        """Return the text from the JSON object's start on; empty where it has not come."""
        seen = self._prose + text
        start = _JSON_START.search(seen)
        if start is not None:
            self._json = _StepsJson()
            return seen[start.start() :]
        self._prose_length += len(text)
        if self._prose_length > _PROSE_LENGTH_MAX:
            raise UnsoundPlan("there is no JSON object in the text")
        self._prose = seen[-_JSON_START_LENGTH:]
        return ""

    def _add(self, value: object) -> Step:
        if len(self._steps) == STEPS_MAX:
            raise UnsoundPlan(f"the plan has more than {STEPS_MAX} steps")
        step = _step(value)
        if step.agent not in self._roles:
            known = ", ".join(self._roles) or "none"
            raise UnsoundPlan(f"step {step.id!r} is for {step.agent!r}; the agents are: {known}")
        if step.id in self._steps:
            raise UnsoundPlan(f"two steps have the id {step.id!r}")
        for other in self._steps.values():
            if (other.agent, other.instruction) == (step.agent, step.instruction):
                raise UnsoundPlan(f"the steps {other.id!r} and {step.id!r} are the same")
        self._steps[step.id] = step
        return step

    def _check_input(self, step: Step) -> None:
        """Refuse a step whose agent takes only results of a kind that it doesn't get."""
        handled = self._roles[step.agent].handles
        gives = {_GIVES.get(self._steps[need].agent, "") for need in step.needs}
        known = set(handled) & set(_GIVES.values())
        is_open = not known or len(known) < len(handled) or "" in gives
        if not is_open and not known & gives:
            wanted = " or ".join(sorted(known))
            raise UnsoundPlan(f"step {step.id!r} needs no step that gives a {wanted}")


class _StepsJson:
    """The objects in the list ``steps`` of one streamed JSON object."""

    def __init__(self) -> None:
        self._events: list[tuple[str, Any]] = []
        self._parser: Any = ijson.basic_parse_coro(_Collector(self._events), use_float=True)
        self._builder: ObjectBuilder | None = None
        self._parts = 0
        self._key = ""
        self._depth = 0
        self._members = 0
        self._length = 0
        self._has_steps = False
        self.is_complete = False

    def feed(self, text: str) -> list[object]:
        """Return the objects that the text completed."""
        self._length += len(text)
        try:
            self._parser.send(text.encode(errors="replace"))
        except (ijson.JSONError, UnicodeDecodeError) as error:
            if not self._closes():
                raise UnsoundPlan("the plan is no valid JSON") from error
        events, self._events[:] = list(self._events), []
        made = [each for event, value in events for each in self._take(event, value)]
        if not self._has_steps and self._length > _PREFACE_LENGTH_MAX:
            raise UnsoundPlan(_NO_STEPS)
        return made

    def _closes(self) -> bool:
        """Say whether the object ended before the parser met what it could not read."""
        depth = self._depth
        for event, _ in self._events:
            depth += (event in _OPENING) - (event in _CLOSING)
            if not depth:
                return True
        return False

    def _take(self, event: str, value: object) -> list[object]:
        if self.is_complete:
            return []
        self._depth += event in _OPENING
        if self._depth > _DEPTH_MAX:
            raise UnsoundPlan(f"the plan is nested deeper than {_DEPTH_MAX} levels")
        made: list[object] = []
        if self._depth == 1 and event == "map_key":
            self._open_member(str(value))
        elif self._depth > 1 and event in _OPENING and not self._has_steps:
            raise UnsoundPlan(_NO_STEPS)
        elif self._key == "steps" and self._depth >= _STEP_DEPTH:
            made = self._build(event, value)
        elif self._key == "steps" and self._depth == _STEP_DEPTH - 1 and event not in _LIST:
            raise UnsoundPlan("a step of the plan is no JSON object")
        self._depth -= event in _CLOSING
        self.is_complete = not self._depth
        return made

    def _open_member(self, key: str) -> None:
        self._key = key
        self._members += 1
        self._has_steps |= key == "steps"
        if self._members > _MEMBERS_MAX:
            raise UnsoundPlan(_NO_STEPS)

    def _build(self, event: str, value: object) -> list[object]:
        if self._builder is None:
            self._builder = ObjectBuilder()
        self._builder.event(event, value)
        self._parts += 1
        if self._parts > _PARTS_MAX:
            raise UnsoundPlan("a step of the plan has too many parts")
        if self._depth == _STEP_DEPTH and event in _CLOSING:
            built, self._builder, self._parts = self._builder.value, None, 0
            return [built]
        return []


_OPENING = frozenset({"start_map", "start_array"})
_CLOSING = frozenset({"end_map", "end_array"})
_LIST = frozenset({"start_array", "end_array"})


class _Collector:
    """The end of ijson's chain of coroutines: keeps what it is sent."""

    def __init__(self, events: list[tuple[str, Any]]) -> None:
        self.send = events.append


def parse_plan(text: str, roles: Sequence[Role]) -> Plan:
    """Return the plan in a text.

    Raises:
        UnsoundPlan: there is none, or it could not be carried out.
    """
    reader = PlanReader(roles)
    reader.feed(text)
    return reader.plan()


def check_needs(plan: Plan) -> None:
    """Refuse a plan with a need of an unknown step or of itself.

    Raises:
        UnsoundPlan: says which steps.
    """
    waiting: dict[StepId, set[StepId]] = {step.id: set(step.needs) for step in plan.steps}
    for step_id, needs in waiting.items():
        for need in sorted(needs - waiting.keys()):
            raise UnsoundPlan(f"step {step_id!r} needs {need!r}, which is no step of the plan")
    while waiting:
        ready = {step_id for step_id, needs in waiting.items() if not needs & waiting.keys()}
        if not ready:
            raise UnsoundPlan(f"the steps {', '.join(waiting)} wait for each other")
        waiting = {step_id: needs for step_id, needs in waiting.items() if step_id not in ready}


def _step(value: object) -> Step:
    if not isinstance(value, Mapping):
        raise UnsoundPlan("a step of the plan is no JSON object")
    step_id = _id(value.get("id"), "a step's id")
    if step_id in _OWN_STEPS:
        raise UnsoundPlan(f"no step may have the id {step_id!r}")
    agent, instruction, needs = (value.get(key) for key in ("agent", "instruction", "needs"))
    if not isinstance(agent, str):
        raise UnsoundPlan(f"step {step_id!r} names no agent")
    if not isinstance(instruction, str) or not instruction.strip():
        raise UnsoundPlan(f"step {step_id!r} has no instruction")
    if len(instruction) > INSTRUCTION_LENGTH_MAX:
        raise UnsoundPlan(
            f"the instruction of step {step_id!r} is over {INSTRUCTION_LENGTH_MAX} characters"
        )
    if needs is not None and (not isinstance(needs, list) or len(needs) > STEPS_MAX):
        raise UnsoundPlan(f"the needs of step {step_id!r} are no list of step ids")
    ids = dict.fromkeys(_id(need, f"a need of step {step_id!r}") for need in needs or ())
    return Step(step_id, role_of(agent.strip().lower()), instruction.strip(), tuple(ids))


def _id(value: object, what: str) -> StepId:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise UnsoundPlan(f"{what} is no short name of letters and digits")
    return StepId(text)


def standard_workflow(goal: str, roles: Sequence[Role], *, has_knowledge: bool) -> Plan:
    """Return the plan that needs no model: research, code if wanted, then the users' own agents.

    The Coder waits for the research where there is knowledge to be found. An agent that handles a
    Program follows the Coder, one that handles a Finding the Researcher.
    """
    names = {role.name for role in roles}
    instruction = goal.strip()[:INSTRUCTION_LENGTH_MAX]
    steps: list[Step] = []
    if RESEARCHER in names:
        steps.append(Step(StepId("r1"), RESEARCHER, instruction))
    if CODER in names and (wants_program(goal) or not steps):
        needs = tuple(step.id for step in steps) if has_knowledge else ()
        steps.append(Step(StepId("c1"), CODER, instruction, needs))
    source_of = {_GIVES[step.agent]: step.id for step in steps}
    for role in roles:
        source = source_of.get("Program" if "Program" in role.handles else "Finding")
        is_own = role.name not in {MANAGER, RESEARCHER, CODER}
        if is_own and source and not {"Program", "Finding"}.isdisjoint(role.handles):
            own_id = StepId(f"u{len(steps)}")
            steps.append(Step(own_id, role.name, instruction, (source,)))
    return Plan(tuple(steps[:STEPS_MAX]))


def with_coder(plan: Plan, goal: str, roles: Sequence[Role]) -> Plan:
    """Return the plan with a step for the program that the goal asks for in so many words.

    The plan comes back unchanged where it has such a step, where none is asked for or no Coder is
    there, and where it is full.
    """
    agents = {step.agent for step in plan.steps}
    is_wanted = wants_program(goal, explicitly=True) and CODER not in agents
    is_possible = any(role.name == CODER for role in roles) and len(plan.steps) < STEPS_MAX
    if not (is_wanted and is_possible):
        return plan
    taken = {step.id for step in plan.steps}
    step_id = next(StepId(f"c{n}") for n in range(1, STEPS_MAX + 2) if f"c{n}" not in taken)
    needs = tuple(step.id for step in plan.steps if step.agent == RESEARCHER)
    instruction = goal.strip()[:INSTRUCTION_LENGTH_MAX]
    return Plan((*plan.steps, Step(step_id, CODER, instruction, needs)))
