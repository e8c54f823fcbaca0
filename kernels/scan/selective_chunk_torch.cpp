// SPDX-License-Identifier: Apache-2.0
// selective_chunk_torch: the selective scan as LibTorch operations on chunks of 16 steps.
//
// Shapes: u, delta, z, out (B, L, C); A (C, N); B, C (B, L, G, N); D, delta_bias (C); h0, h_last (B, C, N).
// Formulas in selective.hpp. fp32 and fp64: the state has the tensors' type.
//
// Algorithm: per chunk of T = 16 steps the decays exp(d A) and the inputs d u B as (T, B, G, N, C / G), into
// buffers that stay; then one in-place addcmul a step, h_t = x_t += decay_t h_{t-1}, over contiguous blocks;
// then all sums over n of the chunk as one batched product (1, N) (N, C / G). Softplus, skip and gate are
// whole-tensor operations. Buffers and the slices of the loop are made in prepare.
//
// Work: 6 B L C N FLOPs, B L C (N + 4) exponentials (LibTorch's vectorised exp). Bytes: the chunk's decays and
// states (8 T B C N) are written and read twice, in the outer caches.
//
// Error against fp64: as the sequential kernel.
//
// Right choice: as the strongest form that a LibTorch user can write. T of 16, 32, 64 and 256 compared on one
// core with 2 MB of L2 at C 1024, N 16: 16 was fastest, 64 some 4 % slower, 256 some 40 %.
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <vector>

#include "kernels/kernel.hpp"
#include "kernels/scan/selective_torch.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kChunk = 16;

struct Buffers : Prepared {
  at::Tensor decay, states;                             // (T, B, G, N, Cg)
  std::vector<at::Tensor> decay_of_step, state_of_step;  // their slices
  at::Tensor h;                                         // (B, G, N, Cg): between chunks
};

std::unique_ptr<Prepared> prepare(const Problem& problem, Tensors& tensors, Context&) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const c10::InferenceMode inference;
  auto buffers = std::make_unique<Buffers>();
  const auto options = as_torch(tensors["u"]).options();
  const std::int64_t steps = std::min(kChunk, p.seq);
  buffers->decay = at::empty({steps, p.batch, p.groups, p.state, p.group_channels()}, options);
  buffers->states = at::empty_like(buffers->decay);
  buffers->decay_of_step = buffers->decay.unbind(0);
  buffers->state_of_step = buffers->states.unbind(0);
  buffers->h = at::empty({p.batch, p.groups, p.state, p.group_channels()}, options);
  return buffers;
}

/// Steps [t, t + steps); d, du and y are (L, B, G, Cg).
void scan_chunk(const SelectiveTorch& in, Buffers& room, std::int64_t t, std::int64_t steps,
                const at::Tensor& d, const at::Tensor& du, at::Tensor& y) {
  at::Tensor decay = room.decay.narrow(0, 0, steps), states = room.states.narrow(0, 0, steps);
  at::mul_out(decay, d.narrow(0, t, steps).unsqueeze(-2), in.a);
  decay.exp_();
  at::mul_out(states, du.narrow(0, t, steps).unsqueeze(-2), in.b.narrow(0, t, steps).unsqueeze(-1));
  const at::Tensor* before = &room.h;
  for (std::size_t i = 0; i < static_cast<std::size_t>(steps); ++i) {
    room.state_of_step[i].addcmul_(room.decay_of_step[i], *before);
    before = &room.state_of_step[i];
  }
  room.h.copy_(*before);
  at::Tensor sums = y.narrow(0, t, steps).unsqueeze(-2);  // (T, B, G, 1, Cg)
  at::matmul_out(sums, in.c.narrow(0, t, steps).unsqueeze(-2), states);
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const c10::InferenceMode inference;
  use_threads(p.threads);
  auto& room = static_cast<Buffers&>(*context.prepared);
  SelectiveTorch in(p, tensors);
  const at::Tensor d = at::softplus((in.delta + in.bias).contiguous());
  const at::Tensor du = d * in.u;
  at::Tensor y = at::empty_like(d, d.options(), at::MemoryFormat::Contiguous);
  room.h.copy_(in.h0);
  for (Range chunk{}; chunk.end < p.seq;) {
    chunk = p.segments().piece_at(chunk.end, p.seq, kChunk);
    if (p.segments().start_at(chunk.begin)) room.h.zero_();
    scan_chunk(in, room, chunk.begin, chunk.size(), d, du, y);
  }
  y.addcmul_(in.u, in.skip);
  at::mul_out(in.out, y, at::silu(in.z));
  states_first(as_torch(tensors["h_last"]), p.groups).copy_(room.h);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chunk_torch",
    .op = "selective",
    .backend = Backend::torch,
    .dtypes = {DType::f64, DType::f32},
    .about = "LibTorch, chunks of 16 steps: in-place addcmul a step, one bmm a chunk",
    .prepare = prepare,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
