"""A night every night: the systemd units or the cron line for it, and where they go."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from synth.errors import SynthError

__all__ = ["cron_line", "install_cron", "install_units", "units"]


def cron_line(file: Path, nights: Path, at: str) -> str:
    """One line for a crontab: every night at `at`, HH:MM, in this folder."""
    hour, minute = _time(at)
    command = " ".join(map(shlex.quote, _command(file, nights)))
    line = f"{minute} {hour} * * * cd {shlex.quote(str(Path.cwd()))} && {command} --quiet"
    return line.replace("%", "\\%")


def units(file: Path, nights: Path, at: str) -> dict[Path, str]:
    """Path -> text of a user's systemd service and timer."""
    hour, minute = _time(at)
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    name = f"synth-{re.sub(r'[^A-Za-z0-9_-]+', '-', file.stem)}"
    service = f"""[Unit]
Description=synth: one night of {_plain(file)}

[Service]
Type=oneshot
WorkingDirectory={_plain(Path.cwd())}
ExecStart={" ".join(map(_word, _command(file, nights)))} --quiet
# Nothing better, and a limit reached, are no failures.
SuccessExitStatus=3 4
"""
    timer = f"""[Unit]
Description=synth: every night at {at}

[Timer]
OnCalendar=*-*-* {hour:02d}:{minute:02d}:00
Persistent=true

[Install]
WantedBy=timers.target
"""
    return {folder / f"{name}.service": service, folder / f"{name}.timer": timer}


def install_units(files: dict[Path, str]) -> str:
    """Write them; returns the command that puts the timer to work. Raises `SynthError`."""
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SynthError(f"writing the units: {error}", "make the folder writable, or use cron") from error
    timer = next(path.name for path in files if path.suffix == ".timer")
    return f"systemctl --user daemon-reload && systemctl --user enable --now {timer}"


def install_cron(line: str) -> None:
    """Add the line to this user's crontab, once. Raises `SynthError`."""
    try:
        shown = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)
        lines = shown.stdout.splitlines() if shown.returncode == 0 else []
        if line not in lines:
            text = "".join(f"{one}\n" for one in [*lines, line])
            subprocess.run(["crontab", "-"], input=text, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SynthError(f"writing the crontab: {error}", "add the line by hand") from error


def _command(file: Path, nights: Path) -> list[str]:
    synth = [sys.executable, "-m", "synth.cli.main"]
    return [*synth, "nightly", str(file.resolve()), "--nights", str(nights.resolve())]


def _time(at: str) -> tuple[int, int]:
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if not found:
        raise SynthError(f"{at!r} is no time of day", "write hours and minutes, such as 02:00")
    return int(found[1]), int(found[2])


def _plain(path: Path) -> str:
    return str(path).replace("%", "%%")


def _word(text: str) -> str:
    """One word of a unit's command line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if re.search(r"[\s\"';]", text) else escaped
