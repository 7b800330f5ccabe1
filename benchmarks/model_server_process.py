"""`benchmarks.model_server` as a process of its own, for benchmarks and tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from agents.models.simulated.script import Lines

READY_TIMEOUT_S = 20.0


class ModelServerProcess:
    """`benchmarks.model_server` as a process of its own, with its log."""

    def __init__(
        self,
        folder: Path,
        ttft_s: float,
        tokens_per_s: float,
        *,
        script: Path | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        """Start it with its own arguments too, such as ``("--slow-share", "0.01")``."""
        self._timing = ("--ttft-s", str(ttft_s), "--tokens-per-s", str(tokens_per_s))
        self._others = (*(("--script", str(script)) if script else ()), *arguments)
        self._said = folder / "said.json"
        self._ready = folder / "ready"
        self._log = folder / "requests.jsonl"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it serves."""
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.model_server"),
                *self._timing,
                *self._others,
                *("--ready-file", str(self._ready), "--log", str(self._log)),
                *("--parent", str(os.getpid())),
            ],
            stdout=subprocess.DEVNULL,
        )
        gives_up_at = time.monotonic() + READY_TIMEOUT_S
        while not self._ready.exists():
            if time.monotonic() > gives_up_at:
                raise TimeoutError("the model server did not start")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(10)

    @property
    def base_url(self) -> str:
        """What clients are given."""
        text = self._ready.read_text(encoding="utf-8").strip()
        return str(json.loads(text)["base_url"]) if text.startswith("{") else text

    def say(self, lines: Lines) -> None:
        """Have it say these lines from now on."""
        table = {
            agent: {step: asdict(line) for step, line in each.items()}
            for agent, each in lines.items()
        }
        self._said.write_text(json.dumps(table), encoding="utf-8")
        url = self.base_url.removesuffix("/v1") + "/script"
        body = str(self._said).encode()
        with urllib.request.urlopen(url, body, timeout=READY_TIMEOUT_S):  # noqa: S310 - ours
            pass

    def counts(self) -> dict[str, int]:
        """Return how many requests there were, how many run, and how many connections are open."""
        url = self.base_url.removesuffix("/v1") + "/counts"
        with urllib.request.urlopen(url, timeout=READY_TIMEOUT_S) as response:  # noqa: S310 - ours
            counts: dict[str, int] = json.load(response)
        return counts

    def log(self) -> list[dict[str, Any]]:
        """Return what the log says of all requests, in the order they ended."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def entries(self, task: str) -> list[dict[str, Any]]:
        """Return what the log says of a task's requests, in the order they ended."""
        return [each for each in self.log() if each["headers"].get("X-Fleetmind-Task") == task]

    def durations(self, task: str) -> dict[str, float]:
        """Return the seconds from request to last token, by step of a task."""
        taken: dict[str, float] = {}
        for entry in self.entries(task):
            if entry["last_token"] is not None:
                step = entry["headers"]["X-Fleetmind-Step"]
                taken[step] = taken.get(step, 0.0) + entry["last_token"] - entry["received"]
        return taken
