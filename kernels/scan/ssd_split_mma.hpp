// SPDX-License-Identifier: Apache-2.0
// Mamba-2's scan cut along time as well, in three launches on tensor cores of sm_80 and later (mma.sync): what every chunk adds to a state of zero, the
// states from chunk to chunk, and the chunks' outputs. The bodies only: ssd_split_mma_cuda.cu and the backward pass launch them, and tests run them on the host.
//
// SsdChunkStates leaves in job.states what a chunk adds and in job.keep what it leaves of the state before; SsdPassing makes of the former the state
// before each chunk, in place; SsdChunkOutputs reads that. Nothing is added by two, so the bits do not depend on chance.
//
// In a backward pass the same is done from the end: every chunk adds sum_i exp(S_i) dY_i C_i^T to the gradient of the state before it, and SsdPassing goes
// from the last chunk to the first.
#pragma once

#include <cstdint>

#include "kernels/cuda/tile_fetch.hpp"
#include "kernels/scan/ssd_rows.hpp"
#include "kernels/scan/ssd_state.hpp"

namespace bench::scan {

/// One block: the part of SsdPlace of one chunk; chunks of all parts are neighbours.
struct SsdChunkPlace : SsdPlace {
  int chunk;
  BS_HOST_DEVICE SsdChunkPlace(const SsdJob& job, int block, int most)
      : SsdPlace(job, job.head0 * job.parts(most) + block % of_a_chunk(job, most), most), chunk(block / of_a_chunk(job, most)) {}
  BS_HOST_DEVICE static int of_a_chunk(const SsdJob& job, int most) { return job.launch_heads * job.parts(most); }
  BS_HOST_DEVICE static int blocks(const SsdJob& job, int most, int steps) { return of_a_chunk(job, most) * job.chunks(steps); }
  /// Of the first element in a tensor (chunks, B, H, P, N).
  BS_HOST_DEVICE std::int64_t of_chunk(const SsdJob& job) const { return chunk * job.all_states() + of_states(job); }
};

template <class M, class T, int kSteps, int kElements, int kStates, Towards kTowards = Towards::end>
class SsdChunkStates {
  static constexpr int kScaleBytes = ssd_scale_bytes(SsdScales<kSteps>::kFloats);
  static constexpr int kWide = cuda::tile_bytes(kSteps, kStates), kNarrow = cuda::tile_bytes(kSteps, cuda::kPageColumns);

 public:
  static constexpr int kThreads = 128;
  static constexpr int kSharedBytes = kScaleBytes + kWide + (kTowards == Towards::begin ? 2 : 1) * kNarrow;
  static BS_HOST_DEVICE int blocks(const SsdJob& job) { return SsdChunkPlace::blocks(job, kElements, kSteps); }

  BS_DEVICE static void run(const SsdJob& job) {
    const SsdChunkPlace at(job, M::block(), kElements);
    const std::uint32_t mixers = M::shared() + kScaleBytes, x = mixers + kWide, z = x + kNarrow;
    const int t0 = at.chunk * kSteps, there = job.seq - t0;
    constexpr bool kBack = kTowards == Towards::begin;
    cuda::TileFetch<M, T, kThreads, kStates>::template rows_apart<kSteps>(mixers, static_cast<const T*>(kBack ? job.c : job.b) + at.of_groups(job, t0), job.group_pitch(),
                                                                          job.state, there);
    using Narrow = cuda::TileFetch<M, T, kThreads, cuda::kPageColumns>;
    Narrow::template rows_apart<kSteps>(x, static_cast<const T*>(kBack ? job.dout : job.x) + at.of_heads(job, t0), job.head_pitch(), at.elements, there);
    const bool gated = kBack && job.z != nullptr;
    if (gated) Narrow::template rows_apart<kSteps>(z, static_cast<const T*>(job.z) + at.of_heads(job, t0), job.head_pitch(), at.elements, there);
    M::commit();
    const SsdScales<kSteps> scales{M::shared_floats()};
    if (M::thread() < 32) {
      SsdSteps<M, T, kSteps> steps;
      steps.ask(job, at, t0);
      steps.write(job, at, scales);
    }
    M::template wait<0>();
    M::sync();  // tiles and decays are here for all
    SsdState<M, T, kThreads, kSteps, kElements, kStates> state;
    state.add(x, mixers, kBack ? &scales.enter(0) : &scales.leave(0), gated ? z : 0);
    state.store(job.states + at.of_chunk(job), at.elements, job.state);
    if (M::thread() == 0 && at.element0 == 0) job.keep[static_cast<std::int64_t>(at.chunk) * job.all_heads() + at.entry * job.heads + at.head] = scales.carry();
  }
};

/// Four neighbouring states a thread. `from` and `to` (B, H, P, N): the state before the first chunk and behind the last one, or in a backward pass
/// its gradient behind the last one and before the first.
template <class M, int kSteps, Towards kTowards = Towards::end>
class SsdPassing {
 public:
  static constexpr int kThreads = 128;
  static BS_HOST_DEVICE int blocks(const SsdJob& job) { return static_cast<int>((launch_states(job) / 4 + kThreads - 1) / kThreads); }

  BS_DEVICE static void run(const SsdJob& job, const float* from, float* to) {
    const std::int64_t here = (static_cast<std::int64_t>(M::block()) * kThreads + M::thread()) * 4;
    if (here >= launch_states(job)) return;
    const std::int64_t of_a_head = static_cast<std::int64_t>(job.head_dim) * job.state, at = job.head0 * of_a_head + here, head = at / of_a_head;
    Four h = *reinterpret_cast<const Four*>(from + at);
    const int chunks = job.chunks(kSteps);
    for (int first = 0; first < chunks; first += kAhead) {
      Four added[kAhead];
      float keep[kAhead];
      BS_UNROLL
      for (int i = 0; i < kAhead; ++i) {  // before anything is stored, so that all are on their way together
        const std::int64_t chunk = number(first + i < chunks ? first + i : chunks - 1, chunks);
        added[i] = *reinterpret_cast<const Four*>(job.states + chunk * job.all_states() + at);
        keep[i] = job.keep[chunk * job.all_heads() + head];
      }
      BS_UNROLL
      for (int i = 0; i < kAhead; ++i) {
        if (first + i >= chunks) break;
        *reinterpret_cast<Four*>(job.states + number(first + i, chunks) * job.all_states() + at) = h;
        BS_UNROLL
        for (int k = 0; k < 4; ++k) h.x[k] = (keep[i] == 0.0F ? 0.0F : keep[i] * h.x[k]) + added[i].x[k];
      }
    }
    *reinterpret_cast<Four*>(to + at) = h;
  }

 private:
  static constexpr int kAhead = 4;
  static BS_HOST_DEVICE std::int64_t launch_states(const SsdJob& job) { return static_cast<std::int64_t>(job.launch_heads) * job.head_dim * job.state; }
  struct alignas(16) Four {
    float x[4];
  };
  BS_DEVICE static std::int64_t number(int i, int chunks) { return kTowards == Towards::begin ? chunks - 1 - i : i; }
};

template <class M, class T, int kSteps, int kElements, int kStates>
class SsdChunkOutputs {
  static constexpr int kScaleBytes = ssd_scale_bytes(SsdScales<kSteps>::kFloats);
  static constexpr int kWide = cuda::tile_bytes(kSteps, kStates), kNarrow = cuda::tile_bytes(kSteps, cuda::kPageColumns);

 public:
  static constexpr int kThreads = 128;
  static constexpr int kSharedBytes = kScaleBytes + 2 * kWide + kNarrow + cuda::tile_bytes(kElements, kStates);
  static BS_HOST_DEVICE int blocks(const SsdJob& job) { return SsdChunkPlace::blocks(job, kElements, kSteps); }

  BS_DEVICE static void run(const SsdJob& job) {
    const SsdChunkPlace at(job, M::block(), kElements);
    const std::uint32_t c = M::shared() + kScaleBytes;
    const SsdTiles tiles{c, c + kWide, c + 2 * kWide, c + 2 * kWide + kNarrow};
    const int t0 = at.chunk * kSteps, there = job.seq - t0;
    using Wide = cuda::TileFetch<M, T, kThreads, kStates>;
    Wide::template rows_apart<kSteps>(tiles.c, static_cast<const T*>(job.c) + at.of_groups(job, t0), job.group_pitch(), job.state, there);
    Wide::template rows_apart<kSteps>(tiles.b, static_cast<const T*>(job.b) + at.of_groups(job, t0), job.group_pitch(), job.state, there);
    cuda::TileFetch<M, T, kThreads, cuda::kPageColumns>::template rows_apart<kSteps>(tiles.x, static_cast<const T*>(job.x) + at.of_heads(job, t0), job.head_pitch(),
                                                                                    at.elements, there);
    M::commit();
    const SsdScales<kSteps> scales{M::shared_floats()};
    if (M::thread() < 32) {
      SsdSteps<M, T, kSteps> steps;
      steps.ask(job, at, t0);
      steps.write(job, at, scales);
    }
    round_states<M, T, kThreads, kElements, kStates>(tiles.h, job.states + at.of_chunk(job), at.elements, job.state);
    M::template wait<0>();
    M::sync();  // tiles and decays are here for all
    constexpr int kSixteens = kSteps / kSixteen, kWarps = kThreads / 32;
    const int warp = M::thread() / 32;
    BS_NO_UNROLL
    for (int i = 0; i < kSixteens / kWarps; ++i) {
      SsdRows<M, T, kSteps, kElements, kStates> rows(tiles, scales, i % 2 == 0 ? i * kWarps + warp : (i + 1) * kWarps - 1 - warp);
      rows.run();
      SsdEnding<M, T, kSteps>(job, at, tiles.x, t0).write(rows);
    }
  }
};

}  // namespace bench::scan
