"""Any OpenAI-compatible endpoint as a model: its connections, its time and its retries.

The one owner of retries at its endpoint: the client itself tries once, and what is repeated is said
by whoever may ask another one (`agents.models.port.Repeats`). What is read of a stream is decided
in `agents.models.endpoint.stream_reading`. Building the first model imports the client; importing
this module does not.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

from agents.models.endpoint import chat
from agents.models.endpoint.model_list import first_chat_model, listed_models
from agents.models.endpoint.options import NO_HEADERS, secrets_in
from agents.models.endpoint.wording import Wording, manners_of
from agents.models.port import (
    ATTEMPTS_MAX,
    Deed,
    Delta,
    Finish,
    Note,
    Repeats,
    Request,
    Restarted,
    StreamItem,
)
from cluster.kernel.errors import ModelError
from cluster.kernel.sections import NO_ENGINE, EngineSettings
from cluster.kernel.tail.pauses import pause_s
from cluster.kernel.time_shares import CALL_ANEW_SHARE

if TYPE_CHECKING:
    import aiohttp

    from agents.models.endpoint.stream_reading import StreamReading
    from agents.models.endpoint.trouble import Trouble

_log = logging.getLogger(__name__)

PUBLIC_BASE_URL = "https://api.openai.com/v1"
STALL_S = 30.0
"""Silence in an answer after which an endpoint is given up: no token, and no sign of life."""
WARM_TIMEOUT_S = 10.0
_PAGE = "text/html"
_TITLE_BYTES = 1_024
"""Of a page, what its title is looked for in."""
_USAGE_WAIT_S = 1.0
"""How long the usage may take, which follows the finish reason."""
_END_WAIT_S = 0.1
"""How long a stream may stay open that has said that it is done; one that ends keeps its
connection for the next request."""


class OpenAIModel:
    """A model of an endpoint; with an empty ``name`` it is the first that the endpoint lists.

    ``takes_schemas`` says that the endpoint holds the model to a JSON schema; others differ in
    which schemas they take, and what they do with them, so they are asked for JSON only. What
    ``engine`` passes on is part of each request, and so are the ``headers``, which are secrets.
    """

    def __init__(
        self,
        name: str,
        base_url: str = "",
        api_key: str = "",
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        takes_schemas: bool = False,
        engine: EngineSettings = NO_ENGINE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        from agents.models.endpoint.http_client import HttpClient
        from agents.models.endpoint.stream_reading import StreamReading
        from agents.models.endpoint.trouble import Endpoint

        base_url = base_url or PUBLIC_BASE_URL
        self._client = HttpClient(base_url, api_key, headers)
        proxy = self._client.proxy
        self._endpoint = Endpoint(
            base_url,
            name,
            api_key,
            hidden=secrets_in(headers),
            proxy="" if proxy is None else str(proxy),
        )
        self._reading = StreamReading
        self._takes_schemas = takes_schemas
        self._engine = engine
        self._sleep = sleep
        self._rng = rng or random.SystemRandom()
        self._asking = asyncio.Lock()
        """Two requests at once ask for the model's name once."""

    async def warm(self) -> None:
        """Open a connection and load what the client loads late; raises nothing."""
        from agents.models.endpoint.trouble import FAILURES

        try:
            async with asyncio.timeout(WARM_TIMEOUT_S):
                if self._endpoint.model:
                    await self._client.get("/models")
                else:
                    await self._model()
        except (*FAILURES, TimeoutError) as error:
            # Some endpoints list no models; the connection is open all the same.
            _log.info("the model's endpoint was asked ahead, in vain: %s", type(error).__name__)

    async def why_unreachable(self, timeout_s: float) -> str:
        """Return why the endpoint can't be asked, as a call would say it; empty where it can be.

        No model works for that: the list of models is asked for.
        """
        from agents.models.endpoint.trouble import FAILURES

        try:
            async with asyncio.timeout(timeout_s):
                await self._reach()
        except FAILURES as error:
            trouble = self._endpoint.trouble(error)
        except TimeoutError:
            trouble = self._endpoint.late(timeout_s, was_speaking=False)
        else:
            return ""
        return f"{trouble.what}; {trouble.remedy}"

    async def _reach(self) -> None:
        """Ask for the models; raises what is wrong with the endpoint, as far as that tells.

        Where a model is named no call needs the list: a key may not be allowed to see it, a page
        may be in its place. What the endpoint says of a chat without content tells whether it takes
        requests at all.
        """
        from agents.models.endpoint.trouble import OF_ALL_REQUESTS, OF_THE_LIST, Refused

        try:
            await self._listed()
        except OF_THE_LIST as error:
            is_elsewhere = isinstance(error, Refused) and error.is_redirect
            if is_elsewhere or not self._endpoint.model:
                raise
        else:
            return
        try:
            response = await self._client.post("/chat/completions", {}, {})
        except Refused as error:
            if error.status in OF_ALL_REQUESTS or error.is_about_access:
                raise
            return
        async with response:
            if response.content_type == _PAGE:
                said = (await response.content.read(_TITLE_BYTES)).decode(errors="replace")
                raise self._endpoint.cut_short(was_speaking=False, content_type=_PAGE, said=said)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Yield deltas, then one Finish; as `agents.models.port.Model` promises.

        An answer that breaks off is begun anew where nothing of it is in use yet, and enough time
        is left for another one; what was streamed of it is void then, and `Restarted` says so.

        An endpoint that has no room now is asked until it has, and a note says that it is waited
        for.
        """
        from agents.models.endpoint.trouble import FAILURES

        now = asyncio.get_running_loop().time
        until = now() + request.timeout_s
        for attempt in itertools.count(1):
            has_spoken, began_at, first_s = False, now(), 0.0
            request.tally.count()
            try:
                async with aclosing(self._attempt(request, until)) as items:
                    async for item in items:
                        first_s = first_s or now() - began_at
                        self._check_use(item, request)
                        has_spoken |= isinstance(item, Delta)
                        yield replace(item, first_s=first_s) if isinstance(item, Finish) else item
                return
            except FAILURES as error:
                trouble = self._endpoint.trouble(error)
            wait_s = pause_s(attempt, trouble.retry_after_s, self._rng)
            left_s = until - now()
            is_full = trouble.is_busy and not has_spoken
            is_waited_for = is_full and request.repeats is Repeats.UNTIL_ROOM
            if is_waited_for:
                request.tally.give_back()
            may_ask = is_waited_for or _may_repeat(request, is_full=is_full)
            if has_spoken:
                may_ask &= not request.commitment.is_made
            needed_s = request.timeout_s * CALL_ANEW_SHARE if has_spoken else 0.0
            if not (trouble.is_retryable and may_ask) or wait_s + needed_s >= left_s:
                # Without the cause, which may quote the key.
                raise _failed(trouble, attempt, left_s) from None
            if has_spoken:
                # At once: whoever has enough of the text by now needs no other attempt.
                yield Restarted(f"{trouble.what}, and was asked again from the beginning")
            elif is_waited_for and attempt == ATTEMPTS_MAX:
                yield Note(Deed.WAITED, f"{trouble.what}: it was waited for")
            await self._sleep(wait_s)

    def _check_use(self, item: StreamItem, request: Request) -> None:
        """Raise `Trouble` where what was streamed is void, and something of it is in use."""
        if isinstance(item, Restarted) and request.commitment.is_made:
            from agents.models.endpoint.stream_reading import contradicted

            raise contradicted(self._endpoint)

    async def _attempt(self, request: Request, until: float) -> AsyncGenerator[StreamItem, None]:
        """Yield the items of one request; raises whatever goes wrong."""
        from agents.models.endpoint.trouble import FAILURES

        try:
            async with asyncio.timeout_at(until):
                response = await self._open(request)
        except FAILURES:  # a connection that takes too long is a timeout too
            raise
        except TimeoutError:
            raise self._endpoint.late(request.timeout_s, was_speaking=False) from None
        manners = manners_of(self._endpoint.base_url, self._endpoint.model)
        reading = self._reading(self._endpoint, repeats=manners.repeats_text)
        try:
            async with aclosing(self._read(response, reading, request.timeout_s, until)) as items:
                async for item in items:
                    yield item
        finally:  # also of a turn that was cancelled: the server stops generating
            response.close()
            if reading.repeats is not None:
                manners.repeats_text = reading.repeats

    async def _open(self, request: Request) -> aiohttp.ClientResponse:
        """Send a request, if need be in the way that the endpoint takes it."""
        from agents.models.endpoint.trouble import Refused

        model = await self._model()
        wording = Wording(
            request,
            model,
            manners_of(self._endpoint.base_url, model),
            self._engine,
            with_schema=self._takes_schemas,
        )
        while True:
            headers = chat.headers(request.asker, self._rng)
            try:
                response = await self._client.post("/chat/completions", wording.content(), headers)
            except Refused as error:
                if not wording.reword(error):
                    raise
            else:
                wording.remember()
                return response

    async def _model(self) -> str:
        """Return the model's name; asks the endpoint, once, where none was given."""
        if not self._endpoint.model:
            async with self._asking:
                await self._ask_model()
        return self._endpoint.model

    async def _ask_model(self) -> None:
        if not self._endpoint.model:
            listed = await self._listed()
            name = first_chat_model(listed)
            if not name:
                raise self._endpoint.without_models(len(listed))
            self._endpoint = replace(self._endpoint, model=name)

    async def _listed(self) -> Sequence[object]:
        """Return the models that the endpoint lists."""
        try:
            return listed_models(await self._client.get("/models"))
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
            raise self._endpoint.without_list() from None

    async def _read(
        self,
        response: aiohttp.ClientResponse,
        reading: StreamReading,
        timeout_s: float,
        until: float,
    ) -> AsyncGenerator[StreamItem, None]:
        """Yield what a stream says; raises where it doesn't end as it should.

        Whatever comes is a sign of life, until the answer has ended: then only more text is.
        """
        now = asyncio.get_running_loop().time
        heard_at, heard = now(), (False, False)
        while True:
            wait_s = _wait_s(reading, timeout_s)
            try:
                async with asyncio.timeout_at(min(until, heard_at + wait_s)):
                    block = await _block(response, reading)
            except TimeoutError:
                if reading.is_done or reading.is_ending:
                    break
                if until <= heard_at + wait_s:  # not by the clock: a timer may be early
                    was_speaking = reading.spoken > 0
                    raise self._endpoint.late(timeout_s, was_speaking=was_speaking) from None
                if reading.may_end:
                    break
                raise self._endpoint.stalled(wait_s) from None
            if not block:
                break
            for said in reading.feed(block):
                yield said
            ends = reading.is_ending, reading.is_done
            if ends != heard or not any(ends):
                heard_at, heard = now(), ends
        for item in reading.finish(response.content_type):
            yield item


async def _block(response: aiohttp.ClientResponse, reading: StreamReading) -> bytes:
    """Return what comes next of a body; nothing at its end.

    Where the answer has ended, it does not matter how its connection does.
    """
    from agents.models.endpoint.trouble import FAILURES

    try:
        return await response.content.readany()
    except FAILURES:
        if reading.is_done or reading.is_ending:
            return b""
        raise


def _may_repeat(request: Request, *, is_full: bool) -> bool:
    """Say whether an endpoint that can't answer is asked again here, within the call's bound."""
    never = (Repeats.NEVER, Repeats.FAILURES) if is_full else (Repeats.NEVER,)
    return request.may_ask_anew and request.repeats not in never


def _wait_s(reading: StreamReading, timeout_s: float) -> float:
    """Return how long a stream may be silent now."""
    if reading.is_done:
        return _END_WAIT_S
    if reading.is_ending:
        return _USAGE_WAIT_S
    return STALL_S if reading.spoken or reading.may_end else timeout_s


def _failed(trouble: Trouble, attempt: int, left_s: float) -> ModelError:
    """Return the error of a call whose last attempt had this trouble."""
    failed = ModelError(_sentence(trouble, attempt, left_s), trouble.retry_after_s or 0.0)
    failed.is_withdrawal = trouble.is_withdrawal
    failed.is_askers_fault = trouble.is_askers_fault
    failed.is_busy = trouble.is_busy
    if trouble.length is not None:
        failed.context_tokens = trouble.length.context_tokens
        failed.prompt_tokens = trouble.length.prompt_tokens
    return failed


def _sentence(trouble: Trouble, attempt: int, left_s: float) -> str:
    """Return what to tell a person about the trouble of the last attempt."""
    tries = f", {attempt} times" if attempt > 1 else ""
    wait_s = trouble.retry_after_s
    if wait_s is not None and wait_s >= left_s:
        waiting = f"it asks to wait {wait_s:.4g} s and {max(0.0, left_s):.3g} s are left"
        return f"{trouble.what}{tries}; {waiting}, so {trouble.remedy}"
    return f"{trouble.what}{tries}; {trouble.remedy}"
