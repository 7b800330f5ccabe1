"""A call of one token: whether a model can be used, by the very way that every call takes.

Called by `agents.supply`, for whoever looks at a machine before a cluster runs there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace

from agents.models.build import Adapter, model_of
from agents.models.local.command import local_server
from agents.models.port import Asker, Finish, Message, Request
from cluster.kernel.errors import ModelError
from cluster.kernel.model_uri import ModelUri
from cluster.kernel.sections import ModelSettings

_MESSAGES = Message("system", "Answer in one word."), Message("user", "Are you there?")


async def timed_token(
    settings: ModelSettings, api_key: str, timeout_s: float, adapter: Adapter
) -> float:
    """Have a model say one token, and return how many seconds that took.

    A local model's server is started for it, and ended.

    Args:
        settings: of the model.
        api_key: of its endpoint, if it wants one.
        timeout_s: for all of it, in seconds.
        adapter: builds the model of a URI.

    Raises:
        UsageError: the model can't be used here.
        ModelError: its server did not start, or it did not answer.
    """
    began_at = time.monotonic()
    parsed = ModelUri.parse(settings.uri)
    async with AsyncExitStack() as stack:
        if parsed.is_local:
            server = local_server(parsed.name, settings.engine.server_options)
            base_url = await stack.enter_async_context(_loaded(server, timeout_s))
            settings = replace(settings, base_url=base_url)
        # A model that begins with a thought isn't asked for the rest of it.
        bounded = replace(settings, tokens_max=1)
        model = model_of(bounded, api_key, {}, {}, adapter).model
        stack.push_async_callback(model.close)
        left_s = timeout_s - (time.monotonic() - began_at)
        request = Request(_MESSAGES, Asker(agent="doctor"), timeout_s=left_s, tokens_max=1)
        async with aclosing(model.stream(request)) as items:
            async for item in items:
                if isinstance(item, Finish):
                    return time.monotonic() - began_at
    raise ModelError(f"{settings.uri} ended its stream without a finish")


@asynccontextmanager
async def _loaded(server: AbstractAsyncContextManager[str], timeout_s: float) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(timeout_s):
                base_url = await stack.enter_async_context(server)
        except TimeoutError:
            raise ModelError(
                f"it was not loaded within {timeout_s:g} s: it is large, or the machine is busy"
            ) from None
        yield base_url
