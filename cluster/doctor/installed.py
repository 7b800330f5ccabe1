"""What is installed: the Python, and the packages that this release needs, in versions that fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from cluster.doctor.diagnosis import Diagnosis

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class InstalledFacts:
    """The interpreter, and what the metadata of this release and of its packages say."""

    python: str
    """As in ``3.12.4``."""
    needed_python: str
    """As in ``>=3.11,<3.14``; empty where the release is not installed, as in a bare checkout."""
    requirements: Sequence[str]
    """As they stand in the metadata; those of extras are left out here."""
    versions: Mapping[str, str]
    """Of each package that is required and installed, by its name as required."""
    complaint: str = ""
    """Why the package `agents` is not ours; empty where it is."""


def judge_python(facts: InstalledFacts) -> Diagnosis:
    """Say whether the interpreter and the packages are those that this release needs."""
    wrong = [facts.complaint] if facts.complaint else []
    if not SpecifierSet(facts.needed_python).contains(facts.python, prereleases=True):
        wrong.append(
            f"Python {facts.python} runs this, and {facts.needed_python} is needed: make the "
            "environment anew with such a one"
        )
    needed = [each for each in map(Requirement, facts.requirements) if _is_for_everybody(each)]
    if misfits := [each for each in needed if not _fits(each, facts.versions.get(each.name))]:
        wrong.append(_misfit_text(misfits, facts.versions))
    well = f"Python {facts.python}"
    well += (
        f", and the {len(needed)} packages that it needs"
        if needed
        else ("; what it needs is not known, for the package fleetmind is not installed")
    )
    return Diagnosis.of("python", wrong, [], well)


def _is_for_everybody(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _fits(requirement: Requirement, version: str | None) -> bool:
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _misfit_text(misfits: Sequence[Requirement], versions: Mapping[str, str]) -> str:
    """Name the first packages that don't fit, and the command that mends all of them."""
    said = [
        f"{each.name} is {versions.get(each.name) or 'missing'}, and {each.specifier} is needed"
        for each in misfits[:_SHOWN]
    ]
    more = len(misfits) - len(said)
    others = [f"and {more} more"] if more else []
    asked = " ".join(f"'{each}'" for each in misfits)
    return f"{', '.join((*said, *others))}: pip install {asked}"
