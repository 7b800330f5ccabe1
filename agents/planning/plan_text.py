"""The drafts of a plan, read from a model's text while it streams.

Pure. `PlanText` takes the text piece by piece, skips prose and code fences, and gives each step as
its closing brace arrives; what is no JSON is read leniently once the text has ended. All of it
takes linear time. Used by `agents.planning.plan_reader`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from agents.planning.drafts import Draft, draft, drafts_in, lone_draft
from agents.planning.lenient_json import Unreadable, read_json
from agents.planning.workflow import STEPS_MAX

TEXT_LENGTH_MAX = 65_536
CLARIFY = "clarify"
"""The key of a question to the user, in place of a plan."""
QUESTION_LENGTH_MAX = 500
DRAFTS_MAX = 2 * STEPS_MAX
"""Steps that are read at most."""

_DEPTH_MAX = 6
_LIST_DEPTH = 2
_STEP_DEPTH = 3
_MEMBERS_MAX = 6
_PREFACE_LENGTH_MAX = 1_500
_PROSE_LENGTH_MAX = 16_384
_FAILURES_MAX = 4
_BARE_STEPS = '{"steps": '
_MEMBER = r'\{\s{0,40}"\w{1,40}"\s{0,40}:'
_JSON_START = re.compile(rf"(?:\[\s{{0,40}})?{_MEMBER}")
_JSON_START_LENGTH = 165
_VOID = r"(?:\s{1,99}+|//[^\n]{0,200}+\n|#[^\n]{0,200}+\n|/\*.{0,200}?\*/){0,4}+"
_QUOTE = "[\"'`\u2018-\u201e]"
_KEY = rf"(?:{_QUOTE}[\w ]{{1,40}}{_QUOTE}|[^\W\d]\w{{0,40}})\s{{0,8}}[:=]"
_LENIENT_START = re.compile(rf"(?:\[{_VOID})?\{{{_VOID}{_KEY}", re.DOTALL)


class PlanText:
    """Reads the drafts of one plan from a streamed text.

    With ``may_be_empty`` a plan without any step is one as well.
    """

    def __init__(self, *, may_be_empty: bool = False) -> None:
        self._may_be_empty = may_be_empty
        self._pieces: list[str] = []
        self._looked_at = 0
        """How many of the pieces were looked at: those that can complete nothing wait for one that
        can. Nor are they counted until then; the call that brings them is bounded itself."""
        self._room = TEXT_LENGTH_MAX
        self._awaited = ""
        """What a piece must have in it to be looked at."""
        self._is_bare = False
        """Whether the plan is a list by itself."""
        self._prose = ""
        self._json: _StepsJson | None = None
        self._drafts: list[Draft] = []
        """Those that were read as they came."""
        self._is_strict = True
        """Whether the text can still be read as it comes."""
        self.is_whole = False
        """Whether all of the plan was read as it came."""
        self.is_complete = False
        """Whether the rest of the text is not needed."""

    def feed(self, text: str) -> Sequence[Draft]:
        """Take the next piece of text; return the drafts that it completed."""
        self._pieces.append(text)
        return self._look(text) if self._awaited in text else ()

    def _look(self, last: str) -> list[Draft]:
        if self.is_complete:
            self._pieces.pop()
            return []
        if self._is_bare and self._is_strict and "}" not in last and "]" not in last:
            return []
        new = "".join(self._pieces[self._looked_at :])[: self._room]
        self._pieces[self._looked_at :] = [new]
        self._looked_at += 1
        self._room -= len(new)
        drafts = self._streamed(new)[: DRAFTS_MAX - len(self._drafts)]
        self._drafts += drafts
        self.is_complete |= self.is_whole or self._room <= 0
        if self.is_complete:
            self._awaited = ""
        return drafts

    def end(self) -> None:
        """Take the plan for whole: nothing new comes any more."""
        self.is_whole = self.is_complete = True
        self._awaited = ""

    @property
    def begins_a_plan(self) -> bool:
        """Whether a plan has begun that can be read as it comes."""
        return self._is_strict and self._json is not None

    def question(self) -> str:
        """Return what a text that has no plan asks the user; empty where it asks nothing."""
        text = "".join(self._pieces)[:TEXT_LENGTH_MAX]
        start = _LENIENT_START.search(text)
        if start is None or self._drafts:
            return ""
        try:
            value = read_json(text, start.start()).value
        except Unreadable:
            return ""
        asked = value.get(CLARIFY) if isinstance(value, Mapping) else None
        return " ".join(asked.split())[:QUESTION_LENGTH_MAX] if isinstance(asked, str) else ""

    def drafts(self) -> tuple[tuple[Draft, ...], bool]:
        """Return all drafts of the text so far, and whether it breaks off after them."""
        if self.is_whole:
            return tuple(self._drafts), False
        drafts, is_cut = _lenient("".join(self._pieces)[:TEXT_LENGTH_MAX])
        usable = [each for each in self._drafts if each.is_usable]
        if len(drafts) < len(usable) or not drafts:
            return tuple(usable), True
        return drafts[:DRAFTS_MAX], is_cut

    def _streamed(self, new: str) -> list[Draft]:
        """Return the drafts that a text completed; none once it must be read leniently."""
        if not self._is_strict:
            return []
        if self._json is not None:
            return self._parse(self._json, new)
        self._json, plan = self._begun(new)
        return self._parse(self._json, plan) if self._json else []

    def _parse(self, steps: _StepsJson, text: str) -> list[Draft]:
        """Return the drafts that a text completed."""
        try:
            values = steps.feed(text)
        except _NoPlan:
            self._is_strict = False
            self._awaited = ""
            return []
        drafts = [draft(value) for value in values if isinstance(value, Mapping)]
        if steps.is_complete:
            read = (*self._drafts, *drafts)
            self.is_whole = any(each.is_usable for each in read)
            self.is_whole |= self._may_be_empty and steps.has_steps and not read
            # A form without content, as in a prompt, is no plan: the plan may follow it.
            self._is_strict = self.is_whole
        return drafts if self._is_strict else []

    def _begun(self, text: str) -> tuple[_StepsJson | None, str]:
        """Return what reads the plan that begins in a piece, if one does, and the plan's text."""
        seen = self._prose + text
        start = _JSON_START.search(seen)
        if start is not None:
            self._is_bare = start.group().startswith("[")
            # A list by itself ends with a bracket, anything else with a brace.
            self._awaited = "" if self._is_bare else "}"
            return _StepsJson(is_bare=self._is_bare), seen[start.start() :]
        self._prose = seen[-_JSON_START_LENGTH:]
        self.is_complete |= TEXT_LENGTH_MAX - self._room > _PROSE_LENGTH_MAX
        return None, ""


def _lenient(text: str) -> tuple[tuple[Draft, ...], bool]:
    """Return the steps of the first plan in a text, and whether it breaks off.

    Steps that stand there one by one, without a list around them, are a plan as well.
    """
    alone: list[Draft] = []
    is_cut = False
    at = failures = 0
    while failures < _FAILURES_MAX and (start := _LENIENT_START.search(text, at)):
        at = start.end()
        try:
            reading = read_json(text, start.start())
        except Unreadable:
            failures += 1
            continue
        if not alone and (found := drafts_in(reading.value)):
            return found, reading.is_cut
        if step := lone_draft(reading.value):
            alone.append(step)
            is_cut = reading.is_cut
        if reading.is_closed:
            at = reading.end
        else:
            failures += 1
    return tuple(alone), is_cut


class _NoPlan(ValueError):
    """What is being streamed is no JSON, or no plan."""


class _StepsJson:
    """The objects in the list ``steps`` of one streamed JSON object, or in a list by itself.

    Only brackets are looked for as the text comes. A step is parsed once, when it ends; so is what
    stands around the steps, without them.
    """

    def __init__(self, *, is_bare: bool) -> None:
        self._outside = int(is_bare)
        """The depth at which what the text holds has ended."""
        self._depth = 0
        self._string = ""
        """What a string that has not ended begins and ends with: a quote, half an escape."""
        self._pieces: list[str] = []
        """Of what is being read: a step, what separates two, or what is around them all."""
        self._around = ""
        self._preface_length = 0
        self._is_in_steps = False
        self._separator = ""
        """What has to stand before the next step."""
        self.has_steps = False
        self.is_complete = False
        if is_bare:
            self.feed(_BARE_STEPS)

    def feed(self, text: str) -> list[object]:
        """Return the objects that the text completed; raises _NoPlan where there will be none."""
        start = len(self._string)
        text = self._string + text
        made: list[object] = []
        found = _TO_BRACKET.match(text)
        while found and found[1] and not self.is_complete:
            end = found.end()
            if found[1] in "[{":
                start = self._enter(text, start, end)
            else:
                start = self._leave(text, start, end, made)
            found = _TO_BRACKET.match(text, end)
        self._string = f'"{found[2]}' if found and found[2] is not None else ""
        self._pieces.append(text[start:])
        if not self.has_steps:
            self._preface_length += len(text)
            if self._preface_length > _PREFACE_LENGTH_MAX:
                raise _NoPlan
        return made

    def _enter(self, text: str, start: int, end: int) -> int:
        """Go through an opening bracket; return where the text begins that is kept from then on."""
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise _NoPlan
        if self._depth == _LIST_DEPTH:
            self._around += self._cut(text, start, end)
            self._open_member(text[end - 1])
            return end
        if self._depth == _STEP_DEPTH and self._is_in_steps:
            self._separate(self._cut(text, start, end - 1), self._separator)
            return end - 1
        return start

    def _leave(self, text: str, start: int, end: int, made: list[object]) -> int:
        """Go through a closing bracket, as `_enter` does; add the step that it completes."""
        if self._is_in_steps and self._depth == _STEP_DEPTH:
            made.append(_decoded(_VALUE, self._cut(text, start, end)))
            self._separator = ","
            start = end
        elif self._is_in_steps and self._depth == _LIST_DEPTH:
            self._separate(self._cut(text, start, end - 1), "")
            self._is_in_steps = False
            start = end - 1
        self._depth -= 1
        if self._depth == self._outside:
            self._around += self._cut(text, start, end)
            self._look_at_members("}" * self._outside)
            self.is_complete = True
        return start

    def _cut(self, text: str, start: int, end: int) -> str:
        """Return what was kept and a part of the text after it; keep nothing."""
        self._pieces.append(text[start:end])
        cut = "".join(self._pieces)
        self._pieces.clear()
        return cut

    def _open_member(self, bracket: str) -> None:
        """Take a member that is a list or an object; before the steps there is none."""
        is_list = bracket == "["
        last = self._look_at_members("]}" if is_list else "}}")
        self._is_in_steps = last == "steps"
        self._separator = ""
        if not self.has_steps or (self._is_in_steps and not is_list):
            raise _NoPlan

    def _look_at_members(self, ending: str) -> str:
        """Check the object as it is with an ending; return the key of its last member."""
        members: Any = _decoded(_MEMBERS, self._around + ending)
        keys = [key for key, _ in members]
        if len(keys) > _MEMBERS_MAX:
            raise _NoPlan
        self.has_steps |= "steps" in keys
        return str(keys[-1])

    def _separate(self, text: str, wanted: str) -> None:
        if text.strip(_BLANKS) != wanted:
            raise _NoPlan


def _decoded(decoder: json.JSONDecoder, text: str) -> object:
    try:
        return decoder.decode(text)
    except ValueError as error:
        raise _NoPlan from error


def _no_number(name: str) -> NoReturn:
    raise _NoPlan(name)


_VALUE = json.JSONDecoder(parse_constant=_no_number)
_MEMBERS = json.JSONDecoder(parse_constant=_no_number, object_pairs_hook=list)
_BLANKS = " \t\n\r"
_REST_OF_STRING = r'(?:[^"\\]++|\\.)*+'
_STRING = rf'"(?:[^"]*+(?<!\\)"|{_REST_OF_STRING}")'
"""Its first half is for speed: most strings have no quote within."""
_TO_BRACKET = re.compile(
    rf'(?:[^"\[\]{{}}]++|{_STRING})*+(?:([\[\]{{}}])|"{_REST_OF_STRING}(\\?)\Z|\Z)', re.DOTALL
)
"""From anywhere but within a string to the next bracket, or into the string that hasn't ended."""
