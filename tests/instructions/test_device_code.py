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
# kernel, waits of its machine code: one after the scores and one after the output; overlapped also those before and behind the loop.
KERNELS = [("flash_plain_sm90_cuda", 2), ("flash_overlap_sm90_cuda", 4), ("flash_persistent_sm90_cuda", 4), ("flash_pingpong_sm90_cuda", 4),
           ("flash_tma_store_sm90_cuda", 4)]
OVERLAPPED = [kernel for kernel, waits in KERNELS if waits > 2]
# Head dimension and keys a block of each kind of tile: products for the scores (16 columns each), for the output (16 keys each).
TILES = {(64, 128): (4, 8), (128, 128): (8, 8), (128, 176): (8, 11), (256, 80): (16, 5)}


def disassembler():
    own = Path(sys.prefix) / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages/nvidia/cu13/bin/cuobjdump"
    return str(own) if own.is_file() else shutil.which("cuobjdump")


@functools.cache
def functions(kernel, folder=OBJECTS):
    """(name, instructions) of every device function of a kernel's file that multiplies, for every architecture."""
    command = disassembler()
    path = os.pathsep.join([str(Path(command).parent), os.environ["PATH"]])  # it starts nvdisasm
    text = subprocess.run([command, "-sass", folder / f"{kernel}.cu.o"], capture_output=True, text=True, check=True, env=dict(os.environ, PATH=path)).stdout
    parts = re.split(r"Function : (\S+)", text)[1:]
    return [(name, re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]*)", body))
            for name, body in zip(parts[::2], parts[1::2])
            if "bwd_part" not in name]  # what stands before and behind a backward pass's main kernel


def by_tile(kernel):
    """Tile -> instructions of a forward kernel; two element types share a tile."""
    found = {}
    for name, code in functions(kernel):
        found.setdefault(tuple(map(int, re.search(r"ShapeELi(\d+)ELi(\d+)E", name).groups())), []).append(code)
    return found


def local_accesses(code):
    return [i for i in code if i.startswith(("LDL", "STL"))]


def needs_code(test):
    for reason, missing in (("this build has no CUDA", not OBJECTS.is_dir()), ("cuobjdump is not installed", disassembler() is None)):
        test = pytest.mark.skipif(missing, reason=reason)(test)
    return test


@needs_code
@pytest.mark.parametrize("kernel, waits", KERNELS)
def test_hoppers_kernels_multiply_on_the_tensor_cores_and_nobody_serialises_them(kernel, waits):
    found = by_tile(kernel)
    assert set(found) == set(TILES) - ({(256, 80)} if kernel == "flash_pingpong_sm90_cuda" else set())
    for tile, codes in found.items():
        assert len(codes) == 2, f"{tile}: two element types"
        scores, output = TILES[tile]
        for code in codes:
            rounds = 2 if kernel in OVERLAPPED else 1  # before the loop or behind it, and in it
            assert len([i for i in code if i.startswith("HGMMA")]) == rounds * (scores + output), tile
            assert len([i for i in code if i.startswith("WARPGROUP.DEPBAR")]) == waits, f"{tile}: more waits than were written: products are serialised"
            assert [i for i in code if i.startswith("USETMAXREG")], f"{tile}: the change of registers was ignored"


def between_waits(code):
    """From the wait before the loop to the one behind it; all of a kernel whose waits are both in the loop."""
    waits = [at for at, i in enumerate(code) if i.startswith("WARPGROUP.DEPBAR")]
    return code[waits[0]:waits[-1]] if len(waits) > 2 else code


@needs_code
@pytest.mark.parametrize("kernel", [kernel for kernel, _ in KERNELS])
def test_hoppers_kernels_keep_everything_in_registers(kernel):
    for tile, codes in by_tile(kernel).items():
        for code in codes:
            assert not local_accesses(between_waits(code)), f"{tile}: {local_accesses(code)} in the loop"
            assert tile[0] > 128 or not local_accesses(code), f"{tile}: local memory is used at the ends of a tile"


@needs_code
@pytest.mark.parametrize("kernel", OVERLAPPED)
def test_exponentials_are_computed_while_the_output_is(kernel):
    """In the loop: the products of scores and output, a wait for the first of them, exponentials, a wait for the second."""
    for tile, codes in by_tile(kernel).items():
        _, keys = tile
        for code in codes:
            marks = [i for i in code if i.startswith(("HGMMA", "WARPGROUP.DEPBAR", "MUFU.EX2"))]
            waits = [at for at, i in enumerate(marks) if i.startswith("WARPGROUP.DEPBAR")]
            between = marks[waits[1] + 1:waits[2]]  # of the loop's two waits; the first and the last are outside
            assert marks[waits[1] - 1].startswith("HGMMA"), f"{tile}: something comes between the products and their wait"
            assert len(between) >= keys // 2, f"{tile}: a lane has {keys // 2} weights to compute under the product"
            assert all(i.startswith("MUFU") for i in between), f"{tile}: products between the loop's waits"


@needs_code
@pytest.mark.parametrize("kernel", ["flash_bwd_sm90_cuda", "flash_bwd_ordered_sm90_cuda"])
def test_hoppers_backward_kernels_multiply_on_the_tensor_cores_and_keep_everything_in_registers(kernel):
    found = functions(kernel)
    assert len(found) == 4, "two element types, two head dimensions"
    for name, code in found:
        assert len([i for i in code if i.startswith("HGMMA")]) >= 12, f"{name}: D / 16 products for the scores, 8 for the output"
        assert len([i for i in code if i.startswith("WARPGROUP.DEPBAR")]) == 4, f"{name}: one wait each after S, dP, dQ and dK; more: products are serialised"
        assert [i for i in code if i.startswith("USETMAXREG")], f"{name}: the change of registers was ignored"
        assert not local_accesses(code), f"{name}: {local_accesses(code)}"


@needs_code
def test_hoppers_ssd_kernel_multiplies_on_the_tensor_cores_and_keeps_everything_in_registers():
    found = functions("ssd_fused128_sm90_cuda", OBJECTS.parent / "scan")
    assert len(found) == 4, "two element types, two numbers of states"
    for name, code in found:
        states = int(re.search(r"HopperMachineENS_\w*?Li2ELi(\d+)E", name).group(1))
        products = 3 * states // 16 + 2 * 4 + 2 * 8  # C h^T and twice C B^T; twice 64 weights a row times x; 128 steps in two parts into the state
        assert len([i for i in code if i.startswith("HGMMA")]) == products, name
        assert len([i for i in code if i.startswith("WARPGROUP.DEPBAR")]) == 6, f"{name}: two waits before the loop over halves, two in it, one behind, one for the state"
        assert [i for i in code if i.startswith("USETMAXREG")], f"{name}: the change of registers was ignored"
        assert not local_accesses(code), f"{name}: {local_accesses(code)}"


@needs_code
@pytest.mark.parametrize("kernel", ["flash_bwd_mma_cuda", "flash_bwd_ordered_mma_cuda", "kv_passing_bwd_launch", "ulysses_bwd_nccl_cuda"])
def test_backward_kernels_by_mma_keep_all_but_a_word_in_registers(kernel):
    found = [(name, code) for name, code in functions(kernel, BUILD / "kernels/CMakeFiles/bench_kernels.dir/attention") if "FlashBwdMma" in name]
    assert len(found) >= 6, "two element types, three head dimensions, for every architecture"
    for name, code in found:
        assert [i for i in code if i.startswith("HMMA")], f"{name}: no product on the tensor cores"
        assert len(local_accesses(code)) <= 3, f"{name}: {local_accesses(code)}; sm_80 has one word there that no round changes"


@needs_code
@pytest.mark.parametrize("kernel, main, most", [("ssd_split_mma_cuda", "ssd_chunks", 0), ("ssd_fused64_mma_cuda", "ssd_fused_mma", None), ("ssd_bwd_mma_cuda", "SsdBwdMma", None)])
def test_ssd_kernels_multiply_on_the_tensor_cores(kernel, main, most):
    """The fused and the backward kernel keep a few addresses in local memory, which no loop over pairs of steps reads."""
    found = [code for name, code in functions(kernel, BUILD / "kernels/CMakeFiles/bench_kernels.dir/scan") if main in name]
    assert len(found) >= 8, "two element types, two numbers of states, two architectures"
    for code in found:
        assert [i for i in code if i.startswith("HMMA")], "no product on the tensor cores"
        assert most is None or len(local_accesses(code)) <= most


@pytest.mark.skipif(not OBJECTS.is_dir(), reason="this build has no CUDA")
@pytest.mark.parametrize("target, code", [("serialised_products", "C7510"), ("ignored_registers", "C7508")])
def test_the_build_fails_on_what_ptxas_only_mentions(target, code):
    done = subprocess.run(["cmake", "--build", BUILD, "--target", target], capture_output=True, text=True)
    assert done.returncode != 0, "a kernel that ptxas serialises was built"
    assert code in done.stdout + done.stderr and "error: ptxas serialises products" in done.stdout + done.stderr
    assert not list(BUILD.glob(f"tests/CMakeFiles/{target}.dir/**/*.o")), "its object was left behind"
