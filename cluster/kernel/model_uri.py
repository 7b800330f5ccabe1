"""`ModelUri`: which language model a setting names; the only place that takes one apart.

Used where settings are checked, where a local model's server is started, and by the agents that
build the model (`agents.models.uri`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

from cluster.kernel.errors import UsageError

Scheme = Literal["openai", "llama", "simulated"]
"""An endpoint's model, a model of this machine's own, or one that follows a script."""

EMBEDDED_NAME = "smollm2-135m"
"""The model of the catalogue that is taken where none is named."""
HUB_PREFIX = "hf:"
"""Begins the name of a local model that was fetched from a hub: ``hf:OWNER/NAME/FILE.gguf``."""
_FORMS = "openai:NAME, llama:NAME-or-GGUF-path and simulated:"
_FILE_SUFFIX = ".gguf"


@dataclass(frozen=True, slots=True)
class ModelUri:
    """A model URI in its two parts; the second may be empty, but not of a local model."""

    scheme: Scheme
    name: str

    @classmethod
    def parse(cls, text: str) -> ModelUri:
        """Return the parts of a URI.

        Raises:
            UsageError: it is none of the known forms.
        """
        scheme, colon, name = text.partition(":")
        if not colon or scheme not in get_args(Scheme):
            raise UsageError(f"{text!r} is no model; allowed are {_FORMS}")
        if scheme == "llama":
            name = name or EMBEDDED_NAME
        return cls(cast("Scheme", scheme), name)

    def __str__(self) -> str:
        """Return the URI."""
        return f"{self.scheme}:{self.name}"

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, in a server of the cluster's own."""
        return self.scheme == "llama"

    @property
    def is_embedded(self) -> bool:
        """Whether it is a model of the catalogue; a GGUF file of the user may be a capable one."""
        is_file = "/" in self.name or self.name.endswith(_FILE_SUFFIX)
        return self.is_local and not is_file

    @property
    def is_endpoint(self) -> bool:
        """Whether it is asked over the network."""
        return self.scheme == "openai"

    def anchored(self, folder: Path) -> ModelUri:
        """Return it with the file, where it names one, absolute: actors work in other folders."""
        path, mark, options = self.name.partition("?")
        is_script = self.scheme == "simulated" and bool(path)
        is_file = path.endswith(_FILE_SUFFIX) and not path.startswith(HUB_PREFIX)
        if not (is_script or (self.is_local and is_file)):
            return self
        return replace(self, name=f"{folder / Path(path).expanduser()}{mark}{options}")


EMBEDDED = ModelUri("llama", EMBEDDED_NAME)
