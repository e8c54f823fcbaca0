// SPDX-License-Identifier: Apache-2.0
// What a device's kernels of the selective scan are told, and which part of it is a block's: some channels of one group of one batch entry, over one
// chunk of the steps.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/cuda/function.hpp"
#include "kernels/rounding.hpp"
#include "kernels/scan/selective.hpp"

namespace bench::scan {

/// Tensors as selective.hpp has them, at their device's addresses.
struct SelectiveJob {
  const void *u, *delta, *z, *b, *c;
  const float *a, *skip, *bias, *h0;
  void* out;
  float* h_last;
  const std::uint32_t* starts;  // bit t mod 32 of word t / 32: a packed sequence begins at step t; null: one sequence
  float* states;                // (B, chunks, C, N): what a chunk leaves; or before every so many steps, (B, marks, C, N)
  float* delta_sums;            // (B, chunks, C)
  std::int64_t seq, chunk;      // steps in all, and of a chunk
  int batch, channels, state, groups, chunks;
  int last_too;                 // 1: whoever walks from zero leaves what the last chunk leaves as well
  std::int64_t row0, row_end;   // of all entries' channels: those that a launch is about; edges of its blocks

  BS_HOST_DEVICE int group_channels() const { return channels / groups; }
  BS_HOST_DEVICE std::int64_t row(int entry, std::int64_t step) const { return entry * seq + step; }
  BS_HOST_DEVICE std::int64_t marks(int steps) const { return (seq + steps - 1) / steps; }
  /// Of (B, chunks, C): a chunk's first channel.
  BS_HOST_DEVICE std::int64_t chunk_row(int entry, int index) const { return (static_cast<std::int64_t>(entry) * chunks + index) * channels; }
};

inline constexpr std::int64_t kStartBits = 32;  // steps of a word of starts; tiles of steps divide it, chunks are multiples of it

/// The words of SelectiveJob::starts.
inline std::vector<std::uint32_t> start_words(const ScanProblem& p) {
  if (p.starts.empty()) return {};
  std::vector<std::uint32_t> words(static_cast<std::size_t>(ceil_div(p.seq, kStartBits)));
  for (const std::int64_t t : p.starts) words[static_cast<std::size_t>(t / kStartBits)] |= 1U << (t % kStartBits);
  return words;
}

/// The sizes of a problem, its steps in one chunk. Whoever has the tensors sets the pointers.
inline SelectiveJob selective_job(const SelectiveProblem& p) {
  SelectiveJob job{};
  job.seq = p.seq;
  job.batch = static_cast<int>(p.batch);
  job.channels = static_cast<int>(p.channels);
  job.state = static_cast<int>(p.state);
  job.groups = static_cast<int>(p.groups);
  job.chunk = round_up(p.seq, kStartBits);
  job.chunks = 1;
  job.last_too = 0;
  job.row0 = 0;
  job.row_end = p.batch * p.channels;
  return job;
}

/// One block's part, when a block takes up to `most` channels of a group. Blocks that read the same B and C are neighbours.
struct SelectivePart {
  int entry, group, channel, count, chunk;  // channels channel .. channel + count - 1
  std::int64_t begin, end;                  // steps

  static BS_HOST_DEVICE std::int64_t blocks(const SelectiveJob& job, int most, int chunks) {
    return chunks * (part_of(job, job.row_end, most) - part_of(job, job.row0, most));
  }
  /// The part of a chunk that begins with a row.
  static BS_HOST_DEVICE std::int64_t part_of(const SelectiveJob& job, std::int64_t row, int most) {
    return row / job.group_channels() * pieces(job, most) + row % job.group_channels() / most;
  }
  static BS_HOST_DEVICE int pieces(const SelectiveJob& job, int most) { return (job.group_channels() + most - 1) / most; }

  BS_HOST_DEVICE SelectivePart(const SelectiveJob& job, int block, int most) {
    const auto parts = static_cast<int>(blocks(job, most, 1));
    chunk = block / parts;
    block = block % parts + static_cast<int>(part_of(job, job.row0, most));
    const int first = block % pieces(job, most) * most, left = job.group_channels() - first;
    block /= pieces(job, most);
    group = block % job.groups;
    entry = block / job.groups;
    channel = group * job.group_channels() + first;
    count = left < most ? left : most;
    begin = chunk * job.chunk;
    end = begin + job.chunk < job.seq ? begin + job.chunk : job.seq;
  }
};

inline constexpr std::int64_t kShortestChunk = 64;  // steps; below, a block's start and the states it leaves cost more than its steps

struct ChunkPlan {
  std::int64_t chunks, chunk;
};
/// `blocks` blocks for all steps on a device that holds `slots` at once: as many chunks as fit in one wave. Chunks cost each exponential twice, so fewer
/// than three are not worth it.
inline ChunkPlan plan_chunks(std::int64_t blocks, std::int64_t steps, std::int64_t slots) {
  const std::int64_t fit = slots / blocks;
  if (fit < 3) return {1, round_up(steps, kStartBits)};
  const std::int64_t least = ceil_div(steps, fit), chunk = round_up(least < kShortestChunk ? kShortestChunk : least, kStartBits);
  return {ceil_div(steps, chunk), chunk};
}

}  // namespace bench::scan
