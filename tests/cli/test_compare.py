# SPDX-License-Identifier: Apache-2.0
"""From launches to a verdict and a gate's exit code, with a kernel that is made slower by a known share.

Verdicts between equal programs are not asserted here: one in twenty may be wrong by design, and a test must not be. The simulations in
tests/analysis hold that rate. What is asserted is a tenfold slowdown, far outside of any machine's noise, and a side against itself.
"""
import json
import xml.etree.ElementTree as ElementTree

import pytest
from conftest import FAST

PLANTED = "bench_scale_planted"
STUDY = ["--study", "smoke", "--op", "attention", "-k", "attention/planted_slowed", "--seq", "64", "--dtype", "fp32", "--ranks", "1"]


def launch(bench, folder, slower, launches=3):
    done = bench("launch", "local", "--launches", launches, "--np", "1", "-o", folder, "--", *STUDY, *FAST, program=PLANTED,
                 env={"BENCH_SCALE_PLANTED_SLOWER": str(slower)})
    assert done.code == 0, done.err
    assert done.out.strip() == str(folder / "a"), "the folder to compare is on stdout"
    return folder / "a"


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """Three launches as they are and three of a kernel that takes ten times as long; made once."""
    import conftest
    folder = tmp_path_factory.mktemp("launches")
    start = conftest.bench.__wrapped__(folder)
    return launch(start, folder / "base", 0), launch(start, folder / "slow", 900)


def test_a_tenfold_slowdown_is_slower_and_the_gate_says_so(bench, sides, tmp_path):
    base, slow = sides
    done = bench("compare", base, slow)
    assert done.code == 0, "compare reports; it does not judge"
    rows = [line for line in done.out.splitlines() if "planted_slowed" in line]
    assert rows and all(row.split()[-1] == "slower" for row in rows), done.out
    comparison = json.loads(bench("compare", base, slow, "--json").out)[0]
    for case in comparison["rows"]:
        assert case["verdict"] == "slower" and case["launches_base"] == case["launches_new"] == 3
        assert 1.0 < case["ratio_lo"] < case["ratio"] < case["ratio_hi"]
        assert case["ratio"] > 2.0, "ten times, less what a busy machine adds to both"
    gate = bench("gate", "-b", base, slow, "--junit", tmp_path / "gate.xml", "--markdown", tmp_path / "gate.md")
    assert gate.code == 1, gate.err
    assert "regression" in gate.err
    assert ElementTree.parse(tmp_path / "gate.xml").getroot().find(".//failure") is not None
    assert "Benchmark gate failed" in (tmp_path / "gate.md").read_text()


def test_a_side_against_itself_is_the_same_and_passes(bench, sides):
    base, _ = sides
    case = json.loads(bench("compare", base, base, "--json").out)[0]["rows"][0]
    assert case["ratio"] == 1.0
    assert case["verdict"] in ("same", "ambiguous"), "three noisy launches may not show that they are the same; they are never different"
    assert bench("gate", "-b", base, base).code == 0


def test_one_launch_a_side_gives_no_verdict_and_no_gate(bench, sides):
    base, slow = (side / "1" / "results.h5" for side in sides)
    case = json.loads(bench("compare", base, slow, "--json").out)[0]["rows"][0]
    assert case["verdict"] == "insufficient" and case["p"] is None
    gate = bench("gate", "-b", base, slow)
    assert gate.code == 2, "a gate that cannot fail must not pass"
    assert "launch" in gate.err


def test_a_gate_cannot_pass_on_nothing(bench, sides, tmp_path):
    foreign = tmp_path / "h.json"
    foreign.write_text(json.dumps({"results": [{"command": "sleep 1", "times": [1.0, 1.1, 1.2], "exit_codes": [0, 0, 0]}]}))
    assert bench("gate", "-b", sides[0], foreign).code == 5
    assert bench("compare", sides[0], foreign).code == 5


def test_a_criterion_that_is_not_met_fails_the_gate(bench, sides, tmp_path):
    base, _ = sides
    policy = tmp_path / "p.yaml"
    policy.write_text("schema_version: 1\ncriteria: {min_speedup: 1.2}\n")
    done = bench("gate", "-b", base, base, "--policy", policy)
    assert done.code == 1 and "min_speedup" in done.err, done.err


def test_a_slip_in_a_policy_is_found_with_its_place(bench, sides, tmp_path):
    policy = tmp_path / "p.yaml"
    policy.write_text("schema_version: 1\nworse_bye: 0.05\n")
    done = bench("gate", "-b", sides[0], sides[1], "--policy", policy)
    assert done.code == 2
    assert "p.yaml:2:1" in done.err and "worse_by" in done.err


def google_benchmark(path, cpus, times_ns):
    rows = [{"name": "f", "run_name": "f", "run_type": "iteration", "repetitions": len(times_ns), "repetition_index": i, "threads": 1,
             "iterations": 10, "real_time": t, "cpu_time": t, "time_unit": "ns"} for i, t in enumerate(times_ns)]
    path.write_text(json.dumps({"context": {"num_cpus": cpus, "library_build_type": "release"}, "benchmarks": rows}))
    return path


def test_sides_of_different_machines_are_compared_only_when_told_to(bench, tmp_path):
    base, other = google_benchmark(tmp_path / "a.json", 4, [10, 11, 12]), google_benchmark(tmp_path / "b.json", 8, [10, 11, 12])
    done = bench("compare", base, other)
    assert done.code == 2 and "4 -> 8" in done.err and "--across-env" in done.err
    assert bench("compare", base, other, "--across-env").code == 0


def test_launches_of_two_programs_take_turns(bench, tmp_path):
    import conftest
    other = conftest.BUILD / "bin" / PLANTED
    done = bench("launch", "local", "--launches", "2", "--np", "1", "--ab", other, "-o", tmp_path / "ab", "--", *STUDY, *FAST, program=PLANTED)
    assert done.code == 0, done.err
    order = [line.split("/")[-2:] for line in done.err.splitlines()]
    assert order == [["a", "1"], ["b", "1"], ["b", "2"], ["a", "2"]]
    again = bench("launch", "local", "-o", tmp_path / "ab", "--", *STUDY, program=PLANTED)
    assert again.code == 2 and "holds results already" in again.err, "results are never overwritten"


def test_criteria_of_a_study_are_held_against_the_baseline(bench, tmp_path):
    (tmp_path / "criteria.yaml").write_text("schema_version: 1\ncriteria: {max_abs_diff: default, min_speedup: 1000}\n")
    (tmp_path / "study.yaml").write_text("""schema_version: 1
name: judged
policy: criteria.yaml
run: {visits: 3}
sweeps:
  - {op: attention, kernels: [attention/naive_cpu, attention/flash_tiled_cpu], baseline: attention/naive_cpu, fixed: {seq: 64, heads: 2, head_dim: 64}}
""")
    done = bench("run", "--study", tmp_path / "study.yaml", "-o", bench.folder, *FAST)
    assert done.code == 0, done.err
    lines = [line for line in done.out.splitlines() if "flash_tiled" in line]
    assert any("max_abs_diff" in line and " met" in line for line in lines), done.out
    assert any("min_speedup" in line and "failed" in line for line in lines), "no kernel is a thousand times faster"
    assert "criteria against the baseline" in (bench.folder / "summary.md").read_text()
