"""The job file: what makes two jobs the same, and when one counts as done."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from synth.errors import DataError
from synth.students.job import TrainJob, TrainResult, weights_digest


def result_of(job: TrainJob) -> TrainResult:
    return TrainResult(
        job=job.fingerprint(),
        output=job.output,
        weights="0" * 64,
        steps=1,
        examples=2,
        left_out=0,
        tokens=3,
        seconds=4.0,
        loss=5.0,
    )


def test_fingerprint_is_of_content_and_settings(make_job, tmp_path: Path, data: Path) -> None:
    """The same work elsewhere is the same job; other rows or settings are another."""
    job = make_job()
    copy = tmp_path / "copy.parquet"
    shutil.copy(data, copy)
    assert make_job("elsewhere", data=copy, train={"threads": 2}).fingerprint() == job.fingerprint()
    assert make_job(train={"learning_rate": 1e-3}).fingerprint() != job.fingerprint()
    copy.write_bytes(copy.read_bytes() + b" ")
    assert make_job(data=copy).fingerprint() != job.fingerprint()


def test_fingerprint_names_missing_data(make_job, tmp_path: Path) -> None:
    """A wrong data path is the user's mistake, told with the path."""
    with pytest.raises(DataError, match=r"none\.parquet"):
        make_job(data=tmp_path / "none.parquet").fingerprint()


def test_finished_needs_the_output_and_the_same_job(make_job) -> None:
    """A result is believed only while its weights are there and the job is unchanged."""
    job = make_job()
    assert job.finished() is None
    job.work.mkdir(parents=True)
    job.report.write_text(result_of(job).model_dump_json())
    assert job.finished() is None
    job.output.mkdir()
    assert job.finished() == result_of(job)
    assert make_job(train={"seed": 1}).finished() is None


def test_weights_digest_is_what_sha256sum_says(tmp_path: Path) -> None:
    """The digest in the card can be checked with `cat *.safetensors | sha256sum`."""
    (tmp_path / "b.safetensors").write_bytes(b"two")
    (tmp_path / "a.safetensors").write_bytes(b"one")
    (tmp_path / "config.json").write_text("{}")
    assert weights_digest(tmp_path) == hashlib.sha256(b"onetwo").hexdigest()
