"""Plays the GGUF converter: `-m tests.teachers.fake_convert GGUF FOLDER`.

Appends a line to `$CONVERSIONS`. A file that says `broken` fails; one that says `wait`
waits, half done, until `$CONVERSIONS.go` exists.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

source, folder = Path(sys.argv[1]), Path(sys.argv[2])
log = Path(os.environ["CONVERSIONS"])
data = source.read_bytes()
(folder / "config.json").write_text("{}")
with log.open("a") as lines:
    lines.write("converting\n")
if b"broken" in data:
    sys.exit("ValueError: the converted model finds plain English at 11.0 nats a token")
deadline = time.monotonic() + 60
while b"wait" in data and not log.with_name(log.name + ".go").exists() and time.monotonic() < deadline:
    time.sleep(0.02)
(folder / "tokenizer.json").write_text("{}")
(folder / "model.safetensors").write_bytes(data)
