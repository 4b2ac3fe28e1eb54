"""Selective Layer Restoration (arXiv 2602.06665): which layers to put back, by a proxy task.

The task is a random character out of a set that the prompt spells out. Validity is the probability
of answering with one of them, diversity the entropy among them. Every range of layers is tried, and the
most diverse is taken that loses no more validity than is allowed, which is a point of the Pareto front.
The abstract says no more of the choice than that; the prompts and the tolerance are ours.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from synth.errors import TrainError
from synth.students.souping import Restore, Tried

__all__ = ["character_sets", "choose", "pareto", "proxy", "restored"]

PROMPT = "Pick one character at random from this set: {set}. Reply with that character and nothing else."
PROMPTS, SET = 8, 6
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


def restored(
    model: PreTrainedModel, settings: Restore, tokenizer_from: Path
) -> tuple[tuple[int, int], list[Tried]]:
    """Put layers back into `model`; which, and what the proxy task said of them."""
    before = AutoModelForCausalLM.from_pretrained(
        settings.pretrained, dtype=torch.float32, use_safetensors=True
    )
    ours, theirs = model.base_model.layers, before.base_model.layers
    if [_shape(layer) for layer in ours] != [_shape(layer) for layer in theirs]:
        raise TrainError(
            f"restoring layers from {settings.pretrained}: they are not of the student's shape",
            "name the model that the student comes from, as it was before its post-training",
        )
    tried: list[Tried] = []
    chosen = settings.layers
    if chosen is None:
        tried = list(_search(model, list(ours), list(theirs), tokenizer_from))
        best = choose(tried, settings.tolerance)
        chosen = (best.first, best.last)
    first, last = chosen
    if not 0 <= first <= last < len(ours):
        raise TrainError(
            f"restoring layers {first} to {last}: the model has {len(ours)}", f"write 0 to {len(ours) - 1}"
        )
    for at in range(first, last + 1):
        ours[at].load_state_dict(theirs[at].state_dict())
    return chosen, [*tried[:1], *pareto(tried[1:])]


def character_sets() -> list[str]:
    """The sets of the proxy task, always the same."""
    draw = random.Random("characters")
    return ["".join(draw.sample(ALPHABET, SET)) for _ in range(PROMPTS)]


def proxy(model: PreTrainedModel, prompts: list[tuple[torch.Tensor, list[list[int]]]]) -> tuple[float, float]:
    """Validity and diversity of a model's next token; of each prompt its ids and every character's tokens."""
    valid, diverse = 0.0, 0.0
    with torch.no_grad():
        for ids, characters in prompts:
            chances = model(input_ids=ids, use_cache=False).logits[0, -1].float().softmax(-1)
            mass = torch.stack([chances[tokens].sum() for tokens in characters])
            inside = mass / mass.sum().clamp(min=1e-12)
            entropy = -(inside * inside.clamp(min=1e-12).log()).sum()
            valid += float(mass.sum())
            diverse += float(entropy / torch.tensor(float(len(characters))).log())
    return valid / len(prompts), diverse / len(prompts)


def choose(tried: list[Tried], tolerance: float) -> Tried:
    """The most diverse range within the tolerance; `tried[0]` is the student as it was.

    Raises `TrainError` where every range costs more.
    """
    least = tried[0].validity - tolerance
    fitting = [one for one in tried[1:] if one.validity >= least]
    if not fitting:
        raise TrainError(
            f"every range of layers costs more than {tolerance:g} of the student's validity "
            f"({tried[0].validity:.3f})",
            "raise the tolerance, or name the layers",
        )
    return max(fitting, key=lambda one: (one.diversity, one.validity))


def pareto(tried: list[Tried]) -> list[Tried]:
    """Those that none beats in both."""
    best, front = -1.0, []
    for one in sorted(tried, key=lambda one: (-one.validity, -one.diversity)):
        if one.diversity > best:
            best = one.diversity
            front.append(one)
    return front


def _search(model: PreTrainedModel, ours: list[Any], theirs: list[Any], folder: Path) -> Iterator[Tried]:
    """The student as it was, then with every range of layers in turn; at the end it is as it was."""
    prompts = _prompts(folder)
    model.eval()
    yield Tried.model_validate(dict(zip(_NAMES, (-1, -1, *proxy(model, prompts)), strict=True)))
    for first in range(len(ours)):
        for last in range(first, len(ours)):
            mixed = [*ours[:first], *theirs[first : last + 1], *ours[last + 1 :]]
            model.base_model.layers = torch.nn.ModuleList(mixed)
            found = (first, last, *proxy(model, prompts))
            yield Tried.model_validate(dict(zip(_NAMES, found, strict=True)))
    model.base_model.layers = torch.nn.ModuleList(ours)


_NAMES = ("first", "last", "validity", "diversity")


def _prompts(folder: Path) -> list[tuple[torch.Tensor, list[list[int]]]]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    made = []
    for characters in character_sets():
        text = PROMPT.format(set=", ".join(characters))
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        )
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        made.append((torch.tensor([ids]), [_tokens(tokenizer, one) for one in characters]))
    return made


def _tokens(tokenizer: Any, character: str) -> list[int]:
    """The tokens that are this character alone, with a space before it or not."""
    forms = (tokenizer(form, add_special_tokens=False)["input_ids"] for form in (character, f" {character}"))
    return sorted({ids[0] for ids in forms if len(ids) == 1})


def _shape(layer: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()}
