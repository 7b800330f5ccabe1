"""The drafts of a plan, read from a model's text while it streams.

Pure. `PlanText` takes the text piece by piece, skips prose and code fences, and gives each step as
its closing brace arrives; what is no JSON is read leniently once the text has ended. All of it
takes linear time. Used by `agents.planning.plan_reader`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import ijson  # type: ignore[import-untyped]  # it ships no types
from ijson.common import ObjectBuilder  # type: ignore[import-untyped]  # as above

from agents.planning.drafts import Draft, draft, drafts_in, lone_draft
from agents.planning.lenient_json import Unreadable, read_json
from agents.planning.workflow import STEPS_MAX

TEXT_LENGTH_MAX = 65_536
DRAFTS_MAX = 2 * STEPS_MAX
"""Steps that are read at most."""

_DEPTH_MAX = 6
_STEP_DEPTH = 3
_MEMBERS_MAX = 6
_PARTS_MAX = 64
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
        self._length = 0
        self._prose = ""
        self._json: _StepsJson | None = None
        self._held: list[str] = []
        """Text that can complete nothing: it is parsed with the next that can."""
        self._drafts: list[Draft] = []
        """Those that were read as they came."""
        self._is_strict = True
        """Whether the text can still be read as it comes."""
        self.is_whole = False
        """Whether all of the plan was read as it came."""
        self.is_complete = False
        """Whether the rest of the text is not needed."""

    def feed(self, text: str) -> list[Draft]:
        """Take the next piece of text; return the drafts that it completed."""
        if self.is_complete:
            return []
        text = text[: TEXT_LENGTH_MAX - self._length]
        self._length += len(text)
        self._pieces.append(text)
        if self._json is not None and "}" not in text and "]" not in text:
            # It completes nothing, and a parser costs as much for few characters as for many.
            self._held.append(text)
            self.is_complete = self._length == TEXT_LENGTH_MAX
            return []
        drafts = self._streamed(text)[: DRAFTS_MAX - len(self._drafts)]
        self._drafts += drafts
        self.is_complete |= self.is_whole or self._length == TEXT_LENGTH_MAX
        return drafts

    def end(self) -> None:
        """Take the plan for whole: nothing new comes any more."""
        self.is_whole = self.is_complete = True

    @property
    def begins_a_plan(self) -> bool:
        """Whether a plan has begun that can be read as it comes."""
        return self._is_strict and self._json is not None

    def drafts(self) -> tuple[tuple[Draft, ...], bool]:
        """Return all drafts of the text so far, and whether it breaks off after them."""
        if self._held:
            self._parse()
        if self.is_whole:
            return tuple(self._drafts), False
        drafts, is_cut = _lenient("".join(self._pieces))
        usable = [each for each in self._drafts if each.is_usable]
        if len(drafts) < len(usable) or not drafts:
            return tuple(usable), True
        return drafts[:DRAFTS_MAX], is_cut

    def _streamed(self, text: str) -> list[Draft]:
        """Return the drafts that a piece of text completed; none once it must be read leniently."""
        if not self._is_strict:
            return []
        if self._json is None:
            text = self._skip_prose(text)
        if self._json is None:
            return []
        self._held.append(text)
        return self._parse()

    def _parse(self) -> list[Draft]:
        """Parse what was held back; return the drafts that it completed."""
        text = "".join(self._held)
        self._held.clear()
        if self._json is None or not self._is_strict:
            return []
        try:
            values = self._json.feed(text)
        except _NoPlan:
            self._is_strict = False
            return []
        drafts = [draft(value) for value in values if isinstance(value, Mapping)]
        if self._json.is_complete:
            read = (*self._drafts, *drafts)
            self.is_whole = any(each.is_usable for each in read)
            self.is_whole |= self._may_be_empty and self._json.has_steps and not read
            # A form without content, as in a prompt, is no plan: the plan may follow it.
            self._is_strict = self.is_whole
        return drafts if self._is_strict else []

    def _skip_prose(self, text: str) -> str:
        """Return the text from where a plan may begin; empty where it has not come."""
        seen = self._prose + text
        start = _JSON_START.search(seen)
        if start is not None:
            self._json = _StepsJson(is_bare=start.group().startswith("["))
            return seen[start.start() :]
        self._prose = seen[-_JSON_START_LENGTH:]
        self.is_complete |= self._length > _PROSE_LENGTH_MAX
        return ""


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
    """The objects in the list ``steps`` of one streamed JSON object, or in a list by itself."""

    def __init__(self, *, is_bare: bool) -> None:
        self._events: list[tuple[str, Any]] = []
        self._parser: Any = ijson.basic_parse_coro(_Collector(self._events), use_float=True)
        self._builder: ObjectBuilder | None = None
        self._parts = 0
        self._key = ""
        self._depth = 0
        self._members = 0
        self._length = 0
        self.has_steps = False
        self._outside = int(is_bare)
        """The depth at which what the text holds has ended."""
        self.is_complete = False
        if is_bare:
            self._read(_BARE_STEPS)

    def feed(self, text: str) -> list[object]:
        """Return the objects that the text completed; raises _NoPlan where there will be none."""
        self._length += len(text)
        made = self._read(text)
        if not self.has_steps and self._length > _PREFACE_LENGTH_MAX:
            raise _NoPlan
        return made

    def _read(self, text: str) -> list[object]:
        try:
            self._parser.send(text.encode(errors="replace"))
        except (ijson.JSONError, UnicodeDecodeError) as error:
            if not self._closes():
                raise _NoPlan from error
        events, self._events[:] = list(self._events), []
        return [each for event, value in events for each in self._take(event, value)]

    def _closes(self) -> bool:
        """Say whether the plan ended before the parser met what it could not read."""
        depth = self._depth
        for event, _ in self._events:
            depth += (event in _OPENING) - (event in _CLOSING)
            if depth == self._outside and event in _CLOSING:
                return True
        return False

    def _take(self, event: str, value: object) -> list[object]:
        if self.is_complete:
            return []
        self._depth += event in _OPENING
        if self._depth > _DEPTH_MAX:
            raise _NoPlan
        made: list[object] = []
        if self._depth == 1 and event == "map_key":
            self._open_member(str(value))
        elif self._depth > 1 and event in _OPENING and not self.has_steps:
            raise _NoPlan
        elif self._key == "steps" and self._depth >= _STEP_DEPTH:
            made = self._build(event, value)
        elif self._key == "steps" and self._depth == _STEP_DEPTH - 1 and event not in _LIST:
            raise _NoPlan
        self._depth -= event in _CLOSING
        self.is_complete = self._depth == self._outside and event in _CLOSING
        return made

    def _open_member(self, key: str) -> None:
        self._key = key
        self._members += 1
        self.has_steps |= key == "steps"
        if self._members > _MEMBERS_MAX:
            raise _NoPlan

    def _build(self, event: str, value: object) -> list[object]:
        if self._builder is None:
            self._builder = ObjectBuilder()
        self._builder.event(event, value)
        self._parts += 1
        if self._parts > _PARTS_MAX:
            raise _NoPlan
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
