"""Sections of the settings that the agents' side reads too: the model, the answer, the sandbox.

Plain values. `cluster.settings.values` makes the settings of them and of the cluster's own
sections; in an agent's process they are read once and handed to `agents.factory` as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal

_MIB = 1024 * 1024

_MAY_BE_ZERO = "may_be_zero"


class Section:
    """A section of the file: no unknown keys, no NaN, every number above 0, or 0 where it may."""

    __slots__ = ()
    # Read by pydantic, which only those who read a file import.
    __pydantic_config__: ClassVar[Mapping[str, object]] = {
        "extra": "forbid",
        "allow_inf_nan": False,
    }

    def __post_init__(self) -> None:
        """Raise ValueError where a number is out of its range."""
        for each in fields(self):  # type: ignore[arg-type]  # sections are dataclasses
            value = getattr(self, each.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if value < 0 or not (value or each.metadata.get(_MAY_BE_ZERO)):
                least = "0 or more" if each.metadata.get(_MAY_BE_ZERO) else "above 0"
                raise ValueError(f"{each.name} must be {least}, not {value}")


@dataclass(frozen=True, slots=True)
class EngineSettings(Section):
    """[model.engine]: what is passed on to the server of a model, as in `docs/engines.md`."""

    options: dict[str, object] = field(default_factory=dict)
    """Of each request: keys of its body beside ours, as they are, such as ``top_p``."""
    server_options: dict[str, object] = field(default_factory=dict)
    """Of the server of a ``llama:`` model, by llama.cpp's names, such as ``cache_type_k``."""
    predicted_outputs: bool = False
    """Whether an endpoint is sent what it will probably write: the program that it is to repair."""


NO_ENGINE = EngineSettings()
"""Nothing is passed on."""


@dataclass(frozen=True, slots=True)
class ModelSettings(Section):
    """[model]: which language model, and how it is asked."""

    uri: str = ""
    """``openai:NAME``, ``llama:NAME-or-GGUF-path`` or ``simulated:``; `load` fills in a default."""
    base_url: str = field(default="", repr=False)
    """Of an OpenAI-compatible endpoint; empty for the provider's own. Its query may hold a key:
    what is printed or stored is `shown_base_url`."""
    api_key_path: str = ""
    """A file with the key, relative to the config file; OPENAI_API_KEY goes before it."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of each request, such as ``api-key``; ``${NAME}`` in a value stands for a variable of the
    environment. Public settings have the values only as far as they are such names: what is sent is
    kept with the secrets."""
    tokens_max: int | None = None
    """Where a call is to stop at the latest; the embedded model's stop at 120 without it."""
    calls_max: int | None = None
    """How many calls each agent's process has under way at once, the most urgent ones first; any
    number without it. An endpoint that several agents call gets that many from each of them."""
    early_return: bool = True
    """Whether a plan or program is used as soon as it is whole, before its stream has ended."""
    context_tokens: int | None = None
    """How much the model takes in at once, prompt and answer together; unknown without it."""
    fit: bool = True
    """Whether of a prompt that the model can't take in, or not in time, the least is left out."""
    price_prompt: float | None = field(default=None, metadata={_MAY_BE_ZERO: True})
    """Of a million tokens read, in any one currency; nothing without it."""
    price_completion: float | None = field(default=None, metadata={_MAY_BE_ZERO: True})
    """Of a million tokens written."""
    breaker: bool = True
    """Whether an endpoint that fails again and again is left alone for a while."""
    hedge: bool = True
    """Whether a second request is sent where the first token takes much longer than usual."""
    fallback: bool = True
    """Whether a model of another tier answers where this one can't."""
    engine: EngineSettings = NO_ENGINE

    @property
    def shown_base_url(self) -> str:
        """The base URL without its query."""
        return self.base_url.partition("?")[0]


ModelTier = Literal["deep", "fast", "local"]


@dataclass(frozen=True, slots=True)
class ModelEntry(ModelSettings):
    """[models.NAME]: a further model, and what it is there for; ``uri`` has to be given.

    Without a ``base_url`` it is at the endpoint of [model]; that one's key goes nowhere else.
    """

    tier: ModelTier = "fast"
    """``deep``: another replica of [model]; ``fast``: easy goals, and what [model] can't do in
    time; ``local``: what works without a network, the last resort."""


@dataclass(frozen=True, slots=True)
class RouterSettings(Section):
    """[router]: who works on a goal, decided before any model is asked."""

    enabled: bool = True
    """Whether easy goals go another way than through a plan of the team."""
    functions: tuple[str, ...] = ()
    """``module:function`` of each function of yours that is marked with ``@route``."""


@dataclass(frozen=True, slots=True)
class AnswerSettings(Section):
    """[answer]: what a sentence needs to be shown, and whether it is looked at again."""

    support: Literal["auto", "strict", "marked"] = "auto"
    """``strict``: only what is quoted or extracted; ``marked``: every sentence that no source
    contradicts, with a mark where nothing backs it; ``auto``: strict for what the embedded
    model wrote."""
    verify: Literal["off", "background"] = "off"
    """``background``: sentences that nothing backs are looked at again once the answer is out,
    where the driver that has submitted the goal waits for it."""
    keep: bool = True
    """Whether an answer is kept for a day, for when the same question can't be answered anew."""
    judge_early: bool = True
    """Whether sentences are judged, and shown where they are certain, while others are written."""


@dataclass(frozen=True, slots=True)
class SandboxSettings(Section):
    """[sandbox]: whether programs are run at all, and what one program may use.

    A limit of 0 or less is refused: the tools that enforce them read it as none.
    """

    enabled: bool = True
    timeout_s: float = 10.0
    """Of one run, within the step's deadline."""
    python: str = ""
    """A virtual environment, or its interpreter, whose libraries programs can import, relative to
    the config file; empty for the standard library only. It has to be on each node with a Coder."""
    warm: bool = True
    """Whether a Coder keeps a sandbox started for its next program, which takes 7 MB."""
    cpu_s_max: int = 60
    """CPU time of each process."""
    memory_bytes_max: int = 512 * _MIB
    """Address space of each process, and resident memory of all of them together."""
    processes_max: int = 64
    """Processes and threads together."""
    file_size_bytes_max: int = 16 * _MIB
    tmp_bytes_max: int = 64 * _MIB
    """Size of /tmp, which is memory."""
    output_bytes_max: int = 256 * 1024
    """What is kept of stdout and of stderr, each; a program that writes more is killed."""
    open_files_max: int = 256
    """Descriptors of each process."""
    files_max: int = 16_384
    """Files, folders and links in /tmp and in /dev/shm, each."""
    shared_bytes_max: int = 16 * _MIB
    """Size of /dev/shm, which is memory."""
    source_bytes_max: int = _MIB
    """Length of the program itself."""
