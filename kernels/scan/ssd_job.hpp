// SPDX-License-Identifier: Apache-2.0
// What a launch of the ssd op's kernels on a device is told, and how blocks share it: some elements of one head of one batch entry.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/cuda/lanes.hpp"
#include "kernels/scan/lane_gates.hpp"
#include "kernels/scan/ssd.hpp"

namespace bench::scan {

/// The tensors of ssd.hpp. Whoever has them sets the pointers.
struct SsdJob {
  const void *x, *z, *dt, *b, *c;  // z: null where nothing is gated
  const float *a, *skip, *bias, *h0;
  const std::int32_t* first;  // (L) the first step of the sequence that a step belongs to, -1 in the first one; null: one sequence
  void* out;
  float* h_last;
  const void* dout;      // of a backward pass: out is dz then; null otherwise
  float *states, *keep;  // (chunks, B, H, P, N), (chunks, B, H): what kernels that cut time leave each other
  float low, high;       // of d
  int batch, seq, heads, head_dim, state, groups;
  int head0, launch_heads;  // of all entries: those that a launch is about, where time is cut

  BS_HOST_DEVICE int chunks(int steps) const { return (seq + steps - 1) / steps; }
  BS_HOST_DEVICE int parts(int elements) const { return (head_dim + elements - 1) / elements; }
  BS_HOST_DEVICE int all_heads() const { return batch * heads; }
  BS_HOST_DEVICE std::int64_t all_states() const { return static_cast<std::int64_t>(all_heads()) * head_dim * state; }
  /// From a step to the next one in x, z, out, and in B and C.
  BS_HOST_DEVICE int head_pitch() const { return heads * head_dim; }
  BS_HOST_DEVICE int group_pitch() const { return groups * state; }
};

/// The sizes of `p`.
inline SsdJob ssd_job(const SsdProblem& p) {
  const auto small = [](std::int64_t n) { return static_cast<int>(n); };
  SsdJob job{};
  job.low = static_cast<float>(p.limits.low);
  job.high = static_cast<float>(p.limits.high);
  job.batch = small(p.batch);
  job.seq = small(p.seq);
  job.heads = small(p.heads);
  job.head_dim = small(p.head_dim);
  job.state = small(p.state);
  job.groups = small(p.groups);
  job.head0 = 0;
  job.launch_heads = job.all_heads();
  return job;
}

/// What SsdJob::first points to; nothing where the problem has one sequence.
inline std::vector<std::int32_t> firsts_of(const SsdProblem& p) {
  if (p.starts.empty()) return {};
  std::vector<std::int32_t> first(static_cast<std::size_t>(p.seq), -1);
  for (const std::int64_t start : p.starts) std::fill(first.begin() + start, first.end(), static_cast<std::int32_t>(start));
  return first;
}

/// Why a device's kernel does not take a problem's sizes, whatever it does with them; empty when it does.
inline std::string needs_small_indices(const SsdProblem& p) {
  constexpr std::int64_t kMost = std::int64_t{1} << 30;  // blocks of a launch, a row's elements and steps are ints
  if (p.seq > kMost || p.heads * p.head_dim > kMost || p.groups * p.state > kMost || p.batch * p.heads * ceil_div(p.head_dim, 32) > kMost)
    return "this kernel takes up to 2^30 steps, elements a step and heads of all entries";
  return {};
}

/// One block's place: elements element0 .. element0 + elements - 1 of a head.
struct SsdPlace {
  int entry, head, group, element0, elements;

  /// Number `index` of all, `most` elements a block; neighbours read the same B and C.
  BS_HOST_DEVICE SsdPlace(const SsdJob& job, int index, int most) {
    element0 = index % job.parts(most) * most;
    index /= job.parts(most);
    head = index % job.heads;
    entry = index / job.heads;
    group = head / (job.heads / job.groups);
    elements = job.head_dim - element0 < most ? job.head_dim - element0 : most;
  }
  /// Offsets of step t in tensors (B, L, H, P), (B, L, G, N) and (B, L, H).
  BS_HOST_DEVICE std::int64_t of_heads(const SsdJob& job, int t) const {
    return row(job, t) * job.head_pitch() + static_cast<std::int64_t>(head) * job.head_dim + element0;
  }
  BS_HOST_DEVICE std::int64_t of_groups(const SsdJob& job, int t) const { return row(job, t) * job.group_pitch() + group * job.state; }
  BS_HOST_DEVICE std::int64_t of_steps(const SsdJob& job, int t) const { return row(job, t) * job.heads + head; }
  /// Of the first element in a tensor (B, H, P, N).
  BS_HOST_DEVICE std::int64_t of_states(const SsdJob& job) const {
    return ((static_cast<std::int64_t>(entry) * job.heads + head) * job.head_dim + element0) * job.state;
  }

 private:
  BS_HOST_DEVICE std::int64_t row(const SsdJob& job, int t) const { return static_cast<std::int64_t>(entry) * job.seq + t; }
};

/// Which way a pass goes through the steps: states come from the beginning, gradients from the end.
enum class Towards : std::uint8_t { end, begin };

/// Two neighbours in memory, moved together.
struct alignas(8) TwoFloats {
  float x, y;
};

/// d of v = dt + dt_bias, as StepLimits::step has it.
template <class M>
BS_DEVICE float step_of(float v, float low, float high) {
  return fminf(fmaxf(softplus<M>(v), low), high);
}

}  // namespace bench::scan
