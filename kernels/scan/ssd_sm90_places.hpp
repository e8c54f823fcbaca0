// SPDX-License-Identifier: Apache-2.0
// What a launch of Mamba-2's scan on Hopper (ssd_fused_sm90.hpp) is told, what each of its blocks is about, and where things lie in a block's shared memory.
#pragma once

#include <cstdint>

#include "kernels/cuda/tile_ring.hpp"
#include "kernels/scan/ssd_steps.hpp"

namespace bench::scan {

inline constexpr int kSm90Steps = 128, kSm90Half = 64;  // of a chunk, and of the rows that a warpgroup multiplies at once
inline constexpr int kSm90Elements = 64;                // of a head, a part

/// The tensors as the copy engine knows them: x (B, L, H, P) and b (B, L, G, N) in boxes of kSm90Steps steps, c (B, L, G, N) in boxes of kSm90Half; 64 columns each.
/// What lies outside is zero: steps behind the last one, elements behind a head's, states behind N.
template <class M>
struct SsdSm90Job : SsdJob {
  typename M::TensorMap x_map, b_map, c_map;
};

/// Neighbouring parts of heads that share B and C: `count` of them, kParts or what a group has left.
template <int kParts>
struct SsdSm90Block {
  int first, count;

  BS_HOST_DEVICE SsdSm90Block(const SsdJob& job, int block) {
    const int within = block % of_group(job) * kParts, left = parts_of_group(job) - within;
    first = block / of_group(job) * parts_of_group(job) + within;
    count = left < kParts ? left : kParts;
  }
  BS_HOST_DEVICE static int blocks(const SsdJob& job) { return job.batch * job.groups * of_group(job); }
  BS_HOST_DEVICE SsdPlace part(const SsdJob& job, int i) const { return SsdPlace(job, first + i, kSm90Elements); }

 private:
  BS_HOST_DEVICE static int parts_of_group(const SsdJob& job) { return job.heads / job.groups * job.parts(kSm90Elements); }
  BS_HOST_DEVICE static int of_group(const SsdJob& job) { return (parts_of_group(job) + kParts - 1) / kParts; }
};

/// Rings of B, x (of all parts) and C (halves of a chunk), the states rounded, rings of the parts' decays, barriers.
template <class M, int kParts, int kStates>
struct SsdSm90Places {
  static constexpr int kPartBytes = cuda::tile_bytes(kSm90Steps, kSm90Elements), kStateBytes = cuda::tile_bytes(kSm90Elements, kStates);
  using Wide = cuda::TileRing<M, cuda::tile_bytes(kSm90Steps, kStates), 2>;
  using Narrow = cuda::TileRing<M, kParts * kPartBytes, 2>;
  using Halves = cuda::TileRing<M, cuda::tile_bytes(kSm90Half, kStates), (kStates > 64 ? 2 : 4)>;
  using Decays = cuda::TileRing<M, SsdScales<kSm90Steps>::kFloats * 4, 2>;

  static constexpr int kXAt = Wide::kAllBytes, kCAt = kXAt + Narrow::kAllBytes, kStateAt = kCAt + Halves::kAllBytes, kDecaysAt = kStateAt + kParts * kStateBytes;
  static constexpr int kBarriersAt = kDecaysAt + kParts * Decays::kAllBytes;
  static constexpr int kBytes = kBarriersAt + Wide::kBarrierBytes + Narrow::kBarrierBytes + Halves::kBarrierBytes + kParts * Decays::kBarrierBytes;
  static_assert(kBytes + cuda::kTileAlignment_bytes <= 227 << 10 && kBarriersAt % 8 == 0);

  std::uint32_t shared;

  BS_DEVICE Wide b() const { return {shared, shared + kBarriersAt}; }
  BS_DEVICE Narrow x() const { return {shared + kXAt, b().barriers + Wide::kBarrierBytes}; }
  BS_DEVICE Halves c() const { return {shared + kCAt, x().barriers + Narrow::kBarrierBytes}; }
  BS_DEVICE Decays decays(int part) const {
    return {shared + kDecaysAt + part * Decays::kAllBytes, c().barriers + Halves::kBarrierBytes + part * Decays::kBarrierBytes};
  }
  BS_DEVICE std::uint32_t state(int part) const { return shared + kStateAt + part * kStateBytes; }

  BS_DEVICE static SsdScales<kSm90Steps> scales(const Decays& decays, int chunk) { return {reinterpret_cast<float*>(M::shared_place(decays.tile(chunk)))}; }

  /// By one thread, for a block of `parts` parts: a warpgroup each reads, a warp each makes the decays.
  BS_DEVICE void start_barriers(int parts) const {
    b().start(1, 4 * parts);
    x().start(1, 4 * parts);
    c().start(1, 4 * parts);
    for (int part = 0; part < parts; ++part) decays(part).start(32, 4);
    M::publish_barriers();
  }
};

}  // namespace bench::scan
