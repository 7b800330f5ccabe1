"""The router of the default intents, and of users' own: trained aside, asked at once.

Made by `agents.factory` for a Manager, which calls `warm` when it starts. That of the default
intents ships; with users' own it is trained once, some seconds of CPU, and kept. Until it is there
each decision is the team's: no task waits for a training.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from agents.routing.intents import Intent, default_intents
from cluster.kernel.routing import TEAM, Decision
from cluster.user_folders import user_folder

if TYPE_CHECKING:  # numpy loads in the side thread
    from agents.routing.classifier import Classifier
    from agents.routing.features import Embed


class DefaultRouter:
    """A router that is ready at once and clever a little later; any thread may ask it."""

    def __init__(
        self,
        embed: Embed,
        own: Sequence[Intent] = (),
        *,
        intents: Callable[[], Sequence[Intent]] = default_intents,
        folder: Path | None = None,
    ) -> None:
        """Prepare, and read nothing yet.

        Args:
            embed: makes vectors on the caller's thread.
            own: intents of the user, which may replace default ones of the same name.
            intents: the default ones, read when it warms up.
            folder: where what was trained is kept; in the user's cache, unless told.
        """
        self._embed = embed
        self._own = own
        self._intents = intents
        self._folder = folder or user_folder("XDG_CACHE_HOME", ".cache") / "router"
        self._lock = threading.Lock()
        self._warming: Future[None] | None = None
        self._classifier: Classifier | None = None

    def warm(self) -> Future[None]:
        """Train in a side thread, once; what is returned ends with it, or holds what went wrong."""
        with self._lock:
            if self._warming is None:
                self._warming = Future()
                self._warming.set_running_or_notify_cancel()
                # A daemon: the end of the interpreter doesn't wait for it.
                work = threading.Thread(
                    target=self._train, args=(self._warming,), name="train-router", daemon=True
                )
                work.start()
            return self._warming

    def decide(self, text: str) -> Decision:
        """Return where a goal goes; to the team, unless it is known better by now."""
        began = time.perf_counter()
        if self._classifier is None:
            return Decision("", TEAM, seconds=time.perf_counter() - began)
        return self._classifier.decide(text)

    def _train(self, done: Future[None]) -> None:
        try:
            from agents.routing import kept
            from agents.routing.classifier import Classifier
            from cluster.memory.knowledge.embedder import WordLlamaEmbedder

            intents = {intent.name: intent for intent in (*self._intents(), *self._own)}
            examples = {name: intent.utterances for name, intent in intents.items()}
            wanted = kept.digest(examples, WordLlamaEmbedder.name)
            arrays = kept.shipped(wanted) or kept.load(self._folder, wanted)
            if arrays is None:
                arrays = Classifier.train(examples, self._embed).to_arrays()
                kept.save(self._folder, wanted, arrays)
            known = Classifier.from_arrays(arrays, self._embed)
            classifier = known.routed([*intents.values()])
            classifier.decide("warm")  # imports and caches, before anybody waits for them
            self._classifier = classifier
        except Exception as error:  # noqa: BLE001 - told to whoever asks; the team works on
            done.set_exception(error)
        else:
            done.set_result(None)
