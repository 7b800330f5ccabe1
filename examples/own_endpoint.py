"""Use any OpenAI-compatible endpoint: OpenAI, vLLM, llama.cpp, Ollama.

Set OPENAI_BASE_URL, then run it: `.venv/bin/python examples/own_endpoint.py MODEL`.

Without a model's name, the first one that the endpoint lists is used. A key, where the endpoint
wants one, is taken from OPENAI_API_KEY.
"""

from __future__ import annotations

import os
import sys

from cluster import ClusterError, run


def main() -> None:
    """Ask the endpoint's model one question; what `fleetmind learn` was given is searched too."""
    if "OPENAI_BASE_URL" not in os.environ:
        sys.exit("set OPENAI_BASE_URL to your endpoint, as in http://127.0.0.1:8000/v1")
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        answer = run("What is a heap, in one sentence?", model=f"openai:{name}", deadline_s=120)
    except ClusterError as error:
        sys.exit(f"no answer: {error}")
    print(answer.text)
    for note in answer.degraded:
        print("note:", note)


if __name__ == "__main__":
    main()
