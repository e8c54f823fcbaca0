// SPDX-License-Identifier: Apache-2.0
// selective_chunked_cuda: Mamba-1's selective scan on a GPU with the steps cut into chunks, for problems whose channels do not fill the device.
//
// u delta z (B, L, C), B C (B, L, G, N), A (C, N), D delta_bias (C), h0 (B, C, N) -> out (B, L, C) in fp32, bf16 or fp16, h_last (B, C, N) in fp32.
// Algorithm: three launches. Each chunk but the last from zero, without outputs: the state that it leaves and its sum of d, as the decay over a chunk is
// exp(A sum d) (kLeaveCarries). The states that the chunks find, chunk after chunk (SelectiveCombine). All chunks with outputs, as selective_cuda
// (selective_walk.hpp). Chunks: as many as the device runs at once, 64 steps at least (plan_chunks).
//
// Work: twice the exponentials and some 10 flops a step and state; bytes: u, delta and B twice, and per chunk and channel N + 1 words that are written, and N
// that are read and written again. Error against fp64 as selective_cuda's. Bits depend on the number of chunks, hence on the device, but not on chance.
//
// Right choice: a few batch entries of a few thousand channels, long. Wrong where selective_cuda fills the device: it has half the work. Where there is
// no use for chunks there is one, and this is selective_cuda. Preconditions: N <= 256.
#include "kernels/scan/selective_walker.cuh"

namespace bench::scan {
namespace {

struct Bodies {
  template <class T, class Shape>
  using Of = SelectiveWalk<cuda::Machine, T, Shape, Walk::carry>;
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const auto cut = [&](bool dense) { return plan_chunks(kWriteOutputs.blocks(p, dense), p.seq, kWriteOutputs.slots(p, dense)); };
  const bool dense = cut(true).chunks > 1;
  kLeaveCarries.slots(p, dense);
  return std::make_unique<SelectiveOnDevice>(p, tensors, cut(dense), dense);
}

void run(const Problem& problem, Tensors&, Context& context) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const auto& on_device = static_cast<const SelectiveOnDevice&>(*context.prepared);
  if (on_device.job().chunks > 1) {
    kLeaveCarries.launch(p, on_device.dense(), on_device.job(), context.stream);
    launch_combine(on_device.job(), context.stream);
  }
  kWriteOutputs.launch(p, on_device.dense(), on_device.job(), context.stream);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chunked_cuda",
    .op = "selective",
    .backend = Backend::cuda,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "steps in chunks: what each leaves, their combination, then all outputs; the same bits in every run",
    .supports = takes_selective,
    .prepare = prepare,
    .run = run,
}};

}  // namespace

const Walker kLeaveCarries = walker_of<Bodies>();

}  // namespace bench::scan
