# SPDX-License-Identifier: Apache-2.0
"""plan for another machine than this one: what would run on a cluster, seen on a laptop and without mpirun."""
import json

import pytest
from conftest import FAST

# Widths 1, 4 and 16: one rank, one node of the cluster below, all of it. 64 steps are four for each of 16 ranks.
STUDY = """
schema_version: 1
name: wide
sweeps:
  - {name: scan, op: recurrence, kernels: [scan/recurrence_ranks_cpu], fixed: {seq: 64, channels: 8}, scaling: {mode: strong, ranks: 1..16*4}}
"""
CLUSTER = ["--nodes", 4, "--ranks-per-node", 4]


@pytest.fixture
def study(tmp_path):
    file = tmp_path / "wide.yaml"
    file.write_text(STUDY)
    return file


@pytest.fixture
def planned(bench, study):
    """planned("--nodes", 4, ...): the plan as JSON."""

    def plan(*arguments):
        done = bench("plan", "--study", study, "--json", *arguments)
        assert done.code == 0, done.err
        return json.loads(done.out)

    return plan


def test_a_cluster_is_planned_without_mpirun(bench, study, planned):
    plan = planned(*CLUSTER)
    assert (plan["ranks"], plan["nodes"], plan["ranks_per_node"]) == (16, 4, 4)
    assert {case["ranks"]: case["planned"] for case in plan["cases"]} == {1: "ok", 4: "ok", 16: "ok"}
    wide = [slot for slot in plan["schedule"]["slots"] if slot["ranks"] == 16]
    assert wide and all(slot["first_rank"] == 0 for slot in wide)
    assert plan["schedule"]["makespan_s"] >= plan["schedule"]["lower_bound_s"] > 0
    text = bench("plan", "--study", study, *CLUSTER)
    assert text.code == 0 and "16 ranks on 4 nodes" in text.out and "infeasible" not in text.out
    assert not bench.folder.exists()


def test_the_widest_cases_need_the_ranks(planned):
    here = {case["ranks"]: case for case in planned()["cases"]}
    assert here[1]["planned"] == "ok" and here[16]["planned"] == "infeasible"
    assert "16 ranks" in here[16]["reason"]


def test_ids_and_plan_are_those_of_the_run(bench, study, planned):
    done = bench("run", "--study", study, "-o", bench.folder, *FAST, np=4)
    assert done.code == 0, done.err
    ids = sorted(case["id"] for case in done.cases())
    assert sorted(case["case"] for case in planned(*CLUSTER)["cases"]) == ids, "an id depends on the machine"
    same_machine = planned("--ranks-per-node", 4, *FAST)
    assert same_machine["plan_sha256"] == done.records("plan")[0]["plan_sha256"]
    assert planned(*CLUSTER, *FAST)["plan_sha256"] != same_machine["plan_sha256"], "another machine is another plan"


def test_memory_is_that_of_the_machine_planned_for(planned):
    # 64 x 8 steps in fp32 and their check in fp64 are some 10 KiB: more than 1 KiB a rank, less than 1 GiB
    poor = {case["ranks"]: case for case in planned(*CLUSTER, "--memory-per-rank", "1KiB")["cases"]}
    assert poor[16]["planned"] == "infeasible" and "GiB a rank" in poor[16]["reason"]
    rich = planned(*CLUSTER, "--memory-per-rank", "1GiB")
    assert {case["planned"] for case in rich["cases"]} == {"ok"}


@pytest.mark.parametrize("wrong", [["--nodes", 0], ["--nodes", "many"], ["--ranks-per-node", -1], ["--memory-per-rank", "80 gold"],
                                   ["--memory-per-rank", "-1"], ["--nodes", 1 << 11, "--ranks-per-node", 1 << 11]])
def test_machines_that_cannot_be_are_usage_errors(bench, study, wrong):
    done = bench("plan", "--study", study, *wrong)
    assert done.code == 2 and wrong[0] in done.err, done.err


def test_only_plan_has_another_machine(bench, study):
    done = bench("run", "--study", study, "--dry-run", "--nodes", 4)
    assert done.code == 2 and "--nodes" in done.err
