"""The sandbox holds: each way out ends inside, is recorded, and costs nobody else anything."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from synth.sandbox import Limits, Outcome, run_python, run_python_async

KERNEL = {"hooks": False}
MEANS = [
    {},
    {"namespaces": False},
    {"landlock": False},
    {"calls": False},
    {"namespaces": False, "landlock": False},
    {"namespaces": False, "landlock": False, "calls": False},
]
"""All means, and what is left where a machine lacks some."""
OUTSIDE = """
import os, sys
for way in ({ways}):
    try:
        way()
    except BaseException as error:
        print(type(error).__name__)
    else:
        print("out")
"""


def attempt(*ways: str, **means: bool) -> Outcome:
    """Each expression tried by itself; a line for each says how it went."""
    return run_python(OUTSIDE.format(ways=", ".join(f"lambda: {way}" for way in ways) + ","), **means)


def test_a_program_runs_and_its_output_comes_back() -> None:
    """The ordinary case, with the standard library at hand."""
    outcome = run_python("import json, math, collections\nprint(json.dumps({'pi': round(math.pi, 2)}))")
    assert (outcome.status, outcome.stdout, outcome.attempts) == ("ok", '{"pi": 3.14}\n', ())
    assert {"resource limits", "audit hooks"} <= set(outcome.in_force)


def test_an_error_is_told_in_its_own_words() -> None:
    """A repair needs the last line of the traceback."""
    outcome = run_python("def f():\n    return [][1]\nf()")
    assert (outcome.status, outcome.reason) == ("error", "IndexError: list index out of range")
    assert "inside.py" not in outcome.stderr, "and of nothing else"


@pytest.mark.parametrize("means", MEANS)
def test_files_outside_are_neither_read_nor_written(tmp_path: Path, means: dict[str, bool]) -> None:
    """Not by name, not through a link, not by listing; the scratch folder is all there is."""
    secret, made = tmp_path / "secret.txt", tmp_path / "made.txt"
    secret.write_text("secret")
    outcome = attempt(
        f"print(open({str(secret)!r}).read())",
        f"open({str(made)!r}, 'w').write('x')",
        f"os.symlink({str(secret)!r}, 'link') or print(open('link').read())",
        f"os.listdir({str(tmp_path)!r})",
        f"os.remove({str(secret)!r})",
        "open('own.txt', 'w').write('x')",
        **means,
    )
    assert "secret" not in outcome.stdout
    assert outcome.stdout.split()[-1] == "out", "the scratch folder is writable"
    assert outcome.stdout.split().count("PermissionError") == 5
    assert secret.read_text() == "secret"
    assert not made.exists()
    assert any(str(secret) in line for line in outcome.attempts)


def test_the_kernel_holds_where_the_interpreter_is_passed_by(tmp_path: Path) -> None:
    """Without audit hooks, as for foreign machine code: no file, no port, no process outside."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = attempt(
            f"print(open({str(secret)!r}).read())",
            f"open({str(tmp_path / 'made')!r}, 'w')",
            f"__import__('socket').socket().connect(('127.0.0.1', {port}))",
            f"os.kill({os.getpid()}, 15)",
            **KERNEL,
        )
    if not {"Landlock files", "network namespace"} <= set(outcome.in_force):
        pytest.skip("this machine has neither Landlock nor user namespaces")
    assert "secret" not in outcome.stdout
    assert "out" not in outcome.stdout.split()
    assert len(outcome.stdout.split()) == 4


@pytest.mark.parametrize("means", MEANS)
def test_no_connection_leaves(means: dict[str, bool]) -> None:
    """Nobody is reached, not even on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        outcome = attempt(f"__import__('socket').socket().connect(('127.0.0.1', {port}))", **means)
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert outcome.stdout.strip() != "out"
    assert any("socket." in line for line in outcome.attempts)


@pytest.mark.parametrize("means", [MEANS[0], MEANS[-1]])
def test_a_fork_bomb_ends_with_its_sandbox(means: dict[str, bool]) -> None:
    """Whatever it starts is gone when the run is over."""
    bomb = "import os\nfor _ in range(500):\n    try: os.fork()\n    except OSError: pass\nprint('spent')"
    outcome = run_python(bomb, Limits(seconds=20), **means)
    assert (outcome.status, outcome.stdout) == ("ok", "spent\n"), "once: nothing was forked"
    assert outcome.attempts[0].startswith("os.fork")
    assert not _alive()


def _alive() -> list[str]:
    """Command lines of processes that run the inside of a sandbox and are no zombies."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (
                b"sandbox/inside.py" in (entry / "cmdline").read_bytes()
                and entry.stat().st_ctime > time.time() - 3
            ):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent in (1, os.getpid()):
                    found.append(entry.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("means", [{}, {"namespaces": False}, {"calls": False}])
def test_files_are_not_changed_past_the_interpreter(tmp_path: Path, means: dict[str, bool]) -> None:
    """Rights, times and links of a file outside, which Landlock alone would let be changed."""
    kept = tmp_path / "kept.txt"
    kept.touch(mode=0o600)
    before = kept.stat()
    outcome = attempt(
        f"os.chmod({str(kept)!r}, 0o777)",
        f"os.utime({str(kept)!r}, (0, 0))",
        f"os.link({str(kept)!r}, 'link')",
        f"os.mkfifo({str(tmp_path / 'pipe')!r})",
        **KERNEL,
        **means,
    )
    if not {"system calls", "root of its own"} & set(outcome.in_force):
        pytest.skip("this machine has neither a filter of system calls nor user namespaces")
    assert "out" not in outcome.stdout.split()
    assert (kept.stat().st_mode, kept.stat().st_mtime, kept.stat().st_nlink) == (
        before.st_mode,
        before.st_mtime,
        1,
    )


@pytest.mark.parametrize("means", [{}, {"namespaces": False}, {"calls": False}])
def test_a_socket_in_a_folder_is_out_of_reach(tmp_path: Path, means: dict[str, bool]) -> None:
    """Neither a network namespace nor Landlock holds off a socket that has a name among the files."""
    name = str(tmp_path / "door")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        outcome = attempt(f"__import__('socket').socket(1).connect({name!r})", **KERNEL, **means)
        server.settimeout(0)
        if not {"system calls", "root of its own"} & set(outcome.in_force):
            pytest.skip("this machine has neither a filter of system calls nor user namespaces")
        with pytest.raises(BlockingIOError):
            server.accept()
    assert outcome.stdout.strip() in ("PermissionError", "FileNotFoundError")


def test_a_root_of_its_own_hides_all_names(tmp_path: Path) -> None:
    """Not even that a file is there can be seen; packages beside the interpreter are not there either."""
    import pydantic

    outcome = run_python(
        f"import os, sys\nprint(os.path.exists({str(tmp_path)!r}), os.path.exists('/proc'))\n"
        f"sys.path.append({str(Path(pydantic.__file__).parents[1])!r})\nimport pydantic",
        **KERNEL,
    )
    if "root of its own" not in outcome.in_force:
        pytest.skip("this machine has no user namespaces")
    assert outcome.stdout == "False False\n"
    assert outcome.reason == "ModuleNotFoundError: No module named 'pydantic'"


@pytest.mark.parametrize(
    "call",
    ["fork()", "unshare(0x10000000)", "mount(b't', b'/', b'tmpfs', 0, 0)", "ptrace(0, 0, 0, 0)", "setsid()"],
)
def test_machine_code_is_refused_what_leads_out(call: str) -> None:
    """Processes, namespaces, mounts, tracing, a session of its own: with or without namespaces."""
    program = f"import ctypes\nprint(ctypes.CDLL(None).{call})"
    for means in ({}, {"namespaces": False}):
        outcome = run_python(program, **KERNEL, **means)
        if "system calls" not in outcome.in_force:
            pytest.skip("this machine has no filter of system calls")
        assert outcome.stdout == "-1\n"


@pytest.mark.parametrize(
    "trick",
    [
        "os.path.realpath = lambda *path, **how: '/dev/null'",
        "import gc; [one.update(REFUSED=()) for one in gc.get_objects() if type(one) is dict]",
        "sys.modules['watch'] = None",
    ],
)
def test_hooks_are_not_undone_in_passing(trick: str, tmp_path: Path) -> None:
    """The known ways to change what the hooks rest on; the kernel holds in any case."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    program = f"import os, sys\ntry: {trick}\nexcept Exception: pass\nprint(open({str(secret)!r}).read())"
    outcome = run_python(program, namespaces=False, landlock=False)
    assert (outcome.status, outcome.stdout) == ("error", "")
    assert outcome.attempts


def test_threads_and_an_event_loop_work_inside() -> None:
    """What harmless programs use is not refused with the rest."""
    program = """
import asyncio, signal, tempfile, threading, zoneinfo
thread = threading.Thread(target=print, args=("thread",))
thread.start()
thread.join()
asyncio.run(asyncio.sleep(0))
with tempfile.TemporaryFile() as file:
    file.write(b"x")
signal.signal(signal.SIGUSR1, lambda *told: print("signal"))
signal.raise_signal(signal.SIGUSR1)
"""
    outcome = run_python(program)
    assert (outcome.status, outcome.stdout, outcome.attempts) == ("ok", "thread\nsignal\n", ())


def test_endless_output_is_cut() -> None:
    """Neither memory nor disk of the parent fills up."""
    outcome = run_python("while True: print('x' * 1000)", Limits(output_kib=32))
    assert (outcome.status, len(outcome.stdout)) == ("output", 32 * 1024)


@pytest.mark.parametrize("means", MEANS)
def test_a_signal_reaches_nobody(means: dict[str, bool]) -> None:
    """The parent lives on; the attempt is written down."""
    outcome = attempt("os.kill(os.getppid(), 9)", f"os.kill({os.getpid()}, 15)", "os.killpg(1, 9)", **means)
    assert "out" not in outcome.stdout
    assert sum("os.kill" in line for line in outcome.attempts) == 3


def test_a_huge_allocation_fails_inside() -> None:
    """At once, and little by little."""
    assert run_python("x = bytearray(10 ** 11)").status == "memory"
    assert (
        run_python("x = []\nwhile True: x.append('a' * 10 ** 6)", Limits(memory_mib=128)).status == "memory"
    )


def test_time_is_up_for_the_busy_and_for_the_idle() -> None:
    """A loop is ended by its processor time, a sleeper by the clock."""
    busy = run_python("while True: pass", Limits(seconds=90, cpu_seconds=1))
    idle = run_python("import time\ntime.sleep(60)", Limits(seconds=0.4))
    assert (busy.status, idle.status) == ("timeout", "timeout")
    assert busy.seconds < 60, "not by the clock, however slow the machine"
    assert idle.seconds < 30


def test_files_have_a_largest_size() -> None:
    """The disk does not fill up."""
    outcome = run_python("f = open('a', 'wb')\nwhile True: f.write(b'0' * 10 ** 6)", Limits(file_mib=2))
    assert outcome.status == "error"
    assert "OSError" in outcome.reason


@pytest.mark.parametrize(
    "code",
    [
        "import ctypes; ctypes.CDLL(None)",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.execv('/bin/true', ['true'])",
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    ],
)
def test_no_other_program_and_no_machine_code(code: str) -> None:
    """What would pass the interpreter by is refused and written down."""
    outcome = run_python(code)
    assert outcome.status == "error"
    assert outcome.attempts


async def test_many_at_once_have_each_its_own(tmp_path: Path) -> None:
    """Scratch folders are not shared."""
    import asyncio

    code = "import os\nprint(os.listdir('.'))\nopen('mine', 'w').close()"
    outcomes = await asyncio.gather(*(run_python_async(code) for _ in range(6)))
    assert {outcome.stdout for outcome in outcomes} == {"[]\n"}
