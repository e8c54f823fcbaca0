# SPDX-License-Identifier: Apache-2.0
"""Scaling studies as views, from the command line to the file: strong, weak and throughput over the same cases."""
import os

import h5py
import numpy as np
import pytest

from conftest import FAST

CORES = len(os.sched_getaffinity(0))


def text(column):
    return [value.decode() if isinstance(value, bytes) else value for value in column[:]]


@pytest.mark.skipif(CORES < 2, reason="ranks that share a core get no efficiency")
def test_throughput_runs_a_copy_on_every_rank(bench):
    done = bench("run", "--study", "smoke", "-k", "attention/flash_tiled_cpu", "-s", "64", "--scaling", "throughput", "--ranks", "1..4*2",
                 "-o", bench.folder, *FAST, np=2)
    assert done.code == 0, done.err
    assert "scaling efficiency: throughput, base 1 rank" in done.out
    with h5py.File(done.folder / "results.h5") as file:
        group = file["scaling"]
        ranks, efficiency, layout = group["ranks"][:], group["efficiency"][:], group["layout"][:]
        assert set(text(group["mode"])) == {"throughput"}
        meanings = group["status"].attrs["flag_meanings"]
        outcomes = np.array((meanings.decode() if isinstance(meanings, bytes) else meanings).split())[group["status"][:]]
        assert set(ranks) == {1, 2, 4}
        assert set(outcomes[ranks == 4]) == {"infeasible"}, "wider than the run: a row with its outcome"
        assert np.isnan(efficiency[ranks == 4]).all()
        assert (efficiency[ranks == 2] > 0).all() and (layout[ranks == 2] == 1).all()
    for case in done.cases():
        assert case["ranks"] == case["params"].get("replicas", 1) and case["params"]["ranks"] == 1


@pytest.mark.skipif(CORES < 2, reason="ranks that share a core get no efficiency")
def test_a_base_is_honoured_or_its_absence_is_said(bench):
    run = lambda base: bench("run", "--study", "smoke", "-k", "attention/ring_cpu", "-s", "256", "--scaling", "strong", "--ranks", "1,2",
                             "--base", base, "-o", bench.folder / base, *FAST, np=2)
    assert "strong, base 2 ranks\n" in run("2").out
    assert "strong, base 1 rank (4 wished for: not in the study)\n" in run("4").out


def test_a_base_without_a_scaling_study_is_an_error(bench):
    done = bench("plan", "--study", "warmup", "--base", "1")
    assert done.code == 2 and "--base 1" in done.err


def test_words_that_are_no_view_are_refused_with_the_list(bench):
    done = bench("plan", "--scaling", "weak:rows", "--ranks", "1")
    assert done.code == 2 and "weak:flops" in done.err and "throughput" in done.err
