"""The journal: what is written stays, is found by its key, and survives torn ends."""

from __future__ import annotations

import resource
import sqlite3
from pathlib import Path

import pytest

from synth.chat import call_key
from synth.errors import RunError
from synth.journal import CallRow, Journal
from synth.records import Sampling


def row(key: bytes, reply: bytes = b'{"text": "4"}') -> CallRow:
    return CallRow(key, "1/profile", "answer", "student", "m", "w", b"{}", reply, 10, 2, 0.5)


async def test_a_recorded_reply_is_found_by_a_second_opening(tmp_path: Path) -> None:
    """A reply is on disk once `record` returns, whatever happens to the process then."""
    journal = Journal(tmp_path / "journal.db")
    await journal.intend(b"k" * 16)
    await journal.record(row(b"k" * 16))
    other = Journal(tmp_path / "journal.db")  # the first one was never closed, as after kill -9
    assert other.find(b"k" * 16) == b'{"text": "4"}'
    assert other.tokens() == (10, 2)
    other.close()
    journal.close()


async def test_the_first_answer_stays(journal: Journal) -> None:
    """A call answered twice never changes what was built on the first answer."""
    await journal.record(row(b"k" * 16, b"first"))
    await journal.record(row(b"k" * 16, b"second"))
    assert journal.find(b"k" * 16) == b"first"


def test_keys_depend_on_everything_asked_and_on_nothing_else() -> None:
    """Another model, weights version, message, sampling, schema or sample is another call."""
    sampling = Sampling().model_dump_json().encode()
    base = call_key("m", "w1", [{"role": "user", "content": "a"}], sampling, b"", 0)
    assert base == call_key("m", "w1", [{"content": "a", "role": "user"}], sampling, b"", 0)
    others = {
        call_key("n", "w1", [{"role": "user", "content": "a"}], sampling, b"", 0),
        call_key("m", "w2", [{"role": "user", "content": "a"}], sampling, b"", 0),
        call_key("m", "w1", [{"role": "user", "content": "b"}], sampling, b"", 0),
        call_key("m", "w1", [{"role": "user", "content": "a"}], b"{}", b"", 0),
        call_key("m", "w1", [{"role": "user", "content": "a"}], sampling, b"{}", 0),
        call_key("m", "w1", [{"role": "user", "content": "a"}], sampling, b"", 1),
    }
    assert len(others) == 6
    assert base not in others


async def test_results_come_in_seed_order_and_only_once(journal: Journal) -> None:
    """Output does not depend on the order in which seeds happened to finish."""
    journal.store_result("1/make", "b", 1, 1, 0, b"second")
    journal.store_result("1/make", "a", 0, 1, 0, b"first")
    journal.store_result("1/make", "a", 0, 1, 0, b"again")
    await journal.flush()
    assert list(journal.results("1/make")) == [b"first", b"second"]
    assert journal.finished_seeds("1/make") == {"a", "b"}
    assert journal.result_counts("1/make") == (2, 2, 0)


async def test_a_torn_write_ahead_log_loses_only_its_torn_end(tmp_path: Path) -> None:
    """Power lost in the middle of a write: what was committed before is still there."""
    journal = Journal(tmp_path / "journal.db")
    for number in range(50):
        await journal.record(row(bytes([number]) * 16))
    wal = (tmp_path / "journal.db-wal").read_bytes()
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "journal.db").write_bytes((tmp_path / "journal.db").read_bytes())
    (copy / "journal.db-wal").write_bytes(wal[: len(wal) - 1500] + b"\0" * 700)
    journal.close()
    torn = Journal(copy / "journal.db")
    found = [number for number in range(50) if torn.find(bytes([number]) * 16)]
    torn.close()
    assert found == list(range(len(found)))
    assert 40 <= len(found) < 50


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    """A damaged file is named, with what to do; it is not overwritten."""
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is not a database, it is a text that is long enough to look like one" * 20)
    with pytest.raises(RunError, match=r"journal\.db cannot be opened") as caught:
        Journal(path)
    assert "--fresh" in caught.value.cure
    assert path.read_bytes().startswith(b"this is not")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """A run made by a later version is not half-understood."""
    Journal(tmp_path / "journal.db").close()
    with sqlite3.connect(tmp_path / "journal.db") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    with pytest.raises(RunError, match="format 99"):
        Journal(tmp_path / "journal.db")


async def test_a_full_disk_is_said_and_the_run_can_go_on(tmp_path: Path) -> None:
    """When the journal cannot grow, waiting calls get a clear error; what was written stays."""
    journal = Journal(tmp_path / "journal.db")
    await journal.record(row(b"a" * 16))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))  # writes beyond it fail, as on a full disk
    try:
        with pytest.raises(RunError, match="could not be written") as caught:
            for number in range(200):
                await journal.record(row(number.to_bytes(16, "big"), b"x" * 4000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "free some disk space" in caught.value.cure
    journal.close()
    again = Journal(tmp_path / "journal.db")
    assert again.find(b"a" * 16)
    again.close()
