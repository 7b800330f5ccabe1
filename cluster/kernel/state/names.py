"""What may be a part of a document's name: the keys of shared state, and topics. Pure.

Called by `cluster.state.naming`, and by `agents.subscribing` for what a class subscribes to.
"""

from __future__ import annotations

from typing import Final

from cluster.kernel.errors import UsageError

NAME_CHARS_MAX: Final = 200


def checked_part(part: str, what: str) -> str:
    """Return a part of a name as it is.

    Args:
        part: what programs pass, which may be anything.
        what: what it is to whoever has passed it, as in "a topic".

    Raises:
        UsageError: it can't be one.
    """
    if not _is_text(part):
        raise UsageError(f"{what} is a str, not {part!r}")
    if len(part) > NAME_CHARS_MAX:
        raise UsageError(f"{what} has at most {NAME_CHARS_MAX} characters")
    if "/" in part or not part.isprintable():
        raise UsageError(f"{what} has no / and no control characters: {part!r}")
    return part


def checked_topic(topic: str) -> str:
    """Return the name of a topic as it is; raises UsageError where it is none."""
    if topic == "":
        raise UsageError("a topic has a name")
    return checked_part(topic, "a topic")


def _is_text(part: object) -> bool:
    return isinstance(part, str)
