# SPDX-License-Identifier: Apache-2.0
"""Killing ranks of a run that is on, and judging what is left. Used by test_faults.py, and as a campaign of its own:

    BENCH_SCALE_BUILD=build/release BENCH_SCALE_MPIEXEC=.venv/bin/mpirun python tests/cli/faults.py 50
"""
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILD = Path(os.environ["BENCH_SCALE_BUILD"])
MPIEXEC = os.environ["BENCH_SCALE_MPIEXEC"]
# Shared memory alone: MPI_Init takes 0.1 s instead of several with more ranks than cores.
ONE_NODE = {"OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "self,sm"}
NAP_MS = 20  # a call; ten calls a visit: long enough to be hit inside, short enough for many tries

STUDY = """
schema_version: 1
name: faults
run: {warmup: 1, min_samples: 6, max_samples: 6, min_time: 0, warmup_time: 0, budget: 0.3, visits: 2}
sweeps:
  - name: mixed
    op: attention
    kernels: [attention/planted_sleepy]
    axes: {ranks: [1, 2, 4], batch: [1, 2]}
    fixed: {seq: 64, heads: 1, head_dim: 16}
"""


class Sweep:
    """A run under mpirun in its own folder, whose ranks can be killed."""

    def __init__(self, folder: Path, ranks: int, *arguments, survive=True, study=STUDY, env=None):
        self.folder, self.ranks = folder, ranks
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.yaml").write_text(study)
        self.out = folder / "out"
        command = [MPIEXEC, "--oversubscribe", *(["--with-ft", "ulfm"] if survive else []), "-np", str(ranks),
                   str(BUILD / "bin" / "bench_scale_planted"), "run", "--study", str(folder / "study.yaml"), "-o", str(self.out), "-q",
                   "--bind", "none", *arguments]
        environment = {**os.environ, **ONE_NODE, "BENCH_SCALE_PLANTED_NAP_MS": str(NAP_MS), "OMP_NUM_THREADS": "1", "BENCH_SCALE_LIMITS": "none", **(env or {})}
        self.log = open(folder / "log", "a")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment, start_new_session=True)

    def rank_pids(self) -> list[int]:
        """Processes of the program in this folder (not mpirun's own)."""
        pids = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"bench_scale_planted") and str(self.out).encode() in words:
                pids.append(int(entry.name))
        return sorted(pids)

    def journal(self) -> list[dict]:
        try:
            text = (self.out / "journal.jsonl").read_text()
        except OSError:
            return []
        return [json.loads(line)["record"] for line in text.split("\n")[:-1]]

    def ended(self) -> int:
        try:
            return (self.out / "journal.jsonl").read_text().count('"kind":"visit"')
        except OSError:
            return 0

    def wait_until_ended(self, count: int, limit_s: float = 60.0) -> bool:
        end = time.monotonic() + limit_s
        while self.ended() < count and self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.005)
        return self.ended() >= count

    def wait_until_begun(self, limit_s: float = 60.0):
        """Until every rank is past MPI_Init: a death inside of it no MPI program survives."""
        end = time.monotonic() + limit_s
        while not (self.out / "journal.jsonl").exists() and time.monotonic() < end:
            time.sleep(0.005)

    def kill_all(self):
        for pid in self.rank_pids():
            kill(pid)
        self.process.kill()
        self.process.wait()

    def finish(self, limit_s: float = 120.0) -> int:
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill_all()
            raise AssertionError(f"hung; see {self.folder}/log:\n{self.words()}") from None
        self.log.close()
        return code

    def words(self) -> str:
        return (self.folder / "log").read_text()[-3000:]

    def state(self) -> str:
        return json.loads((self.out / "status.json").read_text())["state"]


def kill(pid: int, how=signal.SIGKILL):
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass


def expect_whole(sweep: Sweep, survivors: int):
    """Every visit of every case ended exactly once, and those that failed had a reason to."""
    records = sweep.journal()
    cases = next(record for record in records if record["kind"] == "plan")["cases"]
    wanted = {(case["id"], visit) for case in cases if case["planned"] == "ok" for visit in range(2)}
    visits = [record["visit"] for record in records if record["kind"] == "visit"]
    counts = collections.Counter((visit["case_id"], visit["visit"]) for visit in visits)
    assert set(counts) == wanted, f"{len(wanted - set(counts))} visits are missing\n{sweep.words()}"
    assert max(counts.values()) == 1, "a visit was booked twice"
    for visit in visits:
        if visit["outcome"] == "comm_error":
            assert visit["ranks"] > survivors, visit["reason"]
        else:
            assert visit["outcome"] in ("ok", "quarantined"), (visit["outcome"], visit["reason"])
        if visit["outcome"] == "quarantined":
            assert visit["attempt"] >= 2, visit
    assert records[-1] == {"kind": "mark", "what": "done", "detail": f"{len(visits)} of {len(visits)} visits"}
    assert sweep.state() == "finished", sweep.words()
    assert (sweep.out / "results.h5").stat().st_size > 0


def one_try(folder: Path, seed: int) -> dict:
    """A sweep on 4 to 9 ranks, one to three of them killed at moments of their own; rank 0 is as likely as any."""
    dice = random.Random(seed)
    ranks, deaths = dice.randint(4, 9), dice.choice([1, 1, 2, 3])
    sweep = Sweep(folder, ranks)
    sweep.wait_until_begun()
    killed = []
    for _ in range(deaths):
        if not sweep.wait_until_ended(dice.randint(0, 11) if not killed else sweep.ended() + dice.randint(0, 2)):
            break
        time.sleep(dice.random() * 0.1)
        pids = sweep.rank_pids()
        if len(pids) < 2 or sweep.process.poll() is not None:
            break
        victim = pids[0] if dice.random() < 0.3 else dice.choice(pids)  # the lowest is rank 0, or who took over
        kill(victim)
        killed.append(pids.index(victim))
    sweep.finish()
    expect_whole(sweep, ranks - len(killed))
    return {"seed": seed, "ranks": ranks, "killed": killed, "code": sweep.process.returncode}


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    failed = 0
    with tempfile.TemporaryDirectory() as top:
        for seed in range(first, first + count):
            begin = time.monotonic()
            try:
                print(one_try(Path(top) / str(seed), seed), f"{time.monotonic() - begin:.1f} s", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"seed {seed} FAILED: {error}", flush=True)
    print(f"{count - failed} of {count} tries finished")
    sys.exit(failed > 0)
