"""The Slurm script, with stand-ins for srun and for vLLM: servers and workers come, work, and go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.scale.runs import ROOT, receipt

FLOW = """
flow: "tests.scale.flow:build"
generate_only: true
models:
  teacher: {model: scripted, base_urls: SERVERS, concurrency: 32}
curate: {near: null, overlap: null, format: false}
with: {records: 40, pairs: false}
"""


def test_the_script_runs_a_flow_with_servers_and_workers_of_its_own(tmp_path: Path) -> None:
    """Two servers announce themselves in a folder, two workers find the store, the head ends them all."""
    (tmp_path / "flow.yaml").write_text(FLOW.replace("SERVERS", str(tmp_path / "servers")))
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "srun").symlink_to(ROOT / "tests/scale/srun")
    (tools / "synth").write_text(f'#!/bin/bash\nexec {sys.executable} -m synth.cli.main "$@"\n')
    (tools / "hostname").write_text("#!/bin/bash\necho 127.0.0.1\n")
    for tool in ("synth", "hostname"):
        (tools / tool).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "FLOW": str(tmp_path / "flow.yaml"),
        "PLACE": str(tmp_path),
        "SERVERS_A_NODE": "2",
        "WORKERS_A_NODE": "2",
        "SERVE": f"{sys.executable} -m tests.support.openai_server --latency 0.02",
        "PYTHONPATH": str(ROOT),
    }
    script = ROOT / "examples/slurm/run.sbatch"
    done = subprocess.run(
        ["bash", str(script)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    whole = receipt(tmp_path / "runs/flow")
    assert (whole.paid, whole.seeds, whole.kept, whole.lost, whole.unanswered) == (120, 40, 40, 0, 0)
    assert whole.starts >= 2, "a worker and the head"
