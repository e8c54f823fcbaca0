# SPDX-License-Identifier: Apache-2.0
"""What the compiler made of Hopper's kernels, read from their machine code: products on the tensor cores that nobody serialises, and nothing in local memory.

No device is needed. ptxas says by a line of its own (C7504 and its like) when it serialises a warpgroup's products or ignores a change of registers; in the
machine code both show: a wait after every product, and no USETMAXREG.
"""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("BENCH_SCALE_BUILD", "build/release"))
OBJECT = BUILD / "kernels/CMakeFiles/bench_kernels_sm90.dir/attention/flash_sm90_cuda.cu.o"


def disassembler():
    own = Path(sys.prefix) / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages/nvidia/cu13/bin/cuobjdump"
    return str(own) if own.is_file() else shutil.which("cuobjdump")


def functions():
    """Name -> instructions of every device function."""
    command = disassembler()
    path = os.pathsep.join([str(Path(command).parent), os.environ["PATH"]])  # it starts nvdisasm
    text = subprocess.run([command, "-sass", OBJECT], capture_output=True, text=True, check=True, env=dict(os.environ, PATH=path)).stdout
    parts = re.split(r"Function : (\S+)", text)[1:]
    return {name: re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]*)", body) for name, body in zip(parts[::2], parts[1::2])}


@pytest.mark.skipif(not OBJECT.is_file(), reason="this build has no CUDA")
@pytest.mark.skipif(disassembler() is None, reason="cuobjdump is not installed")
def test_hoppers_kernels_multiply_on_the_tensor_cores_and_keep_everything_in_registers():
    found = functions()
    assert len(found) == 4, "two element types, two head dimensions"
    for name, code in found.items():
        products = [i for i in code if i.startswith("HGMMA")]
        waits = [i for i in code if i.startswith("WARPGROUP.DEPBAR")]
        assert len(products) >= 12, f"{name}: D / 16 products for the scores, 8 for the output"
        assert len(waits) == 2, f"{name}: one wait for the scores and one for the output; more, and products are serialised"
        assert [i for i in code if i.startswith("USETMAXREG")], f"{name}: the change of registers was ignored"
        assert not [i for i in code if i.startswith(("LDL", "STL"))], f"{name}: something lies in local memory"
