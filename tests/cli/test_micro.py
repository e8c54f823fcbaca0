# SPDX-License-Identifier: Apache-2.0
"""bench_micro knows every kernel that bench_scale knows, checks it, and times it by hand."""
import json
import os
import subprocess
from pathlib import Path

import pytest

BIN = Path(os.environ["BENCH_SCALE_BUILD"]) / "bin"
PROGRAM = BIN / "bench_micro"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="this build has no bench_micro: Google Benchmark was not found")
SHORTEST = "--benchmark_min_time=0.001"  # s: one or a few calls of each; whether it runs is asked, not how fast


def micro(pattern: str, folder: Path, program: str = "bench_micro", code: int = 0) -> dict[str, dict]:
    """The entries by name, without the ending that says their times are manual (each must have it)."""
    out = folder / "micro.json"
    done = subprocess.run([BIN / program, SHORTEST, f"--benchmark_filter={pattern}", f"--benchmark_out={out}", "--benchmark_out_format=json"],
                          capture_output=True, text=True, timeout=240, cwd=folder)
    assert done.returncode == code, done.stderr
    entries = json.loads(out.read_text())["benchmarks"]
    assert entries and all(entry["name"].endswith("/manual_time") for entry in entries)
    return {entry["name"].removesuffix("/manual_time"): entry for entry in entries}


def test_every_registered_kernel_is_checked_and_timed_in_every_dtype(tmp_path):
    listed = subprocess.run([BIN / "bench_scale", "list", "--json"], check=True, capture_output=True, text=True)
    kernels = [k for k in json.loads(listed.stdout)["kernels"] if k["backend"] in ("cpu", "torch")]  # others need the run's own timer
    entries = micro("^[a-z]+/.*/ranks:", tmp_path)
    expected = {f"{k['name']}/{dtype}/{way}/ranks:{2 if k['collective'] else 1}"
                for k in kernels for dtype in k["dtypes"] for way in k["passes"]}
    assert kernels and set(entries) == expected
    for name, entry in entries.items():
        if entry.get("error_occurred"):  # a kernel may not support the small problem, and then says why
            assert entry["error_message"], name
            continue
        assert entry["iterations"] >= 1 and entry["real_time"] > 0 and entry["bytes_per_s"] > 0, name
    timed = {name.rsplit("/", 3)[0] for name, entry in entries.items() if not entry.get("error_occurred")}
    assert timed == {k["name"] for k in kernels}, "each kernel has at least one dtype that ran"


def test_the_hot_paths_of_the_program_itself_are_timed(tmp_path):
    entries = micro("^harness/(journal_append|summarise)", tmp_path)
    assert set(entries) == {"harness/journal_append/buffered", "harness/journal_append/durable", "harness/summarise/samples:1024"}
    assert not any(entry.get("error_occurred") for entry in entries.values())


def test_a_kernel_that_fails_or_is_wrong_has_no_time(tmp_path):
    entries = micro("^attention/planted_(wrong|nan|lazy|throwing|oom)", tmp_path, program="bench_micro_planted", code=3)
    assert {name.split("/")[1] for name in entries} >= {"planted_wrong", "planted_nan", "planted_lazy", "planted_throwing", "planted_oom"}
    for name, entry in entries.items():
        assert entry["error_occurred"] and entry["error_message"] and entry["iterations"] == 0, name
    assert "wrong result" in entries["attention/planted_wrong/fp32/fwd/ranks:1"]["error_message"]


def test_an_unknown_flag_is_a_usage_error(tmp_path):
    assert subprocess.run([PROGRAM, "--no-such-flag"], capture_output=True, cwd=tmp_path).returncode == 2
