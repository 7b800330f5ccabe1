"""``fleetmind doctor``: its lines, its JSON, its exit code, and what follows a failed start."""

from __future__ import annotations

import io
import json
from collections.abc import Coroutine

import pytest

from cluster.cli import doctor
from cluster.cli.console import Console
from cluster.cli.entry import execute
from cluster.cli.options import Options
from cluster.doctor.diagnosis import Diagnosis, Severity
from cluster.doctor.examination import Check
from cluster.kernel.errors import ClusterError, ModelError, PlacementError
from cluster.settings import Configuration

WELL = Diagnosis("python", Severity.OK, "Python 3.12")
WARNING = Diagnosis("proxies", Severity.WARNING, "a proxy is dead")
WRONG = Diagnosis("disk", Severity.WRONG, "full")


def finds(monkeypatch: pytest.MonkeyPatch, *found: Diagnosis) -> None:
    """Have these found, by the quick checks too."""

    def check(diagnosis: Diagnosis) -> Check:
        async def look() -> Diagnosis:
            return diagnosis

        return Check(diagnosis.check, look)

    def checks(_configuration: Configuration) -> list[Check]:
        return [check(each) for each in found]

    monkeypatch.setattr(doctor, "all_checks", checks)
    monkeypatch.setattr(doctor, "start_checks", checks)


def said(*arguments: str) -> tuple[int, str, str]:
    console = Console(out := io.StringIO(), err := io.StringIO())
    return execute(["doctor", *arguments], console), out.getvalue(), err.getvalue()


def test_each_check_is_a_line_and_a_warning_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    finds(monkeypatch, WELL, WARNING)

    assert said() == (
        0,
        "python   ok       Python 3.12\nproxies  warning  a proxy is dead\n",
        "",
    )


def test_what_is_wrong_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    finds(monkeypatch, WELL, WRONG)

    code, out, _ = said()

    assert code == 1
    assert "disk    wrong    full\n" in out


def test_as_json_it_is_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    finds(monkeypatch, WELL, WRONG)

    code, out, _ = said("--json")

    assert code == 1
    assert json.loads(out) == {
        "is_well": False,
        "checks": [
            {"check": "python", "severity": "ok", "says": "Python 3.12"},
            {"check": "disk", "severity": "wrong", "says": "full"},
        ],
    }


def test_settings_that_are_wrong_are_wrong_usage() -> None:
    code, out, err = said("--model", "horoscope:mine")

    assert (code, out) == (2, "")
    assert "'horoscope:mine' is no model; " in err


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [(["--model", "horoscope:mine"], "'horoscope:mine' is no model; "), (["--modell"], "--modell")],
)
def test_as_json_settings_that_are_wrong_are_one_object_of_the_same_shape(
    flags: list[str], complaint: str
) -> None:
    code, out, err = said("--json", *flags)

    told = json.loads(out)
    [check] = told.pop("checks")
    assert (code, told, check["check"], check["severity"]) == (
        2,
        {"is_well": False},
        "settings",
        "wrong",
    )
    assert complaint in check["says"]
    assert err == f"fleetmind: {check['says']}\n"


def failed(error: ClusterError, *, is_of_start: bool, wants_object: bool = False) -> list[str]:
    """What a command says that such an error ends; its lines on stderr, then on stdout."""
    error.is_of_start = is_of_start

    def command(_options: Options, _console: Console) -> Coroutine[object, object, int]:
        async def fail() -> int:
            raise error

        return fail()

    console = Console(out := io.StringIO(), err := io.StringIO())
    arguments = ["run", "why?", *(["--json"] if wants_object else [])]
    assert execute(arguments, console, command) == 1
    return [*err.getvalue().splitlines(), *out.getvalue().splitlines()]


def test_the_error_of_a_start_is_followed_by_what_is_wrong_and_by_that_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finds(monkeypatch, WELL, WRONG)

    assert failed(PlacementError("Ray did not start"), is_of_start=True) == [
        "fleetmind: Ray did not start",
        "fleetmind: disk: full",
    ]


def test_the_object_of_a_failed_start_is_written_whatever_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finds(monkeypatch, WRONG)

    *_, whole = failed(PlacementError("no"), is_of_start=True, wants_object=True)

    assert json.loads(whole)["error"] == {"kind": "placement", "message": "no"}


def test_on_a_machine_that_is_well_a_failed_start_has_its_own_words_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finds(monkeypatch, WELL)

    assert failed(PlacementError("no"), is_of_start=True) == ["fleetmind: no"]


def test_what_fails_later_is_not_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    finds(monkeypatch, WRONG)

    assert failed(ModelError("no"), is_of_start=False) == ["fleetmind: no"]


@pytest.mark.parametrize("ended", [BrokenPipeError(), KeyboardInterrupt()])
def test_who_does_not_wait_for_what_is_wrong_gets_the_exit_code_of_the_start(
    ended: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends(*_: object) -> int:
        raise ended

    monkeypatch.setattr(doctor, "say_what_is_wrong", ends)

    assert failed(PlacementError("no"), is_of_start=True) == ["fleetmind: no"]
