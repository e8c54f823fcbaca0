// SPDX-License-Identifier: Apache-2.0
// How a block of a device brings the selective scan's tensors to its shared memory, a tile of steps at a time, two tiles in turn: rows of a block's channels
// of (B, L, C) tensors and rows of a group's states of (B, L, G, N) tensors, each element once for all of the block's channels.
#pragma once

#include <cstdint>

#include "kernels/cuda/lanes.hpp"
#include "kernels/scan/selective_job.hpp"

namespace bench::scan {

/// A place of shared memory for two of them. One tile: kColumns tensors (kSteps, kChannels), then kMixers tensors (kSteps, kStates), in T.
template <class M, class T, int kThreads, int kSteps, int kChannels, int kStates, int kColumns, int kMixers>
class SelectiveTiles {
  static constexpr int kSize = static_cast<int>(sizeof(T)), kEach = 16 / kSize;  // elements of a 16-byte piece
  static constexpr int kColumn = kSteps * kChannels, kMixer = kSteps * kStates, kTile = kColumns * kColumn + kMixers * kMixer;
  static_assert(kStates % kEach == 0 && kStartBits % kSteps == 0);

 public:
  static constexpr int kBytes = 2 * kTile * kSize;

  BS_DEVICE static T* column(std::uint32_t shared, int tile, int which) { return at(shared, tile, which * kColumn); }
  BS_DEVICE static T* mixer(std::uint32_t shared, int tile, int which) { return at(shared, tile, kColumns * kColumn + which * kMixer); }

  /// Asks for the steps from `first` on, zeros behind the part's end; they are there after wait() and sync(). Tensors whose rows are not whole pieces come
  /// element by element, at once.
  BS_DEVICE static void fetch(std::uint32_t shared, const SelectiveJob& job, const SelectivePart& part, int tile, std::int64_t first, const void* const (&columns)[kColumns],
                              const void* const (&mixers)[kMixers]) {
    const auto left = static_cast<int>(part.end - first < kSteps ? part.end - first : kSteps);
    const std::int64_t row = job.row(part.entry, first), pitch = static_cast<std::int64_t>(job.groups) * job.state;
    BS_UNROLL
    for (int i = 0; i < kColumns; ++i)
      rows<kChannels>(shared + (tile * kTile + i * kColumn) * kSize, static_cast<const T*>(columns[i]) + row * job.channels + part.channel, job.channels, left, part.count,
                      kChannels % kEach == 0 && job.group_channels() % kEach == 0);
    BS_UNROLL
    for (int i = 0; i < kMixers; ++i)
      rows<kStates>(shared + (tile * kTile + kColumns * kColumn + i * kMixer) * kSize, static_cast<const T*>(mixers[i]) + row * pitch + static_cast<std::int64_t>(part.group) * job.state, pitch, left,
                    job.state, job.state % kEach == 0);
    M::commit();
  }

 private:
  BS_DEVICE static T* at(std::uint32_t shared, int tile, int element) { return reinterpret_cast<T*>(M::shared_place(shared + (tile * kTile + element) * kSize)); }

  /// kSteps rows of kWidth elements; zeros behind the first `left` rows and their first `count` elements.
  template <int kWidth>
  BS_DEVICE static void rows(std::uint32_t to, const T* from, std::int64_t pitch, int left, int count, bool whole) {
    if constexpr (kWidth % kEach == 0) {
      constexpr int kPieces = kWidth / kEach;
      if (whole) {
        BS_UNROLL_BY(4)
        for (int i = M::thread(); i < kSteps * kPieces; i += kThreads) {
          const int row = i / kPieces, element = i % kPieces * kEach;
          M::copy16(to + i * 16, from + row * pitch + element, row < left && element < count);
        }
        return;
      }
    }
    T* const place = reinterpret_cast<T*>(M::shared_place(to));
    for (int i = M::thread(); i < kSteps * kWidth; i += kThreads) {
      const int row = i / kWidth, element = i % kWidth;
      place[i] = row < left && element < count ? from[row * pitch + element] : T{};
    }
  }
};

}  // namespace bench::scan
