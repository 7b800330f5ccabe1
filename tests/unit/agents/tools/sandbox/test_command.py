"""The argument vector of a sandbox."""

from __future__ import annotations

import dataclasses

import pytest

from agents.tools.sandbox.command import WAITING, Doorway, SandboxHandles, sandbox_command
from agents.tools.sandbox.machine import SandboxMachine
from cluster.kernel.sections import SandboxSettings

MACHINE = SandboxMachine(
    bubblewrap="/usr/bin/bwrap",
    bubblewrap_options=frozenset({"--size", "--disable-userns"}),
    python="/usr/bin/python3.11",
    prlimit="/usr/bin/prlimit",
    setpriv="",
    shown=("/usr/bin", "/usr/lib"),
    links=(("/lib", "usr/lib"),),
    architecture="x86_64",
    ceilings={},
    is_process_limit_private=True,
)
LIMITS = SandboxSettings()
LIMIT_NAMES = [each.name for each in dataclasses.fields(LIMITS) if each.name.endswith("_max")]
HANDLES = SandboxHandles(source=5, seccomp=6, status=7, bubblewrap=None)


def command(machine: SandboxMachine = MACHINE, handles: SandboxHandles = HANDLES) -> str:
    return " ".join(sandbox_command(machine, LIMITS, handles, user_id=60_600))


def test_an_ordinary_user_starts_bubblewrap_itself() -> None:
    assert command().startswith("/usr/bin/bwrap --unshare-all --unshare-user --die-with-parent ")


def test_root_drops_its_privileges_before_an_opened_bubblewrap() -> None:
    machine = dataclasses.replace(MACHINE, setpriv="/usr/bin/setpriv")
    handles = dataclasses.replace(HANDLES, bubblewrap=8)

    assert command(machine, handles).startswith(
        "/usr/bin/setpriv --reuid=60600 --regid=60600 --clear-groups /proc/self/fd/8 --sync-fd 8 "
    )


def test_the_program_runs_isolated_behind_the_resource_limits() -> None:
    _, _, inside = command().partition(" -- ")

    assert inside == (
        "/usr/bin/prlimit --cpu=60:61 --as=536870912 --fsize=16777216 --nofile=256 --memlock=0 "
        "--core=1 --nproc=64 /usr/bin/python3.11 -I -u /program.py"
    )


def test_a_sandbox_that_waits_has_the_same_walls_and_limits() -> None:
    waiting = dataclasses.replace(HANDLES, source=Doorway("/dev/shm/x/y", 9))  # noqa: S108

    expected = command().replace("--ro-bind-data 5 ", "--ro-bind /dev/shm/x/y ")
    program = f"-c {WAITING} 9 /program.py"
    assert command(handles=waiting) == expected.removesuffix("/program.py") + program


def test_no_limit_is_above_what_the_caller_itself_has() -> None:
    machine = dataclasses.replace(MACHINE, ceilings={"core": 0, "cpu": 10, "as": 1 << 40})

    assert "--cpu=10:10 --as=536870912 " in command(machine)
    assert "--core=0 " in command(machine)


def test_the_limit_on_processes_is_left_to_watching_where_it_would_count_the_users_own() -> None:
    machine = dataclasses.replace(MACHINE, is_process_limit_private=False)

    assert "--nproc" not in command(machine)


def test_the_machine_is_shown_read_only_and_links_stay_links() -> None:
    assert "--ro-bind /usr/bin /usr/bin --ro-bind /usr/lib /usr/lib" in command()
    assert "--symlink usr/lib /lib" in command()
    assert "--bind " not in command().replace("--ro-bind ", "")


def test_temporary_folders_have_a_size_and_the_rest_is_made_read_only_last() -> None:
    assert "--size 16777216 --tmpfs /dev/shm --size 67108864 --tmpfs /tmp" in command()
    assert "--ro-bind-data 5 /program.py --remount-ro /dev --remount-ro / --chdir /tmp" in command()


def test_libraries_are_shown_after_the_temporary_folder_that_they_may_lie_in() -> None:
    machine = dataclasses.replace(MACHINE, libraries=("/tmp/env/lib",))  # noqa: S108

    assert "--tmpfs /tmp --ro-bind /tmp/env/lib /tmp/env/lib --ro-bind-data" in command(machine)


def test_there_is_no_proc_through_which_to_reach_bubblewraps_own_process() -> None:
    assert "--proc" not in command()


def test_options_that_an_old_bubblewrap_lacks_are_left_out() -> None:
    machine = dataclasses.replace(MACHINE, bubblewrap_options=frozenset())

    assert "--size" not in command(machine)
    assert "--disable-userns" not in command(machine)


def test_filter_and_reports_go_through_their_descriptors() -> None:
    assert "--json-status-fd 7 --seccomp 6 --" in command()


@pytest.mark.parametrize("name", LIMIT_NAMES)
def test_no_limit_can_be_lifted_by_nothing(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be above 0"):
        dataclasses.replace(LIMITS, **{name: 0})  # type: ignore[arg-type]  # all limits are int
