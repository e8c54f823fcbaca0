# SPDX-License-Identifier: Apache-2.0
"""What both Slurm tests share: the scripts, the program, and a finished run whose journal player.py can play."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "slurm"
BUILD = Path(os.environ["BENCH_SCALE_BUILD"])
PROGRAM = BUILD / "bin" / "bench_scale"
MPIEXEC = os.environ["BENCH_SCALE_MPIEXEC"]
PLAYER = ROOT / "tests" / "cli" / "player.py"
PLAYED = f"{sys.executable} {PLAYER}"  # instead of mpirun
# A strong curve over one and two ranks, so that shards and rank counts have something to join; six samples are the fewest with an interval.
# Which shard a case is in its id decides: of two lengths each of two shards has cases on one rank and on two.
STUDY = ["--study", "smoke", "--op", "attention", "-k", "attention/ring_cpu", "--seq", "192,256", "--dtype", "fp32", "--iterations", "6",
         "--warmup", "1", "--min-time", "0", "--budget", "0.5", "--limits", "none"]


@pytest.fixture(scope="session")
def journal(tmp_path_factory):
    """Of a real run of STUDY on one rank."""
    folder = tmp_path_factory.mktemp("played") / "out"
    done = subprocess.run([PROGRAM, "run", *STUDY, "-o", folder], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / "journal.jsonl"
