# SPDX-License-Identifier: Apache-2.0
"""Ranks that have nothing to do leave the machine to the others. A file of its own, as nothing may run beside it: what a sleeper's wake-up costs depends on its neighbours."""
import os
import time
from pathlib import Path

from faults import NAP_MS, Sweep

STUDY = """
schema_version: 1
name: idle
run: {warmup: 1, min_samples: 6, max_samples: 6, min_time: 0, warmup_time: 0, budget: 0.3, visits: 8}
sweeps:
  - name: asleep
    op: attention
    kernels: [attention/planted_sleepy]
    fixed: {seq: 64, heads: 1, head_dim: 16}
"""


def test_ranks_that_wait_leave_the_cores_alone(tmp_path):
    """Rank 1 sleeps while rank 0 works alone: its share of a core, over the run's middle."""
    sweep = Sweep(tmp_path, 2, survive=False, study=STUDY, env={"BENCH_SCALE_PLANTED_NAP_MS": str(8 * NAP_MS)})  # naps outweigh what a visit's own work costs
    assert sweep.wait_until_ended(1)
    spent, begin = {pid: cpu_s(pid) for pid in sweep.rank_pids()}, time.monotonic()
    assert sweep.wait_until_ended(8)
    elapsed = time.monotonic() - begin
    shares = sorted((cpu_s(pid) - before) / elapsed for pid, before in spent.items())
    sweep.finish()
    assert elapsed > 1.0, "too short to tell"
    assert shares[0] < 0.02, f"an idle rank took {shares[0]:.1%} of a core"


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
