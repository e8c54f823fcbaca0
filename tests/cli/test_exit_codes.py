# SPDX-License-Identifier: Apache-2.0
"""Every exit code of docs/exit-codes.md, and the words that go with it."""
from pathlib import Path

import pytest
from conftest import FAST

SMALL = ["run", "--study", "smoke", "-k", "attention/naive_cpu", "--seq", "32", "--ranks", "1", *FAST]


def test_0_when_all_was_measured(bench):
    done = bench(*SMALL, "-o", bench.folder)
    assert done.code == 0, done.err
    assert {visit["outcome"] for visit in done.visits()} == {"ok"}
    for name in ("results.h5", "journal.jsonl", "summary.md", "env.json", "config.resolved.yaml", "status.json"):
        assert (done.folder / name).stat().st_size > 0, name


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["run", "--no-such-flag"], ["--no-such-flag"]),
        (["fly"], ["fly"]),
        (["run", "--study", "quik"], ["quik", "quick"]),
        (["run", "--seq", "128..64*2"], ["128..64*2"]),
        (["run", "--seq", "128..1024*1"], ["128..1024*1"]),
        (["run", "--kernel", "attention/naive_cpuu"], ["attention/naive_cpuu", "attention/naive_cpu"]),
        (["run", "--dtype", "fp31"], ["fp31"]),
        (["run", "--batch", "0"], ["batch"]),
        (["run", "--order", "sideways"], ["sideways"]),
        (["run", "--iterations", "0"], ["iterations"]),
        (["run", "--scaling", "strong"], ["--ranks"]),
        (["run", "-o", "/dev/null/results"], ["/dev/null/results"]),
    ],
    ids=lambda value: "_".join(value).replace("/", "-") if isinstance(value, list) else None,
)
def test_2_when_the_command_is_wrong(bench, arguments, words):
    done = bench(*arguments)
    assert done.code == 2, done.err
    assert done.out == "", "words go to stderr"
    for word in words:
        assert word in done.err


def test_2_when_the_folder_already_holds_a_run(bench):
    assert bench(*SMALL, "-o", bench.folder).code == 0
    before = (bench.folder / "journal.jsonl").read_bytes()
    again = bench(*SMALL, "-o", bench.folder)
    assert again.code == 2 and "already holds a run" in again.err
    assert (bench.folder / "journal.jsonl").read_bytes() == before


def test_2_with_place_and_nearest_name_for_an_unknown_key(bench, tmp_path):
    study = tmp_path / "mine.yaml"
    study.write_text("schema_version: 1\nname: mine\nsweeps:\n  - op: attention\n    kernels: [attention/naive_cpu]\n    axes: {sek: [64]}\n")
    done = bench("run", "--study", study)
    assert done.code == 2
    assert "mine.yaml:6:" in done.err and "sek" in done.err and "seq" in done.err


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU")
def test_4_when_nothing_could_be_measured_for_want_of_a_device(bench):
    done = bench(*SMALL[:3], "-k", "attention/flash_mma_cuda", "-o", bench.folder)
    assert done.code == 4, done.err
    assert "CUDA" in done.err


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a GPU")
def test_0_when_a_device_is_missing_and_the_rest_was_measured(bench):
    done = bench("run", "--study", "smoke", "-W", "decode", "--seq", "32", *FAST, "-o", bench.folder)
    assert done.code == 0, done.err
    assert {visit["outcome"] for visit in done.visits()} <= {"ok", "skipped"}


def test_4_when_an_asked_for_kernel_is_not_here(bench):
    done = bench(*SMALL[:3], "-k", "attention/sdpa_math_torch", "-o", bench.folder, env={"BENCH_SCALE_TORCH": "off"})
    assert done.code == 4, done.err
    assert "attention/sdpa_math_torch" in done.err and "BENCH_SCALE_TORCH" in done.err


def test_5_when_nothing_matches(bench):
    done = bench("run", "--study", "smoke", "--exclude", "*", "-o", bench.folder)
    assert done.code == 5, done.err


def test_every_rank_leaves_with_the_same_code(bench):
    done = bench("run", "--seq", "nonsense..", np=2)
    assert done.code == 2, done.err
    assert done.err.count("bench_scale:") == 1, "only rank 0 speaks"


def test_help_and_version_go_to_stdout(bench):
    for flag in ("--help", "--version"):
        done = bench(flag)
        assert done.code == 0 and done.out and not done.err
