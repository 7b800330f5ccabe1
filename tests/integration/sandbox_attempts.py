"""Programs that try to get out of the sandbox, or over its limits, and how each has to end.

`test_sandbox` runs every one, and an honest program after it. A program prints ESCAPED where it
got what it must not get; SYSTEM_CALLS holds those that are one forbidden system call.
"""

from __future__ import annotations

from dataclasses import dataclass

ESCAPED = "ESCAPED"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A hostile program, its exit code, and what one of its outputs has to hold."""

    name: str
    source: str
    exit_code: int = 0
    says: str = ""
    timeout_s: float = 40.0
    cpu_s_max: int = 60


TIME = "sandbox: ended at the time limit of 0.5 s"
MEMORY = "sandbox: ended at the memory limit of 512 MiB"
FILES = "sandbox: ended at the limit of 16384 files"

RESOURCES = (
    Attempt(
        "a fork bomb",
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        124,
        TIME,
        timeout_s=0.5,
    ),
    Attempt(
        "more processes than allowed",
        """
import os, time
n = 0
try:
    while n < 1000:
        if os.fork() == 0:
            time.sleep(60)
        n += 1
    print("ESCAPED")
except BlockingIOError:
    print("contained" if n < 64 else "ESCAPED")
""",
        says="contained",
    ),
    Attempt(
        "more threads than allowed",
        """
import os, threading
stop = threading.Event()
try:
    for _ in range(1000):
        threading.Thread(target=stop.wait, daemon=True).start()
    print("ESCAPED", flush=True)
except RuntimeError as error:
    print(error, flush=True)
os._exit(0)
""",
        says="can't start new thread",
    ),
    Attempt("one large allocation", "x = bytearray(10**9)\nprint('ESCAPED')", 1, MEMORY),
    Attempt("memory growing for ever", "x = []\nwhile True: x.append(' ' * 10**6)", 1, MEMORY),
    Attempt(
        "memory spread over children",
        """
import os, time
for _ in range(16):
    if os.fork() == 0:
        x = b"x" * (100 * 2**20)
        time.sleep(60)
time.sleep(60)
print("ESCAPED")
""",
        137,
        MEMORY,
    ),
    Attempt(
        "shared memory spread over children",
        """
import mmap, os, time
for _ in range(16):
    if os.fork() == 0:
        m = mmap.mmap(-1, 100 * 2**20)
        m.write(b"x" * (100 * 2**20))
        time.sleep(60)
time.sleep(60)
print("ESCAPED")
""",
        137,
        MEMORY,
    ),
    Attempt("an endless loop", "while True: pass", 124, TIME, timeout_s=0.5),
    Attempt("an endless sleep", "import time\ntime.sleep(1e6)", 124, TIME, timeout_s=0.5),
    Attempt(
        "more CPU time than allowed",
        "while True: pass",
        124,
        "sandbox: ended at the limit of 1 s of CPU time",
        timeout_s=80,
        cpu_s_max=1,
    ),
    Attempt(
        "ignoring the CPU time's signal",
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        137,
        timeout_s=80,
        cpu_s_max=1,
    ),
    Attempt(
        "ignoring every signal",
        """
import signal
for number in signal.valid_signals():
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass
""",
        124,
        TIME,
        timeout_s=0.5,
    ),
    Attempt(
        "a gigabyte of stdout",
        "import sys\nfor _ in range(1024): sys.stdout.write('x' * 2**20)\nprint('ESCAPED')",
        137,
        "sandbox: ended at the limit of 262144 bytes of stdout",
    ),
    Attempt(
        "a gigabyte of stderr",
        "import sys\nfor _ in range(1024): sys.stderr.write('x' * 2**20)\nprint('ESCAPED')",
        137,
        "sandbox: ended at the limit of 262144 bytes of stderr",
    ),
    Attempt(
        "closing its outputs and going on",
        "import os\nfor n in (0, 1, 2): os.close(n)\nwhile True: pass",
        124,
        TIME,
        timeout_s=0.5,
    ),
    Attempt(
        "a file over the limit",
        """
with open("/tmp/x", "wb") as f:
    for _ in range(64): f.write(b"x" * 2**20)
print("ESCAPED")
""",
        1,
        "File too large",
    ),
    Attempt(
        "filling /tmp",
        """
for n in range(64):
    with open(f"/tmp/{n}", "wb") as f:
        for _ in range(8): f.write(b"x" * 2**20)
print("ESCAPED")
""",
        1,
        "No space left on device",
    ),
    Attempt(
        "filling /dev/shm",
        """
for n in range(64):
    with open(f"/dev/shm/{n}", "wb") as f:
        for _ in range(8): f.write(b"x" * 2**20)
print("ESCAPED")
""",
        1,
        "No space left on device",
    ),
    Attempt(
        "a hundred thousand files and more",
        "for n in range(10**7): open(f'/tmp/{n}', 'w').close()\nprint('ESCAPED')",
        137,
        FILES,
    ),
    Attempt(
        "symbolic links without end",
        "import os\nfor n in range(10**7): os.symlink('/', f'/dev/shm/{n}')\nprint('ESCAPED')",
        137,
        FILES,
    ),
    Attempt(
        "more open files than allowed",
        "keep = [open('/dev/null') for _ in range(5000)]\nprint('ESCAPED')",
        1,
        "Too many open files",
    ),
    Attempt("a segmentation fault", "import ctypes\nctypes.string_at(0)", 139),
    Attempt(
        "lifting its own limits",
        """
import resource
for limit in (resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE):
    try:
        resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print("ESCAPED")
    except (ValueError, OSError) as error:
        print(error)
""",
        says="not allowed to raise maximum limit",
    ),
)

SIGNALS = (
    Attempt(
        "stopping itself",
        "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
        124,
        TIME,
        timeout_s=0.5,
    ),
    Attempt(
        "stopping its group, which is bubblewrap's",
        "import os, signal\nos.killpg(0, signal.SIGSTOP)",
        124,
        TIME,
        timeout_s=0.5,
    ),
    Attempt(
        "killing its group, which is bubblewrap's",
        "import os, signal\nos.killpg(0, signal.SIGKILL)\nprint('ESCAPED')",
        137,
    ),
    Attempt(
        "killing everything in sight",
        "import os, signal\nos.kill(-1, signal.SIGKILL)\nprint('still here')",
        1,
        "ProcessLookupError",
    ),
    Attempt(
        "killing the first process",
        "import os, signal\nos.kill(1, signal.SIGKILL)\nprint('still here')",
        says="still here",
    ),
    Attempt("ending by a signal", "import os\nos.abort()", 134),
    Attempt(
        "signalling processes of the machine",
        """
import os
seen = 0
for pid in range(3, 5000):
    try:
        os.kill(pid, 0)
        seen += 1
    except ProcessLookupError:
        pass
print("ESCAPED" if seen else "contained")
""",
        says="contained",
    ),
)

SIGHT = (
    Attempt(
        "reading the first process' environment",
        "print('ESCAPED', open('/proc/1/environ').read())",
        1,
        "No such file",
    ),
    Attempt(
        "taking over bubblewrap's own process through its memory",
        "open('/proc/1/mem', 'r+b')\nprint('ESCAPED')",
        1,
        "No such file",
    ),
    Attempt(
        "looking into private folders",
        """
import os
for path in ("/root", "/home", "/var", "/srv", "/mnt", "/media", "/opt", "/run", "/boot", "/sys"):
    if os.path.exists(path):
        print("ESCAPED", path)
print("contained")
""",
        says="contained",
    ),
    Attempt("reading hashed passwords", "print('ESCAPED', open('/etc/shadow').read())", 1),
    Attempt("reading who there is", "print('ESCAPED', open('/etc/passwd').read())", 1),
    Attempt(
        "reading disks and memory",
        """
import os
for name in ("mem", "kmem", "kmsg", "vda", "sda", "nvme0n1", "fuse", "kvm", "net/tun"):
    if os.path.exists("/dev/" + name):
        print("ESCAPED", name)
print("contained")
""",
        says="contained",
    ),
    Attempt(
        "reading through a symbolic link",
        "import os\nos.symlink('/etc/shadow', '/tmp/x')\nprint('ESCAPED', open('/tmp/x').read())",
        1,
        "No such file",
    ),
    Attempt(
        "climbing above the root",
        "import os\nprint('ESCAPED' if os.path.exists('../' * 40 + 'root') else 'contained')",
        says="contained",
    ),
    Attempt(
        "looking for descriptors left open",
        """
import os
for handle in range(3, 1024):
    try:
        print("ESCAPED", handle, os.fstat(handle))
    except OSError:
        pass
print("contained")
""",
        says="contained",
    ),
    Attempt(
        "learning the machine's name",
        "import os\nprint('contained' if os.uname().nodename == 'sandbox' else 'ESCAPED')",
        says="contained",
    ),
    Attempt("waiting for input", "print('ESCAPED', input())", 1, "EOFError"),
)

WRITING = (
    Attempt(
        "writing outside its temporary folders",
        """
import sysconfig
stdlib = sysconfig.get_path("stdlib")
for path in ("/x", "/usr/x", "/usr/bin/python3", "/usr/lib/x", "/etc/x", "/etc/ld.so.cache",
             "/dev/x", "/bin/x", "/lib/x", "/program.py", stdlib + "/os.py"):
    try:
        open(path, "w")
        print("ESCAPED", path)
    except OSError:
        pass
print("contained")
""",
        says="contained",
    ),
    Attempt(
        "writing through a symbolic link",
        "import os\nos.symlink('/usr/lib', '/tmp/x')\nopen('/tmp/x/y', 'w')\nprint('ESCAPED')",
        1,
        "Read-only file system",
    ),
    Attempt(
        "linking a file of the machine into its own folder",
        "import os\nos.link('/usr/bin/env', '/tmp/x')\nprint('ESCAPED')",
        1,
        "Invalid cross-device link",
    ),
    Attempt(
        "making a device",
        "import os\nos.mknod('/tmp/x', 0o60666, os.makedev(8, 0))\nprint('ESCAPED')",
        1,
        "Operation not permitted",
    ),
    Attempt("removing the root", "import os\nos.rmdir('/usr')\nprint('ESCAPED')", 1),
    Attempt("becoming root", "import os\nos.setuid(0)\nprint('ESCAPED')", 1, "Invalid argument"),
    Attempt("joining groups", "import os\nos.setgroups([0])\nprint('ESCAPED')", 1, "not permitted"),
    Attempt(
        "gaining privileges by a set-user-id program",
        """
import ctypes
PR_GET_NO_NEW_PRIVS = 39
libc = ctypes.CDLL(None)
print("contained" if libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 else "ESCAPED")
""",
        says="contained",
    ),
    Attempt(
        "typing into the terminal",
        """
import fcntl, os
TIOCSTI = 0x5412
ours, theirs = os.openpty()
for handle in (0, 1, 2, ours, theirs):
    try:
        fcntl.ioctl(handle, TIOCSTI, b"x")
        print("ESCAPED", handle)
    except PermissionError:
        print("contained")
""",
        says="contained",
    ),
    Attempt("opening the terminal", "open('/dev/tty', 'w')\nprint('ESCAPED')", 1, "No such device"),
)

NETWORK = (
    *(
        Attempt(
            f"a socket of family {family} and kind {kind}",
            f"import socket\nsocket.socket({family}, {kind})\nprint('ESCAPED')",
            1,
            "Operation not permitted",
        )
        for family, kind in ((2, 1), (2, 2), (2, 3), (10, 1), (16, 3), (17, 3), (38, 5), (40, 1))
    ),
    Attempt(
        "asking for a name's address",
        "import socket\nprint('ESCAPED', socket.getaddrinfo('localhost.localdomain', 80))",
        1,
        "gaierror",
    ),
    Attempt(
        "an ordinary download",
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1/')\nprint('ESCAPED')",
        1,
        "Operation not permitted",
    ),
)

BAD_SOURCES = (
    Attempt("no Python at all", "this is )( no program", 1, "SyntaxError"),
    Attempt("a NUL in the source", "x = (\0", 1, "SyntaxError"),
    Attempt("half a character in the source", "print('\ud800')", 1, "SyntaxError"),
    Attempt("output that is no text", "import os\nos.write(1, bytes(range(256)))", 0, "\ufffd"),
)

ATTEMPTS = (*RESOURCES, *SIGNALS, *SIGHT, *WRITING, *NETWORK, *BAD_SOURCES)

SYSTEM_CALLS: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "ptrace": (101, 117, (0,)),
    "process_vm_readv": (310, 270, (1,)),
    "process_vm_writev": (311, 271, (1,)),
    "pidfd_getfd": (438, 438, (0, 0, 0)),
    "mount": (165, 40, (0, 0, 0, 0, 0)),
    "umount2": (166, 39, (0, 0)),
    "fsopen": (430, 430, (0, 0)),
    "open_tree": (428, 428, (0, 0, 0)),
    "mount_setattr": (442, 442, ()),
    "pivot_root": (155, 41, (0, 0)),
    "chroot": (161, 51, (0,)),
    "unshare of users": (272, 97, (0x10000000,)),
    "unshare of mounts": (272, 97, (0x20000,)),
    "setns": (308, 268, (0, 0)),
    "clone with new users": (56, 220, (0x10000000 | 17, 0, 0, 0, 0)),
    "clone with a new network": (56, 220, (0x40000000 | 17, 0, 0, 0, 0)),
    "clone3": (435, 435, (0, 88)),
    "bpf": (321, 280, (0, 0, 0)),
    "io_uring_setup": (425, 425, (1, 0)),
    "io_setup": (206, 0, (1, 0)),
    "keyctl": (250, 219, (0,)),
    "add_key": (248, 217, (0, 0, 0, 0, 0)),
    "request_key": (249, 218, (0, 0, 0, 0)),
    "perf_event_open": (298, 241, (0, 0, -1, -1, 0)),
    "userfaultfd": (323, 282, (1,)),
    "memfd_create": (319, 279, (0, 0)),
    "shmget": (29, 194, (0, 1 << 30, 0o1600)),
    "mq_open": (240, 180, (0, 0, 0, 0)),
    "open_by_handle_at": (304, 265, (0, 0, 0)),
    "fanotify_init": (300, 262, (0, 0)),
    "personality": (135, 92, (0xFFFFFFFF,)),
    "kexec_load": (246, 104, (0, 0, 0, 0)),
    "init_module": (175, 105, (0, 0, 0)),
    "finit_module": (313, 273, (0, 0, 0)),
    "delete_module": (176, 106, (0, 0)),
    "reboot": (169, 142, (0, 0, 0, 0)),
    "swapon": (167, 224, (0, 0)),
    "settimeofday": (164, 170, (0, 0)),
    "clock_settime": (227, 112, (0, 0)),
    "sethostname": (170, 161, (0, 0)),
    "syslog": (103, 116, (3, 0, 0)),
    "a call of a future kernel": (999, 999, ()),
}
"""Calls by name: number on x86_64, number on aarch64, arguments."""


def system_call_source(name: str) -> str:
    """Return a program that prints the errno of a call, and ESCAPED where there is none."""
    x86_64, aarch64, arguments = SYSTEM_CALLS[name]
    return f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
number = {x86_64} if os.uname().machine == "x86_64" else {aarch64}
answer = libc.syscall(number, *map(ctypes.c_long, {arguments}))
if answer == 0 and number in (56, 220):
    os._exit(0)
print("ESCAPED" if answer != -1 else os.strerror(ctypes.get_errno()))
"""
