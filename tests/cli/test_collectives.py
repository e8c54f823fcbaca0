# SPDX-License-Identifier: Apache-2.0
"""Exchanges between ranks, from a study to the table: every operation over both links, and the rates of nccl-tests."""
import h5py
import pytest
from conftest import FAST

STUDY = """
schema_version: 1
name: exchanges
run: {visits: 1}
sweeps:
  - name: all
    op: collective
    kernels: ["collective/*"]
    baseline: collective/posts_cpu
    axes:
      operation: [allreduce, allgather, reduce_scatter, alltoall, sendrecv]
      message_bytes: [4, 100k]
      link: [mpi, mpi-shm]
    fixed: {ranks: 2}
"""
FACTOR = {"allreduce": lambda p: 2 * (p - 1) / p, "sendrecv": lambda p: 1.0}


def factor(operation, ranks):
    return FACTOR.get(operation, lambda p: (p - 1) / p)(ranks)


@pytest.fixture
def study(tmp_path):
    file = tmp_path / "exchanges.yaml"
    file.write_text(STUDY)
    return file


def columns(folder, *names):
    with h5py.File(folder / "results.h5") as file:
        group = file["cases"]
        values = [group[name].asstr()[:] if group[name].dtype.kind == "O" else group[name][:] for name in names]
    return [dict(zip(names, row)) for row in zip(*values)]


def test_every_operation_is_right_and_has_its_rates_over_both_links(bench, study):
    done = bench("run", "--study", study, "-o", bench.folder, *FAST, np=2)
    assert done.code == 0, done.err
    assert {visit["outcome"] for visit in done.visits()} == {"ok"}, [visit for visit in done.visits() if visit["outcome"] != "ok"]
    rows = columns(done.folder, "kernel", "operation", "message_bytes", "ranks", "link", "time", "algbw", "busbw", "wire_bytes", "wire_bytes_least", "reason")
    timed = [row for row in rows if row["time"] == row["time"]]
    assert {(row["operation"], row["link"] or "mpi") for row in timed} == {(o, l) for o in ("allreduce", "allgather", "reduce_scatter", "alltoall", "sendrecv") for l in ("mpi", "mpi-shm")}
    for row in timed:
        pieces = row["ranks"] if row["operation"] not in ("allreduce", "sendrecv") else 1
        size = row["message_bytes"] // (4 * pieces) * 4 * pieces
        assert row["algbw"] == pytest.approx(size / row["time"]), row
        assert row["busbw"] == pytest.approx(row["algbw"] * factor(row["operation"], row["ranks"])), row
        assert row["wire_bytes_least"] == pytest.approx(factor(row["operation"], row["ranks"]) * size), row
        assert row["wire_bytes"] >= int(row["wire_bytes_least"]), row
        if row["message_bytes"] > 4:  # short forms trade bytes for rounds
            assert row["wire_bytes"] == row["wire_bytes_least"], row
    # 4 bytes are no fp32 for each of two pieces; a sendrecv has one form only
    reasons = {row["reason"] for row in rows if row["time"] != row["time"]}
    assert any("less than one fp32" in reason for reason in reasons) and any("one post" in reason for reason in reasons), reasons
    assert "busbw" in done.out and "GB/s" in done.out and "FLOP" not in done.out.split("collective:")[1].split("speed-up over")[0]


def test_ops_without_ranks_exchanges_have_no_bandwidth(bench, tmp_path):
    done = bench("run", "-W", "recurrence", "-k", "scan/recurrence_sequential_cpu", "-s", "64", "-o", bench.folder, *FAST)
    assert done.code == 0, done.err
    assert "busbw" not in done.out
    assert all(row["busbw"] != row["busbw"] for row in columns(done.folder, "busbw"))
