"""Diagnoses: the worst is told, and all of them as JSON."""

from __future__ import annotations

from cluster.doctor.diagnosis import Diagnosis, Severity, is_well, to_json


def test_what_is_wrong_goes_before_what_may_surprise_and_that_before_all_is_well() -> None:
    assert Diagnosis.of("disk", ["full"], ["slow"], "well") == Diagnosis(
        "disk", Severity.WRONG, "full; slow"
    )
    assert Diagnosis.of("disk", [], ["slow", "old"], "well") == Diagnosis(
        "disk", Severity.WARNING, "slow; old"
    )
    assert Diagnosis.of("disk", [], [], "well") == Diagnosis("disk", Severity.OK, "well")


def test_a_warning_leaves_a_machine_well() -> None:
    ok, warning, wrong = (Diagnosis("x", severity, "") for severity in Severity)

    assert is_well([ok, warning])
    assert not is_well([ok, wrong])


def test_as_json_each_check_is_told_with_how_bad_it_is() -> None:
    assert to_json([Diagnosis("disk", Severity.WRONG, "full")]) == {
        "is_well": False,
        "checks": [{"check": "disk", "severity": "wrong", "says": "full"}],
    }
