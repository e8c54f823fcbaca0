# SPDX-License-Identifier: Apache-2.0
"""What the compiler made of the decode kernels, read from their machine code for every architecture: products on tensor cores, copies that go to shared memory
past the registers, and nothing in local memory. No device is needed."""
import functools
import os
import re
import subprocess
from pathlib import Path

import pytest
from test_device_code import BUILD, disassembler

OBJECTS = BUILD / "kernels/CMakeFiles/bench_kernels.dir/decode"
pytestmark = [pytest.mark.skipif(not (OBJECTS / "paged_cuda.cu.o").is_file(), reason="this build has no CUDA"),
              pytest.mark.skipif(disassembler() is None, reason="cuobjdump is not installed")]


@functools.cache
def functions(kernel):
    """(architecture, name) -> instructions of every device function of a kernel's file."""
    command = disassembler()
    path = os.pathsep.join([str(Path(command).parent), os.environ["PATH"]])  # it starts nvdisasm
    text = subprocess.run([command, "-sass", OBJECTS / f"{kernel}.cu.o"], capture_output=True, text=True, check=True, env=dict(os.environ, PATH=path)).stdout
    found = {}
    for arch, body in re.findall(r"^\s*code for (sm_\w+)(.*?)(?=^\s*code for |\Z)", text, re.S | re.M):
        parts = re.split(r"Function : (\S+)", body)[1:]
        for name, code in zip(parts[::2], parts[1::2]):
            found[arch, name] = re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]*)", code)
    return found


def count(code, instruction):
    return len([i for i in code if i.startswith(instruction)])


def test_tensor_core_decode_multiplies_there_and_copies_past_the_registers():
    found = functions("paged_mma_cuda")
    assert len(found) >= 16, "two element types, eight shapes, each architecture"
    for where, code in found.items():
        assert count(code, "HMMA") >= 16, f"{where}: D / 16 products for the scores, at least as many for the output"
        assert count(code, "LDGSTS") >= 8, f"{where}: keys and values do not come by asynchronous copies"
        assert count(code, "LDSM") >= 12, f"{where}: operands do not come by ldmatrix"


@pytest.mark.parametrize("kernel", ["paged_cuda", "paged_mma_cuda", "paged_device"])
def test_decode_keeps_everything_in_registers(kernel):
    found = functions(kernel)
    assert found
    for where, code in found.items():
        local = count(code, "LDL") + count(code, "STL")
        assert local == 0, f"{where}: {local} accesses to local memory"


def test_lanes_read_sixteen_bytes_at_a_time():
    for where, code in functions("paged_cuda").items():
        assert any(re.match(r"LDG\.E\.128|LDG\.E\S*\.128", i) for i in code), f"{where}: no 16-byte reads"
