// SPDX-License-Identifier: Apache-2.0
// selective_bwd_cuda: the selective scan's backward pass on a GPU; dB and dC are reduced in a block before they meet in global memory.
//
// The forward pass' tensors, dout (B, L, C), dh_last (B, C, N) -> du ddelta dz (B, L, C) in fp32, bf16 or fp16; dB dC (B, L, G, N), dA (C, N), dD
// ddelta_bias (C), dh0 (B, C, N) in fp32. Formulas: selective_bwd.hpp. Algorithm: a walk without outputs leaves the states before every 16th step (8th
// beyond 128 states); a second one runs back, tile by tile, from those (selective_back.hpp); sums over batch entries in a last launch, in order.
//
// Work: some 22 flops and two exponentials a step and state, 7 more on the gates of a step and channel. Bytes: every tensor once, u, delta and B
// twice, and N / 4 words a step and channel that the states take, written and read (N / 2 beyond 128 states). dB and dC: an addition in fp32 a step and
// state for every 32 channels (4 to 64), where upstream's kernel has one a channel. Error against fp64: as the forward pass', twice. Bits: dB's and dC's
// depend on which block comes first, where a group has several; selective_bwd_ordered_cuda's do not.
//
// Right choice: where B C N is some 64,000 and more. Preconditions: N <= 256; B L C N / 4 bytes of memory for the states.
#include "kernels/kernel.hpp"
#include "kernels/scan/selective_back_device.hpp"
#include "kernels/scan/selective_device.hpp"

namespace bench::scan {
namespace {

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) { return prepare_selective_back(Meeting::as_they_come, problem, tensors); }
void run(const Problem& problem, Tensors&, Context& context) { run_selective_back(problem, context); }

const Registrar<Kernel> registrar{{
    .name = "scan/selective_bwd_cuda",
    .op = "selective",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .passes = {"bwd"},
    .about = "backward, states again from those before every 16th step; dB and dC reduced in a block, then added in fp32",
    .supports = takes_selective,
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
