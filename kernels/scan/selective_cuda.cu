// SPDX-License-Identifier: Apache-2.0
// selective_cuda: Mamba-1's selective scan on a GPU, step after step, B and C read once for all channels of a block.
//
// u delta z (B, L, C), B C (B, L, G, N), A (C, N), D delta_bias (C), h0 (B, C, N) -> out (B, L, C) in fp32, bf16 or fp16, h_last (B, C, N) in fp32.
// Formulas: selective.hpp. Algorithm, lanes and layouts: selective_walk.hpp. Two shapes of lanes up to 16 states: eight states a lane (and two
// channels, from 9 states on) where that gives two blocks for every place of the device, else four; a channel's states meet by shuffles.
//
// Work: 6 flops and an exponential (ex2.approx, log2(e) folded into A) a step and state, two more with two reciprocals a step and channel: the special
// function unit binds it from some four states on, 16 results a clock and SM. Bytes: u, delta, z and out once; B and C once a block of 32 to
// 128 channels, mostly from L2. Error against fp64: two ulp of the exponential a step, over as many steps as a state remembers, and the
// output's rounding. Bits depend on neither chance nor device up to the choice of lanes.
//
// Right choice: where B C N is some 64,000 and more. Wrong for one short batch of few channels: selective_chunked_cuda. Preconditions: N <= 256; rows
// of u and B that are no multiple of 16 bytes are read element by element.
#include "kernels/scan/selective_walker.cuh"

namespace bench::scan {
namespace {

struct Bodies {
  template <class T, class Shape>
  using Of = SelectiveWalk<cuda::Machine, T, Shape, Walk::output>;
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const bool dense = dense_fills(kWriteOutputs, p);
  kWriteOutputs.slots(p, dense);
  return std::make_unique<SelectiveOnDevice>(p, tensors, ChunkPlan{1, round_up(p.seq, kStartBits)}, dense);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& on_device = static_cast<const SelectiveOnDevice&>(*context.prepared);
  kWriteOutputs.launch(problem_as<SelectiveProblem>(problem), on_device.dense(), on_device.job(), context.stream);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_cuda",
    .op = "selective",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "states in registers, step after step; tiles of B and C shared by a block's channels",
    .supports = takes_selective,
    .prepare = prepare,
    .run = run,
}};

}  // namespace

const Walker kWriteOutputs = walker_of<Bodies>();

}  // namespace bench::scan
