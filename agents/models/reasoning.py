"""Reasoning that stands in a model's text between tags: told apart while it streams.

Used by `agents.models.call` and `agents.models.policies.uncapped`. Some servers leave
``<think>...</think>`` in the text; with some templates the reply begins inside the thought, and
only its end is marked. Pure.

What counts, decided here once:

* An opening tag counts at the start of a line, outside a code block. A thought lasts to its closing
  tag, or to the end of the text.
* A closing tag without an opening one says that all text before it was reasoning. It counts where
  it begins or ends its line, or is joined to a word on one side.
* A tag in quotes, backquotes or brackets is only mentioned. So is one within a sentence
  or after the mark of a list or heading, and a closing tag after an opening one that was only
  mentioned in the same line or code block. In a code block, only a closing tag that has a line of
  its own counts. Mentions are text; within a thought, they are part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby

_NAMES = ("think", "thinking", "thought", "reasoning", "seed:think")
_TAGS = (
    *(f"<{slash}{name}>" for name in _NAMES for slash in ("", "/")),
    *("[THINK]", "[/THINK]"),
    *("\u25c1think\u25b7", "\u25c1/think\u25b7"),
)
"""Of Qwen, DeepSeek, Gemini, Seed and those like them; of Mistral; of Kimi."""
_MARK = re.compile(rf"\n|(?i:</?(?:{'|'.join(_NAMES)})>)|\[/?THINK\]|\u25c1/?think\u25b7")
_TAG_START = re.compile(r"(?i:<[/a-z:]*|\[[/A-Z]*|\u25c1[/a-z]*)\Z")
_QUOTES = {"`": "`", "'": "'", '"': '"', "(": ")", "[": "]", "*": "*", "\u201c": "\u201d"}
_FENCE = re.compile(r"```(?=`*[^`]*\Z)|~~~")
_SENTENCE_ENDS = frozenset(".!?\u3002\uff01\uff1f")
_LINE_KEPT = 40
"""Characters of a line's start that are kept, to see a code fence."""
_AFTER_MAX = 80
"""Characters after a tag that are looked at; where all are blank, it ends its line."""


@dataclass(frozen=True, slots=True)
class ReplyPart:
    """A run of a reply's text, tags included."""

    text: str
    is_reasoning: bool
    ends_unopened: bool = False
    """A closing tag: what came as text before it was reasoning too."""


class InlineReasoning:
    """Takes one reply piece by piece; all parts together are what it was given."""

    def __init__(self) -> None:
        self._held = ""
        """Text that can't be judged before more has come: a tag, or what may become one."""
        self._is_inside = False
        self._line = ""
        """The start of the current line."""
        self._last = "\n"
        """The character before what is judged next."""
        self._last_visible = ""
        """The last one before it that is no white space."""
        self._fence = ""
        """How the code block that is open began; empty outside of one, and within a thought."""
        self._mentions = 0
        """Opening tags that were mentioned in this line or code block, and not closed."""

    @property
    def is_undecided(self) -> bool:
        """Whether a tag has come, and what it means depends on what follows."""
        return bool(_MARK.match(self._held))

    def feed(self, text: str) -> list[ReplyPart]:
        """Return what can be told of the text so far and was not returned yet."""
        return self._parts(text, is_end=False)

    def close(self) -> list[ReplyPart]:
        """Return the rest, once the text has ended."""
        return self._parts("", is_end=True)

    def _parts(self, text: str, *, is_end: bool) -> list[ReplyPart]:
        text, self._held = self._held + text, ""
        parts: list[ReplyPart] = []
        at = 0
        while mark := _MARK.search(text, at):
            self._pass(text[at : mark.start()], parts)
            at = mark.start()
            if mark.group() == "\n":
                self._pass("\n", parts)
                self._end_line()
            else:
                after, line_end, _ = text[mark.end() : mark.end() + _AFTER_MAX].partition("\n")
                is_open = not line_end and len(after) < _AFTER_MAX and not after.strip()
                if is_open and not is_end:
                    self._held = text[at:]
                    return _joined(parts)
                self._tag(mark.group(), after, parts, is_closing="/" in mark.group())
            at = mark.end()
        begun = None if is_end else _TAG_START.search(text, at)
        if begun and any(tag.startswith((begun[0], begun[0].lower())) for tag in _TAGS):
            self._held = text[begun.start() :]
            text = text[: begun.start()]
        self._pass(text[at:], parts)
        return _joined(parts)

    def _tag(self, tag: str, after: str, parts: list[ReplyPart], *, is_closing: bool) -> None:
        """Judge a tag by what stands around it; ``after`` follows in its line."""
        is_quoted = bool(after) and _QUOTES.get(self._last) == after[0]
        if self._is_inside:
            self._pass(tag, parts)
            if is_closing and not is_quoted:
                self._begin(is_inside=False)
        elif not is_closing:
            is_opening = not self._fence and not self._line.strip()
            self._mentions += not is_opening
            if is_opening:
                self._begin(is_inside=True)
            self._pass(tag, parts)
        elif self._mentions or is_quoted or self._is_within_line(after):
            self._mentions = max(0, self._mentions - 1)
            self._pass(tag, parts)
        else:
            parts.append(ReplyPart(tag, is_reasoning=True, ends_unopened=True))
            self._begin(is_inside=False)

    def _is_within_line(self, after: str) -> bool:
        before = self._line.strip()
        if self._fence:
            return bool(before or after.strip())
        if not before or not self._last.isspace():
            return False
        is_after_words = any(map(str.isalpha, before))
        if is_after_words and self._last_visible in _SENTENCE_ENDS:
            return False
        if not after.strip():
            return not is_after_words
        return not (after[0].isalnum() or after[0] in "{[")

    def _begin(self, *, is_inside: bool) -> None:
        self._is_inside = is_inside
        self._line, self._last = "", "\n"
        self._fence = ""
        self._mentions = 0

    def _end_line(self) -> None:
        line, self._line = self._line.strip(), ""
        if self._is_inside:
            return
        if not self._fence:
            opened = _FENCE.match(line)
            self._fence = opened.group() if opened else ""
            self._mentions = 0
        elif line.startswith(self._fence):
            self._fence = ""
            self._mentions = 0

    def _pass(self, text: str, parts: list[ReplyPart]) -> None:
        """Hand on text as what it is now."""
        if not text:
            return
        self._last = text[-1]
        self._last_visible = text.rstrip()[-1:] or self._last_visible
        self._line += text[: _LINE_KEPT - len(self._line)]
        parts.append(ReplyPart(text, self._is_inside))


def _joined(parts: list[ReplyPart]) -> list[ReplyPart]:
    """Return the parts with neighbours of one kind as one."""
    kinds = groupby(parts, lambda part: (part.is_reasoning, part.ends_unopened))
    return [ReplyPart("".join(part.text for part in same), *kind) for kind, same in kinds]
