"""A model hub on loopback: one open repository, one gated, and nothing else."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["COMMIT", "FILES", "fake_hub"]

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "tokenizer.json": b"{}",
    "modules.json": b"[]",
    "1_Pooling/config.json": b'{"pooling_mode_mean_tokens": true}',
    "model.safetensors": b"weights" * 1000,
    "original/consolidated.00.pth": b"not wanted",
    "consolidated.safetensors": b"not wanted either",
    "README.md": b"# a model",
}


class Hub(BaseHTTPRequestHandler):
    """Just enough of the hub's interface for a snapshot."""

    asked: list[str]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        if "/gated/" in path:
            self.answer(403, b"", {"X-Error-Code": "GatedRepo"})
        elif "/owner/open" not in path:
            self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif path.startswith("/api/models/owner/open/tree/"):
            self.json([self.entry(name) for name in FILES])
        elif path.startswith("/api/models/owner/open"):
            siblings = [{"rfilename": name, "size": len(data)} for name, data in FILES.items()]
            self.json({"id": "owner/open", "sha": COMMIT, "siblings": siblings})
        else:
            data = FILES[path.partition(f"/resolve/{COMMIT}/")[2]]
            self.answer(200, data, {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(data).hexdigest()}"'})

    def entry(self, name: str) -> dict[str, object]:
        data = FILES[name]
        return {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}

    def json(self, body: object) -> None:
        self.answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def answer(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def fake_hub() -> Iterator[tuple[str, list[str]]]:
    """Address of a running hub, and the paths it was asked for so far."""
    asked: list[str] = []
    handler = type("OneHub", (Hub,), {"asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
