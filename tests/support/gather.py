"""AgentInstruct's generation alone, in a process that a test can kill: the program plays the teacher.

python -m tests.support.gather RUN DOCUMENTS [PARAMS]

DOCUMENTS may be `own`, the flow file's own seeds; PARAMS is JSON over those of the flow file.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import yaml

from synth.config import FlowFile
from synth.engine.folder import RunFolder
from synth.engine.session import Session
from synth.flows.agentinstruct import Params, generate
from synth.journal import Journal
from synth.progress import make_progress
from synth.records import Sample
from synth.teachers.bookworm import answer
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint

ROOT = Path(__file__).parents[2]
PROGRAM = "synth.teachers.bookworm:answer"


async def gathered(run: Path, documents: str, params: str = "{}") -> list[Sample]:
    """The samples of a round, made or taken from the journal of `run`."""
    file = ROOT / "flows" / "agentinstruct.yaml"
    told = yaml.safe_load(file.read_text())["with"]
    seeds = {} if documents == "own" else {"seeds": [{"source": documents}]}
    chosen = Params.model_validate({**told, **seeds, **json.loads(params)})
    flow = FlowFile.model_validate(
        {"flow": "agentinstruct", "models": {role: {"program": PROGRAM} for role in ("student", "teacher")}}
    )
    folder = RunFolder(run)
    folder.open()
    journal = Journal(folder.journal)
    try:
        models = {
            role: Model(role, role, "w", role, ProgramEndpoint(answer), journal) for role in flow.models
        }
        progress = make_progress(quiet=True)
        session = Session(flow, chosen, folder, journal, models, progress, file)
        return list(await generate(session))
    finally:
        journal.close()
        folder.close()


async def main(run: Path, documents: str, params: str = "{}") -> None:
    """Print `started`, then every sample, one JSON line each; the time on standard error."""
    print("started", flush=True)
    begun = time.monotonic()
    samples = await gathered(run, documents, params)
    print(f"made {len(samples)} in {time.monotonic() - begun:.1f} s", file=sys.stderr)
    for sample in samples:
        print(sample.model_dump_json())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
