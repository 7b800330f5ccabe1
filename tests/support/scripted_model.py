"""A model that says what the test wrote down, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

from agents.models.port import Delta, Finish, Request, Restarted, StreamItem

Said = str | Delta | Restarted | Finish | Exception | Callable[[], None]
Reply = str | Exception | Sequence[Said]


class ScriptedModel:
    """Gives each request of an agent the next of its replies; the last one again and again.

    ``replies`` maps a role, or ``role/step``, to a reply or a list of them. A text is one delta
    and a Finish; a tuple is streamed as it stands; an exception is raised, a function called.
    """

    def __init__(self, replies: dict[str, Reply | list[Reply]]) -> None:
        self._replies = {
            name: list(reply) if isinstance(reply, list) else [reply]
            for name, reply in replies.items()
        }
        self.requests: list[Request] = []
        self.closed_streams = 0
        self.is_closed = False

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        self.requests.append(request)
        try:
            for said in _pieces(self._next(request)):
                if isinstance(said, Exception):
                    raise said
                if isinstance(said, str):
                    yield Delta(said)
                elif isinstance(said, (Delta, Restarted, Finish)):
                    yield said
                else:
                    said()
        finally:
            self.closed_streams += 1

    async def warm(self) -> None:
        """Nothing has to be opened."""

    async def close(self) -> None:
        self.is_closed = True

    def asked(self, role: str) -> list[str]:
        """The user prompts of a role's requests."""
        return [
            request.messages[-1].text for request in self.requests if request.asker.agent == role
        ]

    def _next(self, request: Request) -> Reply:
        asker = request.asker
        name = f"{asker.agent}/{asker.step}"
        left = self._replies[name if name in self._replies else asker.agent]
        return left.pop(0) if len(left) > 1 else left[0]


def _pieces(reply: Reply) -> Sequence[Said]:
    if isinstance(reply, str):
        return (reply, Finish("stop", prompt_tokens=10, completion_tokens=5))
    return (reply,) if isinstance(reply, Exception) else reply
