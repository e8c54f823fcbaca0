# SPDX-License-Identifier: Apache-2.0
"""The main job under mpirun: the same cases for any number of ranks, efficiency only where it means something, readable files."""
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from conftest import FAST, LIMITS

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def ids_by_ranks():
    return {}


@pytest.mark.parametrize("np", [1, 2, 3, 4])
def test_smoke_finishes_and_agrees_on_every_identity(bench, ids_by_ranks, np):
    done = bench("run", "--study", "smoke", "-o", bench.folder, *FAST, np=np)
    assert done.code == 0, done.err
    missed = [visit for visit in done.visits() if visit["outcome"] != "ok" and "no CUDA device" not in visit["reason"]]
    assert done.visits() and not missed, missed
    ids_by_ranks[np] = sorted((case["id"], case["kernel"]) for case in done.cases())
    assert ids_by_ranks[np] == ids_by_ranks[min(ids_by_ranks)], "an id depends on the number of ranks"
    measured = {(visit["case_id"], visit["visit"]) for visit in done.visits()}
    assert len(measured) == len(done.visits()), "a visit was done twice"
    cores = len(os.sched_getaffinity(0))
    with h5py.File(done.folder / "results.h5") as file:
        ranks, efficiency = file["scaling/ranks"][:], file["scaling/efficiency"][:]
        assert len(ranks) > 0
        for p, e in zip(ranks, efficiency):
            if np > cores:
                assert e != e, "ranks that share cores get no efficiency"
            elif p <= min(np, cores):
                assert e > 0
    for visit in done.visits():
        assert visit["oversubscribed"] == (np > cores)


def test_a_run_leaves_files_that_every_reader_opens(bench):
    done = bench("run", "--study", "smoke", "-o", bench.folder, *FAST, np=2, env=LIMITS)
    assert done.code == 0, done.err
    readers = HERE.parent / "analysis" / "readers_test.py"
    result = subprocess.run([sys.executable, "-m", "pytest", "-q", str(readers)], capture_output=True, text=True,
                            env=dict(os.environ, BENCH_SCALE_H5=str(done.folder / "results.h5")))
    assert result.returncode == 0, result.stdout[-4000:]


def test_the_table_shows_intervals_limits_and_efficiency(bench):
    done = bench("run", "--study", "smoke", "-o", bench.folder, *FAST, np=2, env=LIMITS)
    assert done.code == 0, done.err
    assert "attention/flash_tiled_cpu" in done.out and "[" in done.out
    assert "efficiency" in done.out
    assert "overlap of exchange and compute" in done.out
    with h5py.File(done.folder / "results.h5") as file:
        overlaps = file["overlaps"]
        assert len(overlaps["case"]) == 2, "of each layout's two ranks"
        whole, compute, exchange = (overlaps[name][:] for name in ("time", "compute", "exchange"))
        assert (whole > 0).all() and (compute > 0).all() and (exchange > 0).all()
        formula = (compute + exchange - whole) / [min(parts) for parts in zip(compute, exchange)]
        assert overlaps["overlap"][:] == pytest.approx(formula, rel=1e-12)
    assert (done.folder / "summary.md").read_text().count("|") > 20
    assert json.loads((done.folder / "status.json").read_text())["state"] == "finished"


def test_plan_and_list_need_no_mpirun_and_run_nothing(bench):
    plan = bench("plan", "--study", "quick", "--json")
    assert plan.code == 0, plan.err
    described = json.loads(plan.out)
    assert len({case["case"] for case in described["cases"]}) == len(described["cases"]) > 20
    assert all(case["reason"] for case in described["cases"] if case["planned"] != "ok"), "never left out in silence"
    dry = bench("run", "--dry-run", "--study", "quick", "--json")
    assert json.loads(dry.out)["plan_sha256"] == described["plan_sha256"]
    listed = json.loads(bench("list", "--json").out)
    assert {op["name"] for op in listed["ops"]} >= {"attention", "recurrence", "selective", "ssd", "linear"}
    assert not bench.folder.exists()


def test_self_profile_is_printed(bench):
    done = bench("run", "--study", "smoke", "-k", "attention/naive_cpu", "--ranks", "1", "--profile-self", "-o", bench.folder, *FAST)
    assert done.code == 0 and "fixed cost:" in done.err


def test_a_run_without_limits_says_nothing_of_them(bench):
    done = bench("run", "--study", "smoke", "-k", "attention/flash_tiled_cpu", "-s", "64", "--limits", "none", "-o", bench.folder, *FAST)
    assert done.code == 0, done.err
    assert done.records("limits") == []
    with h5py.File(done.folder / "results.h5") as file:
        assert set(file["cases/limit"].asstr()[:]) == {""} and (file["cases/time"][:] > 0).any()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="two threads on one core have no limit of their own")
def test_cases_of_several_threads_have_limits_of_as_many_threads(bench):
    done = bench("run", "--study", "smoke", "-k", "attention/flash_tiled_cpu", "--threads", "1,2", "-s", "64", "-o", bench.folder, *FAST, env=LIMITS)
    assert done.code == 0, done.err
    with h5py.File(done.folder / "results.h5") as file:
        limits = {(int(r), int(t)) for r, t in zip(file["limits/ranks"][:], file["limits/threads"][:])}
        threads, fraction, ok = file["cases/threads"][:], file["cases/limit_fraction"][:], file["cases/n"][:] > 0
    assert limits == {(1, 1), (1, 2)}
    assert set(threads[ok]) == {1, 2} and (fraction[ok] > 0).all()
