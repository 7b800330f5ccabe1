"""`Diagnosis`: what one check has found, as a person reads it and as ``--json`` has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, but something of it may surprise."""
    WRONG = "wrong"
    """Something will not work before it is mended."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a check has found."""

    check: str
    severity: Severity
    says: str
    """One sentence; where not all is well, with how to mend it."""

    @classmethod
    def of(cls, check: str, wrong: Sequence[str], warnings: Sequence[str], well: str) -> Diagnosis:
        """Return the worst that is to be said; where nothing is, that all is well."""
        if wrong:
            return cls(check, Severity.WRONG, "; ".join((*wrong, *warnings)))
        if warnings:
            return cls(check, Severity.WARNING, "; ".join(warnings))
        return cls(check, Severity.OK, well)


def is_well(found: Sequence[Diagnosis]) -> bool:
    """Say whether everything will work."""
    return all(each.severity is not Severity.WRONG for each in found)


def to_json(found: Sequence[Diagnosis]) -> Mapping[str, object]:
    """Return the object of ``fleetmind doctor --json``."""
    checks = [{"check": each.check, "severity": each.severity, "says": each.says} for each in found]
    return {"is_well": is_well(found), "checks": checks}
