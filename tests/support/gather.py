"""AgentInstruct's generation alone, in a process that a test can kill: the program plays the teacher.

python -m tests.support.gather RUN DOCUMENTS [PARAMS]      (PARAMS: JSON, over those of the flow file)
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
from synth.teachers.bookworm import answer
from synth.teachers.model import Model
from synth.teachers.program import ProgramEndpoint

ROOT = Path(__file__).parents[2]
PROGRAM = "synth.teachers.bookworm:answer"


async def main(run: Path, documents: str, params: str = "{}") -> None:
    """Print `started`, then the time taken and every sample, one JSON line each."""
    told = yaml.safe_load((ROOT / "flows" / "agentinstruct.yaml").read_text())["with"]
    chosen = Params.model_validate({**told, "seeds": [{"source": documents}], **json.loads(params)})
    flow = FlowFile.model_validate(
        {"flow": "agentinstruct", "models": {role: {"program": PROGRAM} for role in ("student", "teacher")}}
    )
    folder = RunFolder(run)
    folder.open()
    journal = Journal(folder.journal)
    models = {role: Model(role, role, "w", role, ProgramEndpoint(answer), journal) for role in flow.models}
    session = Session(flow, chosen, folder, journal, models, make_progress(quiet=True), run / "flow.yaml")
    print("started", flush=True)
    begun = time.monotonic()
    samples = list(await generate(session))
    print(f"made {len(samples)} in {time.monotonic() - begun:.1f} s", file=sys.stderr)
    for sample in samples:
        print(sample.model_dump_json())
    journal.close()
    folder.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
