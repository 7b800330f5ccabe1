"""The sandbox's filter, judged by an interpreter of classic BPF as the kernel would run it."""

from __future__ import annotations

import errno
import struct

import pytest

from agents.tools.sandbox.seccomp import ARCHITECTURES, filter_program

ALLOW = 0x7FFF0000
KILL_PROCESS = 0x80000000
REFUSE = 0x00050000 | errno.EPERM
UNKNOWN = 0x00050000 | errno.ENOSYS

READ = {"x86_64": 0, "aarch64": 63}
EXECVE = {"x86_64": 59, "aarch64": 221}
CLONE = {"x86_64": 56, "aarch64": 220}
IOCTL = {"x86_64": 16, "aarch64": 29}
SOCKET = {"x86_64": 41, "aarch64": 198}
SOCKETPAIR = {"x86_64": 53, "aarch64": 199}
REFUSED = {
    "x86_64": {"ptrace": 101, "mount": 165, "unshare": 272, "bpf": 321, "keyctl": 250},
    "aarch64": {"ptrace": 117, "mount": 40, "unshare": 97, "bpf": 280, "keyctl": 219},
}

each_architecture = pytest.mark.parametrize("architecture", list(ARCHITECTURES))


def judge(architecture: str, number: int, *arguments: int, audit_number: int | None = None) -> int:
    """Run the filter over one call and return its verdict."""
    known = ARCHITECTURES[architecture] if audit_number is None else audit_number
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=IIQ6Q", number, known, 0, *padded)
    program = list(struct.iter_unpack("=HBBI", filter_program(architecture)))
    accumulator = at = 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, operand)
        elif code == 0x06:
            return int(operand)
        else:
            tests = {
                0x15: accumulator == operand,
                0x35: accumulator >= operand,
                0x45: bool(accumulator & operand),
            }
            at += if_true if tests[code] else if_false


@each_architecture
def test_ordinary_calls_are_allowed(architecture: str) -> None:
    for number in (READ[architecture], EXECVE[architecture], 452):
        assert judge(architecture, number) == ALLOW


@each_architecture
def test_dangerous_calls_are_refused(architecture: str) -> None:
    for number in REFUSED[architecture].values():
        assert judge(architecture, number) == REFUSE


@each_architecture
def test_io_uring_is_refused(architecture: str) -> None:
    assert [judge(architecture, number) for number in (425, 426, 427)] == [REFUSE] * 3


@each_architecture
def test_clone_is_allowed_without_new_namespaces(architecture: str) -> None:
    assert judge(architecture, CLONE[architecture], 0x01200011) == ALLOW


@each_architecture
@pytest.mark.parametrize("flag", [0x20000, 0x02000000, 0x10000000, 0x20000000, 0x40000000])
def test_clone_is_refused_with_a_new_namespace(architecture: str, flag: int) -> None:
    assert judge(architecture, CLONE[architecture], flag | 17) == REFUSE


@each_architecture
def test_clone3_does_not_exist_because_its_flags_are_out_of_sight(architecture: str) -> None:
    assert judge(architecture, 435) == UNKNOWN


@each_architecture
def test_only_unix_sockets_can_be_made(architecture: str) -> None:
    for call in (SOCKET[architecture], SOCKETPAIR[architecture]):
        assert judge(architecture, call, 1, 1) == ALLOW
        assert {judge(architecture, call, family, 1) for family in (0, 2, 10, 16, 17, 38)} == {
            REFUSE
        }


@each_architecture
def test_terminal_injection_is_refused_even_with_stray_upper_bits(architecture: str) -> None:
    ioctl = IOCTL[architecture]

    assert judge(architecture, ioctl, 0, 0x5413) == ALLOW
    assert judge(architecture, ioctl, 0, 0x5412) == REFUSE
    assert judge(architecture, ioctl, 0, 0x541C) == REFUSE
    assert judge(architecture, ioctl, 0, 0xFFFFFFFF_00005412) == REFUSE


@each_architecture
def test_calls_of_future_kernels_do_not_exist(architecture: str) -> None:
    assert {judge(architecture, number) for number in (453, 1000, 0xFFFFFFFF)} == {UNKNOWN}


def test_calls_of_the_x32_interface_do_not_exist() -> None:
    assert judge("x86_64", 0x40000000 | 101) == UNKNOWN


@each_architecture
def test_a_foreign_architecture_is_killed(architecture: str) -> None:
    assert judge(architecture, READ[architecture], audit_number=0x40000003) == KILL_PROCESS


@each_architecture
def test_the_filter_is_within_the_kernels_size_limit(architecture: str) -> None:
    assert len(filter_program(architecture)) // 8 < 4096


def test_there_is_no_filter_for_an_unknown_architecture() -> None:
    with pytest.raises(KeyError):
        filter_program("riscv64")
