// SPDX-License-Identifier: Apache-2.0
// One block's work of Mamba-2's scan in one launch, on tensor cores of sm_80 and later (mma.sync): kElements elements of one head of one batch entry, all
// steps, in chunks of kSteps. The body only: ssd_fused*_mma_cuda.cu launch it, and a test runs it on the host.
//
// The head's state stays in fp32 accumulators from the first chunk to the last; every chunk finds it in shared memory, rounded to T, as an operand too.
// Per chunk: the output of its steps, 16 a warp at a time (ssd_rows.hpp), the first sixteen with the last so that warps end together, then what its steps add to the
// state (ssd_state.hpp). C, B and x come by asynchronous copies; where two stages leave room for a second block an SM the next chunk flies meanwhile,
// otherwise that other block works while this one waits. The first warp makes the next chunk's decays.
//
// Shared memory: the decays of two chunks, the state's tile, stages of C, B and x (swizzle.hpp). Sizes below kStates and kElements are filled up with zeros.
#pragma once

#include <cstdint>

#include "kernels/cuda/tile_fetch.hpp"
#include "kernels/scan/ssd_rows.hpp"
#include "kernels/scan/ssd_state.hpp"

namespace bench::scan {

template <class M, class T, int kSteps, int kElements, int kStates>
class SsdFusedMma {
  static constexpr int kStageBytes = cuda::tile_bytes(2 * kSteps, kStates) + cuda::tile_bytes(kSteps, cuda::kPageColumns);
  static constexpr int kStateBytes = cuda::tile_bytes(kElements, kStates);
  static constexpr int kScaleBytes = ssd_scale_bytes(2 * SsdScales<kSteps>::kFloats);

 public:
  static constexpr int kThreads = kSteps > 128 ? 256 : 128;
  static constexpr int kStages = 2 * kStageBytes + kStateBytes + kScaleBytes <= 112 * 1024 ? 2 : 1;  // two blocks share Hopper's 227 KB
  static constexpr int kSharedBytes = kScaleBytes + kStateBytes + kStages * kStageBytes;

  static BS_HOST_DEVICE int blocks(const SsdJob& job) { return job.batch * job.heads * job.parts(kElements); }

  BS_DEVICE explicit SsdFusedMma(const SsdJob& job) : job_(job), at_(job, M::block(), kElements), state_tile_(M::shared() + kScaleBytes) {}

  BS_DEVICE void run() {
    state_.load(job_.h0 + at_.of_states(job_), at_.elements, job_.state);
    state_.round_to(state_tile_);
    fetch(0);
    if (M::thread() < 32) {
      steps_.ask(job_, at_, 0);
      steps_.write(job_, at_, scales(0));
    }
    const int chunks = job_.chunks(kSteps);
    for (int chunk = 0; chunk < chunks; ++chunk) {
      M::template wait<0>();
      M::sync();  // the chunk is here for all, and so are its decays and the state
      take(chunk, chunk + 1 < chunks);
      M::sync();  // nobody reads the old state, nor this stage
      if (chunk + 1 == chunks) break;
      if constexpr (kStages == 1) fetch(chunk + 1);
      state_.round_to(state_tile_);
    }
    state_.store(job_.h_last + at_.of_states(job_), at_.elements, job_.state);
  }

 private:
  static constexpr int kWarps = kThreads / 32, kSixteens = kSteps / kSixteen;

  BS_DEVICE SsdScales<kSteps> scales(int chunk) const { return {M::shared_floats() + chunk % 2 * SsdScales<kSteps>::kFloats}; }
  BS_DEVICE SsdTiles tiles(int chunk) const {
    const std::uint32_t h = M::fresh(state_tile_), c = h + kStateBytes + chunk % kStages * kStageBytes, b = c + cuda::tile_bytes(kSteps, kStates);
    return {c, b, b + cuda::tile_bytes(kSteps, kStates), h};
  }

  BS_DEVICE void fetch(int chunk) const {
    const SsdTiles to = tiles(chunk);
    const int t0 = chunk * kSteps, there = job_.seq - t0;
    const std::int64_t mixers = at_.of_groups(job_, t0);
    const int wide_pitch = M::fresh(job_.group_pitch()), narrow_pitch = M::fresh(job_.head_pitch());  // two dozen multiples of them are not worth their registers
    using Wide = cuda::TileFetch<M, T, kThreads, kStates>;
    Wide::template rows_apart<kSteps>(to.c, static_cast<const T*>(job_.c) + mixers, wide_pitch, job_.state, there);
    Wide::template rows_apart<kSteps>(to.b, static_cast<const T*>(job_.b) + mixers, wide_pitch, job_.state, there);
    cuda::TileFetch<M, T, kThreads, cuda::kPageColumns>::template rows_apart<kSteps>(to.x, static_cast<const T*>(job_.x) + at_.of_heads(job_, t0),
                                                                                    narrow_pitch, at_.elements, there);
    M::commit();
  }

  BS_DEVICE void take(int chunk, bool more) {
    if (kStages == 2 && more) fetch(chunk + 1);
    const bool first_warp = M::thread() < 32;
    if (more && first_warp) steps_.ask(job_, at_, (chunk + 1) * kSteps);
    const int warp = M::thread() / 32;
    BS_NO_UNROLL
    for (int i = 0; i < kSixteens / kWarps; ++i) give_out(chunk, i % 2 == 0 ? warp : kSixteens - 1 - warp);
    state_.decay(scales(chunk).carry());
    state_.add(tiles(chunk).x, tiles(chunk).b, &scales(chunk).leave(0));
    if (more && first_warp) steps_.write(job_, at_, scales(chunk + 1));
  }

  BS_DEVICE void give_out(int chunk, int sixteen) const {
    const SsdTiles from = tiles(chunk);
    SsdRows<M, T, kSteps, kElements, kStates> rows(from, scales(chunk), sixteen);
    rows.run();
    SsdEnding<M, T, kSteps>(job_, at_, from.x, chunk * kSteps).write(rows);
  }

  SsdJob job_;
  SsdPlace at_;
  std::uint32_t state_tile_;
  SsdSteps<M, T, kSteps> steps_;
  SsdState<M, T, kThreads, kSteps, kElements, kStates> state_;
};

}  // namespace bench::scan
