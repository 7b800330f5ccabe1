"""The local model's server process: llama.cpp, with the OpenAI-compatible API, on loopback.

One a node, so that the weights are in memory once. Run as ``python -m agents.models.local.server
--gguf PATH --ready-file FILE``; see `agents.models.local.side_process` for the ready file and
`agents.models.local.command` for who starts it.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.models.local.server_options import enum_member
from agents.models.local.side_process import die_with_parent, write_ready
from cluster.kernel.loopback import opener_for

SLOTS = 4
"""Requests answered at once; further ones wait."""
CONTEXT_PER_SLOT = 4096
"""Tokens of prompt and answer; the embedded model knows 8,192, and a small cache is a fast one."""
_ANSWER_TOKENS_MAX = 1024
"""Where a request sets no limit: small models don't always come to an end."""
_TEMPERATURE = 0.2
"""Where a request sets none: what a small model is unsure of, it had better not say."""
_PROMPT_CACHE_MIB = 128
_HEALTH_TIMEOUT_S = 10.0
_LOOK_UP_S = 1
_WARNINGS = 2
_STDERR = 2
_STOPPING = (signal.SIGTERM, signal.SIGINT)


def say_last(words: str) -> None:
    """Write to stderr, and let nothing follow: llama.cpp's own thread writes late what it logs."""
    stderr, silence = os.dup(_STDERR), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, _STDERR)
    os.write(stderr, words.encode())


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop or until the parent is gone; returns the exit code."""
    options = _options(arguments)
    parent = die_with_parent(options.parent)
    # Before llama.cpp starts threads, which inherit the mask: only the wait below gets the signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        server = _serve(options)
    except ImportError as error:
        say_last(f"xllamacpp can't be loaded: {error}\n")
        return 1
    except RuntimeError as error:
        say_last(f"llama.cpp can't serve {options.gguf}: {error}\n")
        return 1
    base_url = server.listening_address
    with opener_for(base_url).open(f"{base_url}/health", timeout=_HEALTH_TIMEOUT_S):
        write_ready(options.ready_file, f"{base_url}/v1")
    while signal.sigtimedwait(_STOPPING, _LOOK_UP_S) is None and os.getppid() == parent:
        pass
    options.ready_file.unlink(missing_ok=True)
    # Not by way of the server's destructor, which waits for answers nobody reads any more.
    os._exit(0)


def _serve(options: argparse.Namespace) -> Any:
    """Load the model and start to serve it on a free port; returns xllamacpp's server."""
    # Threads that wait for each other spin only for some microseconds and then sleep. By default
    # they spin long, and where something else needs a core all stop for it: 2 tokens/s on two busy
    # cores. If they sleep at once ("passive") it is 30 on two idle cores; like this it is 75.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # By name: an optional package, and one without types.
    xllamacpp = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    params.model.path = str(options.gguf)
    params.model_alias = {options.gguf.stem}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = options.slots
    params.n_ctx = options.slots * options.context_per_slot
    params.n_predict = _ANSWER_TOKENS_MAX
    params.sampling.temp = _TEMPERATURE
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads = options.threads or _threads()
        cpu.poll = 0
    params.verbosity = _WARNINGS
    # No web page, no view of other requests' prompts, no answers to pages of other origins.
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = ""
    for name, value in options.options.items():
        _set(xllamacpp, params, name, value)
    return xllamacpp.Server(params)


def context_per_slot(options: Mapping[str, object]) -> int | None:
    """Return how many tokens one request may have; None where that is as the model was trained.

    Args:
        options: of the server, as `server_options` has checked them.
    """
    slots = options.get("n_parallel", SLOTS)
    whole = options.get("n_ctx", SLOTS * CONTEXT_PER_SLOT)
    assert isinstance(slots, int)
    assert isinstance(whole, int)
    if options.get("kv_unified"):  # the slots share it
        slots, most = 1, options.get("kv_unified_per_slot", 0)
        assert isinstance(most, int)
        whole = min(whole, most) if most > 0 else whole
    return whole // max(1, slots) if whole > 0 else None


def _set(xllamacpp: Any, params: Any, name: str, value: object) -> None:
    """Set one option; raises RuntimeError where this version of the package doesn't have it so."""
    *path, last = name.split(".")
    try:
        place = functools.reduce(getattr, path, params)
        setattr(place, last, enum_member(xllamacpp, name, value))
    except (AttributeError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise RuntimeError(f"its option {name} can't be {value!r}: {error}") from error


def _threads() -> int:
    """Return how many threads to compute with; beyond the physical cores more make it slower."""
    usable = len(os.sched_getaffinity(0))
    return usable if usable <= SLOTS else usable // 2


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m agents.models.local.server")
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--parent", type=int, default=0, help="process to die with")
    parser.add_argument("--slots", type=int, default=SLOTS)
    parser.add_argument("--context-per-slot", type=int, default=CONTEXT_PER_SLOT)
    parser.add_argument("--threads", type=int, default=0, help="0 is as many as there are cores")
    parser.add_argument("--options", type=json.loads, default={}, help="of llama.cpp, as JSON")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
