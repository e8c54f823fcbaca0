# SPDX-License-Identifier: Apache-2.0
"""What the compiler made of Hopper's kernels, read from their machine code: products on the tensor cores that nobody serialises, and nothing in local memory.

No device is needed. ptxas says by a line of its own (C7504 and its like) when it serialises a warpgroup's products or ignores a change of registers; in the
machine code both show: a wait after every product, and no USETMAXREG.
"""
import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("BENCH_SCALE_BUILD", "build/release"))
OBJECTS = BUILD / "kernels/CMakeFiles/bench_kernels_sm90.dir/attention"
# kernel, waits of its machine code: one after the scores and one after the output; overlapped also those before and behind the loop. Backward: after
# S, dP, dQ and dK.
KERNELS = [("flash_plain_sm90_cuda", 2), ("flash_overlap_sm90_cuda", 4), ("flash_bwd_sm90_cuda", 4), ("flash_bwd_ordered_sm90_cuda", 4)]


def disassembler():
    own = Path(sys.prefix) / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages/nvidia/cu13/bin/cuobjdump"
    return str(own) if own.is_file() else shutil.which("cuobjdump")


@functools.cache
def functions(kernel, folder=OBJECTS):
    """Name and number -> instructions of every device function of a kernel's file that multiplies, for every architecture."""
    command = disassembler()
    path = os.pathsep.join([str(Path(command).parent), os.environ["PATH"]])  # it starts nvdisasm
    text = subprocess.run([command, "-sass", folder / f"{kernel}.cu.o"], capture_output=True, text=True, check=True, env=dict(os.environ, PATH=path)).stdout
    parts = re.split(r"Function : (\S+)", text)[1:]
    return {f"{name} ({i})": re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]*)", body)
            for i, (name, body) in enumerate(zip(parts[::2], parts[1::2]))
            if "bwd_part" not in name}  # what stands before and behind a backward pass's main kernel


@pytest.mark.skipif(not OBJECTS.is_dir(), reason="this build has no CUDA")
@pytest.mark.skipif(disassembler() is None, reason="cuobjdump is not installed")
@pytest.mark.parametrize("kernel, waits", KERNELS)
def test_hoppers_kernels_multiply_on_the_tensor_cores_and_nobody_serialises_them(kernel, waits):
    found = functions(kernel)
    assert len(found) == 4, "two element types, two head dimensions"
    for name, code in found.items():
        assert len([i for i in code if i.startswith("HGMMA")]) >= 12, f"{name}: D / 16 products for the scores, 8 for the output"
        assert len([i for i in code if i.startswith("WARPGROUP.DEPBAR")]) == waits, f"{name}: more waits than were written: products are serialised"
        assert [i for i in code if i.startswith("USETMAXREG")], f"{name}: the change of registers was ignored"


@pytest.mark.skipif(not OBJECTS.is_dir(), reason="this build has no CUDA")
@pytest.mark.skipif(disassembler() is None, reason="cuobjdump is not installed")
@pytest.mark.parametrize("kernel, waits", KERNELS)
def test_hoppers_kernels_keep_everything_in_registers(kernel, waits):
    for name, code in functions(kernel).items():
        local = [i for i in code if i.startswith(("LDL", "STL"))]
        assert not local, f"{name}: {len(local)} accesses to local memory"


@pytest.mark.skipif(not OBJECTS.is_dir(), reason="this build has no CUDA")
@pytest.mark.skipif(disassembler() is None, reason="cuobjdump is not installed")
@pytest.mark.parametrize("kernel", ["flash_bwd_mma_cuda", "flash_bwd_ordered_mma_cuda"])
def test_backward_kernels_by_mma_keep_all_but_a_word_in_registers(kernel):
    found = functions(kernel, BUILD / "kernels/CMakeFiles/bench_kernels.dir/attention")
    assert len(found) >= 6, "two element types, three head dimensions, for every architecture"
    for name, code in found.items():
        assert [i for i in code if i.startswith("HMMA")], f"{name}: no product on the tensor cores"
        local = [i for i in code if i.startswith(("LDL", "STL"))]
        assert len(local) <= 3, f"{name}: {len(local)} accesses to local memory; sm_80 has one word there that no round changes"
