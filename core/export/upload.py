"""An exported folder goes to any URL that fsspec can write: a bucket, for example."""

from __future__ import annotations

from pathlib import Path

from synth.data.remote import filesystem
from synth.errors import RunError
from synth.export.write import MARK

__all__ = ["upload"]


def upload(folder: Path, url: str) -> None:
    """Put the files of an export there; an earlier export is replaced, its mark before all else goes last.

    Raises `RunError` if something else is there or it cannot be written.
    """
    system, root = filesystem(url)
    try:
        held = {str(path).removeprefix(root).lstrip("/") for path in system.find(root)}
        if held and MARK not in held:
            raise RunError(
                f"{url} holds other things than an export", "name an empty or new folder with --to"
            )
        names = [path.name for path in sorted(folder.iterdir()) if path.name != MARK]
        system.makedirs(root, exist_ok=True)
        for name in [*names, MARK]:
            system.put_file(str(folder / name), f"{root}/{name}")
        for name in sorted(held - {*names, MARK}):
            if name.startswith("train.") or name == "dataset_info.json":
                system.rm_file(f"{root}/{name}")
    except RunError:
        raise
    except Exception as error:  # each library raises its own
        raise RunError(
            f"{url} cannot be written: {type(error).__name__}: {error}",
            "check the address, and the keys and endpoint in the environment; the same command does it again",
        ) from error
