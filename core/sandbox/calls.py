"""A filter on system calls (seccomp): what a program has no business with the kernel does not do for it.

Holds for machine code as for Python and needs no namespace. Imported by the process inside the
sandbox, before any foreign code.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Sequence

__all__ = ["filter_calls"]

_libc = ctypes.CDLL(None, use_errno=True)
PR_SET_SECCOMP, MODE_FILTER = 22, 2
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
"""Where a filter finds them in what it is told of a call."""
EPERM, ENOSYS, THREAD, FOREIGN = 1, 38, 0x10000, 0x40000000

DENIED: dict[str, tuple[int, int]] = {
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200),
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, -1), "vfork": (58, -1),
    "kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "setsid": (112, 157), "setpgid": (109, 154),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "kcmp": (312, 272),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "sethostname": (170, 161),
    "personality": (135, 92), "syslog": (103, 116), "acct": (163, 89), "quotactl": (179, 60),
    "iopl": (172, -1), "ioperm": (173, -1), "memfd_create": (319, 279),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
}  # fmt: skip
"""Call -> its number on x86_64 and on aarch64 (-1: none there)."""
CHANGES: dict[str, tuple[int, int]] = {
    "chmod": (90, -1), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, -1), "fchown": (93, 55), "lchown": (94, -1), "fchownat": (260, 54),
    "utime": (132, -1), "utimes": (235, -1), "futimesat": (261, -1), "utimensat": (280, 88),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
}  # fmt: skip
"""Calls that change a file without opening it, which Landlock does not see."""
CLONE, CLONE3, TGKILL = (56, 220), (435, 435), (234, 131)


def filter_calls(own_root: bool) -> bool:
    """Refuse from now on, for good, all but threads of starting processes, sockets (pairs aside),
    signals to others, tracing, mounts, other programs; without a root of its own also changes
    to files by name. Whether that came about: not on a processor whose calls are not known."""
    machine = os.uname().machine
    if machine not in ARCHITECTURES or struct.calcsize("P") != 8:
        return False
    program = b"".join(struct.pack("=HBBI", *line) for line in _program(machine, own_root))
    held = ctypes.create_string_buffer(program, len(program))
    told = struct.pack("@HP", len(program) // 8, ctypes.addressof(held))
    return bool(_libc.prctl(PR_SET_SECCOMP, MODE_FILTER, told, 0, 0) == 0)


Line = tuple[int, int, int, int]
"""An instruction: what to do, lines to skip if so and if not, and a value."""


def _program(machine: str, own_root: bool) -> list[Line]:
    column = list(ARCHITECTURES).index(machine)
    denied = [pair[column] for pair in {**DENIED, **({} if own_root else CHANGES)}.values()]
    return [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, ARCHITECTURES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        # Calls of the 32-bit kind on 64 bits go by other numbers.
        *(_when(AT_LEAST, FOREIGN, KILL) if machine == "x86_64" else ()),
        *(line for number in denied if number >= 0 for line in _when(EQUAL, number, REFUSE | EPERM)),
        # Its flags lie where a filter cannot look; without it the C library falls back on clone.
        *_when(EQUAL, CLONE3[column], REFUSE | ENOSYS),
        *_only(CLONE[column], ANY_BIT, THREAD),
        *_only(TGKILL[column], EQUAL, os.getpid()),
        (RETURN, 0, 0, ALLOW),
    ]


def _when(test: int, value: int, what: int) -> Sequence[Line]:
    return ((test, 0, 1, value), (RETURN, 0, 0, what))


def _only(number: int, test: int, value: int) -> Sequence[Line]:
    """The call is allowed only if its first argument passes a test."""
    return (
        (EQUAL, 0, 4, number),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (test, 1, 0, value),
        (RETURN, 0, 0, REFUSE | EPERM),
        (RETURN, 0, 0, ALLOW),
    )
