// SPDX-License-Identifier: Apache-2.0
// ssd_chunked_cpu: Mamba-2's scan in chunks of 64 steps with the decays taken out of the steps; lanes are
// elements of a head, threads take (batch entry, head) pairs, and strips of a head's elements when pairs are
// few.
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
// Work: 4 B L H P N FLOPs on the multiply-add ports, which bind. Memory traffic is near the least: B and C
// are read once a head, from the caches.
//
// Error against fp64: some 10 eps of the state's type. Independent of the number of threads, bit for bit.
//
// Right choice: always, on x86 with AVX2 or AVX-512; elsewhere the same code in the compiler's generic
// vectors. Wrong: for B H P / 32 < threads, as time is not cut; and for strong decays at every step (d |A| >
// 4 or so), whose blocks are short and load and store the state too often.
#include <omp.h>

#include <algorithm>
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/ssd.hpp"
#include "kernels/scan/ssd_tile.hpp"

namespace bench::scan {
namespace {

/// Strips per head: as many as kSsdElements asks for, more while threads would go without.
std::int64_t strips_of(const SsdProblem& p) {
  const std::int64_t fewest = ceil_div(p.head_dim, kSsdElements), most = ceil_div(p.head_dim, kSsdGrain);
  return std::clamp(ceil_div(p.threads, p.batch * p.heads), fewest, most);
}

/// Workspace: a scratch per thread.
std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<SsdProblem>(problem);
  return p.threads * ssd_scratch(p.state) * size_of(state_dtype(p.dtype));
}

template <class T>
void scan_heads(const SsdProblem& p, Tensors& tensors, Context& context) {
  using S = StateOf<T>;
  const SsdViews<T> views(tensors);
  const std::int64_t strips = strips_of(p), scratch = ssd_scratch(p.state);
  S* const state = tensors["h_last"].as<S>();
  S* const workspace = reinterpret_cast<S*>(context.workspace.data());
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(dynamic)
  for (std::int64_t job = 0; job < p.batch * p.heads * strips; ++job) {
    const std::int64_t head = job / strips;  // of all entries
    const SsdStrip strip{head / p.heads, head % p.heads,
                         part_of(p.head_dim, kSsdGrain, strips, job % strips)};
    scan_ssd_strip<T>(views, strip, state + head * p.head_states(),
                      workspace + omp_get_thread_num() * scratch);
  }
}

void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SsdProblem>(problem);
  std::memcpy(tensors["h_last"].data(), tensors["h0"].data(),
              static_cast<std::size_t>(tensors["h0"].bytes()));
  dispatch(p.dtype, [&]<class T>() { scan_heads<T>(p, tensors, context); });
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
