# SPDX-License-Identifier: Apache-2.0
"""Kernels that run in Python programs of their own: permission, a right answer, a wrong one, and every way such a program can fail. The package is a
stand-in (fake_mamba_ssm) that computes on the host."""
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the adapters need torch")

FAKE = Path(__file__).parent / "fake_mamba_ssm"
STUDY = """
schema_version: 1
name: commands
run: {warmup: 1, min_samples: 6, max_samples: 6, min_time: 0, warmup_time: 0, budget: 0.5, visits: 1, order: given}
sweeps:
"""
SELECTIVE = """
  - name: mamba1
    op: selective
    kernels: [scan/selective_mamba_ssm_command, scan/selective_sequential_cpu]
    fixed: {batch: 2, seq: 33, channels: 6, state: 4, groups: 2}
    axes: {dtype: DTYPES}
"""
FORMS = """
  - name: forms
    op: selective
    kernels: [scan/selective_mamba_ssm_command, scan/selective_sequential_cpu]
    fixed: {batch: 2, seq: 33, channels: 6, state: 4}
    axes: {complex: [false, true], constant_b: [false, true], constant_c: [false, true], dtype: [fp32, bf16]}
  - name: complex_groups
    op: selective
    kernels: [scan/selective_mamba_ssm_command]
    fixed: {batch: 2, seq: 33, channels: 6, state: 4, groups: 3, complex: true}
"""
OTHERS = """
  - name: mamba2
    op: ssd
    kernels: [scan/ssd_mamba_ssm_command]
    fixed: {batch: 2, seq: 40, heads: 4, head_dim: 8, state: 8, groups: 2, dtype: bf16}
    axes: {gated: [false, true], dt_limit: ["'0.1:0.9'"]}
  - name: token
    op: ssm_update
    kernels: [scan/update_mamba_ssm_command]
    fixed: {batch: 3, heads: 4, head_dim: 8, state: 8, groups: 2}
    axes: {tied: [true, false]}
"""
COMMAND = "scan/selective_mamba_ssm_command"


@pytest.fixture
def commands(bench, tmp_path):
    """commands("wrong") runs the study with a package that is wrong; fails=None: with one that is fine."""

    def start(fails=None, more="", dtypes="[fp32]", allowed=True, path=FAKE, env=None, timeout="60", scratch=None):
        study = tmp_path / "study.yaml"
        study.write_text(STUDY + SELECTIVE.replace("DTYPES", dtypes) + more)
        folder = scratch or tmp_path / "scratch"
        folder.mkdir(exist_ok=True)
        flags = ["--allow-commands"] if allowed else []
        variables = {"PYTHONPATH": str(path), "BENCH_SCALE_PYTHON": sys.executable, "FAKE_MAMBA_SSM": fails or "", "TMPDIR": str(folder), **(env or {})}
        done = bench("run", "--study", study, "-o", bench.folder, "--timeout", timeout, *flags, env=variables)
        assert not list(folder.glob("bench_scale_*")), "nothing is left behind"
        return done

    return start


def visit_of(done, kernel=COMMAND, dtype="fp32") -> dict:
    ids = {case["id"] for case in done.cases() if case["kernel"] == kernel and case["params"]["dtype"] == dtype}
    return next(visit for visit in done.visits() if visit["case_id"] in ids)


def outcome_and_reason(done, dtype) -> tuple[str, str]:
    visit = visit_of(done, dtype=dtype)
    assert visit["outcome"] == "ok" or visit["rank_time_s"] == [], "what failed has no time"
    return visit["outcome"], visit["reason"]


def test_a_package_that_is_right_is_timed_by_its_own_clock(commands):
    done = commands(more=OTHERS, dtypes="[fp32, bf16, fp16]")
    assert done.code == 0, done.err
    assert set(map(frozenset, done.outcomes().values())) == {frozenset({"ok"})}, [v["reason"] for v in done.visits()]
    assert set(done.outcomes()) == {COMMAND, "scan/selective_sequential_cpu", "scan/ssd_mamba_ssm_command", "scan/update_mamba_ssm_command"}
    for visit in done.visits():
        assert len(visit["rank_time_s"]) == 6 and all(time > 0 for time in visit["rank_time_s"])


def test_complex_states_and_constant_mixers_are_handed_on_as_the_package_wants_them(commands):
    done = commands(more=FORMS)
    assert done.code == 0, done.err
    assert done.outcomes() == {COMMAND: {"ok"}, "scan/selective_sequential_cpu": {"ok"}}, [v["reason"] for v in done.visits()]
    assert sum(case["kernel"] == COMMAND and case["params"]["complex"] for case in done.cases()) == 9


def test_without_the_flag_it_is_a_row_that_names_the_flag(commands):
    done = commands(allowed=False)
    assert done.code == 0, done.err
    case = next(case for case in done.cases() if case["kernel"] == COMMAND)
    assert case["planned"] == "skipped" and "--allow-commands" in case["reason"]
    assert set(done.outcomes()) == {"scan/selective_sequential_cpu"}


def test_a_wrong_answer_a_death_while_it_is_timed_and_a_right_answer_are_three_rows(commands):
    done = commands("float32=wrong,bfloat16=crash@5", dtypes="[fp32, bf16, fp16]")
    assert done.code == 3
    assert outcome_and_reason(done, "fp32")[0] == "wrong_result"
    outcome, reason = outcome_and_reason(done, "bf16")
    assert outcome == "crashed" and "signal 11" in reason
    assert outcome_and_reason(done, "fp16") == ("ok", "")
    assert done.outcomes()["scan/selective_sequential_cpu"] == {"ok"}, "the run goes on"


def test_what_a_package_throws_and_how_it_dies_is_the_row_s_reason(commands):
    done = commands("float32=throw,bfloat16=oom,float16=crash", dtypes="[fp32, bf16, fp16]")
    assert done.code == 3
    assert outcome_and_reason(done, "fp32") == ("crashed", "RuntimeError: planted: this shape is not supported")
    outcome, reason = outcome_and_reason(done, "bf16")
    assert outcome == "oom" and "planted: out of memory" in reason
    outcome, reason = outcome_and_reason(done, "fp16")
    assert outcome == "crashed" and "signal 11" in reason


def test_a_program_that_hangs_is_killed_with_its_case(commands):
    done = commands("float32=hang@5", timeout="8")
    assert done.code == 3, done.err
    assert done.outcomes() == {COMMAND: {"timeout"}, "scan/selective_sequential_cpu": {"ok"}}
    assert "did not answer" in visit_of(done)["reason"]


def test_a_package_that_is_missing_is_a_row_with_python_s_own_words(commands, tmp_path):
    done = commands(path=tmp_path)
    assert done.outcomes()[COMMAND] == {"skipped"}
    assert visit_of(done)["reason"] == "ModuleNotFoundError: No module named 'mamba_ssm'"


def test_a_python_that_is_missing_is_a_row_with_a_reason(commands):
    done = commands(env={"BENCH_SCALE_PYTHON": "/nowhere/python3"})
    assert done.outcomes()[COMMAND] == {"skipped"}
    assert "/nowhere/python3" in visit_of(done)["reason"]


def test_a_package_for_devices_says_so_where_there_is_none(commands, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a device")
    for module in FAKE.rglob("*.py"):
        copy = tmp_path / "for_devices" / module.relative_to(FAKE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(module.read_text().replace("RUNS_ON_HOST = True", "RUNS_ON_HOST = False"))
    done = commands(path=tmp_path / "for_devices")
    assert done.outcomes()[COMMAND] == {"skipped"}
    assert "needs a CUDA device" in visit_of(done)["reason"]
