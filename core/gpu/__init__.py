"""One GPU or a few, shared by the servers of a run and its training: what each takes, and who waits."""

from synth.gpu.devices import Gpu, ask_gpus, visible_gpus
from synth.gpu.parts import Placed, Serving, Sharing, Training
from synth.gpu.share import DoesNotFit, share
from synth.gpu.sizes import Sizes

__all__ = [
    "DoesNotFit",
    "Gpu",
    "Placed",
    "Serving",
    "Sharing",
    "Sizes",
    "Training",
    "ask_gpus",
    "share",
    "visible_gpus",
]
