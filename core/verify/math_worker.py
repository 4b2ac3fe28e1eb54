"""The process behind `synth.verify.math`: reads `[answer, known]` lines, answers `true` or `false`."""

from __future__ import annotations

import sys

import orjson
from math_verify import parse, verify


def _read(expression: str) -> list[object]:
    """The expression as sympy objects, empty if it is none. The parent keeps the time."""
    bare = expression.strip().strip("$")
    return list(parse(f"${bare}$", parsing_timeout=None) or parse(bare, parsing_timeout=None))


def main() -> None:
    """Serve until the input ends."""
    print("ready", flush=True)
    for line in sys.stdin.buffer:
        answer, known = orjson.loads(line)
        try:
            same = bool(verify(_read(known), _read(answer), timeout_seconds=None))
        except Exception:  # whatever sympy raises, the pair cannot be compared
            same = False
        print("true" if same else "false", flush=True)


if __name__ == "__main__":
    main()
