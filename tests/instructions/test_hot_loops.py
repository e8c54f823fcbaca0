# SPDX-License-Identifier: Apache-2.0
"""The AVX-512 inner loops, read from their object code, since no tool at hand counts them while they run: as many multiply-adds as the registers allow,
little beside them, and nothing that was spilled to the stack. g++'s mood decides about that, so a harmless edit elsewhere can cost a tenth of the speed.

Instructions a multiply-add: a tile of 24 shares eight broadcasts, three loads, and six for pointers and the branch, 41 in all; 1.75 allows one more.
"""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

OBJECTS = Path(os.environ.get("BENCH_SCALE_BUILD", "build/release")) / "kernels/CMakeFiles/bench_kernels.dir"
MOST_PER_FMA = 1.75
HOT = [  # object, least multiply-adds in one round of its densest loop
    ("attention/tile_avx512.cpp.o", 24),
    ("attention/grad_tile_avx512.cpp.o", 24),
]


def functions(path):
    """(address, instruction) of every function of an object file."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True, check=True).stdout
    body = []
    for line in text.splitlines():
        if re.match(r"[0-9a-f]+ <.*>:$", line):
            yield body
            body = []
        elif match := re.match(r"\s+([0-9a-f]+):\s+(\S.*)$", line):
            body.append((int(match.group(1), 16), match.group(2)))
    yield body


def innermost_loops(body):
    """The instructions between each backward jump and its target that hold no other such pair."""
    index = {address: i for i, (address, _) in enumerate(body)}
    spans = []
    for end, (_, instruction) in enumerate(body):
        if match := re.match(r"j\w+\s+([0-9a-f]+)", instruction):
            begin = index.get(int(match.group(1), 16), end + 1)
            if begin <= end:
                spans.append((begin, end))
    for begin, end in spans:
        if not any((b, e) != (begin, end) and begin <= b and e <= end for b, e in spans):
            yield [instruction for _, instruction in body[begin:end + 1]]


def fmas(loop):
    return sum(re.match(r"vfmadd\S*ps\s.*%zmm", instruction) is not None for instruction in loop)


@pytest.mark.skipif(shutil.which("objdump") is None, reason="objdump is not installed")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="no AVX-512 here")
@pytest.mark.parametrize("name, least", HOT)
def test_the_densest_loop_is_dense_and_spills_nothing(name, least):
    loops = [loop for body in functions(OBJECTS / name) for loop in innermost_loops(body)]
    large = [loop for loop in loops if fmas(loop) >= least]
    assert large, "the tile no longer fills the registers, or the loop is no longer unrolled"
    densest = min(large, key=lambda loop: len(loop) / fmas(loop))
    count = fmas(densest)
    assert len(densest) <= MOST_PER_FMA * count, "\n".join(densest)
    assert not any("(%rsp" in instruction or "(%rbp" in instruction for instruction in densest), "\n".join(densest)
