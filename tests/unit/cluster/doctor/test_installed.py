"""Interpreter and packages: those that fit, those that don't, and the command that mends it."""

from __future__ import annotations

from dataclasses import replace

from cluster.doctor.diagnosis import Severity
from cluster.doctor.installed import InstalledFacts, judge_python

FACTS = InstalledFacts(
    python="3.12.4",
    needed_python=">=3.11,<3.14",
    requirements=[
        "protobuf>=7.35.1,<8",
        "ray[default,serve]>=2.60,<3",
        "xllamacpp>=2026.10; extra == 'local'",
        "tomli>=2; python_version < '3.11'",
    ],
    versions={"protobuf": "7.36.2", "ray": "2.60.0"},
)


def test_what_fits_is_counted_without_extras_and_without_what_other_pythons_need() -> None:
    found = judge_python(FACTS)

    assert (found.severity, found.says) == (
        Severity.OK,
        "Python 3.12.4, and the 2 packages that it needs",
    )


def test_another_python_is_named_with_those_that_do() -> None:
    found = judge_python(replace(FACTS, python="3.10.2"))

    assert found.severity is Severity.WRONG
    assert "Python 3.10.2 runs this, and <3.14,>=3.11 is needed" in found.says.replace(
        ">=3.11,<3.14", "<3.14,>=3.11"
    )


def test_packages_that_are_missing_or_too_old_are_named_with_what_installs_them() -> None:
    found = judge_python(replace(FACTS, versions={"protobuf": "6.30.0"}))

    assert found.severity is Severity.WRONG
    assert "protobuf is 6.30.0, and " in found.says
    assert "ray is missing, and " in found.says
    assert "pip install 'protobuf<8,>=7.35.1' 'ray[default,serve]<3,>=2.60'" in found.says


def test_a_prerelease_of_a_version_that_fits_fits() -> None:
    versions = {"protobuf": "7.37.0rc1", "ray": "2.60.0"}

    assert judge_python(replace(FACTS, versions=versions)).severity is Severity.OK


def test_of_many_packages_the_first_are_named() -> None:
    requirements = [f"p{number}>=1" for number in range(5)]

    found = judge_python(replace(FACTS, requirements=requirements, versions={}))

    assert "p2 is missing" in found.says
    assert "and 2 more: pip install 'p0>=1' 'p1>=1' 'p2>=1' 'p3>=1' 'p4>=1'" in found.says
    assert "p3 is missing" not in found.says


def test_another_package_of_the_name_agents_is_wrong_whatever_else_is_well() -> None:
    found = judge_python(replace(FACTS, complaint="the installed `agents` is not ours"))

    assert (found.severity, found.says) == (Severity.WRONG, "the installed `agents` is not ours")


def test_a_checkout_that_is_not_installed_can_be_well() -> None:
    found = judge_python(InstalledFacts("3.12.4", "", (), {}))

    assert found.severity is Severity.OK
    assert "what it needs is not known" in found.says
