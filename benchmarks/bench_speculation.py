"""Speculative decoding of the local model: tokens a second with it, over those without.

One server of llama.cpp for each way, all loaded, asked in turns: an answer from passages, where the
model mostly copies sentences, and the repair of a program, where it mostly writes the program
again. There is no draft model to measure: none with its vocabulary is smaller than SmolLM2-135M.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

from agents.models.endpoint.openai_compatible import OpenAIModel
from agents.models.local.catalog import catalog
from agents.models.local.command import local_server
from agents.models.port import Delta, Finish, Message, Request
from agents.prompts import (
    RESEARCHER_STRICT,
    Attempt,
    code_prompt,
    coder_role,
    repair_prompt,
    research_prompt,
)
from benchmarks.harness import Figure, not_run, ratio_figure, sample_figure
from cluster.kernel.vocabulary import Passage, Run

KNOWLEDGE = Path("examples/knowledge")
TOKENS_MAX = 120
"""As the embedded model's calls have it."""
PLAIN = "none"
WAYS: Mapping[str, Mapping[str, object]] = {
    PLAIN: {},
    "ngram_simple": {"types": ["ngram_simple"]},
    "ngram_simple_short": {
        "types": ["ngram_simple"],
        "ngram_simple": {"size_n": 4, "size_m": 8},
    },
    "ngram_mod": {"types": ["ngram_mod"]},
}
"""`speculative` of the options of llama.cpp's server, by the way's name."""
GOALS = (
    "Write a program that uses heapq to print the three smallest of 5, 1, 9, 2, 8 and 7.",
    "Write a program that prints the mean and the median of 3, 1, 4, 1, 5, 9, 2 and 6.",
)
FAILING = (
    """\
import heapq


def smallest(count, numbers):
    heapq.heapify(numbers)
    return [heapq.heappop(numbers) for _ in range(count)]


numbers = (5, 1, 9, 2, 8, 7)
print("three smallest:", smallest(3, numbers))
""",
    """\
import statistics

numbers = [3, 1, 4, 1, 5, 9, 2, 6]
print("mean:", statistics.mean(numbers))
print("median:", statistics.middle(numbers))
""",
)
STDERR = (
    "TypeError: heap argument must be a list, not tuple",
    "AttributeError: module 'statistics' has no attribute 'middle'",
)
QUESTIONS = {"heaps.md": "What does heapq do, and what does it cost?", "sorting.md": "How to sort?"}


def prompts() -> dict[str, list[Request]]:
    """Return what is asked, by its kind."""
    repairs = [
        repair_prompt(
            code_prompt(goal, goal, notes="", examples=()),
            Attempt(source, Run(1, "", stderr), "the program ended with exit code 1."),
        )
        for goal, source, stderr in zip(GOALS, FAILING, STDERR, strict=True)
    ]
    answers = [
        research_prompt(question, question, [_passage(name)])
        for name, question in QUESTIONS.items()
    ]
    return {
        "answer": [_request(RESEARCHER_STRICT, prompt) for prompt in answers],
        "repair": [_request(coder_role(), prompt) for prompt in repairs],
    }


def _passage(name: str) -> Passage:
    text = (KNOWLEDGE / name).read_text(encoding="utf-8")[:1_000]
    return Passage(name, 1, text.count("\n") + 1, text)


def _request(system: str, asked: Message) -> Request:
    return Request(
        (Message("system", system), asked), timeout_s=120.0, tokens_max=TOKENS_MAX, temperature=0.0
    )


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `speculation`."""
    [model, *_] = catalog()
    if not model.is_here:
        return [not_run("speculation", "", f"fleetmind models pull {model.name}")]
    rates = asyncio.run(_rates(model.name, rounds=2 if is_quick else 6))
    figures = []
    for kind in ("answer", "repair"):
        plain = rates[PLAIN, kind]
        figures.append(sample_figure(f"speculation.{kind}.{PLAIN}", "tokens/s", plain))
        figures += [
            ratio_figure(f"speculation.{kind}.{way}", None, rates[way, kind], plain, peer=PLAIN)
            for way in WAYS
            if way != PLAIN
        ]
    return figures


async def _rates(name: str, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Return the tokens a second of each way and kind; the first round warms up."""
    async with AsyncExitStack() as stack:
        models: dict[str, OpenAIModel] = {}
        for way, options in WAYS.items():
            given = {"speculative": options} if options else {}
            base_url = await stack.enter_async_context(local_server(name, given))
            models[way] = OpenAIModel(name, base_url)
            stack.push_async_callback(models[way].close)
        rates: dict[tuple[str, str], list[float]] = {}
        for number in range(rounds + 1):
            for kind, requests in prompts().items():
                for request in requests:
                    for way, model in models.items():
                        rate = await _rate(model, request)
                        if number:
                            rates.setdefault((way, kind), []).append(rate)
        return rates


async def _rate(model: OpenAIModel, request: Request) -> float:
    """Return the tokens a second that an answer is written with, once it has begun."""
    first_at, tokens = 0.0, 0
    async with aclosing(model.stream(request)) as stream:
        async for item in stream:
            if isinstance(item, Delta):
                first_at = first_at or time.perf_counter()
            elif isinstance(item, Finish):
                tokens = item.completion_tokens
    assert tokens > 1, "nothing to measure was written"
    return (tokens - 1) / (time.perf_counter() - first_at)
