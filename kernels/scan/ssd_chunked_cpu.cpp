// SPDX-License-Identifier: Apache-2.0
// ssd_chunked_cpu: Mamba-2's scan in chunks of 64 steps with the decays taken out of the steps; lanes are
// elements of a head, threads take runs of heads of one group and batch entry, and strips of a head's
// elements when heads are few.
//
// Shapes: x, out (B, L, H, P); dt (B, L, H); A, D, dt_bias (H); B, C (B, L, G, N); h0, h_last (B, H, P, N).
// Formulas in ssd.hpp.
//
// Algorithm: see ssd_stages.hpp for one chunk and ssd_decay.hpp for the decays. Inside a block of steps x is
// multiplied with exp(-s) and y with exp(s), s the block's sum of d A, so that the masked product (C B^T o
// decay) x and the pass over the chunks' states collapse into h += x B, y += h C on registers. That takes 4 P
// N FLOPs a head and step, where the form with Q x Q products takes (Q + 4 N) P + Q N G / H; as prototypes in
// fp32 the latter was a sixth slower.
//
// Work: 4 B L H P N FLOPs on the multiply-add ports, which bind. Memory traffic is near the least: a chunk of
// B and C is packed once for a thread's heads, whose states stay in L2 (32 KB a head at P = 64, N = 128).
//
// Error against fp64: some 10 eps of the state's type. Independent of the number of threads, bit for bit.
//
// Right choice: always, on x86 with AVX2 or AVX-512; elsewhere the same code in the compiler's generic
// vectors. Wrong: for B H P / 32 < threads, as time is not cut; and for strong decays at every step (d |A| >
// 4 or so), whose blocks are short and load and store the state too often.
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/ssd_heads.hpp"

namespace bench::scan {
namespace {

std::int64_t workspace_bytes(const Problem& problem) {
  return ssd_heads_bytes(problem_as<SsdProblem>(problem));
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SsdProblem>(problem);
  Tensor& state = tensors["h_last"];
  std::memcpy(state.data(), tensors["h0"].data(), static_cast<std::size_t>(state.bytes()));
  dispatch(p.dtype, [&]<class T>() {
    scan_ssd_heads(p, SsdViews<T>(p, tensors), state.as<StateOf<T>>(), context.workspace.data());
  });
}

const Registrar<Kernel> registrar{{
    .name = "scan/ssd_chunked_cpu",
    .op = "ssd",
    .backend = Backend::cpu,
    .dtypes = {DType::f64, DType::f32, DType::bf16, DType::f16},
    .about = "vector lanes = elements of a head, state in registers, decays factored out per block",
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
