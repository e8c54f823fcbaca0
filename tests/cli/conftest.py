# SPDX-License-Identifier: Apache-2.0
"""How the end-to-end tests start the program: BENCH_SCALE_BUILD and BENCH_SCALE_MPIEXEC come from CMake."""
import json
import os
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ["BENCH_SCALE_BUILD"])
MPIEXEC = os.environ["BENCH_SCALE_MPIEXEC"]
# Six samples are the fewest that give a median a 95 % interval; one untimed call; nothing waits for a clock.
# A run measures the machine's limits twice, which takes longer than most sweeps here: only who asks for env=LIMITS has them.
NO_LIMITS, LIMITS = {"BENCH_SCALE_LIMITS": "none"}, {"BENCH_SCALE_LIMITS": "measure"}
FAST = ["--iterations", "6", "--warmup", "1", "--min-time", "0", "--budget", "0.5"]


class Done:
    """A finished program: its code, its words, and what it left in its folder."""

    def __init__(self, process: subprocess.CompletedProcess, folder: Path):
        self.code, self.out, self.err, self.folder = process.returncode, process.stdout, process.stderr, folder

    def records(self, kind: str) -> list[dict]:
        lines = (self.folder / "journal.jsonl").read_text().splitlines()
        return [record for line in lines if (record := json.loads(line)["record"])["kind"] == kind]

    def cases(self) -> list[dict]:
        return self.records("plan")[0]["cases"]

    def visits(self) -> list[dict]:
        return [record["visit"] for record in self.records("visit")]

    def outcomes(self) -> dict[str, set[str]]:
        kernel = {case["id"]: case["kernel"] for case in self.cases()}
        result: dict[str, set[str]] = {}
        for visit in self.visits():
            result.setdefault(kernel[visit["case_id"]], set()).add(visit["outcome"])
        return result


@pytest.fixture
def bench(tmp_path):
    """bench("run", ..., np=2) starts mpirun; np=0 starts the program without it. program= names another binary."""

    def start(*arguments, np=0, program="bench_scale", env=None, shell_limit=None, folder=None):
        folder = folder or tmp_path / "out"
        command = [str(BUILD / "bin" / program), *map(str, arguments)]
        if np:
            command = [MPIEXEC, "--oversubscribe", "-np", str(np), *command]
        if shell_limit:
            command = ["bash", "-c", f'{shell_limit}; exec "$@"', "bash", *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, env={**os.environ, **NO_LIMITS, **(env or {})}, cwd=tmp_path)
        return Done(done, folder)

    start.folder = tmp_path / "out"
    return start
