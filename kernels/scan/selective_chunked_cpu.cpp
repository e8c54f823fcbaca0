// SPDX-License-Identifier: Apache-2.0
// selective_chunked_cpu: the selective scan in strips of up to 1024 channels, 16 channels a vector, with its own
// exponential; threads take strips, and chunks of time when strips are too few.
//
// Shapes: u, delta, z, out (B, L, C); A (C, N); B, C (B, L, G, N); D, delta_bias (C); h0, h_last (B, C, N).
// Formulas in selective.hpp.
//
// Algorithm: see selective_stages.hpp for one strip. Threads share out (batch entry, strip) pairs, narrowing
// strips down to 32 channels for enough of them. If that does not do, time is cut: pass 1 finds each chunk's
// carry (sum d, end state from zero), a serial sweep turns them into start states, h = exp(A sum d) h + end,
// and pass 2 scans every chunk. That doubles the exponentials, so it comes last.
//
// Work: 6 B L C N FLOPs and B L C (N + 4) exponentials by a degree-5 polynomial of relative error 2e-7, all
// on the multiply-add ports: 13 operations per 16 states, and 55 per 16 channels and step for softplus and gate. Memory traffic is the least, far from binding for N
// >= 4.
//
// Error against fp64: some 10 eps of fp32; decays below 2^-126 count as 2^-126.
//
// Right choice: always, on x86 with AVX2 or AVX-512; elsewhere the same code in the compiler's generic
// vectors. Precondition: N <= 256.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/kernel.hpp"
#include "kernels/scan/selective.hpp"
#include "kernels/scan/selective_tile.hpp"

namespace bench::scan {
namespace {

constexpr std::int64_t kShortestChunk = 64;  // steps; below, packing the states costs more than the chunk

/// How threads cut the work.
struct Split {
  std::int64_t width = 0;   // channels of a strip
  std::int64_t chunks = 1;  // of time
};

Split choose_split(const SelectiveProblem& p) {
  const auto strips = [&](std::int64_t width) {
    return p.batch * p.groups * ceil_div(p.group_channels(), width);
  };
  Split split{strip_width(p), 1};
  if (strips(split.width) >= p.threads) return split;
  split.width = widest_strip(p.state);
  split.chunks =
      std::clamp<std::int64_t>(p.seq / kShortestChunk, 1, ceil_div(p.threads, strips(split.width)));
  return split;
}

/// Workspace, when time is cut: per chunk but the last the carry of every batch entry: delta sums (B, C) and
/// states (B, C, N).
std::int64_t workspace_bytes(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const std::int64_t floats = (choose_split(p).chunks - 1) * p.batch * p.channels * (p.state + 1);
  return floats * static_cast<std::int64_t>(sizeof(float));
}

std::string supports(const Problem& problem) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  if (p.state > kMaxStates)
    return concat("state = ", p.state, " is more than the ", kMaxStates, " this kernel holds");
  return needs_plain_mixers(p);
}

/// The carries of chunk k: where its delta sums and its states lie in the workspace.
struct Carries {
  float* floats;
  std::int64_t states, per_chunk;  // B C N, B C (N + 1)
  float* h(std::int64_t k) const { return floats + k * per_chunk; }
  float* delta_sum(std::int64_t k) const { return h(k) + states; }
};

/// Passes 1 and the sweep: afterwards carries.h(k) is the state after chunk k, for all chunks but the last.
void find_carries(const SelectiveProblem& p, const SelectiveShare& share, const Split& split, const float* h0,
                  const Carries& carries) {
  const std::int64_t strips = p.batch * strips_per_entry(share, split.width);
  std::fill_n(carries.floats, (split.chunks - 1) * carries.per_chunk, 0.0F);
  std::memcpy(carries.h(0), h0,
              static_cast<std::size_t>(carries.states) * sizeof(float));  // the first chunk's start is known
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(dynamic)
  for (std::int64_t job = 0; job < (split.chunks - 1) * strips; ++job) {
    const std::int64_t k = job / strips;
    const Strip strip = strip_at(share, split.width, job % strips);
    carry_strip(share, strip, part_of(p.seq, 1, split.chunks, k),
                carries.delta_sum(k) + strip.entry * p.channels,
                carries.h(k) + strip.entry * p.channels * p.state);
  }
  for (std::int64_t k = 1; k < split.chunks - 1; ++k)
    for (std::int64_t i = 0; i < p.batch; ++i)
      apply_carry(share.a, p.channels, p.state, carries.delta_sum(k) + i * p.channels,
                  carries.h(k - 1) + i * p.channels * p.state, carries.h(k) + i * p.channels * p.state);
}

/// The state buffer that chunk k starts from and ends in. Chunk k overwrites its start, the carry of chunk k
/// - 1, which nobody else reads; the last one ends in h_last.
void run(const Problem& problem, Tensors& tensors, Context& context) {
  const auto& p = problem_as<SelectiveProblem>(problem);
  const SelectiveShare share = make_share(p, tensors);
  const Split split = choose_split(p);
  float* h_last = tensors["h_last"].as<float>();
  const auto state_bytes = static_cast<std::size_t>(tensors["h0"].bytes());
  const std::int64_t states = p.batch * p.channels * p.state;
  const Carries carries{reinterpret_cast<float*>(context.workspace.data()), states,
                        states + p.batch * p.channels};
  std::memcpy(h_last, tensors["h0"].data(), state_bytes);
  if (split.chunks > 1) find_carries(p, share, split, h_last, carries);
  const std::int64_t strips = p.batch * strips_per_entry(share, split.width);
#pragma omp parallel for num_threads(static_cast <int>(p.threads)) schedule(dynamic)
  for (std::int64_t job = 0; job < split.chunks * strips; ++job) {
    const std::int64_t k = job / strips;
    const Strip strip = strip_at(share, split.width, job % strips);
    float* h = k == 0 ? h_last : carries.h(k - 1);
    scan_strip(share, strip, part_of(p.seq, 1, split.chunks, k), h + strip.entry * p.channels * p.state);
  }
  if (split.chunks > 1) std::memcpy(h_last, carries.h(split.chunks - 2), state_bytes);
}

const Registrar<Kernel> registrar{{
    .name = "scan/selective_chunked_cpu",
    .op = "selective",
    .backend = Backend::cpu,
    .dtypes = {DType::f32, DType::bf16, DType::f16},
    .about = "vector lanes = channels, states in registers, own exponential; threads over strips, then time",
    .supports = supports,
    .workspace_bytes = workspace_bytes,
    .run = run,
}};

}  // namespace
}  // namespace bench::scan
