"""What models and trainings need, and the profiles that ship: each fits the GPUs it is named for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from synth.config.recipes import built_in
from synth.engine.folder import RunFolder
from synth.errors import RunError
from synth.flowfiles import load
from synth.gpu import DoesNotFit, Gpu, Sharing, Sizes, share, visible_gpus
from synth.gpu.needs import LORAS, servings, sizes_by_name, trainings
from synth.gpu.sizes import GIB
from synth.teachers.models.aliases import aliases

ROOT = Path(__file__).parents[2]
FLOWS = ("stat", "spar", "delta", "drift", "agentinstruct")
CARDS = {24: ("NVIDIA L4", 23034), 80: ("NVIDIA H100 80GB HBM3", 81559)}
"""Memory in MiB as nvidia-smi tells of them."""


def cards(count: int, gb: int) -> list[Gpu]:
    name, mib = CARDS[gb]
    return [Gpu(str(n), f"GPU-{n}", name, mib << 20, (mib - 500) << 20) for n in range(count)]


def planned(flow: str, profile: str, gpus: list[Gpu], *overrides: str) -> Sharing:
    loaded = load(ROOT / f"flows/{flow}.yaml", overrides, profile)
    places, sizes, unknown = sizes_by_name(loaded.flow)
    assert not unknown, "a profile names a model whose form nobody knows"
    needs = servings(loaded.flow, places, sizes), trainings(loaded.flow, loaded.path, sizes, len(gpus))
    return share(*needs, gpus, 64 * len(gpus) * GIB, loaded.flow.gpu.share)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("profile", ["gpu-24gb", "gpu-80gb", "gpu-8x80gb"])
def test_every_flow_fits_the_gpus_its_profile_names(flow: str, profile: str) -> None:
    """It passes the checks, models and training fit, and every server can hold a batch worth the name."""
    found = re.fullmatch(r"gpu-(?:(\d)x)?(\d+)gb", profile)
    assert found is not None
    plan = planned(flow, profile, cards(int(found[1] or 1), int(found[2])))
    assert plan.mode in ("side-by-side", "sleep")
    tokens = [
        int(said.replace(",", "")) for said in re.findall(r"about ([\d,]+) tokens", "\n".join(plan.said))
    ]
    assert tokens and min(tokens) >= 20_000


def test_the_simulated_user_fits_a_small_card() -> None:
    """drift's other profile needs one GPU only."""
    assert planned("drift", "gpu-simulator", cards(1, 24)).servers


def test_what_is_too_large_says_so() -> None:
    """The large profile on a small card, and batches that eight processes cannot share."""
    with pytest.raises(DoesNotFit, match=r"the models need .*qwen3-30b-fp8"):
        planned("agentinstruct", "gpu-80gb", cards(1, 24))
    with pytest.raises(DoesNotFit, match=r"train.batch_size: 4 cannot be shared by 8 training processes"):
        planned("drift", "gpu-80gb", cards(8, 80))
    with pytest.raises(DoesNotFit, match=r"train.launch starts 8 processes, and 1 GPUs"):
        planned("drift", "gpu-8x80gb", cards(1, 80))


def test_servers_are_counted_by_what_they_hold() -> None:
    """Two learners on one base are one server with room for their adapters; whole weights have one each."""
    loaded = load(ROOT / "flows/spar.yaml", (), "gpu-80gb")
    places, sizes, _ = sizes_by_name(loaded.flow)
    (one,) = servings(loaded.flow, places, sizes)
    form = sizes["student"]
    assert one.role == "student" and not one.changes and one.longest == 8192
    assert one.weights == 2 * form.parameters + LORAS * 64 * form.linear * 2
    assert one.token == 2 * 2 * 32 * 8 * 128
    apart = load(ROOT / "flows/spar.yaml", ("train.lora=null",), "gpu-80gb").flow
    both = servings(apart, places, sizes)
    assert [(each.role, each.changes) for each in both] == [("student", True), ("refiner", False)]


def test_sharded_weights_are_divided_and_adapters_are_not() -> None:
    """FSDP's processes hold a part each; a batch is shared by as many processes as there are GPUs."""
    loaded = load(ROOT / "flows/delta.yaml", (), "gpu-8x80gb")
    _, sizes, _ = sizes_by_name(loaded.flow)
    (sharded,) = trainings(loaded.flow, loaded.path, sizes, 8)
    assert sharded.processes == 8 and "4 rows of up to 2048" in sharded.said
    assert sharded.weights == pytest.approx(16 * sizes["student"].parameters / 8 + GIB)
    assert {"fsdp", "deepspeed"} <= set(built_in("accelerate"))


def test_known_models_have_the_sizes_of_their_files() -> None:
    """The list's form of a model agrees with its files, where they are here."""
    small = aliases()["smollm2-135m"].sizes
    assert small is not None
    assert (small.cache, small.parameters) == (2 * 30 * 3 * 64, 269_060_552 // 2)
    assert all(alias.sizes for alias in aliases().values())
    from synth.teachers.models.resolve import find_cached

    if folder := find_cached("smollm2-135m", "HuggingFaceTB/SmolLM2-135M-Instruct"):
        read = Sizes.of_folder(folder)
        assert (read.cache, read.layers, read.hidden, read.linear) == (
            small.cache,
            small.layers,
            small.hidden,
            small.linear,
        )
        assert read.parameters == pytest.approx(small.parameters, rel=0.25)


def test_gpus_are_those_the_variable_leaves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By number or by the beginning of their name, in its order; CUDA stops at one it does not know."""
    lines = [f"{n}, GPU-{n}aaa-bbb, A card, 24576, {24000 - n}" for n in range(3)]
    (tmp_path / "gpus").write_text("\n".join([*lines, "3, GPU-x, Shared memory, [N/A], [N/A]"]))
    monkeypatch.setenv("FAKE_GPUS", str(tmp_path / "gpus"))
    monkeypatch.setenv("PATH", f"{Path(__file__).parent / 'bin'}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [(gpu.index, gpu.total >> 20, gpu.free >> 20) for gpu in visible_gpus()] == [
        (str(n), 24576, 24000 - n) for n in range(3)
    ]
    for said, left in (("2,0", ["2", "0"]), ("GPU-1a", ["1"]), ("0,7,1", ["0"]), ("", []), ("-1", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
        assert [gpu.index for gpu in visible_gpus()] == left
    monkeypatch.setenv("FAKE_GPUS", "/nowhere")
    assert visible_gpus() == ()


def test_a_run_goes_on_with_other_shares(tmp_path: Path) -> None:
    """Where and how large a server is may change between two starts; what it answers may not."""
    folder = RunFolder(tmp_path)
    models = {"student": {"model": "m", "server": {"replicas": 1, "max_model_len": 512}}}
    folder.settle({"models": models, "gpu": {"share": "auto"}})
    server = {"replicas": 2, "gpu_memory_utilization": 0.4, "port": 9000, "max_model_len": 512}
    folder.settle({"models": {"student": {"model": "m", "server": server}}, "gpu": {"share": "turns"}})
    with pytest.raises(RunError, match="max_model_len"):
        folder.settle({"models": {"student": {"model": "m", "server": {**server, "max_model_len": 9}}}})
