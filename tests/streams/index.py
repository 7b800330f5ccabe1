"""What is recorded: of whom, from which source, and what it is to be read as."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agents.models.port import Finish

FOLDER = Path(__file__).resolve().parent
TEXT = "Nine bean rows"
HALF = "Nine bean"
LONG = "Nine bean rows will I have there, a hive"
THOUGHT = "Who asks?"
STOP = Finish("stop", 21, 6)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stream, and what it says."""

    file: str
    source: str
    text: str = TEXT
    reasoning: str = ""
    finish: Finish | None = None
    trouble: str = ""
    """A part of the sentence with which it ends; none where it has a finish."""
    is_retryable: bool = False
    """Whether the call is asked again."""

    @property
    def body(self) -> bytes:
        """Its bytes."""
        return _bytes(self.file)

    @property
    def content_type(self) -> str:
        """As the endpoint names it."""
        return "text/event-stream" if self.file.endswith(".sse") else "application/json"


@cache
def _bytes(file: str) -> bytes:
    return (FOLDER / file).read_bytes()


OPENAI = "platform.openai.com/docs/api-reference/chat-streaming"
AZURE = "learn.microsoft.com/azure/ai-foundry/openai/concepts/content-streaming"
OPENROUTER = "openrouter.ai/docs/api/reference/streaming"
DASHSCOPE = "help.aliyun.com/en/model-studio/deep-thinking"
TRIED = "as tried; see the page's last row"
DEEPSEEK = "api-docs.deepseek.com/quick_start/rate_limit"

RECORDED = (
    Recorded("openai.sse", OPENAI, f"{TEXT} \U0001f331", finish=Finish("stop", 21, 6, 0.0, 8)),
    Recorded("openai-thought.sse", OPENAI, "", finish=Finish("length", 21, 900)),
    Recorded("azure.sse", f"{AZURE}; langfuse-python#1648", finish=Finish("stop", 21, 4)),
    Recorded("azure-filtered.sse", AZURE, HALF, trouble="stopped its answer by its content filter"),
    Recorded("openrouter.sse", OPENROUTER, TEXT, THOUGHT, STOP),
    Recorded(
        "openrouter-details.sse",
        "openrouter.ai/docs/use-cases/reasoning-tokens",
        TEXT,
        THOUGHT,
        Finish("stop", 0, 2),
    ),
    Recorded(
        "openrouter-error.sse",
        "openrouter.ai/docs/api/reference/errors-and-debugging",
        HALF,
        trouble="failed (502: Provider returned error: upstream went away)",
        is_retryable=True,
    ),
    Recorded("vllm.sse", "BerriAI/litellm#20246", TEXT, THOUGHT, STOP),
    Recorded(
        "vllm-error.sse",
        "BerriAI/litellm#32237",
        "",
        trouble="did not accept the request (400: The model is not multimodal. Please remove",
    ),
    Recorded(
        "vllm-old-error.sse",
        "block/goose#8031",
        HALF,
        trouble="failed (500: EngineCore encountered an issue)",
        is_retryable=True,
    ),
    Recorded(
        "vllm-abort.sse",
        "vllm-project/vllm#57082",
        HALF,
        trouble="broke its answer off (finish reason 'abort')",
        is_retryable=True,
    ),
    Recorded(
        "llama-cpp.sse",
        "ggml-org/llama.cpp#24013",
        TEXT,
        THOUGHT,
        Finish("stop", 21, 6, 0.0, 20),
    ),
    Recorded(
        "llama-cpp-error.sse",
        "ggml-org/llama.cpp#16109; coddy-project/coddy-agent#106",
        "",
        trouble="too small a context for the prompt (400: the request exceeds the available",
    ),
    Recorded("ollama.sse", "ollama/ollama#4357; dirac-run/dirac#227", TEXT, THOUGHT, STOP),
    Recorded(
        "tgi.sse",
        "huggingface/text-generation-inference#2466, #2531",
        finish=Finish("stop", 0, 1),
    ),
    Recorded(
        "tgi-error.sse",
        "huggingface/text-generation-inference#36",
        HALF,
        trouble="reported an error instead of going on (Request failed during generation",
        is_retryable=True,
    ),
    Recorded("sglang.sse", "sgl-project/sglang#3912", TEXT, THOUGHT, STOP),
    Recorded("deepseek.sse", DEEPSEEK, TEXT, THOUGHT, Finish("stop", 21, 6, 0.0, 16)),
    Recorded(
        "deepseek-busy.sse",
        "api-docs.deepseek.com/api/create-chat-completion",
        HALF,
        trouble="broke its answer off (finish reason 'insufficient_system_resource')",
        is_retryable=True,
    ),
    Recorded("dashscope.sse", DASHSCOPE, TEXT, THOUGHT, STOP),
    Recorded(
        "dashscope-error.sse",
        "help.aliyun.com/en/model-studio/error-code",
        "",
        trouble="stopped its answer by its content filter (Output data may contain",
    ),
    Recorded(
        "mistral.sse",
        "prism-php/prism#862; braintrustdata/braintrust-sdk-javascript#1857",
        TEXT,
        THOUGHT,
        STOP,
    ),
    Recorded("mistral-length.sse", "docs.mistral.ai/api", HALF, finish=Finish("length", 21, 3)),
    Recorded("groq.sse", "console.groq.com/docs/reasoning", TEXT, THOUGHT, STOP),
    Recorded(
        "lm-studio.sse",
        "lmstudio-ai/lmstudio-bug-tracker#378; lmstudio-js#320",
        TEXT,
        THOUGHT,
        Finish("stop", 0, 2),
    ),
    Recorded(
        "lm-studio-error.sse",
        "nugget/thane-ai-agent#1395; lmstudio-bug-tracker#237",
        "",
        trouble="too small a context for the prompt (Trying to keep the first 15857 tokens",
    ),
    Recorded("litellm.sse", "docs.litellm.ai/docs/reasoning_content", TEXT, THOUGHT, STOP),
    Recorded(
        "litellm-error.sse",
        "BerriAI/litellm#39748",
        HALF,
        trouble="failed (500: litellm.APIConnectionError: the backend closed the stream)",
        is_retryable=True,
    ),
    Recorded("whole.json", f"{DEEPSEEK} (blank lines)", TEXT, THOUGHT, STOP),
    Recorded(
        "gemini-error.json",
        "ai.google.dev/gemini-api/docs/openai",
        "",
        trouble="did not accept the request (400: API key not valid. Please pass a valid API key)",
    ),
    Recorded(
        "gateway-error.json",
        "what FastAPI makes of an exception",
        "",
        trouble="is not ready yet (503: Model is still being loaded)",
        is_retryable=True,
    ),
    Recorded("stop-always.sse", TRIED, finish=Finish("stop", 0, 2)),
    Recorded("repeated.sse", TRIED, LONG, f"{THOUGHT} Who asks for bean rows? Who", STOP),
    Recorded("repeated-message.sse", TRIED, LONG, finish=STOP),
    Recorded("repeated-short.sse", TRIED, finish=STOP),
    Recorded("message.sse", TRIED, finish=STOP),
    Recorded("message-whole.sse", TRIED, finish=STOP),
    Recorded("text.sse", TRIED, finish=STOP),
    Recorded("delta-text.sse", TRIED, finish=STOP),
    Recorded(
        "delta-unknown.sse",
        TRIED,
        "",
        trouble="sent 3 chunks without any text that is known (what there is: 'output')",
    ),
    Recorded(
        "no-choices.sse",
        TRIED,
        "",
        trouble="sent 3 chunks without any text that is known (what there is: 'response')",
    ),
)
