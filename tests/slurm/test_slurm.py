# SPDX-License-Identifier: Apache-2.0
"""The sbatch scripts under a real Slurm of two nodes on this machine: every way a job can end leads to a complete merged file.

All jobs are submitted first and watched together, since a job waits more than it works. Jobs that are about the queue and not about MPI
have player.py for an mpirun.
"""
import json
import os
import re
import subprocess
import time
from pathlib import Path

import h5py
import pytest
from cluster import Cluster, missing
from conftest import MPIEXEC, PLAYED, PROGRAM, ROOT, SCRIPTS, STUDY

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "there is one")

PATIENCE_S = 240.0  # of one wait; a busy machine is slow, and that is no failure
ENDED = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
# One that is long enough to be interrupted: thirteen visits of half a second each.
LONG = [*STUDY[:STUDY.index("--iterations")], "--max-samples", "1000000", "--warmup", "1", "--min-time", "0.5", "--budget", "0.5"]


class Queue:
    """The cluster, and how jobs are put into it."""

    def __init__(self, cluster, folder: Path, journal: Path):
        self.cluster, self.folder, self.journal = cluster, folder, journal

    def env(self, name: str, played: bool, **more) -> dict[str, str]:
        # Both nodes are this machine: between them shared memory would look possible, and is not where each has its own session folder.
        # And there are more ranks than cores, of several jobs that know nothing of each other.
        mpi = {name: "1" for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "PRTE_ALLOW_RUN_AS_ROOT", "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM")}
        return {**mpi, "OMPI_MCA_btl": "self,tcp", "OMPI_MCA_mpi_yield_when_idle": "1", "BENCH_SCALE_ROOT": str(ROOT), "BENCH_SCALE_BIN": str(PROGRAM),
                "BENCH_SCALE_MPIRUN": PLAYED if played else MPIEXEC, "PLAYER_JOURNAL": str(self.journal), "BENCH_SCALE_OUTPUT_DIR": str(self.folder / name), **more}

    def submit(self, name: str, *arguments, script="study.sbatch", played=False, **more) -> str:
        words = [word for word in map(str, arguments) if word.startswith("--") and word.split("=")[0] in ("--nodes", "--ntasks-per-node", "--time", "--array")]
        rest = [word for word in map(str, arguments) if word not in words]
        return self.cluster.run("sbatch", "--parsable", *words, f"--output={self.folder / name}.%A_%a.log", SCRIPTS / script, *rest, cwd=self.folder,
                                env=self.env(name, played, **more)).strip()

    def show(self, job: str) -> dict[str, str]:
        """Fields of scontrol show job; of an array those of its last task to change are as good as any."""
        return dict(field.split("=", 1) for field in self.cluster.run("scontrol", "-o", "show", "job", job, check=False).split() if "=" in field)

    def states(self, job: str) -> list[str]:
        return re.findall(r"JobState=(\w+)", self.cluster.run("scontrol", "-o", "show", "job", job, check=False))

    def until(self, condition, what: str, more=lambda: ""):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.2)
        logs = "".join(f"\n--- {log.name}\n{log.read_text()[-800:]}" for log in sorted(self.folder.rglob("*.log")))
        raise AssertionError(f"{what}\n{more()}\n{self.cluster.run('squeue', '-o', '%i %j %T %r %S', check=False)}{logs}")

    def ended(self, job: str, wanted="COMPLETED"):
        self.until(lambda: self.states(job) and set(self.states(job)) <= ENDED, f"job {job} did not end")
        assert set(self.states(job)) == {wanted}, f"job {job}: {self.states(job)}\n{self.words()}"

    def again_now(self, job: str):
        """A requeued job may have to wait two minutes, counted from the end of its first pass: asks until it does not."""
        time.sleep(3.0)  # a node tells the credential of the new start from the revoked old one by seconds

        def on_its_way():
            state = self.show(job).get("JobState")
            if state == "PENDING":
                self.cluster.run("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)
            return state in ("RUNNING", "COMPLETED")

        self.until(on_its_way, f"job {job} does not start again", lambda: self.cluster.run("scontrol", "-o", "show", "job", job, check=False))

    def words(self, name="*") -> str:
        return "".join(log.read_text() for log in sorted(self.folder.rglob(f"{name}.log")))

    def progress(self, name: str) -> int:
        journal = self.folder / name / "journal.jsonl"
        return journal.read_text().count('"kind":"visit"') if journal.exists() else 0

    def interrupt(self, name: str, job: str, *command: str):
        """Sends a wish once the job has measured something and is far from its end."""
        self.until(lambda: self.progress(name) >= 2, f"{name} does not begin")
        self.cluster.run(*command, job)

    def merged(self, *names: str) -> Path:
        out = self.folder / f"merged_{'_'.join(names)}"
        done = subprocess.run([PROGRAM, "merge", "-o", out, *(self.folder / name for name in names)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return out


def assert_complete(folder: Path):
    """Every case that could run has a time, every visit is there once."""
    status = json.loads((folder / "status.json").read_text())
    assert status["state"] == "finished" and status["done"] == status["total"] > 0, status
    with h5py.File(folder / "results.h5") as file:
        outcomes = dict(zip(file["cases/case"][:], file["cases/status"][:]))
        visited = file["cases/n_visits"][:]
        assert len(outcomes) > 0 and (visited[file["cases/status"][:] == 0] > 0).all()
        assert set(outcomes.values()) <= {0, 1, 2}, "ok, or what could not run: skipped, infeasible"
        keys = list(zip(file["visits/case_index"][:], file["visits/visit"][:], file["visits/attempt"][:]))
        assert len(set(keys)) == len(keys)


@pytest.fixture(scope="module")
def queue(tmp_path_factory, journal):
    with Cluster() as cluster:
        yield Queue(cluster, tmp_path_factory.mktemp("queue"), journal)


@pytest.fixture(scope="module")
def jobs(queue):
    """Everything that can run side by side, by name, with the wishes that some of it gets on its way."""
    # Slurm looks at the clock every half minute, so a signal 50 s ahead of the end of a one-minute job comes at its first look.
    jobs = {"by_the_clock": queue.submit("by_the_clock", "--nodes=1", "--time=1", *STUDY, played=True, PLAYER_PAUSE_S="4")}
    for name in ("signalled", "cancelled"):
        jobs[name] = queue.submit(name, "--nodes=1", "--ntasks-per-node=2", *LONG)
    jobs["study"] = queue.submit("study", "--nodes=2", "--ntasks-per-node=1", *STUDY)
    jobs["by_srun"] = queue.submit("by_srun", "--nodes=1", "--ntasks-per-node=2", *STUDY, BENCH_SCALE_LAUNCHER="srun")
    launched = subprocess.run([PROGRAM, "launch", "slurm", "--submit", "--nodes", "1,2", "--ntasks-per-node", "1", "--array-size", "2", "--scripts", SCRIPTS,
                               "-o", queue.folder / "launched", "--", *STUDY], capture_output=True, text=True, timeout=60,
                              env={**queue.cluster.env, **queue.env("launched", False)})
    assert launched.returncode == 0, launched.stderr
    arrays, jobs["merge"] = re.match(r"arrays ([\d ]+), then the merge (\d+) into", launched.stdout).groups()
    jobs["arrays"] = arrays.split()
    queue.interrupt("signalled", jobs["signalled"], "scancel", "--batch", "--signal=USR1")
    queue.interrupt("cancelled", jobs["cancelled"], "scancel")
    queue.ended(jobs["cancelled"], "CANCELLED")
    jobs["kept"] = queue.progress("cancelled")
    queue.until(lambda: queue.show(jobs["signalled"]).get("Restarts") == "1", "was not requeued")
    jobs["before"] = queue.progress("signalled")
    queue.again_now(jobs["signalled"])
    jobs["continued"] = queue.submit("cancelled", "--nodes=1", "--ntasks-per-node=2", *LONG)
    return jobs


def test_a_study_on_two_nodes(queue, jobs):
    queue.ended(jobs["study"])
    assert_complete(queue.folder / "study")
    with h5py.File(queue.folder / "study" / "results.h5") as file:
        assert set(file["visits/ranks"][:]) == {1, 2}
        slurm = json.loads(file.attrs["provenance_json"])["slurm"]
    assert slurm["SLURM_JOB_ID"] == jobs["study"] and slurm["SLURM_NNODES"] == "2"


def test_a_signal_stops_it_it_is_requeued_and_finishes(queue, jobs):
    queue.ended(jobs["signalled"])
    assert "requeued" in queue.words(f"signalled.{jobs['signalled']}*")
    assert queue.progress("signalled") > jobs["before"] >= 2, "something was left for the second pass"
    assert_complete(queue.folder / "signalled")
    assert_complete(queue.merged("signalled"))


def test_a_cancelled_study_goes_on_where_it_was(queue, jobs):
    assert queue.show(jobs["cancelled"])["Restarts"] == "0", "against a wish nothing is requeued"
    queue.ended(jobs["continued"])
    assert queue.progress("cancelled") > jobs["kept"] >= 2
    assert_complete(queue.merged("cancelled"))


def test_a_shard_that_fails_does_not_keep_the_others_from_the_merge(queue, jobs):
    job = queue.submit("lame", "--array=0-1", *STUDY, script="array.sbatch", played=True, PLAYER_LAME_SHARD="1")
    merge = queue.cluster.run("sbatch", "--parsable", f"--dependency=afterany:{job}", f"--output={queue.folder}/lame_merge.log", SCRIPTS / "merge.sbatch",
                              queue.folder / "lame" / "merged", queue.folder / "lame", cwd=queue.folder, env=queue.env("lame", True)).strip()
    queue.ended(merge)
    assert sorted(queue.states(job)) == ["COMPLETED", "FAILED"]
    assert "not requeued" in queue.words("lame*"), "it got no further"
    assert (queue.folder / "lame" / "merged" / "results.h5").exists()


def test_srun_starts_the_ranks_or_the_preflight_says_why_not(queue, jobs):
    job = jobs["by_srun"]
    queue.until(lambda: set(queue.states(job)) & ENDED, "did not end")
    words = queue.words("by_srun*")
    if queue.states(job) == ["COMPLETED"]:
        assert_complete(queue.folder / "by_srun")
    else:
        assert re.search(r"srun --mpi=pmix (starts 2 separate|cannot start)|no MPI plugin", words) and "BENCH_SCALE_LAUNCHER=mpirun" in words, words


def test_arrays_for_two_numbers_of_nodes_and_their_merge(queue, jobs):
    queue.ended(jobs["merge"])
    for array in jobs["arrays"]:
        queue.ended(array)
    merged = queue.folder / "launched" / "merged"
    assert_complete(merged)
    with h5py.File(merged / "results.h5") as file:
        efficiency = {(series, ranks): e for series, ranks, e in zip(file["scaling/series"][:], file["scaling/ranks"][:], file["scaling/efficiency"][:])}
        runs = {name for name in file["visits/run"][:]}
    assert {ranks for _, ranks in efficiency} == {1, 2} and len(runs) >= 3
    assert all(e > 0 or os.cpu_count() < 2 for e in efficiency.values()), "one table over the shards and both numbers of nodes"


def test_the_end_of_the_allocation_stops_it_and_it_is_requeued(queue, jobs):
    job = jobs["by_the_clock"]
    queue.until(lambda: queue.show(job).get("Restarts") == "1", "the signal did not come")
    queue.again_now(job)
    queue.ended(job)
    assert "requeued" in queue.words(f"by_the_clock.{job}*")
    assert_complete(queue.merged("by_the_clock"))
