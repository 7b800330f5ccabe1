"""Ablations: a switch that the settings have is switched off, one that they lack is shown."""

from __future__ import annotations

from benchmarks.switches import ALL_ON, SWITCHES, Switch, figures_of
from cluster.settings.values import Settings

WARM = Switch("warm_sandbox", "sandbox", "warm")


def test_a_switch_changes_its_setting_alone() -> None:
    settings = WARM.switched_off(Settings())

    assert (settings.sandbox.warm, settings.sandbox.enabled) == (False, True)
    assert settings.task == Settings().task


def test_a_switch_is_known_where_the_settings_have_its_key() -> None:
    assert WARM.is_known
    assert not Switch("telepathy", "sandbox", "telepathy").is_known
    assert not Switch("telepathy", "telepathy", "on").is_known


def test_all_switches_of_the_bench_are_settings() -> None:
    assert [switch.technique for switch in SWITCHES if not switch.is_known] == []


def test_each_technique_is_shown_over_the_cluster_that_has_all_of_them() -> None:
    walls = {ALL_ON: [10.0, 10.0], "warm_sandbox": [11.0, 12.0]}

    figures = {figure.name: figure for figure in figures_of([walls])}

    assert figures["ablations.wall_s"].value == 10.0
    assert figures["ablations.without_warm_sandbox"].samples == [1.1, 1.2]
    assert figures["ablations.without_streamed_plan"].value is None


def test_a_technique_is_held_against_the_full_cluster_that_ran_beside_its_own() -> None:
    first = {ALL_ON: [10.0, 10.0], "prepare": [11.0, 11.0]}
    second = {ALL_ON: [20.0, 20.0], "hedge": [21.0, 21.0]}

    figures = {figure.name: figure for figure in figures_of([first, second])}

    assert figures["ablations.wall_s"].n == 4
    assert figures["ablations.without_prepare"].value == 1.1
    assert figures["ablations.without_hedge"].value == 1.05


def test_no_technique_is_switched_off_twice() -> None:
    assert len({switch.technique for switch in SWITCHES}) == len(SWITCHES)
