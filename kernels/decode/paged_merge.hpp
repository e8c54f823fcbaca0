// SPDX-License-Identifier: Apache-2.0
// How softmax states over disjoint tokens become one, twice: those of a block's teams of threads through shared memory, and those of a sequence's spans
// through global memory. Shared by all of a device's decode kernels; order is ascending, so that bits depend on the cut alone.
#pragma once

#include "kernels/decode/paged_job.hpp"

namespace bench::decode {

/// The states of kTeams teams, kRows heads each, in shared memory: out (teams, rows, kPitch), unnormalised, and most and sum (teams, rows), scores in
/// units of log2.
template <class M, class T, int kTeams, int kRows, int kDim, int kThreads>
struct TeamStates {
  static constexpr int kPitch = kDim + 8;  // eight rows that a warp writes together lie in banks of their own
  static constexpr int kBytes = kTeams * kRows * (kPitch + 2) * 4;

  BS_DEVICE static float* out(int team, int row) { return M::shared_floats() + (team * kRows + row) * kPitch; }
  BS_DEVICE static float* most(int team, int row) { return M::shared_floats() + kTeams * kRows * kPitch + team * kRows + row; }
  BS_DEVICE static float* sum(int team, int row) { return most(team, row) + kTeams * kRows; }

  /// Once all states are there: the part's answer, or that of its whole sequence where it is the only one.
  BS_DEVICE static void merge(const PagedJob& job, const PagedPart& part) {
    for (int i = M::thread(); i < part.rows * kDim; i += kThreads) {
      const int row = i / kDim, d = i % kDim;
      float highest = kNoScore, total = 0.0F, value = 0.0F;
      for (int t = 0; t < kTeams; ++t) highest = fmaxf(highest, *most(t, row));
      for (int t = 0; t < kTeams; ++t) {
        const float weight = weight_of<M>(*most(t, row), highest);
        total += weight * *sum(t, row);
        value += weight * out(t, row)[d];
      }
      const bool any = total > 0.0F;
      if (d < job.head_dim) leave(job, part, row, d, any ? value / total : 0.0F, any ? highest * kLn2 + M::log(total) : kNoScore);
    }
  }

 private:
  BS_DEVICE static void leave(const PagedJob& job, const PagedPart& part, int row, int d, float value, float lse) {
    const std::int64_t at = static_cast<std::int64_t>(part.sequence) * job.heads + part.head + row;
    if (part.splits == 1) {
      static_cast<T*>(job.out)[at * job.head_dim + d] = M::template round<T>(value);
      if (d == 0) job.lse[at] = lse;
      return;
    }
    const std::int64_t partial = at * job.splits + part.split;
    job.part_out[partial * job.head_dim + d] = value;
    if (d == 0) job.part_lse[partial] = lse;
  }
};

/// One row of (B, H): its sequence's spans, weighed by their softmax sums.
template <class M, class T>
struct PagedMerge {
  static constexpr int kThreads = 128;

  static BS_DEVICE void run(const PagedJob& job) {
    constexpr float kPerLn2 = 1.0F / kLn2;
    const std::int64_t row = M::block();
    const int splits = job.splits_of(M::block() / job.heads);
    if (splits == 1) return;  // its block has left the answer
    const float* lse = job.part_lse + row * job.splits;
    float most = kNoScore, sum = 0.0F;
    for (int s = 0; s < splits; ++s) most = fmaxf(most, lse[s]);
    for (int s = 0; s < splits; ++s) sum += weight_of<M>(lse[s] * kPerLn2, most * kPerLn2);
    for (int d = M::thread(); d < job.head_dim; d += kThreads) {
      float out = 0.0F;
      for (int s = 0; s < splits; ++s)
        out += weight_of<M>(lse[s] * kPerLn2, most * kPerLn2) * job.part_out[(row * job.splits + s) * job.head_dim + d];
      static_cast<T*>(job.out)[row * job.head_dim + d] = M::template round<T>(out / sum);
    }
    if (M::thread() == 0) job.lse[row] = most + M::log(sum);
  }
};

}  // namespace bench::decode
