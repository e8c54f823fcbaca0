# SPDX-License-Identifier: Apache-2.0
"""The sbatch scripts without a Slurm: their grammar, and what they do when Slurm's commands are played by small fakes."""
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import PLAYED, PROGRAM, ROOT, SCRIPTS, STUDY

FILES = sorted([*SCRIPTS.glob("*.sbatch"), SCRIPTS / "common.sh"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_bash_can_read_it(path):
    done = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(path):
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed (Debian: apt-get install shellcheck)")
    done = subprocess.run(["shellcheck", "-x", path.relative_to(ROOT)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_only_options_that_22_05_has():
    """The man pages of Slurm 22.05 know every option here; what is newer must go through supports()."""
    known = {"job-name", "output", "open-mode", "requeue", "signal", "nodes", "ntasks"}
    for path in FILES:
        for option in re.findall(r"^#SBATCH --([a-z-]+)", path.read_text(), re.M):
            assert option in known, f"{path.name}: --{option}"
    common = (SCRIPTS / "common.sh").read_text()
    assert "if supports --oom-kill-step" in common and "SLURM_JOB_END_TIME" in common


@pytest.fixture
def site(tmp_path, journal):
    """A folder with fakes of Slurm's commands on PATH. site.run(script, *arguments, **environment) runs a script as slurmd would."""
    fakes = tmp_path / "fakes"
    fakes.mkdir()

    def fake(name, body):
        (fakes / name).write_text(f"#!/bin/bash\n{body}\n")
        (fakes / name).chmod(0o755)

    def start(script, *arguments, wait=True, **environment):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_", "BENCH_DEADLINE"))}
        env = {**clean, "PATH": f"{fakes}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "BENCH_SCALE_ROOT": str(ROOT), "BENCH_SCALE_BIN": str(PROGRAM),
               "BENCH_SCALE_MPIRUN": PLAYED, "PLAYER_JOURNAL": str(journal), "BENCH_SCALE_OUTPUT_DIR": str(tmp_path / "out"), "BENCH_SCALE_KILL_WAIT_S": "0", **environment}
        command = ["bash", SCRIPTS / script, *map(str, arguments)]
        if not wait:
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=tmp_path)
        return subprocess.run(command, capture_output=True, text=True, timeout=120, env=env, cwd=tmp_path)

    fake("scontrol", f'echo "$@" >>{tmp_path}/scontrol.log')
    fake("squeue", "echo 2036-07-04T12:00:00")
    fake("srun", '[[ $1 == --help ]] && exit 0; [[ $1 == --mpi=list ]] && { echo "MPI plugin types are... none"; exit 0; }; exit 1')
    start.fake, start.run, start.out, start.folder = fake, start, tmp_path / "out", tmp_path
    start.requeued = lambda: (tmp_path / "scontrol.log").read_text().split() if (tmp_path / "scontrol.log").exists() else []
    return start


def test_a_study_runs_to_its_end_with_the_deadline_of_the_allocation(site):
    site.fake("probe", f'echo "$BENCH_DEADLINE_UNIX" >{site.folder}/deadline; exec {PLAYED} "$@"')
    done = site.run("study.sbatch", *STUDY, SLURM_NTASKS="3", BENCH_SCALE_MPIRUN="probe", TZ="UTC")
    assert done.returncode == 0, done.stderr
    assert (site.folder / "deadline").read_text().strip() == "2098785600", "2036-07-04T12:00:00 in UTC"
    assert "arguments -np 3" in done.stderr and "--resume" in done.stderr
    assert not site.requeued()


@pytest.mark.parametrize("given", [{"BENCH_DEADLINE_UNIX": "99"}, {"SLURM_JOB_END_TIME": "99"}])
def test_a_deadline_that_is_known_is_not_asked_for(site, given):
    site.fake("squeue", f"touch {site.folder}/asked")
    site.fake("probe", f'echo "${{BENCH_DEADLINE_UNIX:-none}}" >{site.folder}/deadline; exec {PLAYED} "$@"')
    assert site.run("study.sbatch", *STUDY, BENCH_SCALE_MPIRUN="probe", **given).returncode == 0
    assert not (site.folder / "asked").exists()
    assert (site.folder / "deadline").read_text().strip() == given.get("BENCH_DEADLINE_UNIX", "none")


def test_an_allocation_without_an_end_gives_no_deadline(site):
    site.fake("squeue", "echo NONE")
    site.fake("probe", f'echo "${{BENCH_DEADLINE_UNIX:-none}}" >{site.folder}/deadline; exec {PLAYED} "$@"')
    assert site.run("study.sbatch", *STUDY, BENCH_SCALE_MPIRUN="probe").returncode == 0
    assert (site.folder / "deadline").read_text().strip() == "none"


def stopped(site, number, **environment):
    """A study that gets the signal once it has measured something; the script's code and words."""
    process = site.run("study.sbatch", *STUDY, wait=False, PLAYER_PAUSE_S="0.3", **environment)
    deadline = time.monotonic() + 60
    while not (site.out / "status.json").exists():
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(number)
    _, words = process.communicate(timeout=60)
    return process.returncode, words


def test_a_signal_ahead_of_the_end_stops_and_requeues(site):
    import signal
    code, words = stopped(site, signal.SIGUSR1)
    assert code == 75 and "requeued" in words
    assert site.requeued() == ["requeue", "7"]
    assert site.run("study.sbatch", *STUDY, SLURM_RESTART_COUNT="1").returncode == 0, "and the next pass ends it"


def test_a_cancelled_job_is_not_requeued_and_says_how_to_go_on(site):
    import signal
    code, words = stopped(site, signal.SIGTERM)
    assert code == 75 and f"BENCH_SCALE_OUTPUT_DIR='{site.out}'" in words
    assert not site.requeued()


@pytest.mark.parametrize("why, given", [("BENCH_SCALE_REQUEUE", {"BENCH_SCALE_REQUEUE": "0"}),
                                        ("3 times", {"BENCH_SCALE_MAX_REQUEUE": "3", "SLURM_RESTART_COUNT": "3"})])
def test_a_site_can_limit_requeues(site, why, given):
    import signal
    code, words = stopped(site, signal.SIGUSR1, **given)
    assert code == 75 and why in words and not site.requeued()


def test_a_study_that_gets_no_further_is_not_requeued(site):
    done = site.run("study.sbatch", *STUDY, PLAYER_DIE=" ".join(["0:137"] * 9))
    assert done.returncode == 75 and "not requeued" in done.stderr, "a visit that began is no step yet"
    assert not site.requeued()
    tries = int((site.out / "tries").read_text())
    assert site.run("study.sbatch", *STUDY, PLAYER_DIE="0:137 " * tries + "1:137 " + "0:137 " * 9).returncode == 75
    assert site.requeued() == ["requeue", "7"], "one visit further is worth another pass"


@pytest.mark.parametrize("code", [2, 4, 5])
def test_a_slip_ends_the_job_with_its_code(site, code):
    assert site.run("study.sbatch", *STUDY, PLAYER_DIE=f"0:{code}").returncode == code
    assert not site.requeued()


@pytest.mark.parametrize("words, code, given", [
    ("is not there", 4, {"BENCH_SCALE_MPIRUN": "no_such_mpirun"}),
    ("no program", 4, {"BENCH_SCALE_BIN": "/nonexistent/bench_scale"}),
    ("cannot be written", 2, {"BENCH_SCALE_OUTPUT_DIR": "/proc/nowhere"}),
    ("allowed: mpirun, srun", 2, {"BENCH_SCALE_LAUNCHER": "aprun"}),
    ("has no MPI plugin pmix", 4, {"BENCH_SCALE_LAUNCHER": "srun"})])
def test_the_preflight_says_what_is_missing(site, words, code, given):
    done = site.run("study.sbatch", *STUDY, **given)
    assert done.returncode == code and words in done.stderr, done.stderr


def test_srun_that_starts_lonely_programs_is_found_out(site):
    site.fake("srun", f'[[ $1 == --help ]] && exit 0; [[ $1 == --mpi=list ]] && {{ echo pmix; exit 0; }}\n{PROGRAM} "${{@:4}}"; {PROGRAM} "${{@:4}}"')
    done = site.run("study.sbatch", *STUDY, BENCH_SCALE_LAUNCHER="srun", SLURM_NTASKS="2")
    assert done.returncode == 4 and "separate programs instead of 2 ranks" in done.stderr, done.stderr


def test_tasks_of_an_array_share_the_cases(site, journal):
    array = {"SLURM_ARRAY_JOB_ID": "40", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_STEP": "5", "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_NNODES": "2"}
    for task, shard in (("10", 0), ("15", 1)):
        done = site.run("array.sbatch", *STUDY, SLURM_ARRAY_TASK_ID=task, **array)
        assert done.returncode == 0 and f"--shard {shard}/2" in done.stderr, done.stderr
    parts = [(site.out / "n2" / f"shard_{shard}_of_2" / "journal.jsonl").read_text() for shard in (0, 1)]
    visits = [line for part in parts for line in part.splitlines() if '"kind":"visit"' in line]
    assert sorted(visits) == sorted(line for line in journal.read_text().splitlines() if '"kind":"visit"' in line)
    again = site.run("array.sbatch", *STUDY, SLURM_ARRAY_TASK_ID="1", BENCH_SCALE_SHARDS="2", **{**array, "SLURM_ARRAY_TASK_COUNT": "1"})
    assert "--shard 1/2" in again.stderr, "a task that is submitted again alone keeps its shard"
    merged = site.run("merge.sbatch", site.out / "merged", site.out)
    assert merged.returncode == 0, merged.stderr
    assert (site.out / "merged" / "results.h5").exists()


def launch_slurm(*arguments, **environment):
    return subprocess.run([PROGRAM, "launch", "slurm", *map(str, arguments)], capture_output=True, text=True, timeout=60, env={**os.environ, **environment})


def test_launch_slurm_prints_a_script_that_sbatch_could_take(site):
    done = launch_slurm("--nodes", "1,2", "--ntasks-per-node", "4", "--array-size", "3", "--at-once", "2", "--time", "1:00:00", "--partition", "gpu",
                        "--gpus-per-node", "4", "--sbatch=--exclusive", "-o", site.folder / "a folder", "--", *STUDY, "--seed", "3")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    arrays = [line for line in lines if "array.sbatch" in line]
    assert len(arrays) == 2 and "--nodes=1 " in arrays[0] and "--nodes=2 " in arrays[1]
    for word in ("--array=0-2%2", "--ntasks-per-node=4", "--gpus-per-node=4", "--gpu-bind=none", "--time=1:00:00", "--partition=gpu", "--exclusive", "--seed 3"):
        assert all(word in line for line in arrays), word
    assert "--wider-than" not in arrays[0] and "--wider-than 4)" in arrays[1], "what fits on one node is measured there and not again on two"
    merge = next(line for line in lines if "merge.sbatch" in line)
    assert "--dependency=afterany:${n1%%;*}:${n2%%;*}" in merge
    site.fake("sbatch", f'echo "$BENCH_SCALE_SHARDS" "$@" >>{site.folder}/sbatch.log; echo "1$(wc -l <{site.folder}/sbatch.log);cluster"')
    ran = subprocess.run(["bash", "-euo", "pipefail"], input=done.stdout, capture_output=True, text=True, env={**os.environ, "PATH": f"{site.folder}/fakes:{os.environ['PATH']}"})
    assert ran.returncode == 0, ran.stderr
    log = (site.folder / "sbatch.log").read_text().splitlines()
    assert len(log) == 3 and all(line.startswith("3 ") for line in log)
    assert "--dependency=afterany:11:12" in log[2] and log[2].endswith(f"{site.folder}/a folder/merged {site.folder}/a folder"), "a blank in a path survives"
    assert (site.folder / "a folder" / "logs").is_dir(), "Slurm does not make the folder of a log"


def test_launch_slurm_submits_what_it_prints(site):
    site.fake("sbatch", f'echo "$@" >>{site.folder}/sbatch.log; echo 5')
    done = launch_slurm("--submit", "-o", site.folder / "out", "--", *STUDY, PATH=f"{site.folder}/fakes:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert len((site.folder / "sbatch.log").read_text().splitlines()) == 2
    assert "arrays 5" in done.stdout


def test_launch_slurm_names_slips(site):
    shard = launch_slurm("-o", site.folder, "--", *STUDY, "--shard", "0/2")
    assert shard.returncode == 2 and "--shard" in shard.stderr
    twice = launch_slurm("--nodes", "2,2", "-o", site.folder, "--", *STUDY)
    assert twice.returncode == 2 and "twice" in twice.stderr
    assert not (Path(sys.prefix) / "bin" / "sbatch").exists()
    without = launch_slurm("--submit", "-o", site.folder, "--", *STUDY, PATH="/nonexistent")
    assert without.returncode == 4 and "sbatch" in without.stderr
