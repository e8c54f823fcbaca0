# SPDX-License-Identifier: Apache-2.0
"""The links that a study may choose, and faults on order in a real run."""
import pytest
from faults import Sweep

RING = """
schema_version: 1
name: links
run: {warmup: 0, warmup_time: 0, min_samples: 3, max_samples: 3, min_time: 0, budget: 60, visits: 1}
sweeps:
  - name: ring
    op: attention
    kernels: [attention/ring_cpu]
    axes: {ranks: [1, 2], link: [mpi, mpi-shm]}
    fixed: {seq: 96, heads: 2, head_dim: 16}
"""


def visits_of(sweep):
    records = sweep.journal()
    cases = {case["id"]: case for case in next(record for record in records if record["kind"] == "plan")["cases"]}
    return [(cases[record["visit"]["case_id"]], record["visit"]) for record in records if record["kind"] == "visit"]


def test_messages_and_shared_memory_are_cases_of_their_own(tmp_path):
    sweep = Sweep(tmp_path, 2, survive=False, study=RING)
    assert sweep.finish() == 0, sweep.words()
    visits = visits_of(sweep)
    # One rank has nobody to reach: one case, not two.
    assert sorted((case["ranks"], case["params"].get("link", "mpi")) for case, _ in visits) == [(1, "mpi"), (2, "mpi"), (2, "mpi-shm")]
    assert {visit["outcome"] for _, visit in visits} == {"ok"}
    wire = {case["params"].get("link", "mpi"): visit["wire_bytes"] for case, visit in visits if case["ranks"] == 2}
    assert wire["mpi"] == wire["mpi-shm"] > 0, "the kernel sends the same over both"


@pytest.mark.parametrize("link", ["mpi", "mpi-shm"])
def test_a_lost_message_is_a_row_and_the_rest_is_measured(tmp_path, link):
    # Message 2 of rank 1 is sent in every visit of two ranks; one rank sends none and is left alone.
    sweep = Sweep(tmp_path, 2, "--inject", "drop@1:2", "--timeout", "2", "--link", link, survive=False, study=RING)
    assert sweep.finish() == 3, sweep.words()
    outcomes = {case["ranks"]: visit["outcome"] for case, visit in visits_of(sweep)}
    # In its place comes the next one, of another size as a rule; if there is none, the wait ends at the limit.
    assert outcomes[1] == "ok" and outcomes[2] in ("comm_error", "timeout"), outcomes
    assert sweep.state() == "finished", sweep.words()


def test_late_and_reordered_messages_change_no_answer(tmp_path):
    sweep = Sweep(tmp_path, 2, "--inject", "delay@0:3:0.2,reorder@1:4", survive=False, study=RING)
    assert sweep.finish() == 0, sweep.words()
    assert {visit["outcome"] for _, visit in visits_of(sweep)} == {"ok"}


def test_faults_that_are_none_are_refused_before_anything_starts(tmp_path):
    sweep = Sweep(tmp_path, 1, "--inject", "explode@0:1", survive=False, study=RING)
    assert sweep.finish() == 2, sweep.words()
    assert "explode" in sweep.words() and not sweep.out.exists()
