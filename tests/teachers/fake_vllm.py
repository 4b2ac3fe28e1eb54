"""A program that plays vLLM's server for the launcher: `fake_vllm.py MODE --port N --served-model-name X …`.

Like vLLM it has a child in its process group, here one that ignores SIGTERM, and a second
in a session of its own. It prints `pids SERVER CHILD CHILD` and every signal it gets. Modes:

well       answers at once; POST /die ends it
slow       says 503 to the first three looks at its health
dies       prints an error and a closing remark, and ends with code 3
mute       lives without ever listening
stubborn   as `well`, but ignores SIGTERM
unlucky    finds its port taken at its first start (`--once FILE` remembers), then as `well`
stranger   answers under another name
whole      answers chats and is told of adapters, weights and sleep (`tests.support.openai_server`); it
           prints what it was started with and every POST beside the chats
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CHILD = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("child", flush=True)
time.sleep(600)
"""
PREFIX = "(EngineCore pid=12) ERROR 01-31 10:00:00 [core.py:15]"


def say(text: str) -> None:
    print(text, flush=True)


def signalled(number: int, frame: object) -> None:
    say(f"got {signal.Signals(number).name}")
    if not (MODE == "stubborn" and number == signal.SIGTERM):
        os._exit(0)


class Handler(BaseHTTPRequestHandler):
    looks = 0

    def do_GET(self) -> None:
        if self.path == "/health":
            Handler.looks += 1
            self.answer(503 if MODE == "slow" and Handler.looks <= 3 else 200, {})
        else:
            name = "another" if MODE == "stranger" else OPTIONS.served_model_name
            self.answer(200, {"data": [{"id": name}]})

    def do_POST(self) -> None:
        say("RuntimeError: no memory left")
        os._exit(7)

    def answer(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signalled)
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, start_new_session=away)
        for away in (False, True)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()  # by now it ignores SIGTERM
    say(f"pids {os.getpid()} {' '.join(str(child.pid) for child in children)}")
    if MODE == "dies":
        say(f"{PREFIX} torch.OutOfMemoryError: tried to allocate 9 GiB")
        say("RuntimeError: Engine core initialization failed. See root cause above.")
        sys.exit(3)
    if MODE == "unlucky" and not OPTIONS.once.exists():
        OPTIONS.once.touch()
        sys.exit("OSError: [Errno 98] Address already in use")
    if MODE == "whole":
        return asyncio.run(whole())
    if MODE == "mute":
        time.sleep(600)
    ThreadingHTTPServer(("127.0.0.1", OPTIONS.port), Handler).serve_forever()


async def whole() -> None:
    """A server that can do all that a run asks of one."""
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    from tests.support.openai_server import ScriptedServer

    say(f"started {' '.join(sys.argv[1:])}")
    say(f"gpus {os.environ.get('CUDA_VISIBLE_DEVICES', '')} dev {os.environ.get('VLLM_SERVER_DEV_MODE', '')}")
    server = ScriptedServer(models=[OPTIONS.served_model_name], port=OPTIONS.port)
    answer = server.admin.post

    def told(route: str, body: Mapping[str, Any]) -> Any:
        say(f"told {route} {json.dumps(body)}")
        return answer(route, body)

    server.admin.post = told  # type: ignore[method-assign]
    async with server:
        await asyncio.Event().wait()


PARSER = argparse.ArgumentParser()
PARSER.add_argument("mode")
PARSER.add_argument("--port", type=int)
PARSER.add_argument("--served-model-name")
PARSER.add_argument("--once", type=Path)
OPTIONS, _ = PARSER.parse_known_args()
MODE = OPTIONS.mode

if __name__ == "__main__":
    main()
