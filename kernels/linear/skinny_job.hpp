// SPDX-License-Identifier: Apache-2.0
// What a device's kernels for few rows of x are told, and how they cut a layer among blocks: over its outputs, over x's rows where those are many, and over K where
// that leaves much of the device idle. Pure, so that it is tested with no device.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/linear/finish.hpp"
#include "kernels/linear/linear.hpp"
#include "kernels/linear/packets.hpp"
#include "kernels/rounding.hpp"

namespace bench::linear {

struct SkinnyJob {
  const void* x;
  void* y;
  const void* packets;
  const void* scales;          // int4: with zero points, by group; int8: those of Finish
  float* parts;                // (splits, M, N), where there is more than one split
  std::uint32_t* arrived;      // one a tile of y; 0 before and after
  int m, n, k;
  int chunks, groups;          // of packets.hpp
  int group_bits;              // log2 of the inputs that share a scale
  int splits, chunks_each;     // of K
  Norm norm;
  Finish finish;
};

struct SkinnyPlan {
  std::int64_t splits = 1, chunks_each = 1;
};

inline constexpr int kSkinnyWarps = 8;  // a block's, which take turns at the packets of a split

/// `tiles` tiles of y on a device that shall have `wanted` blocks: as many splits as still leave a packet to each warp, no more than fill the device once, and at least
/// so many that none has more than `most` packets along K (as much of x as shared memory holds).
inline SkinnyPlan plan_skinny(std::int64_t tiles, std::int64_t chunks, std::int64_t wanted, std::int64_t most) {
  const std::int64_t useful = std::clamp<std::int64_t>(wanted / tiles, 1, ceil_div(chunks, kSkinnyWarps));
  const std::int64_t each = std::min(ceil_div(chunks, useful), most);
  return {ceil_div(chunks, each), each};
}

/// The job without what lies on a device.
inline SkinnyJob skinny_job(const LinearProblem& p, const CodePackets& packets, const SkinnyPlan& plan) {
  SkinnyJob job{};
  job.m = static_cast<int>(p.m);
  job.n = static_cast<int>(p.n);
  job.k = static_cast<int>(p.k);
  job.chunks = static_cast<int>(packets.chunks);
  job.groups = static_cast<int>(packets.groups);
  for (std::int64_t group = p.recipe.group; group > 1; group /= 2) ++job.group_bits;
  job.splits = static_cast<int>(plan.splits);
  job.chunks_each = static_cast<int>(plan.chunks_each);
  job.norm = p.norm;
  job.finish.activation = p.activation;
  return job;
}

}  // namespace bench::linear
