"""The same questions to the model alone: what its programs come to without a cluster around it.

Called by `benchmarks.trial.__main__` with ``--bare``. The model gets the goal and nothing else, and
the error of its program where one fails, as somebody at a chat window would give it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing
from dataclasses import asdict

from agents.models.local.command import local_server
from agents.models.port import Asker, Delta, Message, Model, Request
from agents.models.uri import build_model
from agents.programs.reading import code_blocks
from agents.tools.ports import Sandbox
from agents.tools.sandbox.bubblewrap import BubblewrapSandbox
from benchmarks.trial.grading import right
from benchmarks.trial.questions import Question
from cluster.kernel.model_uri import ModelUri
from cluster.kernel.vocabulary import Run

ATTEMPTS_MAX = 3
_TEMPERATURE = 0.2
_TIMEOUT_S = 300.0
_RUN_TIMEOUT_S = 20.0
_TOKENS_MAX = 900
_TOLD_CHARS = 600
_SYSTEM = (
    "You are a careful Python programmer. Answer the question and give one complete Python program"
    " in one ```python block."
)


async def programs_right(questions: dict[int, Question], model: str) -> dict[int, bool]:
    """Return for each question that asks for a program whether the model's last one is right."""
    async with AsyncExitStack() as stack:
        base_url = ""
        if ModelUri.parse(model).scheme == "llama":
            base_url = await stack.enter_async_context(local_server(ModelUri.parse(model).name))
        built = build_model(model, base_url=base_url, api_key="")
        sandbox = BubblewrapSandbox()
        stack.push_async_callback(sandbox.close)
        return {
            number: await is_right(question, built, sandbox)
            for number, question in questions.items()
            if question.program is not None
        }


async def is_right(question: Question, model: Model, sandbox: Sandbox) -> bool:
    """Ask until a program runs and prints something; judge that one, else the last."""
    assert question.program is not None
    messages = [Message("system", _SYSTEM), Message("user", question.goal)]
    run, source = Run(1, "", ""), ""
    for _ in range(ATTEMPTS_MAX):
        text = await _text(model, messages)
        source = max((block.body for block in code_blocks(text)), key=len, default="")
        run = await sandbox.run(source, _RUN_TIMEOUT_S)
        if run.exit_code == 0 and run.stdout.strip():
            break
        told = f"The program failed:\n{run.stderr[-_TOLD_CHARS:]}\nWrite the whole program again."
        messages += [Message("assistant", text), Message("user", told)]
    return right(question.program, {"source": source, **asdict(run)})


async def _text(model: Model, messages: list[Message]) -> str:
    request = Request(
        tuple(messages),
        Asker(agent="alone"),
        timeout_s=_TIMEOUT_S,
        tokens_max=_TOKENS_MAX,
        temperature=_TEMPERATURE,
    )
    async with aclosing(model.stream(request)) as stream:
        return "".join([item.text async for item in stream if isinstance(item, Delta)])
