# SPDX-License-Identifier: Apache-2.0
"""A device that is not there, that faults, that hangs, whose memory is too small: rows with reasons, and the run goes on. The device is
pretended (fake_device/fake_cuda.cpp): what is tried is the program's way through it, and no time of it means anything."""
import json

import pytest
from conftest import BUILD, FAST, LIMITS

PROGRAM = "bench_scale_fake_device"
pytestmark = pytest.mark.skipif(not (BUILD / "bin" / PROGRAM).exists(), reason="this build has no CUDA")

STUDY = """
schema_version: 1
name: trouble
run: {{warmup: 1, min_samples: 6, max_samples: 6, min_time: 0, warmup_time: 0, budget: 0.5, visits: {visits}, order: given}}
sweeps:
  - name: planted
    op: attention
    kernels: [attention/planted_{kernel}_cuda]
    fixed: {{seq: 64, heads: 1, head_dim: 16{more}}}
  - name: good
    op: attention
    kernels: [attention/planted_fine_cuda]
    fixed: {{seq: 64, heads: 1, head_dim: 16}}
"""


@pytest.fixture
def trouble(bench, tmp_path):
    """trouble("fault") runs a study of a bad kernel and a good one; the second call goes on with it."""

    def start(kernel, visits=1, more="", env=None, np=0):
        study = tmp_path / "study.yaml"
        study.write_text(STUDY.format(kernel=kernel, visits=visits, more=more))
        return bench("run", "--study", study, "-o", bench.folder, "--resume", "--timeout", "2", program=PROGRAM, env=env, np=np)

    return start


def rows(done) -> list[tuple[str, str]]:
    kernels = {case["id"]: case["kernel"].removeprefix("attention/planted_").removesuffix("_cuda") for case in done.cases()}
    return [(kernels[visit["case_id"]], visit["outcome"]) for visit in done.visits()]


def reason(done, kernel) -> str:
    cases = {case["id"]: case["kernel"] for case in done.cases()}
    return next(v["reason"] for v in done.visits() if cases[v["case_id"]] == f"attention/planted_{kernel}_cuda")


@pytest.mark.parametrize(("kernel", "words"), [("fault", "cudaErrorIllegalAddress"), ("late_fault", "cudaErrorECCUncorrectable")])
def test_a_kernel_that_breaks_the_context_is_a_row_and_a_new_process_goes_on(trouble, kernel, words):
    first = trouble(kernel, visits=2)
    assert first.code == 75, first.err
    assert rows(first) == [(kernel, "crashed")], "the row is in the journal, and nothing was tried after it"
    assert words in reason(first, kernel) and "context is lost" in reason(first, kernel)
    assert "--resume" in first.err
    assert not first.visits()[0]["rank_time_s"], "what was sampled before the fault is no time"
    second = trouble(kernel, visits=2)
    assert second.code == 3, second.err
    assert rows(second) == [(kernel, "crashed"), (kernel, "quarantined"), ("fine", "ok"), ("fine", "ok")]


def test_a_hanging_kernel_is_a_timeout_and_a_new_process_goes_on(trouble):
    first = trouble("hanging", visits=2)
    assert first.code == 75, first.err
    assert rows(first) == [("hanging", "timeout")]
    second = trouble("hanging", visits=2)
    assert second.code == 3, second.err
    assert rows(second) == [("hanging", "timeout"), ("hanging", "quarantined"), ("fine", "ok"), ("fine", "ok")]


def test_the_supervisor_goes_on_by_itself(bench, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text(STUDY.format(kernel="fault", visits=2, more=""))
    done = bench("launch", "local", "--supervise", "--np", "1", "-o", bench.folder, "--", "--study", study, program=PROGRAM)
    assert done.code == 3, done.err
    assert rows(done)[-1] == ("fine", "ok") and rows(done).count(("fault", "crashed")) == 1


def test_of_two_ranks_the_one_that_lost_its_device_ends_both(trouble):
    assert trouble("fault", np=2).code == 75
    done = trouble("fault", np=2)
    assert done.code == 3 and rows(done) == [("fault", "crashed"), ("fine", "ok")], done.err


@pytest.mark.parametrize(("kernel", "outcome", "words"), [
    ("refused", "crashed", "cudaErrorInvalidValue"),
    ("no_code", "skipped", "this build has code for sm_"),
    ("greedy", "oom", "1099511627776 bytes were asked for; "),
])
def test_an_error_that_leaves_the_device_usable_costs_its_case_alone(trouble, kernel, outcome, words):
    done = trouble(kernel)
    assert rows(done) == [(kernel, outcome), ("fine", "ok")], done.err
    assert done.code == (0 if outcome == "skipped" else 3)
    assert words in reason(done, kernel)


def test_memory_that_ran_out_says_how_much_is_free(trouble):
    done = trouble("greedy", env={"FAKE_CUDA_MEMORY": str(64 << 20)})
    free, total = reason(done, "greedy").split("; ")[1].split(" bytes")[0].split(" of ")
    assert int(total) == 64 << 20 and int(free) == int(total) - (1 << 20), "the case itself holds a megabyte"


@pytest.mark.parametrize(("env", "words"), [
    ({"FAKE_CUDA_DRIVER": "none"}, "no driver is installed"),
    ({"FAKE_CUDA_DRIVER": "old"}, "the driver knows CUDA 11.4, this program needs "),
    ({"FAKE_CUDA_NO_CODE": "1"}, "no kernel image is available"),
])
def test_a_device_that_cannot_be_used_is_a_reason_in_every_row(trouble, env, words):
    done = trouble("refused", env=env)
    assert done.code == 4, "nothing could be measured for want of it"
    assert rows(done) == [("refused", "skipped"), ("fine", "skipped")]
    assert words in reason(done, "fine")


def graph(done) -> list[dict]:
    """The visits of the kernel that was captured."""
    captured = {case["id"] for case in done.cases() if case["params"].get("graph")}
    return [visit for visit in done.visits() if visit["case_id"] in captured]


def test_a_captured_call_is_a_case_beside_the_eager_one(trouble):
    done = trouble("fine", more=", graph: true")
    assert done.code == 0, done.err
    assert len(done.visits()) == 2, "eager and captured are two cases"
    visit, = graph(done)
    assert visit["outcome"] == "ok" and visit["graph_nodes"] == 1
    eager, = (other for other in done.visits() if other["case_id"] != visit["case_id"])
    assert eager["outcome"] == "ok" and "graph_nodes" not in eager


@pytest.mark.parametrize(("kernel", "words"), [("waiting", "not permitted when stream is capturing"), ("elsewhere", "puts nothing on the stream")])
def test_a_call_that_cannot_be_captured_is_a_row_with_its_reason(trouble, kernel, words):
    done = trouble(kernel, more=", graph: true")
    assert rows(done) == [(kernel, "skipped"), ("fine", "ok")], done.err
    assert words in reason(done, kernel)


def test_a_visit_says_what_it_held_of_the_device_and_what_a_call_cost_the_host(trouble):
    done = trouble("refused", env={"FAKE_CUDA_MEMORY": str(64 << 20)})
    device = done.visits()[1]["device"]
    assert device["total_bytes"] == 64 << 20
    assert 1 << 20 <= device["peak_bytes"] < 2 << 20, "a megabyte of the kernel's own, and little beside it"
    assert device["free_bytes"] == device["total_bytes"] - device["peak_bytes"]
    assert device["enqueue_s"] > 0


def test_rates_of_kernels_that_do_nothing_are_no_limits(trouble):
    """The pretended device copies nothing. A limit read from it would be the highest of all."""
    done = trouble("refused", env=LIMITS)
    assert not [record for record in done.records("limits") if record.get("device")]
    assert [record for record in done.records("limits")] == [], "and its cases are not held against the host's"


def test_a_run_says_what_device_it_was_of(trouble):
    environment = json.loads((trouble("refused").folder / "env.json").read_text())
    assert environment["gpu"]["names"] == ["pretended device"] and environment["gpu"]["compute_capabilities"] == ["9.0"]
    assert environment["gpu"]["driver_cuda"] == environment["gpu"]["built_with_cuda"]


def test_a_run_on_another_device_is_another_environment(trouble):
    assert trouble("fault").code == 75
    done = trouble("fault", env={"FAKE_CUDA_DRIVER": "none"})
    assert done.code == 2 and "another environment" in done.err


def test_doctor_says_what_the_device_is(bench):
    done = bench("doctor", program=PROGRAM)
    assert done.code == 0, done.err
    for words in ("pretended device", "compute capability  9.0", "multiprocessors     4", "code in this build  "):
        assert words in done.out
    done = bench("doctor", program=PROGRAM, env={"FAKE_CUDA_DRIVER": "old"})
    assert "the driver knows CUDA 11.4" in done.out
