"""What a night tells and to whom, and what starts it every night."""

from __future__ import annotations

import asyncio
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from synth.cli.main import main
from synth.errors import SynthError
from synth.nightly.file import read_night
from synth.nightly.schedule import cron_line, install_units, units
from synth.nightly.send import send
from tests.support.nights import night, place


@pytest.fixture
def hook() -> Iterator[tuple[str, list[bytes]]]:
    """An address that remembers what is sent to it."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_summary_is_written_and_sent(
    tmp_path: Path, hook: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One page, the same as JSON, and a POST of both; an address that does not answer fails nothing."""
    file = place(tmp_path, ["test=.3"])
    monkeypatch.setenv("HOOK", hook[0])
    file.write_text("flows: [plain.yaml]\nwebhook: env:HOOK\n")
    summary = night(file)
    home = tmp_path / "nights"
    page = (home / "summary.md").read_text()
    assert (home / summary.night / "summary.md").read_text() == page
    assert "## plain: promoted" in page and "guards: guard holds (0.0)" in page and "Champion: 0000-1" in page
    assert json.loads((home / "summary.json").read_text()) == summary.model_dump(mode="json")
    assert json.loads(hook[1][0])["text"] == page
    assert summary.flows[0].rounds[0].guards == {"guard": True}


@pytest.fixture
def post_office() -> Iterator[tuple[str, list[str]]]:
    """An SMTP server that takes every mail, and the lines it was told."""
    told: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            body = False
            for raw in self.rfile:
                line = raw.decode().rstrip("\r\n")
                told.append(line)
                if body and line != ".":
                    continue
                body = not body and line.upper() == "DATA"
                self.wfile.write(b"354 go on\r\n" if body else b"250 good\r\n")
                if line.upper() == "QUIT":
                    return

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}", told
        server.shutdown()
        thread.join()


def test_the_summary_comes_by_mail(tmp_path: Path, post_office: tuple[str, list[str]]) -> None:
    """Its outcome is the subject, its page the text; a missing password is told, and fails nothing."""
    server, told = post_office
    file = place(tmp_path, ["test=.3"])
    file.write_text(f"flows: [plain.yaml]\nmail: {{to: [one@host, two@host], server: '{server}'}}\n")
    summary = night(file)
    assert f"Subject: Night {summary.night}: a new champion" in told
    assert {"To: one@host, two@host", "## plain: promoted"} < set(told)
    secret = read_night(file).mail.model_copy(update={"user": "me", "password": "env:NOT_THERE"})  # type: ignore[union-attr]
    faults = asyncio.run(send(summary, read_night(file).model_copy(update={"mail": secret})))
    assert faults == ["the summary was not sent: the variable NOT_THERE is not set"]


def test_the_schedule_is_shown_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written without --yes; then the units stand where systemd looks."""
    file = place(tmp_path / "my nights", [])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    main(["nightly", str(file), "--install", "systemd", "--at", "01:30"])
    said = capsys.readouterr().out
    assert (
        "OnCalendar=*-*-* 01:30:00" in said
        and "SuccessExitStatus=3 4" in said
        and "nothing was written" in said
    )
    assert not (tmp_path / "config").exists()
    assert f'"{file}"' in said
    text = install_units(units(file, Path("nights"), "01:30"))
    assert text.endswith("enable --now synth-nightly.timer")
    assert len(list((tmp_path / "config/systemd/user").iterdir())) == 2
    line = cron_line(file, Path("nights"), "2:05")
    assert line.startswith("5 2 * * * cd ") and f"'{file}'" in line
    with pytest.raises(SynthError, match="no time of day"):
        cron_line(file, Path("nights"), "25:00")
