"""The system-call filter of the sandbox, as classic BPF assembled by hand.

Bubblewrap loads it from a descriptor right before the program starts (`process` hands it
over). It is the second wall: the namespaces already hide files, network and other processes, and
the filter takes away the calls through which kernels are attacked or limits are evaded. Whatever
is newer than the newest call listed here does not exist inside, so that a call which a future
kernel adds stays out until somebody judged it.
"""

from __future__ import annotations

import errno
import struct

_LOAD_WORD = 0x20
_JUMP_EQUAL = 0x15
_JUMP_AT_LEAST = 0x35
_JUMP_ANY_BIT = 0x45
_RETURN = 0x06

_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_REFUSE = 0x00050000 | errno.EPERM
_UNKNOWN = 0x00050000 | errno.ENOSYS

_NUMBER_AT = 0
_ARCHITECTURE_AT = 4
_ARGUMENTS_AT = 16

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Machine names of `platform.machine()` that there is a filter for, with their audit numbers."""

_ABSENT = -1
_FIRST_UNKNOWN = 453
"""Both architectures count alike from 424 on; 452 (fchmodat2) is the newest call allowed."""

_REFUSED = {
    # Other processes' memory and descriptors.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # Mounts and namespaces.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    # Large attack surfaces that no ordinary program needs.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_setup": (206, 0),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "modify_ldt": (154, _ABSENT),
    "personality": (135, 92),
    # Memory that outlives its mappings, and so escapes every limit on a process.
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # The machine itself.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "iopl": (172, _ABSENT),
    "ioperm": (173, _ABSENT),
    "acct": (163, 89),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
}
"""Calls answered with EPERM: their numbers on x86_64 and on aarch64."""

_CLONE = (56, 220)
_CLONE3 = 435
_IOCTL = (16, 29)
_SOCKET = (41, 198)
_SOCKETPAIR = (53, 199)

_NAMESPACE_FLAGS = 0x7E020000
_TERMINAL_INJECTIONS = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX: they type into the terminal of whoever looks at it."""
_UNIX_FAMILY = 1


def filter_program(architecture: str) -> bytes:
    """Return the filter for a machine name of `ARCHITECTURES`, as an array of ``sock_filter``.

    Raises:
        KeyError: there is no filter for this architecture.
    """
    audit_number = ARCHITECTURES[architecture]
    column = list(ARCHITECTURES).index(architecture)
    code = [
        _instruction(_LOAD_WORD, _ARCHITECTURE_AT),
        _instruction(_JUMP_EQUAL, audit_number, 1, 0),
        _instruction(_RETURN, _KILL_PROCESS),
        _instruction(_LOAD_WORD, _NUMBER_AT),
        # Also turns away the x32 calls, whose numbers have bit 30 set.
        _instruction(_JUMP_AT_LEAST, _FIRST_UNKNOWN, 0, 1),
        _instruction(_RETURN, _UNKNOWN),
        # A filter can't see clone3's flags; glibc falls back to clone on ENOSYS.
        _instruction(_JUMP_EQUAL, _CLONE3, 0, 1),
        _instruction(_RETURN, _UNKNOWN),
    ]
    for numbers in _REFUSED.values():
        if numbers[column] != _ABSENT:
            code += _when_call(numbers[column], [_instruction(_RETURN, _REFUSE)])
    code += _when_call(_CLONE[column], _on_argument(0, _JUMP_ANY_BIT, _NAMESPACE_FLAGS, _REFUSE))
    for request in _TERMINAL_INJECTIONS:
        code += _when_call(_IOCTL[column], _on_argument(1, _JUMP_EQUAL, request, _REFUSE))
    for number in (_SOCKET[column], _SOCKETPAIR[column]):
        code += _when_call(number, _unless_argument(0, _UNIX_FAMILY, _REFUSE))
    return b"".join([*code, _instruction(_RETURN, _ALLOW)])


def _instruction(operation: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, if_true, if_false, operand)


def _when_call(number: int, body: list[bytes]) -> list[bytes]:
    """Run the body only for this call; the accumulator holds the call's number before and after."""
    return [_instruction(_JUMP_EQUAL, number, 0, len(body)), *body]


def _on_argument(index: int, test: int, operand: int, verdict: int) -> list[bytes]:
    # The kernel reads these arguments as 32 bits, and both architectures are little-endian.
    return [
        _instruction(_LOAD_WORD, _ARGUMENTS_AT + 8 * index),
        _instruction(test, operand, 0, 1),
        _instruction(_RETURN, verdict),
        _instruction(_LOAD_WORD, _NUMBER_AT),
    ]


def _unless_argument(index: int, operand: int, verdict: int) -> list[bytes]:
    return [
        _instruction(_LOAD_WORD, _ARGUMENTS_AT + 8 * index),
        _instruction(_JUMP_EQUAL, operand, 1, 0),
        _instruction(_RETURN, verdict),
        _instruction(_LOAD_WORD, _NUMBER_AT),
    ]
