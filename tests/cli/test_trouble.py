# SPDX-License-Identifier: Apache-2.0
"""One bad case is one row; the sweep goes on, and nothing is timed that failed its check."""
import re

from conftest import FAST

PLANTED = "bench_scale_planted"


def run_planted(bench, kernels, *more, np=0):
    return bench("run", "--study", "smoke", "-k", kernels, "--op", "attention", "--seq", "48", "--dtype", "fp32", "-o", bench.folder, *FAST,
                 *more, np=np, program=PLANTED)


def test_a_wrong_kernel_has_no_time(bench):
    done = run_planted(bench, "attention/planted_wrong,attention/planted_nan,attention/planted_lazy,attention/naive_cpu", "--ranks", "1")
    assert done.code == 3, done.err
    outcomes = done.outcomes()
    for bad in ("attention/planted_wrong", "attention/planted_nan", "attention/planted_lazy"):
        assert outcomes[bad] == {"wrong_result"}
    assert outcomes["attention/naive_cpu"] == {"ok"}, "the sweep went on"
    for visit in done.visits():
        if visit["outcome"] != "ok":
            assert visit["rank_time_s"] == [] and visit["reason"]
    row = next(line for line in done.out.splitlines() if "planted_nan" in line)
    assert not re.search(r"\d (ns|us|ms|s)\b", row), "no time in a failed row: " + row


def test_a_throwing_kernel_is_crashed_and_memory_running_out_is_oom(bench):
    done = run_planted(bench, "attention/planted_throwing,attention/planted_oom,attention/naive_cpu", "--ranks", "1")
    assert done.code == 3, done.err
    assert done.outcomes() == {"attention/planted_throwing": {"crashed"}, "attention/planted_oom": {"oom"}, "attention/naive_cpu": {"ok"}}
    assert any("fell over" in visit["reason"] for visit in done.visits())


def test_a_collective_kernel_that_throws_on_all_ranks_does_not_hang(bench):
    done = run_planted(bench, "attention/planted_throwing_on_all,attention/ring_cpu", "--ranks", "2", np=2)
    assert done.code == 3, done.err
    assert done.outcomes()["attention/planted_throwing_on_all"] == {"crashed"}
    assert done.outcomes()["attention/ring_cpu"] == {"ok"}


def test_more_ranks_than_the_run_has_is_a_row_with_a_reason(bench):
    done = bench("run", "--study", "smoke", "-k", "attention/ring_cpu", "--ranks", "1,4", "--seq", "64", "-o", bench.folder, *FAST, np=2)
    assert done.code == 0, done.err
    # Skipped are what the study leaves out and the masks, which this kernel refuses on any number of ranks.
    rows = [case for case in done.cases() if case["ranks"] == 4 and case["planned"] != "skipped"]
    assert rows and all(case["planned"] == "infeasible" and "4" in case["reason"] and "2" in case["reason"] for case in rows)
    assert {visit["ranks"] for visit in done.visits()} == {1}


def test_a_full_disk_stops_the_run_with_75_and_keeps_what_was_measured(bench):
    # 160 blocks of 1 KiB: the plan (70 KiB) and some visits of 400 samples (8 KiB each) fit, the whole sweep does not.
    done = bench("run", "--study", "smoke", "-k", "attention/naive_cpu,attention/flash_tiled_cpu", "--iterations", "400", "--warmup", "1", "--min-time", "0", "--seq", "16..128+8",
                 "--ranks", "1", "-o", bench.folder, shell_limit="ulimit -f 160")
    assert done.code == 75, done.err
    # The journal, or on a slow machine the results.h5 that is made every half minute: whichever grows over the limit first.
    assert "File too large" in done.err and str(bench.folder) in done.err
    whole = (done.folder / "journal.jsonl").read_bytes()
    assert whole.count(b"\n") >= 3, "the records before the failure are there"


def test_without_libtorch_its_kernels_are_rows_with_a_reason(bench):
    done = bench("run", "--study", "smoke", "--op", "attention", "--seq", "32", "--ranks", "1", "-o", bench.folder, *FAST, env={"BENCH_SCALE_TORCH": "off"})
    assert done.code == 0, done.err
    torch = [case for case in done.cases() if case["kernel"].endswith("_torch")]
    assert torch and all(case["planned"] == "skipped" and "LibTorch" in case["reason"] for case in torch)
    listed = bench("list", env={"BENCH_SCALE_TORCH": "off"})
    assert "unavailable: LibTorch" in listed.out
