# SPDX-License-Identifier: Apache-2.0
"""Instructions per element of the hot kernels, counted and not timed: a slow-down by code is found on any machine, however noisy.

callgrind runs the program as a processor with AVX2 and no AVX-512, whatever the machine has, so the AVX2 engines are counted: the same templates as the
AVX-512 ones, which test_hot_loops.py looks at. Only counted_calls is counted, so what start-up and
preparation take, some hundred million instructions and never twice the same, is no part of it. The tolerance is for another g++ 12.x and another
libstdc++.
After a change that is meant to change them: python test_instructions.py prints the new figures.
"""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("BENCH_SCALE_BUILD", "build/release"))
TOLERANCE = 0.03

# kernel, parameters, elements of one call, instructions an element.
# Sizes: one to ten million instructions, some seconds under callgrind; long enough that the ends of loops are a few per cent.
TRACKED = [
    ("attention/flash_tiled_cpu", "seq=512 heads=1 head_dim=64 causal=false", 512 * 512 * 64, 0.6566),
    ("attention/flash_tiled_cpu", "seq=512 heads=1 head_dim=64 causal=true", 512 * 513 // 2 * 64, 0.7170),
    ("attention/flash_tiled_bwd_cpu", "pass=bwd seq=512 heads=1 head_dim=64 causal=false", 512 * 512 * 64, 1.4907),
    ("attention/flash_tiled_bwd_cpu", "pass=bwd seq=512 heads=1 head_dim=64 causal=true window=64", (64 * 65 // 2 + 448 * 64) * 64, 2.3799),
    ("scan/selective_chunked_cpu", "seq=256 channels=128 state=16", 256 * 128 * 16, 3.8809),
    ("scan/ssd_chunked_cpu", "seq=256 heads=2 head_dim=64 state=64", 256 * 2 * 64 * 64, 0.8620),
    ("scan/recurrence_chunked_cpu", "seq=2048 channels=256", 2048 * 256, 1.6446),
]


def per_element(kernel, parameters, elements):
    count = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=counted_calls"]
    command = [*count, BUILD / "bin" / "kernel_calls", kernel, 1, *parameters.split()]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, env=dict(os.environ, OMP_NUM_THREADS="1"))
    assert done.returncode == 0, done.stderr
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1)) / elements


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
@pytest.mark.parametrize("kernel, parameters, elements, expected", TRACKED)
def test_a_hot_kernel_takes_no_more_instructions_than_it_did(kernel, parameters, elements, expected):
    counted = per_element(kernel, parameters, elements)
    assert counted <= expected * (1 + TOLERANCE), f"{kernel} {parameters}: {counted:.4f} instructions an element, {expected} before"
    assert counted >= expected * (1 - TOLERANCE), f"{kernel} {parameters} takes {counted:.4f} instructions an element now, no longer {expected}: note it here"


if __name__ == "__main__":
    for kernel, parameters, elements, expected in TRACKED:
        print(f"{kernel} {parameters}: {per_element(kernel, parameters, elements):.4f} (noted: {expected})")
