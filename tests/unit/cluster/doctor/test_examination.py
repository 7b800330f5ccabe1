"""The checks run beside each other, each with a deadline, and none spoils the others."""

from __future__ import annotations

import asyncio
import threading

from cluster.doctor.diagnosis import Diagnosis, Severity
from cluster.doctor.examination import Check, all_checks, examine, start_checks
from cluster.kernel.errors import ModelError
from cluster.kernel.sections import ModelEntry, ModelSettings
from cluster.settings import Configuration, Secrets, Settings

CONFIGURATION = Configuration(
    Settings(model=ModelSettings(uri="simulated:"), models={"small": ModelEntry(uri="simulated:")}),
    Secrets(),
)


async def well() -> Diagnosis:
    return Diagnosis("well", Severity.OK, "all is well")


async def broken() -> Diagnosis:
    raise ValueError("odd")


async def test_checks_wait_for_each_other_and_are_told_in_their_order() -> None:
    second_ran = asyncio.Event()

    async def first() -> Diagnosis:
        await second_ran.wait()
        return Diagnosis("first", Severity.OK, "")

    async def second() -> Diagnosis:
        second_ran.set()
        return Diagnosis("second", Severity.OK, "")

    found = await examine([Check("first", first), Check("second", second)])

    assert [each.check for each in found] == ["first", "second"]


async def test_what_hangs_is_said_to_and_the_others_are_told() -> None:
    hanging = Check("hanging", asyncio.Event().wait, timeout_s=0.01)  # type: ignore[arg-type]

    slow, fine = await examine([hanging, Check("well", well)])

    assert slow == Diagnosis(
        "hanging",
        Severity.WRONG,
        "no answer within 0.01 s: something hangs, or the machine is overloaded",
    )
    assert fine.severity is Severity.OK


async def test_the_time_of_all_bounds_that_of_each() -> None:
    hanging = Check("hanging", asyncio.Event().wait)  # type: ignore[arg-type]

    [found] = await examine([hanging], 0.01)

    assert "within 0.01 s" in found.says


async def test_a_check_that_fails_is_a_diagnosis() -> None:
    found = await examine([Check("broken", broken), Check("well", well)])

    assert [each.severity for each in found] == [Severity.WRONG, Severity.OK]
    assert found[0].says == "it could not be looked at (ValueError: odd)"


async def test_an_error_of_ours_is_its_sentence() -> None:
    async def refuse() -> Diagnosis:
        raise ModelError("the model refused")

    [found] = await examine([Check("model", refuse)])

    assert found == Diagnosis("model", Severity.WRONG, "the model refused")


def test_a_thread_that_hangs_holds_up_nobodys_end() -> None:
    is_over = threading.Event()

    async def hang() -> Diagnosis:
        await asyncio.to_thread(is_over.wait)
        return await well()

    # Its loop waits for the threads of its executor, but for these.
    [found] = asyncio.run(examine([Check("disk", hang, timeout_s=0.01)]))
    is_over.set()

    assert found.severity is Severity.WRONG


def test_every_model_of_the_settings_is_asked() -> None:
    assert [check.name for check in all_checks(CONFIGURATION)] == [
        *("python", "ray", "store", "sandbox", "model", "models.small"),
        *("tokens", "ports", "disk", "limits", "proxies"),
    ]


async def test_the_checks_of_a_start_that_failed_are_the_quick_ones() -> None:
    found = await examine(start_checks(CONFIGURATION))

    assert [each.check for each in found] == ["python", "ports", "disk", "limits"]
