# SPDX-License-Identifier: Apache-2.0
"""Kill anything, lose nothing: resumed runs, dead ranks, hangs, signals, the end of the allocation."""
import os
import random
import signal
import time
from pathlib import Path

import h5py
import pytest
from faults import Sweep, expect_whole, kill, one_try

# Two kernels on one rank: what a ticking clock times the same wherever and whenever it runs.
TICKING = """
schema_version: 1
name: ticking
run: {warmup: 1, min_samples: 6, max_samples: 6, min_time: 0, warmup_time: 0, budget: 5, visits: 2}
sweeps:
  - name: one
    op: attention
    kernels: [attention/naive_cpu, attention/flash_tiled_cpu]
    axes: {seq: [48]}
    fixed: {heads: 1, head_dim: 16}
"""
TICK = {"BENCH_SCALE_PLANTED_TICK": "1"}


def tables(folder: Path) -> str:
    """Columns of /cases, to the last digit; as text, in which NaN equals NaN."""
    with h5py.File(folder / "results.h5") as file:
        columns = {name: file["cases"][name][:].tolist() for name in ("case", "kernel", "status", "time", "time_lo", "time_hi", "n_visits")}
        assert len(columns["time"]) > 0 and all(time > 0 for time in columns["time"])
        return repr(columns)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    sweep = Sweep(tmp_path_factory.mktemp("whole"), 1, study=TICKING, survive=False, env=TICK)
    assert sweep.finish() == 0, sweep.words()
    return sweep


def test_a_run_cut_after_any_record_ends_with_the_same_tables(uninterrupted, tmp_path):
    """What SIGKILL leaves is a prefix of the journal, the last line perhaps torn: every prefix is tried."""
    whole = (uninterrupted.out / "journal.jsonl").read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    wanted = tables(uninterrupted.out)
    dice = random.Random(7)
    for number, end in enumerate(ends):
        cut = end + (dice.randint(1, 40) if number % 2 and end < len(whole) else 0)  # every other one is torn
        folder = tmp_path / str(number)
        (folder / "out").mkdir(parents=True)
        (folder / "out" / "journal.jsonl").write_bytes(whole[:cut])
        sweep = Sweep(folder, 1, "--resume", study=TICKING, survive=False, env=TICK)
        assert sweep.finish() == 0, f"cut after record {number}: {sweep.words()}"
        assert tables(sweep.out) == wanted, f"cut after record {number}"
        visits = [(r["visit"]["case_id"], r["visit"]["visit"]) for r in sweep.journal() if r["kind"] == "visit"]
        assert len(visits) == len(set(visits)) == 4, "something was measured twice, or not at all"


def test_a_finished_run_that_is_resumed_measures_nothing(uninterrupted):
    before = sum(record["kind"] in ("start", "visit", "limits") for record in uninterrupted.journal())
    sweep = Sweep(uninterrupted.folder, 1, "--resume", study=TICKING, survive=False, env=TICK)
    assert sweep.finish() == 0, sweep.words()
    assert sum(record["kind"] in ("start", "visit", "limits") for record in sweep.journal()) == before


def test_another_plan_and_another_environment_are_refused(uninterrupted, tmp_path):
    journal = (uninterrupted.out / "journal.jsonl").read_bytes()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "journal.jsonl").write_bytes(journal)
    other = TICKING.replace("[48]", "[48, 80]")
    sweep = Sweep(tmp_path, 1, "--resume", study=other, survive=False, env=TICK)
    assert sweep.finish() == 2
    assert "another plan" in sweep.words()
    sweep = Sweep(tmp_path, 1, "--resume=intersect", study=other, survive=False, env=TICK)
    assert sweep.finish() == 0, sweep.words()
    assert len([r for r in sweep.journal() if r["kind"] == "visit"]) == 4 + 4, "the common cases were kept, the new ones measured"


def test_all_ranks_killed_at_a_random_moment_resume(tmp_path):
    """Without fault tolerance in MPI: mpirun ends everything, the journal stays."""
    sweep = Sweep(tmp_path, 4, survive=False)
    assert sweep.wait_until_ended(3)
    time.sleep(random.Random(os.getpid()).random() * 0.2)
    sweep.kill_all()
    sweep = Sweep(tmp_path, 4, "--resume", survive=False)
    assert sweep.finish() == 0, sweep.words()
    expect_whole(sweep, survivors=4)


# Three seeds of the campaign of 50 (faults.py): a rank that works, rank 0, and several in a row, rank 0 twice.
@pytest.mark.parametrize("seed", [1, 2, 5])
def test_the_survivors_finish_the_sweep(tmp_path, seed):
    done = one_try(tmp_path, seed)
    assert done["killed"], "the sweep was over before anything was killed"


PLANTED = """
schema_version: 1
name: planted
run: {{warmup: 1, min_samples: 6, max_samples: 6, min_time: 0, warmup_time: 0, budget: 0.3, visits: 1, order: given}}
sweeps:
  - name: planted
    op: attention
    kernels: [attention/{kernel}]
    fixed: {{seq: 64, heads: 1, head_dim: 16, ranks: {ranks}}}
  - name: good
    op: attention
    kernels: [attention/planted_sleepy]
    axes: {{ranks: [1, 2]}}
    fixed: {{seq: 64, heads: 1, head_dim: 16}}
"""


def outcomes(sweep: Sweep) -> dict[str, str]:
    kernel = {case["id"]: case["kernel"].split("/")[1] for r in sweep.journal() if r["kind"] == "plan" for case in r["cases"]}
    return {f"{kernel[r['visit']['case_id']]}:{r['visit']['ranks']}": r["visit"]["outcome"] for r in sweep.journal() if r["kind"] == "visit"}


def test_a_rank_that_never_answers_is_a_timeout_and_the_sweep_goes_on(tmp_path):
    sweep = Sweep(tmp_path, 2, "--timeout", "1", survive=False, study=PLANTED.format(kernel="planted_deserting", ranks=2))
    assert sweep.finish() == 3, sweep.words()
    assert outcomes(sweep) == {"planted_deserting:2": "timeout", "planted_sleepy:1": "ok", "planted_sleepy:2": "ok"}, sweep.words()


def test_a_kernel_that_never_returns_costs_its_rank_and_no_more(tmp_path):
    sweep = Sweep(tmp_path, 3, "--timeout", "1", study=PLANTED.format(kernel="planted_hanging", ranks=2))
    assert sweep.finish() == 3, sweep.words()
    assert outcomes(sweep) == {"planted_hanging:2": "timeout", "planted_sleepy:1": "ok", "planted_sleepy:2": "ok"}, sweep.words()


def test_a_kernel_that_never_returns_on_one_rank_is_a_row_and_the_rest_is_resumed(tmp_path):
    study = PLANTED.format(kernel="planted_hanging", ranks=1)
    sweep = Sweep(tmp_path, 1, "--timeout", "1", survive=False, study=study)
    assert sweep.finish() == 75, sweep.words()
    assert outcomes(sweep)["planted_hanging:1"] == "timeout"
    assert sweep.state() == "stopped"
    sweep = Sweep(tmp_path, 1, "--timeout", "1", "--resume", survive=False, study=study)
    assert sweep.finish() == 3, sweep.words()
    assert outcomes(sweep) == {"planted_hanging:1": "timeout", "planted_sleepy:1": "ok"}


def test_a_kernel_that_kills_its_process_is_quarantined_at_the_second_time(tmp_path):
    study = PLANTED.format(kernel="planted_fatal", ranks=1)
    for _ in range(2):
        sweep = Sweep(tmp_path, 1, "--resume", survive=False, study=study)
        assert sweep.finish() not in (0, 3, 75)
    sweep = Sweep(tmp_path, 1, "--resume", survive=False, study=study)
    assert sweep.finish() == 3, sweep.words()
    assert outcomes(sweep) == {"planted_fatal:1": "quarantined", "planted_sleepy:1": "ok"}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_stops_the_run_with_75_and_the_rest_is_resumed(tmp_path, how):
    sweep = Sweep(tmp_path, 2, survive=False)
    assert sweep.wait_until_ended(1)
    for pid in sweep.rank_pids():  # to the ranks: mpirun has codes of its own for signals that it gets
        kill(pid, how)
    assert sweep.finish() == 75, sweep.words()
    assert sweep.state() == "stopped"
    assert 0 < sweep.ended() < 8, "it stopped early"
    sweep = Sweep(tmp_path, 2, "--resume", survive=False)
    assert sweep.finish() == 0, sweep.words()
    expect_whole(sweep, survivors=2)


def test_nothing_is_started_that_would_end_after_the_deadline(tmp_path):
    sweep = Sweep(tmp_path, 2, survive=False, env={"BENCH_DEADLINE_UNIX": str(int(time.time()) + 3)})
    assert sweep.finish() == 75, sweep.words()
    assert sweep.ended() == 0, "three seconds do not hold a visit and the last store"
    sweep = Sweep(tmp_path, 2, "--resume", "--deadline", "3600", survive=False)
    assert sweep.finish() == 0, sweep.words()
