"""`python -m benchmarks.train_router`: trains the router of the default intents, writes its file.

Some seconds. To be run again where an utterance, a frame or the features have changed: the file
knows what it was trained on, and isn't used otherwise.
"""

from __future__ import annotations

from pathlib import Path

from agents.routing.classifier import Classifier
from agents.routing.intents import default_intents
from agents.routing.kept import SHIPPED, digest, to_bytes
from cluster.memory.knowledge.embedder import WordLlamaEmbedder

FILE = Path(__file__).resolve().parents[1] / "agents" / "routing" / SHIPPED


def main() -> None:
    """Write the file."""
    examples = {intent.name: intent.utterances for intent in default_intents()}
    embedder = WordLlamaEmbedder()
    classifier = Classifier.train(examples, embedder.embed_here)
    FILE.write_bytes(to_bytes(digest(examples, embedder.name), classifier.to_arrays()))


if __name__ == "__main__":
    main()
